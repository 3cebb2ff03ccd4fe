//! Which loads an operation makes from what the caller passed a pointer to, as far as a caller's numbers may be there.

use confine_elf::Address;
use confine_isa::{Operand, Operation, Width};

use crate::evaluate::Event;
use crate::state::State;
use crate::value::{Location, Pointer};

/// Tells of each load that an operation makes from behind a pointer in the register of an argument.
pub(crate) fn tell(
    at: Address,
    operation: &Operation,
    state: &State,
    tell: &mut impl FnMut(Address, Event<'_>),
) {
    let (operands, width): ([Option<&Operand>; 2], Width) = match operation {
        Operation::Copy { from, width, .. } | Operation::Select { from, width, .. } => {
            ([Some(from), None], *width)
        }
        Operation::Extend { from, from_width, .. } => ([Some(from), None], *from_width),
        Operation::Arithmetic {
            place, source, width, ..
        } => ([Some(source), Some(place)], *width),
        _ => return,
    };
    for operand in operands.into_iter().flatten() {
        let Operand::Memory(memory) = operand else {
            continue;
        };
        match state.address(memory).behind(width) {
            Some(place) if matches!(place.pointer, Pointer::Entry(Location::Register(_))) => {
                tell(at, Event::Load(place));
            }
            _ => {}
        }
    }
}
