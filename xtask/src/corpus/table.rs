//! The results as Markdown tables.

use std::collections::BTreeMap;
use std::fmt::Write;

use confine_engine::strace;

use super::said::Said;

/// One executable.
pub struct Row {
    /// Its path.
    pub path: String,
    /// How many calls it was seen to make.
    pub seen: usize,
    /// How many confine says that it can make.
    pub said: usize,
    /// How many of those it can make with some values of their arguments only.
    pub restricted: usize,
    /// Those that were seen and are not said, and values that were seen and are not said.
    pub missing: Vec<String>,
}

impl Row {
    /// Compares; `but` is what a policy allows in any case.
    pub fn new(path: &str, seen: &strace::Calls, said: &Said, but: &[&str]) -> Self {
        let calls = seen.keys().filter(|call| !said.names.contains(*call));
        let calls = calls.filter(|call| !but.contains(&call.as_str())).cloned();
        let values = said.calls.iter().flat_map(|call| {
            let values = seen.get(&call.name).into_iter().flatten();
            let missing = values.filter(|values| !call.admits(values));
            missing.map(|values| format!("{}:{values:x?}", call.name))
        });
        Self {
            path: path.to_owned(),
            seen: seen.len(),
            said: said.names.len(),
            restricted: said.calls.iter().filter(|call| call.restricts()).count(),
            missing: calls.chain(values).collect(),
        }
    }
}

/// The table, and the totals below it.
pub fn render(rows: &[Row], jobs: usize) -> String {
    let mut text =
        String::from("| executable | seen | said | by argument | missing |\n|---|--:|--:|--:|---|\n");
    for row in rows {
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | {} |",
            row.path,
            row.seen,
            row.said,
            row.restricted,
            row.missing.join(" ")
        );
    }
    let misses: usize = rows.iter().map(|row| row.missing.len()).sum();
    let (mean, median) = averages(rows.iter().map(|row| row.said).collect());
    let (restricted, _) = averages(rows.iter().map(|row| row.restricted).collect());
    let _ = writeln!(
        text,
        "\n{} executables in {jobs} jobs, {misses} calls or values seen and not said; said on average {mean:.1}, in the \
         median {median}; of those restricted by argument {restricted:.1}",
        rows.len()
    );
    text
}

/// The averages of a sample, and which calls most of it can make.
pub fn sample(said: &BTreeMap<String, Said>, seed: u64) -> String {
    let (mean, median) = averages(said.values().map(|said| said.names.len()).collect());
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for call in said.values().flat_map(|said| &said.names) {
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
pub fn averages(mut counts: Vec<usize>) -> (f64, usize) {
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

    use confine_report::{Call, Combination, Restriction, Word};

    use super::*;

    #[test]
    fn what_is_seen_and_not_said_is_missing_but_for_the_kernel_s_own() {
        let seen = ["read", "ptrace", "restart_syscall"]
            .map(|call| (call.to_owned(), BTreeSet::from([Vec::new()])))
            .into_iter()
            .chain([("ioctl".to_owned(), BTreeSet::from([vec![(1, 1)], vec![(1, 2)]]))]);
        let only_one = Restriction {
            index: 1,
            name: "cmd".to_owned(),
            mask: Word(0xffff_ffff),
            values: vec![Word(1)],
        };
        let said = Said {
            names: ["read", "ioctl"].map(str::to_owned).into(),
            calls: vec![Call {
                number: 16,
                name: "ioctl".to_owned(),
                sites: 1,
                chain: Vec::new(),
                arguments: vec![Combination {
                    restrictions: vec![only_one],
                    chain: Vec::new(),
                }],
                falls_back_to: None,
            }],
        };
        let row = Row::new("/usr/bin/ls", &seen.collect(), &said, &["restart_syscall"]);
        assert_eq!(row.missing, ["ptrace", "ioctl:[(1, 2)]"]);
        let text = render(&[row], 2);
        assert!(
            text.contains("| `/usr/bin/ls` | 4 | 2 | 1 | ptrace ioctl:[(1, 2)] |"),
            "{text}"
        );
        assert!(
            text.contains("1 executables in 2 jobs, 2 calls or values seen and not said"),
            "{text}"
        );
    }

    #[test]
    fn averages_are_the_mean_and_the_middle_one() {
        assert_eq!(averages(vec![1, 9, 2]), (4.0, 2));
        assert_eq!(averages(Vec::new()), (0.0, 0));
    }
}
