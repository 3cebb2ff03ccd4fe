//! Whether memory behind a pointer may change between a call that passes the pointer and where it is read.
//!
//! Abstraction: a function changes what lies behind a pointer that it is given if it stores there, at the place or at
//! one that is not known, if it calls a function that does, or if it gives the pointer to somebody unknown (a computed
//! address, the kernel, another variable). A caller's structure is also changed through a second pointer to it that the
//! call passes, and by anybody once its address was given away before. Over-approximates: a store counts wherever it
//! stands in the function. Misses: a pointer that was made from the given one so that it is not recognised any more
//! (joined with another, kept in a register over a call), which matters for call numbers alone: arguments that come
//! from memory are never taken for known.
//!
//! Ends: calls are followed to a bounded depth, past which anything may change.

use confine_code::{CallEffect, Loaded, Pointer, Value};
use confine_elf::Address;

use crate::program::{Designation, Node, Program};

/// How many calls deep a pointer is followed; glibc's deepest use has two.
const DEPTH: u8 = 6;

/// Whether what `loaded` names, in terms of `node`'s entry, may differ from what the caller put there before `call`.
pub(crate) fn may_change(program: &Program<'_>, node: Node, loaded: Loaded, call: &CallEffect) -> bool {
    if may_overwrite(program, node, loaded) {
        return true;
    }
    let Pointer::Entry(location) = loaded.pointer else {
        return false;
    };
    let Value::Frame(base) = call.value(location) else {
        return false;
    };
    let place = base.wrapping_add_unsigned(loaded.offset);
    let seconds = call.stack_addresses().filter(|(other, _)| *other != location);
    let mut through = seconds.map(|(other, base)| Loaded {
        pointer: Pointer::Entry(other),
        offset: place.wrapping_sub(base).cast_unsigned(),
        width: loaded.width,
    });
    call.gave_stack_away() || through.any(|second| may_overwrite(program, node, second))
}

/// Whether a function, or what it calls, stores to the place that `loaded` names.
pub(crate) fn may_overwrite(program: &Program<'_>, node: Node, loaded: Loaded) -> bool {
    overwrites(program, node, loaded, DEPTH)
}

fn overwrites(program: &Program<'_>, node: Node, loaded: Loaded, depth: u8) -> bool {
    let (object, index) = program.locate(node);
    let evaluation = program.facts[object].evaluation(program.elf(object), index);
    let (Some(evaluation), Some(deeper)) = (evaluation, depth.checked_sub(1)) else {
        return true;
    };
    let stores = evaluation.stores_behind.iter().any(|store| {
        // Offsets wrap: what is passed may point into the middle.
        let apart = store.offset.wrapping_sub(loaded.offset).cast_signed();
        let overlap =
            apart < loaded.width.bytes().cast_signed() && apart > -store.width.bytes().cast_signed();
        store.pointer == loaded.pointer && overlap
    });
    if stores || evaluation.stores_near.contains(&loaded.pointer) {
        return true;
    }
    // What a pointer passed on names of the same place.
    let passed = |value: &Value| {
        let behind = value.behind(loaded.width)?;
        (behind.pointer == loaded.pointer).then(|| loaded.offset.wrapping_sub(behind.offset))
    };
    // The kernel writes from an address that it is given on.
    let mut to_kernel = evaluation.system_calls.values().flat_map(|call| &call.arguments);
    let from_there = |offset: u64| offset.cast_signed() > -loaded.width.bytes().cast_signed();
    let mut to_unknown = evaluation.indirect_calls.values().flat_map(CallEffect::given);
    if to_kernel.any(|value| passed(value).is_some_and(from_there))
        || to_unknown.any(|(_, value)| passed(value).is_some())
    {
        return true;
    }
    evaluation.calls.iter().any(|((_, target), call)| {
        let given = call
            .given()
            .filter_map(|(location, value)| Some((location, passed(value)?)));
        given.into_iter().any(|(location, offset)| {
            let there = Loaded {
                pointer: Pointer::Entry(location),
                offset,
                ..loaded
            };
            callees(program, object, *target)
                .into_iter()
                .any(|callee| callee != node && overwrites(program, callee, there, deeper))
        })
    })
}

/// The functions that a call's target names: itself, or what the slot there is bound to.
fn callees(program: &Program<'_>, object: usize, target: Address) -> Vec<Node> {
    if let Some(node) = program.node_at(object, target) {
        return vec![node];
    }
    let slots = program.facts[object]
        .pointers_in(target..target.saturating_add(1))
        .iter();
    let designated = slots.flat_map(|slot| program.designate_stored(object, slot.value));
    designated
        .filter_map(|designation| match designation {
            Designation::Function(node) => Some(node),
            Designation::Data { .. } => None,
        })
        .collect()
}
