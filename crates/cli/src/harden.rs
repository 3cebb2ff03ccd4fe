//! From an image and its report to files that install policies where programs start.

mod layer;
mod snippets;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use anyhow::ensure;
use confine_harden::{Compiled, loader_calls};
use confine_image::{Addition, Files, Image};
use confine_kernel::{arguments, call};
use confine_policy::Policy;
use confine_report::{Allowed, Coarser, Report, Restriction, RuntimeCall, Word};

use crate::policy;
use crate::written;

pub use snippets::{PROFILE, snippets};

/// What is wanted besides a policy for each program.
#[derive(Debug, Clone, Copy)]
pub struct Wishes<'a> {
    /// The only programs that get one, by path or name; all if there is none.
    pub only: &'a [String],
    /// Whether programs that the analysis did not find are refused.
    pub deny_unknown: bool,
    /// Whether the container runs without new privileges anyway.
    pub no_new_privileges: bool,
    /// Whether what a policy denies is let through and logged by the kernel.
    pub logging: bool,
}

/// Files that install policies, and what is to be said about them.
pub struct Hardened {
    /// The files.
    pub addition: Addition,
    /// Each program with a policy of its own.
    pub programs: Vec<Own>,
    /// Each program without one, and why.
    pub without: Vec<(String, String)>,
}

/// A program with a policy of its own.
pub struct Own {
    /// The program's path.
    pub path: String,
    /// The policy.
    pub policy: Rc<Policy>,
    /// How many calls it allows.
    pub calls: usize,
    /// How many of them by argument.
    pub conditional: usize,
    /// The calls of which its filters allow more than the policy does.
    pub coarser: Vec<Coarser>,
}

/// Makes the files.
pub fn harden(image: &Image, report: &Report, wishes: &Wishes<'_>) -> anyhow::Result<Hardened> {
    let files = &*image.files;
    let mut without = Vec::new();
    let mut wanted = BTreeMap::new();
    // Programs that the same can run under have one policy.
    let mut policies: BTreeMap<BTreeSet<usize>, Rc<Policy>> = BTreeMap::new();
    for (index, program) in report.programs.iter().enumerate() {
        if !is_wanted(program, wishes.only) {
            continue;
        }
        let members = policy::under(report, index);
        match privileged(files, report, index, &members) {
            Some(privileged) if !wishes.no_new_privileges => without.push((
                program.path.clone(),
                format!(
                    "it can execute {privileged}, which would lose its privileges (--no-new-privileges, if the \
                     container has none to give)"
                ),
            )),
            _ => {
                let policy = policies
                    .entry(members)
                    .or_insert_with_key(|members| Rc::new(policy::of_all(report, members)));
                wanted.insert(index, policy.clone());
            }
        }
    }
    for name in wishes.only {
        let is_there = report
            .programs
            .iter()
            .any(|program| is_wanted(program, std::slice::from_ref(name)));
        ensure!(is_there, "--only {name}: expected a program that the image runs");
    }
    let compiled = compile(&wanted, wishes.logging, &mut without, report);
    let policies = compiled
        .iter()
        .map(|(path, compiled)| (path.clone(), compiled.confined.clone()))
        .collect();
    let known: BTreeSet<&str> = report
        .programs
        .iter()
        .map(|program| program.path.as_str())
        .collect();
    let mut addition = Addition::new("confine harden");
    let refused = layer::add(files, &known, &policies, wishes.deny_unknown, &mut addition)?;
    let lost: BTreeSet<String> = refused.iter().map(|(path, _)| path.clone()).collect();
    without.extend(refused);
    without.sort();
    let confined = wanted.iter().filter_map(|(index, policy)| {
        let path = &report.programs.get(*index)?.path;
        let compiled = compiled.get(path).filter(|_| !lost.contains(path))?;
        Some(Own {
            path: path.clone(),
            policy: policy.clone(),
            calls: policy.calls(ARCHITECTURE).count(),
            conditional: conditional(policy, &compiled.loosened),
            coarser: written::loosened(policy, &compiled.loosened),
        })
    });
    Ok(Hardened {
        programs: confined.collect(),
        addition,
        without,
    })
}

const ARCHITECTURE: confine_policy::Architecture = confine_policy::Architecture::X86_64;

/// How many calls have conditions that they did not lose.
fn conditional(policy: &Policy, loosened: &BTreeSet<u32>) -> usize {
    let calls = policy.calls(ARCHITECTURE);
    calls
        .filter(|(number, rule)| !rule.is_any() && !loosened.contains(number))
        .count()
}

fn is_wanted(program: &confine_report::Program, only: &[String]) -> bool {
    let is_called = |name: &String| {
        program.path == *name
            || program.path.rsplit('/').next() == Some(name)
            || program.invoked.contains(name)
    };
    only.is_empty() || only.iter().any(is_called)
}

/// A program that would lose privileges if it were executed from under the policy of another one.
fn privileged(files: &dyn Files, report: &Report, index: usize, members: &BTreeSet<usize>) -> Option<String> {
    let others = members.iter().filter(|other| **other != index);
    let paths = others.filter_map(|other| report.programs.get(*other).map(|program| program.path.clone()));
    let gives = |path: &String| {
        files
            .resolve(path)
            .is_some_and(|resolved| resolved.gives_privileges())
    };
    paths.into_iter().find(gives)
}

/// The filters of each policy, by the path of its program. Programs with the same policy share its mark.
fn compile(
    wanted: &BTreeMap<usize, Rc<Policy>>,
    logging: bool,
    without: &mut Vec<(String, String)>,
    report: &Report,
) -> BTreeMap<String, Compiled> {
    let mut known: Vec<(&Rc<Policy>, Compiled)> = Vec::new();
    let mut all = BTreeMap::new();
    for (index, policy) in wanted {
        let Some(program) = report.programs.get(*index) else {
            continue;
        };
        let compiled = match known.iter().find(|(other, _)| *other == policy) {
            Some((_, compiled)) => Ok(compiled.clone()),
            None if logging => confine_harden::compile_logging(policy, known.len() as u32),
            None => confine_harden::compile(policy, known.len() as u32),
        };
        match compiled {
            Ok(compiled) => {
                if !known.iter().any(|(other, _)| *other == policy) {
                    known.push((policy, compiled.clone()));
                }
                all.insert(program.path.clone(), compiled);
            }
            Err(error) => without.push((
                program.path.clone(),
                format!("its policy cannot be compiled: {error}"),
            )),
        }
    }
    all
}

/// Takes in what the loader calls before the policy of a program is in force: that is under the container's.
pub fn add_loader_calls(report: &mut Report) {
    for needed in loader_calls() {
        let Some(known) = call(needed.number).map(|call| call.name) else {
            continue;
        };
        let argument = arguments(needed.number).first();
        let restriction = Restriction {
            index: 0,
            name: argument.map_or_else(String::new, |argument| argument.name.to_owned()),
            mask: Word(0xffff_ffff),
            values: vec![Word(needed.value)],
        };
        report.runtime_calls.push(RuntimeCall {
            name: known.to_owned(),
            requester: "loader".to_owned(),
            reason: needed.reason.to_owned(),
            arguments: vec![vec![restriction.clone()]],
        });
        match report
            .allowed
            .iter_mut()
            .find(|allowed| allowed.number == needed.number)
        {
            // With any arguments already.
            Some(allowed) if allowed.arguments.is_empty() => allowed.runtime = true,
            Some(allowed) => {
                allowed.runtime = true;
                allowed.arguments.push(vec![restriction]);
                allowed.arguments.sort();
                allowed.arguments.dedup();
            }
            None => report.allowed.push(Allowed {
                number: needed.number,
                name: known.to_owned(),
                by: Vec::new(),
                runtime: true,
                widened: false,
                observed: false,
                arguments: vec![vec![restriction]],
            }),
        }
    }
    report.runtime_calls.sort();
    report.allowed.sort_by_key(|allowed| allowed.number);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(prctl: Option<Vec<Vec<Restriction>>>) -> Report {
        let mut report: Report = serde_json::from_value(serde_json::json!({
            "schema": confine_report::SCHEMA, "version": confine_report::VERSION, "confine": "", "kernel_table": "",
            "image": {
                "reference": "", "architecture": "amd64", "command_line": [], "user": "", "workdir": "/",
                "environment": [],
            },
            "runtime": "any", "objects": [], "scripts": [], "programs": [], "runtime_calls": [], "widened": [],
            "allowed": [], "assumptions": [],
        }))
        .unwrap();
        report.allowed = prctl
            .into_iter()
            .map(|arguments| Allowed {
                number: 157,
                name: "prctl".to_owned(),
                by: vec![0],
                runtime: false,
                widened: false,
                observed: false,
                arguments,
            })
            .collect();
        report
    }

    #[test]
    fn the_loaders_calls_are_added_with_their_values_only() {
        let some = vec![Restriction {
            index: 0,
            name: "option".to_owned(),
            mask: Word(0xffff_ffff),
            values: vec![Word(15)],
        }];
        for (before, name_is_allowed, anything_is) in [
            (None, false, false),
            (Some(vec![some]), true, false),
            (Some(vec![]), true, true),
        ] {
            let mut report = report(before);
            add_loader_calls(&mut report);
            let policy = policy::whole(&report);
            let prctl = |option| policy.allows(ARCHITECTURE, 157, &[option, 0, 0, 0, 0, 0]);
            assert!(prctl(38) && prctl(confine_harden::probe::OPTION.into()));
            assert_eq!(prctl(15), name_is_allowed);
            assert_eq!(prctl(16), anything_is);
            assert!(policy.allows(ARCHITECTURE, 317, &[1, 0, 0, 0, 0, 0]));
            assert!(!policy.allows(ARCHITECTURE, 317, &[0; 6]));
            let reasons = report
                .runtime_calls
                .iter()
                .filter(|call| call.requester == "loader");
            assert_eq!(reasons.count(), 3);
        }
    }
}
