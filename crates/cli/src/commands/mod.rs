//! The subcommands, one module each.

mod cache;
mod check;
mod filter;
mod generate;
mod harden;
mod inspect;
mod profile;
mod run;
mod why;

pub use cache::cache;
pub use check::check;
pub use filter::filter;
pub use generate::{completions, man};
pub use harden::{harden, mount};
pub use inspect::inspect;
pub use profile::profile;
pub use run::run;
pub use why::why;
