//! Where data is cut into pieces that are reached as a whole.
//!
//! Abstraction: a piece is a section, cut where one object surely or very likely ends and another begins, so that the
//! addresses of functions that nobody needs do not come along. Whether the section is written while the program runs
//! does not matter: what is written there are addresses that code took or that other data held. A cut lies
//!
//! - where a symbol begins that no other symbol covers, or
//! - where an address begins that code takes or data holds, if it is a multiple of [`ALIGNMENT`], and no function
//!   mentions both of the pieces that it would separate, and what lies before it does not look like an element of
//!   an array that goes on behind it. What looks just like an object that a symbol shows to be smaller than its
//!   distance to the next one is no element: the rest is padding, which elements of an array do not have.
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
pub(crate) const ALIGNMENT: u64 = 32;

/// The cuts, sorted.
pub(crate) fn cuts(object: &Object, functions: &[Function], pointers: &[Pointer]) -> Vec<Address> {
    let sections: Vec<Range<Address>> = layout::initialised_sections(object);
    let is_initialised = |address: Address| layout::range_at(&sections, address).is_some();
    let certain = symbol_starts(object);
    let mut cuts: BTreeSet<Address> = certain
        .iter()
        .copied()
        .filter(|start| is_initialised(*start))
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
            .filter(|address| address.is_multiple_of(ALIGNMENT) && is_initialised(*address)),
    );
    let mut doubtful = mentioned_on_both_sides(functions, &cuts, is_initialised);
    let padded = padded(object);
    for section in &sections {
        doubtful.extend(Slots::of(object, section, pointers).inside_arrays(&cuts, &padded));
    }
    cuts.retain(|cut| certain.contains(cut) || !doubtful.contains(cut));
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

/// Objects with a symbol that says that they end before the next multiple of the alignment.
fn padded(object: &Object) -> Vec<Range<Address>> {
    let symbols = object.dynamic_symbols.iter().chain(&object.symbols);
    let symbols = symbols.filter(|symbol| symbol.defined && symbol.kind == SymbolKind::Data);
    let ranges = symbols.map(|symbol| symbol.address..symbol.address.saturating_add(symbol.size));
    ranges
        .filter(|range| range.start.is_multiple_of(ALIGNMENT) && !range.end.is_multiple_of(ALIGNMENT))
        .collect()
}

/// Cuts between two pieces that one function mentions both of.
fn mentioned_on_both_sides(
    functions: &[Function],
    cuts: &BTreeSet<Address>,
    is_initialised: impl Fn(Address) -> bool,
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
                .filter(|target| is_initialised(*target)),
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
        ReferenceKind::Take | ReferenceKind::Read(_) | ReferenceKind::Compare(_) | ReferenceKind::Write(_)
    )
}

/// Which eight-byte slots of a section hold pointers, and to what.
struct Slots<'a> {
    section: Range<Address>,
    kinds: Vec<Kind>,
    /// What the file has of the section.
    bytes: &'a [u8],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// No pointer: a number, or a pointer that is null.
    None,
    Code,
    Data,
    /// A symbol, of whichever kind.
    Symbol,
}

impl<'a> Slots<'a> {
    fn of(object: &'a Object, section: &Range<Address>, pointers: &[Pointer]) -> Self {
        let from = pointers.partition_point(|pointer| pointer.at < section.start);
        let inside = || {
            pointers[from..]
                .iter()
                .take_while(|pointer| pointer.at < section.end)
        };
        // Only as far as there are pointers: a section's header may claim any size.
        let last = inside().last().map_or(section.start, |pointer| pointer.at);
        let slots = usize::try_from((last - section.start) / 8 + 1).unwrap_or(0);
        let bytes = object.bytes_at(section.start);
        let mut kinds = vec![Kind::None; slots.min(bytes.len() / 8 + 1)];
        for pointer in inside() {
            let kind = match pointer.value {
                RelocationValue::Address(target) if object.is_code(target) => Kind::Code,
                RelocationValue::Resolved(_) => Kind::Code,
                RelocationValue::Address(_) => Kind::Data,
                _ => Kind::Symbol,
            };
            let slot = usize::try_from((pointer.at - section.start) / 8).unwrap_or(usize::MAX);
            if let Some(place) = kinds.get_mut(slot) {
                *place = kind;
            }
        }
        Self {
            section: section.clone(),
            kinds,
            bytes,
        }
    }

    /// The cuts that may lie between two elements of one array, given objects that stand alone and are padded.
    fn inside_arrays(&self, cuts: &BTreeSet<Address>, padded: &[Range<Address>]) -> Vec<Address> {
        let own = cuts.range(self.section.clone());
        let slot =
            |address: Address| usize::try_from((address - self.section.start) / 8).unwrap_or(usize::MAX);
        let inside = padded
            .iter()
            .filter(|range| range.start >= self.section.start && range.end <= self.section.end);
        let outlines: BTreeSet<&[Kind]> = inside
            .filter_map(|range| {
                let next = slot(range.end.checked_next_multiple_of(ALIGNMENT)?);
                let end = slot(range.end.checked_next_multiple_of(8)?);
                let is_padding = self.is_empty(end, next.saturating_sub(end));
                self.outline(slot(range.start), next).filter(|_| is_padding)
            })
            .collect();
        let stands_alone = |from: usize, to: usize| {
            self.outline(from, to)
                .is_some_and(|outline| outlines.contains(outline))
        };
        let mut bounds: Vec<usize> = vec![0];
        bounds.extend(own.clone().map(|cut| slot(*cut)));
        bounds.push(slot(self.section.end));
        let between = bounds.windows(3).zip(own);
        between
            .filter(|(bounds, _)| {
                let is_known = stands_alone(bounds[0], bounds[1]) || stands_alone(bounds[1], bounds[2]);
                !is_known && self.may_go_on(bounds[0], bounds[1], bounds[2])
            })
            .map(|(_, cut)| *cut)
            .collect()
    }

    /// What the slots hold, if they hold so many pointers that no two different things would have them at the same
    /// places by chance.
    fn outline(&self, from: usize, to: usize) -> Option<&[Kind]> {
        /// In slots.
        const TELLING: usize = 8;
        let kinds = self.kinds.get(from..to)?;
        let pointers = kinds.iter().filter(|kind| **kind != Kind::None);
        (pointers.count() >= TELLING).then_some(kinds)
    }

    /// Whether there is a size for which the element before `cut` looks like the one behind it, or holds nothing
    /// while two behind it look alike. `start` and `end` are the neighbouring cuts; all count slots. The array would
    /// begin at `start`: one that begins where no cut is goes by an address that [`Facts::piece_at`] gives its
    /// neighbours.
    ///
    /// [`Facts::piece_at`]: crate::Facts::piece_at
    fn may_go_on(&self, start: usize, cut: usize, end: usize) -> bool {
        /// The largest element that is looked for, in slots.
        const LARGEST: usize = 64;
        /// The second element of an array is at a multiple of the alignment if its elements take such a multiple.
        const ALIGNED_SLOTS: usize = (ALIGNMENT / 8) as usize;
        let (before, behind) = (cut.saturating_sub(start), end.saturating_sub(cut));
        let mut sizes = (1..=before.min(behind).min(LARGEST)).filter(|size| before.is_multiple_of(*size));
        sizes.any(|size| match self.compare(cut - size, cut, size) {
            Likeness::Alike => true,
            Likeness::Unlike => false,
            Likeness::Unknown => {
                size.is_multiple_of(ALIGNED_SLOTS)
                    && self.is_empty(cut - size, size)
                    && 2 * size <= behind
                    && self.compare(cut, cut + size, size) == Likeness::Alike
            }
        })
    }

    fn compare(&self, left: usize, right: usize, size: usize) -> Likeness {
        let mut likeness = Likeness::Unknown;
        for offset in 0..size {
            let (left, right) = (left + offset, right + offset);
            match (self.kind(left), self.kind(right)) {
                (Kind::None, Kind::Code) if self.is_number(left) => return Likeness::Unlike,
                (Kind::Code, Kind::None) if self.is_number(right) => return Likeness::Unlike,
                (Kind::None, _) | (_, Kind::None) => {}
                (Kind::Code, Kind::Data) | (Kind::Data, Kind::Code) => return Likeness::Unlike,
                _ => likeness = Likeness::Alike,
            }
        }
        likeness
    }

    fn is_empty(&self, slot: usize, size: usize) -> bool {
        (slot..slot + size).all(|slot| self.kind(slot) == Kind::None)
    }

    /// Whether a slot without a pointer holds what is surely none: neither null nor one of the small numbers, up or down
    /// from zero, that stand in place of a pointer (`SIG_IGN`, `MAP_FAILED`).
    fn is_number(&self, slot: usize) -> bool {
        /// No object lies so close to either end of the addresses.
        const PAGE: u64 = 4096;
        let bytes = slot
            .checked_mul(8)
            .and_then(|at| self.bytes.get(at..)?.first_chunk());
        let word = bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes));
        word.wrapping_add(PAGE) >= 2 * PAGE
    }

    fn kind(&self, slot: usize) -> Kind {
        self.kinds.get(slot).copied().unwrap_or(Kind::None)
    }
}

/// How two stretches of slots compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Likeness {
    /// Pointers to code and to data are at the same places, as far as there are any in both.
    Alike,
    /// One has code where the other has data.
    Unlike,
    /// No place has a pointer in both.
    Unknown,
}
