//! What a dynamic loader does only when somebody runs it as a program.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail and may say what it skips"
)]

use std::fs;
use std::path::Path;

use confine_code::{Facts, Value};
use confine_elf::Object;

/// execve on x86-64.
const EXECVE: u64 = 59;

/// The calls of an object whose number its function knows to be this one, and whether each is dormant.
fn calls(object: &Object, facts: &Facts, number: u64) -> Vec<bool> {
    let evaluations = (0..facts.functions.len()).filter_map(|function| facts.evaluation(object, function));
    let sites = evaluations.flat_map(|evaluation| {
        let calls = evaluation.system_calls.iter();
        let wanted = calls.filter(|(_, call)| match &call.number {
            Value::Constants(numbers) => numbers.as_slice().contains(&number),
            _ => false,
        });
        wanted.map(|(at, _)| *at).collect::<Vec<_>>()
    });
    sites.map(|at| facts.is_dormant(object, at)).collect()
}

/// glibc's loader executes a static program that it is asked to run, since 2.33; as an interpreter it executes nothing.
#[test]
fn a_loader_that_interprets_executes_nothing() {
    let path = Path::new("/lib64/ld-linux-x86-64.so.2");
    let Ok(bytes) = fs::read(path) else {
        return println!("skipped: no {} on this machine", path.display());
    };
    let object = Object::parse(bytes.into()).unwrap();
    let facts = Facts::of(&object);
    let execve = calls(&object, &facts, EXECVE);
    assert!(execve.iter().all(|dormant| *dormant), "{execve:?}");
    // It reads libraries and maps them either way.
    let mmap = calls(&object, &facts, 9);
    assert!(
        !mmap.is_empty() && mmap.iter().any(|dormant| !dormant),
        "{mmap:?}"
    );
}

/// A program has no interpreter's code, whatever it compares its entry point with.
#[test]
fn nothing_of_a_program_is_dormant() {
    let object = Object::parse(fs::read(std::env::current_exe().unwrap()).unwrap().into()).unwrap();
    let facts = Facts::of(&object);
    let starts = facts.functions.iter().map(|function| function.code.start);
    assert_eq!(
        starts.filter(|start| facts.is_dormant(&object, *start)).count(),
        0
    );
}
