//! From a report to the policy that it stands for.

use anyhow::Context;
use confine_assumption::{Assumption, Effect};
use confine_policy::{ARGUMENTS, Architecture, Conjunction, Masked, Policy, Rule};
use confine_report::{Program, Report, Restriction};

use crate::arguments::Within;

/// The policy that the user asked for, of at most so many alternatives: for the whole container, or for one program, within
/// a bound where there is one.
pub fn wanted(
    report: &Report,
    only: Option<&Program>,
    within: Option<Within>,
    alternatives: usize,
) -> Policy {
    let policy = match only {
        None => container(report, alternatives),
        Some(only) => program(report, only, alternatives),
    };
    match within {
        None => policy,
        Some(Within::DockerDefault) => policy
            .intersection(&confine_exposure::docker_default_bound())
            .coarsened(alternatives),
    }
}

/// The policy for the whole container, of at most so many alternatives for all the calls that have conditions.
pub fn container(report: &Report, alternatives: usize) -> Policy {
    let mut policy = Policy::new();
    for allowed in &report.allowed {
        let combinations = allowed.arguments.iter().map(Vec::as_slice);
        policy.allow(Architecture::X86_64, allowed.number, &any_of(combinations));
    }
    policy.coarsened(alternatives)
}

/// The policy for one program of the report alone, without the container runtime's own calls; likewise.
pub fn program(report: &Report, program: &Program, alternatives: usize) -> Policy {
    let mut policy = Policy::new();
    for call in &program.calls {
        let combinations = call.arguments.iter().map(|one| one.restrictions.as_slice());
        policy.allow(Architecture::X86_64, call.number, &any_of(combinations));
    }
    let kernel = report
        .runtime_calls
        .iter()
        .filter(|call| call.requester == "kernel");
    let widens = |assumption: &Assumption| assumption.effect == Effect::WidenedToDefault;
    let widened = match program.assumptions.iter().any(widens) {
        true => report.widened.as_slice(),
        false => &[],
    };
    let others = kernel
        .map(|call| &call.name)
        .chain(widened.iter().map(|call| &call.name));
    for call in others.filter_map(|name| confine_kernel::call_named(name)) {
        policy.allow(Architecture::X86_64, call.number, &Rule::any());
    }
    policy.coarsened(alternatives)
}

/// The report's program of that path or name.
pub fn named_program<'a>(report: &'a Report, name: &str) -> anyhow::Result<&'a Program> {
    let named = |program: &&Program| program.path == name || program.invoked.iter().any(|one| one == name);
    report.programs.iter().find(named).with_context(|| {
        let paths: Vec<&str> = report
            .programs
            .iter()
            .map(|program| program.path.as_str())
            .collect();
        format!(
            "expected a program of the report, found {name:?}: it has {}",
            paths.join(", ")
        )
    })
}

/// What one of the combinations allows; anything if there is none.
fn any_of<'a>(combinations: impl Iterator<Item = &'a [Restriction]>) -> Rule {
    let mut rules = combinations.map(rule).peekable();
    match rules.peek() {
        None => Rule::any(),
        Some(_) => rules.fold(Rule::never(), |all, one| all.union(&one)),
    }
}

/// What satisfies every restriction.
pub fn rule(combination: &[Restriction]) -> Rule {
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
