//! The files of a layer: dynamic loaders with the policies of their programs, static programs with their own.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use confine_harden::{Confined, Fingerprint, Kind, Program, graft, identify, only, write_bundle};
use confine_image::{Addition, FileToAdd, Files};

/// What is known of the programs of one interpreter.
type Programs = BTreeMap<Fingerprint, (String, Confined)>;

/// Programs that get no policy, each with the reason.
type Refused = Vec<(String, String)>;

/// Adds what installs the policies, by the paths of their programs. All `known` programs start where unknown ones are
/// refused.
pub fn add(
    files: &dyn Files,
    known: &BTreeSet<&str>,
    policies: &BTreeMap<String, Confined>,
    deny_unknown: bool,
    addition: &mut Addition,
) -> anyhow::Result<Refused> {
    let mut refused = Vec::new();
    let mut interpreters: BTreeMap<String, Programs> = BTreeMap::new();
    for path in known {
        let bytes = match files.read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                refuse(&mut refused, policies, path, &error.to_string());
                continue;
            }
        };
        match identify(&bytes) {
            Some(Program::Dynamic {
                interpreter,
                fingerprint: Some(fingerprint),
            }) => {
                let Some(interpreter) = files.resolve(&interpreter) else {
                    refuse(
                        &mut refused,
                        policies,
                        path,
                        &format!("its interpreter {interpreter} is missing"),
                    );
                    continue;
                };
                let programs = interpreters.entry(interpreter.path).or_default();
                let confined = policies.get(*path).cloned().unwrap_or_default();
                add_program(programs, fingerprint, path, confined, &mut refused);
            }
            Some(Program::Dynamic {
                fingerprint: None, ..
            }) => {
                if deny_unknown {
                    bail!(
                        "{path}: it cannot be told from other programs, so that --deny-unknown would refuse it"
                    );
                }
                refuse(
                    &mut refused,
                    policies,
                    path,
                    "it cannot be told from other programs in memory",
                );
            }
            Some(Program::Static) => {
                if let Some(confined) = policies.get(*path) {
                    let result = add_static(files, path, &bytes, confined, addition);
                    if let Err(error) = result {
                        refused.push(((*path).to_owned(), format!("{error:#}")));
                    }
                }
            }
            None => refuse(
                &mut refused,
                policies,
                path,
                "it is no program for Linux on x86-64",
            ),
        }
    }
    for (path, programs) in interpreters {
        let named =
            |(path, confined): &(String, Confined)| (!confined.filters.is_empty()).then(|| path.clone());
        let confined: Vec<String> = programs.values().filter_map(named).collect();
        if confined.is_empty() && !deny_unknown {
            continue;
        }
        if let Err(error) = add_interpreter(files, &path, programs, deny_unknown, addition) {
            if deny_unknown {
                return Err(error);
            }
            let reason = format!("{error:#}");
            refused.extend(confined.into_iter().map(|program| (program, reason.clone())));
        }
    }
    Ok(refused)
}

fn refuse(refused: &mut Refused, policies: &BTreeMap<String, Confined>, path: &str, reason: &str) {
    if policies.contains_key(path) {
        refused.push((path.to_owned(), reason.to_owned()));
    }
}

/// A program of which there is another copy has the policy of both only if they are the same.
fn add_program(
    programs: &mut Programs,
    fingerprint: Fingerprint,
    path: &str,
    confined: Confined,
    refused: &mut Refused,
) {
    match programs.get_mut(&fingerprint) {
        None => {
            programs.insert(fingerprint, (path.to_owned(), confined));
        }
        Some((_, known)) if *known == confined => (),
        Some((other, known)) => {
            let names = [other.clone(), path.to_owned()];
            for (path, reason) in [(0, 1), (1, 0)].map(|(own, other)| {
                let reason = format!(
                    "in memory it looks like {}, which has another policy",
                    names[other]
                );
                (names[own].clone(), reason)
            }) {
                if !refused.iter().any(|(known, _)| *known == path) {
                    refused.push((path, reason));
                }
            }
            *known = Confined::default();
        }
    }
}

fn add_static(
    files: &dyn Files,
    path: &str,
    bytes: &[u8],
    confined: &Confined,
    addition: &mut Addition,
) -> anyhow::Result<()> {
    let bundle = only(confined.clone()).context("its policy is too large")?;
    add_file(files, path, graft(bytes, Kind::Program, &bundle)?, addition)
}

fn add_interpreter(
    files: &dyn Files,
    path: &str,
    programs: Programs,
    deny_unknown: bool,
    addition: &mut Addition,
) -> anyhow::Result<()> {
    let programs = programs
        .into_iter()
        .map(|(fingerprint, (_, confined))| (fingerprint, confined));
    let bundle = write_bundle(&programs.collect(), deny_unknown).context("all policies are too large")?;
    let grafted = graft(&files.read(path)?, Kind::Interpreter, &bundle).with_context(|| path.to_owned())?;
    add_file(files, path, grafted, addition)
}

/// Puts a file in the place of the one that is there, as that is but for its bytes.
fn add_file(files: &dyn Files, path: &str, bytes: Vec<u8>, addition: &mut Addition) -> anyhow::Result<()> {
    let resolved = files
        .resolve(path)
        .with_context(|| format!("{path} is missing"))?;
    if resolved.ownership.capabilities {
        bail!("it has file capabilities, which a copy would not have");
    }
    let file = FileToAdd {
        bytes,
        mode: resolved.mode,
        ownership: resolved.ownership,
    };
    addition.add(files, path, file);
    Ok(())
}
