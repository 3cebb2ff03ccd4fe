//! Values read from the object, written in part, and narrowed by a comparison.

use confine_elf::{Address, Object};
use confine_isa::{Condition, Width};

use crate::value::{Constants, Value};

/// What the object's data holds at `address`. A pointer that may change stands for itself; otherwise the bytes
/// are known if they never change: the segment cannot be written (or not any
/// more once the loader is done, and the object's code does not run before that), and the loader does not relocate it.
pub(super) fn stored(object: &Object, address: Address, width: Width) -> Value {
    let read_only = object.never_changes(address, width.bytes());
    let relocated = object.relocation_over(address, width.bytes()).is_some();
    if (!read_only || relocated) && width == Width::Quad {
        return Value::Variable { address, add: 0 };
    }
    let bytes = object.bytes_at(address);
    match (read_only && !relocated, width) {
        (true, Width::Byte) => bytes.first().map(|byte| u64::from(*byte)),
        (true, Width::Word) => bytes.first_chunk().map(|bytes| u16::from_le_bytes(*bytes).into()),
        (true, Width::Double) => bytes.first_chunk().map(|bytes| u32::from_le_bytes(*bytes).into()),
        (true, Width::Quad) => bytes.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)),
        (false, _) => None,
    }
    .map_or(Value::Any.truncate(width), Value::constant)
}

/// A write of the low bytes: known only if everything is.
pub(super) fn merge(old: &Value, new: &Value, width: Width) -> Value {
    match (old, new.constants()) {
        (Value::Constants(old), Some(new)) => Constants::collect(old.as_slice().iter().flat_map(|old| {
            let high = old & !width.mask();
            new.iter().map(move |new| high | new & width.mask())
        }))
        .map_or(Value::Any, Value::Constants),
        _ => Value::Any,
    }
}

/// What a value is at most for which `value condition right` holds, if that says it.
pub(super) fn bound(condition: Condition, right: u64) -> Option<u64> {
    match condition {
        Condition::Below => right.checked_sub(1),
        Condition::BelowOrEqual => Some(right),
        _ => None,
    }
}

/// The part of `value` for which `value condition right` can hold; `None` if that is nothing.
pub(super) fn narrow(value: &Value, condition: Condition, right: u64) -> Option<Value> {
    let holds = |number: u64| match condition {
        Condition::Equal => number == right,
        Condition::NotEqual => number != right,
        Condition::Below => number < right,
        Condition::BelowOrEqual => number <= right,
        Condition::Above => number > right,
        Condition::AboveOrEqual => number >= right,
        Condition::Other => true,
    };
    if condition == Condition::Below && right == 0 {
        return None;
    }
    let most = bound(condition, right).unwrap_or(u64::MAX);
    match value {
        Value::Constants(constants) => Constants::collect(
            constants
                .as_slice()
                .iter()
                .copied()
                .filter(|number| holds(*number)),
        )
        .map(Value::Constants),
        Value::Any if condition == Condition::Equal => Some(Value::constant(right)),
        Value::UpTo(old) if condition == Condition::Equal => (right <= *old).then(|| Value::constant(right)),
        Value::Any if most < u64::MAX => Some(Value::UpTo(most)),
        Value::UpTo(old) => Some(Value::UpTo(most.min(*old))),
        other => Some(other.clone()),
    }
}
