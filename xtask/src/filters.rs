//! What a filter costs: instructions that are executed for each call of recorded traces, and time on the running kernel.
//!
//! A trace is what a program under load was seen to call, how often with which requests, commands and flags; it lies
//! in tests/filters, for some programs with their profile, and is recorded anew by `--record`. Candidates are filters
//! for the same profile: ours, with weights of all other traces and of the trace's own, libseccomp's as a list and as a
//! binary tree, and the policy as a list. All of them are run by the interpreter of crates/bpf.
//!
//! Figures of instructions are the same everywhere and are judged; times are told and never judged.

mod candidates;
mod cost;
mod page;
mod record;
mod trace;

use std::path::Path;

use anyhow::Context;
use confine_engine::Interrupt;

use self::page::Row;
use self::record::Recorder;
use self::trace::{Counts, Trace, Traces};
use crate::images::build;

/// What is judged, by its name in tests/filters.
const JUDGED: [&str; 4] = ["nginx", "postgres", "redis", "shell"];
/// What was recorded besides, so that weights are not of a few programs.
const OTHERS: [&str; 10] = [
    "apache",
    "archive",
    "git",
    "haproxy",
    "make",
    "mariadb",
    "memcached",
    "perl",
    "python",
    "sqlite",
];

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
        // Nobody raises it: a signal ends the whole.
        let interrupt = Interrupt::default();
        let confine = match &options.confine {
            Some(confine) => confine.clone(),
            None => build::confine(root, &interrupt)?,
        };
        let recorder = Recorder::new(root, &folder, &confine, &interrupt)?;
        for name in JUDGED.into_iter().chain(OTHERS) {
            eprintln!("recording {name}");
            recorder
                .calls(name)
                .with_context(|| format!("cannot record {name}"))?;
        }
        for name in JUDGED {
            recorder
                .profile(name)
                .with_context(|| format!("no profile of {name}"))?;
        }
    }
    let traces = Traces {
        judged: read(&folder, &JUDGED, Trace::read)?,
        others: read(&folder, &OTHERS, Counts::read)?,
    };
    if options.write {
        let path = root.join("crates/bpf/data/weights.tsv");
        std::fs::write(&path, traces.weights(None))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let tools = tempfile::tempdir().context("no folder for programs")?;
    let oracle = candidates::oracle(root, tools.path())?;
    let mut rows = Vec::new();
    for trace in &traces.judged {
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

fn read<T>(
    folder: &Path,
    names: &[&str],
    one: impl Fn(&Path, &str) -> anyhow::Result<T>,
) -> anyhow::Result<Vec<T>> {
    names.iter().map(|name| one(folder, name)).collect()
}
