//! What is known to lie behind pointers that the caller passed.
//!
//! Abstraction: places by the pointer and the distance from where it points to, known from the entry until anything is
//! stored that may lie there, or somebody else runs. Misses: a caller's other thread that writes a structure while this
//! function reads it, which the compiler could not allow for either.

use confine_isa::{Register, Width};

use super::{Slot, State};
use crate::cloning::STRUCTURE;
use crate::value::{Constants, Loaded, Value};

/// What is kept of a structure while somebody else runs.
#[derive(Debug, Default)]
pub(crate) struct Structure {
    slots: Vec<(i64, Slot)>,
    behind: Vec<(Loaded, Constants)>,
}

impl State {
    /// So many bytes behind a pointer of the caller's hold one of these numbers.
    pub(crate) fn set_behind(&mut self, place: Loaded, numbers: Constants) {
        self.behind.insert(place, numbers);
    }

    pub(super) fn read_behind(&self, place: Loaded) -> Value {
        let wider = [place.width, Width::Quad].map(|width| Loaded { width, ..place });
        let mut known = wider.iter().filter_map(|place| self.behind.get(place));
        known.next().map_or(Value::Loaded(place), |numbers| {
            Value::Constants(numbers.clone()).truncate(place.width)
        })
    }

    /// Something is stored in the function's frame, or above it, where the caller's begins.
    pub(super) fn forget_behind_if_incoming(&mut self, offset: i64, bytes: u64) {
        if offset.saturating_add_unsigned(bytes) > 0 {
            self.behind.clear();
        }
    }

    /// What holds on another way to the same point, too, and whether that is less.
    pub(super) fn join_behind(&mut self, other: &Self) -> bool {
        let before = self.behind.len();
        self.behind
            .retain(|place, numbers| other.behind.get(place) == Some(numbers));
        before != self.behind.len()
    }

    /// What is known of the structure that the register points to.
    pub(crate) fn structure(&self, register: Register) -> Structure {
        match self.register(register) {
            Value::Frame(start) => {
                let held = self.slots.range(*start..start.saturating_add_unsigned(STRUCTURE));
                let inside = held.filter(|(place, slot)| {
                    place.saturating_add_unsigned(slot.width.bytes())
                        <= start.saturating_add_unsigned(STRUCTURE)
                });
                Structure {
                    slots: inside.map(|(place, slot)| (*place, slot.clone())).collect(),
                    behind: Vec::new(),
                }
            }
            pointer => {
                let Some(first) = pointer.behind(Width::Byte) else {
                    return Structure::default();
                };
                let inside = self.behind.iter().filter(|(place, _)| {
                    let distance = place.offset.wrapping_sub(first.offset);
                    place.pointer == first.pointer
                        && distance.saturating_add(place.width.bytes()) <= STRUCTURE
                });
                Structure {
                    slots: Vec::new(),
                    behind: inside.map(|(place, numbers)| (*place, numbers.clone())).collect(),
                }
            }
        }
    }

    /// Whoever ran left it as it was.
    pub(crate) fn keep(&mut self, structure: Structure) {
        self.slots.extend(structure.slots);
        self.behind.extend(structure.behind);
    }
}
