//! What objects export, by name.
//!
//! Sorted lists of (hash, object, symbol): cheap to build, cheap to merge, and they borrow nothing.

use std::hash::{Hash, Hasher};

use confine_elf::{Binding, Object, Symbol, SymbolKind};
use rustc_hash::FxHasher;

/// The symbols that one object offers to others, sorted by the hash of their names.
#[derive(Debug, Default)]
pub(crate) struct Exports {
    entries: Vec<(u64, u32)>,
}

impl Exports {
    pub(crate) fn of(object: &Object) -> Self {
        let symbols = object.dynamic_symbols.iter().zip(0_u32..);
        let mut entries: Vec<(u64, u32)> = symbols
            .filter(|(symbol, _)| is_exported(symbol))
            .map(|(symbol, index)| (hash(&symbol.name), index))
            .collect();
        entries.sort_unstable();
        Self { entries }
    }

    /// The symbols whose names have this hash, in the order of the symbol table.
    pub(crate) fn with_hash(&self, hash: u64) -> impl Iterator<Item = u32> + '_ {
        let start = self.entries.partition_point(|entry| entry.0 < hash);
        let rest = self.entries.get(start..).unwrap_or_default();
        rest.iter()
            .take_while(move |entry| entry.0 == hash)
            .map(|entry| entry.1)
    }

    /// Every exported symbol, in the order of the symbol table.
    pub(crate) fn symbols(&self) -> Vec<u32> {
        let mut symbols: Vec<u32> = self.entries.iter().map(|entry| entry.1).collect();
        symbols.sort_unstable();
        symbols
    }
}

/// What several objects export, in the order of their scope.
#[derive(Debug, Default)]
pub(crate) struct ScopeIndex {
    entries: Vec<(u64, u32, u32)>,
}

impl ScopeIndex {
    pub(crate) fn of<'a>(objects: impl Iterator<Item = &'a Exports>) -> Self {
        let numbered = objects.zip(0_u32..);
        let mut entries: Vec<(u64, u32, u32)> = numbered
            .flat_map(|(exports, object)| {
                exports
                    .entries
                    .iter()
                    .map(move |(hash, symbol)| (*hash, object, *symbol))
            })
            .collect();
        entries.sort_unstable();
        Self { entries }
    }

    /// The (object, symbol) pairs whose names have this hash, in the order of the scope.
    pub(crate) fn with_hash(&self, hash: u64) -> &[(u64, u32, u32)] {
        let start = self.entries.partition_point(|entry| entry.0 < hash);
        let rest = self.entries.get(start..).unwrap_or_default();
        let length = rest.iter().take_while(|entry| entry.0 == hash).count();
        rest.get(..length).unwrap_or_default()
    }
}

/// The hash that the lists are sorted by; names are compared besides.
pub(crate) fn hash(name: &str) -> u64 {
    let mut hasher = FxHasher::default();
    name.hash(&mut hasher);
    hasher.finish()
}

/// Whether other objects can bind to this symbol.
fn is_exported(symbol: &Symbol) -> bool {
    symbol.defined
        && !symbol.hidden
        && symbol.binding != Binding::Local
        && symbol.kind != SymbolKind::Other
        // The loaders take a definition at 0 for none, unless it is an offset into thread-local memory.
        && (symbol.address != 0 || symbol.kind == SymbolKind::ThreadLocal)
        && !symbol.name.is_empty()
}
