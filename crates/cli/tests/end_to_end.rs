//! The whole program: little images go in, profiles, reports and answers come out.
//!
//! The images hold programs of a few instructions (`end_to_end/programs`), so that every call which is allowed can
//! be named here one by one. Without gcc the tests say so and pass.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by it")]
#![allow(clippy::print_stderr, reason = "a test tells what it skips")]

#[path = "end_to_end/answers.rs"]
mod answers;
#[path = "end_to_end/audit.rs"]
mod audit;
#[path = "end_to_end/bad_input.rs"]
mod bad_input;
#[path = "end_to_end/cache.rs"]
mod cache;
#[path = "end_to_end/check.rs"]
mod check;
#[path = "end_to_end/executed.rs"]
mod executed;
#[path = "end_to_end/filters.rs"]
mod filters;
#[path = "end_to_end/harden.rs"]
mod harden;
#[path = "end_to_end/image.rs"]
mod image;
#[path = "end_to_end/late.rs"]
mod late;
#[path = "end_to_end/open_numbers.rs"]
mod open_numbers;
#[path = "end_to_end/options.rs"]
mod options;
#[path = "end_to_end/remembered.rs"]
mod remembered;
#[path = "end_to_end/run.rs"]
mod run;
#[path = "end_to_end/same_policy.rs"]
mod same_policy;
#[path = "end_to_end/statistics.rs"]
mod statistics;
