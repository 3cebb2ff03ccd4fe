//! A whole policy: a rule for each call of each architecture.

use std::collections::{BTreeMap, BTreeSet};

use crate::{ARGUMENTS, Rule};

/// A processor whose system calls a policy speaks of. Numbers mean nothing without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Architecture {
    /// x86-64, without the x32 calls.
    X86_64,
}

/// Which system calls are allowed, with which arguments. What it does not mention is denied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// No rule in it is [`Rule::never`].
    rules: BTreeMap<(Architecture, u32), Rule>,
}

impl Policy {
    /// Denies everything.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows a call with what `rule` allows, besides what is allowed of it already.
    pub fn allow(&mut self, architecture: Architecture, number: u32, rule: &Rule) {
        let union = self.rule(architecture, number).union(rule);
        self.set((architecture, number), union);
    }

    /// What is allowed of a call.
    #[must_use]
    pub fn rule(&self, architecture: Architecture, number: u32) -> Rule {
        self.rules
            .get(&(architecture, number))
            .cloned()
            .unwrap_or_default()
    }

    /// Whether something is allowed of a call.
    #[must_use]
    pub fn names(&self, architecture: Architecture, number: u32) -> bool {
        self.rules.contains_key(&(architecture, number))
    }

    /// The calls of an architecture of which something is allowed, by number.
    pub fn calls(&self, architecture: Architecture) -> impl Iterator<Item = (u32, &Rule)> {
        let of_it = self.rules.range((architecture, 0)..=(architecture, u32::MAX));
        of_it.map(|((_, number), rule)| (*number, rule))
    }

    /// Whether a call is allowed with these arguments.
    #[must_use]
    pub fn allows(&self, architecture: Architecture, number: u32, arguments: &[u64; ARGUMENTS]) -> bool {
        self.rules
            .get(&(architecture, number))
            .is_some_and(|rule| rule.allows(arguments))
    }

    /// What one or the other allows.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.combine(other, Rule::union)
    }

    /// What both allow.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.combine(other, Rule::intersection)
    }

    /// What `self` allows and `other` does not.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.combine(other, Rule::difference)
    }

    /// Whether `self` allows everything that `other` allows.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        other
            .rules
            .iter()
            .all(|((architecture, number), rule)| self.rule(*architecture, *number).includes(rule))
    }

    /// The policy with at most so many different alternatives for all the calls that have conditions; it allows at least
    /// what `self` allows, and is `self` where that is small enough. The call with the most alternatives gives way first.
    #[must_use]
    pub fn coarsened(mut self, alternatives: usize) -> Self {
        loop {
            let conditional = self.rules.iter().filter(|(_, rule)| !rule.is_any());
            let different: BTreeSet<_> = conditional
                .clone()
                .flat_map(|(_, rule)| rule.alternatives())
                .collect();
            let is_small = different.len() <= alternatives;
            let largest = conditional
                .map(|(call, rule)| (rule.alternatives().count(), *call))
                .max();
            let Some((_, call)) = largest.filter(|_| !is_small) else {
                return self;
            };
            let rule = self.rule(call.0, call.1);
            let coarser = match rule.alternatives().count() {
                1 => Rule::any(),
                _ => rule.coarser(),
            };
            self.set(call, coarser);
        }
    }

    fn combine(&self, other: &Self, operation: impl Fn(&Rule, &Rule) -> Rule) -> Self {
        let mut result = Self::new();
        for &(architecture, number) in self.rules.keys().chain(other.rules.keys()) {
            let rule = operation(
                &self.rule(architecture, number),
                &other.rule(architecture, number),
            );
            result.set((architecture, number), rule);
        }
        result
    }

    fn set(&mut self, call: (Architecture, u32), rule: Rule) {
        if !rule.is_never() {
            self.rules.insert(call, rule);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Conjunction, Masked};

    fn policy(calls: &[(u32, Rule)]) -> Policy {
        let mut policy = Policy::new();
        for (number, rule) in calls {
            policy.allow(Architecture::X86_64, *number, rule);
        }
        policy
    }

    fn first_is(value: u64) -> Rule {
        let low = Masked::new(u64::from(u32::MAX), value);
        Rule::from(Conjunction::one(0, low).unwrap())
    }

    #[test]
    fn operations_go_call_by_call() {
        let left = policy(&[(0, Rule::any()), (1, first_is(1)), (2, Rule::any())]);
        let right = policy(&[
            (1, first_is(2)),
            (2, first_is(3)),
            (3, Rule::any()),
            (4, Rule::never()),
        ]);
        let numbers = |policy: &Policy| {
            policy
                .calls(Architecture::X86_64)
                .map(|(number, _)| number)
                .collect::<Vec<_>>()
        };
        let names = |number| right.names(Architecture::X86_64, number);
        assert!(names(2) && !names(0) && !names(4));
        for (name, result, expected) in [
            ("union", left.union(&right), vec![0, 1, 2, 3]),
            ("intersection", left.intersection(&right), vec![2]),
            ("difference", left.difference(&right), vec![0, 1, 2]),
            ("the other difference", right.difference(&left), vec![1, 3]),
        ] {
            assert_eq!(numbers(&result), expected, "{name}");
            assert!(left.union(&right).includes(&result), "{name}");
        }
        assert!(!left.includes(&right) && left.includes(&left.intersection(&right)));
    }

    #[test]
    fn coarsening_keeps_to_the_limit() {
        let many = (0..20).fold(Rule::never(), |rule, value| rule.union(&first_is(value * 7)));
        let exact = policy(&[(0, Rule::any()), (1, first_is(1)), (2, many)]);
        assert_eq!(exact.clone().coarsened(21), exact);
        for limit in [20, 5, 1, 0] {
            let coarse = exact.clone().coarsened(limit);
            let conditional = coarse
                .calls(Architecture::X86_64)
                .filter(|(_, rule)| !rule.is_any());
            let alternatives: usize = conditional.map(|(_, rule)| rule.alternatives().count()).sum();
            assert!(alternatives <= limit, "{limit}");
            assert!(coarse.includes(&exact), "{limit}");
        }
    }

    #[test]
    fn only_the_bits_of_the_mask_count() {
        let policy = policy(&[(16, first_is(0x5413)), (16, first_is(0x5401))]);
        for (first, expected) in [(0x5413, true), (0xffff_ffff_0000_5401, true), (0x5402, false)] {
            assert_eq!(
                policy.allows(Architecture::X86_64, 16, &[first, 0, 0, 0, 0, 0]),
                expected,
                "{first:#x}"
            );
        }
        assert!(!policy.allows(Architecture::X86_64, 17, &[0; ARGUMENTS]));
    }
}
