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
    /// Programs and scripts that execute something that is not known; none where the container or the user does.
    pub open: BTreeSet<Option<String>>,
}

impl Executions {
    /// Takes in what another search found as if `parent` had started it.
    pub fn extend(&mut self, others: Self, parent: &str) {
        let named = |by: Option<String>| Some(by.unwrap_or_else(|| parent.to_owned()));
        let links = others.links.into_iter();
        self.links.extend(links.map(|(by, what)| (named(by), what)));
        self.open.extend(others.open.into_iter().map(named));
    }

    /// Only what the container or the user starts.
    #[must_use]
    pub fn started(&self) -> Self {
        let links = self.links.iter().filter(|(by, _)| by.is_none());
        Self {
            links: links.cloned().collect(),
            open: self.open.iter().filter(|by| by.is_none()).cloned().collect(),
        }
    }

    /// Whether a program or script executes something that is not known.
    #[must_use]
    pub fn is_open(&self, path: &str) -> bool {
        self.open.contains(&Some(path.to_owned()))
    }

    /// What a program or script executes itself.
    pub fn by<'a>(&'a self, path: &str) -> impl Iterator<Item = &'a str> {
        let by = Some(path.to_owned());
        let from = self.links.range((by.clone(), String::new())..);
        from.take_while(move |(own, _)| *own == by)
            .map(|(_, what)| what.as_str())
    }
}
