//! Seccomp profiles of the OCI runtime specification, in the part that runc, crun, Docker and podman all read
//! the same way.
//!
//! - What is denied fails with ENOSYS, not EPERM: the C library falls back from `clone3`, `faccessat2`, `openat2`
//!   and `statx` only then.
//! - Where `clone` is allowed and `clone3` is not, the latter has an entry of its own that says ENOSYS: Docker up to 20.10
//!   drops the default errno, and a thread that cannot be made for EPERM is not tried again by `clone`.
//! - Calls without conditions share one entry; an unconditional entry would void any conditional one of its call,
//!   and the policy has no call in both states.
//! - Every alternative of a conditional call is an entry of its own, with one condition for each argument: runtimes
//!   turn conditions that repeat an argument into alternatives. Conditions are masked comparisons, in which `value`
//!   is the mask and `valueTwo` what the masked argument must be.
//! - Neither flags nor comments, and only the native architecture: some version of some engine chokes on each.

use confine_policy::{Architecture, Conjunction, Policy};
use serde::Serialize;

use crate::names::{Named, named};

/// How many entries a profile may have where it travels as an OCI artifact.
pub const MAXIMUM_ENTRIES: usize = 128;

/// How many entries of calls with conditions leave room for the others.
pub const MAXIMUM_CONDITIONAL: usize = MAXIMUM_ENTRIES - 2;

/// Actions, as profiles name them.
pub(crate) const ALLOW: &str = "SCMP_ACT_ALLOW";
const DENY: &str = "SCMP_ACT_ERRNO";

/// ENOSYS.
pub(crate) const NO_SUCH_CALL: u32 = 38;

/// Why a policy cannot be written as an OCI profile.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A call of the policy has no name in the kernel's table.
    #[error("system call {0} has no name in the table of Linux {version}", version = confine_kernel::LINUX_VERSION)]
    Nameless(u32),
    /// Too many alternatives.
    #[error("the profile would have {0} entries, expected at most {MAXIMUM_ENTRIES}")]
    TooManyEntries(usize),
    /// The JSON writer failed.
    #[error("cannot write the profile as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// The policy's x86-64 part as JSON, with a line feed at its end.
///
/// # Errors
/// When a call has no name or there are too many conditions.
pub fn oci(policy: &Policy) -> Result<String, Error> {
    let mut text = serde_json::to_string_pretty(&profile(policy)?)?;
    text.push('\n');
    Ok(text)
}

/// What is written of the policy's x86-64 part.
pub(crate) fn profile(policy: &Policy) -> Result<Profile, Error> {
    let Named {
        unconditional,
        conditional,
    } = named(policy)?;
    let mut syscalls = Vec::new();
    if !unconditional.is_empty() {
        syscalls.push(Entry::new(unconditional, &Conjunction::default()));
    }
    syscalls.extend(
        conditional
            .into_iter()
            .map(|(names, alternative)| Entry::new(names, alternative)),
    );
    if allows(policy, "clone") && !allows(policy, "clone3") && syscalls.len() < MAXIMUM_ENTRIES {
        syscalls.push(Entry {
            names: vec!["clone3"],
            action: DENY,
            errno_ret: Some(NO_SUCH_CALL),
            args: Vec::new(),
        });
    }
    if syscalls.len() > MAXIMUM_ENTRIES {
        return Err(Error::TooManyEntries(syscalls.len()));
    }
    Ok(Profile {
        default_action: DENY,
        default_errno_ret: Some(NO_SUCH_CALL),
        architectures: ["SCMP_ARCH_X86_64"],
        syscalls,
    })
}

/// Whether some arguments of the call are allowed.
fn allows(policy: &Policy, name: &str) -> bool {
    confine_kernel::call_named(name).is_some_and(|call| policy.names(Architecture::X86_64, call.number))
}

/// A profile, member by member.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Profile {
    pub default_action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_errno_ret: Option<u32>,
    architectures: [&'static str; 1],
    pub syscalls: Vec<Entry>,
}

/// What is done about some calls.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    names: Vec<&'static str>,
    pub action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    errno_ret: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    args: Vec<Condition>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    index: usize,
    value: u64,
    value_two: u64,
    op: &'static str,
}

impl Entry {
    /// Allows calls where the alternative holds.
    pub fn new(names: Vec<&'static str>, alternative: &Conjunction) -> Self {
        let condition = |(index, condition): (usize, confine_policy::Masked)| Condition {
            index,
            value: condition.mask(),
            value_two: condition.value(),
            op: "SCMP_CMP_MASKED_EQ",
        };
        Self {
            names,
            action: ALLOW,
            errno_ret: None,
            args: alternative.conditions().map(condition).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use confine_policy::{ARGUMENTS, Masked, Rule};
    use serde_json::{Value, json};

    use super::*;

    fn policy(calls: &[(u32, Rule)]) -> Policy {
        let mut policy = Policy::new();
        for (number, rule) in calls {
            policy.allow(Architecture::X86_64, *number, rule);
        }
        policy
    }

    fn arguments(conditions: &[(usize, u64, u64)]) -> Rule {
        let mut arguments = [Masked::default(); ARGUMENTS];
        for (index, mask, value) in conditions {
            arguments[*index] = Masked::new(*mask, *value);
        }
        Rule::from(Conjunction::new(arguments))
    }

    #[test]
    fn profiles_have_the_shape_that_engines_read() {
        let socket =
            arguments(&[(0, 0xffff_ffff, 1), (1, 0xf, 2)]).union(&arguments(&[(0, 0xffff_ffff, 10)]));
        let any =
            ["write", "read"].map(|name| (confine_kernel::call_named(name).unwrap().number, Rule::any()));
        for (calls, expected) in [
            (vec![], json!([])),
            (
                any.to_vec(),
                json!([{"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"}]),
            ),
            (
                vec![(41, socket)],
                json!([
                    {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [
                        {"index": 0, "value": 4_294_967_295_u64, "valueTwo": 1, "op": "SCMP_CMP_MASKED_EQ"},
                        {"index": 1, "value": 15, "valueTwo": 2, "op": "SCMP_CMP_MASKED_EQ"}]},
                    {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [
                        {"index": 0, "value": 4_294_967_295_u64, "valueTwo": 10, "op": "SCMP_CMP_MASKED_EQ"}]},
                ]),
            ),
        ] {
            let text = oci(&policy(&calls)).unwrap();
            assert!(text.ends_with("}\n"));
            let expected = json!({
                "defaultAction": "SCMP_ACT_ERRNO",
                "defaultErrnoRet": 38,
                "architectures": ["SCMP_ARCH_X86_64"],
                "syscalls": expected,
            });
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected);
        }
    }

    #[test]
    fn threads_fall_back_to_clone_where_clone3_is_denied() {
        let number = |name| confine_kernel::call_named(name).unwrap().number;
        for (names, expected) in [
            (&["clone"][..], true),
            (&["clone", "clone3"], false),
            (&["clone3"], false),
            (&["read"], false),
        ] {
            let calls: Vec<(u32, Rule)> = names.iter().map(|name| (number(name), Rule::any())).collect();
            let text = oci(&policy(&calls)).unwrap();
            let profile: Value = serde_json::from_str(&text).unwrap();
            let entry = json!({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38});
            let entries = profile["syscalls"].as_array().unwrap();
            assert_eq!(entries.contains(&entry), expected, "{names:?}");
        }
    }

    #[test]
    fn what_cannot_be_written_is_named() {
        let many: Rule = (0..129).fold(Rule::never(), |rule, value| {
            rule.union(&arguments(&[(1, u64::MAX, value)]))
        });
        for (calls, expected) in [
            (
                vec![(400, Rule::any())],
                "system call 400 has no name in the table of Linux 7.3.4",
            ),
            (
                vec![(16, many)],
                "the profile would have 129 entries, expected at most 128",
            ),
        ] {
            assert_eq!(oci(&policy(&calls)).unwrap_err().to_string(), expected);
        }
    }
}
