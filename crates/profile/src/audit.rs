//! The same policy with everything else let through and logged, to see what a program asks for that it is not allowed.

use confine_policy::{ARGUMENTS, Conjunction, Masked, Policy};

use crate::names::denied;
use crate::oci::{self, Entry, Error};

/// An argument that no program passes: it makes a rule that names a call and never matches it.
const NEVER_PASSED: u64 = 0x5ca1_ab1e_0dd5_eed5;

/// A profile that allows what the policy does, and lets everything else through with a record in the kernel's log.
///
/// runc answers every call above the largest number that a rule names with ENOSYS before the filter proper sees it, so
/// every other call is named in a rule that never matches.
///
/// # Errors
/// When the policy has more conditions than a profile may.
pub fn auditing(policy: &Policy) -> Result<String, Error> {
    let mut profile = oci::profile(policy)?;
    profile.default_action = "SCMP_ACT_LOG";
    profile.default_errno_ret = None;
    // What denies a call by name would hide it from the log.
    profile.syscalls.retain(|entry| entry.action == oci::ALLOW);
    let others = denied(policy);
    let never_passed = Conjunction::one(ARGUMENTS - 1, Masked::new(u64::MAX, NEVER_PASSED));
    if let Some(never_passed) = never_passed.filter(|_| !others.is_empty()) {
        profile.syscalls.push(Entry::new(others, &never_passed));
    }
    Ok(serde_json::to_string_pretty(&profile)? + "\n")
}

#[cfg(test)]
mod tests {
    use confine_policy::{Architecture, Rule};
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn everything_that_is_not_allowed_is_logged() {
        let number = |name: &str| confine_kernel::call_named(name).unwrap().number;
        let mut policy = Policy::new();
        policy.allow(Architecture::X86_64, number("read"), &Rule::any());
        let one: Rule = Conjunction::one(1, Masked::new(0xffff_ffff, 0x5401))
            .into_iter()
            .collect();
        policy.allow(Architecture::X86_64, number("ioctl"), &one);
        let audit: Value = serde_json::from_str(&auditing(&policy).unwrap()).unwrap();
        assert_eq!(audit["defaultAction"], "SCMP_ACT_LOG");
        assert_eq!(audit.get("defaultErrnoRet"), None);
        let rules = audit["syscalls"].as_array().unwrap();
        assert!(rules.iter().all(|rule| rule["action"] == "SCMP_ACT_ALLOW"));
        let others = rules.last().unwrap();
        let names = others["names"].as_array().unwrap();
        let named = |name: &str| names.contains(&json!(name));
        assert!(named("reboot") && !named("read") && !named("ioctl"));
        assert_eq!(others["args"][0]["index"], 5);
    }

    #[test]
    fn an_answer_for_the_sake_of_threads_hides_no_call() {
        let mut policy = Policy::new();
        let clone = confine_kernel::call_named("clone").unwrap().number;
        policy.allow(Architecture::X86_64, clone, &Rule::any());
        let audit: Value = serde_json::from_str(&auditing(&policy).unwrap()).unwrap();
        let rules = audit["syscalls"].as_array().unwrap();
        assert_eq!(rules.len(), 2);
        assert!(rules.iter().all(|rule| rule["action"] == "SCMP_ACT_ALLOW"));
        assert!(rules[1]["names"].as_array().unwrap().contains(&json!("clone3")));
    }
}
