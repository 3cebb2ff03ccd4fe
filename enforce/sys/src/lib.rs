//! The kernel without a C library: the system calls that enforcement needs, and what the kernel leaves on the stack.
//!
//! In: typed arguments. Out: results and [`Errno`]s. The only crate that issues system calls by itself; who uses it
//! need not be unsafe for that. Must not know: what is done with it.
//!
//! Everything works before any library did its own set-up: no thread-local storage, no allocation, no relocation that
//! somebody would have to apply, no panic.
#![cfg_attr(not(test), no_std)]
#![allow(unsafe_code)] // System calls, and memory that the kernel describes by its addresses, are what this is for.

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
compile_error!("system calls are those of Linux on x86-64");

mod calls;
mod listener;
mod start;

pub use calls::{Errno, File, exit, install_filter, probe, set_no_new_privileges, write_error};
pub use listener::{Asked, Heard, Listener};
pub use start::{AUXILIARY_ENTRY, AUXILIARY_EXECUTED, AUXILIARY_HEADERS, Start, Text, copy_memory};
