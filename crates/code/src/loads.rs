//! Which loads an operation makes from where a caller's numbers may be: what it passed on the stack, or a pointer to.

use confine_elf::Address;
use confine_isa::{Operand, Operation};

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
    for (source, width) in operation.sources() {
        let Operand::Memory(memory) = &source else {
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
