//! From a report to the policy that it stands for.

use std::collections::BTreeSet;

use confine_kernel::call_named;
use confine_policy::{ARGUMENTS, Architecture, Conjunction, Masked, Policy, Rule};
use confine_report::{Report, Restriction};

/// The policy for the whole container, of at most so many alternatives for all the calls that have conditions.
pub fn container(report: &Report, alternatives: usize) -> Policy {
    let mut policy = Policy::new();
    for allowed in &report.allowed {
        let rule = match allowed.arguments.as_slice() {
            [] => Rule::any(),
            combinations => combinations
                .iter()
                .map(|combination| rule(combination))
                .fold(Rule::never(), |all, one| all.union(&one)),
        };
        policy.allow(Architecture::X86_64, allowed.number, &rule);
    }
    policy.coarsened(alternatives)
}

/// The policy that holds from the moment on in which one program, given by its index, starts: its own calls, those of
/// everything that it can execute from there on, as what it executes runs under it as well, those that the kernel needs,
/// and what could not be resolved in any of them widens it to.
pub fn program(report: &Report, index: usize) -> Policy {
    let members = under(report, index);
    let programs = || members.iter().filter_map(|member| report.programs.get(*member));
    let mut policy = Policy::new();
    for call in programs().flat_map(|program| &program.calls) {
        let combinations = call.arguments.iter();
        let rule = match call.restricts() {
            false => Rule::any(),
            true => combinations
                .map(|combination| rule(&combination.restrictions))
                .fold(Rule::never(), |all, one| all.union(&one)),
        };
        policy.allow(Architecture::X86_64, call.number, &rule);
    }
    let needed = report
        .runtime_calls
        .iter()
        .filter(|call| call.requester == "kernel");
    let needed = needed.map(|call| &call.name);
    let widened = report.widened.iter().map(|call| &call.name);
    for call in needed.chain(widened).filter_map(|name| call_named(name)) {
        policy.allow(Architecture::X86_64, call.number, &Rule::any());
    }
    policy
}

/// The indices of a program and of all that can run under its policy: every program of the container where it can
/// execute any.
pub fn under(report: &Report, index: usize) -> BTreeSet<usize> {
    let own = report.programs.get(index);
    let executes =
        own.is_some_and(|program| program.calls.iter().any(|call| matches!(call.number, 59 | 322)));
    match executes {
        true => (0..report.programs.len()).collect(),
        false => BTreeSet::from([index]),
    }
}

/// What satisfies every restriction.
fn rule(combination: &[Restriction]) -> Rule {
    let all = combination.iter().map(|restriction| {
        let index = restriction.index as usize;
        let values = restriction.values.iter();
        let alternatives: Rule = values
            .filter_map(|value| condition(index, Masked::new(restriction.mask.0, value.0)))
            .collect();
        alternatives
    });
    all.fold(Rule::any(), |rule, one| rule.intersection(&one))
}

fn condition(index: usize, masked: Masked) -> Option<Conjunction> {
    let mut arguments = [Masked::default(); ARGUMENTS];
    *arguments.get_mut(index)? = masked;
    Some(Conjunction::new(arguments))
}

#[cfg(test)]
mod tests {
    use confine_report::Word;

    use super::*;

    #[test]
    fn combinations_are_alternatives_of_conditions() {
        let restriction = |index, values: &[u64]| Restriction {
            index,
            name: "any".to_owned(),
            mask: Word(0xffff_ffff),
            values: values.iter().copied().map(Word).collect(),
        };
        let one = rule(&[restriction(1, &[1]), restriction(2, &[2, 15])]);
        let both = one.union(&rule(&[restriction(1, &[6])]));
        for (level, option, expected) in [
            (1, 2, true),
            (1, 15, true),
            (1, 3, false),
            (6, 3, true),
            (2, 2, false),
        ] {
            assert_eq!(
                both.allows(&[0, level, option, 0, 0, 0]),
                expected,
                "{level} {option}"
            );
        }
        assert!(rule(&[]).is_any());
        assert!(rule(&[restriction(9, &[1])]).is_never());
    }
}
