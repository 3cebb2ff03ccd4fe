//! Functions of an interpreter that sources call by the names of a table: those that no source names do not run.
//!
//! PHP and its extensions register some thousand functions in tables of names and addresses, and a source calls one by its
//! name. So the address in a table's entry counts only if the name is a word of a source that may run, of a template or of
//! the interpreter's configuration; if it can be put together from pieces of a text (`names.rs`); or if code of
//! the interpreter or of a module mentions the name. Nothing is left out where sources may run that are not in the image: where a program has none,
//! is given one that is not known, or one cannot be read; and with `--exec all`.
//!
//! Misses, as an assumption: sources from elsewhere than the image, and names from elsewhere than a source.

mod entries;
mod names;

use std::collections::BTreeSet;

use confine_assumption::{Assumption, Effect, Kind};
use confine_elf::{Address, Object};
use confine_image::Files;
use confine_link::texts::Wanted;
use rustc_hash::FxHashSet;

use self::entries::Entry;
use self::names::Names;
use super::AnalysedProgram;

/// The language whose interpreter has such tables.
const LANGUAGE: &str = "PHP";

/// What is known of a program's tables.
#[derive(Debug, Default)]
pub struct Tables {
    /// Whether every function counts, since the user says that anything may be executed.
    all_count: bool,
    /// How many objects of the interpreter's, sources and other texts there were, and whether there may be other sources.
    looked_at: Option<(usize, usize, usize, bool)>,
    /// Cells with functions that no source names: object and address.
    unnamed: BTreeSet<(usize, Address)>,
    open: Option<Assumption>,
}

impl Tables {
    /// None yet; whether every function counts, whatever sources name.
    pub fn new(all_count: bool) -> Self {
        Self {
            all_count,
            ..Self::default()
        }
    }

    /// The cells with functions that no source names: object and address.
    pub fn unnamed(&self) -> &BTreeSet<(usize, Address)> {
        &self.unnamed
    }

    pub fn assumption(&self) -> Option<&Assumption> {
        self.open.as_ref()
    }
}

/// Looks which functions sources name, where there are other objects or sources than before; whether that changes anything.
pub fn look(files: &dyn Files, program: &mut AnalysedProgram) -> bool {
    let Some(reached) = program.program.interpreted.get(LANGUAGE) else {
        return false;
    };
    let objects = program.linked.objects.iter().enumerate();
    let engine: Vec<(usize, &Object)> = objects
        .map(|(index, object)| (index, &*object.elf))
        .filter(|(_, elf)| entries::is_of_engine(elf))
        .collect();
    let counts = (
        engine.len(),
        reached.sources.len(),
        reached.texts.len(),
        reached.open_sources,
    );
    let tables = &mut program.later.tables;
    if tables.all_count || tables.looked_at.replace(counts) == Some(counts) {
        return false;
    }
    let found = engine.iter().map(|(index, elf)| (*index, entries::find(elf)));
    let found: Vec<(usize, Vec<Entry>)> = found.collect();
    let all: usize = found.iter().map(|(_, entries)| entries.len()).sum();
    let is_known = !reached.sources.is_empty() && !reached.open_sources;
    let texts = reached.sources.iter().chain(&reached.texts).map(String::as_str);
    let named = match is_known {
        true => named(files, texts, &engine, &found),
        false => None,
    };
    let mut unnamed = BTreeSet::new();
    tables.open = None;
    if let Some(named) = named {
        for (object, entries) in &found {
            let rest = entries.iter().filter(|entry| !named.contains(&entry.name[..]));
            unnamed.extend(rest.map(|entry| (*object, entry.cell)));
        }
        tables.open = Some(Assumption {
            kind: Kind::OpenSymbol,
            place: program.program.path.clone(),
            detail: format!(
                "{} of {all} functions of PHP and its extensions count, those that a source or template of the image names: \
                 sources from elsewhere may call others",
                all - unnamed.len()
            ),
            effect: Effect::NotCovered,
        });
    }
    let changed = unnamed != tables.unnamed;
    tables.unnamed = unnamed;
    changed
}

/// The names among those of these entries that are called; nothing where a source cannot be read.
fn named<'t>(
    files: &dyn Files,
    texts: impl Iterator<Item = &'t str>,
    engine: &[(usize, &Object)],
    found: &[(usize, Vec<Entry>)],
) -> Option<FxHashSet<Vec<u8>>> {
    let entries = found.iter().flat_map(|(_, entries)| entries);
    let wanted: FxHashSet<&[u8]> = entries.map(|entry| &entry.name[..]).collect();
    let in_texts = Wanted::new(wanted.clone());
    let mentioned = engine
        .iter()
        .flat_map(|(_, elf)| entries::mentioned(elf, &in_texts));
    let mentioned: FxHashSet<&[u8]> = mentioned.collect();
    let mut names = Names::new(wanted.iter().copied());
    for path in texts {
        names.read(&files.read(path).ok()?);
    }
    let called = wanted
        .iter()
        .filter(|name| mentioned.contains(*name) || names.has(name));
    Some(called.map(|name| name.to_vec()).collect())
}
