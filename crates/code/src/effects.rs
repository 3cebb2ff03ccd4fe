//! What a function does where it enters the kernel, calls, or stores: the outcome of its evaluation.

use std::collections::{BTreeMap, BTreeSet};

use confine_elf::Address;
use confine_isa::{Register, Width};

use crate::facts::{Argument, Numbers};
use crate::state::{State, is_argument};
use crate::value::{Loaded, Location, Pointer, Value};

/// Stack arguments that a call's record keeps: as many as the widest known wrapper takes.
const STACK_ARGUMENTS: u16 = 10;

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
    /// Pointers from which the address of a store was made in a way that is not known.
    pub stores_near: BTreeSet<Pointer>,
    /// Loads from behind pointers that the caller passes in registers.
    pub loads: BTreeSet<Loaded>,
    /// Arguments on the stack that are loaded.
    pub stack_arguments: BTreeSet<Argument>,
    /// Addresses of functions that the function mentions, and of slots that hold such addresses, that may be known
    /// elsewhere: it does more with them than calling and comparing them.
    pub given_away: BTreeSet<Address>,
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

/// What a caller passes: enough to find any [`Location`] of the callee. What may be anything is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallEffect {
    places: Box<[(Location, Value)]>,
    /// What four bytes on the stack hold of which the other four are not known: Go passes small arguments so.
    halves: Box<[(Location, Value)]>,
    /// The caller's own stack, by distance from its stack pointer at entry; left out if no address of it is passed.
    own_stack: Box<[(i64, Value, Width)]>,
    /// Addresses of the caller's own stack may be known elsewhere before the call.
    gave_stack_away: bool,
    /// It is a call, and not a jump to another function or a part of this one.
    comes_back: bool,
}

impl CallEffect {
    /// What a callee finds; the return address is not on the stack yet if the instruction pushes it.
    pub(crate) fn at(state: &State, pushes_return: bool) -> Self {
        let first = if pushes_return { 0 } else { 8 };
        let registers =
            Register::all().map(|register| (Location::Register(register), state.register(register).clone()));
        let stack = (0..STACK_ARGUMENTS).map(|index| {
            (
                Location::Stack(8 + 8 * index),
                state.stack_value(first + 8 * i64::from(index)),
            )
        });
        let places: Box<[_]> = registers
            .chain(stack)
            .filter(|(_, value)| *value != Value::Any)
            .collect();
        let of_stack = |(place, value): &(Location, Value)| {
            matches!(value, Value::Frame(_)) && *place != Location::Register(Register::RSP)
        };
        let own_stack = if places.iter().any(of_stack) {
            state.own_stack()
        } else {
            Box::default()
        };
        Self {
            places,
            halves: state.stack_halves(first, STACK_ARGUMENTS),
            own_stack,
            gave_stack_away: state.has_escaped(),
            comes_back: pushes_return,
        }
    }

    pub(crate) fn join(&mut self, other: &Self) {
        let joined = self
            .places
            .iter()
            .map(|(place, value)| (*place, value.join(&other.value(*place))));
        self.places = joined.filter(|(_, value)| *value != Value::Any).collect();
        let joined = self
            .halves
            .iter()
            .map(|(place, value)| (*place, value.join(&other.half(*place))));
        self.halves = joined.collect();
        let joined = self.own_stack.iter().filter_map(|(start, value, width)| {
            match other.own_stack.iter().find(|(theirs, ..)| theirs == start) {
                Some((_, theirs, same)) if width == same => Some((*start, value.join(theirs), *width)),
                _ => None,
            }
        });
        self.own_stack = joined.collect();
        self.gave_stack_away |= other.gave_stack_away;
        self.comes_back &= other.comes_back;
    }

    /// What is given to the callee, but for what may be anything: a callee that comes back looks at the places of
    /// arguments alone, a part of the same function that is jumped to at every register.
    pub fn given(&self) -> impl Iterator<Item = (Location, &Value)> {
        let places = self.places.iter().map(|(place, value)| (*place, value));
        places.filter(|(place, _)| match place {
            Location::Register(register) => !self.comes_back || is_argument(*register),
            Location::Stack(_) => true,
        })
    }

    /// The addresses of the caller's own stack that are passed, by their distance from its stack pointer at entry.
    pub fn stack_addresses(&self) -> impl Iterator<Item = (Location, i64)> {
        self.places.iter().filter_map(|(place, value)| match value {
            Value::Frame(base) if *place != Location::Register(Register::RSP) => Some((*place, *base)),
            _ => None,
        })
    }

    /// Whether addresses of the caller's own stack may have been known elsewhere before the call.
    #[must_use]
    pub fn gave_stack_away(&self) -> bool {
        self.gave_stack_away
    }

    /// The numbers that a callee finds which does this: in the registers of arguments, and where it looks on the stack and
    /// behind pointers.
    #[must_use]
    pub fn numbers(&self, callee: Option<&Evaluation>) -> Numbers {
        let places = self.places.iter();
        let registers = places.filter_map(|(place, value)| match (place, value) {
            (Location::Register(register), Value::Constants(numbers)) if is_argument(*register) => {
                Some((*register, numbers.clone()))
            }
            _ => None,
        });
        let mut numbers = Numbers {
            registers: registers.collect(),
            ..Numbers::default()
        };
        for argument in callee.into_iter().flat_map(|callee| &callee.stack_arguments) {
            if let Value::Constants(constants) = self.argument(*argument) {
                numbers.stack.push((*argument, constants));
            }
        }
        for place in callee.into_iter().flat_map(|callee| &callee.loads) {
            if let Value::Constants(constants) = self.behind(*place) {
                numbers.behind.push((*place, constants));
            }
        }
        numbers
    }

    /// What the callee finds of an argument on the stack.
    fn argument(&self, (distance, width): Argument) -> Value {
        let location = Location::Stack(distance);
        match width {
            Width::Quad => self.value(location),
            narrower => self.half(location).truncate(narrower),
        }
    }

    /// Whether something that the caller was given goes on in the register of an argument.
    #[must_use]
    pub fn hands_down(&self) -> bool {
        let mut places = self.places.iter();
        places.any(|(place, value)| match (place, value) {
            (Location::Register(register), Value::Entry(_)) => is_argument(*register),
            _ => false,
        })
    }

    /// What the callee finds behind a pointer that is passed to it.
    #[must_use]
    pub fn behind(&self, loaded: Loaded) -> Value {
        let Pointer::Entry(location) = loaded.pointer else {
            return Value::Any;
        };
        match self.value(location) {
            Value::Frame(base) => {
                let wanted = base.wrapping_add_unsigned(loaded.offset);
                match self.own_stack.iter().find(|(start, ..)| *start == wanted) {
                    Some((_, value, width)) if *width >= loaded.width => value.truncate(loaded.width),
                    _ => Value::Any,
                }
            }
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
        find(&self.places, location)
    }

    /// The same for a callee that looks at no more than the low four bytes there; of the others nothing is told.
    #[must_use]
    pub fn half(&self, location: Location) -> Value {
        match self.value(location) {
            Value::Any => find(&self.halves, location),
            whole => whole,
        }
    }
}

fn find(places: &[(Location, Value)], location: Location) -> Value {
    let found = places.iter().find(|(place, _)| *place == location);
    found.map(|(_, value)| value.clone()).unwrap_or_default()
}
