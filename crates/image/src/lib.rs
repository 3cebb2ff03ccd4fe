//! An image, wherever it lies, as a root file system and a configuration.
//!
//! In: a reference that a user typed ([`open`] tells which there are). Out: an [`Image`]: its [`Config`] and a
//! [`Files`], the one view of its files that every later room has. Nothing is unpacked: layers are merged as an
//! index, contents are slices of a mapped archive, kept from the one pass over a compressed layer, or read again
//! from it. Memory is bounded whatever the image's size.
//!
//! Must not know: what any file is good for, beyond which ones are worth keeping.
//!
//! Images are untrusted: paths and links stay inside the root, sizes and counts are bounded, every digest that
//! the image names is verified.
#![deny(unsafe_code)]

mod compression;
mod config;
mod configuration;
mod content;
mod digest;
mod docker_archive;
#[cfg(feature = "daemon")]
mod engine;
mod error;
mod files;
mod folder;
pub mod hierarchy;
mod layer;
mod mapping;
mod memory;
mod oci;
mod open;
pub mod paths;
mod pipe;
mod platform;
mod reference;
mod store;
mod tarball;
mod tree;
mod verified;
mod write;

pub use bytes::Bytes as FileBytes;
pub use config::{Config, DEFAULT_PATH, Healthcheck};
pub use digest::hexadecimal;
pub use error::Error;
pub use files::{FileKind, Files, Ownership, ReadError, Resolved};
pub use memory::MemoryFiles;
pub use open::{Image, InvalidPlatform, OpenOptions, Parts, Platform, Progress, Stage, open};
pub use reference::{Location, locate};
pub use verified::Memory;
pub use write::{Addition, FileToAdd, Target, write};
