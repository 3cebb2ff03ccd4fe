//! A policy's x86-64 part by names, as every format lists it.

use std::collections::HashMap;

use confine_policy::{Architecture, Conjunction, Policy};

use crate::oci::Error;

/// The calls of a policy.
pub(crate) struct Named<'a> {
    /// Those that are allowed with any arguments, by name.
    pub unconditional: Vec<&'static str>,
    /// The alternatives of the others, each once with the calls that have it, by the first one's name.
    pub conditional: Vec<(Vec<&'static str>, &'a Conjunction)>,
}

/// Sorted by name.
pub(crate) fn named(policy: &Policy) -> Result<Named<'_>, Error> {
    let mut unconditional = Vec::new();
    let mut conditional = Vec::new();
    for (number, rule) in policy.calls(Architecture::X86_64) {
        let name = confine_kernel::name(number).ok_or(Error::Nameless(number))?;
        if rule.is_any() {
            unconditional.push(name);
        } else {
            conditional.extend(rule.alternatives().map(|alternative| (name, alternative)));
        }
    }
    unconditional.sort_unstable();
    conditional.sort_by_key(|(name, _)| *name);
    Ok(Named {
        unconditional,
        conditional: grouped(conditional),
    })
}

/// Each alternative once: a profile has room for so many.
fn grouped<'a>(
    conditional: Vec<(&'static str, &'a Conjunction)>,
) -> Vec<(Vec<&'static str>, &'a Conjunction)> {
    let mut places: HashMap<&Conjunction, usize> = HashMap::new();
    let mut groups: Vec<(Vec<&'static str>, &Conjunction)> = Vec::new();
    for (name, alternative) in conditional {
        let place = *places.entry(alternative).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((names, _)) => names.push(name),
            None => groups.push((vec![name], alternative)),
        }
    }
    groups
}

/// The known calls of which the policy allows nothing, by number.
pub(crate) fn denied(policy: &Policy) -> Vec<&'static str> {
    let calls = confine_kernel::calls().iter();
    calls
        .filter(|call| !policy.names(Architecture::X86_64, call.number))
        .map(|call| call.name)
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use confine_policy::{ARGUMENTS, Masked, Rule};

    use super::*;

    /// Two calls without conditions, one with two alternatives, and one with a condition on a highest bit.
    pub(crate) fn policy() -> Policy {
        let rule = |conditions: &[(usize, u64, u64)]| {
            let mut arguments = [Masked::default(); ARGUMENTS];
            for (index, mask, value) in conditions {
                arguments[*index] = Masked::new(*mask, *value);
            }
            Rule::from(Conjunction::new(arguments))
        };
        let whole = 0xffff_ffff;
        let socket = rule(&[(0, whole, 1), (1, 0xf, 2)]).union(&rule(&[(0, whole, 10)]));
        let mut policy = Policy::new();
        for (name, rule) in [
            ("write", Rule::any()),
            ("read", Rule::any()),
            ("socket", socket),
            ("mmap", rule(&[(2, u64::MAX, 3)])),
        ] {
            let number = confine_kernel::call_named(name).unwrap().number;
            policy.allow(Architecture::X86_64, number, &rule);
        }
        policy
    }

    #[test]
    fn calls_are_sorted_by_name() {
        let policy = policy();
        let named = named(&policy).unwrap();
        assert_eq!(named.unconditional, ["read", "write"]);
        let names: Vec<&str> = named
            .conditional
            .iter()
            .flat_map(|(names, _)| names.clone())
            .collect();
        assert_eq!(names, ["mmap", "socket", "socket"]);
    }

    #[test]
    fn calls_share_what_they_have_in_common() {
        let one: Rule = Conjunction::one(0, Masked::new(0xffff_ffff, 1))
            .into_iter()
            .collect();
        let mut policy = policy();
        for name in ["socket", "dup3"] {
            let number = confine_kernel::call_named(name).unwrap().number;
            policy.allow(Architecture::X86_64, number, &one);
        }
        let named = named(&policy).unwrap();
        let shared: Vec<_> = named
            .conditional
            .iter()
            .filter(|(names, _)| names.len() > 1)
            .collect();
        assert!(
            matches!(shared.as_slice(), [(names, _)] if *names == ["dup3", "socket"]),
            "{shared:?}"
        );
    }
}
