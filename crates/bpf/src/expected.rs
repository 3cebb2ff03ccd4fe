//! What a program of a policy may be expected to call, by what programs were seen to call.
//!
//! Of calls that the policy does not allow nothing is expected: analysis found that the program does not make them. Where the
//! kernel keeps the answers to calls without conditions (since Linux 5.11), those with conditions alone come to the
//! filter, which is why they count more here than they were seen. All this decides about what a filter costs and nothing else.

use std::collections::BTreeMap;

use confine_policy::{ARGUMENTS, Rule};

use crate::{CallData, Weights};

/// What a call with conditions counts in terms of one without.
const CONDITIONAL: u128 = 2;
/// What all that was seen becomes together.
const SCALE: u128 = 1 << 24;
/// What all calls that the policy allows become besides, each of them alike.
const UNSEEN: u128 = 1 << 18;
/// What all that was seen of one call becomes together.
const SCALE_OF_CALL: u128 = 1 << 16;

/// How much calls count beside others.
pub(crate) struct Expected {
    calls: BTreeMap<u32, ExpectedCall>,
}

/// One call that the policy allows.
#[derive(Default)]
struct ExpectedCall {
    weight: u64,
    /// With which arguments it is expected.
    seen: Vec<(CallData, u64)>,
}

impl Expected {
    /// What is expected of a program that may make these calls.
    pub(crate) fn of(weights: &Weights, calls: &BTreeMap<u32, Rule>) -> Self {
        let mut sums: BTreeMap<u32, Sums> = BTreeMap::new();
        for (&(number, arguments), count) in weights.counts() {
            let is_allowed = |rule: &Rule| arguments.is_none_or(|arguments| rule.allows(&arguments));
            if calls.get(&number).is_some_and(is_allowed) {
                sums.entry(number)
                    .or_default()
                    .insert(arguments, u128::from(*count));
            }
        }
        let mut own: BTreeMap<u32, u128> = BTreeMap::new();
        for (number, seen) in &sums {
            let is_any = calls.get(number).is_some_and(Rule::is_any);
            let counts = if is_any { 1 } else { CONDITIONAL };
            own.insert(*number, counts * seen.values().sum::<u128>());
        }
        let total: u128 = own.values().sum();
        let unseen = UNSEEN / (calls.len() as u128).max(1);
        let calls = calls.keys().map(|number| {
            let seen = own.get(number).copied().unwrap_or_default();
            let weight = part(seen, total, SCALE) + u64::try_from(unseen).unwrap_or_default() + 1;
            let seen = sums.get(number).map(|sums| of_one_call(*number, sums));
            let seen = seen.unwrap_or_default();
            (*number, ExpectedCall { weight, seen })
        });
        Self {
            calls: calls.collect(),
        }
    }

    /// How much one call counts beside others.
    pub(crate) fn weight(&self, number: u32) -> u64 {
        self.calls.get(&number).map_or(1, |call| call.weight)
    }

    /// With which arguments a call is expected, and how much those count beside others of that call.
    pub(crate) fn seen(&self, number: u32) -> &[(CallData, u64)] {
        self.calls.get(&number).map_or(&[], |call| &call.seen)
    }
}

/// How much was seen of one call, by arguments where they are known.
type Sums = BTreeMap<Option<[u64; ARGUMENTS]>, u128>;

fn of_one_call(number: u32, sums: &Sums) -> Vec<(CallData, u64)> {
    let known = || {
        sums.iter()
            .filter_map(|(arguments, sum)| Some(((*arguments)?, *sum)))
    };
    let total = known().map(|(_, sum)| sum).sum();
    let parts = known().map(|(arguments, sum)| {
        let weight = part(sum, total, SCALE_OF_CALL);
        (CallData::new(number, arguments), weight)
    });
    parts.filter(|(_, weight)| *weight > 0).collect()
}

/// A part of a total, where the whole is `scale`: of counts of 64 bits the product fits.
fn part(sum: u128, total: u128, scale: u128) -> u64 {
    let part = (sum * scale).checked_div(total).unwrap_or_default();
    u64::try_from(part).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use confine_policy::{Conjunction, Masked};

    use super::*;

    fn calls(rules: &[(u32, Rule)]) -> BTreeMap<u32, Rule> {
        rules.iter().cloned().collect()
    }

    fn first_argument(value: u64) -> Rule {
        Conjunction::one(0, Masked::new(u64::MAX, value))
            .into_iter()
            .collect()
    }

    fn expected(weights: &str, rules: &[(u32, Rule)]) -> Expected {
        Expected::of(&weights.parse().unwrap(), &calls(rules))
    }

    #[test]
    fn counts_are_proportions_of_what_is_allowed() {
        let any = [(0, Rule::any()), (1, Rule::any()), (3, Rule::any())];
        let expected = expected("read 1\nwrite 3\nopen 18446744073709551615", &any);
        let unseen = expected.weight(3);
        assert_eq!(expected.weight(0) - unseen, 1 << 22);
        assert_eq!(expected.weight(1) - unseen, 3 << 22);
        // Rarer than what is allowed and was not seen.
        assert!(expected.weight(2) < unseen);
    }

    #[test]
    fn calls_with_conditions_count_more() {
        let rules = [(0, Rule::any()), (1, first_argument(7))];
        let expected = expected("read 1\nwrite 1", &rules);
        assert!(expected.weight(1) > expected.weight(0));
    }

    #[test]
    fn arguments_are_proportions_of_their_call() {
        let two = first_argument(1).union(&first_argument(2));
        let weights = "lseek 1 0 0 0 0 0 1\nlseek 2 0 0 0 0 0 3\nlseek 3 0 0 0 0 0 9\nread 0 0 0 0 0 0 5";
        let expected = expected(weights, &[(8, two)]);
        let call = |first| CallData::new(8, [first, 0, 0, 0, 0, 0]);
        assert_eq!(expected.seen(8), [(call(1), 1 << 14), (call(2), 3 << 14)]);
        assert_eq!(expected.seen(0), []);
    }

    #[test]
    fn what_was_not_seen_is_all_alike() {
        let any = [(0, Rule::any()), (1, Rule::any())];
        let expected = expected("open 10", &any);
        assert!(expected.weight(0) == expected.weight(1) && expected.weight(0) > expected.weight(2));
    }
}
