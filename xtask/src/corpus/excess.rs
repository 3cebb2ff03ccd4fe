//! What is said and was never seen, by cause: where precision can still be won. Not every such call is one too many: a
//! program may need it where no job and no test has led it.

mod table;

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::ensure;
use confine_report::{Program, Report, Step};

use super::said::is_widened;
use super::seen::{self, Seen};
use super::{BY_THE_KERNEL, Corpus};
use crate::cause::Cause;

/// A call that is said of a program and was never seen.
pub struct Excess {
    program: String,
    call: String,
    cause: Cause,
    /// The shortest chain, a step a line.
    chain: Vec<String>,
}

/// Prints the excess of programs, of all that ever ran if none is named.
pub fn run(root: &Path, corpus: &Corpus, names: &[String], write: bool) -> anyhow::Result<bool> {
    ensure!(
        !write || names.is_empty(),
        "--write is for all programs: name none with it"
    );
    let seen = seen::kept(&corpus.output)?;
    let executables = corpus.executables();
    let ran: Vec<String> = seen
        .keys()
        .filter(|path| executables.contains(path))
        .cloned()
        .collect();
    let wanted: BTreeSet<String> = names.iter().map(|name| corpus.named(name)).collect();
    for path in &wanted {
        ensure!(ran.contains(path), "{path} was not seen to run");
    }
    let ran: Vec<String> = ran
        .into_iter()
        .filter(|path| wanted.is_empty() || wanted.contains(path))
        .collect();
    let mut all = Vec::new();
    corpus
        .analysis()
        .each(&ran, |report, program| all.extend(excess(report, program, &seen)))?;
    if names.is_empty() {
        let text = table::summary(&all, ran.len());
        println!("{text}");
        if write {
            crate::write_page(root, "excess.md", include_str!("excess/page.md"), &text)?;
        }
    } else {
        println!("{}", table::calls(&all));
    }
    Ok(true)
}

/// The excess of one program.
fn excess(report: &Report, program: &Program, seen: &Seen) -> Vec<Excess> {
    let seen = seen.get(&program.path);
    let is_excess =
        |call: &str| !BY_THE_KERNEL.contains(&call) && seen.is_none_or(|calls| !calls.contains_key(call));
    let reached = program.needed();
    let mut all: Vec<Excess> = reached
        .filter(|call| is_excess(&call.name))
        .map(|call| one(report, program, &call.name, &call.chain))
        .collect();
    if is_widened(program) {
        let known: BTreeSet<&str> = program.calls.iter().map(|call| call.name.as_str()).collect();
        let wider = report.widened.iter().map(|widened| widened.name.as_str());
        let wider = wider.filter(|call| !known.contains(call) && is_excess(call));
        all.extend(wider.map(|call| one(report, program, call, &[])));
    }
    all
}

fn one(report: &Report, program: &Program, call: &str, chain: &[Step]) -> Excess {
    let line = |step: &Step| {
        let path = report
            .objects
            .get(step.object)
            .map_or("?", |object| object.path.as_str());
        let name = path.rsplit('/').next().unwrap_or(path);
        format!("{name} {} ({})", step.function, step.how)
    };
    Excess {
        program: program.path.clone(),
        call: call.to_owned(),
        cause: Cause::new(report, program, chain),
        chain: chain.iter().map(line).collect(),
    }
}
