//! One more life in which `confine observe` counts everything that the container does, and `confine compare` holds it
//! against what was foreseen: nothing may be left.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use confine_engine::{Interrupt, Invocation};
use serde_json::Value;

use super::recipe::{Recipe, Target};

/// How long a whole workload may take.
const LIMIT: Duration = Duration::from_secs(900);

/// The exit code of a check that failed.
const FAILED: i32 = 4;

/// How `compare` calls whoever executes a program in the container from outside.
const RUNTIME: &str = "container runtime";

/// Leads the container through its workload and a restart while it is observed; what was not foreseen, in words.
pub fn life(
    confine: &Path,
    interrupt: &Interrupt,
    images: &Path,
    target: &Target,
    output: &Path,
) -> anyhow::Result<Vec<String>> {
    let record = output.join("record.json");
    let mut observe = Invocation::new(confine)
        .arg("observe")
        .arg(target.reference())
        .args(["--quiet", "--port", &target.recipe.port.to_string()])
        .args(["--workload", &workload(images, target)])
        .args(["--output"])
        .arg(&record)
        .limit(LIMIT)
        .interrupt(interrupt);
    for variable in &target.recipe.environment {
        observe = observe.args(["--env", variable]);
    }
    let finished = observe.run()?;
    if finished.code != Some(0) {
        return Ok(vec![format!(
            "`confine observe` ended with {}: {}",
            finished.outcome(),
            finished.stderr.trim()
        )]);
    }
    let compare = Invocation::new(confine)
        .args(["compare", "--format", "json"])
        .arg(output.join("report.json"))
        .arg(&record)
        .interrupt(interrupt);
    let compared = compare.run()?;
    ensure!(
        [Some(0), Some(FAILED)].contains(&compared.code),
        "`{}` ended with {}: {}",
        compare.line(),
        compared.outcome(),
        compared.stderr
    );
    let comparison: Value = serde_json::from_str(&compared.stdout).context("a comparison is not JSON")?;
    let programs = comparison.pointer("/observed/programs").and_then(Value::as_u64);
    ensure!(
        programs.is_some_and(|programs| programs > 0),
        "nothing was observed in {}",
        target.name
    );
    Ok(problems(&comparison, &target.recipe))
}

/// Every step of the workload, a restart, and the first steps again; a restart gives the port another number.
fn workload(images: &Path, target: &Target) -> String {
    let step = format!("{} {}", images.join("run-step").display(), target.workload());
    let port = target.recipe.port;
    format!(
        "set -e
        for step in ready traffic failure reload shell; do {step} $step; done
        docker restart --time 20 $CONTAINER
        export HOST_PORT=$(docker port $CONTAINER {port} | sed -n 's/^127.0.0.1://p')
        for step in ready traffic; do {step} $step; done"
    )
}

/// What was not foreseen. A program that the workload executes from outside is the workload's, and no image foresees it;
/// what it does has to be allowed all the same, as has what a program does that the recipe says is only assumed, where
/// the report has such an assumption. An object that the container makes while it runs is in no image.
fn problems(comparison: &Value, recipe: &Recipe) -> Vec<String> {
    let findings = comparison.get("unforeseen").and_then(Value::as_array);
    let told = findings.into_iter().flatten().filter_map(|finding| {
        let text = |field: &str| finding.get(field).and_then(Value::as_str).unwrap_or_default();
        let executors = finding.get("executed_by").and_then(Value::as_array);
        let from_outside = executors.is_some_and(|executors| {
            !executors.is_empty()
                && executors
                    .iter()
                    .all(|executor| executor.as_str() == Some(RUNTIME))
        });
        let open = finding.get("open").and_then(Value::as_array);
        let name = text("program").rsplit('/').next().unwrap_or_default();
        let mut assumed = recipe.assumed_programs.iter();
        let is_assumed = open.is_some_and(|open| !open.is_empty()) && assumed.any(|assumed| assumed == name);
        let mut made = recipe.made_objects.iter();
        if text("kind") == "object" && made.any(|folder| text("object").starts_with(folder.as_str())) {
            return None;
        }
        if text("kind") == "program" && (from_outside || is_assumed) {
            return None;
        }
        let values = finding.get("values").and_then(Value::as_array);
        let values = values.into_iter().flatten().map(|value| {
            let part = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
            format!(" {}={}", part("name"), part("value"))
        });
        Some(format!(
            "{} {} {}{}{} was not foreseen",
            text("kind"),
            text("program"),
            text("object"),
            text("call"),
            values.collect::<String>()
        ))
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_workload_executes_from_outside_is_its_own() {
        let comparison = json!({ "unforeseen": [
            { "kind": "program", "program": "/bin/sh", "executed_by": [RUNTIME] },
            { "kind": "program", "program": "/bin/ls", "executed_by": [RUNTIME, "/bin/sh"] },
            { "kind": "program", "program": "/bin/psql", "executed_by": ["/bin/perl"], "open": [{}] },
            { "kind": "program", "program": "/lib/psql", "executed_by": ["/bin/perl"] },
            { "kind": "call", "program": "/bin/sh", "call": "reboot" },
            { "kind": "object", "program": "/bin/a", "object": "/lib/b.so" },
            { "kind": "object", "program": "/bin/a", "object": "/var/cache/made.so" },
            { "kind": "value", "program": "/bin/a", "call": "ioctl", "values": [{ "name": "cmd", "value": "0x1" }] },
        ] });
        let recipe = "bases = []\nport = 80\nuser = '0'\nmain = 'a'\nneeded-call = 'read'
            assumed-programs = ['psql']\nmade-objects = ['/var/cache/']";
        assert_eq!(
            problems(&comparison, &toml::from_str(recipe).unwrap()),
            [
                "program /bin/ls  was not foreseen",
                "program /lib/psql  was not foreseen",
                "call /bin/sh reboot was not foreseen",
                "object /bin/a /lib/b.so was not foreseen",
                "value /bin/a ioctl cmd=0x1 was not foreseen",
            ]
        );
    }
}
