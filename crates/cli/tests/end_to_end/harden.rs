//! Images, mounted files and programs of the host that install policies when programs start.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::image::{Image, is_installed, programs};
use crate::run::{confine, ends_with, listing};

#[test]
fn an_image_is_written_with_a_layer_and_a_profile_that_lets_it_work() {
    let Some(programs) = programs() else { return };
    let image = Image::with_script(programs);
    let archive = image.archive(None, None).display().to_string();
    let folder = tempfile::tempdir().unwrap();
    let harden = |name: &str, more: &[&str]| {
        let target = format!("docker-archive:{}", folder.path().join(name).display());
        let profile = folder.path().join("profile.json").display().to_string();
        let flags = ["harden", &archive, "-o", &target, "--profile", &profile];
        let (digest, told) = ends_with(0, confine(&flags).args(more));
        assert!(digest.starts_with("sha256:"), "{digest}");
        (fs::read(folder.path().join(name)).unwrap(), told)
    };
    let (first, told) = harden("first.tar", &[]);
    for program in ["/usr/bin/server: ", "/usr/bin/sh: "] {
        assert!(told.contains(program), "{told}");
    }
    assert_eq!(first, harden("second.tar", &["--no-cache"]).0);
    assert_ne!(first, harden("other.tar", &["--deny-unknown"]).0);
    let (_, told) = harden("one.tar", &["--only", "server"]);
    assert!(
        told.contains("/usr/bin/server: ") && !told.contains("/usr/bin/sh: "),
        "{told}"
    );

    let profile = fs::read_to_string(folder.path().join("profile.json")).unwrap();
    let profile: Value = serde_json::from_str(&profile).unwrap();
    let entries = profile["syscalls"].as_array().unwrap();
    let of = |name: &str| {
        let has = |entry: &&Value| entry["names"].as_array().unwrap().contains(&name.into());
        entries.iter().filter(has).collect::<Vec<_>>()
    };
    let seccomp = of("seccomp");
    assert_eq!(seccomp.len(), 1);
    assert_eq!(seccomp[0]["args"][0]["valueTwo"], 1);
    assert!(!of("prctl").is_empty());

    // What is hardened is not hardened again.
    let hardened = folder.path().join("first.tar").display().to_string();
    let target = format!("docker-archive:{}", folder.path().join("again.tar").display());
    let (_, told) = ends_with(0, &mut confine(&["harden", &hardened, "-o", &target]));
    assert!(told.contains("it has some already"), "{told}");
}

#[test]
fn what_cannot_be_written_is_told() {
    let Some(programs) = programs() else { return };
    let image = Image::with_script(programs);
    let archive = image.archive(None, None).display().to_string();
    for (arguments, expected) in [
        (
            vec!["harden", &archive, "-o", "somewhere"],
            "expected docker-archive:FILE",
        ),
        (
            vec!["harden", &archive, "-o", "oci:absent", "--only", "absent"],
            "--only absent: expected a program that the image runs",
        ),
        (vec!["harden", "dir:/absent", "-o", "oci:absent"], "/absent"),
    ] {
        let (_, error) = ends_with(2, &mut confine(&arguments));
        assert!(error.contains(expected), "{error}");
    }
    assert!(!Path::new("absent").exists());
}

#[test]
fn files_to_mount_are_prepared() {
    let Some(programs) = programs() else { return };
    let image = Image::with_script(programs);
    let archive = image.archive(None, None).display().to_string();
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("files");
    let (snippets, _) = ends_with(0, confine(&["mount", &archive, "-o"]).arg(&output));
    assert!(listing(&output).contains("seccomp.json"));
    assert!(output.join("lib/loader.so").is_file());
    let output = output.canonicalize().unwrap().display().to_string();
    for expected in [
        format!("--volume {output}/lib/loader.so:/lib/loader.so:ro"),
        format!("--security-opt seccomp={output}/seccomp.json"),
        format!("- seccomp:{output}/seccomp.json"),
        "mountPath: /lib/loader.so".to_owned(),
    ] {
        assert!(snippets.contains(&expected), "{expected}: {snippets}");
    }
}

#[test]
fn a_program_of_the_host_runs_under_its_policy() {
    if !is_installed("gcc") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("program.c");
    let code = r#"
        #define _GNU_SOURCE
        #include <errno.h>
        #include <stdio.h>
        #include <string.h>
        #include <unistd.h>
        int main(int count, char **arguments) {
            printf("%s %s %s\n", arguments[0], arguments[1], syscall(39) > 0 ? "known" : strerror(errno));
            return 7;
        }"#;
    fs::write(&source, code).unwrap();
    for flags in [&[][..], &["-static"]] {
        let program = folder.path().join("program");
        let mut gcc = std::process::Command::new("gcc");
        gcc.arg(&source).arg("-o").arg(&program).args(flags);
        assert!(gcc.status().unwrap().success());
        let path = program.display().to_string();
        let (output, _) = ends_with(7, &mut confine(&["run", "-q", "--", &path, "argument"]));
        assert_eq!(output, format!("{path} argument known\n"));
        // A profile without the calls of its start.
        let profile = folder.path().join("profile.json");
        let text = r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["exit_group"], "action": "SCMP_ACT_ALLOW"}]}"#;
        fs::write(&profile, text).unwrap();
        let denied = confine(&["run", "-q", "--profile"])
            .arg(&profile)
            .arg("--")
            .arg(&path)
            .output()
            .unwrap();
        assert_ne!(denied.status.code(), Some(7));
    }
    // What a project remembers of its images is nothing that holds for this host.
    fs::write(folder.path().join("confine.toml"), "command = 1\n").unwrap();
    let mut run = confine(&["run", "-q", "--", "./program", "argument"]);
    let (output, _) = ends_with(7, run.current_dir(folder.path()));
    assert_eq!(output, "./program argument known\n");
    // What it executes lies where nobody else could put something in its place.
    let cache = folder.path().join("cache");
    fs::create_dir_all(cache.join("confine")).unwrap();
    fs::set_permissions(cache.join("confine"), fs::Permissions::from_mode(0o777)).unwrap();
    let profile = folder.path().join("profile.json").display().to_string();
    let mut run = confine(&["run", "-q", "--profile", &profile, "--", "./program"]);
    let (_, error) = ends_with(2, run.current_dir(folder.path()).env("XDG_CACHE_HOME", &cache));
    assert!(error.contains("nobody else may write"), "{error}");
    // The loader reads it, and the analysis could not.
    let mut run = confine(&["run", "-q", "--", "./program", "argument"]);
    run.env("LD_LIBRARY_PATH", OsStr::from_bytes(b"/\xff"));
    let (_, error) = ends_with(2, run.current_dir(folder.path()));
    assert!(error.contains("LD_LIBRARY_PATH is not UTF-8"), "{error}");
    for (command, expected) in [
        ("/absent", "expected a program"),
        ("no-such-command", "expected a program"),
    ] {
        let (_, error) = ends_with(2, &mut confine(&["run", "--", command]));
        assert!(error.contains(expected), "{error}");
    }
}
