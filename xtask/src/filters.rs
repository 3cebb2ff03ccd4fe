//! What a filter costs: instructions that are executed for each call of recorded traces, and time on the running kernel.
//!
//! A trace is what a program under load was seen to call, how often with which requests, commands and flags; it lies with
//! the program's profile in tests/filters and is recorded anew by `--record`. Candidates are filters for the same profile:
//! ours, with the weights that come with confine and with the trace's own, libseccomp's as a list and as a binary tree, and
//! the policy as a list. All of them are run by the interpreter of crates/bpf.
//!
//! Figures of instructions are the same everywhere and are judged; times are told and never judged.

mod candidates;
mod cost;
mod page;
mod record;
mod trace;

use std::path::Path;

use anyhow::{Context, ensure};
use confine_engine::Interrupt;

use self::page::Row;
use self::trace::Trace;
use crate::images::build_confine;

/// What was recorded, by its name in tests/filters.
const TRACES: [&str; 4] = ["nginx", "postgres", "redis", "shell"];

/// What to do.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Run the programs under strace and keep what they call and what confine says of them
    #[arg(long)]
    record: bool,
    /// The confine to record with, in place of one that is built for it
    #[arg(long, value_name = "PROGRAM", requires = "record")]
    confine: Option<std::path::PathBuf>,
    /// Write the tables to docs/filters.md and the weights to crates/bpf/data/weights.tsv
    #[arg(long)]
    write: bool,
}

/// Counts and measures; whether every trace takes fewer than half of the instructions of libseccomp's best filter.
pub fn run(root: &Path, options: &Options) -> anyhow::Result<bool> {
    let folder = root.join("tests/filters");
    if options.record {
        let confine = match &options.confine {
            Some(confine) => confine.clone(),
            // Nobody raises it: a signal ends the whole.
            None => build_confine(root, &Interrupt::default())?,
        };
        for name in TRACES {
            eprintln!("recording {name}");
            record::record(&confine, &folder, name).with_context(|| format!("cannot record {name}"))?;
        }
    }
    let traces: Vec<Trace> = TRACES
        .iter()
        .map(|name| Trace::read(&folder, name))
        .collect::<Result<_, _>>()?;
    ensure!(!traces.is_empty(), "no traces in {}", folder.display());
    if options.write {
        let path = root.join("crates/bpf/data/weights.tsv");
        std::fs::write(&path, trace::weights(traces.iter()))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let tools = tempfile::tempdir().context("no folder for programs")?;
    let oracle = candidates::oracle(root, tools.path())?;
    let mut rows = Vec::new();
    for trace in &traces {
        let candidates = candidates::all(&oracle, trace, &trace.policy, &traces)?;
        rows.push(Row::count(trace, &candidates));
    }
    let times = cost::measure(root, tools.path(), &oracle, &traces)?;
    let text = page::render(&rows, &times);
    println!("{text}");
    if options.write {
        crate::write_page(root, "filters.md", include_str!("filters/page.md"), &text)?;
    }
    Ok(rows.iter().all(Row::meets_the_aim))
}
