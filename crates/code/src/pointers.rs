//! Addresses stored in data.
//!
//! Abstraction: what the loader writes is known exactly from relocations. An object with fixed addresses has
//! none for its own addresses, so there every aligned word of its data that is an address of the object counts
//! as a pointer, but for those in the loader's own tables, and at other alignments (packed structures) every address where a function begins: by unwind data
//! or Go's table, or where neither says anything about the place, by what stands before it. Over-reports: numbers
//! that happen to look like addresses. Misses: a pointer in a packed structure of an object with fixed addresses
//! and without unwind data, to a function that is neither aligned nor behind padding or a return.

use std::ops::Range;

use confine_elf::{Address, Object, Placement, RelocationValue};
use rustc_hash::FxHashSet;

use crate::layout;

/// A value stored in data that is, or becomes when the object is loaded, an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pointer {
    /// Where it is stored.
    pub at: Address,
    /// What is stored.
    pub value: RelocationValue,
}

/// Every pointer in the object's data, sorted by where it is stored.
pub(crate) fn find(object: &Object) -> Vec<Pointer> {
    let mut pointers: Vec<Pointer> = object
        .relocations
        .iter()
        .filter(|relocation| !matches!(relocation.value, RelocationValue::Unknown(_)))
        .map(|relocation| Pointer {
            at: relocation.at,
            value: relocation.value,
        })
        .collect();
    if object.placement == Placement::Fixed {
        let relocated: FxHashSet<Address> = pointers.iter().map(|pointer| pointer.at).collect();
        let starts = Starts::of(object);
        // What these say is known from relocations and symbols, and the program itself has no use for them.
        let tables = object.loader_tables();
        let is_loaders = |at| tables.iter().any(|table| table.contains(&at));
        for range in layout::data_ranges(object) {
            words(object, &range, &starts, |at, target| {
                if !relocated.contains(&at) && !is_loaders(at) {
                    pointers.push(Pointer {
                        at,
                        value: RelocationValue::Address(target),
                    });
                }
            });
        }
    }
    pointers.sort_by_key(|pointer| pointer.at);
    pointers
}

fn words(object: &Object, range: &Range<Address>, starts: &Starts, mut found: impl FnMut(Address, Address)) {
    let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
    let held = object.bytes_at(range.start);
    let held = held.get(..length.min(held.len())).unwrap_or(held);
    for (offset, window) in held.windows(8).enumerate() {
        let Some(word) = window.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)) else {
            continue;
        };
        let at = range.start + offset as u64;
        let aligned = at.is_multiple_of(8);
        let known = if aligned {
            object.segment_at(word).is_some()
        } else {
            starts.begins(object, word)
        };
        if word != 0 && known {
            found(at, word);
        }
    }
}

/// Where functions begin, as far as the file says so.
struct Starts {
    known: FxHashSet<Address>,
    /// Code that the file says the functions of.
    described: Vec<Range<Address>>,
}

impl Starts {
    fn of(object: &Object) -> Self {
        let ranges = object.unwind.iter().map(|function| function.code.clone());
        let mut described: Vec<_> = ranges
            .chain(object.go_functions.iter().map(|function| function.code.clone()))
            .collect();
        described.sort_by_key(|range| range.start);
        Self {
            known: described.iter().map(|range| range.start).collect(),
            described,
        }
    }

    fn begins(&self, object: &Object, address: Address) -> bool {
        if self.known.contains(&address) {
            return true;
        }
        let next = self.described.partition_point(|range| range.start <= address);
        let inside = next.checked_sub(1).and_then(|index| self.described.get(index));
        if !object.is_code(address) || inside.is_some_and(|range| range.contains(&address)) {
            return false;
        }
        // A return, padding or a trap, or the loader's zeroes.
        let before = address
            .checked_sub(1)
            .and_then(|before| object.bytes_at(before).first().copied());
        address.is_multiple_of(16) || matches!(before, Some(0xc3 | 0x90 | 0xcc | 0x0b | 0xf4 | 0x00))
    }
}
