//! Shell scripts, walked as an abstract shell would run them.
//!
//! The abstraction: each variable has a set of texts with holes, the positional parameters are a set of lists;
//! sides of a condition are both taken unless it is plain for a list which one holds; loops run until nothing
//! is new or widen to unknown; functions are walked where they are called and, if nobody calls them, once more
//! with unknown arguments. That over-approximates what a shell does, because every effect that is not modelled
//! makes a value unknown. What the parser rejects is not lost: each of its words that names an executable counts.
//!
//! Misses: files that the script writes and then executes, start-up files of login shells, and the environment
//! that is given when the container starts, beyond that tests on variables of it always take both sides.

mod assignments;
mod builtin_commands;
mod commands;
mod compound;
mod conditions;
mod output;
mod parameters;
mod redirects;
mod scan;
mod state;
mod syntax;
mod walk;
mod words;

use crate::discovery::Discovery;
use crate::walks::{Turn, called_with_anything};

/// Walks every text that waits, and those that it leads to; [`crate::walks`] bounds what that costs.
pub fn drain(discovery: &mut Discovery<'_>) {
    while let Some((turn, unit)) = discovery.walks.next() {
        match turn {
            Turn::Walk => walk::walk(discovery, unit),
            Turn::Widen => {
                walk::walk(discovery, called_with_anything(&unit, &discovery.config.env));
                scan::try_arguments(discovery, &unit);
            }
            Turn::Known => scan::try_arguments(discovery, &unit),
            Turn::Scan => scan::scan(discovery, &unit, "more scripts than are followed"),
        }
    }
}

/// Splits one line into words as a shell would, without expanding anything.
pub fn split_words(text: &str) -> Vec<String> {
    syntax::split(text).unwrap_or_else(|| text.split_whitespace().map(str::to_owned).collect())
}
