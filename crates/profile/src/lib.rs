//! Profiles: a policy as the files that engines read, one module for each format.
//!
//! In: a [`confine_policy::Policy`]. Out: text, the same bytes for the same policy. Must not know: where the
//! policy comes from or where the text goes.
#![forbid(unsafe_code)]

mod oci;

pub use oci::{Error, MAXIMUM_ENTRIES, oci};
