//! What was counted and measured, as Markdown.

use std::fmt::Write as _;

use confine_bpf::{always_allows, evaluate};
use confine_policy::Architecture;

use super::candidates::{Candidate, LIBSECCOMP, LIBSECCOMP_TREE, OURS, OURS_BY_TRACE};
use super::cost::Times;
use super::trace::Trace;

/// What part of the instructions of libseccomp's best filter ours may take.
const AIM: f64 = 0.5;

/// The counts of one trace.
pub struct Row {
    name: String,
    /// Calls in the trace.
    calls: u64,
    /// Calls that the policy allows, and how many of them with conditions.
    allowed: (usize, usize),
    /// Calls of the trace that the kernel's bitmap answers.
    by_bitmap: u64,
    columns: Vec<Column>,
}

/// One candidate.
struct Column {
    name: &'static str,
    length: usize,
    /// Instructions executed for all calls, and for those that the bitmap does not answer.
    executed: u64,
    beside_bitmap: u64,
}

impl Row {
    /// Runs every candidate on every call of a trace.
    pub fn count(trace: &Trace, candidates: &[Candidate]) -> Self {
        let mut by_bitmap = 0;
        let mut columns = Vec::new();
        for candidate in candidates {
            let filters = &candidate.filters;
            let mut column = Column {
                name: candidate.name,
                length: filters.iter().map(|filter| filter.instructions().len()).sum(),
                executed: 0,
                beside_bitmap: 0,
            };
            by_bitmap = 0;
            for (call, count) in trace.calls() {
                let executed = evaluate(filters, &call).map_or(0, |outcome| outcome.executed.get()) * count;
                column.executed += executed;
                match always_allows(filters, call.architecture, call.number) {
                    true => by_bitmap += count,
                    false => column.beside_bitmap += executed,
                }
            }
            columns.push(column);
        }
        let policy = trace.policy.calls(Architecture::X86_64);
        let (all, conditional) = policy.fold((0, 0), |(all, conditional), (_, rule)| {
            (all + 1, conditional + usize::from(!rule.is_any()))
        });
        Self {
            name: trace.counts.name.clone(),
            calls: trace.counts.total(),
            allowed: (all, conditional),
            by_bitmap,
            columns,
        }
    }

    /// Whether ours, with weights that do not know the trace, takes less than the aim, with the bitmap and without.
    pub fn meets_the_aim(&self) -> bool {
        [
            self.ratio(OURS, |column| column.executed),
            self.ratio(OURS, |column| column.beside_bitmap),
        ]
        .iter()
        .all(|ratio| *ratio < AIM)
    }

    /// A candidate's figure as a part of the better one of libseccomp's.
    fn ratio(&self, name: &str, figure: impl Fn(&Column) -> u64) -> f64 {
        let of = |name: &str| {
            self.columns
                .iter()
                .find(|column| column.name == name)
                .map_or(0, &figure)
        };
        let best = of(LIBSECCOMP).min(of(LIBSECCOMP_TREE));
        match best {
            0 => 1.0,
            best => of(name) as f64 / best as f64,
        }
    }

    fn per_call(&self, executed: u64) -> f64 {
        executed as f64 / self.calls.max(1) as f64
    }
}

/// The tables.
pub fn render(rows: &[Row], times: &[Times]) -> String {
    let mut text =
        String::from("## Instructions for a call\n\n| trace | calls | of them by the bitmap | policy |");
    let names: Vec<&str> = rows
        .first()
        .map(|row| row.columns.iter().map(|column| column.name).collect())
        .unwrap_or_default();
    for name in &names {
        // Writing to a string cannot fail, here and below.
        let _ = write!(text, " {name} |");
    }
    text.push_str(" ours / libseccomp's best |\n|---|--:|--:|---|");
    text.push_str(&"--:|".repeat(names.len() + 1));
    text.push('\n');
    for row in rows {
        let part = 100.0 * row.by_bitmap as f64 / row.calls.max(1) as f64;
        let (all, conditional) = row.allowed;
        let _ = write!(
            text,
            "| {} | {} | {part:.0} % | {all} calls, {conditional} of them with conditions |",
            row.name, row.calls
        );
        for column in &row.columns {
            let _ = write!(
                text,
                " {:.1} ({:.1}) |",
                row.per_call(column.executed),
                row.per_call(column.beside_bitmap)
            );
        }
        let _ = writeln!(
            text,
            " {:.2} ({:.2}); by its own weights {:.2} ({:.2}) |",
            row.ratio(OURS, |column| column.executed),
            row.ratio(OURS, |column| column.beside_bitmap),
            row.ratio(OURS_BY_TRACE, |column| column.executed),
            row.ratio(OURS_BY_TRACE, |column| column.beside_bitmap),
        );
    }
    text.push_str("\nInstructions in the filter:\n\n| trace |");
    for name in &names {
        let _ = write!(text, " {name} |");
    }
    text.push_str("\n|---|");
    text.push_str(&"--:|".repeat(names.len()));
    text.push('\n');
    for row in rows {
        let lengths = row.columns.iter().map(|column| format!(" {} |", column.length));
        let _ = writeln!(text, "| {} |{}", row.name, lengths.collect::<String>());
    }
    text.push_str(&measured(times));
    text
}

fn measured(times: &[Times]) -> String {
    let Some(first) = times.first() else {
        return String::new();
    };
    let mut text = String::from("\n## Time for a call\n\n| trace | call | answered | no filter ns |");
    for (name, _) in &first.added {
        let _ = write!(text, " {name} adds ns |");
    }
    text.push_str("\n|---|---|---|--:|");
    text.push_str(&"--:|".repeat(first.added.len()));
    text.push('\n');
    for time in times {
        let answered = if time.by_bitmap {
            "by the bitmap"
        } else {
            "by the filter"
        };
        let _ = write!(
            text,
            "| {} | `{}` | {answered} | {:.0} |",
            time.trace, time.call, time.without
        );
        for (_, added) in &time.added {
            let _ = write!(
                text,
                " {added:.1} ({:.2}) |",
                (time.without + added) / time.without.max(1.0)
            );
        }
        text.push('\n');
    }
    text
}
