//! From a name to the file that the loader takes.

use confine_image::{FileKind, Files};
use rayon::prelude::*;

use crate::linked::Linked;
use crate::search::{Asking, Candidate};
use crate::store::{ObjectStore, Parsed};

/// How long a chain of "loaded by" is followed.
const LONGEST_CHAIN: usize = 64;

/// A file that was found for a name, with its variants.
pub(crate) struct Found {
    pub(crate) path: String,
    pub(crate) canonical: String,
    pub(crate) parsed: Parsed,
    pub(crate) variants: Vec<(String, String, Parsed)>,
}

impl Linked {
    /// Parses what will be asked for in parallel; the results wait in the store.
    pub(crate) fn prefetch(&self, files: &dyn Files, store: &ObjectStore, names: &[&String], caller: usize) {
        let unknown: Vec<&String> = names
            .iter()
            .copied()
            .filter(|name| self.known(name).is_none())
            .collect();
        if unknown.len() < 2 {
            return;
        }
        unknown.par_iter().for_each(|name| {
            self.find(files, store, name, caller);
        });
    }

    /// The file that the loader takes for a name, and its variants.
    pub(crate) fn find(
        &self,
        files: &dyn Files,
        store: &ObjectStore,
        name: &str,
        caller: usize,
    ) -> Option<Found> {
        let candidates =
            self.search
                .candidates(files, store.system_folders(files), name, &self.chain(caller));
        let mut variants = Vec::new();
        for Candidate { path, variant } in candidates {
            let regular = |path: &str| files.resolve(path).filter(|file| file.kind == FileKind::Regular);
            let Some(resolved) = regular(&path) else { continue };
            // Another class or machine, or no object at all: the loader goes on looking.
            let Ok(parsed) = store.parsed(files, &path) else {
                continue;
            };
            if parsed.elf.machine != self.machine {
                continue;
            }
            if variant {
                variants.push((path, resolved.path, parsed));
            } else {
                return Some(Found {
                    path,
                    canonical: resolved.path,
                    parsed,
                    variants,
                });
            }
        }
        let mut variants = variants.into_iter();
        let (path, canonical, parsed) = variants.next()?;
        Some(Found {
            path,
            canonical,
            parsed,
            variants: variants.collect(),
        })
    }

    /// The object that asks, the one that loaded it, and so on.
    fn chain(&self, caller: usize) -> Vec<Asking<'_>> {
        let mut chain = Vec::new();
        let mut next = Some(caller);
        // Bounded: a longer chain than any real one is cut.
        while let Some(object) = next
            .and_then(|index| self.objects.get(index))
            .filter(|_| chain.len() < LONGEST_CHAIN)
        {
            chain.push(Asking {
                elf: &object.elf,
                found: &object.found,
            });
            next = object.loader;
        }
        chain
    }
}
