//! What the suites came to, as Markdown tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::Outcome;

/// A line for each suite, then what is missing, then a line for each executable.
pub fn render(outcomes: &[Outcome]) -> String {
    let mut text = String::from(
        "| suite | passed | failed | skipped | minutes | executables | calls seen | missing |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for outcome in outcomes {
        let results = &outcome.results;
        let seen: usize = outcome.rows.iter().map(|row| row.seen).sum();
        let missing: usize = outcome.rows.iter().map(|row| row.missing.len()).sum();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {:.1} | {} | {seen} | {missing} |",
            outcome.name,
            results.passed,
            results.failed,
            results.skipped,
            minutes(results.seconds),
            outcome.rows.len(),
        );
    }
    let mut executables: BTreeMap<&str, Executable> = BTreeMap::new();
    for outcome in outcomes {
        for row in &outcome.rows {
            let executable = executables.entry(&row.path).or_default();
            executable.suites.insert(&outcome.name);
            executable.seen = executable.seen.max(row.seen);
            executable.said = row.said;
            executable.missing.extend(row.missing.iter().map(String::as_str));
        }
    }
    let missing: usize = executables
        .values()
        .map(|executable| executable.missing.len())
        .sum();
    let _ = writeln!(
        text,
        "\n{} executables, {missing} calls or values seen and not said\n\n\
         | executable | suites | seen | said | missing |\n|---|---|--:|--:|---|",
        executables.len()
    );
    for (path, executable) in executables {
        let list = |words: BTreeSet<&str>| words.into_iter().collect::<Vec<_>>().join(" ");
        let _ = writeln!(
            text,
            "| `{path}` | {} | {} | {} | {} |",
            list(executable.suites),
            executable.seen,
            executable.said,
            list(executable.missing)
        );
    }
    text
}

/// One executable over all suites.
#[derive(Default)]
struct Executable<'a> {
    suites: BTreeSet<&'a str>,
    /// The most calls that one suite saw.
    seen: usize,
    said: usize,
    missing: BTreeSet<&'a str>,
}

#[allow(clippy::cast_precision_loss, reason = "a few minutes")]
fn minutes(seconds: u64) -> f64 {
    seconds as f64 / 60.0
}

#[cfg(test)]
mod tests {
    use super::super::{Results, Row};
    use super::*;

    #[test]
    fn suites_and_executables_have_a_line_each() {
        let row = |path: &str, missing: &[&str]| Row {
            path: path.to_owned(),
            seen: 10,
            said: 40,
            restricted: 5,
            missing: missing.iter().map(|call| (*call).to_owned()).collect(),
        };
        let outcome = |name: &str, rows| Outcome {
            name: name.to_owned(),
            results: Results {
                passed: 3,
                failed: 1,
                skipped: 2,
                seconds: 90,
            },
            rows,
        };
        let outcomes = [
            outcome(
                "sed",
                vec![row("/usr/bin/sed", &["ptrace"]), row("/usr/bin/bash", &[])],
            ),
            outcome("grep", vec![row("/usr/bin/bash", &[])]),
        ];
        let text = render(&outcomes);
        for expected in [
            "| sed | 3 | 1 | 2 | 1.5 | 2 | 20 | 1 |\n",
            "2 executables, 1 calls or values seen and not said\n",
            "| `/usr/bin/bash` | grep sed | 10 | 40 |  |\n",
            "| `/usr/bin/sed` | sed | 10 | 40 | ptrace |\n",
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
    }
}
