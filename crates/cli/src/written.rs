//! A policy in the form that was asked for.

use std::collections::BTreeSet;

use anyhow::Context;
use confine_bpf::Options;
use confine_policy::{Architecture, Policy, Rule};
use confine_profile::MAXIMUM_CONDITIONAL;
use confine_report::Coarser;

/// A form, with what it needs to know.
#[derive(Debug, Clone, Copy)]
pub enum Format<'a> {
    /// JSON of the OCI runtime specification.
    Oci,
    /// The Security Profiles Operator's resource of that name.
    Kubernetes(&'a str),
    /// A drop-in for a systemd service.
    Systemd,
    /// A label of an image.
    Podman,
    /// Filters, compiled so.
    Bpf(&'a Options),
}

/// A policy, ready to be written.
pub struct Written {
    /// The contents of its files: one, or more where it takes several filters.
    pub files: Vec<Vec<u8>>,
    /// The calls of which the form allows more than the policy does.
    pub coarser: Vec<Coarser>,
    /// What else the form cannot say, for a person.
    pub losses: Vec<String>,
}

/// What filters allow more than a policy that they were compiled from, where these calls lost their conditions in them.
pub fn loosened(policy: &Policy, calls: &BTreeSet<u32>) -> Vec<Coarser> {
    let mut looser = policy.clone();
    for number in calls {
        looser.allow(Architecture::X86_64, *number, &Rule::any());
    }
    coarser(policy, &looser)
}

/// Writes a policy; deterministic.
pub fn write(policy: &Policy, format: Format<'_>) -> anyhow::Result<Written> {
    if let Format::Bpf(options) = format {
        let filters =
            confine_bpf::compile(policy, options).context("cannot compile the policy to a filter")?;
        return Ok(Written {
            files: filters.iter().map(confine_bpf::Filter::to_bytes).collect(),
            coarser: Vec::new(),
            losses: Vec::new(),
        });
    }
    let expressible = policy.clone().coarsened(MAXIMUM_CONDITIONAL);
    let (text, losses) = text(&expressible, format)?;
    Ok(Written {
        files: vec![text.into_bytes()],
        coarser: coarser(policy, &expressible),
        losses,
    })
}

/// The profile, and what could not be said in it.
fn text(policy: &Policy, format: Format<'_>) -> Result<(String, Vec<String>), confine_profile::Error> {
    let lost = |calls: &[&str], what: &str| match calls {
        [] => Vec::new(),
        calls => vec![format!("{what}: {}", calls.join(", "))],
    };
    Ok(match format {
        Format::Oci | Format::Bpf(_) => (confine_profile::oci(policy)?, Vec::new()),
        Format::Podman => (confine_profile::podman(policy)?, Vec::new()),
        Format::Kubernetes(name) => {
            let resource = confine_profile::kubernetes(policy, name)?;
            let what = "the resource cannot say conditions on an argument's highest bit, which it allows to be set in";
            (resource.text, lost(&resource.weakened, what))
        }
        Format::Systemd => {
            let drop_in = confine_profile::systemd(policy)?;
            let what = "systemd cannot say conditions on arguments, so that any are allowed of";
            (drop_in.text, lost(&drop_in.loosened, what))
        }
    })
}

fn coarser(policy: &Policy, expressible: &Policy) -> Vec<Coarser> {
    let calls = policy.calls(Architecture::X86_64);
    calls
        .filter_map(|(number, rule)| {
            let left = expressible.rule(Architecture::X86_64, number);
            (left != *rule).then(|| Coarser {
                name: confine_kernel::name(number).unwrap_or_default().to_owned(),
                combinations: rule.alternatives().count() as u64,
                left: match left.is_any() {
                    true => 0,
                    false => left.alternatives().count() as u64,
                },
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use confine_policy::{Conjunction, Masked};

    use super::*;

    #[test]
    fn what_a_form_cannot_say_is_named() {
        let value = |value| Conjunction::one(1, Masked::new(u64::MAX, value)).unwrap();
        let mut policy = Policy::new();
        policy.allow(Architecture::X86_64, 0, &Rule::any());
        policy.allow(Architecture::X86_64, 16, &(0..200).map(value).collect::<Rule>());
        policy.allow(Architecture::X86_64, 72, &(0..2).map(value).collect::<Rule>());
        let oci = write(&policy, Format::Oci).unwrap();
        let said: Vec<_> = oci
            .coarser
            .iter()
            .map(|one| (one.name.as_str(), one.combinations, one.left))
            .collect();
        assert_eq!(said, [("ioctl", 200, 124)]);
        let bpf = write(&policy, Format::Bpf(&Options::default())).unwrap();
        assert!(bpf.coarser.is_empty() && bpf.files.len() == 1);
        let filters = loosened(&policy, &BTreeSet::from([72]));
        let said: Vec<_> = filters
            .iter()
            .map(|one| (one.name.as_str(), one.combinations, one.left))
            .collect();
        assert_eq!(said, [("fcntl", 2, 0)]);
    }
}
