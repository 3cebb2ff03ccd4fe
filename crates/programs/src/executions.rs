//! Who executes what: the links that say what a program needs besides itself, as all of it runs under what that program was
//! started under.
//!
//! Unlike [`crate::Found`], which is for people and keeps a few ways to each file, this is complete: every command that is
//! followed is here with the file that executes it. An interpreter is taken to execute what it interprets, whoever starts it.

use std::collections::BTreeSet;

/// Which files execute which.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Executions {
    /// A program or script and one that it executes, starts an interpreter for, reads into itself or interprets; no first
    /// one where the container or the user starts the second.
    pub links: BTreeSet<(Option<String>, String)>,
    /// Programs and scripts that execute something that is not known.
    pub open: BTreeSet<String>,
}

impl Executions {
    /// Takes in what another search found as if `parent` had started it.
    pub fn extend(&mut self, others: Self, parent: &str) {
        let links = others.links.into_iter();
        self.links.extend(links.map(|(by, what)| {
            let by = by.unwrap_or_else(|| parent.to_owned());
            (Some(by), what)
        }));
        self.open.extend(others.open);
    }

    /// What the container or the user starts.
    pub fn roots(&self) -> impl Iterator<Item = &str> {
        self.of(None)
    }

    /// What a program or script executes itself.
    pub fn by<'a>(&'a self, path: &str) -> impl Iterator<Item = &'a str> {
        self.of(Some(path.to_owned()))
    }

    fn of(&self, by: Option<String>) -> impl Iterator<Item = &str> {
        let from = self.links.range((by.clone(), String::new())..);
        from.take_while(move |(own, _)| *own == by)
            .map(|(_, what)| what.as_str())
    }
}
