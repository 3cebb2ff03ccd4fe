//! `confine.toml`: what a project remembers.

use std::fs::{self, File};

use crate::image::{Image, programs};
use crate::run::{confine, ends_with, names};

#[test]
fn the_file_of_the_current_folder_stands_in_for_flags() {
    let Some(programs) = programs() else { return };
    let image = Image::with_script(programs);
    let archive = image.archive(None, None).display().to_string();
    let allowed = |file: &str, flags: &[&str]| {
        fs::write(image.beside().join("confine.toml"), file).unwrap();
        let mut command = confine(&["profile", &archive]);
        let (profile, _) = ends_with(0, command.args(flags).current_dir(image.beside()));
        names(&profile)
    };
    let plain = allowed("", &[]);
    assert!(!plain.contains("getpgrp"));
    assert!(allowed("also = ['probe']\n", &[]).contains("getpgrp"));
    assert!(!allowed("[image.other]\nalso = ['probe']\n", &[]).contains("getpgrp"));
    let name = archive.rsplit('/').next().unwrap();
    assert!(allowed(&format!("[image.\"*{name}\"]\nalso = ['probe']\n"), &[]).contains("getpgrp"));
    let probe = allowed("command = 'probe'\n", &[]);
    assert!(probe.contains("getpgrp") && !probe.contains("sync"));
    // A flag is stronger.
    let server = allowed("command = 'probe'\n", &["--command", "server"]);
    assert!(server.contains("sync") && !server.contains("getpgrp"));
}

#[test]
fn a_file_can_be_named_and_must_be_well_formed() {
    let Some(programs) = programs() else { return };
    let image = Image::with_script(programs);
    let archive = image.archive(None, None).display().to_string();
    let file = image.beside().join("other.toml");
    let file = file.to_str().unwrap();
    let profile = |code: i32| {
        let (stdout, stderr) = ends_with(code, &mut confine(&["profile", &archive, "--config", file]));
        if code == 0 { stdout } else { stderr }
    };
    assert!(profile(2).contains("cannot read the configuration"));
    fs::write(file, "also = ['probe']\n").unwrap();
    assert!(names(&profile(0)).contains("getpgrp"));
    fs::write(file, "\nalsoo = ['probe']\n").unwrap();
    let error = profile(2);
    assert!(
        error.contains("other.toml: line 2: unknown field `alsoo`, expected one of `command`"),
        "{error}"
    );
}

/// An image on the standard input has a name for the file, too, which is not that of where it is put aside.
#[test]
fn what_is_remembered_goes_by_what_the_user_named() {
    let Some(programs) = programs() else { return };
    let image = Image::with_script(programs);
    let archive = image.archive(None, None);
    for (file, expected) in [
        ("also = ['probe']\n", "getpgrp: ALLOW"),
        ("[image.'-']\nalso = ['probe']\n", "getpgrp: ALLOW"),
        ("[image.'/*']\nalso = ['probe']\n", "getpgrp: ERRNO"),
    ] {
        fs::write(image.beside().join("confine.toml"), file).unwrap();
        let mut command = confine(&["filter", "run", "-", "getpgrp"]);
        command.stdin(File::open(&archive).unwrap());
        let (answer, _) = ends_with(0, command.current_dir(image.beside()));
        assert!(answer.starts_with(expected), "{file}: {answer}");
    }
}
