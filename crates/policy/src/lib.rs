//! Policies as values: which system calls are allowed, with which arguments.
//!
//! In: calls and conditions on their arguments. Out: a [`Policy`], with exact union, intersection, difference and
//! inclusion. Exact means that the result allows a call with given arguments if and only if the definition of the
//! operation says so; nothing is rounded. Must not know: names of calls, images, formats of profiles.
#![forbid(unsafe_code)]

mod comparison;
mod conjunction;
mod policy;
mod rule;

pub use comparison::Comparison;
pub use conjunction::{ARGUMENTS, Conjunction, Masked};
pub use policy::{Architecture, Policy};
pub use rule::Rule;
