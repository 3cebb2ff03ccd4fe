//! Random policies, and the calls that tell a wrong filter from a right one.

use confine_bpf::{CallData, X32};
use confine_policy::{ARGUMENTS, Architecture, Conjunction, Masked, Policy, Rule};
use proptest::prelude::*;

/// Masks as policies have them: none, the width of an argument, single bits, all but some flags; and any.
fn mask() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => Just(0),
        4 => Just(0xffff_ffff),
        2 => Just(u64::MAX),
        1 => Just(0xffff),
        2 => (0..64u32).prop_map(|bit| 1 << bit),
        2 => any::<u16>().prop_map(|bits| 0xffff_ffff ^ u64::from(bits)),
        1 => any::<u64>(),
    ]
}

fn value() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..8u64,
        2 => (0..64u32).prop_map(|bit| 1 << bit),
        1 => Just(u64::MAX),
        1 => Just(0xffff_ffff),
        1 => any::<u64>(),
    ]
}

pub fn conjunction() -> impl Strategy<Value = Conjunction> {
    prop::array::uniform6((mask(), value()))
        .prop_map(|conditions| Conjunction::new(conditions.map(|(mask, value)| Masked::new(mask, value))))
}

/// Alternatives that look at one argument alone, as most rules have them, or at any.
pub fn rule() -> impl Strategy<Value = Rule> {
    let one = (0..ARGUMENTS, mask(), value())
        .prop_map(|(index, mask, value)| Conjunction::one(index, Masked::new(mask, value)).unwrap());
    let same =
        (0..ARGUMENTS, mask(), prop::collection::vec(value(), 1..24)).prop_map(|(index, mask, values)| {
            let values = values
                .into_iter()
                .filter_map(|value| Conjunction::one(index, Masked::new(mask, value)));
            values.collect::<Vec<_>>()
        });
    prop_oneof![
        4 => Just(Rule::any()),
        1 => Just(Rule::never()),
        2 => prop::collection::vec(one, 1..5).prop_map(|all| all.into_iter().collect()),
        2 => same.prop_map(|all| all.into_iter().collect()),
        2 => prop::collection::vec(conjunction(), 1..6).prop_map(|all| all.into_iter().collect()),
    ]
}

pub fn policy() -> impl Strategy<Value = Policy> {
    let number = prop_oneof![12 => 0..480u32, 1 => 0..X32];
    prop::collection::vec((number, rule()), 0..60).prop_map(|calls| {
        let mut policy = Policy::new();
        for (number, rule) in calls {
            policy.allow(Architecture::X86_64, number, &rule);
        }
        policy
    })
}

/// Every number that a call can have in practice, the neighbours of those that the policy names, and those of x32.
pub fn numbers(policy: &Policy) -> Vec<u32> {
    let named: Vec<u32> = policy
        .calls(Architecture::X86_64)
        .map(|(number, _)| number)
        .collect();
    let mut numbers: Vec<u32> = (0..520).chain([X32 - 1, X32, u32::MAX, u32::MAX >> 1]).collect();
    for number in named {
        numbers.extend([number.saturating_sub(1), number, number + 1, number | X32]);
    }
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// Arguments at the edges of what a rule's alternatives ask for: those that satisfy one, with `noise` wherever it does not
/// look, and those that miss it by one bit or by one.
pub fn arguments(rule: &Rule, noise: [u64; ARGUMENTS]) -> Vec<[u64; ARGUMENTS]> {
    let mut all = vec![noise, [0; ARGUMENTS], [u64::MAX; ARGUMENTS]];
    for alternative in rule.alternatives() {
        let mut fitting = noise;
        for (index, condition) in alternative.conditions() {
            fitting[index] = noise[index] & !condition.mask() | condition.value();
        }
        all.push(fitting);
        for (index, condition) in alternative.conditions() {
            let (mask, fits) = (condition.mask(), fitting[index]);
            let lowest = mask & mask.wrapping_neg();
            let highest = 1 << (63 - mask.leading_zeros());
            for other in [
                fits ^ lowest,
                fits ^ highest,
                fits ^ !mask,
                fits.wrapping_add(1),
                fits.wrapping_sub(1),
                fits ^ (1 << 32),
                fits ^ (1 << 31),
                fits as u32 as i32 as u64,
                0,
                u64::MAX,
            ] {
                let mut arguments = fitting;
                arguments[index] = other;
                all.push(arguments);
            }
        }
    }
    all
}

/// The calls of one number that are worth a try.
pub fn calls(policy: &Policy, number: u32, noise: [u64; ARGUMENTS]) -> impl Iterator<Item = CallData> {
    let rule = policy.rule(Architecture::X86_64, number);
    arguments(&rule, noise)
        .into_iter()
        .map(move |arguments| CallData::new(number, arguments))
}
