//! An image, wherever it lies, as a root file system and a configuration.
#![forbid(unsafe_code)]

mod config;
mod files;
mod memory;

pub use bytes::Bytes as FileBytes;
pub use config::{Config, Healthcheck};
pub use files::{FileKind, Files, ReadError, Resolved};
pub use memory::MemoryFiles;
