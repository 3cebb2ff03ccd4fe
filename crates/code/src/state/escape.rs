//! Which addresses others may come to know: of the function's own stack, and of functions.
//!
//! Abstraction: an address that is passed, stored outside of the function's own slots, or no longer recognised where it
//! is, may be anywhere. What a register may hold after a join in which it was not recognised any more counts when the
//! register is read, since most such registers are dead.

use std::collections::BTreeSet;
use std::mem::discriminant;

use confine_elf::Address;
use confine_isa::{Memory, Operand, Register, Width};

use super::{Convention, Slot, State, is_argument};
use crate::value::Value;

impl State {
    /// Somebody else may know this value from now on, or it is not recognised any more where it still is.
    pub(crate) fn give(&mut self, value: &Value) {
        self.escaped |= matches!(value, Value::Frame(_));
        self.given_away.extend(self.callable.followed(value));
    }

    /// A register is read: what it may hide may be anywhere.
    pub(crate) fn reveal(&mut self, register: Register) {
        if self.hidden.is_empty() {
            return;
        }
        let hidden = self.hidden.iter().filter(|(holder, _)| *holder == register);
        self.given_away.extend(hidden.map(|(_, address)| *address));
        self.hidden.retain(|(holder, _)| *holder != register);
    }

    /// Registers are read by somebody else.
    pub(super) fn give_registers(&mut self, registers: impl Iterator<Item = Register>) {
        let registers: Vec<Register> = registers.collect();
        for register in registers {
            let value = self.register(register).clone();
            self.give(&value);
            self.reveal(register);
        }
    }

    pub(super) fn give_all(&mut self, values: Vec<Value>) {
        for value in values {
            self.give(&value);
        }
    }

    pub(super) fn give_slots(&mut self, which: impl Fn(i64, &Slot) -> bool) {
        let slots = self
            .slots
            .iter()
            .filter(|(start, slot)| slot.holds_address() && which(**start, slot));
        self.give_all(slots.map(|(_, slot)| slot.value.clone()).collect());
    }

    /// Addresses of functions and of their slots that may be known elsewhere.
    pub(crate) fn given_away(&self) -> &BTreeSet<Address> {
        &self.given_away
    }

    /// A value was made from these; where that hides that it is an address made from theirs, that may be anywhere.
    pub(crate) fn note_derived(&mut self, sources: &[Operand], result: &Value) {
        for source in sources {
            let value = match source {
                Operand::Register(register) => self.register(*register).clone(),
                Operand::Memory(memory) => match self.address(memory) {
                    Value::Frame(offset) => match self.slots.get(&offset) {
                        Some(slot) => slot.value.clone(),
                        None => continue,
                    },
                    _ => continue,
                },
                Operand::Constant(_) => continue,
            };
            if !matches!(result, Value::Constants(_)) && discriminant(&value) != discriminant(result) {
                self.give(&value);
            }
        }
    }

    /// Somebody else is given the registers in which `convention` passes arguments, and what lies on the stack where
    /// it passes others.
    pub(crate) fn give_arguments(&mut self, convention: Convention) {
        // Functions without a symbol may have conventions of their own, but none that needs a function's address.
        let given = Register::all().filter(|register| convention.passes(*register));
        let given = given.filter(|register| {
            is_argument(*register)
                || convention == Convention::Go
                || matches!(self.register(*register), Value::Frame(_))
        });
        let given: Vec<Register> = given.collect();
        let passes_stack = given
            .iter()
            .any(|given| matches!(self.register(*given), Value::Frame(_)));
        self.give_registers(given.into_iter());
        self.give_all(self.passed_on_stack(convention));
        if passes_stack {
            self.give_slots(|_, _| true);
        }
    }

    /// The addresses among the arguments on the stack: those lie without a gap from the stack pointer on, so that there
    /// are none above a place that was never written.
    pub(super) fn passed_on_stack(&self, convention: Convention) -> Vec<Value> {
        let of = |slot: &Slot| slot.holds_address().then(|| slot.value.clone());
        let Value::Frame(top) = *self.register(Register::RSP) else {
            return self.slots.values().filter_map(of).collect();
        };
        if convention == Convention::Go {
            return self.slots.range(top..).filter_map(|(_, slot)| of(slot)).collect();
        }
        let places = (0..).map(|index| top.saturating_add(8 * index));
        let written = places.map_while(|place| self.slots.get(&place));
        written.filter_map(of).collect()
    }

    /// Control leaves the function for good, or for a part of it that is looked at alone.
    pub(crate) fn leave(&mut self, returns: bool) {
        let results = [Register::RAX, Register::RDX];
        let left = Register::all().filter(|register| !returns || results.contains(register));
        self.give_registers(left.filter(|register| *register != Register::RSP));
        if !returns {
            self.give_slots(|_, _| true);
        }
    }

    /// A callee of the same object may leave registers alone that others would change, and its compiler may know that.
    pub(crate) fn give_changeable(&mut self, convention: Convention) {
        self.give_registers(Register::all().filter(|register| convention.clobbers(*register)));
    }

    /// Control may go on from here at a place of the function where nothing is known, a landing pad: the state there, with
    /// what the registers that survive calls may hide; nothing if they hide nothing. The stack is not known there at all.
    pub(crate) fn at_landing_pad(&mut self, convention: Convention) -> Option<Self> {
        self.give_slots(|_, slot| !slot.holds_stack_address());
        let mut pad = Self::unknown(&self.callable);
        let kept = |register: &Register| !convention.clobbers(*register) && *register != Register::RSP;
        for register in Register::all().filter(kept) {
            pad.hide(register, self.register(register));
        }
        pad.hidden
            .extend(self.hidden.iter().filter(|(register, _)| kept(register)));
        (!pad.hidden.is_empty()).then_some(pad)
    }

    /// So many bytes are read by something that does not keep an address recognisable.
    pub(crate) fn note_read(&mut self, memory: &Memory, bytes: u64) {
        match self.address(memory) {
            _ if memory.segment => {}
            Value::Frame(offset) => self.give_slots(|start, slot| {
                start < offset.saturating_add_unsigned(bytes)
                    && offset < start.saturating_add_unsigned(slot.width.bytes())
            }),
            Value::Addresses(_) | Value::Constants(_) => {}
            // Only what was made from a stack address can lead here.
            _ => self.give_slots(|_, _| true),
        }
    }

    /// Any memory may be read so.
    pub(crate) fn note_any_read(&mut self) {
        self.give_slots(|_, _| true);
    }

    /// The same for an operand of an operation, which takes an address as a whole.
    pub(crate) fn note_operand(&mut self, operand: &Operand, width: Width) {
        let Operand::Memory(memory) = operand else {
            return;
        };
        if let Value::Frame(offset) = self.address(memory)
            && width == Width::Quad
            && self
                .slots
                .get(&offset)
                .is_some_and(|slot| slot.width == Width::Quad)
        {
            return;
        }
        self.note_read(memory, width.bytes());
    }

    /// A register holds this or something else. A stack address may be written through at once.
    pub(super) fn hide(&mut self, register: Register, value: &Value) {
        self.escaped |= matches!(value, Value::Frame(_));
        let followed = self.callable.followed(value);
        self.hidden
            .extend(followed.into_iter().map(|address| (register, address)));
    }
}

/// Whether a value is not recognised any more in what it became by a join: a stack address may still be written through, a
/// function still be called.
pub(super) fn is_lost(value: &Value, joined: &Value) -> bool {
    discriminant(value) != discriminant(joined)
}
