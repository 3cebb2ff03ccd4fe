//! Whether a container behaves the same under a policy: lives with and without it are held against each other.
//!
//! In: what happened in each [`Life`] of a container, the calls that were denied, and the analysis' [report]
//! (confine_report::Report). Out: a [`Checked`] with every [`Difference`] and every [`Denied`] call, told as text, JSON,
//! JUnit or SARIF. Must not know: how a container is started, where its lives are lived, or where text is shown.
//!
//! What is compared is what a user would notice: how each step ended, what the workload printed, what the log says.
//! Times, ids, addresses and the like are taken out first; what differs between lives without a policy
//! is then no difference either.
//!
//! Misses: what neither the workload prints nor the log tells. Over-reports: a line that comes up so rarely that no
//! life without a policy showed it, if it comes up in every life with one.
#![forbid(unsafe_code)]

mod compare;
mod denied;
mod interleaved;
mod junit;
mod lines;
mod normal;
mod patterns;
#[cfg(test)]
mod sample;
mod sarif;
mod text;
mod verdict;

pub use compare::{Baseline, Difference, Kind, Life, Step};
pub use denied::{Attempt, Denied, Foreseen, Site, denied};
pub use junit::junit;
pub use sarif::sarif;
pub use text::{denied_calls, text};
pub use verdict::{Checked, Observation, Verdict};
