//! Real programs under policies made by hand: what they see, what they may do, and when they do not start.

mod broken;
mod dynamic;
mod programs;
mod support;
