//! The function's own stack: what is stored there, and when that is forgotten.

use std::collections::BTreeMap;

use confine_isa::{Arithmetic, Memory, Register, Width};

use super::escape::is_lost;
use super::{Slot, State};
use crate::value::{Entry, Location, Value};

impl State {
    pub(super) fn store(&mut self, memory: &Memory, value: Value, width: Width) {
        if memory.segment {
            return self.give(&value);
        }
        match self.address(memory) {
            Value::Frame(offset) => {
                self.forget_behind_if_incoming(offset, width.bytes());
                self.forget_slots(offset, width.bytes());
                self.slots.insert(offset, Slot { value, width });
            }
            Value::Addresses(_) => self.give(&value),
            _ => {
                self.give(&value);
                self.forget_after_unknown_store(memory);
            }
        }
    }

    /// So many bytes at this place now hold anything.
    pub(crate) fn clobber_memory(&mut self, memory: &Memory, bytes: u64) {
        match self.address(memory) {
            _ if memory.segment => {}
            Value::Frame(offset) => {
                self.forget_behind_if_incoming(offset, bytes);
                self.forget_slots(offset, bytes);
            }
            Value::Addresses(_) => {}
            _ => self.forget_after_unknown_store(memory),
        }
    }

    /// A store to an address that is not known: it may be the stack if an address of the stack is known
    /// elsewhere or is what the address was made from.
    pub(super) fn forget_after_unknown_store(&mut self, memory: &Memory) {
        self.behind.clear();
        let from_stack = |register: Register| {
            register == Register::RSP || matches!(self.register(register), Value::Frame(_))
        };
        let indexed = memory.index.is_some_and(|(index, _)| from_stack(index));
        if self.escaped || indexed || memory.base.is_some_and(from_stack) {
            self.forget_memory();
        }
    }

    /// All memory may have changed.
    pub(crate) fn forget_memory(&mut self) {
        self.behind.clear();
        self.give_slots(|_, _| true);
        self.slots.clear();
        self.incoming_intact = false;
    }

    pub(super) fn forget_slots(&mut self, offset: i64, bytes: u64) {
        let end = offset.saturating_add_unsigned(bytes);
        let hit: Vec<i64> = self
            .slots
            .range(offset.saturating_sub(7)..end)
            .filter(|(start, slot)| start.saturating_add_unsigned(slot.width.bytes()) > offset)
            .map(|(start, _)| *start)
            .collect();
        for start in hit {
            let whole =
                |slot: &Slot| offset <= start && start.saturating_add_unsigned(slot.width.bytes()) <= end;
            // What is left of an address is not recognised any more.
            if let Some(slot) = self.slots.remove(&start).filter(|slot| !whole(slot)) {
                self.give(&slot.value);
            }
        }
        // An incoming slot that is not listed would be read as what the caller put there, and another one would pass for
        // one that nobody wrote.
        let first = offset.div_euclid(8) * 8;
        for start in (first..end).step_by(8).take(64) {
            self.slots.entry(start).or_insert(Slot {
                value: Value::Any,
                width: Width::Quad,
            });
        }
        if end - first > 64 * 8 {
            self.incoming_intact = false;
        }
    }

    pub(super) fn load(&self, offset: i64, width: Width) -> Value {
        if let Some(slot) = self.slots.get(&offset) {
            return if slot.width >= width {
                slot.value.truncate(width)
            } else {
                Value::Any.truncate(width)
            };
        }
        if let Some(part) = self.part_of_constant(offset, width) {
            return part;
        }
        let overlaps = self
            .slots
            .range(offset.saturating_sub(7)..offset.saturating_add_unsigned(width.bytes()))
            .any(|(start, slot)| start.saturating_add_unsigned(slot.width.bytes()) > offset);
        match u16::try_from(offset) {
            Ok(distance) if self.incoming_intact && !overlaps && is_passed(distance, width) => {
                Value::Entry(Entry::unchanged(Location::Stack(distance))).truncate(width)
            }
            _ => Value::Any.truncate(width),
        }
    }

    /// What lies inside of a slot that holds numbers.
    fn part_of_constant(&self, offset: i64, width: Width) -> Option<Value> {
        let mut before = self.slots.range(offset.saturating_sub(7)..offset).rev();
        before.find_map(|(start, slot)| {
            let inside = offset.wrapping_sub(*start).cast_unsigned();
            let whole = inside.saturating_add(width.bytes()) <= slot.width.bytes();
            let shift = Value::constant(inside.saturating_mul(8));
            let holds_numbers = whole && matches!(slot.value, Value::Constants(_));
            holds_numbers.then(|| {
                slot.value
                    .arithmetic(Arithmetic::ShiftRight, &shift, Width::Quad)
                    .truncate(width)
            })
        })
    }

    /// Somebody else ran, who may know what the caller passed, and addresses of the stack.
    pub(crate) fn forget_if_escaped(&mut self) {
        self.behind.clear();
        if self.escaped {
            self.forget_memory();
        }
    }

    /// What lies below the stack pointer is the callee's.
    pub(super) fn forget_below(&mut self) {
        if let Value::Frame(top) = *self.register(Register::RSP) {
            self.slots = self.slots.split_off(&top);
        }
    }

    /// Control comes back here a second time, with the stack as it is then.
    pub(crate) fn return_twice(&mut self) {
        self.escaped = true;
        self.forget_memory();
    }

    pub(super) fn forget_outgoing(&mut self, bytes: i64) {
        match *self.register(Register::RSP) {
            Value::Frame(top) => {
                let end = top.saturating_add(bytes).min(0);
                self.give_slots(|start, _| (top..end).contains(&start));
                self.slots.retain(|start, _| *start < top || *start >= end);
            }
            _ => self.forget_memory(),
        }
    }

    /// The same for what lies in the stack; what is not recognised any more goes to `lost`.
    pub(super) fn join_slots(&mut self, other: &Self, lost: &mut Vec<Value>) -> bool {
        let intact = self.incoming_intact && other.incoming_intact;
        if self.slots == other.slots && self.incoming_intact == intact {
            return false;
        }
        let places: BTreeMap<i64, Width> = self
            .slots
            .iter()
            .chain(&other.slots)
            .map(|(start, slot)| (*start, slot.width))
            .collect();
        let mut slots = BTreeMap::new();
        for (start, width) in places {
            let (mine, theirs) = (self.load(start, width), other.load(start, width));
            let value = mine.join(&theirs);
            let held = [self, other].map(|state| state.slots.get(&start).map(|slot| &slot.value));
            let gone = held.into_iter().flatten().filter(|held| is_lost(held, &value));
            lost.extend(gone.cloned());
            slots.insert(start, Slot { value, width });
        }
        let changed = slots != self.slots || self.incoming_intact != intact;
        self.slots = slots;
        self.incoming_intact = intact;
        changed
    }
}

/// Whether callers may tell what lies there: an argument, or half of the place of one.
fn is_passed(distance: u16, width: Width) -> bool {
    let is_half = distance.is_multiple_of(4) && width.bytes() <= 4;
    distance > 0 && (distance.is_multiple_of(8) || is_half)
}
