//! Flags that change what is analysed and what is allowed.

use confine_kernel::Runtime;

use crate::image::{Image, programs};
use crate::run::{allowed, confine, ends_with, report, with_runtime};

#[test]
fn flags_stand_in_for_the_configuration() {
    let Some(programs) = programs() else { return };
    let image = Image::with_script(programs);
    let archive = image.archive(None, None).display().to_string();
    for (flags, expected) in [
        // The script executes whatever the command is.
        (
            &["--command", "probe"][..],
            &["exit_group", "getpgrp", "wait4"][..],
        ),
        (&["--entrypoint", "/bin/probe"], &["exit_group", "getpgrp"]),
        (
            &["--entrypoint", "/bin/server", "--command", "--flag"],
            &["brk", "exit_group", "sync"],
        ),
        // Without an entry point the image's command is gone, too.
        (&["--entrypoint", "", "--command", "sh"], &["exit_group", "wait4"]),
        (
            &["--also", "probe -q"],
            &["brk", "exit_group", "getpgrp", "sync", "wait4"],
        ),
        (
            &["--entrypoint", "probe", "--also", "/bin/sh", "--also", "server"],
            &["brk", "exit_group", "getpgrp", "sync", "wait4"],
        ),
    ] {
        assert_eq!(
            allowed(&archive, flags),
            with_runtime(Runtime::Any, expected),
            "{flags:?}"
        );
    }
}

#[test]
fn one_program_has_a_policy_of_its_own() {
    let Some(programs) = programs() else { return };
    let image = Image::with_script(programs);
    let folder = image.folder();
    for (program, expected) in [
        ("probe", &["exit_group", "getpgrp"][..]),
        ("/bin/probe", &["exit_group", "getpgrp"]),
        ("server", &["brk", "exit_group", "sync"]),
    ] {
        // No call of a container's runtime is among them, and a folder needs no configuration.
        let flags = ["--program", program];
        assert_eq!(
            allowed(&folder, &flags),
            with_runtime(Runtime::None, expected),
            "{program}"
        );
        let report = report(&folder, &flags);
        assert_eq!(report.program.as_deref(), Some(program));
        assert_eq!(report.programs[0].found[0].place, "--program");
    }
    let (shown, _) = ends_with(
        0,
        &mut confine(&["why", &folder, "--program", "probe", "getpgrp"]),
    );
    assert!(shown.contains("/usr/bin/probe makes it in 1 place"), "{shown}");
    let (_, error) = ends_with(2, &mut confine(&["profile", &folder, "--program", "absent"]));
    assert!(error.contains("no program absent in the image"), "{error}");
    ends_with(
        2,
        &mut confine(&["profile", &folder, "--program", "probe", "--also", "sh"]),
    );
}

#[test]
fn the_report_tells_what_the_container_starts_with() {
    let Some(programs) = programs() else { return };
    let image = Image::with_script(programs);
    let archive = image.archive(None, None).display().to_string();
    let flags = [
        "--user",
        "app:staff",
        "--workdir",
        "/srv",
        "--env",
        "SECRET=hidden",
        "-e",
        "PATH=/bin",
    ];
    let configured = report(&archive, &flags).image;
    assert_eq!(configured.user, "app:staff");
    assert_eq!(configured.workdir, "/srv");
    assert_eq!(configured.environment, ["PATH", "SECRET"]);
    let (json, _) = ends_with(0, confine(&["inspect", &archive, "--format", "json"]).args(flags));
    assert!(!json.contains("hidden"), "a variable's value is in the report");

    let unchanged = report(&archive, &[]).image;
    assert_eq!(unchanged.user, "");
    assert_eq!(unchanged.environment, ["PATH"]);
    assert_eq!(unchanged.architecture, "amd64");
    // As it was recognised, with the name that the archive gives the image.
    assert!(
        unchanged
            .reference
            .starts_with(&format!("docker-archive:{archive}")),
        "{}",
        unchanged.reference
    );
}

#[test]
fn relative_commands_are_found_from_the_folder_that_they_start_in() {
    let Some(programs) = programs() else { return };
    let image = Image::with_script(programs);
    let flags = ["--command", "./probe", "--workdir", "/usr/bin"];
    assert_eq!(
        allowed(&image.folder(), &flags),
        with_runtime(Runtime::Any, &["exit_group", "getpgrp"])
    );
}

#[test]
fn each_runtime_brings_its_own_calls() {
    let Some(programs) = programs() else { return };
    let image = Image::with_program(&programs["probe"]);
    let archive = image.archive(None, None).display().to_string();
    let calls = ["exit_group", "getpgrp"];
    for (flag, runtime) in [
        ("runc", Runtime::Runc),
        ("crun", Runtime::Crun),
        ("any", Runtime::Any),
    ] {
        let flags = ["--runtime", flag];
        assert_eq!(allowed(&archive, &flags), with_runtime(runtime, &calls), "{flag}");
        assert_eq!(report(&archive, &flags).runtime, flag);
    }
}

#[test]
fn every_address_taken_allows_no_less_than_those_reached() {
    let Some(programs) = programs() else { return };
    let image = Image::with_program(&programs["callback"]);
    let archive = image.archive(None, None).display().to_string();
    let reached = allowed(&archive, &["--address-taken", "reached"]);
    let all = allowed(&archive, &["--address-taken", "all"]);
    assert_eq!(reached, allowed(&archive, &[]), "which is the default");
    assert_eq!(reached, with_runtime(Runtime::Any, &["exit_group", "sync"]));
    assert_eq!(
        all,
        with_runtime(Runtime::Any, &["exit_group", "swapoff", "sync"])
    );
}
