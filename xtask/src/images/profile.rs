//! The profile of an image: made by confine as a user would, counted, and varied for the runner's own checks.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use confine_engine::{Interrupt, Invocation};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::recipe::Recipe;
use crate::counts::{Counts, count};
use crate::report::{json, list, program};

/// A profile with what the table tells about it.
pub struct Profile {
    /// Where it lies.
    pub path: PathBuf,
    /// How many calls it allows.
    pub allowed: usize,
    /// What is counted, where confine made it.
    pub figures: Option<Figures>,
}

/// What is counted of one image.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// What the report has.
    #[serde(flatten)]
    pub counts: Counts,
    /// Calls that the main program's own policy allows, with those of what it can execute.
    pub policy: usize,
    /// How many of them with some arguments only.
    pub policy_restricted: usize,
    /// How long confine took without a cache, in milliseconds.
    pub milliseconds: u64,
    /// Its largest resident set, in bytes.
    pub memory: u64,
}

/// Has confine write the image's profile and report into `output`.
pub fn make(
    confine: &Path,
    interrupt: &Interrupt,
    archive: &Path,
    recipe: &Recipe,
    output: &Path,
) -> anyhow::Result<Profile> {
    let path = output.join("profile.json");
    let report = output.join("report.json");
    let policies = output.join("policies");
    let run = Invocation::new(confine)
        .arg("profile")
        .arg(format!("docker-archive:{}", archive.display()))
        .arg("--no-cache")
        .arg("--output")
        .arg(&path)
        .arg("--report")
        .arg(&report)
        .arg("--per-program")
        .arg(&policies)
        .args(recipe.also_arguments())
        .limit(Duration::from_secs(300))
        .interrupt(interrupt);
    let finished = run.run()?;
    ensure!(
        finished.code == Some(0),
        "`{}` ended with {}: {}",
        run.line(),
        finished.outcome(),
        finished.stderr
    );
    let report = json(&report)?;
    let (policy, policy_restricted) = policy(&json(&policies.join("index.json"))?, &report, &recipe.main);
    let figures = Figures {
        counts: count(&report, &recipe.main),
        policy,
        policy_restricted,
        milliseconds: finished.elapsed.as_millis().try_into().unwrap_or(u64::MAX),
        memory: finished.peak_memory,
    };
    Ok(Profile {
        figures: Some(figures),
        ..read(&path)?
    })
}

/// How many calls the main program's own policy allows, by the index of policies, and how many of them it restricts.
fn policy(index: &Value, report: &Value, main: &str) -> (usize, usize) {
    let path = program(report, main).map(|program| &program["path"]);
    let mut policies = list(index, "programs").iter();
    let listed = policies.find(|listed| Some(&listed["path"]) == path);
    let number = |field: &str| {
        listed
            .and_then(|listed| listed[field].as_u64())
            .unwrap_or_default()
    };
    (number("calls") as usize, number("restricted") as usize)
}

/// Takes a profile that somebody else made.
pub fn read(path: &Path) -> anyhow::Result<Profile> {
    let allowed = allowed_names(&json(path)?);
    ensure!(!allowed.is_empty(), "{} allows nothing", path.display());
    Ok(Profile {
        path: path.to_owned(),
        allowed: allowed.len(),
        figures: None,
    })
}

/// The same policy, with everything else let through and logged.
pub fn auditing(profile: &Path, path: &Path) -> anyhow::Result<()> {
    let text =
        std::fs::read_to_string(profile).with_context(|| format!("cannot read {}", profile.display()))?;
    let reading = confine_profile::read_oci(&text, &confine_kernel::DOCKER_CAPABILITIES)
        .with_context(|| format!("cannot read {}", profile.display()))?;
    let text = confine_profile::auditing(&reading.policy)?;
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// The same profile without one call.
pub fn without_call(profile: &Path, call: &str, path: &Path) -> anyhow::Result<()> {
    let text = crippled_variant(json(profile)?, call).to_string();
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn crippled_variant(mut profile: Value, call: &str) -> Value {
    let rules = profile.get_mut("syscalls").and_then(Value::as_array_mut);
    for rule in rules.into_iter().flatten() {
        if let Some(names) = rule.get_mut("names").and_then(Value::as_array_mut) {
            names.retain(|name| name.as_str() != Some(call));
        }
    }
    if let Some(rules) = profile.get_mut("syscalls").and_then(Value::as_array_mut) {
        // A rule must name something.
        rules.retain(|rule| {
            rule.get("names")
                .and_then(Value::as_array)
                .is_some_and(|names| !names.is_empty())
        });
    }
    profile
}

fn allowed_names(profile: &Value) -> BTreeSet<String> {
    let names = rules(profile)
        .filter(|rule| is_allowing(rule))
        .filter_map(|rule| rule.get("names")?.as_array());
    names
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn rules(profile: &Value) -> impl Iterator<Item = &Value> {
    profile
        .get("syscalls")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn is_allowing(rule: &Value) -> bool {
    rule.get("action").and_then(Value::as_str) == Some("SCMP_ACT_ALLOW")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn profile() -> Value {
        json!({
            "defaultAction": "SCMP_ACT_ERRNO",
            "defaultErrnoRet": 38,
            "architectures": ["SCMP_ARCH_X86_64"],
            "syscalls": [
                { "names": ["read", "write"], "action": "SCMP_ACT_ALLOW" },
                { "names": ["bind"], "action": "SCMP_ACT_ALLOW" },
                { "names": ["reboot"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1 },
            ],
        })
    }

    #[test]
    fn only_allowing_rules_count() {
        let allowed: Vec<String> = allowed_names(&profile()).into_iter().collect();
        assert_eq!(allowed, ["bind", "read", "write"]);
    }

    #[test]
    fn a_crippled_variant_lacks_one_call_and_no_rule_is_empty() {
        let crippled = crippled_variant(profile(), "bind");
        assert_eq!(
            allowed_names(&crippled).into_iter().collect::<Vec<_>>(),
            ["read", "write"]
        );
        assert_eq!(crippled["syscalls"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn the_policy_of_the_main_program_is_counted() {
        let report = json!({ "programs": [
            { "path": "/bin/sh" },
            { "path": "/usr/bin/check", "invoked": ["/usr/bin/server"] },
        ] });
        let index = json!({ "programs": [
            { "path": "/bin/sh", "calls": 90, "restricted": 20 },
            { "path": "/usr/bin/check", "calls": 120, "restricted": 30 },
        ] });
        assert_eq!(policy(&index, &report, "server"), (120, 30));
        assert_eq!(policy(&index, &report, "another"), (0, 0));
    }
}
