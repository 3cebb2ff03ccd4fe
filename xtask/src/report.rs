//! What confine writes for machines, read as any tool would read it: as JSON. What is missing counts as empty.
//! Who asks for more than is counted reads a report by its types.

use std::path::Path;

use anyhow::Context;
use confine_report::Report;
use serde_json::Value;

/// A file of JSON.
pub fn json(path: &Path) -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))
}

/// A report's file, whole.
pub fn whole(path: &Path) -> anyhow::Result<Report> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Report::from_json(&text).with_context(|| path.display().to_string())
}

/// A list by its name.
pub fn list<'a>(owner: &'a Value, field: &str) -> &'a [Value] {
    owner[field].as_array().map_or(&[], Vec::as_slice)
}

/// A report's program whose file is called so, or that is invoked by a file of that name.
pub fn program<'a>(report: &'a Value, name: &str) -> Option<&'a Value> {
    let is_it = |path: &Value| path.as_str().and_then(|path| path.rsplit('/').next()) == Some(name);
    let mut programs = list(report, "programs").iter();
    programs.find(|program| is_it(&program["path"]) || list(program, "invoked").iter().any(is_it))
}
