//! The subcommands, one module each.

mod cache;
mod check;
mod compare;
mod cve;
pub mod diff;
mod filter;
mod generate;
mod harden;
mod inspect;
mod observe;
mod profile;
mod run;
mod why;

pub use cache::cache;
pub use check::check;
pub use compare::compare;
pub use cve::cve;
pub use diff::diff;
pub use filter::filter;
pub use generate::{completions, man};
pub use harden::{harden, mount};
pub use inspect::inspect;
pub use observe::observe;
pub use profile::profile;
pub use run::run;
pub use why::why;
