//! From what was counted in the kernel to a record, and records and reports from files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context;
use confine_engine::{End, Session, Visit};
use confine_image::{FileKind, Files, hexadecimal};
use confine_observe::{CallCount, Observation, Pair};
use confine_record::{Call, Ended, Executor, File, Image, Program, Record, SCHEMA, Seen, VERSION, Value};
use confine_report::{Report, Word};
use sha2::{Digest, Sha256};

use crate::input;

/// Where the kernel says which release it is.
const RELEASE: &str = "/proc/sys/kernel/osrelease";

/// What a record tells beside what was counted.
pub struct About<'a> {
    /// The image.
    pub image: Image,
    /// Its files.
    pub files: &'a dyn Files,
    /// Who ran the container.
    pub engine: &'a str,
    /// How it was led.
    pub session: &'a Session,
    /// What came of it.
    pub visit: &'a Visit,
}

/// The record of an observation.
pub fn record(observation: &Observation, about: &About<'_>) -> Record {
    // A file that nothing executed is a program only while the kernel gives up executing it.
    let executed = |file: usize| {
        let file = observation.files.get(file);
        file.is_some_and(|file| file.executions > 0)
    };
    let mapped = observation
        .mapped
        .iter()
        .filter(|pair| pair.program.is_some_and(executed));
    let used: BTreeSet<usize> = (0..observation.files.len())
        .filter(|file| executed(*file))
        .chain(mapped.map(|pair| pair.other))
        .collect();
    let renumbered: BTreeMap<usize, usize> = used.iter().copied().zip(0..).collect();
    let at = |file: usize| renumbered.get(&file).copied();
    let files: Vec<File> = used
        .iter()
        .filter_map(|file| observation.files.get(*file))
        .map(|file| File {
            path: file.path.clone(),
            bytes: file.size,
            sha256: sha256(about.files, &file.path, file.size),
        })
        .collect();
    let mapped = by(&observation.mapped, |pair: &Pair| pair.program);
    let executors = by(&observation.executed, |pair: &Pair| Some(pair.other));
    let called = by(&observation.calls, |count: &CallCount| count.program);
    let programs = used.iter().filter(|file| executed(**file)).filter_map(|file| {
        let mut objects: Vec<usize> = of(&mapped, Some(*file))
            .iter()
            .filter_map(|pair| at(pair.other))
            .collect();
        objects.sort_unstable();
        Some(Program {
            file: at(*file)?,
            executions: observation.files.get(*file)?.executions,
            executed_by: of(&executors, Some(*file))
                .iter()
                .map(|pair| Executor {
                    file: pair.program.and_then(at),
                    times: pair.times,
                })
                .collect(),
            objects,
            calls: calls(of(&called, Some(*file))),
        })
    });
    Record {
        schema: SCHEMA.to_owned(),
        version: VERSION,
        confine: env!("CARGO_PKG_VERSION").to_owned(),
        kernel_table: confine_kernel::LINUX_VERSION.to_owned(),
        kernel: std::fs::read_to_string(RELEASE)
            .unwrap_or_default()
            .trim()
            .to_owned(),
        image: about.image.clone(),
        session: session(about),
        programs: programs.collect(),
        files,
        runtime: calls(of(&called, None)),
    }
}

/// What was counted, in its order by the file that it is about; none for the container runtime.
fn by<T>(counted: &[T], file: impl Fn(&T) -> Option<usize>) -> BTreeMap<Option<usize>, Vec<&T>> {
    let mut groups: BTreeMap<Option<usize>, Vec<&T>> = BTreeMap::new();
    for one in counted {
        groups.entry(file(one)).or_default().push(one);
    }
    groups
}

/// What was counted of one file.
fn of<'g, 'c, T>(groups: &'g BTreeMap<Option<usize>, Vec<&'c T>>, file: Option<usize>) -> &'g [&'c T] {
    groups.get(&file).map_or(&[], Vec::as_slice)
}

/// Reads a record; `-` is the standard input.
pub fn read(path: &Path) -> anyhow::Result<Record> {
    let text = input::text(path)?;
    Record::from_json(&text).with_context(|| path.display().to_string())
}

/// Reads a report; `-` is the standard input.
pub fn read_report(path: &Path) -> anyhow::Result<Report> {
    let text = input::text(path)?;
    Report::from_json(&text).with_context(|| path.display().to_string())
}

fn session(about: &About<'_>) -> confine_record::Session {
    let (ended, exit) = match about.visit.end {
        End::Itself(code) => (Ended::Itself, code),
        End::Stopped(code) => (Ended::Stopped, code),
        End::Killed(code) => (Ended::Killed, code),
    };
    confine_record::Session {
        engine: about.engine.to_owned(),
        workload: about.session.workload.clone(),
        workload_exit: about.visit.workload.as_ref().and_then(|workload| workload.code),
        healthy: about.visit.healthy,
        ended,
        exit,
    }
}

/// The digest of the image's file, if it has one of that path and size: otherwise the container has changed it.
fn sha256(files: &dyn Files, path: &str, size: u64) -> Option<String> {
    let found = files.resolve(path)?;
    if found.kind != FileKind::Regular || found.path != path || found.size != size {
        return None;
    }
    let bytes = files.read(path).ok()?;
    Some(hexadecimal(&Sha256::digest(&bytes)))
}

/// What one program called, by number, or the container runtime.
fn calls(counted: &[&CallCount]) -> Vec<Call> {
    let mut calls: BTreeMap<(u32, bool), Call> = BTreeMap::new();
    for count in counted {
        let call = calls.entry((count.number, count.compat)).or_insert_with(|| Call {
            number: count.number,
            name: name(count.number, count.compat),
            times: 0,
            arguments: Vec::new(),
        });
        call.times += count.times;
        let values = if count.compat { Vec::new() } else { values(count) };
        if !values.is_empty() {
            call.arguments.push(Seen {
                values,
                times: count.times,
            });
        }
    }
    calls.into_values().collect()
}

fn name(number: u32, compat: bool) -> String {
    match confine_kernel::name(number) {
        _ if compat => format!("call {number} of the 32-bit table"),
        Some(name) => name.to_owned(),
        None => format!("call {number}"),
    }
}

fn values(count: &CallCount) -> Vec<Value> {
    let facts = confine_kernel::arguments(count.number);
    let given = (0..).zip(facts.iter().zip(count.arguments));
    let restrictable = given.filter(|(_, (fact, _))| fact.kind.is_restrictable());
    restrictable
        .map(|(index, (fact, value))| Value {
            index,
            name: fact.name.to_owned(),
            value: Word(value),
        })
        .collect()
}
