//! The result as a Markdown table.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::Verdict;
use super::profile::Figures;
use crate::evaluation::published;
use crate::rows::Named;

/// One image's row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The image.
    pub name: String,
    /// Its name in the published table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<String>,
    /// A digest of the program that was tried, so that rows of another one can be told.
    pub program: String,
    /// What was counted; nothing where there is no profile, or somebody else's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figures: Option<Figures>,
    /// What each mode came to, by the mode's name.
    pub verdicts: Vec<(String, Verdict)>,
}

impl Named for Row {
    fn name(&self) -> &str {
        &self.name
    }
}

/// The columns behind the image's name.
const COLUMNS: [&str; 13] = [
    "allowed",
    "restricted",
    "main program",
    "its policy",
    "restricted",
    "programs",
    "objects",
    "assumptions",
    "denied of 335",
    "published",
    "time",
    "memory",
    "modes passed",
];

/// The table and, below it, every failure.
pub fn render(rows: &[Row]) -> String {
    let mut text = format!("| image | {} |\n|---|", COLUMNS.join(" | "));
    text.push_str(&"--:|".repeat(COLUMNS.len() - 1));
    text.push_str("---|\n");
    for row in rows {
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(text, "| {} | {} |", row.name, cells(row).join(" | "));
    }
    for row in rows {
        for (mode, verdict) in &row.verdicts {
            for problem in &verdict.problems {
                let _ = writeln!(text, "\n**{}, {mode}**: {problem}", row.name);
            }
        }
    }
    text
}

fn cells(row: &Row) -> Vec<String> {
    let mut cells = vec![String::new(); COLUMNS.len() - 1];
    if let Some(figures) = &row.figures {
        let counts = &figures.counts;
        // Nothing is told of a program that was not found.
        let known = |number: usize| Some(number).filter(|_| counts.main_allowed > 0);
        let published = row.published.as_deref().and_then(published::of);
        cells = vec![
            counts.allowed.to_string(),
            counts.restricted.to_string(),
            cell(known(counts.main_allowed)),
            cell(known(figures.policy)),
            cell(known(figures.policy_restricted)),
            counts.programs.to_string(),
            counts.objects.to_string(),
            counts.assumptions.to_string(),
            counts.denied.to_string(),
            cell(published.map(|published| published.denied)),
            format!("{:.2} s", figures.milliseconds as f64 / 1000.0),
            format!("{} MiB", figures.memory >> 20),
        ];
    }
    cells.push(passed(&row.verdicts));
    cells
}

fn cell(number: Option<usize>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}

fn passed(verdicts: &[(String, Verdict)]) -> String {
    let failed: Vec<&str> = verdicts
        .iter()
        .filter(|(_, verdict)| !verdict.passed())
        .map(|(mode, _)| mode.as_str())
        .collect();
    let counted = format!(
        "{} of {}",
        verdicts.len().saturating_sub(failed.len()),
        verdicts.len()
    );
    if failed.is_empty() {
        counted
    } else {
        format!("{counted}; failed: {}", failed.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counts::Counts;

    #[test]
    fn a_row_tells_what_passed_and_what_did_not() {
        let figures = Figures {
            counts: Counts {
                allowed: 150,
                main_allowed: 110,
                denied: 185,
                ..Counts::default()
            },
            policy: 120,
            policy_restricted: 30,
            milliseconds: 1500,
            memory: 3 << 20,
        };
        let verdicts = vec![
            ("docker".to_owned(), Verdict::default()),
            (
                "runc".to_owned(),
                Verdict {
                    problems: vec!["ready: it ended".to_owned()],
                },
            ),
        ];
        let row = Row {
            name: "nginx".to_owned(),
            published: Some("nginx".to_owned()),
            program: "digest".to_owned(),
            figures: Some(figures),
            verdicts,
        };
        let text = render(std::slice::from_ref(&row));
        let line = "| nginx | 150 | 0 | 110 | 120 | 30 | 0 | 0 | 0 | 185 | 159 | 1.50 s | 3 MiB | 1 of 2; failed: runc |";
        assert!(text.contains(line), "{text}");
        assert!(text.contains("**nginx, runc**: ready: it ended"), "{text}");
        let kept = serde_json::to_string(&row).unwrap();
        assert_eq!(serde_json::from_str::<Row>(&kept).unwrap(), row);
    }
}
