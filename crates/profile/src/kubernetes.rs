//! The Kubernetes Security Profiles Operator's resource, `security-profiles-operator.x-k8s.io/v1` SeccompProfile.
//!
//! Its values are signed: a condition on the highest bit of an argument cannot be said. Such a condition compares the other
//! bits only, which allows more; [`Kubernetes::weakened`] has the calls. There is no default errno either: what is denied
//! fails with EPERM, after which the C library does not fall back from calls that only newer kernels have. So every call
//! that is not allowed at all and is known has an entry of its own that answers ENOSYS, and only calls with conditions,
//! which old kernels have, too, answer EPERM.

use std::fmt::Write;

use confine_policy::{Conjunction, Masked, Policy};

use crate::names::{Named, denied, named};
use crate::oci::{Error, NO_SUCH_CALL};

/// A resource, and what was lost in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kubernetes {
    /// The resource as YAML.
    pub text: String,
    /// Calls one of whose conditions could not be said in full.
    pub weakened: Vec<&'static str>,
}

/// The policy's x86-64 part as a resource of that name, which must be a DNS label of Kubernetes.
///
/// # Errors
/// When a call has no name.
pub fn kubernetes(policy: &Policy, name: &str) -> Result<Kubernetes, Error> {
    let Named {
        unconditional,
        conditional,
    } = named(policy)?;
    let mut text = format!(
        "apiVersion: security-profiles-operator.x-k8s.io/v1\nkind: SeccompProfile\nmetadata:\n  name: {name}\nspec:\n  \
         defaultAction: SCMP_ACT_ERRNO\n  architectures:\n    - SCMP_ARCH_X86_64\n  syscalls:\n"
    );
    if !unconditional.is_empty() {
        entry(&mut text, "SCMP_ACT_ALLOW", &unconditional);
    }
    let mut weakened = Vec::new();
    for (calls, alternative) in &conditional {
        entry(&mut text, "SCMP_ACT_ALLOW", calls);
        let (sayable, whole) = sayable(alternative);
        if !whole {
            weakened.extend(calls);
        }
        if !sayable.is_empty() {
            text += "      args:\n";
        }
        for (index, condition) in sayable {
            let (mask, value) = (condition.mask(), condition.value());
            // Writing to a text cannot fail.
            let _ = writeln!(
                text,
                "        - index: {index}\n          value: {mask}\n          valueTwo: {value}\n          op: \
                 SCMP_CMP_MASKED_EQ"
            );
        }
    }
    let denied = denied(policy);
    if !denied.is_empty() {
        entry(&mut text, "SCMP_ACT_ERRNO", &denied);
        let _ = writeln!(text, "      errnoRet: {NO_SUCH_CALL}");
    }
    weakened.sort_unstable();
    weakened.dedup();
    Ok(Kubernetes { text, weakened })
}

fn entry(text: &mut String, action: &str, names: &[&str]) {
    let _ = write!(text, "    - action: {action}\n      names:\n");
    for name in names {
        let _ = writeln!(text, "        - {name}");
    }
}

/// The conditions without the highest bit, and whether that is all of them.
fn sayable(alternative: &Conjunction) -> (Vec<(usize, Masked)>, bool) {
    let low = u64::MAX >> 1;
    let conditions: Vec<(usize, Masked)> = alternative.conditions().collect();
    let whole = conditions
        .iter()
        .all(|(_, condition)| condition.mask() & !low == 0);
    let sayable = conditions
        .into_iter()
        .map(|(index, condition)| (index, Masked::new(condition.mask() & low, condition.value())))
        .filter(|(_, condition)| condition.mask() != 0);
    (sayable.collect(), whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::tests::policy;

    #[test]
    fn resources_have_the_shape_that_the_operator_reads() {
        let Kubernetes { text, weakened } = kubernetes(&policy(), "server").unwrap();
        let (head, denied) = text.split_once("    - action: SCMP_ACT_ERRNO\n").unwrap();
        assert_eq!(head, include_str!("../tests/kubernetes.yaml"));
        assert_eq!(weakened, ["mmap"]);
        let names: Vec<&str> = denied
            .lines()
            .filter_map(|line| line.strip_prefix("        - "))
            .collect();
        assert_eq!(names.len() + 4, confine_kernel::calls().len());
        assert!(names.contains(&"clone3") && !names.contains(&"socket"));
        assert!(denied.ends_with("      errnoRet: 38\n"));
    }

    #[test]
    fn an_alternative_of_the_highest_bit_alone_allows_anything() {
        let highest = Conjunction::one(0, Masked::new(1 << 63, 0)).unwrap();
        let (conditions, whole) = sayable(&highest);
        assert!(conditions.is_empty() && !whole);
    }
}
