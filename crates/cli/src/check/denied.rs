//! What a policy denies, seen in a life in which it is let through: the kernel logs each such call, and in one more life
//! its tracer writes the arguments down.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::Context;
use confine_bpf::AUDIT_ARCH_X86_64;
use confine_check::{Attempt, Observation, Site};
use confine_elf::{Address, Object, SymbolKind};
use confine_engine::{AuditLog, AuditRecord, CallTrace, Mapped, TracedCall};
use confine_image::Files;
use confine_policy::{Architecture, Policy};

use super::lives::Lives;
use super::policies::Checked;

/// The length of the instruction before the place where a process goes on after a call.
const SYSTEM_CALL: u64 = 2;

/// How denied calls are watched for.
pub struct Watch<'a> {
    lives: &'a Lives<'a>,
    scratch: &'a Path,
    sites: Sites<'a>,
}

/// How the image's files are had, if they can be read.
type Opener<'a> = &'a dyn Fn() -> Option<&'a dyn Files>;

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
                self.attempts(&checked.policy, &records, Vec::new()),
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
                let mut attempts = self.attempts(&checked.policy, &again, traced);
                attempts.extend(self.attempts(&checked.policy, &only_before, Vec::new()));
                Ok((attempts, Observation::Complete))
            }
            Ok(_) => Ok((
                self.attempts(&checked.policy, &records, Vec::new()),
                Observation::Without("arguments: none of them came up again in another life".to_owned()),
            )),
            Err(reason) => Ok((
                self.attempts(&checked.policy, &records, Vec::new()),
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
        let (_, own) = self.lives.lead_known(&what, Some(profile))?;
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
        policy: &Policy,
        records: &[AuditRecord],
        traced: Vec<TracedCall>,
    ) -> Vec<Attempt> {
        let mut lists: BTreeMap<(u32, u32), std::collections::VecDeque<[u64; 6]>> = BTreeMap::new();
        for call in traced {
            if !policy.allows(Architecture::X86_64, call.call, &call.arguments) {
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
        });
        told.collect()
    }
}

fn number(record: &AuditRecord) -> Option<u32> {
    (record.architecture == AUDIT_ARCH_X86_64).then_some(record.call)
}

/// Functions of the image's objects by their places in files; each object is read once, each place looked up once.
struct Sites<'a> {
    files: Opener<'a>,
    objects: BTreeMap<String, Option<Object>>,
    known: BTreeMap<Mapped, Option<Site>>,
}

impl<'a> Sites<'a> {
    fn new(files: Opener<'a>) -> Self {
        Self {
            files,
            objects: BTreeMap::new(),
            known: BTreeMap::new(),
        }
    }

    fn find(&mut self, mapped: &Mapped) -> Option<Site> {
        if let Some(known) = self.known.get(mapped) {
            return known.clone();
        }
        let site = self.look_up(mapped);
        self.known.insert(mapped.clone(), site.clone());
        site
    }

    fn look_up(&mut self, mapped: &Mapped) -> Option<Site> {
        let files = (self.files)()?;
        let object = self.objects.entry(mapped.file.clone()).or_insert_with(|| {
            let bytes = files.read(&mapped.file).ok()?;
            Object::parse(bytes).ok()
        });
        let object = object.as_ref()?;
        let address = address_of(object, mapped.offset)?.checked_sub(SYSTEM_CALL)?;
        Some(Site {
            object: mapped.file.clone(),
            function: function_at(object, address),
            address,
        })
    }
}

/// The address of a byte of the file.
fn address_of(object: &Object, offset: u64) -> Option<Address> {
    let offset = usize::try_from(offset).ok()?;
    let segment = object
        .segments
        .iter()
        .find(|segment| segment.executable && segment.file.contains(&offset))?;
    let inside = u64::try_from(offset - segment.file.start).ok()?;
    segment.addresses.start.checked_add(inside)
}

/// The function's name, or where it starts if it has none, as reports write it.
fn function_at(object: &Object, address: Address) -> String {
    let symbols = object.symbols.iter().chain(&object.dynamic_symbols);
    let covering = symbols.filter(|symbol| {
        symbol.defined
            && matches!(symbol.kind, SymbolKind::Function | SymbolKind::Indirect)
            && symbol
                .address
                .checked_add(symbol.size.max(1))
                .is_some_and(|end| (symbol.address..end).contains(&address))
    });
    // The innermost; of several names for one place one that is not the library's own, then the first in the alphabet.
    let named = covering.max_by_key(|symbol| {
        let own = symbol.name.starts_with('_');
        (symbol.address, std::cmp::Reverse((own, &symbol.name)))
    });
    if let Some(symbol) = named {
        return symbol.name.clone();
    }
    let of_go = object.go_functions.iter().find(|one| one.code.contains(&address));
    if let Some(function) = of_go {
        return function.name.clone();
    }
    let start = object
        .unwind
        .iter()
        .find(|function| function.code.contains(&address))
        .map_or(address, |function| function.code.start);
    format!("+{start:#x}")
}
