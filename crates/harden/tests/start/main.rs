//! Real programs under policies made by hand: what they see, what they may do, and when they do not start.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of a test may fail it")]

mod broken;
mod dynamic;
mod programs;
mod support;
