//! What two sides differ in. Calls and values are compared as policies, exactly; programs, objects and assumptions only
//! where both sides have them, which profiles do not.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use confine_policy::{Architecture, Policy, Rule};
use confine_profile::MAXIMUM_CONDITIONAL;
use confine_report::{Call, Program, Report, Step};
use serde::Serialize;

use super::describe;
use crate::policy;
use crate::subject::Subject;

/// One of the two.
pub struct Side {
    name: String,
    policy: Policy,
    report: Option<Box<Report>>,
    /// The only programs of the report that count, by their indices; all if there are none.
    only: Option<BTreeSet<usize>>,
}

/// Everything that differs, each list in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What this is: `confine-difference`.
    pub schema: &'static str,
    /// The version of this shape.
    pub version: u32,
    /// The old one, as the user named it.
    pub old: String,
    /// The new one.
    pub new: String,
    /// System calls.
    pub calls: Calls,
    /// Paths of programs.
    pub programs: Changes,
    /// Paths of objects; changed are those with other contents.
    pub objects: Changes,
    /// What is unresolved.
    pub assumptions: Changes,
}

/// How system calls differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Calls {
    /// Allowed now.
    pub added: Vec<AddedCall>,
    /// Allowed no more.
    pub removed: Vec<String>,
    /// Allowed with other arguments.
    pub changed: Vec<ChangedCall>,
}

/// A call that is allowed now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AddedCall {
    /// Its name.
    pub name: String,
    /// Who makes it, and how it comes to that.
    pub reasons: Vec<Reason>,
}

/// A call that is allowed with other arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedCall {
    /// Its name.
    pub name: String,
    /// Arguments that are allowed now.
    pub added: Vec<String>,
    /// Arguments that are allowed no more.
    pub removed: Vec<String>,
    /// Who makes it with what was added.
    pub reasons: Vec<Reason>,
}

/// Why a call is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The program that makes it, or who else needs it.
    pub who: String,
    /// A shortest way there, function by function; or what for.
    pub how: Vec<String>,
}

/// What came, went and changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// What is there now.
    pub added: Vec<String>,
    /// What is there no more.
    pub removed: Vec<String>,
    /// What is not what it was.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
}

impl Changes {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

impl Difference {
    /// Whether both are the same.
    pub fn is_empty(&self) -> bool {
        let Calls {
            added,
            removed,
            changed,
        } = &self.calls;
        let others = [&self.programs, &self.objects, &self.assumptions];
        added.is_empty()
            && removed.is_empty()
            && changed.is_empty()
            && others.iter().all(|changes| changes.is_empty())
    }
}

impl Side {
    /// What was loaded, of which only `program` counts if one is named, with what can run under its policy.
    pub fn new(name: &str, subject: Subject, program: Option<&str>) -> anyhow::Result<Self> {
        let policy = subject.policy(program, None).with_context(|| name.to_owned())?;
        let (report, only) = match subject {
            Subject::Profile(_) => (None, None),
            Subject::Image(report) => (Some(report), None),
            Subject::Report(report) => {
                let index = program.map(|program| policy::named_program(&report, program));
                let only = index.transpose()?.map(|index| policy::under(&report, index));
                (Some(report), only)
            }
        };
        Ok(Self {
            name: name.to_owned(),
            policy: policy.coarsened(MAXIMUM_CONDITIONAL),
            report,
            only,
        })
    }

    fn programs(&self) -> impl Iterator<Item = &Program> {
        let all = self.report.iter().flat_map(|report| &report.programs);
        let counts = |index: &usize| self.only.as_ref().is_none_or(|only| only.contains(index));
        all.enumerate()
            .filter(move |(index, _)| counts(index))
            .map(|(_, program)| program)
    }
}

/// What `new` has other than `old`.
pub fn compare(old: &Side, new: &Side) -> Difference {
    let both = old.report.as_ref().zip(new.report.as_ref());
    Difference {
        schema: "confine-difference",
        version: 1,
        old: old.name.clone(),
        new: new.name.clone(),
        calls: calls(old, new),
        programs: match both {
            Some(_) => changes(programs(old), programs(new)),
            None => Changes::default(),
        },
        objects: match both {
            Some(_) => changes(objects(old), objects(new)),
            None => Changes::default(),
        },
        assumptions: match both {
            Some((before, after)) => changes(assumptions(old, before), assumptions(new, after)),
            None => Changes::default(),
        },
    }
}

fn calls(old: &Side, new: &Side) -> Calls {
    let mut calls = Calls::default();
    for call in confine_kernel::calls() {
        let before = old.policy.rule(Architecture::X86_64, call.number);
        let after = new.policy.rule(Architecture::X86_64, call.number);
        let name = call.name.to_owned();
        match (before.is_never(), after.is_never()) {
            (true, true) => (),
            (true, false) => calls.added.push(AddedCall {
                reasons: reasons(new, &name, None),
                name,
            }),
            (false, true) => calls.removed.push(name),
            (false, false) if before.includes(&after) && after.includes(&before) => (),
            (false, false) => calls.changed.push(ChangedCall {
                added: missing(call.number, &before, &after),
                removed: missing(call.number, &after, &before),
                reasons: match before.includes(&after) {
                    true => Vec::new(),
                    false => reasons(new, &name, Some(&before)),
                },
                name,
            }),
        }
    }
    calls.added.sort_by(|left, right| left.name.cmp(&right.name));
    calls.removed.sort();
    calls.changed.sort_by(|left, right| left.name.cmp(&right.name));
    calls
}

/// The alternatives of `after` that `before` does not allow.
fn missing(number: u32, before: &Rule, after: &Rule) -> Vec<String> {
    let new = after
        .alternatives()
        .filter(|alternative| !before.includes(&Rule::from(**alternative)));
    let mut texts: Vec<String> = new
        .map(|alternative| describe::alternative(number, alternative))
        .collect();
    texts.sort();
    texts
}

/// Who makes a call; with arguments that `before` does not allow, if that is given.
fn reasons(side: &Side, name: &str, before: Option<&Rule>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let Some(report) = &side.report else {
        return reasons;
    };
    for program in side.programs() {
        for call in program.calls.iter().filter(|call| call.name == name) {
            if let Some(chain) = chain(call, before) {
                reasons.push(Reason {
                    who: program.path.clone(),
                    how: chain.iter().map(|step| self::step(report, step)).collect(),
                });
            }
        }
    }
    for needed in report.runtime_calls.iter().filter(|needed| needed.name == name) {
        if before.is_none() && side.only.is_none() {
            reasons.push(Reason {
                who: needed.requester.clone(),
                how: vec![needed.reason.clone()],
            });
        }
    }
    for widened in report.widened.iter().filter(|widened| widened.name == name) {
        reasons.push(Reason {
            who: "something unresolved".to_owned(),
            how: vec![widened.because.clone()],
        });
    }
    reasons
}

/// A shortest way to a call, with arguments that `before` does not allow.
fn chain<'a>(call: &'a Call, before: Option<&Rule>) -> Option<&'a [Step]> {
    let Some(before) = before else {
        return Some(&call.chain);
    };
    if call.arguments.is_empty() {
        return Some(&call.chain);
    }
    let mut new = call
        .arguments
        .iter()
        .filter(|one| !before.includes(&policy::rule(&one.restrictions)));
    new.next().map(|one| one.chain.as_slice())
}

fn step(report: &Report, step: &Step) -> String {
    let object = report.objects.get(step.object);
    let object = object.map_or("?", |object| object.path.as_str());
    format!("{object}:{} at {}", step.function, step.address)
}

fn programs(side: &Side) -> BTreeMap<String, String> {
    side.programs()
        .map(|program| (program.path.clone(), String::new()))
        .collect()
}

fn objects(side: &Side) -> BTreeMap<String, String> {
    let loaded = side.programs().flat_map(|program| &program.objects);
    let loaded: BTreeSet<usize> = loaded.map(|loaded| loaded.object).collect();
    let objects = side.report.iter().flat_map(|report| &report.objects);
    objects
        .enumerate()
        .filter(|(index, _)| side.only.is_none() || loaded.contains(index))
        .map(|(_, object)| (object.path.clone(), object.sha256.clone()))
        .collect()
}

/// By kind and what they say, not by the address, which every build moves.
fn assumptions(side: &Side, report: &Report) -> BTreeMap<String, String> {
    let open = match &side.only {
        None => report.assumptions.iter().collect(),
        Some(only) => policy::open(report, only),
    };
    let lines = open.into_iter().map(|assumption| {
        let place = assumption
            .place
            .split_once("+0x")
            .map_or(assumption.place.as_str(), |(before, _)| before);
        let line = format!(
            "{}: {place}: {} ({})",
            assumption.kind, assumption.detail, assumption.effect
        );
        (line, String::new())
    });
    lines.collect()
}

fn changes(old: BTreeMap<String, String>, new: BTreeMap<String, String>) -> Changes {
    let names = |map: &BTreeMap<String, String>| map.keys().cloned().collect::<BTreeSet<String>>();
    let (before, after) = (names(&old), names(&new));
    Changes {
        added: after.difference(&before).cloned().collect(),
        removed: before.difference(&after).cloned().collect(),
        changed: before
            .intersection(&after)
            .filter(|name| old.get(*name) != new.get(*name))
            .cloned()
            .collect(),
    }
}
