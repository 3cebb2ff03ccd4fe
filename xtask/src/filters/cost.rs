//! What a call costs on the running kernel under each filter, beside the same call under none.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use confine_bpf::CallData;
use confine_policy::{Architecture, Rule};

use super::candidates::{self, Candidate};
use super::trace::{Trace, Traces};

/// How often each filter is looked at, and how many calls are made then.
const ROUNDS: usize = 15;
const CALLS: usize = 200_000;

/// A call that does next to nothing.
const CHEAPEST: &str = "getppid";

/// Calls that would change something even with arguments that make no sense.
const LEFT_OUT: [&str; 9] = [
    "clone",
    "clone3",
    "fork",
    "vfork",
    "execve",
    "kill",
    "tgkill",
    "prctl",
    "rt_sigreturn",
];

/// Times of one call under one trace's filters.
pub struct Times {
    pub trace: String,
    pub call: &'static str,
    /// Whether the kernel allows it without running the filter.
    pub by_bitmap: bool,
    /// Nanoseconds without a filter, as the median of the rounds.
    pub without: f64,
    /// For each candidate the nanoseconds that it adds.
    pub added: Vec<(&'static str, f64)>,
}

/// Measures, for each trace, a call that the bitmap answers and the most frequent one that has conditions.
pub fn measure(root: &Path, folder: &Path, oracle: &Path, traces: &Traces) -> anyhow::Result<Vec<Times>> {
    let program = folder.join("cost");
    candidates::build(&root.join("xtask/src/filters/cost.c"), &program, &[])?;
    let cheapest = confine_kernel::call_named(CHEAPEST).context("the kernel has it")?;
    let mut all = Vec::new();
    for trace in &traces.judged {
        let mut policy = trace.policy.clone();
        policy.allow(Architecture::X86_64, cheapest.number, &Rule::any());
        let made = candidates::all(oracle, trace, &policy, traces)?;
        all.push(one(
            &program,
            folder,
            trace,
            &made,
            &CallData::new(cheapest.number, [0; 6]),
        )?);
        if let Some(call) = conditional(trace) {
            all.push(one(&program, folder, trace, &made, &call)?);
        }
    }
    Ok(all)
}

/// The most frequent call of a trace of which arguments are compared; those that are not compared have every bit set, so that
/// the kernel finds no descriptor or address behind them.
fn conditional(trace: &Trace) -> Option<CallData> {
    let calls = trace.calls().filter(|(call, _)| {
        let rule = trace.policy.rule(Architecture::X86_64, call.number);
        let name = confine_kernel::name(call.number).unwrap_or_default();
        !rule.is_any() && rule.allows(&call.arguments) && !LEFT_OUT.contains(&name)
    });
    let (mut call, _) = calls.max_by_key(|(call, count)| (*count, std::cmp::Reverse(call.number)))?;
    let facts = confine_kernel::arguments(call.number);
    for (index, argument) in call.arguments.iter_mut().enumerate() {
        if facts.get(index).is_none_or(|fact| !fact.kind.is_restrictable()) {
            *argument = u64::MAX;
        }
    }
    Some(call)
}

fn one(
    program: &Path,
    folder: &Path,
    trace: &Trace,
    made: &[Candidate],
    call: &CallData,
) -> anyhow::Result<Times> {
    let mut command = Command::new(program);
    command.args([ROUNDS.to_string(), CALLS.to_string(), call.number.to_string()]);
    command.args(call.arguments.map(|argument| argument.to_string()));
    command.arg("-");
    for (index, candidate) in made.iter().enumerate() {
        let [filter] = candidate.filters.as_slice() else {
            anyhow::bail!("{}: more than one filter cannot be timed", candidate.name);
        };
        let path = folder.join(format!("filter-{index}"));
        fs::write(&path, filter.to_bytes()).context("cannot write a filter")?;
        command.arg(path);
    }
    let output = command
        .output()
        .context("the program that takes the time does not start")?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).context("times are text")?;
    let rounds: Vec<Vec<f64>> = text
        .lines()
        .map(|line| line.split(' ').map(str::parse).collect())
        .collect::<Result<_, _>>()
        .context("expected numbers")?;
    let column = |index: usize| {
        median(
            rounds
                .iter()
                .filter_map(|round| round.get(index))
                .copied()
                .collect(),
        )
    };
    let without = column(0);
    Ok(Times {
        trace: trace.counts.name.clone(),
        call: confine_kernel::name(call.number).unwrap_or("?"),
        by_bitmap: made
            .iter()
            .all(|candidate| confine_bpf::always_allows(&candidate.filters, call.architecture, call.number)),
        without,
        added: made
            .iter()
            .enumerate()
            .map(|(index, candidate)| (candidate.name, column(index + 1) - without))
            .collect(),
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
