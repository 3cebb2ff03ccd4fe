//! The results as Markdown tables.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Calls;

/// One executable.
pub struct Row {
    /// Its path.
    pub path: String,
    /// How many calls it was seen to make.
    pub seen: usize,
    /// How many confine says that it can make.
    pub said: usize,
    /// Those that were seen and are not said.
    pub missing: Vec<String>,
}

impl Row {
    /// Compares; `but` is what a policy allows in any case.
    pub fn new(
        path: &str,
        seen: &std::collections::BTreeSet<String>,
        said: &std::collections::BTreeSet<String>,
        but: &[&str],
    ) -> Self {
        let missing = seen.difference(said).filter(|call| !but.contains(&call.as_str()));
        Self {
            path: path.to_owned(),
            seen: seen.len(),
            said: said.len(),
            missing: missing.cloned().collect(),
        }
    }
}

/// The table, and the totals below it.
pub fn render(rows: &[Row], jobs: usize) -> String {
    let mut text = String::from("| executable | seen | said | missing |\n|---|--:|--:|---|\n");
    for row in rows {
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            row.path,
            row.seen,
            row.said,
            row.missing.join(" ")
        );
    }
    let misses: usize = rows.iter().map(|row| row.missing.len()).sum();
    let (mean, median) = averages(rows.iter().map(|row| row.said).collect());
    let _ = writeln!(
        text,
        "\n{} executables in {jobs} jobs, {misses} calls seen and not said; said on average {mean:.1}, in the median \
         {median}",
        rows.len()
    );
    text
}

/// The averages of a sample, and which calls most of it can make.
pub fn sample(said: &Calls, seed: u64) -> String {
    let (mean, median) = averages(said.values().map(std::collections::BTreeSet::len).collect());
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for call in said.values().flatten() {
        *counts.entry(call).or_default() += 1;
    }
    let mut order: Vec<(usize, &str)> = counts.into_iter().map(|(call, count)| (count, call)).collect();
    order.sort_by(|one, other| other.cmp(one));
    let mut text = format!(
        "{} executables (seed {seed}): on average {mean:.1} calls, in the median {median}\n\n| call | executables |\n\
         |---|--:|\n",
        said.len()
    );
    for (count, call) in order {
        let _ = writeln!(text, "| {call} | {count} |");
    }
    text
}

/// Mean and median.
#[allow(clippy::cast_precision_loss, reason = "a few hundred small numbers")]
fn averages(mut counts: Vec<usize>) -> (f64, usize) {
    counts.sort_unstable();
    let median = counts.get(counts.len() / 2).copied().unwrap_or_default();
    (
        counts.iter().sum::<usize>() as f64 / counts.len().max(1) as f64,
        median,
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_is_seen_and_not_said_is_missing_but_for_the_kernel_s_own() {
        let calls =
            |names: &[&str]| -> BTreeSet<String> { names.iter().map(|name| (*name).to_owned()).collect() };
        let row = Row::new(
            "/usr/bin/ls",
            &calls(&["read", "ptrace", "restart_syscall"]),
            &calls(&["read", "write"]),
            &["restart_syscall"],
        );
        assert_eq!(row.missing, ["ptrace"]);
        let text = render(&[row], 2);
        assert!(text.contains("| `/usr/bin/ls` | 3 | 2 | ptrace |"), "{text}");
        assert!(
            text.contains("1 executables in 2 jobs, 1 calls seen and not said"),
            "{text}"
        );
    }

    #[test]
    fn averages_are_the_mean_and_the_middle_one() {
        assert_eq!(averages(vec![1, 9, 2]), (4.0, 2));
        assert_eq!(averages(Vec::new()), (0.0, 0));
    }
}
