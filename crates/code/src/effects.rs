//! What a function does where it enters the kernel, calls, or stores: the outcome of its evaluation.

use std::collections::{BTreeMap, BTreeSet};

use confine_elf::Address;
use confine_isa::{Register, Width};

use crate::state::State;
use crate::value::{Loaded, Location, Pointer, Value};

/// Stack arguments that a call's record keeps: as many as the widest known wrapper takes.
const STACK_ARGUMENTS: i64 = 10;

/// What one function does, in terms of what its caller passes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evaluation {
    /// By address.
    pub system_calls: BTreeMap<Address, SystemCallEffect>,
    /// Direct calls, calls through a slot, and jumps to other functions, by address and target.
    pub calls: BTreeMap<(Address, Address), CallEffect>,
    /// Calls of computed addresses.
    pub indirect_calls: BTreeMap<Address, CallEffect>,
    /// Eight-byte stores to variables of the object, by the instruction's address.
    pub stores: BTreeMap<Address, Value>,
    /// Stores behind pointers whose origin is known.
    pub stores_behind: BTreeSet<Loaded>,
}

/// A `syscall` instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemCallEffect {
    /// The call's number (RAX).
    pub number: Value,
    /// Its six arguments (RDI, RSI, RDX, R10, R8, R9).
    pub arguments: [Value; 6],
}

impl SystemCallEffect {
    /// What the registers hold at the instruction.
    pub(crate) fn at(state: &State) -> Self {
        const ARGUMENTS: [Register; 6] = [
            Register::RDI,
            Register::RSI,
            Register::RDX,
            Register::R10,
            Register::R8,
            Register::R9,
        ];
        Self {
            number: state.register(Register::RAX).clone(),
            arguments: ARGUMENTS.map(|register| state.register(register).clone()),
        }
    }

    pub(crate) fn join(&mut self, other: &Self) {
        self.number = self.number.join(&other.number);
        for (mine, theirs) in self.arguments.iter_mut().zip(&other.arguments) {
            *mine = mine.join(theirs);
        }
    }
}

/// What a caller passes: enough to find any [`Location`] of the callee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallEffect {
    registers: [Value; Register::COUNT],
    /// From the callee's first stack argument on.
    stack: Vec<Value>,
    /// The caller's own stack, by distance from its stack pointer at entry.
    own_stack: BTreeMap<i64, (Value, Width)>,
}

impl CallEffect {
    /// What a callee finds; the return address is not on the stack yet if the instruction pushes it.
    pub(crate) fn at(state: &State, pushes_return: bool) -> Self {
        let first = if pushes_return { 0 } else { 8 };
        Self {
            registers: state.registers().clone(),
            own_stack: state.own_stack(),
            stack: (0..STACK_ARGUMENTS)
                .map(|index| state.stack_value(first + 8 * index))
                .collect(),
        }
    }

    pub(crate) fn join(&mut self, other: &Self) {
        self.own_stack
            .retain(|start, (value, width)| match other.own_stack.get(start) {
                Some((theirs, same)) if width == same => {
                    *value = value.join(theirs);
                    true
                }
                _ => false,
            });
        let mine = self.registers.iter_mut().chain(&mut self.stack);
        for (mine, theirs) in mine.zip(other.registers.iter().chain(&other.stack)) {
            *mine = mine.join(theirs);
        }
    }

    /// What the callee finds behind a pointer that is passed to it.
    #[must_use]
    pub fn behind(&self, loaded: Loaded) -> Value {
        let Pointer::Entry(location) = loaded.pointer else {
            return Value::Any;
        };
        match self.value(location) {
            Value::Frame(base) => match self.own_stack.get(&base.wrapping_add_unsigned(loaded.offset)) {
                Some((value, width)) if *width >= loaded.width => value.truncate(loaded.width),
                _ => Value::Any,
            },
            pointer => pointer.behind(loaded.width).map_or(Value::Any, |behind| {
                Value::Loaded(Loaded {
                    offset: behind.offset.wrapping_add(loaded.offset),
                    ..behind
                })
            }),
        }
    }

    /// What the callee finds in `location` when it is entered.
    #[must_use]
    pub fn value(&self, location: Location) -> Value {
        match location {
            Location::Register(register) => self.registers[register.number()].clone(),
            Location::Stack(distance) => match usize::from(distance).checked_sub(8) {
                Some(above) if above % 8 == 0 => self.stack.get(above / 8).cloned().unwrap_or_default(),
                _ => Value::Any,
            },
        }
    }
}
