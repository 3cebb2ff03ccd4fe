//! The objects of one program, in the loader's order.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::{Arc, OnceLock};

use confine_assumption::{Assumption, Effect, Kind};
use confine_elf::{Machine, Object};
use confine_image::Files;

use crate::exports::{Exports, ScopeIndex};
use crate::interpreter::Interpreter;
use crate::opaque::OpaqueState;
use crate::search::{Flavour, Search};
use crate::store::{ObjectError, ObjectStore, Parsed};

/// How many objects one program may have: a hostile image may name any number.
const MOST_OBJECTS: usize = 4096;

/// How many of an object's broken parts are named: the first few tell what is wrong with the file.
const MOST_PROBLEMS: usize = 8;

/// What the program's environment tells the loader.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// LD_LIBRARY_PATH, split at colons.
    pub library_path: Vec<String>,
    /// LD_PRELOAD, split at colons and blanks.
    pub preload: Vec<String>,
}

/// Whose loader a program uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Loader {
    /// None: the program is static.
    None,
    /// The GNU C library's.
    Glibc,
    /// musl's.
    Musl,
}

/// Why an object is loaded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LoadReason {
    /// It is the program.
    Program,
    /// PT_INTERP of the program.
    Interpreter,
    /// LD_PRELOAD, `/etc/ld.so.preload` or an auditing module.
    Preload,
    /// DT_NEEDED of another object.
    Needed {
        /// The first object that needs it, as an index into [`Linked::objects`].
        by: usize,
    },
    /// Loaded while the program runs.
    Late {
        /// Who loads it, in words.
        by: String,
    },
    /// A variant of another object for processors that have more features than the common one needs.
    Variant {
        /// The common object, as an index into [`Linked::objects`].
        of: usize,
    },
}

/// One object of a program.
#[derive(Debug, Clone)]
pub struct LinkedObject {
    /// Its canonical path.
    pub path: String,
    /// What it contains.
    pub elf: Arc<Object>,
    /// Why it is loaded.
    pub reason: LoadReason,
    /// What it needs, as indices into [`Linked::objects`], in order; what is missing is left out.
    pub needed: Vec<usize>,
    /// Whether it is loaded while the program runs, or not always, and so is no part of the global scope.
    pub late: bool,
    /// The path by which the loader found it, links not followed.
    pub(crate) found: String,
    /// The names that it was asked for by.
    pub(crate) names: BTreeSet<String>,
    /// The object that caused it to be loaded.
    pub(crate) loader: Option<usize>,
    pub(crate) exports: Arc<Exports>,
    pub(crate) texts: Arc<OnceLock<Vec<String>>>,
    /// See [`LinkedObject::name_texts`].
    pub(crate) name_texts: Arc<OnceLock<Vec<Box<[u8]>>>>,
    /// What may be names of libraries without their ending; looked for once, whichever programs load the object.
    pub(crate) short_names: Arc<OnceLock<BTreeSet<Box<[u8]>>>>,
    pub(crate) opaque: Arc<OnceLock<Vec<OpaqueState>>>,
    /// For a late object: the objects besides the global scope in which its references are looked up.
    pub(crate) scope: Arc<Vec<usize>>,
}

/// One program with everything that is loaded for it.
#[derive(Debug)]
pub struct Linked {
    /// The objects. The first is the program, then start-up objects in the loader's (breadth-first) order, then
    /// variants and late ones. Empty if the program itself cannot be read.
    pub objects: Vec<LinkedObject>,
    /// What was missing or broken, sorted.
    pub assumptions: Vec<Assumption>,
    /// Whose loader it is.
    pub loader: Loader,
    pub(crate) search: Search,
    pub(crate) global: ScopeIndex,
    pub(crate) machine: Machine,
    pub(crate) interpreter: Option<Interpreter>,
}

/// Links one program as its loader would at start-up.
pub fn link(files: &dyn Files, store: &ObjectStore, program: &str, environment: &Environment) -> Linked {
    let mut linked = Linked {
        objects: Vec::new(),
        assumptions: Vec::new(),
        loader: Loader::None,
        search: Search::new(Flavour::Glibc, None, &environment.library_path),
        global: ScopeIndex::default(),
        machine: Machine::X86_64,
        interpreter: None,
    };
    let parsed = match store.parsed(files, program) {
        Ok(parsed) => parsed,
        Err(error) => {
            linked.unusable(program, &error, Kind::MissingProgram);
            return linked;
        }
    };
    linked.machine = parsed.elf.machine;
    if linked.machine != Machine::X86_64 {
        let detail = format!(
            "expected a program for x86-64, found one for {:?}",
            linked.machine
        );
        linked.assume(Kind::UnreadableFile, program, detail);
    }
    linked.interpreter = linked.find_interpreter(files, store, &parsed.elf);
    linked.loader = linked.whose_loader(&parsed.elf);
    let flavour = if linked.loader == Loader::Musl {
        Flavour::Musl
    } else {
        Flavour::Glibc
    };
    let interpreter = linked
        .interpreter
        .as_ref()
        .map(|interpreter| interpreter.parsed.elf.as_ref());
    linked.search = Search::new(flavour, interpreter, &environment.library_path);

    let canonical = canonical(files, program);
    linked.push(
        program.to_owned(),
        canonical,
        parsed,
        LoadReason::Program,
        None,
        false,
    );
    if linked.loader != Loader::None {
        linked.preload(files, store, environment);
    }
    linked.close(files, store, 0, false);
    linked.add_interpreter();
    linked.global = ScopeIndex::of(linked.objects.iter().map(|object| object.exports.as_ref()));
    linked.add_variants(files, store, 0);
    linked.sort_assumptions();
    linked
}

impl Linked {
    /// The canonical paths of all objects, in order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.objects.iter().map(|object| object.path.as_str())
    }

    /// Everything that bindings depend on besides the objects' contents, in words that say the same only for the same.
    #[must_use]
    pub fn description(&self) -> String {
        let mut text = format!("{:?} {:?}", self.search.flavour, self.start_up_count());
        for object in &self.objects {
            let LinkedObject {
                path,
                reason,
                late,
                scope,
                ..
            } = object;
            // Writing to a string does not fail.
            let _ = write!(text, "\n{path:?} {reason:?} {late} {scope:?}");
        }
        text
    }

    /// How many objects are in the global scope: they come first.
    #[must_use]
    pub fn start_up_count(&self) -> usize {
        self.objects.iter().take_while(|object| !object.late).count()
    }

    /// The folders that hold the libraries of all programs.
    pub(crate) fn loader_folders(&self, files: &dyn Files, store: &ObjectStore) -> Vec<String> {
        self.search.common_folders(store.system_folders(files))
    }

    /// Loads the object of this name unless it is there, without what it needs.
    pub(crate) fn load(
        &mut self,
        files: &dyn Files,
        store: &ObjectStore,
        name: &str,
        caller: usize,
        reason: LoadReason,
        late: bool,
    ) -> Option<usize> {
        if let Some(known) = self.known(name) {
            return Some(known);
        }
        if self.is_interpreter_name(name) {
            return self.add_interpreter();
        }
        let found = self.find(files, store, name, caller)?;
        if let Some(same) = self
            .objects
            .iter()
            .position(|object| object.path == found.canonical)
        {
            if let Some(object) = self.objects.get_mut(same) {
                object.names.insert(name.to_owned());
            }
            return Some(same);
        }
        if self
            .interpreter
            .as_ref()
            .is_some_and(|interpreter| interpreter.path == found.canonical)
        {
            return self.add_interpreter();
        }
        if self.objects.len() >= MOST_OBJECTS {
            self.assume(
                Kind::MissingObject,
                name,
                format!("more than {MOST_OBJECTS} objects, {name} left out"),
            );
            return None;
        }
        let index = self.push(
            found.path,
            found.canonical,
            found.parsed,
            reason,
            Some(caller),
            late,
        );
        if let Some(object) = self.objects.get_mut(index) {
            object.names.insert(name.to_owned());
        }
        Some(index)
    }

    /// Loads what the objects from `first` on need, breadth-first.
    pub(crate) fn close(&mut self, files: &dyn Files, store: &ObjectStore, first: usize, late: bool) {
        let mut index = first;
        // Bounded: objects are only added up to `MOST_OBJECTS`.
        while let Some(object) = self.objects.get(index) {
            let elf = Arc::clone(&object.elf);
            let names: Vec<&String> = elf.dynamic.filters.iter().chain(&elf.dynamic.needed).collect();
            self.prefetch(files, store, &names, index);
            let mut needed = Vec::new();
            for name in names {
                match self.load(files, store, name, index, LoadReason::Needed { by: index }, late) {
                    Some(object) if !needed.contains(&object) => needed.push(object),
                    Some(_) => {}
                    None => self.missing(name, index),
                }
            }
            if let Some(object) = self.objects.get_mut(index) {
                object.needed = needed;
            }
            index += 1;
        }
    }

    /// Adds, for the objects from `first` on, their variants for other processors, with what those need.
    pub(crate) fn add_variants(&mut self, files: &dyn Files, store: &ObjectStore, first: usize) {
        let bases: Vec<(usize, usize, Vec<String>)> = self
            .objects
            .iter()
            .enumerate()
            .skip(first)
            .filter_map(|(index, object)| {
                Some((index, object.loader?, object.names.iter().cloned().collect()))
            })
            .collect();
        for (base, loader, names) in bases {
            for name in names {
                let Some(found) = self.find(files, store, &name, loader) else {
                    continue;
                };
                for (path, canonical, parsed) in found.variants {
                    if self.objects.len() >= MOST_OBJECTS || self.paths().any(|known| known == canonical) {
                        continue;
                    }
                    let reason = LoadReason::Variant { of: base };
                    let variant = self.push(path, canonical, parsed, reason, Some(loader), true);
                    self.close(files, store, variant, true);
                    self.set_scopes(variant);
                }
            }
        }
    }

    /// Says that the objects from `first` on were loaded together, the first one by name.
    pub(crate) fn set_scopes(&mut self, first: usize) {
        let scope = Arc::new(self.closure(first));
        for object in self.objects.iter_mut().skip(first) {
            object.scope = Arc::clone(&scope);
        }
    }

    /// An object and what it needs, breadth-first: what `dlsym` on its handle looks through.
    #[must_use]
    pub fn closure(&self, object: usize) -> Vec<usize> {
        let mut closure = vec![object];
        let mut seen = BTreeSet::from([object]);
        let mut next = 0;
        // Bounded: every object is added once.
        while let Some(index) = closure.get(next).copied() {
            let needed = self
                .objects
                .get(index)
                .map(|object| object.needed.as_slice())
                .unwrap_or_default();
            closure.extend(needed.iter().copied().filter(|object| seen.insert(*object)));
            next += 1;
        }
        closure
    }

    pub(crate) fn missing(&mut self, name: &str, by: usize) {
        let by = self
            .objects
            .get(by)
            .map_or("the program", |object| object.path.as_str())
            .to_owned();
        self.assume(
            Kind::MissingObject,
            &by,
            format!("needs {name}, which is not in the image"),
        );
    }

    pub(crate) fn assume(&mut self, kind: Kind, place: &str, detail: String) {
        let assumption = Assumption {
            kind,
            place: place.to_owned(),
            detail,
            effect: Effect::NotCovered,
        };
        if !self.assumptions.contains(&assumption) {
            self.assumptions.push(assumption);
        }
    }

    pub(crate) fn sort_assumptions(&mut self) {
        self.assumptions.sort();
        self.assumptions.dedup();
    }

    pub(crate) fn push(
        &mut self,
        found: String,
        path: String,
        parsed: Parsed,
        reason: LoadReason,
        loader: Option<usize>,
        late: bool,
    ) -> usize {
        for problem in parsed.elf.problems.iter().take(MOST_PROBLEMS) {
            self.assume(Kind::UnreadableFile, &path, problem.clone());
        }
        self.objects.push(LinkedObject {
            path,
            elf: parsed.elf,
            reason,
            needed: Vec::new(),
            late,
            found,
            names: BTreeSet::new(),
            loader,
            exports: parsed.exports,
            texts: parsed.texts,
            name_texts: parsed.name_texts,
            short_names: parsed.short_names,
            opaque: parsed.opaque,
            scope: Arc::default(),
        });
        self.objects.len() - 1
    }

    /// An object that already answers to this name, as an index into [`Linked::objects`].
    #[must_use]
    pub fn known(&self, name: &str) -> Option<usize> {
        self.objects.iter().position(|object| {
            !matches!(object.reason, LoadReason::Variant { .. })
                && (object.names.contains(name)
                    || (self.search.flavour == Flavour::Glibc
                        && object.elf.dynamic.soname.as_deref() == Some(name)))
        })
    }

    fn preload(&mut self, files: &dyn Files, store: &ObjectStore, environment: &Environment) {
        let audit = self
            .objects
            .first()
            .map(|program| program.elf.dynamic.audit.clone())
            .unwrap_or_default();
        let named = environment.preload.iter().flat_map(|part| part.split([':', ' ']));
        let system = store.system_folders(files).preloaded(self.search.flavour);
        let names: Vec<String> = audit
            .into_iter()
            .chain(named.map(str::to_owned))
            .chain(system.iter().cloned())
            .collect();
        for name in names.iter().filter(|name| !name.is_empty()) {
            if self
                .load(files, store, name, 0, LoadReason::Preload, false)
                .is_none()
            {
                self.missing(name, 0);
            }
        }
    }

    pub(crate) fn unusable(&mut self, path: &str, error: &ObjectError, missing: Kind) {
        let (kind, detail) = match error {
            ObjectError::Missing(_) => (missing, "is not in the image".to_owned()),
            ObjectError::Unreadable { reason, .. } => (Kind::UnreadableFile, reason.clone()),
            ObjectError::NotAnObject { error, .. } => (Kind::UnreadableFile, error.to_string()),
        };
        self.assume(kind, path, detail);
    }
}

pub(crate) fn canonical(files: &dyn Files, path: &str) -> String {
    files
        .resolve(path)
        .map_or_else(|| path.to_owned(), |resolved| resolved.path)
}
