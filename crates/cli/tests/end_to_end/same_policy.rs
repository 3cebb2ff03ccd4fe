//! The exact policy of an image that a script starts, however the image comes and however often it is asked for.

use std::fs;

use confine_kernel::Runtime;
use confine_report::{Report, SCHEMA, VERSION};

use crate::image::{Image, is_installed, programs};
use crate::run::{allowed, allowed_from_input, confine, ends_with, names, with_runtime};

/// brk of the loader, wait4 of the shell, sync of the server through its library, and the end of each.
const CALLS: [&str; 4] = ["brk", "exit_group", "sync", "wait4"];

#[test]
fn a_script_brings_its_shell_and_the_program_that_it_executes() {
    let Some(programs) = programs() else { return };
    let image = Image::with_script(programs);
    let archive = format!("docker-archive:{}", image.archive(None, None).display());
    let mut seen = Vec::new();
    // Without a cache, with an empty one, and with all in it.
    let cache = tempfile::tempdir().unwrap();
    for (threads, cached) in [("1", false), ("2", false), ("2", true), ("1", true), ("2", true)] {
        let (profile, report) = (image.beside().join("profile"), image.beside().join("report"));
        let mut command = confine(&["profile", &archive, "--output"]);
        command
            .arg(&profile)
            .arg("--report")
            .arg(&report)
            .env("XDG_CACHE_HOME", cache.path());
        if !cached {
            command.arg("--no-cache");
        }
        let (stdout, stderr) = ends_with(0, command.env("RAYON_NUM_THREADS", threads));
        assert_eq!(stdout, "");
        assert!(stderr.contains("system calls allowed"), "{stderr}");
        assert!(stderr.contains("2 programs, 1 script, 4 objects"), "{stderr}");
        seen.push([profile, report].map(|path| fs::read_to_string(path).unwrap()));
    }
    let [profile, report] = &seen[0];
    assert_eq!(names(profile), with_runtime(Runtime::Any, &CALLS));
    assert!(profile.contains("\"defaultErrnoRet\": 38"), "{profile}");
    assert!(seen.iter().all(|other| other == &seen[0]), "a run differs");

    let report = Report::from_json(report).unwrap();
    assert_eq!((report.schema.as_str(), report.version), (SCHEMA, VERSION));
    let paths: Vec<&str> = report
        .programs
        .iter()
        .map(|program| program.path.as_str())
        .collect();
    assert_eq!(paths, ["/usr/bin/server", "/usr/bin/sh"]);
    let allowed: Vec<String> = report.allowed.iter().map(|call| call.name.clone()).collect();
    assert_eq!(
        names(profile),
        allowed.into_iter().collect(),
        "report and profile differ"
    );
    assert_eq!(report.assumptions, []);
    assert_eq!(report.widened, []);
}

#[test]
fn the_policy_does_not_depend_on_where_the_image_lies() {
    let Some(programs) = programs() else { return };
    let image = Image::with_script(programs);
    let expected = with_runtime(Runtime::Any, &CALLS);
    let mut archives = vec![(None, None), (Some("gzip"), None), (None, Some("gzip"))];
    if is_installed("zstd") {
        archives.extend([(Some("zstd"), None), (Some("gzip"), Some("zstd"))]);
    } else {
        eprintln!("skipped for zstd, which is not installed (package zstd)");
    }
    for (layer, archive) in archives {
        let path = image.archive(layer, archive);
        let bare = path.to_str().unwrap();
        assert_eq!(allowed(bare, &[]), expected, "{bare}");
        assert_eq!(
            allowed(&format!("docker-archive:{bare}:little:latest"), &[]),
            expected,
            "{bare}"
        );
        assert_eq!(allowed_from_input(&path), expected, "{bare} on standard input");
    }
    let flags = [
        "--entrypoint",
        "/entry.sh",
        "--command",
        "server",
        "--env",
        "PATH=/usr/bin",
    ];
    let folder = image.folder();
    assert_eq!(allowed(&folder, &flags), expected);
    assert_eq!(allowed(folder.trim_start_matches("dir:"), &flags), expected);
    assert_eq!(
        allowed(&folder, &["--command", "/entry.sh /bin/server"]),
        expected
    );
}
