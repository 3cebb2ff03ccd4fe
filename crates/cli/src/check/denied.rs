//! What a policy denies, seen in a life in which it is let through: the kernel logs each such call, and in one more life
//! its tracer writes the arguments down.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::Context;
use confine_bpf::AUDIT_ARCH_X86_64;
use confine_check::{Attempt, Observation};
use confine_engine::{AuditLog, AuditRecord, CallTrace, TracedCall};

use super::lives::Lives;
use super::policies::Checked;
use crate::sites::{Opener, Sites};

/// How denied calls are watched for.
pub struct Watch<'a> {
    lives: &'a Lives<'a>,
    scratch: &'a Path,
    sites: Sites<'a>,
}

impl<'a> Watch<'a> {
    /// Watches these lives; profiles are written into `scratch`, and the image's files are only asked for, for names of
    /// functions, when something is denied.
    pub fn new(lives: &'a Lives<'a>, scratch: &'a Path, files: Opener<'a>) -> Self {
        Self {
            lives,
            scratch,
            sites: Sites::new(files),
        }
    }

    /// What a policy denies in a life of its own, and whether all of it could be seen.
    pub fn denied(&mut self, checked: &Checked) -> anyhow::Result<(Vec<Attempt>, Observation)> {
        let text = match confine_profile::auditing(&checked.policy) {
            Ok(text) => text,
            Err(error) => return Ok((Vec::new(), Observation::Impossible(error.to_string()))),
        };
        let path = self.scratch.join("audit.json");
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        let records = match self.records(checked, &path, None)? {
            Ok((records, _)) => records,
            Err(reason) => return Ok((Vec::new(), Observation::Impossible(reason))),
        };
        let numbers: BTreeSet<u32> = records.iter().filter_map(number).collect();
        if numbers.is_empty() {
            return Ok((
                self.attempts(checked, &records, Vec::new()),
                Observation::Complete,
            ));
        }
        let numbers: Vec<u32> = numbers.into_iter().collect();
        match self.records(checked, &path, Some(&numbers))? {
            Ok((again, traced)) if !again.is_empty() => {
                // Both lives count: what came up in one alone is denied as well.
                let known: BTreeSet<(u32, &str)> = again
                    .iter()
                    .map(|record| (record.call, record.program.as_str()))
                    .collect();
                let only_before: Vec<AuditRecord> = records
                    .iter()
                    .filter(|record| !known.contains(&(record.call, record.program.as_str())))
                    .cloned()
                    .collect();
                let mut attempts = self.attempts(checked, &again, traced);
                attempts.extend(self.attempts(checked, &only_before, Vec::new()));
                Ok((attempts, Observation::Complete))
            }
            Ok(_) => Ok((
                self.attempts(checked, &records, Vec::new()),
                Observation::Without("arguments: none of them came up again in another life".to_owned()),
            )),
            Err(reason) => Ok((
                self.attempts(checked, &records, Vec::new()),
                Observation::Without(format!("arguments: {reason}")),
            )),
        }
    }

    /// What is logged in one life, and the trace of some calls in it; or why that cannot be.
    #[allow(clippy::type_complexity, reason = "a pair, or a reason")]
    fn records(
        &self,
        checked: &Checked,
        profile: &Path,
        traced: Option<&[u32]>,
    ) -> anyhow::Result<Result<(Vec<AuditRecord>, Vec<TracedCall>), String>> {
        let log = match AuditLog::open(self.lives.interrupt()) {
            Ok(log) => log,
            Err(error @ confine_engine::Error::Interrupted) => return Err(error.into()),
            Err(error) => return Ok(Err(format!("the kernel's log is needed: {}", error.in_full()))),
        };
        let trace = match traced.map(CallTrace::open).transpose() {
            Ok(trace) => trace,
            Err(error) => {
                return Ok(Err(format!("the kernel's tracer is needed: {}", error.in_full())));
            }
        };
        let what = match traced {
            None => format!("{}: watching for denied calls", checked.name),
            Some(_) => format!("{}: watching for their arguments", checked.name),
        };
        let (_, own) = self.lives.lead_logged(&what, checked, profile)?;
        let traced = match trace.map(CallTrace::finish).transpose() {
            Ok(traced) => traced.unwrap_or_default(),
            Err(error) => return Ok(Err(error.in_full())),
        };
        let mut records = match log.finish() {
            Ok(records) => records,
            Err(error) => return Ok(Err(error.in_full())),
        };
        // One whose process was gone before it was looked at may be ours: it counts, and is told as such. Where
        // no container was made, none is.
        records.retain(|record| own.as_ref().is_some_and(|own| record.is_of(own).unwrap_or(true)));
        Ok(Ok((records, traced)))
    }

    /// Records with the arguments that were traced: of each process and call in the order in which they came, from the end,
    /// for what a process called before its filter was there is traced and not logged.
    fn attempts(
        &mut self,
        checked: &Checked,
        records: &[AuditRecord],
        traced: Vec<TracedCall>,
    ) -> Vec<Attempt> {
        let mut lists: BTreeMap<(u32, u32), std::collections::VecDeque<[u64; 6]>> = BTreeMap::new();
        // One process can be several programs, one after the other.
        let mut makers: BTreeMap<(u32, u32), BTreeSet<&str>> = BTreeMap::new();
        for record in records {
            let programs = makers.entry((record.process, record.call)).or_default();
            programs.insert(&record.program);
        }
        for call in traced {
            let mut programs = makers.get(&(call.process, call.call)).into_iter().flatten();
            if programs.any(|program| checked.denies(program, call.call, &call.arguments)) {
                lists
                    .entry((call.process, call.call))
                    .or_default()
                    .push_back(call.arguments);
            }
        }
        let told = records.iter().rev().map(|record| Attempt {
            number: number(record),
            foreign: format!("call {} of {:#x}", record.call, record.architecture),
            program: record.program.clone(),
            arguments: lists
                .get_mut(&(record.process, record.call))
                .and_then(std::collections::VecDeque::pop_back),
            site: record.mapped.as_ref().and_then(|mapped| self.sites.find(mapped)),
            certain: record.origin.is_some(),
            times: 1,
        });
        told.collect()
    }
}

fn number(record: &AuditRecord) -> Option<u32> {
    (record.architecture == AUDIT_ARCH_X86_64).then_some(record.call)
}
