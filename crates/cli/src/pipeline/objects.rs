//! The objects of an image and what is known of each and of the programs that they make up: computed once, or taken
//! from the user's cache, where it lies by content.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use confine_cache::{Cache, Key, KeyBuilder};
use confine_code::Facts;
use confine_elf::Object;
use confine_image::hexadecimal;
use confine_link::LinkedObject;
use confine_solve::{Input, Solution};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::AnalysedProgram;
use crate::progress::Progress;

/// What the analysis is that the cache's values come from: see `build.rs`.
const ANALYSIS: &str = env!("CONFINE_ANALYSIS");

/// Facts of fewer bytes of file than this are computed sooner than found in the cache.
const WORTH_KEEPING: usize = 32 << 10;

/// Every object that some program loads.
pub struct Objects<'a> {
    /// By canonical path.
    known: BTreeMap<String, AnalysedObject>,
    cache: Option<&'a Cache>,
    /// How much the cache saved.
    pub hits: Hits,
}

/// How often something was in the cache, and how often it had to be computed.
#[derive(Debug, Default)]
pub struct Hits {
    /// Facts that were taken from it.
    pub facts: AtomicU64,
    /// Facts that were computed.
    pub decoded: AtomicU64,
    /// Solutions that were taken from it.
    pub solutions: AtomicU64,
    /// Solutions that were computed.
    pub solved: AtomicU64,
}

struct AnalysedObject {
    digest: [u8; 32],
    facts: OnceLock<Arc<Facts>>,
    /// How long computing them took, if they were computed.
    computed_in: OnceLock<Duration>,
}

impl<'a> Objects<'a> {
    pub fn new(cache: Option<&'a Cache>) -> Self {
        Self {
            known: BTreeMap::new(),
            cache,
            hits: Hits::default(),
        }
    }

    pub fn count(&self) -> usize {
        self.known.len()
    }

    /// Reads the contents of every object that is new.
    pub fn identify(&mut self, programs: &[AnalysedProgram]) {
        let mut missing = BTreeMap::new();
        for object in programs.iter().flat_map(|program| &program.linked.objects) {
            if !self.known.contains_key(&object.path) {
                missing.insert(object.path.clone(), Arc::clone(&object.elf));
            }
        }
        let identified: Vec<(String, AnalysedObject)> = largest_first(missing)
            .into_par_iter()
            .with_max_len(1)
            .map(|(path, elf)| {
                let object = AnalysedObject {
                    digest: Sha256::digest(&elf.bytes).into(),
                    facts: OnceLock::new(),
                    computed_in: OnceLock::new(),
                };
                (path, object)
            })
            .collect();
        self.known.extend(identified);
    }

    /// The SHA-256 of an object's bytes, in hexadecimal.
    pub fn sha256(&self, path: &str) -> Option<String> {
        self.known.get(path).map(|object| hexadecimal(&object.digest))
    }

    /// Sees to it that the facts of all objects of these programs are there.
    pub fn decode<'p>(&self, programs: impl Iterator<Item = &'p AnalysedProgram>, progress: &dyn Progress) {
        let mut missing = BTreeMap::new();
        for object in programs.flat_map(|program| &program.linked.objects) {
            if self
                .known
                .get(&object.path)
                .is_some_and(|known| known.facts.get().is_none())
            {
                missing.insert(object.path.clone(), Arc::clone(&object.elf));
            }
        }
        progress.begin("decoding", missing.len() as u64);
        largest_first(missing)
            .into_par_iter()
            .with_max_len(1)
            .for_each(|(path, elf)| {
                if let Some(object) = self.known.get(&path) {
                    object.facts.get_or_init(|| Arc::new(self.facts_of(object, &elf)));
                }
                progress.step();
            });
    }

    /// The facts of an object, which [`Objects::decode`] has seen to.
    pub fn facts(&self, object: &LinkedObject) -> Arc<Facts> {
        let known = self.known.get(&object.path);
        let facts = known.map(|known| {
            known
                .facts
                .get_or_init(|| Arc::new(self.facts_of(known, &object.elf)))
        });
        facts.map(Arc::clone).unwrap_or_default()
    }

    /// How long the facts of an object took to compute; nothing where they came from the cache. Work for other objects
    /// that the thread took over meanwhile is in it.
    pub fn computed_in(&self, path: &str) -> Option<Duration> {
        self.known.get(path)?.computed_in.get().copied()
    }

    fn facts_of(&self, object: &AnalysedObject, elf: &Object) -> Facts {
        let cache = self.cache.filter(|_| elf.bytes.len() >= WORTH_KEEPING);
        let mut key = KeyBuilder::new("facts");
        key.add(ANALYSIS.as_bytes()).add(&object.digest);
        let key = key.finish();
        let kept = cache.and_then(|cache| cache.get(&key));
        if let Some(facts) = kept.and_then(|kept| Facts::from_kept(elf, &kept)) {
            self.hits.facts.fetch_add(1, Ordering::Relaxed);
            return facts;
        }
        let start = Instant::now();
        let facts = Facts::of(elf);
        // Nobody else computes them at the same time: they are kept in a lock of their own.
        let _ = object.computed_in.set(start.elapsed());
        self.hits.decoded.fetch_add(1, Ordering::Relaxed);
        if let Some(cache) = cache {
            // A cache that cannot be written saves nothing and harms nothing.
            let _ = cache.put(&key, &facts.to_kept());
        }
        facts
    }

    /// What a solution is kept by: all that it is computed from. Nothing where nothing is kept.
    pub fn key(&self, input: &Input<'_>) -> Option<Key> {
        self.cache?;
        let mut key = KeyBuilder::new("solution");
        key.add(ANALYSIS.as_bytes())
            .add(input.linked.description().as_bytes());
        for object in &input.linked.objects {
            key.add(&self.known.get(&object.path)?.digest);
        }
        let Input {
            late_roots,
            address_taken,
            opaque,
            configured,
            unread,
            interfaces,
            arguments,
            ..
        } = input;
        let asked = format!(
            "{late_roots:?} {address_taken:?} {opaque:?} {configured:?} {unread:?} {interfaces:?} {arguments:?}"
        );
        key.add(asked.as_bytes());
        Some(key.finish())
    }

    /// A solution that was kept.
    pub fn solution(&self, key: &Key) -> Option<Solution> {
        let solution = Solution::from_kept(&self.cache?.get(key)?)?;
        self.hits.solutions.fetch_add(1, Ordering::Relaxed);
        Some(solution)
    }

    /// Keeps a solution.
    pub fn keep(&self, key: Option<&Key>, solution: &Solution) {
        self.hits.solved.fetch_add(1, Ordering::Relaxed);
        if let (Some(cache), Some(key)) = (self.cache, key) {
            // As with facts.
            let _ = cache.put(key, &solution.to_kept());
        }
    }

    /// Brings the cache back into its bound, if it grew.
    pub fn trim(&self) {
        let grown = self.hits.decoded.load(Ordering::Relaxed) + self.hits.solved.load(Ordering::Relaxed) > 0;
        if let Some(cache) = self.cache.filter(|_| grown) {
            cache.trim();
        }
    }
}

/// The largest first, so that it does not run alone at the end.
fn largest_first(objects: BTreeMap<String, Arc<Object>>) -> Vec<(String, Arc<Object>)> {
    let mut objects: Vec<_> = objects.into_iter().collect();
    objects.sort_by_key(|(path, elf)| (std::cmp::Reverse(elf.bytes.len()), path.clone()));
    objects
}
