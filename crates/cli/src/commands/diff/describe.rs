//! Alternatives of a policy in words.

use confine_kernel::{Known, arguments, describe, describe_mask};
use confine_policy::{Conjunction, Masked};

/// An alternative by the names of its arguments and values: `family=AF_INET type&0xf=SOCK_STREAM`; `anything` if it has no
/// condition.
pub fn alternative(number: u32, alternative: &Conjunction) -> String {
    let facts = arguments(number);
    let whole = |index: usize, condition: Masked| {
        let bits = facts.get(index).map_or(u64::MAX, confine_kernel::Argument::mask);
        condition.mask() & bits == bits
    };
    let place = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
    let beside: Vec<(u32, u64)> = alternative
        .conditions()
        .filter(|(index, condition)| whole(*index, *condition))
        .map(|(index, condition)| (place(index), condition.value()))
        .collect();
    let words = alternative.conditions().map(|(index, condition)| {
        let name = facts
            .get(index)
            .map_or_else(|| format!("argument {index}"), |fact| fact.name.to_owned());
        let (value, mask) = (condition.value(), condition.mask());
        if whole(index, condition) {
            return format!("{name}={}", describe(number, place(index), value, &beside));
        }
        let value = describe(number, place(index), Known { value, mask }, &beside);
        format!("{name}&{}={value}", describe_mask(number, place(index), mask))
    });
    let words: Vec<String> = words.collect();
    match words.as_slice() {
        [] => "anything".to_owned(),
        words => words.join(" "),
    }
}
