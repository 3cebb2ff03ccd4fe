//! A rule as several that are smaller, all of which must allow a call.

use confine_policy::{ARGUMENTS, Conjunction, Masked, Rule};

/// Two rules that are smaller and both allow just what the rule allows, if there is a bit that tells its alternatives apart.
///
/// By one bit of an argument that alternatives compare: the first rule allows everything where the bit is set and what
/// the rule allows where it is not, the second one the other way round. The bit is the one that leaves the fewest
/// alternatives in the larger of both. One is added to each, so that two must go: what has only so many parts that it can
/// be divided no longer is not.
pub(crate) fn split(rule: &Rule) -> Option<[Rule; 2]> {
    let count = rule.alternatives().count();
    let bits = (0..ARGUMENTS).flat_map(|index| (0..u64::BITS).map(move |bit| (index, 1u64 << bit)));
    let larger = |(index, bit): &(usize, u64)| {
        let sides = [*bit, 0].map(|side| {
            let kept = rule.alternatives();
            kept.filter(|one| without(one, *index, Masked::new(*bit, side)).is_some())
                .count()
        });
        sides.into_iter().max().unwrap_or(count)
    };
    let (index, bit) = bits
        .min_by_key(larger)
        .filter(|choice| larger(choice) + 1 < count)?;
    Some([bit, 0].map(|free| {
        let own = Masked::new(bit, bit ^ free);
        let kept = rule.alternatives().filter_map(|one| without(one, index, own));
        kept.chain(Conjunction::one(index, Masked::new(bit, free)))
            .collect()
    }))
}

/// What an alternative asks for where the condition on one bit of an argument holds; `None` if it does not hold there.
fn without(alternative: &Conjunction, index: usize, bit: Masked) -> Option<Conjunction> {
    let mut arguments = [Masked::default(); ARGUMENTS];
    for (own, condition) in alternative.conditions() {
        let mut kept = condition;
        if own == index {
            let common = condition.mask() & bit.mask();
            if condition.value() & common != bit.value() & common {
                return None;
            }
            kept = Masked::new(condition.mask() & !bit.mask(), condition.value());
        }
        if let Some(argument) = arguments.get_mut(own) {
            *argument = kept;
        }
    }
    Some(Conjunction::new(arguments))
}
