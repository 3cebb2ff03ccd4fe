//! Which loads an operation makes from where a caller's numbers may be: what it passed on the stack, or a pointer to.

use confine_elf::Address;
use confine_isa::{Operand, Operation, Width};

use crate::evaluate::Event;
use crate::state::State;
use crate::value::{Location, Pointer, Value};

/// How far above the return address arguments are looked for.
const ARGUMENT_BYTES: i64 = 80;

/// Tells of each load that an operation makes of an argument on the stack, or from behind a pointer in the register of one.
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
        let address = state.address(memory);
        match (&address, address.behind(width)) {
            (Value::Frame(distance), _) if (8..8 + ARGUMENT_BYTES).contains(distance) => {
                let argument = u16::try_from(*distance)
                    .ok()
                    .filter(|distance| distance.is_multiple_of(4));
                argument
                    .into_iter()
                    .for_each(|distance| tell(at, Event::Argument((distance, width))));
            }
            (_, Some(place)) if matches!(place.pointer, Pointer::Entry(Location::Register(_))) => {
                tell(at, Event::Load(place));
            }
            _ => {}
        }
    }
}
