//! Addresses stored in data.
//!
//! Abstraction: what the loader writes is known exactly from relocations. An object with fixed addresses has
//! none for its own addresses, so there every aligned word of its data that is an address of the object counts
//! as a pointer. Over-reports: numbers that happen to look like addresses. Misses: addresses in packed
//! structures of fixed objects, unless they are the start of a function that unwind data or symbols name,
//! which is looked for at every alignment.

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
        let starts = function_starts(object);
        for range in layout::data_ranges(object) {
            words(object, &range, &starts, |at, target| {
                if !relocated.contains(&at) {
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

fn words(
    object: &Object,
    range: &Range<Address>,
    starts: &FxHashSet<Address>,
    mut found: impl FnMut(Address, Address),
) {
    let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
    let held = object.bytes_at(range.start);
    let held = held.get(..length.min(held.len())).unwrap_or(held);
    for (offset, window) in held.windows(8).enumerate() {
        let Some(word) = window.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)) else {
            continue;
        };
        let at = range.start + offset as u64;
        let aligned = at.is_multiple_of(8);
        if word != 0 && (aligned && object.segment_at(word).is_some() || !aligned && starts.contains(&word)) {
            found(at, word);
        }
    }
}

fn function_starts(object: &Object) -> FxHashSet<Address> {
    let unwind = object.unwind.iter().map(|function| function.code.start);
    let go = object.go_functions.iter().map(|function| function.code.start);
    unwind.chain(go).collect()
}
