//! Interpreters of languages that are followed, each started in several ways.
#![allow(missing_docs)]

use confine_assumption::{Effect, Kind};
use confine_image::{Config, MemoryFiles};
use confine_programs::{Asked, Programs, find};

const ELF: &[u8] = b"\x7fELF";

/// What a script of the shell leads to where two interpreters and their programs are.
fn search(text: &str) -> Programs {
    let runs = |program: &str| format!("import os\nos.system('{program}')\n");
    let programs = "dash python3.11 pypy3 java one two";
    let files = programs
        .split(' ')
        .fold(MemoryFiles::new(), |files, name| {
            files.program(&format!("/usr/bin/{name}"), ELF)
        })
        .link("/bin/sh", "/usr/bin/dash")
        .file("/usr/lib/jvm/lib/server/libjvm.so", ELF)
        .link("/first/bin/python", "/usr/bin/python3.11")
        .link("/second/bin/python", "/usr/bin/python3.11")
        .file("/first/lib/python3.11/site-packages/work.py", runs("one"))
        .file("/second/lib/python3.11/site-packages/work.py", runs("two"))
        .file("/srv/run.py", runs("one"))
        .program("/entry", format!("#!/bin/sh\n{text}\n"));
    let config = Config {
        cmd: vec!["/entry".to_owned()],
        workdir: "/".to_owned(),
        ..Config::default()
    };
    find(&files, &config, Asked::default())
}

fn check(text: &str, expected: &[&str]) {
    let found = search(text);
    let names = found
        .programs
        .iter()
        .filter_map(|program| program.path.strip_prefix("/usr/bin/"));
    let names: Vec<&str> = names.filter(|name| *name != "dash").collect();
    assert_eq!(names, expected, "{text}");
}

/// The same file with the same arguments: what it runs is another matter.
#[test]
fn every_start_of_an_interpreter_is_followed() {
    check(
        "python3.11 <<E\nimport os\nos.system('one')\nE\npython3.11 <<E\nimport os\nos.system('two')\nE",
        &["one", "python3.11", "two"],
    );
    check(
        "/first/bin/python -m work; /second/bin/python -m work",
        &["one", "python3.11", "two"],
    );
    check(
        "PYTHONPATH=/first/lib/python3.11/site-packages python3.11 -m work\n\
         PYTHONPATH=/second/lib/python3.11/site-packages python3.11 -m work",
        &["one", "python3.11", "two"],
    );
}

#[test]
fn every_interpreter_executes_what_the_sources_that_it_reaches_do() {
    let found = search("python3.11 /srv/run.py; pypy3 /srv/run.py");
    for interpreter in ["/usr/bin/python3.11", "/usr/bin/pypy3"] {
        let mut executed = found.executions.by(interpreter);
        assert!(executed.any(|path| path == "/usr/bin/dash"), "{interpreter}");
    }
}

#[test]
fn more_starts_than_are_followed_stay_open() {
    let open = |count: usize| {
        let starts = (0..count).map(|index| format!("java -jar /{index}.jar\n"));
        let found = search(&starts.collect::<String>());
        let mut assumptions = found.assumptions.into_iter();
        assumptions.any(|one| one.kind == Kind::OpenCommand && one.effect == Effect::NotCovered)
    };
    assert!(!open(32));
    assert!(open(33));
}
