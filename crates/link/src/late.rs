//! What is loaded while the program runs.

use confine_image::Files;
use rayon::prelude::*;

use crate::linked::{Linked, LoadReason};
use crate::store::ObjectStore;

/// Something that opens a library by name while the program runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LateRequest {
    /// The name or path, as given to `dlopen`.
    pub name: String,
    /// The object that calls, whose rpath and `$ORIGIN` count, as an index into [`Linked::objects`].
    pub caller: usize,
    /// Who loads it and why, in words.
    pub by: String,
    /// Whether it is no loss if the image does not have it.
    pub optional: bool,
    /// Which of its functions the opener looks up.
    pub roots: Roots,
}

/// Which symbols of a late object are looked up by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Roots {
    /// Not known: any exported one may be.
    AllExported,
    /// Those whose names are texts of objects of the program: which ones is for the caller to find, who has them all.
    OfTexts,
    /// These.
    Named(Vec<NamePattern>),
}

/// A name, or the beginning of names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NamePattern {
    /// This name.
    Exact(String),
    /// Every name that begins like this.
    Prefix(String),
}

impl NamePattern {
    /// Whether a name is meant.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => name == exact,
            Self::Prefix(prefix) => name.starts_with(prefix),
        }
    }
}

impl Roots {
    /// Whether a name is looked up.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::AllExported => true,
            Self::OfTexts => false,
            Self::Named(patterns) => patterns.iter().any(|pattern| pattern.matches(name)),
        }
    }
}

impl Linked {
    /// Loads what `dlopen` would for this request, with what it needs. Asking again gives the same object, asking
    /// for a start-up object gives that. `None` if the image does not have it, which is an assumption unless the
    /// request is optional.
    pub fn load_late(
        &mut self,
        files: &dyn Files,
        store: &ObjectStore,
        request: &LateRequest,
    ) -> Option<usize> {
        let before = self.objects.len();
        let reason = LoadReason::Late {
            by: request.by.clone(),
        };
        let Some(object) = self.load(files, store, &request.name, request.caller, reason, true) else {
            if !request.optional {
                self.missing(&request.name, request.caller);
                self.sort_assumptions();
            }
            return None;
        };
        if self.objects.len() > before {
            self.close(files, store, before, true);
            self.set_scopes(before);
            self.add_variants(files, store, before);
            self.sort_assumptions();
        }
        Some(object)
    }

    /// Reads what will be asked for in parallel; the results wait in the store.
    pub fn prefetch_late(&self, files: &dyn Files, store: &ObjectStore, requests: &[LateRequest]) {
        requests.par_iter().for_each(|request| {
            if self.known(&request.name).is_none() {
                self.find(files, store, &request.name, request.caller);
            }
        });
    }

    /// The exported symbols of an object that these roots mean, as indices into its dynamic symbols.
    #[must_use]
    pub fn roots(&self, object: usize, roots: &Roots) -> Vec<u32> {
        let meant = self.exported(object).filter(|(_, name)| roots.matches(name));
        meant.map(|(index, _)| index).collect()
    }

    /// The exported symbols of an object, as indices into its dynamic symbols, each with its name.
    pub fn exported(&self, object: usize) -> impl Iterator<Item = (u32, &str)> {
        let objects = self.objects.get(object).into_iter();
        objects.flat_map(|object| {
            let symbols = object.exports.symbols().into_iter();
            symbols.filter_map(|index| {
                let symbol = object.elf.dynamic_symbols.get(usize::try_from(index).ok()?)?;
                Some((index, symbol.name.as_str()))
            })
        })
    }
}
