//! The lines of what a container wrote, as they are compared: what it writes is without bounds, so that none is searched
//! for in a list.

use std::collections::{BTreeSet, HashSet};

use crate::normal::{normalised, without_numbers};

/// Lines in their order, and to look one up among them.
#[derive(Debug)]
pub(crate) struct Lines {
    pub(crate) list: Vec<String>,
    set: HashSet<String>,
}

impl Lines {
    pub(crate) fn new(lines: impl IntoIterator<Item = String>) -> Self {
        let list: Vec<String> = lines.into_iter().collect();
        Self {
            set: list.iter().cloned().collect(),
            list,
        }
    }

    /// The lines of what a step printed.
    pub(crate) fn printed(text: &str) -> Self {
        Self::new(text.lines().map(normalised))
    }

    /// The lines of a log, without their order and number, which follow the clock as their numbers do.
    pub(crate) fn logged(text: &str) -> Self {
        let lines = text.lines().map(|line| without_numbers(&normalised(line)));
        let lines: BTreeSet<String> = lines.filter(|line| !line.is_empty()).collect();
        Self::new(lines)
    }

    pub(crate) fn contains(&self, line: &str) -> bool {
        self.set.contains(line)
    }
}
