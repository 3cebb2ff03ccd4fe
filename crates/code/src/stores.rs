//! Which stores an operation makes, as far as anybody who asks about a variable or a pointer has to know.
//!
//! Over-reports: a store that is made on some path only. Misses: stores to places of which nothing is known, after which
//! the state forgets what may alias.

use confine_elf::{Address, Object};
use confine_isa::{Memory, Operand, Operation, Register, Width};

use crate::evaluate::Event;
use crate::state::State;
use crate::value::{Loaded, Value};

/// Tells of each store that an operation makes to a variable of the object or behind a pointer whose origin is known.
pub(crate) fn tell(
    at: Address,
    operation: &Operation,
    state: &State,
    object: &Object,
    tell: &mut impl FnMut(Address, Event<'_>),
) {
    let (memory, width, value) = match operation {
        Operation::Copy {
            to: Operand::Memory(memory),
            width,
            from,
        } => (memory, *width, state.read(from, *width, object)),
        Operation::Arithmetic {
            place: Operand::Memory(memory),
            width,
            ..
        }
        | Operation::OneOf {
            to: Operand::Memory(memory),
            width,
            ..
        } => (memory, *width, Value::Any),
        // However many bytes: as if all eight of the variable. Go keeps its vector register 15 at zero (Go
        // internal ABI).
        Operation::ClobberMemory {
            memory,
            vector: Some(15),
            ..
        } if !object.go_functions.is_empty() => (memory, Width::Quad, Value::constant(0)),
        Operation::ClobberMemory { memory, bytes, .. } => {
            tell_wide(at, memory, *bytes, state, tell);
            (memory, Width::Quad, Value::Any)
        }
        Operation::ClobberAllMemory => {
            // Strings are stored where RDI points to.
            if let Some(place) = state.register(Register::RDI).behind(Width::Byte) {
                tell(at, Event::StoreNear(place.pointer));
            }
            return;
        }
        _ => return,
    };
    let address = state.address(memory);
    match address {
        Value::Addresses(_) if width == Width::Quad => tell(at, Event::Store(&value)),
        _ => match address.behind(width) {
            Some(place) => tell(at, Event::StoreBehind(place)),
            None => {
                let parts = memory
                    .base
                    .into_iter()
                    .chain(memory.index.map(|(index, _)| index));
                for place in parts.filter_map(|part| state.register(part).behind(width)) {
                    tell(at, Event::StoreNear(place.pointer));
                }
            }
        },
    }
}

/// A store of more than eight bytes, as several.
fn tell_wide(
    at: Address,
    memory: &Memory,
    bytes: u64,
    state: &State,
    tell: &mut impl FnMut(Address, Event<'_>),
) {
    /// The widest store of an instruction.
    const WIDEST: u64 = 64;
    let Some(place) = state.address(memory).behind(Width::Quad) else {
        return;
    };
    if bytes > WIDEST {
        return tell(at, Event::StoreNear(place.pointer));
    }
    for further in (8..bytes).step_by(8) {
        let offset = place.offset.wrapping_add(further);
        tell(at, Event::StoreBehind(Loaded { offset, ..place }));
    }
}
