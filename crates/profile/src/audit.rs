//! The same policy with everything else let through and logged, to see what a program asks for that it is not allowed.

use std::collections::BTreeSet;

use confine_policy::{Architecture, Policy};
use serde_json::{Value, json};

use crate::oci::{self, Error};

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
    let mut profile: Value = serde_json::from_str(&oci::oci(policy)?)?;
    let allowed: BTreeSet<u32> = policy
        .calls(Architecture::X86_64)
        .filter(|(_, rule)| !rule.is_never())
        .map(|(number, _)| number)
        .collect();
    let others: Vec<&str> = confine_kernel::calls()
        .iter()
        .filter(|call| !allowed.contains(&call.number))
        .map(|call| call.name)
        .collect();
    let Some(object) = profile.as_object_mut() else {
        return Ok(profile.to_string());
    };
    object.insert("defaultAction".to_owned(), json!("SCMP_ACT_LOG"));
    object.remove("defaultErrnoRet");
    if let Some(rules) = object.get_mut("syscalls").and_then(Value::as_array_mut)
        && !others.is_empty()
    {
        rules.push(json!({
            "names": others,
            "action": "SCMP_ACT_ALLOW",
            "args": [{ "index": 5, "value": NEVER_PASSED, "op": "SCMP_CMP_EQ" }],
        }));
    }
    Ok(serde_json::to_string_pretty(&profile)? + "\n")
}

#[cfg(test)]
mod tests {
    use confine_policy::{Conjunction, Masked, Rule};

    use super::*;

    #[test]
    fn everything_that_is_not_allowed_is_logged() {
        let number = |name: &str| confine_kernel::call_named(name).unwrap().number;
        let mut policy = Policy::new();
        policy.allow(Architecture::X86_64, number("read"), &Rule::any());
        let mut arguments = [Masked::default(); 6];
        arguments[1] = Masked::new(0xffff_ffff, 0x5401);
        let one: Rule = [Conjunction::new(arguments)].into_iter().collect();
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
}
