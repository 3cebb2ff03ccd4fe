//! One program as the loader would build it.
//!
//! In: a root file system, the path of a program and the environment that it starts with. Out: [`Linked`], the
//! objects in the loader's order, with every symbol's binding; then what is loaded later, on request, and what
//! asks for it.
//!
//! Nothing here fails: an object that is missing or broken becomes an assumption, and the rest goes on.
//!
//! Must not know: what the machine code does, which of the objects' functions are reached, how an image is
//! stored. Does no input or output of its own.
#![forbid(unsafe_code)]

mod bind;
mod cache;
mod configuration;
pub mod conventions;
mod exports;
mod find;
pub mod helpers;
mod interpreter;
mod late;
mod linked;
pub mod name_services;
pub mod opaque;
pub mod plugins;
mod search;
mod store;
pub mod texts;

pub use bind::{Binding, Scope};
pub use late::{LateRequest, NamePattern, Roots};
pub use linked::{Environment, Linked, LinkedObject, LoadReason, Loader, link};
pub use store::{ObjectError, ObjectStore};
