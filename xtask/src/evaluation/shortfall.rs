//! Why a row stays below a published figure: what is allowed, by what makes the shortest chain to each call possible.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use confine_report::{Allowed, Program, Report};
use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::report;

/// How many causes are told of a row, those with the most calls.
const MOST: usize = 8;

/// Calls of the published table that are allowed for the same cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The cause, in words.
    pub cause: String,
    /// The calls, sorted.
    pub calls: Vec<String>,
}

/// The groups of a report's file, whose main program has this path; none if it has no such program.
pub fn of(path: &Path, main: &str) -> anyhow::Result<Vec<Group>> {
    let report = report::whole(path)?;
    let main = report.programs.iter().find(|program| program.path == main);
    Ok(main.map_or_else(Vec::new, |main| groups(&report, main)))
}

/// The largest groups of what is allowed: the main program's own calls by cause, and what others add to them by who they are.
fn groups(report: &Report, main: &Program) -> Vec<Group> {
    let counted: BTreeSet<&str> = confine_kernel::published_table().map(|call| call.name).collect();
    let mut groups: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let own: BTreeSet<&str> = main.needed().map(|call| call.name.as_str()).collect();
    for call in main.needed().filter(|call| counted.contains(call.name.as_str())) {
        let cause = Cause::new(report, main, &call.chain);
        let words = match cause.detail.as_str() {
            "" => cause.class.to_string(),
            detail => format!("{}: {detail}", cause.class),
        };
        groups.entry(words).or_default().insert(&call.name);
    }
    for call in &report.allowed {
        let name = call.name.as_str();
        if counted.contains(name) && !own.contains(name) {
            groups.entry(others(report, call)).or_default().insert(name);
        }
    }
    let mut groups: Vec<Group> = groups
        .into_iter()
        .map(|(cause, calls)| Group {
            cause,
            calls: calls.into_iter().map(str::to_owned).collect(),
        })
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.calls.len()));
    groups.truncate(MOST);
    groups
}

/// Who makes a call that the main program does not make.
fn others(report: &Report, call: &Allowed) -> String {
    let who = match call.by.as_slice() {
        [] => "the container runtime",
        &[one] => report.programs.get(one).map_or("?", |program| &program.path),
        _ => "several others",
    };
    format!("not the main program: {}", who.rsplit('/').next().unwrap_or(who))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn program(path: &str, calls: &[(&str, &str)]) -> Value {
        let step = |how: &str| json!({ "object": 0, "function": "f", "address": "0x0", "how": how });
        let calls: Vec<Value> = calls
            .iter()
            .map(|(name, how)| json!({ "number": 0, "name": name, "sites": 1, "chain": [step(how)] }))
            .collect();
        json!({ "path": path, "invoked": [], "arguments": [], "found": [], "executes": [], "assumptions": [],
            "executes_unknown": false, "objects": [{ "object": 0, "reason": "the program" }], "calls": calls })
    }

    #[test]
    fn calls_are_grouped_by_what_brings_them() {
        let allowed = |name: &str, by: &[usize]| json!({ "number": 0, "name": name, "by": by, "runtime": by.is_empty(), "widened": false });
        let report = json!({
            "schema": "confine-report", "version": confine_report::VERSION, "confine": "", "kernel_table": "",
            "image": { "reference": "", "architecture": "", "command_line": [], "user": "", "workdir": "",
                "environment": [] },
            "runtime": "", "scripts": [], "runtime_calls": [], "widened": [], "assumptions": [],
            "objects": [{ "path": "/bin/p", "sha256": "", "bytes": 0, "code_bytes": 0, "kind": "dynamic-program" }],
            "programs": [
                program("/bin/p", &[("read", "entry point"), ("write", "entry point"), ("kill", "its address is taken"),
                    ("io_uring_setup", "entry point"), ("landlock_add_rule", "entry point")]),
                program("/bin/sh", &[("fork", "entry point")]),
            ],
            "allowed": [allowed("read", &[0]), allowed("fork", &[1]), allowed("capset", &[])],
        });
        let report = Report::from_json(&report.to_string()).unwrap();
        let found: Vec<(String, String)> = groups(&report, &report.programs[0])
            .into_iter()
            .map(|group| (group.cause, group.calls.join(" ")))
            .collect();
        // io_uring and Landlock came after the published table.
        let expected = [
            ("own code", "read write"),
            ("address taken: the program", "kill"),
            ("not the main program: sh", "fork"),
            ("not the main program: the container runtime", "capset"),
        ];
        assert_eq!(
            found,
            expected.map(|(cause, calls)| (cause.to_owned(), calls.to_owned()))
        );
    }
}
