//! What one operation does to a state.
//!
//! Every result over-approximates the processor's: what is not modelled is [`Value::Any`] of the operation's
//! width.

use confine_elf::Object;
use confine_isa::{Arithmetic, Memory, Operand, Operation, Width};

use crate::state::State;
use crate::value::Value;

/// Applies an operation; `object` is where constant data is read from.
pub(crate) fn apply(operation: &Operation, state: &mut State, object: &Object) {
    for register in operation.reads().into_iter().flatten() {
        state.reveal(register);
    }
    for (source, width) in operation.sources() {
        state.note_operand(&source, width);
    }
    match *operation {
        Operation::Copy { to, from, width } => {
            let value = state.read(&from, width, object);
            state.write_copy(&to, value, width, &from, width);
        }
        Operation::Extend {
            to,
            width,
            from,
            from_width,
            signed,
        } => {
            let value = state.read(&from, from_width, object);
            let value = if signed {
                value.sign_extend(from_width, width)
            } else {
                value
            };
            state.note_derived(&[from], &value);
            state.write_copy(&Operand::Register(to), value, width, &from, from_width);
        }
        Operation::Address { to, width, memory } => {
            let value = state.address(&memory).truncate(width);
            let parts = memory
                .base
                .into_iter()
                .chain(memory.index.map(|(index, _)| index));
            let parts: Vec<Operand> = parts.map(Operand::Register).collect();
            state.note_derived(&parts, &value);
            let value = state.within_bounds(value, memory.base, || {
                Some(state.bounded_address(&memory)?.truncate(width))
            });
            state.write_register(to, value, width);
        }
        Operation::Arithmetic {
            operation,
            place,
            source,
            width,
        } => {
            let same = place == source;
            let value = match (operation, same) {
                (Arithmetic::ExclusiveOr | Arithmetic::Subtract, true) => Value::constant(0),
                _ => {
                    let (left, right) = (
                        state.read(&place, width, object),
                        state.read(&source, width, object),
                    );
                    left.arithmetic(operation, &right, width)
                }
            };
            state.note_derived(&[place, source], &value);
            let value = match (place, source) {
                (Operand::Register(register), Operand::Constant(_)) => {
                    state.within_bounds(value, Some(register), || {
                        let by = state.read(&source, width, object);
                        Some(state.bounded(register)?.arithmetic(operation, &by, width))
                    })
                }
                _ => value,
            };
            state.write(&place, value, width);
        }
        Operation::Select { to, from, width } => {
            let value = state
                .read(&Operand::Register(to), width, object)
                .join(&state.read(&from, width, object));
            state.note_derived(&[Operand::Register(to), from], &value);
            state.write_register(to, value, width);
        }
        Operation::OneOf { to, width, values } => {
            let [first, second] = values.map(|value| Value::constant(value & width.mask()));
            state.write(&to, first.join(&second), width);
        }
        Operation::Swap { left, right } => {
            let (first, second) = (state.register(left).clone(), state.register(right).clone());
            state.set_register(left, second);
            state.set_register(right, first);
        }
        Operation::Compare {
            left,
            right,
            width,
            test,
        } => state.compare(&left, &right, width, test),
        Operation::ForgetFlags => state.forget_flags(),
        Operation::ReadMemory { memory, bytes } => state.note_read(&memory, bytes),
        Operation::ReadAllMemory => state.note_any_read(),
        Operation::ReadRegister(register) => state.note_derived(&[Operand::Register(register)], &Value::Any),
        Operation::Clobber(register) => state.set_register(register, Value::Any),
        Operation::ClearVector(vector) => state.clear_vector(vector),
        Operation::ClobberVector(vector) => state.clobber_vector(vector),
        Operation::ClobberMemory {
            memory,
            bytes,
            vector: Some(vector),
        } if state.stores_zeros(vector, bytes) => {
            for further in (0..bytes).step_by(8) {
                let displacement = memory.displacement.wrapping_add(further);
                let place = Operand::Memory(Memory {
                    displacement,
                    ..memory
                });
                state.write(&place, Value::constant(0), Width::Quad);
            }
        }
        Operation::ClobberMemory { memory, bytes, .. } => state.clobber_memory(&memory, bytes),
        Operation::ClobberAllMemory => state.forget_memory(),
    }
}
