//! From a report to the policy that it stands for.

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
