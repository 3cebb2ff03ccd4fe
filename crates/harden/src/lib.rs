//! Puts policies where programs start: into the files that the kernel maps first.
//!
//! In: policies of programs, and the bytes of ELF files. Out: the bytes of the same files with a loader of our own in
//! front of their code and the policies beside it. Must not know: images, engines, where files go.
//!
//! [`graft`] adds two segments to a dynamic loader, or to a program that needs none: the policies as constants, and the
//! code of the `loader` crate, to which the entry point is turned. The kernel maps both with the file. Nothing else
//! about the file changes, so it stays what other programs take it for: a library with its name and symbols, a file
//! with its sections.
#![forbid(unsafe_code)]

mod bundle;
mod graft;
mod identity;
mod policy;

pub use bundle::{Confined, only, write_bundle};
pub use confine_bundle::{Fingerprint, Kind, REFUSED, probe};
pub use graft::{GraftError, graft, grafted_filters};
pub use identity::{Program, identify};
pub use policy::{Compiled, LoaderCall, compile, compile_logging, loader_calls};
