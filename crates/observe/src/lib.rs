//! What a container's programs do, counted in the kernel while they do it.
//!
//! In: a container's host name, by which its processes are recognised from before the first of them starts. Out: an
//! [`Observation`]: programs executed, objects mapped executable, and system calls with the values of the arguments
//! that say what they do, by program. Nothing of it is streamed: a program in the kernel (`kernel/observe.bpf.c`) counts
//! in tables, and what does not fit is counted, too, and then is an error. Why so: `docs/observe.md`.
//!
//! Needs root, and a kernel from 5.17 on with type information (`CONFIG_DEBUG_INFO_BTF`).
//!
//! Must not know: engines, images, or what was foreseen.
#![forbid(unsafe_code)]

mod error;
mod observer;
mod tables;

pub use error::Error;
pub use observer::Observer;
pub use tables::{CallCount, File, Observation, Pair};
