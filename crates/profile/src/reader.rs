//! Profiles of the OCI runtime specification as policies, read as runc and libseccomp read them.
//!
//! - Only what is let through becomes part of the policy: entries that deny or ask somebody are denied here, too, and named.
//! - An entry whose conditions repeat an argument is one alternative for each condition; runc and crun do so.
//! - Of a call that one entry allows without conditions, the conditional entries are void; a union says the same.
//! - Names that the kernel's table does not have are skipped as the runtimes skip them, and named.
//! - Comparisons with numbers become unions of masked ones: exactly, as every range of 64-bit numbers consists of at most
//!   126 aligned blocks.

use confine_policy::{ARGUMENTS, Architecture, Conjunction, Masked, Policy, Rule};
use serde::Deserialize;

/// How many entries are read, and how many conditions, names and alternatives in one, so that a hostile file ends.
const MAXIMUM: usize = 4096;

/// A profile as far as a policy can say it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// What it lets through on x86-64.
    pub policy: Policy,
    /// What it says of everything else, as libseccomp names it.
    pub default_action: String,
    /// The error number that goes with it, where it has one.
    pub default_errno: Option<u32>,
    /// What of it the policy does not say, a line each.
    pub notes: Vec<String>,
}

/// Why a text cannot be read as a policy.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is not JSON, or not of a profile's shape.
    #[error("not a profile of the OCI runtime specification: {0}")]
    Malformed(#[from] serde_json::Error),
    /// It lets through what it does not name.
    #[error("expected a profile that denies what it does not name, found the default action {0}")]
    Permissive(String),
    /// It is not for x86-64.
    #[error("expected a profile for SCMP_ARCH_X86_64, found {0}")]
    Architecture(String),
    /// It has parts that only Docker reads.
    #[error(
        "entry {0} depends on capabilities, kernel or architecture: expected plain OCI, as engines hand it to runtimes"
    )]
    Conditional(usize),
    /// A comparison that there is not.
    #[error("entry {entry}: expected a comparison of libseccomp, as SCMP_CMP_EQ, found {found:?}")]
    Comparison {
        /// The entry's index.
        entry: usize,
        /// What is there.
        found: String,
    },
    /// An argument that there is not.
    #[error("entry {entry}: expected an argument's index below {ARGUMENTS}, found {found}")]
    Argument {
        /// The entry's index.
        entry: usize,
        /// What is there.
        found: u64,
    },
    /// More than anybody writes.
    #[error("entry {0}: expected at most {MAXIMUM} entries, names, conditions and ranges of values")]
    Size(usize),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    default_action: String,
    default_errno_ret: Option<u32>,
    #[serde(default)]
    architectures: Option<Vec<String>>,
    #[serde(default)]
    syscalls: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    names: Vec<String>,
    action: String,
    #[serde(default)]
    args: Option<Vec<Condition>>,
    #[serde(default)]
    includes: Option<serde_json::Map<String, serde_json::Value>>,
    #[serde(default)]
    excludes: Option<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    index: u64,
    value: u64,
    #[serde(default)]
    value_two: u64,
    op: String,
}

/// Reads a profile.
///
/// # Errors
/// When the text is none, or says what a policy for x86-64 that denies by default cannot say.
pub fn read_oci(text: &str) -> Result<Reading, ReadError> {
    let profile: Profile = serde_json::from_str(text)?;
    if lets_through(&profile.default_action) {
        return Err(ReadError::Permissive(profile.default_action));
    }
    let architectures = profile.architectures.unwrap_or_default();
    if !architectures.is_empty() && !architectures.iter().any(|name| name == "SCMP_ARCH_X86_64") {
        return Err(ReadError::Architecture(architectures.join(", ")));
    }
    let mut reading = Reading {
        default_action: profile.default_action,
        default_errno: profile.default_errno_ret,
        ..Reading::default()
    };
    if architectures.len() > 1 {
        reading.notes.push(format!(
            "only SCMP_ARCH_X86_64 is looked at, of {}",
            architectures.join(", ")
        ));
    }
    let entries = profile.syscalls.unwrap_or_default();
    if entries.len() > MAXIMUM {
        return Err(ReadError::Size(entries.len()));
    }
    for (index, entry) in entries.iter().enumerate() {
        add(&mut reading, index, entry)?;
    }
    Ok(reading)
}

fn lets_through(action: &str) -> bool {
    matches!(action, "SCMP_ACT_ALLOW" | "SCMP_ACT_LOG")
}

fn add(reading: &mut Reading, index: usize, entry: &Entry) -> Result<(), ReadError> {
    let is_filled =
        |conditions: &Option<serde_json::Map<_, _>>| conditions.as_ref().is_some_and(|map| !map.is_empty());
    if is_filled(&entry.includes) || is_filled(&entry.excludes) {
        return Err(ReadError::Conditional(index));
    }
    let conditions = entry.args.as_deref().unwrap_or_default();
    if conditions.len() > MAXIMUM || entry.names.len() > MAXIMUM {
        return Err(ReadError::Size(index));
    }
    if !lets_through(&entry.action) {
        if entry.action != reading.default_action {
            let names = entry.names.join(", ");
            reading
                .notes
                .push(format!("{} for {names} is taken as denied", entry.action));
        }
        return Ok(());
    }
    let rule = rule(index, conditions)?;
    for name in &entry.names {
        match confine_kernel::call_named(name) {
            Some(call) => reading.policy.allow(Architecture::X86_64, call.number, &rule),
            None => reading.notes.push(format!(
                "x86-64 has no system call {name} as of Linux {}",
                confine_kernel::LINUX_VERSION
            )),
        }
    }
    Ok(())
}

fn rule(entry: usize, conditions: &[Condition]) -> Result<Rule, ReadError> {
    let mut seen = [false; ARGUMENTS];
    let mut repeated = false;
    let mut rules = Vec::new();
    for condition in conditions {
        let (slot, index) = usize::try_from(condition.index)
            .ok()
            .and_then(|index| Some((seen.get_mut(index)?, index)))
            .ok_or(ReadError::Argument {
                entry,
                found: condition.index,
            })?;
        repeated |= std::mem::replace(slot, true);
        rules.push(compared(entry, index, condition)?);
    }
    // Sums, and products that are looked at before they are formed.
    let count = |rule: &Rule| rule.alternatives().count().max(1);
    let product = rules.iter().map(count).try_fold(1usize, usize::checked_mul);
    if !repeated && product.is_none_or(|product| product > MAXIMUM) {
        return Err(ReadError::Size(entry));
    }
    Ok(match repeated {
        true => rules.iter().fold(Rule::never(), |all, one| all.union(one)),
        false => rules.iter().fold(Rule::any(), |all, one| all.intersection(one)),
    })
}

/// The values of one argument for which a condition holds.
fn compared(entry: usize, index: usize, condition: &Condition) -> Result<Rule, ReadError> {
    let (value, second) = (condition.value, condition.value_two);
    let exactly = |mask: u64, value: u64| Rule::from(on(index, Masked::new(mask, value)));
    Ok(match condition.op.as_str() {
        "SCMP_CMP_EQ" => exactly(u64::MAX, value),
        "SCMP_CMP_NE" => Rule::any().difference(&exactly(u64::MAX, value)),
        "SCMP_CMP_LT" => below(index, value),
        "SCMP_CMP_LE" => value
            .checked_add(1)
            .map_or_else(Rule::any, |end| below(index, end)),
        "SCMP_CMP_GE" => Rule::any().difference(&below(index, value)),
        "SCMP_CMP_GT" => match value.checked_add(1) {
            Some(end) => Rule::any().difference(&below(index, end)),
            None => Rule::never(),
        },
        // What is asked for outside the mask can never be.
        "SCMP_CMP_MASKED_EQ" if second & !value != 0 => Rule::never(),
        "SCMP_CMP_MASKED_EQ" => exactly(value, second),
        other => {
            return Err(ReadError::Comparison {
                entry,
                found: other.to_owned(),
            });
        }
    })
}

/// All values below `end`, as one block for each bit of it that is set.
fn below(index: usize, end: u64) -> Rule {
    let bits = (0..u64::BITS).filter(|bit| end >> bit & 1 != 0);
    bits.map(|bit| {
        // The bits above agree, this one is 0 where `end` has 1, and those below are free.
        let mask = u64::MAX << bit;
        on(index, Masked::new(mask, (end & mask) ^ (1 << bit)))
    })
    .collect()
}

fn on(index: usize, condition: Masked) -> Conjunction {
    let mut arguments = [Masked::default(); ARGUMENTS];
    if let Some(argument) = arguments.get_mut(index) {
        *argument = condition;
    }
    Conjunction::new(arguments)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn profile(syscalls: serde_json::Value) -> String {
        json!({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "architectures": ["SCMP_ARCH_X86_64"],
            "syscalls": syscalls})
        .to_string()
    }

    fn ioctl(conditions: serde_json::Value) -> String {
        profile(json!([{"names": ["ioctl"], "action": "SCMP_ACT_ALLOW", "args": conditions}]))
    }

    #[test]
    fn comparisons_are_exact() {
        type Holds = fn(u64, u64, u64) -> bool;
        let comparisons: [(&str, Holds); 7] = [
            ("SCMP_CMP_EQ", |argument, value, _| argument == value),
            ("SCMP_CMP_NE", |argument, value, _| argument != value),
            ("SCMP_CMP_LT", |argument, value, _| argument < value),
            ("SCMP_CMP_LE", |argument, value, _| argument <= value),
            ("SCMP_CMP_GT", |argument, value, _| argument > value),
            ("SCMP_CMP_GE", |argument, value, _| argument >= value),
            ("SCMP_CMP_MASKED_EQ", |argument, value, second| {
                argument & value == second
            }),
        ];
        let edges = [
            0,
            1,
            5,
            6,
            7,
            0xff,
            0xffff_ffff,
            0x1_0000_0000,
            u64::MAX - 1,
            u64::MAX,
        ];
        for (op, holds) in comparisons {
            for value in edges {
                for second in [0, 5, value] {
                    let condition = json!([{"index": 1, "value": value, "valueTwo": second, "op": op}]);
                    let policy = read_oci(&ioctl(condition)).unwrap().policy;
                    for argument in edges
                        .into_iter()
                        .chain([value.wrapping_sub(1), value.wrapping_add(1)])
                    {
                        let arguments = [9, argument, 9, 9, 9, 9];
                        assert_eq!(
                            policy.allows(Architecture::X86_64, 16, &arguments),
                            holds(argument, value, second),
                            "{argument} {op} {value} {second}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn an_argument_that_is_repeated_makes_alternatives() {
        let equal = |index: u32, value: u32| json!({"index": index, "value": value, "op": "SCMP_CMP_EQ"});
        let apart = read_oci(&ioctl(json!([equal(0, 1), equal(1, 2)])))
            .unwrap()
            .policy;
        let repeated = read_oci(&ioctl(json!([equal(0, 1), equal(1, 2), equal(1, 3)])))
            .unwrap()
            .policy;
        for (arguments, both, one) in [
            ([1, 2], true, true),
            ([1, 9], false, true),
            ([9, 3], false, true),
            ([9, 9], false, false),
        ] {
            let arguments = [arguments[0], arguments[1], 0, 0, 0, 0];
            assert_eq!(
                apart.allows(Architecture::X86_64, 16, &arguments),
                both,
                "{arguments:?}"
            );
            assert_eq!(
                repeated.allows(Architecture::X86_64, 16, &arguments),
                one,
                "{arguments:?}"
            );
        }
    }

    #[test]
    fn what_is_left_out_is_named() {
        let reading = read_oci(&profile(json!([
            {"names": ["read", "no_such_call"], "action": "SCMP_ACT_ALLOW"},
            {"names": ["ptrace"], "action": "SCMP_ACT_KILL_PROCESS"},
            {"names": ["bpf"], "action": "SCMP_ACT_ERRNO"},
        ])))
        .unwrap();
        let calls: Vec<u32> = reading
            .policy
            .calls(Architecture::X86_64)
            .map(|(number, _)| number)
            .collect();
        assert_eq!(calls, [0]);
        assert_eq!(
            reading.notes,
            [
                "x86-64 has no system call no_such_call as of Linux 7.3.4",
                "SCMP_ACT_KILL_PROCESS for ptrace is taken as denied"
            ]
        );
        assert_eq!(
            (reading.default_action.as_str(), reading.default_errno),
            ("SCMP_ACT_ERRNO", Some(38))
        );
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let includes =
            json!([{"names": ["bpf"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_BPF"]}}]);
        for (text, expected) in [
            ("[]".to_owned(), "not a profile of the OCI runtime specification"),
            (
                json!({"defaultAction": "SCMP_ACT_ALLOW"}).to_string(),
                "found the default action SCMP_ACT_ALLOW",
            ),
            (
                json!({"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_ARM"]}).to_string(),
                "expected a profile for SCMP_ARCH_X86_64, found SCMP_ARCH_ARM",
            ),
            (profile(includes), "entry 0 depends on capabilities"),
            (
                ioctl(json!([{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}])),
                "entry 0: expected an argument's index below 6, found 6",
            ),
            (
                ioctl(
                    (0..3)
                        .map(|index| json!({"index": index, "value": u64::MAX, "op": "SCMP_CMP_LT"}))
                        .collect(),
                ),
                "entry 0: expected at most 4096",
            ),
            (
                ioctl(json!([{"index": 0, "value": 0, "op": "SCMP_CMP_IS"}])),
                "found \"SCMP_CMP_IS\"",
            ),
        ] {
            let error = read_oci(&text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
