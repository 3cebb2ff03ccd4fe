//! The profile of an image: made by confine as a user would, counted, and varied for the runner's own checks.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use confine_engine::{Interrupt, Invocation};
use serde_json::Value;

use super::recipe::Recipe;
use crate::report::{json, list, program};

/// A profile with what the table tells about it.
pub struct Profile {
    /// Where it lies.
    pub path: PathBuf,
    /// What is counted in it.
    pub figures: Figures,
}

/// The figures of one image's profile.
#[derive(Debug, Default, Clone)]
pub struct Figures {
    /// Names of the calls that are allowed.
    pub allowed: BTreeSet<String>,
    /// What the report says, where confine made the profile.
    pub report: Option<ReportFigures>,
    /// How long confine took, and its largest resident set in bytes.
    pub cost: Option<(Duration, u64)>,
}

/// The figures that come from a report.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ReportFigures {
    /// Calls of the main program.
    pub main_calls: Option<usize>,
    /// Programs that the container can run.
    pub programs: usize,
    /// Objects that they load.
    pub objects: usize,
    /// Things that could not be resolved.
    pub assumptions: usize,
    /// Calls that are allowed for such a thing alone: whatever the engine's default allows, as where a call's number
    /// stays open.
    pub widened: usize,
}

impl Figures {
    /// How many of the published table's 335 calls are denied.
    pub fn denied_of_published_table(&self) -> usize {
        confine_kernel::published_table()
            .filter(|call| !self.allowed.contains(call.name))
            .count()
    }
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
    let run = Invocation::new(confine)
        .arg("profile")
        .arg(format!("docker-archive:{}", archive.display()))
        .arg("--output")
        .arg(&path)
        .arg("--report")
        .arg(&report)
        .args(recipe.also.iter().flat_map(|command| ["--also", command]))
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
    let mut profile = read(&path)?;
    profile.figures.report = Some(report_figures(&json(&report)?, &recipe.main));
    profile.figures.cost = Some((finished.elapsed, finished.peak_memory));
    Ok(profile)
}

/// Takes a profile that somebody else made.
pub fn read(path: &Path) -> anyhow::Result<Profile> {
    let allowed = allowed_names(&json(path)?);
    ensure!(!allowed.is_empty(), "{} allows nothing", path.display());
    Ok(Profile {
        path: path.to_owned(),
        figures: Figures {
            allowed,
            report: None,
            cost: None,
        },
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

fn report_figures(report: &Value, main: &str) -> ReportFigures {
    ReportFigures {
        main_calls: program(report, main).map(|program| list(program, "calls").len()),
        programs: list(report, "programs").len(),
        objects: list(report, "objects").len(),
        assumptions: list(report, "assumptions").len(),
        widened: list(report, "widened").len(),
    }
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
        let figures = Figures {
            allowed: allowed.into_iter().collect(),
            ..Figures::default()
        };
        assert_eq!(figures.denied_of_published_table(), 332);
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
    fn a_report_is_counted() {
        let report = json!({
            "objects": [1, 2, 3],
            "programs": [
                { "path": "/bin/sh", "calls": [1], "assumptions": [1] },
                { "path": "/usr/bin/check", "invoked": ["/usr/bin/server"], "calls": [1, 2] },
            ],
            "assumptions": [1, 2],
            "widened": [1],
        });
        let expected = ReportFigures {
            main_calls: Some(2),
            programs: 2,
            objects: 3,
            assumptions: 2,
            widened: 1,
        };
        assert_eq!(report_figures(&report, "server"), expected);
        assert_eq!(report_figures(&json!({}), "server"), ReportFigures::default());
    }
}
