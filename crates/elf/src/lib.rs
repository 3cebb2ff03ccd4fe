//! One ELF file as the loader sees it.
#![forbid(unsafe_code)]

mod model;

pub use model::*;
