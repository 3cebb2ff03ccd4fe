//! The host's own loader as the oracle: the same objects, the same bindings.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail and may say what it skips"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use common::HostFiles;
use confine_elf::RelocationValue;
use confine_link::{Binding, Environment, Linked, LinkedObject, LoadReason, ObjectStore, link};

/// How many programs of the host are compared.
const PROGRAMS: usize = 30;

fn linked(program: &str) -> Linked {
    link(
        &HostFiles::new("/"),
        &ObjectStore::new(),
        program,
        &Environment::default(),
    )
}

/// The canonical paths that the loader says it loads, the program and the vDSO left out, in order.
fn traced(program: &str) -> Option<Vec<String>> {
    let output = Command::new(program)
        .env("LD_TRACE_LOADED_OBJECTS", "1")
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut paths = Vec::new();
    for line in text.lines() {
        let path = line.split_once("=> ").map_or(line, |(_, path)| path).trim();
        let path = path.split(" (").next().unwrap_or_default();
        if path.starts_with('/') {
            paths.push(std::fs::canonicalize(path).ok()?.to_string_lossy().into_owned());
        }
    }
    (!paths.is_empty()).then_some(paths)
}

/// Dynamically linked programs of the host, the ones with the most libraries first.
fn programs() -> Vec<(String, Vec<String>)> {
    let store = ObjectStore::new();
    let files = HostFiles::new("/");
    let mut programs = Vec::new();
    for folder in ["/usr/bin", "/usr/sbin"] {
        let mut names: Vec<_> = std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .collect();
        names.sort_by_key(std::fs::DirEntry::file_name);
        for entry in names {
            let path = entry.path().to_string_lossy().into_owned();
            let Ok(object) = store.object(&files, &path) else {
                continue;
            };
            let by_glibc = object.interpreter.as_deref() == Some("/lib64/ld-linux-x86-64.so.2");
            if by_glibc && !entry.path().is_symlink() {
                programs.push((object.dynamic.needed.len(), path));
            }
        }
    }
    programs.sort_by_key(|(needed, path)| (std::cmp::Reverse(*needed), path.clone()));
    let traced = programs
        .into_iter()
        .filter_map(|(_, path)| Some((path.clone(), traced(&path)?)));
    traced.take(PROGRAMS).collect()
}

#[test]
fn the_same_objects_in_the_same_order() {
    let programs = programs();
    if programs.is_empty() {
        println!("skipped: no dynamically linked program of glibc on this machine");
        return;
    }
    for (program, expected) in programs {
        let linked = linked(&program);
        let start_up = linked.objects.iter().filter(|object| !object.late).skip(1);
        let found: Vec<String> = start_up.map(|object| object.path.clone()).collect();
        let (mut found_set, mut expected_set) = (found.clone(), expected.clone());
        found_set.sort();
        expected_set.sort();
        assert_eq!(found_set, expected_set, "{program}");
        // The trace lists in load order.
        assert_eq!(found, expected, "{program}");
        assert_eq!(linked.assumptions, [], "{program}");
    }
}

/// What the loader says it binds while the program starts with all bindings made at once: (object that refers,
/// symbol, version) to the object that defines.
fn bound(program: &str, arguments: &[&str]) -> BTreeMap<(String, String, String), BTreeSet<String>> {
    let output = Command::new(program)
        .args(arguments)
        .env("LD_DEBUG", "bindings")
        .env("LD_BIND_NOW", "1")
        .output()
        .map(|output| String::from_utf8_lossy(&output.stderr).into_owned())
        .unwrap_or_default();
    let mut bindings: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for line in output.lines() {
        let Some(rest) = line.split_once("binding file ").map(|(_, rest)| rest) else {
            continue;
        };
        let parts: Vec<&str> = rest.split_whitespace().collect();
        let [from, _, "to", to, _, _, _, name, rest @ ..] = parts.as_slice() else {
            continue;
        };
        let name = name.trim_start_matches('`').trim_end_matches('\'').to_owned();
        let version = rest
            .first()
            .map(|version| version.trim_matches(['[', ']']).to_owned())
            .unwrap_or_default();
        let real = |path: &str| {
            let path = if path.contains('/') {
                path.to_owned()
            } else {
                program.to_owned()
            };
            std::fs::canonicalize(&path).map_or(path, |path| path.to_string_lossy().into_owned())
        };
        bindings
            .entry((real(from), name, version))
            .or_default()
            .insert(real(to));
    }
    bindings
}

#[test]
fn the_same_bindings() {
    for (program, arguments) in [
        ("/bin/ls", "/"),
        ("/usr/bin/git", "--version"),
        ("/usr/bin/gcc", "--version"),
        ("/usr/bin/gdb", "--version"),
        ("/usr/bin/skopeo", "--version"),
    ] {
        if !Path::new(program).exists() {
            println!("skipped: {program} is not there");
            continue;
        }
        check_bindings(program, &[arguments]);
    }
}

fn check_bindings(program: &str, arguments: &[&str]) {
    let expected = bound(program, arguments);
    let linked = linked(&std::fs::canonicalize(program).unwrap().to_string_lossy());
    let mut compared = 0;
    for (from, object) in linked
        .objects
        .iter()
        .enumerate()
        .filter(|(_, object)| !object.late)
    {
        let copied: BTreeSet<u32> = copied_symbols(object).collect();
        for (index, symbol) in object.elf.dynamic_symbols.iter().enumerate().skip(1) {
            let version = symbol
                .version
                .as_ref()
                .map_or(String::new(), |version| version.name.clone());
            let Some(targets) = expected.get(&(object.path.clone(), symbol.name.clone(), version)) else {
                continue;
            };
            let index = u32::try_from(index).unwrap();
            let binding = if copied.contains(&index) {
                linked.resolve_copy(from, index)
            } else {
                linked.resolve(from, index)
            };
            let Binding::Defined { object: to, .. } = binding else {
                panic!(
                    "{program}: {} {} binds to {targets:?}, not {binding:?}",
                    object.path, symbol.name
                );
            };
            let target = &linked.objects[to].path;
            assert!(
                targets.contains(target),
                "{program}: {} {} binds to {targets:?}, not {target}",
                object.path,
                symbol.name
            );
            compared += 1;
        }
    }
    println!("{program}: {compared} of {} bindings compared", expected.len());
    assert!(
        compared * 10 >= expected.len() * 9,
        "{program}: {compared} of {} compared",
        expected.len()
    );
}

/// The symbols of which the object has a copy.
fn copied_symbols(object: &LinkedObject) -> impl Iterator<Item = u32> {
    object
        .elf
        .relocations
        .iter()
        .filter_map(|relocation| match relocation.value {
            RelocationValue::Copy { symbol } => Some(symbol),
            _ => None,
        })
}

#[test]
fn the_interpreter_is_there_once() {
    let linked = linked("/bin/ls");
    let interpreters = linked
        .objects
        .iter()
        .filter(|object| object.reason == LoadReason::Interpreter)
        .count();
    assert_eq!(interpreters, 1);
}
