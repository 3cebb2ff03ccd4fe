//! What is kept from one run to the next: it changes how long an answer takes and never the answer.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::image::{Image, programs};
use crate::run::{confine, ends_with};

/// The files of a cache.
fn entries(cache: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(cache.join("confine"))
        .into_iter()
        .flatten()
        .flatten();
    let files = folders.flat_map(|folder| fs::read_dir(folder.path()).into_iter().flatten().flatten());
    files.map(|file| file.path()).collect()
}

#[test]
fn broken_entries_are_computed_anew() {
    let Some(programs) = programs() else { return };
    let image = Image::with_script(programs);
    let archive = format!("docker-archive:{}", image.archive(None, None).display());
    let cache = tempfile::tempdir().unwrap();
    let profile = |flags: &[&str]| {
        let mut command = confine(&["profile", &archive, "--stats"]);
        ends_with(0, command.args(flags).env("XDG_CACHE_HOME", cache.path()))
    };
    // It is another configuration, for which nothing that was found out of programs has to be found out again.
    let other: &[&str] = &["--env", "NOBODY=asks"];
    let has = |stderr: &str, line: &str| stderr.lines().any(|found| found.ends_with(line));
    let (expected, cold) = profile(&[]);
    assert!(has(&cold, " 0  solutions from the cache"), "{cold}");
    let (again, warm) = profile(&[]);
    assert_eq!(again, expected);
    assert!(has(&warm, " 1  reports from the cache"), "{warm}");
    let (similar, warm) = profile(other);
    assert_eq!(similar, expected);
    assert!(has(&warm, " 0  solutions computed"), "{warm}");
    let kept = entries(cache.path());
    assert!(!kept.is_empty());
    for (index, path) in kept.iter().enumerate() {
        let mut bytes = fs::read(path).unwrap();
        match index % 3 {
            0 => bytes.clear(),
            1 => bytes.truncate(bytes.len() / 2),
            _ => bytes.iter_mut().skip(40).for_each(|byte| *byte = !*byte),
        }
        fs::write(path, bytes).unwrap();
    }
    let (repaired, broken) = profile(&[]);
    assert_eq!(repaired, expected);
    assert!(has(&broken, " 0  solutions from the cache"), "{broken}");
    let (after, warm) = profile(other);
    assert_eq!(after, expected);
    assert!(has(&warm, " 0  solutions computed"), "{warm}");
}

#[test]
fn a_report_that_is_kept_is_the_one_that_is_made() {
    let Some(programs) = programs() else { return };
    let image = Image::with_script(programs);
    let archive = format!("docker-archive:{}", image.archive(None, None).display());
    let (cache, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let report = |name: &str, flags: &[&str]| {
        let path = folder.path().join(name);
        let mut command = confine(&["profile", &archive, "--quiet", "--report"]);
        command.arg(&path).args(flags);
        ends_with(0, command.env("XDG_CACHE_HOME", cache.path()));
        fs::read_to_string(path).unwrap()
    };
    let made = report("made", &[]);
    assert_eq!(report("kept", &[]), made);
    // Whatever the answer depends on makes it another one.
    for (index, flags) in [
        ["--also", "/bin/sh -c true"],
        ["--env", "A=b"],
        ["--runtime", "none"],
        ["--args", "off"],
        ["--address-taken", "all"],
    ]
    .iter()
    .enumerate()
    {
        let with = report(&format!("{index}"), flags);
        let without_cache = report(&format!("{index}-again"), &[flags[0], flags[1], "--no-cache"]);
        assert!(with == without_cache, "{flags:?}");
    }
}

#[test]
fn a_cache_is_shown_and_emptied() {
    let Some(programs) = programs() else { return };
    let image = Image::with_script(programs);
    let archive = format!("docker-archive:{}", image.archive(None, None).display());
    let cache = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| ends_with(0, confine(arguments).env("XDG_CACHE_HOME", cache.path())).0;
    run(&["profile", &archive, "--no-cache"]);
    assert_eq!(entries(cache.path()), Vec::<PathBuf>::new());
    run(&["profile", &archive]);
    let count = entries(cache.path()).len();
    let info = run(&["cache", "info"]);
    assert!(info.contains(&format!("{count} entries, ")), "{info}");
    assert!(
        info.contains(&format!("{}/confine\n", cache.path().display())),
        "{info}"
    );
    let cleared = run(&["cache", "clear"]);
    assert!(
        cleared.starts_with(&format!("removed {count} entries, ")),
        "{cleared}"
    );
    assert_eq!(entries(cache.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_cache_that_cannot_be_used_is_said_and_done_without() {
    let Some(programs) = programs() else { return };
    let image = Image::with_script(programs);
    let archive = format!("docker-archive:{}", image.archive(None, None).display());
    let cache = tempfile::tempdir().unwrap();
    let open = cache.path().join("confine");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let mut command = confine(&["profile", &archive]);
    let (_, stderr) = ends_with(0, command.env("XDG_CACHE_HOME", cache.path()));
    assert!(stderr.contains("nothing is kept for the next time"), "{stderr}");
    let mut command = confine(&["cache", "info"]);
    let (_, stderr) = ends_with(2, command.env("XDG_CACHE_HOME", cache.path()));
    assert!(stderr.contains("nobody else may write"), "{stderr}");
    let mut command = confine(&["cache", "info"]);
    let (_, stderr) = ends_with(2, command.env_remove("XDG_CACHE_HOME").env_remove("HOME"));
    assert!(stderr.contains("expected XDG_CACHE_HOME or HOME"), "{stderr}");
}
