//! A difference as SARIF 2.1.0, which code hosts show beside the code: a result for everything that came.

use confine_report::sarif::{document, uri};
use serde_json::{Value, json};

use super::compare::{Difference, Reason};
use super::show;

/// The rules, by name: what they mean, and how bad a result is.
const RULES: [(&str, &str, &str); 5] = [
    ("call-added", "A system call is allowed that was not.", "error"),
    (
        "values-added",
        "A system call is allowed with arguments that it was not allowed with.",
        "warning",
    ),
    (
        "program-added",
        "The container can execute another program.",
        "note",
    ),
    ("object-added", "A program loads another object.", "note"),
    (
        "assumption-added",
        "Something is unresolved that was not.",
        "warning",
    ),
];

/// What came, as SARIF.
pub fn sarif(difference: &Difference) -> serde_json::Result<String> {
    let mut results = Vec::new();
    for call in &difference.calls.added {
        let message = format!("{} is allowed{}", call.name, because(&call.reasons));
        results.push(result("call-added", &message, place(&call.reasons)));
    }
    for call in difference
        .calls
        .changed
        .iter()
        .filter(|call| !call.added.is_empty())
    {
        let message = format!(
            "{} is allowed with {}{}",
            call.name,
            call.added.join(", "),
            because(&call.reasons)
        );
        results.push(result("values-added", &message, place(&call.reasons)));
    }
    for (rule, names) in [
        ("program-added", &difference.programs.added),
        ("object-added", &difference.objects.added),
    ] {
        results.extend(names.iter().map(|name| result(rule, name, Some(name))));
    }
    for line in &difference.assumptions.added {
        let path = line.split(": ").nth(1).and_then(|place| place.split(':').next());
        results.push(result("assumption-added", line, path));
    }
    let rules: Vec<Value> = RULES
        .iter()
        .map(|(id, text, level)| {
            json!({
                "id": id,
                "shortDescription": {"text": text},
                "defaultConfiguration": {"level": level},
            })
        })
        .collect();
    document(env!("CARGO_PKG_VERSION"), &rules, &results)
}

fn result(rule: &str, message: &str, path: Option<&str>) -> Value {
    let level = RULES.iter().find(|(id, ..)| *id == rule);
    let mut result = json!({
        "ruleId": rule,
        "level": level.map_or("warning", |(.., level)| level),
        "message": {"text": message},
    });
    // Paths of the image are no files of the repository, but code hosts show no result without a place.
    if let Some(path) = path
        .map(|path| path.trim_start_matches('/'))
        .filter(|path| !path.is_empty())
    {
        result["locations"] = json!([{"physicalLocation": {"artifactLocation": {"uri": uri(path)}}}]);
    }
    result
}

fn because(reasons: &[Reason]) -> String {
    match reasons.first() {
        Some(reason) => format!("; {}", show::reason(reason)),
        None => String::new(),
    }
}

fn place(reasons: &[Reason]) -> Option<&str> {
    let mut paths = reasons.iter().map(|reason| reason.who.as_str());
    paths.find(|path| path.starts_with('/'))
}
