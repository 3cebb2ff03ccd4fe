//! Seen against said: real programs of this machine run under strace, and whatever they are seen to call must be
//! among the calls that confine says they need. A miss is a bug of the analysis and no entry for a list.
//!
//! One run of confine analyses all the programs; each then runs with `--version`, `--help` and small jobs. Calls
//! count for the program that makes them: from the execve that starts it to the execve of another one, in all
//! its processes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail and may say what it skips"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

mod jobs;

use confine_engine::strace;
use confine_report::Call;
use jobs::PROGRAMS;
use rayon::prelude::*;

/// Calls that the kernel makes a program make: the policy has them from the base set.
const BY_THE_KERNEL: [&str; 1] = ["restart_syscall"];

/// What each program was seen to call, by its canonical path.
type Seen = BTreeMap<String, strace::Calls>;

/// What each program is said to call, by its canonical path.
type Said = BTreeMap<String, Vec<Call>>;

#[test]
fn whatever_programs_are_seen_to_call_is_allowed() {
    let tried = Command::new("strace").args(["-o", "/dev/null", "true"]).status();
    if !tried.is_ok_and(|status| status.success()) {
        println!("skipped: no strace on this machine, or it may not trace");
        return;
    }
    let programs: Vec<_> = PROGRAMS
        .iter()
        .filter(|(path, _)| Path::new(path).exists())
        .collect();
    let (said, seen) = rayon::join(
        || said(programs.iter().map(|(path, _)| *path)),
        || {
            let seen: Vec<Seen> = programs.par_iter().map(|(path, jobs)| seen(path, jobs)).collect();
            let mut all = Seen::new();
            for (program, calls) in seen.into_iter().flatten() {
                add(all.entry(program).or_default(), calls);
            }
            all
        },
    );
    let mut misses = Vec::new();
    let (mut compared, mut with_values) = (0, 0);
    for (program, calls) in &seen {
        let Some(allowed) = said.get(program) else {
            continue;
        };
        compared += 1;
        println!("{program}: {} seen, {} said", calls.len(), allowed.len());
        for (name, values) in calls {
            if BY_THE_KERNEL.contains(&name.as_str()) {
                continue;
            }
            let Some(call) = allowed.iter().find(|call| call.name == *name) else {
                misses.push(format!("{program}: {name}"));
                continue;
            };
            let missing = values.iter().filter(|values| !call.admits(values));
            misses.extend(missing.map(|values| format!("{program}: {name} with {values:x?}")));
            with_values += usize::from(call.restricts()) * values.len();
        }
    }
    println!("{compared} programs and {with_values} combinations of restricted arguments compared");
    assert!(
        compared * 10 >= programs.len() * 9,
        "only {compared} of {} programs could be run",
        programs.len()
    );
    // Some hundred programs make about ten restricted calls each.
    assert!(with_values > 500, "only {with_values} combinations were compared");
    assert!(misses.is_empty(), "seen and not allowed:\n{}", misses.join("\n"));
}

/// The loader asks whether /etc/suid-debug exists where a program gains rights, which no job here does; it knows
/// that from a variable that it writes before it protects its own data.
#[test]
fn values_are_those_of_the_program_and_its_loader() {
    let said = said(std::iter::once("/usr/bin/ls"));
    let calls = said.get("/usr/bin/ls").unwrap();
    for (name, argument, value, expected) in [
        ("ioctl", 1, 0x5413, true),
        ("ioctl", 1, 0xae01, false),
        ("access", 1, 0, true),
        ("access", 1, 4, true),
        ("access", 1, 2, false),
    ] {
        let call = calls.iter().find(|call| call.name == name).unwrap();
        assert_eq!(
            call.admits(&[(argument, value)]),
            expected,
            "{name} with {value:#x}"
        );
    }
}

/// What confine says that each program calls.
fn said<'p>(mut programs: impl Iterator<Item = &'p str>) -> Said {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_confine"));
    command.env("XDG_CACHE_HOME", folder.path());
    command
        .args(["profile", "dir:/", "--runtime", "any", "-q", "-o"])
        .arg(folder.path().join("profile.json"));
    command
        .arg("--report")
        .arg(&report)
        .arg("--command")
        .args(programs.next());
    for program in programs {
        command.args(["--also", program]);
    }
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let report: confine_report::Report =
        confine_report::Report::from_json(&fs::read_to_string(&report).unwrap()).unwrap();
    let programs = report.programs.into_iter();
    programs.map(|program| (program.path, program.calls)).collect()
}

fn add(known: &mut strace::Calls, more: strace::Calls) {
    for (call, values) in more {
        known.entry(call).or_default().extend(values);
    }
}

/// Runs one program's jobs in a folder of its own.
fn seen(program: &str, jobs: &[&str]) -> Seen {
    let folder = tempfile::tempdir().unwrap();
    furnish(folder.path());
    let mut seen = Seen::new();
    let usual = [format!("{program} --version"), format!("{program} --help")];
    for job in usual.iter().map(String::as_str).chain(jobs.iter().copied()) {
        let log = folder.path().join("strace.log");
        let traced = Command::new("timeout")
            .args([
                "-s",
                "KILL",
                "15",
                "strace",
                "-f",
                "-qq",
                "-s",
                "256",
                "-e",
                strace::RAW,
                "-o",
            ])
            .arg(&log)
            .args(shlex::split(job).unwrap())
            .current_dir(folder.path())
            .env("HOME", folder.path())
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(fs::File::open(folder.path().join("a.txt")).unwrap())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        traced.unwrap();
        let log = String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()).into_owned();
        let resolve = |path: &str| {
            fs::canonicalize(path)
                .map_or_else(|_| path.to_owned(), |path| path.to_string_lossy().into_owned())
        };
        for (program, calls) in strace::calls_by_program(&log, resolve) {
            add(seen.entry(program).or_default(), calls);
        }
    }
    seen
}

/// Files for the jobs to work on.
fn furnish(folder: &Path) {
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    for name in ["folder", "other", "made-by-tar", "removed", "repository"] {
        fs::create_dir(folder.join(name)).unwrap();
    }
    for name in [
        "a.txt",
        "folder/a.txt",
        "other/a.txt",
        "edited",
        "removed/a.txt",
        "moved",
        "repository/a.txt",
    ] {
        write(name, "line 3\nline 1\nline 2\n");
    }
    write("b.txt", "line 4\nline 1\n");
    write("data.json", r#"{"name": [1, 2.5, null, "x"]}"#);
    write("sums.bc", "2^100\nquit\n");
    write(
        "program.c",
        "#include <stdio.h>\nint main(void) { return puts(\"x\"); }\n",
    );
    write("program.s", ".globl f\nf: ret\n");
    write("Makefile", "all: a b\na b:\n\techo $@\n");
    write(
        "a.patch",
        "--- a.txt\n+++ a.txt\n@@ -1,3 +1,2 @@\n line 3\n-line 1\n line 2\n",
    );
    for prepare in [
        "tar cf kept.tar folder",
        "gzip -c a.txt",
        "as -o kept.o program.s",
    ] {
        let words = shlex::split(prepare).unwrap();
        if let Ok(output) = Command::new(&words[0])
            .args(&words[1..])
            .current_dir(folder)
            .output()
            && !output.stdout.is_empty()
        {
            fs::write(folder.join("kept.gz"), output.stdout).unwrap();
        }
    }
}
