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
