//! What `why` and `inspect` say about an image.

use std::fs;
use std::process::Command;

use confine_report::Report;

use crate::image::{Image, is_installed, programs};
use crate::run::{confine, ends_with};

/// Asks why, and every expected text must be in the answer, one after the other.
fn check(image: &str, call: &str, expected: &[&str]) {
    let (answer, _) = ends_with(0, &mut confine(&["why", image, call]));
    let mut rest = answer.as_str();
    for text in expected {
        let Some((_, after)) = rest.split_once(text) else {
            panic!("{call}: expected {text:?} in {rest:?} of {answer}")
        };
        rest = after;
    }
}

/// What the file holds once its symbols are gone.
fn stripped(bytes: &[u8]) -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, bytes).unwrap();
    assert!(Command::new("strip").arg(file.path()).status().unwrap().success());
    fs::read(&file).unwrap()
}

#[test]
fn why_shows_the_chain_to_the_instruction() {
    let Some(programs) = programs() else { return };
    let image = Image::with_script(programs);
    let archive = image.archive(None, None).display().to_string();
    check(
        &archive,
        "sync",
        &[
            "sync is allowed\n",
            "/usr/bin/server makes it in 1 place",
            "1. /usr/bin/server:_start, entry point, goes on at 0x",
            "/lib/libtiny.so:tiny_work, called, goes on at 0x",
            "/lib/libtiny.so:write_back, called, makes the call at 0x",
        ],
    );
    check(&archive, "162", &["sync is allowed\n"]);
    check(
        &archive,
        "brk",
        &["/usr/bin/server makes it", "/lib/loader.so:_start"],
    );
    check(
        &archive,
        "exit_group",
        &[
            "/usr/bin/server makes it",
            "/usr/bin/sh makes it",
            "kernel needs it",
        ],
    );
    // The library exports a function that makes it, which nobody calls.
    check(
        &archive,
        "reboot",
        &["reboot is denied: no program of the image can reach it"],
    );
}

#[test]
fn why_names_the_instruction_that_the_disassembler_shows() {
    let Some(programs) = programs() else { return };
    if !is_installed("objdump") {
        eprintln!("skipped: objdump is not installed (package binutils)");
        return;
    }
    let image = Image::with_program(&programs["probe"]);
    let program = image.beside().join("root/app");
    let listing = Command::new("objdump").arg("-d").arg(program).output().unwrap();
    let listing = String::from_utf8(listing.stdout).unwrap();
    let first = listing.lines().find(|line| line.contains("syscall")).unwrap();
    let address = first.split(':').next().unwrap().trim();
    let archive = image.archive(None, None).display().to_string();
    check(
        &archive,
        "getpgrp",
        &[&format!("makes the call at 0x{address}\n")],
    );
}

#[test]
fn why_names_object_and_offset_where_there_are_no_symbols() {
    let Some(programs) = programs() else { return };
    if !is_installed("strip") {
        eprintln!("skipped: strip is not installed (package binutils)");
        return;
    }
    let image = Image::with_script(programs)
        .file("/usr/bin/server", &stripped(&programs["server"]))
        .file("/lib/libtiny.so", &stripped(&programs["libtiny"]));
    check(
        &image.archive(None, None).display().to_string(),
        "sync",
        &[
            "1. /usr/bin/server:+0x",
            "/lib/libtiny.so:tiny_work, called",
            "/lib/libtiny.so:+0x",
            "makes the call at 0x",
        ],
    );
}

#[test]
fn why_knows_which_calls_there_are() {
    let (stdout, stderr) = ends_with(2, &mut confine(&["why", "image", "synch"]));
    assert_eq!(stdout, "");
    assert!(
        stderr.contains("'synch'") && stderr.contains("x86-64 has no such system call"),
        "{stderr}"
    );
}

#[test]
fn inspect_shows_programs_objects_and_calls() {
    let Some(programs) = programs() else { return };
    let image = Image::with_script(programs);
    let archive = image.archive(None, None).display().to_string();
    let (table, _) = ends_with(0, &mut confine(&["inspect", &archive]));
    for expected in [
        "command /entry.sh server",
        "PROGRAMS (2)",
        "SCRIPTS (1)",
        "OBJECTS (4)",
        "brk exit_group sync",
        "exit_group wait4",
    ] {
        assert!(table.contains(expected), "expected {expected:?} in {table}");
    }
    for path in [
        "/entry.sh",
        "/usr/bin/server",
        "/usr/bin/sh",
        "/lib/loader.so",
        "/lib/libtiny.so",
    ] {
        assert!(
            table.lines().any(|line| line.starts_with(path)),
            "expected a line for {path} in {table}"
        );
    }
    assert!(!table.contains("probe"), "what nobody starts is shown: {table}");

    let (json, _) = ends_with(0, &mut confine(&["inspect", &archive, "--format", "json"]));
    let report = Report::from_json(&json).unwrap();
    assert_eq!(report.to_json().unwrap(), json);
    assert_eq!(report.image.command_line, ["/entry.sh", "server"]);
    assert!(report.objects.iter().all(|object| object.sha256.len() == 64));
}
