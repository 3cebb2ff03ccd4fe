//! One ELF file as the loader sees it.
//!
//! In: the bytes of a file. Out: an [`Object`] of plain values: segments, dynamic table, symbols with versions,
//! relocations, and the functions that unwind tables and Go's function table describe. Program headers and the
//! dynamic table are the truth, because the loader uses nothing else; sections are an aid that a stripped file
//! lacks. A broken part ends up in [`Object::problems`] and the rest stays usable; only a file that no loader
//! would map is an [`Error`].
//!
//! Files are untrusted: counts are bounded by what the file can physically hold, loops by the bytes that they
//! consume, and the names and tables that several entries may share by a budget.
//!
//! Must not know: where the file came from, other objects, what its machine code means.
#![forbid(unsafe_code)]

mod dynamic;
mod error;
mod go;
mod header;
mod landing;
mod model;
mod parse;
mod problems;
mod raw;
mod relocations;
mod sections;
mod strings;
mod symbols;
mod unwind;
mod versions;

pub use error::Error;
pub use model::*;
