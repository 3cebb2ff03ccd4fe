//! Which known vulnerabilities of the kernel a container can reach.
//!
//! In: a [`Guard`], which is a policy, the capabilities that the container has, and which other architectures' calls come
//! in. Out: a [`Verdict`] for each vulnerability ([`judge`]); Docker's default profile as a guard, to compare with.
//! Must not know: images, programs, files, where verdicts are shown.
//!
//! A vulnerability is taken away only if each known way to it has a step that the policy denies. A call counts as allowed if
//! it is with some arguments that satisfy the step's conditions, or if another allowed call does the same out of the policy's
//! sight ([`confine_kernel::equivalents`]) on a kernel that has both. Over-reports what is open: the table of ways leaves out
//! what hardly any policy denies. Misses: descriptors that a process is handed from outside, and ways that nobody has
//! published.
#![forbid(unsafe_code)]

mod guard;
mod judge;

pub use guard::{Capabilities, Guard};
pub use judge::{State, Verdict, judge};
