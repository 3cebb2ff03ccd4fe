//! Profiles: a policy as the files that engines read, one module for each format.
//!
//! In: a [`confine_policy::Policy`]. Out: text, the same bytes for the same policy; and back, as far as a policy can say
//! what is there ([`read_oci`]). Must not know: where the policy comes from or where the text goes.
#![forbid(unsafe_code)]

mod oci;
mod reader;

pub use oci::{Error, MAXIMUM_ENTRIES, oci};
pub use reader::{ReadError, Reading, read_oci};
