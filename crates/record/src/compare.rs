//! What was observed and not foreseen, and the other way round.
//!
//! Programs are matched by their paths with every link followed. A call of a program is foreseen if the report has it
//! among that program's calls with these values, if the kernel makes it by itself, or if the report widens the policy by
//! it because something stayed open. A program that the report has not is one finding, and each of its calls that the
//! container's policy denies is one more.
//!
//! Misses: code that is mapped from no folder's file (a memfd) is no object that could be foreseen; its calls are its
//! program's. What the container runtime calls before it executes anything is not held against its table, as most of it
//! comes before the filter is installed.

use std::collections::{BTreeMap, BTreeSet};

use confine_assumption::{Assumption, Kind as Open};
use confine_report::Report;

use crate::findings::{Comparison, Finding, Foreseen, Kind, Observed, Unseen};
use crate::{Call, Program, Record, Seen, Value};

/// How the container runtime is called where a program would be named.
const RUNTIME: &str = "container runtime";

const OBSERVED: &str =
    "`confine profile --observed` allows it; that the analysis missed it is a bug of confine";

/// Holds a record against a report.
#[must_use]
pub fn compare(report: &Report, record: &Record) -> Comparison {
    let comparing = Comparing {
        report,
        record,
        programs: report
            .programs
            .iter()
            .map(|program| (program.path.as_str(), program))
            .collect(),
        contents: report
            .objects
            .iter()
            .map(|object| (object.path.as_str(), object.sha256.as_str()))
            .collect(),
    };
    let mut unforeseen: Vec<Finding> = comparing.changed();
    for program in &record.programs {
        unforeseen.extend(comparing.program(program));
    }
    Comparison {
        warnings: comparing.warnings(),
        unforeseen,
        unseen: comparing.unseen(),
        observed: observed(record),
    }
}

struct Comparing<'a> {
    report: &'a Report,
    record: &'a Record,
    programs: BTreeMap<&'a str, &'a confine_report::Program>,
    /// Digests of the report's objects, by path.
    contents: BTreeMap<&'a str, &'a str>,
}

impl Comparing<'_> {
    fn path(&self, file: usize) -> &str {
        self.record.files.get(file).map_or("?", |file| file.path.as_str())
    }

    fn program(&self, program: &Program) -> Vec<Finding> {
        let path = self.path(program.file);
        let Some(foreseen) = self.programs.get(path) else {
            return self.unknown_program(path, program);
        };
        let mut findings = Vec::new();
        let objects: BTreeSet<&str> = foreseen
            .objects
            .iter()
            .filter_map(|loaded| self.report.objects.get(loaded.object))
            .map(|object| object.path.as_str())
            .collect();
        let files = program
            .objects
            .iter()
            .filter_map(|index| self.record.files.get(*index));
        for file in files.filter(|file| file.has_place() && !objects.contains(file.path.as_str())) {
            findings.push(Finding {
                object: Some(file.path.clone()),
                open: open(&foreseen.assumptions, Open::OpenLibrary),
                ..finding(
                    Kind::Object,
                    path,
                    "`confine profile --observed` allows the calls that were seen of it; that the analysis does not \
                     load it is a bug of confine, unless an assumption covers it",
                )
            });
        }
        for call in &program.calls {
            findings.extend(self.call(path, foreseen, call));
        }
        findings
    }

    fn unknown_program(&self, path: &str, program: &Program) -> Vec<Finding> {
        let executed_by: Vec<String> = program
            .executed_by
            .iter()
            .map(|executor| executor.file.map_or(RUNTIME, |file| self.path(file)).to_owned())
            .collect();
        let from_outside = program.executed_by.iter().all(|executor| executor.file.is_none());
        let remedy = match from_outside {
            true => format!("`confine profile --also '{path}'` foresees it"),
            false => format!(
                "`confine profile --also '{path}'` foresees it; that the analysis has not found it is a bug of confine, \
                 unless an assumption covers it"
            ),
        };
        let mut findings = vec![Finding {
            times: program.executions,
            executed_by,
            open: self.open_commands(program),
            ..finding(Kind::Program, path, &remedy)
        }];
        let calls = program.calls.iter();
        findings.extend(calls.flat_map(|call| self.denied(path, call, &remedy)));
        findings
    }

    /// The open commands of whoever executed a program, of the scripts that they interpret, and of whoever executed them.
    fn open_commands(&self, program: &Program) -> Vec<Assumption> {
        let executors = |program: &Program| -> BTreeSet<usize> {
            let executors = program.executed_by.iter();
            executors.filter_map(|executor| executor.file).collect()
        };
        let mut near = executors(program);
        for file in near.clone() {
            let programs = self.record.programs.iter();
            near.extend(
                programs
                    .filter(|program| program.file == file)
                    .flat_map(executors),
            );
        }
        let mut all: BTreeSet<&Assumption> = BTreeSet::new();
        for path in near.into_iter().map(|file| self.path(file)) {
            if let Some(foreseen) = self.programs.get(path) {
                all.extend(open_of(&foreseen.assumptions, Open::OpenCommand));
            }
            let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
            let scripts = self.report.scripts.iter();
            for script in scripts.filter(|script| name(&script.interpreter) == name(path)) {
                let place = format!("{}:", script.path);
                let found = open_of(&self.report.assumptions, Open::OpenCommand);
                all.extend(found.filter(|assumption| assumption.place.starts_with(&place)));
            }
        }
        all.into_iter().cloned().collect()
    }

    /// What of a call's combinations of values was not foreseen of this program.
    fn call(&self, path: &str, foreseen: &confine_report::Program, call: &Call) -> Vec<Finding> {
        if is_nothing(call) {
            return Vec::new();
        }
        let foresees = |values: &[(u32, u64)]| self.report.foresees(foreseen, &call.name, values);
        if !call.is_known() || !foresees(&[]) {
            return vec![Finding {
                call: Some(call.name.clone()),
                times: call.times,
                denied: Some(!self.allows_all(call)),
                ..finding(Kind::Call, path, remedy_of(call))
            }];
        }
        let missed = call.arguments.iter().filter(|seen| !foresees(&seen.pairs()));
        missed
            .map(|seen| self.value(path, call, seen, OBSERVED))
            .collect()
    }

    /// What of a call the container's policy denies.
    fn denied(&self, path: &str, call: &Call, remedy: &str) -> Vec<Finding> {
        if is_nothing(call) {
            return Vec::new();
        }
        if !self.allows(call, &[]) {
            return vec![Finding {
                call: Some(call.name.clone()),
                times: call.times,
                denied: Some(true),
                ..finding(Kind::Call, path, remedy)
            }];
        }
        let denied = call
            .arguments
            .iter()
            .filter(|seen| !self.allows(call, &seen.pairs()));
        denied.map(|seen| self.value(path, call, seen, remedy)).collect()
    }

    fn value(&self, path: &str, call: &Call, seen: &Seen, remedy: &str) -> Finding {
        Finding {
            call: Some(call.name.clone()),
            values: seen.values.clone(),
            times: seen.times,
            denied: Some(!self.allows(call, &seen.pairs())),
            ..finding(Kind::Value, path, remedy)
        }
    }

    /// Whether the container's policy allows a call with all the values that it was made with.
    fn allows_all(&self, call: &Call) -> bool {
        match call.arguments.as_slice() {
            [] => self.allows(call, &[]),
            seen => seen.iter().all(|seen| self.allows(call, &seen.pairs())),
        }
    }

    /// Whether the container's policy allows a call with these values.
    fn allows(&self, call: &Call, values: &[(u32, u64)]) -> bool {
        call.is_known() && self.report.allows(&call.name, values)
    }

    /// Files that are not those that were analysed.
    fn changed(&self) -> Vec<Finding> {
        let files = self.record.files.iter();
        let changed = files.filter(|file| {
            let analysed = self.contents.get(file.path.as_str());
            analysed.is_some_and(|analysed| file.sha256.as_deref() != Some(*analysed))
        });
        changed
            .map(|file| {
                finding(
                    Kind::Changed,
                    &file.path,
                    "its content is not what was analysed: compare a record with a report of the same image; a file \
                     that the container changes itself cannot be foreseen",
                )
            })
            .collect()
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let (analysed, observed) = (&self.report.image.digest, &self.record.image.digest);
        if let (Some(analysed), Some(observed)) = (analysed, observed)
            && analysed != observed
        {
            warnings.push(format!(
                "the report is of the image {analysed}, the record of {observed}"
            ));
        }
        if self.record.session.workload_exit.is_some_and(|code| code != 0) {
            warnings.push("the workload of the record failed".to_owned());
        }
        warnings
    }

    fn unseen(&self) -> Unseen {
        let record = self.record;
        let programs: BTreeSet<&str> = record
            .programs
            .iter()
            .map(|program| self.path(program.file))
            .collect();
        let objects = record.programs.iter().flat_map(|program| &program.objects);
        let objects: BTreeSet<&str> = objects
            .map(|file| self.path(*file))
            .chain(programs.iter().copied())
            .collect();
        let calls = record.programs.iter().flat_map(|program| &program.calls);
        let calls: BTreeSet<&str> = calls
            .chain(&record.runtime)
            .map(|call| call.name.as_str())
            .collect();
        let missing = |all: Vec<&str>, seen: &BTreeSet<&str>| -> Vec<String> {
            let unseen = all.into_iter().filter(|one| !seen.contains(one));
            unseen.map(str::to_owned).collect()
        };
        let report = self.report;
        let allowed = report.allowed.iter().map(|allowed| allowed.name.as_str());
        Unseen {
            programs: missing(self.programs.keys().copied().collect(), &programs),
            objects: missing(self.contents.keys().copied().collect(), &objects),
            calls: missing(allowed.collect(), &calls),
            of: Foreseen {
                programs: report.programs.len(),
                objects: report.objects.len(),
                calls: report.allowed.len(),
            },
        }
    }
}

fn open(assumptions: &[Assumption], kind: Open) -> Vec<Assumption> {
    open_of(assumptions, kind).cloned().collect()
}

fn open_of(assumptions: &[Assumption], kind: Open) -> impl Iterator<Item = &Assumption> {
    assumptions
        .iter()
        .filter(move |assumption| assumption.kind == kind)
}

/// A number that no table can have: the kernel answers that there is no such call, whatever a policy says.
pub(crate) fn is_nothing(call: &Call) -> bool {
    call.number == u32::MAX || confine_kernel::is_beyond_tables(call.number)
}

fn remedy_of(call: &Call) -> &'static str {
    match call.is_known() {
        true => OBSERVED,
        false => "no policy of confine can allow it: its table of calls does not have it",
    }
}

fn finding(kind: Kind, program: &str, remedy: &str) -> Finding {
    Finding {
        kind,
        program: program.to_owned(),
        object: None,
        call: None,
        values: Vec::<Value>::new(),
        times: 0,
        executed_by: Vec::new(),
        denied: None,
        open: Vec::new(),
        remedy: remedy.to_owned(),
    }
}

fn observed(record: &Record) -> Observed {
    let programs = record.programs.iter();
    let calls = record.programs.iter().flat_map(|program| &program.calls);
    Observed {
        programs: record.programs.len(),
        objects: programs
            .flat_map(|program| &program.objects)
            .collect::<BTreeSet<_>>()
            .len(),
        calls: calls.clone().count(),
        values: calls.map(|call| call.arguments.len()).sum(),
    }
}

#[cfg(test)]
mod tests;
