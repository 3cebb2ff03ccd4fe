//! Profiles: a policy as the files that engines read, one module for each format.
//!
//! In: a [`confine_policy::Policy`]. Out: text, the same bytes for the same policy; and back from a profile's text, whoever
//! wrote it. Must not know: where the policy comes from or where the text goes.
#![forbid(unsafe_code)]

mod audit;
mod kubernetes;
mod names;
mod oci;
mod oci_read;
mod podman;
mod systemd;

pub use audit::auditing;
pub use kubernetes::{Kubernetes, kubernetes};
pub use oci::{Error, MAXIMUM_CONDITIONAL, MAXIMUM_ENTRIES, oci};
pub use oci_read::{Note, ReadError, Reading, read_oci};
pub use podman::podman;
pub use systemd::{Systemd, systemd};
