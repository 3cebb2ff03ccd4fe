//! Where data is cut into pieces that are reached as a whole.
//!
//! Abstraction: a piece is a section, cut where one object surely or very likely ends and another begins. Only sections that
//! are never written while the program runs are cut: tables of constants, where the addresses of functions that
//! nobody needs would otherwise come along. A cut lies
//!
//! - where a symbol begins that no other symbol covers, or
//! - where an address begins that code takes or data holds, if it is a multiple of [`ALIGNMENT`], and no function
//!   mentions both of the pieces that it would separate.
//!
//! Compilers lay large tables and structures out at such multiples (GCC's `DATA_ALIGNMENT` for x86-64 aligns
//! aggregates of 32 bytes and more to 32). An address in the middle of a structure is not cut at unless it
//! happens to be such a multiple too, code takes its address instead of reading it, and all code that does so
//! keeps away from the rest of the structure; and it does harm only if that code is never reached while the rest is
//! reached through its beginning. `tests/cuts.rs` counts such places against symbol tables.

use std::collections::BTreeSet;
use std::ops::Range;

use confine_elf::{Address, Object, RelocationValue, SymbolKind};

use crate::facts::{Function, Reference, ReferenceKind};
use crate::layout;
use crate::pointers::Pointer;

/// What compilers align larger objects to, in bytes.
const ALIGNMENT: u64 = 32;

/// The cuts, sorted.
pub(crate) fn cuts(object: &Object, functions: &[Function], pointers: &[Pointer]) -> Vec<Address> {
    let constant: Vec<Range<Address>> = layout::constant_sections(object);
    let is_constant = |address: Address| layout::range_at(&constant, address).is_some();
    let certain = symbol_starts(object);
    let mut cuts: BTreeSet<Address> = certain
        .iter()
        .copied()
        .filter(|start| is_constant(*start))
        .collect();
    let taken = functions.iter().flat_map(|function| &function.references);
    let taken = taken
        .filter(|reference| reference.kind == ReferenceKind::Take)
        .map(|reference| reference.target);
    let held = pointers.iter().filter_map(|pointer| match pointer.value {
        RelocationValue::Address(target) | RelocationValue::Resolved(target) => Some(target),
        _ => None,
    });
    cuts.extend(
        taken
            .chain(held)
            .filter(|address| address.is_multiple_of(ALIGNMENT) && is_constant(*address)),
    );
    for cut in doubtful(functions, &cuts, is_constant) {
        if !certain.contains(&cut) {
            cuts.remove(&cut);
        }
    }
    cuts.into_iter().collect()
}

/// Where symbols of data begin that no other symbol covers.
fn symbol_starts(object: &Object) -> BTreeSet<Address> {
    let symbols = object.dynamic_symbols.iter().chain(&object.symbols);
    let mut ranges: Vec<(Address, Address)> = symbols
        .filter(|symbol| symbol.defined && symbol.size > 0 && symbol.kind == SymbolKind::Data)
        .map(|symbol| (symbol.address, symbol.address.saturating_add(symbol.size)))
        .collect();
    ranges.sort_unstable();
    let mut end = 0;
    let mut starts = BTreeSet::new();
    for (start, symbol_end) in ranges {
        if start >= end {
            starts.insert(start);
        }
        end = end.max(symbol_end);
    }
    starts
}

/// Cuts between two pieces that one function mentions both of.
fn doubtful(
    functions: &[Function],
    cuts: &BTreeSet<Address>,
    is_constant: impl Fn(Address) -> bool,
) -> BTreeSet<Address> {
    let mut doubtful = BTreeSet::new();
    let mut mentioned = Vec::new();
    for function in functions {
        mentioned.clear();
        let references = function
            .references
            .iter()
            .filter(|reference| mentions_data(reference));
        mentioned.extend(
            references
                .map(|reference| reference.target)
                .filter(|target| is_constant(*target)),
        );
        mentioned.sort_unstable();
        mentioned.dedup();
        for pair in mentioned.windows(2) {
            // Exactly one cut between two mentioned addresses: they are neighbours.
            let mut between = cuts.range(pair[0] + 1..=pair[1]);
            if let (Some(cut), None) = (between.next(), between.next()) {
                doubtful.insert(*cut);
            }
        }
    }
    doubtful
}

fn mentions_data(reference: &Reference) -> bool {
    matches!(
        reference.kind,
        ReferenceKind::Take | ReferenceKind::Read(_) | ReferenceKind::Write(_)
    )
}
