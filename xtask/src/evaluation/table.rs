//! The rows as a page.

use std::fmt::Write;

use super::published;
use super::row::{Checked, Row};
use super::taken::Taken;

/// How many problems of a check the page tells; the data beside it has all. Where a log differs, it differs in hundreds of
/// lines.
const PROBLEMS: usize = 12;

/// How many calls of a cause the page names.
const EXAMPLES: usize = 10;

/// The tables, the averages, and everything that failed.
pub fn render(rows: &[Row]) -> String {
    let today = confine_kernel::calls().len();
    let mut text = format!(
        "| image | denied of 335 | published | main program | published | allowed of {today} | main program | restricted \
         | main program | published | values | assumptions | programs | objects | time | memory | decoding | check | hardened |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|---|\n"
    );
    for row in rows {
        text.push_str(&line(row));
    }
    text.push_str(&averages(rows));
    text.push_str(&missing(rows));
    text.push_str(&shortfalls(rows));
    text.push_str(&vulnerabilities(rows));
    text.push_str(&stand_ins(rows));
    for row in rows {
        let hardened = row.hardened.as_ref().map(|checked| (checked, " hardened"));
        let checks = std::iter::once((&row.checked, "")).chain(hardened);
        for (checked, how) in checks.filter(|(checked, _)| !checked.passed) {
            // Writing to a String cannot fail, here and below.
            let _ = writeln!(text, "\n**{}** does not pass its check{how}:\n", row.name);
            for problem in checked.problems.iter().take(PROBLEMS) {
                let _ = writeln!(text, "- {}", problem.replace('\n', "\n  "));
            }
            if let Some(more) = checked.problems.len().checked_sub(PROBLEMS + 1) {
                let _ = writeln!(text, "- and {} more", more + 1);
            }
        }
    }
    text
}

fn line(row: &Row) -> String {
    let counts = &row.counts;
    let theirs = row.published.as_deref().and_then(published::of);
    let cell = |number: Option<usize>| number.map_or_else(String::new, |number| number.to_string());
    // Nothing is told of a main program that was not found.
    let main = |number: usize| cell(Some(number).filter(|_| counts.main_allowed > 0));
    let cells = [
        row.name.clone(),
        counts.denied.to_string(),
        cell(theirs.as_ref().map(|row| row.denied)),
        main(counts.main_denied),
        cell(theirs.as_ref().map(|row| row.main_denied)),
        counts.allowed.to_string(),
        main(counts.main_allowed),
        counts.restricted.to_string(),
        main(counts.main_restricted),
        cell(theirs.as_ref().map(|row| row.restricted)),
        counts.values.to_string(),
        counts.assumptions.to_string(),
        counts.programs.to_string(),
        counts.objects.to_string(),
        format!("{:.1} s", row.seconds),
        format!("{} MiB", row.memory_mib),
        row.decode_ratio
            .map_or_else(String::new, |ratio| format!("{ratio:.1}")),
        word(&row.checked).to_owned(),
        row.hardened.as_ref().map_or("", word).to_owned(),
    ];
    format!("| {} |\n", cells.join(" | "))
}

fn word(checked: &Checked) -> &'static str {
    if checked.passed { "pass" } else { "**fail**" }
}

/// Averages over the rows of the published table, of ours and of theirs for the same rows. Those that do not pass do not
/// count: a policy that breaks its container denies what it likes.
fn averages(rows: &[Row]) -> String {
    let compared: Vec<(&Row, published::Published)> = rows
        .iter()
        .filter(|row| row.checked.passed)
        .filter_map(|row| Some((row, published::of(row.published.as_deref()?)?)))
        .collect();
    if compared.is_empty() {
        return String::new();
    }
    let average = |figure: &dyn Fn(&(&Row, published::Published)) -> usize| {
        compared.iter().map(figure).sum::<usize>() as f64 / compared.len() as f64
    };
    let mut text = format!(
        "\nOn average over the {} of the published 27 images that pass: {:.1} of 335 calls denied container-wide \
         (published for the same: {:.1}), {:.1} for the main program ({:.1}), {:.1} calls restricted by argument \
         container-wide and {:.1} for the main program ({:.1}).\n",
        compared.len(),
        average(&|(row, _)| row.counts.denied),
        average(&|(_, theirs)| theirs.denied),
        average(&|(row, _)| row.counts.main_denied),
        average(&|(_, theirs)| theirs.main_denied),
        average(&|(row, _)| row.counts.restricted),
        average(&|(row, _)| row.counts.main_restricted),
        average(&|(_, theirs)| theirs.restricted),
    );
    let worse = compared
        .iter()
        .filter(|(row, theirs)| theirs.is_missed_by(&row.counts));
    let worse: Vec<&str> = worse.map(|(row, _)| row.name.as_str()).collect();
    if !worse.is_empty() {
        let _ = writeln!(text, "\nBelow a published figure: {}.", worse.join(", "));
    }
    text
}

fn missing(rows: &[Row]) -> String {
    let is_here = |name: &str| rows.iter().any(|row| row.published.as_deref() == Some(name));
    let missing: Vec<&str> = published::all()
        .map(|(name, _)| name)
        .filter(|name| !is_here(name))
        .collect();
    match missing.as_slice() {
        [] => String::new(),
        missing => format!("\nNot here: {}.\n", missing.join(", ")),
    }
}

/// Why rows are below what was published: what they allow, by cause.
fn shortfalls(rows: &[Row]) -> String {
    let mut text = String::new();
    for (row, group) in rows
        .iter()
        .flat_map(|row| row.shortfall.iter().map(move |group| (row, group)))
    {
        if text.is_empty() {
            text.push_str(
                "\n## What is allowed where a figure is below the published one\n\n\
                 | image | calls | by the shortest chain | such as |\n|---|--:|---|---|\n",
            );
        }
        let more = if group.calls.len() > EXAMPLES { " …" } else { "" };
        let examples: Vec<&str> = group.calls.iter().take(EXAMPLES).map(String::as_str).collect();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {}{more} |",
            row.name,
            group.calls.len(),
            group.cause,
            examples.join(" ")
        );
    }
    text
}

/// What is out of reach, of ours and of theirs; of the rows in which it was counted.
fn vulnerabilities(rows: &[Row]) -> String {
    let counted: Vec<(&Row, &Taken, published::Published)> = rows
        .iter()
        .filter_map(|row| {
            Some((
                row,
                row.taken.as_ref()?,
                published::of(row.published.as_deref()?)?,
            ))
        })
        .collect();
    if counted.is_empty() {
        return String::new();
    }
    let mut text = "\n## Vulnerabilities taken away\n\n\
        | image | Docker's default | container-wide | published | with arguments | main program | published \
        | with arguments | published | installed |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    let figures = |taken: &Taken, theirs: &published::Published| {
        [
            taken.default,
            taken.container,
            theirs.wide_taken,
            taken.container_arguments,
            taken.main,
            theirs.main_taken,
            taken.main_arguments,
            theirs.main_arguments_taken,
            taken.installed,
        ]
    };
    let mut sums = [0; 9];
    for (row, taken, theirs) in &counted {
        let figures = figures(taken, theirs);
        for (sum, figure) in sums.iter_mut().zip(figures) {
            *sum += figure;
        }
        let cells = figures.map(|figure| figure.to_string()).join(" | ");
        let _ = writeln!(text, "| {} | {cells} |", row.name);
    }
    let averages = sums.map(|sum| format!("{:.1}", sum as f64 / counted.len() as f64));
    let _ = writeln!(text, "| on average | {} |", averages.join(" | "));
    text
}

fn stand_ins(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        if let Some(stand_in) = &row.stand_in {
            if text.is_empty() {
                text.push_str("\n## Stand-ins\n\n| image | stands in for it |\n|---|---|\n");
            }
            let _ = writeln!(text, "| {} | {stand_in} |", row.name);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::shortfall::Group;
    use super::*;
    use crate::counts::Counts;

    #[test]
    fn rows_stand_beside_what_was_published() {
        let row = |name: &str, denied, passed: bool| Row {
            name: name.to_owned(),
            published: Some(name.to_owned()),
            stand_in: (name == "mysql").then(|| "MariaDB".to_owned()),
            counts: Counts {
                denied,
                main_allowed: 130,
                main_denied: 210,
                ..Counts::default()
            },
            taken: passed.then(|| Taken {
                default: 3,
                main_arguments: 31,
                ..Taken::default()
            }),
            shortfall: vec![
                Group {
                    cause: "late object: dlopen in libx".to_owned(),
                    calls: (0..=EXAMPLES).map(|call| format!("call{call}")).collect(),
                };
                usize::from(!passed)
            ],
            checked: Checked {
                passed,
                problems: if passed {
                    Vec::new()
                } else {
                    vec!["stop: late".to_owned(); PROBLEMS + 2]
                },
            },
            ..Row::default()
        };
        let text = render(&[row("mysql", 130, false), row("nginx", 150, true)]);
        for expected in [
            "| nginx | 150 | 159 | 210 | 204 |",
            "| **fail** |",
            "over the 1 of the published 27 images that pass: 150.0 of 335 calls denied container-wide \
             (published for the same: 159.0), 210.0 for the main program (204.0)",
            "| nginx | 3 | 0 | 5 | 0 | 0 | 9 | 31 | 26 | 0 |\n| on average | 3.0 | 0.0 | 5.0 |",
            "| mysql | 11 | late object: dlopen in libx | call0 call1 call2",
            "call9 … |",
            "| mysql | MariaDB |",
            "**mysql** does not pass its check:\n\n- stop: late",
            "- stop: late\n- and 2 more\n",
            "Below a published figure: nginx.",
            "Not here: drupal,",
        ] {
            assert!(text.contains(expected), "{expected} is not in\n{text}");
        }
    }
}
