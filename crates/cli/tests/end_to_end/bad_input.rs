//! Images and paths with something wrong: a diagnosis that names it, and never a panic.

use std::fs;

use confine_assumption::Kind;

use crate::image::{Image, programs};
use crate::run::{confine, ends_with, listing, report};

/// The image is analysed nevertheless, with an assumption of that kind at that place whose detail has that text;
/// under `--strict` it ends with 3 and no profile.
fn check_diagnosis(image: &Image, kind: Kind, place: &str, detail: &str) {
    let archive = image.archive(None, None).display().to_string();
    let report = report(&archive, &[]);
    let fitting = report.assumptions.iter().filter(|assumption| {
        assumption.kind == kind && assumption.place.contains(place) && assumption.detail.contains(detail)
    });
    assert!(
        fitting.count() > 0,
        "expected {kind} at {place}: {detail}; got {:#?}",
        report.assumptions
    );
    ends_with(0, &mut confine(&["profile", &archive]));
    let profile = image.beside().join("profile.json");
    let mut strict = confine(&["profile", &archive, "--strict", "--output"]);
    let (_, stderr) = ends_with(3, strict.arg(&profile));
    assert!(stderr.contains("which --strict does not accept"), "{stderr}");
    assert!(!profile.exists(), "a profile was written");
    ends_with(3, &mut confine(&["inspect", &archive, "--strict"]));
}

#[test]
fn what_is_missing_or_broken_is_a_diagnosis() {
    let Some(programs) = programs() else { return };
    let image = || Image::with_script(programs);
    let server = &programs["server"];
    check_diagnosis(
        &image().without("/lib/loader.so"),
        Kind::MissingObject,
        "/lib/loader.so",
        "not in the image",
    );
    check_diagnosis(
        &image().without("/lib/libtiny.so"),
        Kind::MissingObject,
        "/usr/bin/server",
        "libtiny.so",
    );
    for length in [20, 63, 100, server.len() / 2] {
        check_diagnosis(
            &image().file("/usr/bin/server", &server[..length]),
            Kind::UnreadableFile,
            "/usr/bin/server",
            "",
        );
    }
    // The machine of the header: 183 is AArch64.
    let mut foreign = server.clone();
    foreign[18] = 183;
    check_diagnosis(
        &image().file("/usr/bin/server", &foreign),
        Kind::UnreadableFile,
        "/usr/bin/server",
        "expected a program for x86-64",
    );
    check_diagnosis(
        &image().without("/usr/bin/server"),
        Kind::MissingProgram,
        "/entry.sh:3",
        "server",
    );
}

#[test]
fn every_length_of_a_program_is_survived() {
    let Some(programs) = programs() else { return };
    let image = Image::with_script(programs);
    let server = &programs["server"];
    for length in (0..server.len()).step_by(997) {
        fs::write(image.beside().join("root/usr/bin/server"), &server[..length]).unwrap();
        ends_with(
            0,
            &mut confine(&["inspect", &image.folder(), "--command", "/entry.sh /bin/server"]),
        );
    }
}

#[test]
fn an_image_that_starts_nothing_says_how_to_name_a_command() {
    let Some(programs) = programs() else { return };
    let nothing = Image::new("{}").file("/app", &programs["probe"]);
    let absent = Image::new(r#"{"Entrypoint":["/absent"]}"#).file("/app", &programs["probe"]);
    for (image, expected) in [
        (&nothing, "its configuration names no command"),
        (&absent, "/absent"),
    ] {
        let archive = image.archive(None, None).display().to_string();
        for command in ["profile", "inspect"] {
            let (stdout, stderr) = ends_with(2, &mut confine(&[command, &archive]));
            assert_eq!(stdout, "");
            assert!(
                stderr.contains(expected) && stderr.contains("--command"),
                "{stderr}"
            );
        }
        ends_with(0, &mut confine(&["profile", &archive, "--entrypoint", "/app"]));
    }
}

/// The image does not exist either, so that the complaint about the output shows that it is looked at before.
#[test]
fn where_nothing_can_be_written_is_known_before_the_image_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("good.json").display().to_string();
    let absent = folder.path().join("absent/profile.json").display().to_string();
    let over_folder = folder.path().display().to_string();
    // Nobody, not even root, can create a file there.
    let refused = "/proc/self/profile.json";
    for bad in [absent.as_str(), over_folder.as_str(), refused] {
        for arguments in [["-o", bad, "--report", &good], ["-o", &good, "--report", bad]] {
            let mut command = confine(&["profile", "docker-archive:/no/such/image"]);
            let (stdout, stderr) = ends_with(2, command.args(arguments));
            assert_eq!(stdout, "");
            assert!(stderr.contains(&format!("cannot write {bad}: ")), "{stderr}");
            assert!(listing(folder.path()).is_empty(), "something is left behind");
        }
    }
}
