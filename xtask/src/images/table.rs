//! The result as a Markdown table.

use std::fmt::Write;
use std::time::Duration;

use super::Verdict;
use super::profile::Figures;
use crate::evaluation::published;

/// One image's row.
pub struct Row {
    /// The image.
    pub name: String,
    /// Its name in the published table.
    pub published: Option<String>,
    /// What was counted.
    pub figures: Figures,
    /// What each mode came to, by the mode's name.
    pub verdicts: Vec<(String, Verdict)>,
}

/// The table and, below it, every failure.
pub fn render(rows: &[Row]) -> String {
    let mut text = String::from(
        "| image | allowed | main program | programs | objects | assumptions | denied of 335 | published \
         | time | memory | modes passed |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|\n",
    );
    for row in rows {
        let report = row.figures.report.as_ref();
        let has_profile = !row.figures.allowed.is_empty();
        let cells = [
            row.name.clone(),
            cell(Some(row.figures.allowed.len()).filter(|_| has_profile)),
            cell(report.and_then(|report| report.main_calls)),
            cell(report.map(|report| report.programs)),
            cell(report.map(|report| report.objects)),
            cell(report.map(|report| report.assumptions)),
            cell(Some(row.figures.denied_of_published_table()).filter(|_| has_profile)),
            cell(published(row)),
            row.figures
                .cost
                .map(|(time, _)| seconds(time))
                .unwrap_or_default(),
            row.figures
                .cost
                .map(|(_, bytes)| format!("{} MiB", bytes >> 20))
                .unwrap_or_default(),
            passed(&row.verdicts),
        ];
        text.push_str("| ");
        text.push_str(&cells.join(" | "));
        text.push_str(" |\n");
    }
    for row in rows {
        for (mode, verdict) in &row.verdicts {
            for problem in &verdict.problems {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "\n**{}, {mode}**: {problem}", row.name);
            }
        }
    }
    text
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

fn published(row: &Row) -> Option<usize> {
    let figures = published::of(row.published.as_deref()?)?;
    Some(figures.denied)
}

fn cell(number: Option<usize>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_tells_what_passed_and_what_did_not() {
        let figures = Figures {
            allowed: ["read".to_owned()].into(),
            ..Figures::default()
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
            figures,
            verdicts,
        };
        let text = render(&[row]);
        assert!(
            text.contains("| nginx | 1 |  |  |  |  | 334 | 159 |  |  | 1 of 2; failed: runc |"),
            "{text}"
        );
        assert!(text.contains("**nginx, runc**: ready: it ended"), "{text}");
    }
}
