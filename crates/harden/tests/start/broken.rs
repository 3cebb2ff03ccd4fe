//! When programs do not start.

use std::os::unix::process::CommandExt;
use std::process::Command;

use confine_harden::{Confined, REFUSED};

use crate::support::*;

fn refusal(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(REFUSED), "{}", text(&output));
    assert!(output.stdout.is_empty());
    let text = text(&output);
    let (_, reason) = text.split_once(" is not started: ").unwrap();
    reason.trim_end().to_owned()
}

#[test]
fn damaged_policies_stop_the_program() {
    let mut place = Place::glibc();
    let program = place.compile("program", &[]);
    place.confine(&program, GETPPID, 0);
    let bundle = place.bundle(false);
    // The parts of the format: header of 32 bytes, one entry of 40, the policy.
    for (position, change, expected) in [
        (0, 1, "its policies are damaged, expected a bundle"),
        (8, 2, "its policies are of another version than this loader"),
        (12, 2, "its policies are of another version than this loader"),
        (19, 1, "its policies are damaged, expected more bytes"),
        (27, 1, "its policies are damaged, expected more bytes"),
        (32 + 18, 1, "its policies are damaged, expected more bytes"),
        (32 + 24, 1, "its policy is damaged, expected whole filters"),
        (32 + 32, 1, "its policy is damaged, expected another checksum"),
        (32 + 40, 1, "its policy is damaged, expected another checksum"),
        (
            bundle.len() - 1,
            1,
            "its policy is damaged, expected another checksum",
        ),
    ] {
        let mut broken = bundle.clone();
        broken[position] ^= change;
        place.graft_bundle(&broken);
        assert_eq!(refusal(&mut Command::new(&program)), expected, "{position}");
    }
    for length in [0, 31, 71, bundle.len() - 1] {
        place.graft_bundle(&bundle[..length]);
        assert!(
            refusal(&mut Command::new(&program)).contains("damaged"),
            "{length}"
        );
    }
    // Others do not suffer from what is wrong with one.
    let mut broken = bundle.clone();
    broken[bundle.len() - 1] ^= 1;
    place.graft_bundle(&broken);
    let other = place.compile("other", &["-O3"]);
    assert_eq!(run(&mut Command::new(&other))["getppid"], "allowed");
}

#[test]
fn filters_that_the_kernel_refuses_stop_the_program() {
    let mut place = Place::glibc();
    let program = place.compile("program", &[]);
    let confined = Confined {
        filters: vec![vec![0xff; 16]],
        mark: 0,
    };
    place.confine_with(&program, confined);
    place.graft();
    let expected = "this kernel, or a filter around it, does not take seccomp filters";
    assert_eq!(refusal(Command::new(&program).arg0("other")), expected);
}

#[test]
fn programs_without_a_policy_are_refused_where_that_is_wanted() {
    let mut place = Place::glibc();
    let program = place.compile("program", &[]);
    let other = place.compile("other", &["-O3"]);
    place.confine(&program, GETPPID, 0);
    place.graft_bundle(&place.bundle(true));
    assert_ne!(run(&mut Command::new(&program))["getppid"], "allowed");
    assert_eq!(refusal(&mut Command::new(&other)), "there is no policy for it");
    assert_eq!(
        refusal(Command::new(&place.interpreter).arg(&other)),
        "there is no policy for it"
    );
    // Nothing of a program runs when it is listed.
    let listed = Command::new(&place.interpreter)
        .arg("--list")
        .arg(&other)
        .output()
        .unwrap();
    assert!(text(&listed).contains("libc.so.6"), "{}", text(&listed));
}

/// What a filter around a program denies, with which error, and what then comes of the program.
#[test]
fn a_filter_around_that_denies_what_is_needed_stops_the_program() {
    const PRCTL: u32 = 157;
    const SECCOMP: u32 = 317;
    for (call, errno, expected) in [
        (
            SECCOMP,
            38,
            Some("this kernel, or a filter around it, does not take seccomp filters"),
        ),
        (
            SECCOMP,
            1,
            Some("a filter around it denies seccomp(SECCOMP_SET_MODE_FILTER)"),
        ),
        (SECCOMP, 5, Some("its filter could not be installed")),
        // The outer one needed no-new-privileges itself, so it does not matter that it cannot be set again. Marks
        // are not to be had then, and every policy is installed.
        (PRCTL, 38, None),
        (PRCTL, 1, None),
    ] {
        let mut place = Place::glibc();
        let outer = place.compile("outer", &[]);
        let inner = place.compile("inner", &["-O3"]);
        let confined = Confined {
            filters: vec![deny(call, errno, 1)],
            mark: 1,
        };
        place.confine_with(&outer, confined);
        place.confine(&inner, GETPPID, 0);
        place.graft();
        let mut command = Command::new(&outer);
        command.arg("exec").arg(&inner);
        match expected {
            Some(expected) => assert_eq!(refusal(&mut command), expected, "{call} {errno}"),
            None => assert_ne!(run(&mut command)["getppid"], "allowed", "{call} {errno}"),
        }
    }
}
