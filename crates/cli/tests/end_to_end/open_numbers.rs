//! A call whose number stays open: the policy widens, and `--strict` refuses.

use std::collections::BTreeSet;

use confine_assumption::{Effect, Kind};
use confine_kernel::{Runtime, docker_default};
use confine_report::Report;

use crate::image::{Image, programs};
use crate::run::{confine, ends_with, listing, names, with_runtime};

#[test]
fn an_open_number_widens_to_the_default_of_engines() {
    let Some(programs) = programs() else { return };
    let image = Image::with_program(&programs["open"]);
    let archive = image.archive(None, None).display().to_string();
    let report = image.beside().join("report.json");
    let mut command = confine(&["profile", &archive, "--report"]);
    let (profile, stderr) = ends_with(0, command.arg(&report));
    let widened: Vec<&str> = docker_default().map(|allowed| allowed.call.name).collect();
    assert_eq!(names(&profile), with_runtime(Runtime::Any, &widened));
    assert!(!names(&profile).contains("mount"));
    assert!(
        stderr.contains("calls allowed only because something is unresolved"),
        "{stderr}"
    );
    assert!(stderr.contains("1 assumption: 1 open-call-number"), "{stderr}");

    let report = Report::from_json(&std::fs::read_to_string(&report).unwrap()).unwrap();
    let listed: BTreeSet<&str> = report.widened.iter().map(|call| call.name.as_str()).collect();
    assert_eq!(listed, widened.into_iter().collect());
    let [assumption] = report.assumptions.as_slice() else {
        panic!("expected one assumption: {:#?}", report.assumptions)
    };
    assert_eq!(assumption.kind, Kind::OpenCallNumber);
    assert_eq!(assumption.effect, Effect::WidenedToDefault);
    assert!(
        assumption.place.starts_with("/app:started"),
        "{}",
        assumption.place
    );

    let (answer, _) = ends_with(0, &mut confine(&["why", &archive, "fsync"]));
    assert!(
        answer.contains("something unresolved may need it: /app:started"),
        "{answer}"
    );
    let (answer, _) = ends_with(0, &mut confine(&["why", &archive, "mount"]));
    assert!(answer.contains("mount is denied"), "{answer}");
}

#[test]
fn strict_writes_no_profile_then_but_the_report() {
    let Some(programs) = programs() else { return };
    let image = Image::with_program(&programs["open"]);
    let archive = image.archive(None, None).display().to_string();
    let folder = tempfile::tempdir().unwrap();
    let mut command = confine(&["profile", &archive, "--strict", "--output"]);
    command
        .arg(folder.path().join("profile.json"))
        .arg("--report")
        .arg(folder.path().join("report.json"));
    let (stdout, stderr) = ends_with(3, &mut command);
    assert_eq!(stdout, "");
    assert!(
        stderr.contains("1 assumption: 1 open-call-number, which --strict does not accept"),
        "{stderr}"
    );
    assert_eq!(listing(folder.path()), BTreeSet::from(["report.json".to_owned()]));
    let (stdout, _) = ends_with(3, &mut confine(&["profile", &archive, "--strict"]));
    assert_eq!(stdout, "", "a profile on standard output");
}

#[test]
fn strict_accepts_what_is_resolved() {
    let Some(programs) = programs() else { return };
    let image = Image::with_script(programs);
    let archive = image.archive(None, None).display().to_string();
    let (strict, _) = ends_with(0, &mut confine(&["profile", &archive, "--strict"]));
    let (profile, _) = ends_with(0, &mut confine(&["profile", &archive]));
    assert_eq!(strict, profile);
}
