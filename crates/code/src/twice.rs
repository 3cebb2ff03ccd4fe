//! Functions that come back more than once: `setjmp`, `vfork`, `getcontext` and what is written like them.
//!
//! What the caller's stack held at the first return may be overwritten by the second, so nothing of it is known behind
//! such a call. The C library's are known by the names that C99 and POSIX give them; one of the object's own by what
//! it must do: it reads its own return address, to put it aside. Over-reports: functions that only look at who called
//! them. Misses: one that another object exports under another name.

use confine_elf::{Address, Object};
use confine_isa::{Flow, Operand, Operation, Register};

use crate::body::Body;
use crate::facts::Facts;
use crate::imports;

/// C99 7.13, POSIX setjmp, sigsetjmp, vfork and getcontext, with the names under which C libraries export them.
const NAMES: [&str; 8] = [
    "setjmp",
    "_setjmp",
    "__setjmp",
    "sigsetjmp",
    "__sigsetjmp",
    "vfork",
    "__vfork",
    "getcontext",
];

/// How many instructions of a function are looked at: all of those that save what a second return needs are short.
const INSTRUCTIONS: usize = 64;

/// How many jumps to other functions are followed: `_setjmp` is one to `__sigsetjmp`.
const JUMPS: usize = 4;

/// Whether a call of `target`, a function of the object or a stub that leads out of it, may come back twice.
pub(crate) fn returns_twice(object: &Object, facts: &Facts, target: Address) -> bool {
    let mut address = target;
    for _ in 0..JUMPS {
        let Some(function) = facts
            .function_at(address)
            .and_then(|index| facts.functions.get(index))
        else {
            return false;
        };
        match look(&mut Body::new(object, function), address) {
            Look::SavesReturn => return true,
            Look::Leaves(slot) => return slot_returns_twice(object, slot),
            Look::JumpsTo(other) => address = other,
            Look::Nothing => return false,
        }
    }
    false
}

/// What a function does first.
enum Look {
    /// It reads its return address.
    SavesReturn,
    /// It jumps to what this slot is bound to.
    Leaves(Address),
    /// It jumps to another function, with its return address still on top of the stack.
    JumpsTo(Address),
    /// None of this.
    Nothing,
}

fn look(body: &mut Body<'_>, start: Address) -> Look {
    let mut address = start;
    // How far the stack pointer is below the return address.
    let mut depth: i64 = 0;
    for _ in 0..INSTRUCTIONS {
        let Some(step) = body.at(address) else {
            return Look::Nothing;
        };
        match step.flow {
            Flow::Next => {
                if body
                    .operations(&step)
                    .iter()
                    .any(|operation| reads_return_address(operation, depth))
                {
                    return Look::SavesReturn;
                }
                let moves = body.operations(&step).iter().map(moved);
                depth = depth.saturating_add(moves.sum::<i64>());
            }
            Flow::IndirectJump(operand) => return operand.slot().map_or(Look::Nothing, Look::Leaves),
            Flow::Jump(target) if depth == 0 && body.at(target).is_none() => return Look::JumpsTo(target),
            Flow::SystemCall => {}
            _ => return Look::Nothing,
        }
        address = step.end;
    }
    Look::Nothing
}

/// Whether what the loader binds a slot to comes back twice, by its name.
pub(crate) fn slot_returns_twice(object: &Object, slot: Address) -> bool {
    imports::name(object, slot).is_some_and(|name| NAMES.contains(&name))
}

/// Whether an operation makes the eight bytes `depth` above the stack pointer a value.
fn reads_return_address(operation: &Operation, depth: i64) -> bool {
    let (Operation::Copy { from, .. } | Operation::Extend { from, .. }) = operation else {
        return false;
    };
    matches!(from, Operand::Memory(memory)
        if memory.base == Some(Register::RSP)
            && memory.index.is_none()
            && memory.displacement.cast_signed() == depth)
}

/// By how much an operation moves the stack pointer down.
fn moved(operation: &Operation) -> i64 {
    use confine_isa::Arithmetic::{Add, Subtract};
    match operation {
        Operation::Arithmetic {
            operation,
            place: Operand::Register(Register::RSP),
            source: Operand::Constant(bytes),
            ..
        } => match operation {
            Subtract => bytes.cast_signed(),
            Add => bytes.cast_signed().wrapping_neg(),
            _ => 0,
        },
        _ => 0,
    }
}
