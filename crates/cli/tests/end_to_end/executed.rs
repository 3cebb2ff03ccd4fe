//! What programs execute, and what is done about that which stays open.

use confine_assumption::{Effect, Kind};
use confine_report::Report;

use crate::image::{Image, programs};
use crate::run::{confine, ends_with, report};

/// An image whose program executes others; one is only on PATH.
fn image() -> Option<Image> {
    let programs = programs()?;
    let image = Image::new(r#"{"Entrypoint":["/runner"],"Env":["PATH=/usr/bin"]}"#)
        .file("/runner", &programs["runner"])
        .file("/usr/bin/sh", &programs["shell"])
        .file("/usr/bin/server", &programs["server"])
        .file("/usr/bin/probe", &programs["probe"])
        .file("/usr/bin/callback", &programs["callback"])
        .file("/usr/bin/present", &programs["probe"])
        .file("/usr/bin/script", b"#!/bin/sh\n. /etc/more\n")
        .file("/lib/loader.so", &programs["loader"])
        .file("/lib/libtiny.so", &programs["libtiny"])
        .link("/bin", "usr/bin");
    Some(image)
}

fn paths(report: &Report) -> Vec<&str> {
    report
        .programs
        .iter()
        .map(|program| program.path.as_str())
        .collect()
}

#[test]
fn command_lines_in_programs_are_followed() {
    let Some(image) = image() else { return };
    let archive = image.archive(None, None).display().to_string();
    let report = report(&archive, &[]);
    assert_eq!(
        paths(&report),
        [
            "/runner",
            "/usr/bin/callback",
            "/usr/bin/probe",
            "/usr/bin/server",
            "/usr/bin/sh"
        ]
    );
    let found = |path: &str| {
        let program = report.programs.iter().find(|program| program.path == path);
        program.unwrap().found[0].clone()
    };
    assert!(found("/usr/bin/sh").place.starts_with("/runner:start+0x"));
    assert_eq!(found("/usr/bin/sh").how, "executes /bin/sh");
    assert_eq!(found("/usr/bin/sh").parent.as_deref(), Some("/runner"));
    assert_eq!(found("/usr/bin/probe").how, "command `probe` on PATH");
    let server = report
        .programs
        .iter()
        .find(|program| program.path.ends_with("server"));
    let server = server.unwrap();
    let ways: Vec<&str> = server.found.iter().map(|found| found.how.as_str()).collect();
    assert!(ways.contains(&"exec of `/bin/server` by path"), "{ways:?}");
    let known = ["/bin/server".to_owned(), "--data".to_owned()];
    assert!(server.arguments.iter().any(|one| *one == known), "{server:#?}");
}

/// PHP in Apache: nothing is called like the interpreter, whose scripts execute all the same.
#[test]
fn commands_of_an_embedded_interpreter_s_sources_are_followed() {
    let (Some(image), Some(programs)) = (image(), programs()) else {
        return;
    };
    let image = image
        .file("/embedder", &programs["embedder"])
        .file("/var/www/index.php", b"<?php\nexec('present -x');\n");
    let archive = image.archive(None, None).display().to_string();
    let report = report(&archive, &["--program", "/embedder"]);
    assert_eq!(paths(&report), ["/embedder", "/usr/bin/present", "/usr/bin/sh"]);
    let shell = report.programs.iter().find(|one| one.path == "/usr/bin/sh");
    let found = &shell.unwrap().found[0];
    assert_eq!(found.place, "/var/www/index.php:2");
    assert_eq!(found.how, "executed by a source in PHP");
    assert_eq!(found.parent.as_deref(), Some("/embedder"));
    let embedder = report.programs.iter().find(|one| one.path == "/embedder");
    assert_eq!(embedder.unwrap().executes, [2]);
}

/// The server is known, and linked, before it is found to be started in another way, too.
#[test]
fn the_environment_of_a_later_start_counts() {
    let (Some(image), Some(programs)) = (image(), programs()) else {
        return;
    };
    let script = b"#!/bin/sh\nLD_PRELOAD=/lib/preload.so LD_LIBRARY_PATH=/more server\n";
    let image = image
        .file("/lib/preload.so", &programs["preload"])
        .file("/usr/bin/probe", script);
    let archive = image.archive(None, None).display().to_string();
    let report = report(&archive, &["--also", "server"]);
    let server = report
        .programs
        .iter()
        .find(|one| one.path == "/usr/bin/server")
        .unwrap();
    let calls: Vec<&str> = server.calls.iter().map(|call| call.name.as_str()).collect();
    assert!(calls.contains(&"sync") && calls.contains(&"getpgid"), "{calls:?}");
    let said = "with /more in LD_LIBRARY_PATH";
    let mut assumptions = server.assumptions.iter();
    assert!(assumptions.any(|one| one.detail.contains(said)), "{server:#?}");
}

#[test]
fn words_of_the_arguments_of_what_executes_openly_are_command_lines() {
    let Some(image) = image() else { return };
    let archive = image.archive(None, None).display().to_string();
    let report = report(&archive, &["--command", "-x present y"]);
    let present = report
        .programs
        .iter()
        .find(|program| program.path == "/usr/bin/present");
    let found = &present.unwrap().found[0];
    assert_eq!(found.place, "/runner");
    assert!(
        found.how.starts_with("`present` among its arguments"),
        "{}",
        found.how
    );
    assert_eq!(present.unwrap().arguments, [["present", "y"]]);
}

/// GCC: what it executes is named by its folder, by the specifications in it, and by tables.
#[test]
fn what_the_data_of_a_program_names_counts_where_it_executes_openly() {
    let (Some(image), Some(programs)) = (image(), programs()) else {
        return;
    };
    let image = image
        .file("/driver", &programs["driver"])
        .file("/usr/lib/driver/12/compiler", &programs["probe"])
        .file("/usr/bin/script-x", &programs["probe"]);
    let archive = image.archive(None, None).display().to_string();
    let report = report(&archive, &["--program", "/driver"]);
    assert_eq!(
        paths(&report),
        [
            "/driver",
            "/usr/bin/callback",
            "/usr/bin/present",
            "/usr/bin/script-x",
            "/usr/lib/driver/12/compiler",
        ]
    );
    let driver = report.programs.iter().find(|one| one.path == "/driver").unwrap();
    assert_eq!(driver.executes, [1, 2, 3, 4]);
    let mut assumptions = driver.assumptions.iter();
    assert!(
        assumptions.any(|one| one.kind == Kind::OpenCommand),
        "{driver:#?}"
    );
}

#[test]
fn open_commands_are_trusted_told_or_taken_for_every_program() {
    let Some(image) = image() else { return };
    let archive = image.archive(None, None).display().to_string();
    for (flag, effect, words, present) in [
        ("found", Effect::NotCovered, "name it with --also CMD", false),
        ("none", Effect::Trusted, "by --exec none", false),
        ("all", Effect::WidenedToCandidates, "by --exec all", true),
    ] {
        let report = report(&archive, &["--exec", flag]);
        let open = report
            .assumptions
            .iter()
            .find(|one| one.kind == Kind::OpenCommand && one.place.starts_with("/runner:"));
        let open = open.unwrap();
        assert_eq!(open.effect, effect, "{flag}");
        assert!(
            open.detail.contains("a path that is not a constant") && open.detail.contains(words),
            "{open:?}"
        );
        assert_eq!(paths(&report).contains(&"/usr/bin/present"), present, "{flag}");
        let scripts = report
            .scripts
            .iter()
            .any(|script| script.path == "/usr/bin/script");
        assert_eq!(scripts, present, "{flag}");
    }
    let all = report(&archive, &["--exec", "all"]);
    let present = all
        .programs
        .iter()
        .find(|program| program.path == "/usr/bin/present");
    assert_eq!(present.unwrap().found[0].place, "--exec all");
}

#[test]
fn what_is_trusted_satisfies_strict() {
    let Some(programs) = programs() else { return };
    let image = Image::new(r#"{"Entrypoint":["/bin/sh","-c","\"$UNKNOWN\""],"Env":["PATH=/bin"]}"#)
        .file("/bin/sh", &programs["shell"]);
    let archive = image.archive(None, None).display().to_string();
    ends_with(3, &mut confine(&["profile", &archive, "--strict"]));
    ends_with(
        0,
        &mut confine(&["profile", &archive, "--strict", "--exec", "none"]),
    );
    let folder = image.beside().join("files").display().to_string();
    let mount = ["mount", &archive, "-o", &folder, "--strict"];
    ends_with(3, &mut confine(&mount));
    ends_with(0, confine(&mount).args(["--exec", "none"]));
}
