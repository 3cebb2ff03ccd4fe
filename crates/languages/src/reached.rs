//! What a program in an interpreted language comes to.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use confine_assumption::{Assumption, Effect, Kind};

use crate::Start;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reached {
    /// The sources that it can come to, canonical paths.
    pub sources: BTreeSet<String>,
    /// Templates and configurations, which may name what sources call, canonical paths.
    pub texts: BTreeSet<String>,
    /// Whether sources may run that are not among those: what is started is not known.
    pub open_sources: bool,
    /// Libraries that the interpreter opens, by path or by a name that the loader looks for.
    pub modules: BTreeMap<String, Module>,
    /// Functions that sources look up by name in libraries, each with the place of one source that does.
    pub functions: BTreeMap<String, String>,
    /// The same of sources of which it is not known whether they run, by their places, until all starts are looked at
    /// together ([`crate::Language::together`]).
    pub unsettled: BTreeMap<String, BTreeMap<String, String>>,
    /// Functions of compiled modules that run as methods of the language.
    pub natives: BTreeMap<String, Native>,
    /// The starts that are still to be looked at, all together ([`crate::Language::together`]).
    pub beginnings: BTreeSet<Beginning>,
    /// What sources execute.
    pub commands: BTreeSet<Command>,
    /// What stays open.
    pub assumptions: BTreeSet<Assumption>,
    /// The place of a source that makes system calls by numbers of its own, or of a start of which sources are not known or
    /// were not read, so that they may.
    pub calls_by_number: Option<String>,
}

/// A start of an interpreter, kept: see [`Start`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Beginning {
    pub(crate) path: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) workdir: String,
    pub(crate) place: String,
    /// Whether the arguments are what it is started with: or nothing is known of them.
    pub(crate) known: bool,
}

impl Beginning {
    pub(crate) fn of(start: &Start<'_>) -> Self {
        Self {
            path: start.path.to_owned(),
            arguments: start.arguments.to_vec(),
            variables: start.variables.clone(),
            workdir: start.workdir.to_owned(),
            place: start.place.to_owned(),
            known: true,
        }
    }
}

/// A library that the interpreter opens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Module {
    /// Why, in words.
    pub why: String,
    /// What is looked up in it.
    pub roots: Roots,
}

/// A function of a compiled module that runs as a method of the language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Native {
    /// The class that it is a method of.
    pub class: String,
    /// The ways in which it is called, if they are known: some of its arguments, each by its number from 0 among those that
    /// general registers hold, and its low four bytes.
    pub ways: Option<BTreeSet<Vec<(usize, u32)>>>,
}

/// Which functions of a library are looked up by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Roots {
    /// Those whose names begin with one of these.
    Prefixes(&'static [&'static str]),
    /// None but those of [`Reached::functions`].
    Functions,
    /// Those of [`Reached::natives`], what is looked up for the library itself, and what the program's objects name.
    Natives,
    /// It is not known: any.
    All,
}

/// Something that a source executes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Command {
    /// The name and the arguments, or one text for a shell; unknown parts are holes.
    pub words: Vec<String>,
    /// Whether the one word is a text for a shell.
    pub shell: bool,
    /// The source.
    pub source: String,
    /// The line in it, from 1.
    pub line: usize,
}

impl Command {
    /// The command line that it is.
    #[must_use]
    pub fn argv(&self) -> Vec<String> {
        let shell = ["/bin/sh", "-c"].into_iter().filter(|_| self.shell);
        shell
            .map(str::to_owned)
            .chain(self.words.iter().cloned())
            .collect()
    }
}

impl Reached {
    /// Takes in what else was found.
    pub fn merge(&mut self, more: Self) {
        self.sources.extend(more.sources);
        self.texts.extend(more.texts);
        self.open_sources |= more.open_sources;
        for (name, module) in more.modules {
            self.add_module(name, module);
        }
        for (name, place) in more.functions {
            self.functions.entry(name).or_insert(place);
        }
        for (place, functions) in more.unsettled {
            self.unsettled.entry(place).or_default().extend(functions);
        }
        for (name, native) in more.natives {
            self.add_native(name, native);
        }
        self.beginnings.extend(more.beginnings);
        self.commands.extend(more.commands);
        self.assumptions.extend(more.assumptions);
        self.calls_by_number = self.calls_by_number.take().or(more.calls_by_number);
    }

    /// Each function that sources look up, with the place of one that does. Without a start nothing is left to tell which
    /// sources run: all do.
    pub fn looked_up(&self) -> impl Iterator<Item = (&String, &String)> {
        let unsettled = self.unsettled.values().filter(|_| self.beginnings.is_empty());
        self.functions.iter().chain(unsettled.flatten())
    }

    /// A function that is there already keeps its class, and may be called in more ways.
    pub(crate) fn add_native(&mut self, name: String, native: Native) {
        match self.natives.entry(name) {
            Entry::Vacant(entry) => {
                entry.insert(native);
            }
            Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                known.ways = match (known.ways.take(), native.ways) {
                    (Some(ways), Some(more)) => Some(ways.union(&more).cloned().collect()),
                    _ => None,
                };
            }
        }
    }

    /// A module that is there already keeps its reason and gets the wider roots.
    pub(crate) fn add_module(&mut self, name: String, module: Module) {
        let known = self.modules.entry(name).or_insert_with(|| module.clone());
        known.roots = known.roots.max(module.roots);
    }

    pub(crate) fn assume(&mut self, kind: Kind, place: String, detail: impl Into<String>, effect: Effect) {
        self.assumptions.insert(Assumption {
            kind,
            place,
            detail: detail.into(),
            effect,
        });
    }
}
