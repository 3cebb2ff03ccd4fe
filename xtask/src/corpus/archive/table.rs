//! The sample as Markdown: its averages, a histogram, and every executable, so that it can be drawn again.

use std::collections::BTreeMap;
use std::fmt::Write;

use confine_assumption::Kind;
use confine_report::{Program, Report};

use super::super::said::{Said, is_widened};
use super::super::table::averages;

/// How many calls one bar of the histogram spans.
const SPAN: usize = 20;

/// One executable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    path: String,
    package: String,
    calls: usize,
    /// Whether a number stayed open.
    is_widened: bool,
    /// Whether it needs a library that is not there.
    lacks: bool,
}

impl Row {
    /// What a report says of an executable of a package.
    pub fn new(report: &Report, program: &Program, package: &str) -> Self {
        let mut assumptions = program.assumptions.iter();
        Self {
            path: program.path.clone(),
            package: package.to_owned(),
            calls: Said::new(report, program).names.len(),
            is_widened: is_widened(program),
            lacks: assumptions.any(|assumption| assumption.kind == Kind::MissingObject),
        }
    }
}

/// The page's text; `of` is how many paths the sample was drawn from.
pub fn render(rows: &[Row], seed: u64, of: usize) -> String {
    let (mean, median) = averages(rows.iter().map(|row| row.calls).collect());
    let narrow = rows.iter().filter(|row| !row.is_widened);
    let narrow: Vec<usize> = narrow.map(|row| row.calls).collect();
    let widened = rows.len() - narrow.len();
    let (narrow_mean, narrow_median) = averages(narrow);
    let lacking = rows.iter().filter(|row| row.lacks).count();
    let mut text = format!(
        "{} executables (seed {seed}, of {of} paths): on average {mean:.1} calls, in the median {median}\n\n\
         - a number stays open in {widened}; without those {narrow_mean:.1} on average, {narrow_median} in the median\n\
         - {lacking} need a library that unpacking alone does not bring\n\n\
         | calls | executables | |\n|---|--:|---|\n",
        rows.len()
    );
    let mut bars: BTreeMap<usize, usize> = BTreeMap::new();
    for row in rows {
        *bars.entry(row.calls / SPAN).or_default() += 1;
    }
    let last = bars.keys().next_back().copied().unwrap_or_default();
    for bar in 0..=last {
        let count = bars.get(&bar).copied().unwrap_or_default();
        let from = bar * SPAN;
        let bar = "#".repeat(count.div_ceil(4));
        let _ = writeln!(text, "| {from} to {} | {count} | {bar} |", from + SPAN - 1);
    }
    text.push_str("\n## The executables\n\n| executable | package | calls | |\n|---|---|--:|---|\n");
    for row in rows {
        let mut notes = Vec::new();
        notes.extend(row.is_widened.then_some("a number stays open"));
        notes.extend(row.lacks.then_some("lacks a library"));
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            row.path,
            row.package,
            row.calls,
            notes.join(", ")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_bars_and_every_executable() {
        let row = |path: &str, calls: usize, is_widened: bool| Row {
            path: path.to_owned(),
            package: "tool".to_owned(),
            calls,
            is_widened,
            lacks: is_widened,
        };
        let text = render(&[row("/usr/bin/a", 45, false), row("/usr/bin/b", 85, true)], 1, 9);
        for expected in [
            "2 executables (seed 1, of 9 paths): on average 65.0 calls, in the median 85\n",
            "- a number stays open in 1; without those 45.0 on average, 45 in the median\n",
            "- 1 need a library",
            "| 40 to 59 | 1 | # |\n| 60 to 79 | 0 |  |\n| 80 to 99 | 1 | # |\n",
            "| `/usr/bin/b` | tool | 85 | a number stays open, lacks a library |\n",
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
    }
}
