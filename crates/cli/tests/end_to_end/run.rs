//! Runs of the program, and what is read from them.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output};

use confine_kernel::Runtime;
use confine_report::Report;
use serde_json::Value;

/// A command with its arguments.
pub fn confine(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_confine"));
    // Not the user's own cache; the tests share one, as runs of a user do.
    command.env("XDG_CACHE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"));
    command.args(arguments);
    command
}

/// Standard output of a run that must end with `code`, and standard error.
pub fn ends_with(code: i32, command: &mut Command) -> (String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let texts = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    let [stdout, stderr] = texts;
    assert_eq!(status.code(), Some(code), "{command:?}: {stderr}\n{stdout}");
    (stdout, stderr)
}

/// The calls that a profile of the image allows.
pub fn allowed(image: &str, arguments: &[&str]) -> BTreeSet<String> {
    let (profile, _) = ends_with(0, confine(&["profile", image]).args(arguments));
    names(&profile)
}

/// The same with the image on the standard input.
pub fn allowed_from_input(image: &Path) -> BTreeSet<String> {
    let mut command = confine(&["profile", "-"]);
    let (profile, _) = ends_with(0, command.stdin(File::open(image).unwrap()));
    names(&profile)
}

/// The report on the image.
pub fn report(image: &str, arguments: &[&str]) -> Report {
    let (report, _) = ends_with(
        0,
        confine(&["inspect", image, "--format", "json"]).args(arguments),
    );
    Report::from_json(&report).unwrap()
}

/// The names that a profile allows. Where there are conditions, they are those of the runtime's own calls; what programs have
/// is checked elsewhere.
pub fn names(profile: &str) -> BTreeSet<String> {
    let profile: Value = serde_json::from_str(profile).unwrap();
    let entries = profile["syscalls"].as_array().unwrap().iter();
    let allowed = entries.filter(|entry| entry["action"] == "SCMP_ACT_ALLOW");
    let restricted: BTreeSet<&str> = confine_kernel::runtime_calls(Runtime::Any)
        .filter(|needed| needed.values().is_some())
        .map(|needed| needed.call.name)
        .collect();
    let mut names = BTreeSet::new();
    for entry in allowed {
        let of_entry = entry["names"].as_array().unwrap().iter();
        let of_entry: Vec<&str> = of_entry.map(|name| name.as_str().unwrap()).collect();
        let is_restricted = of_entry.iter().all(|name| restricted.contains(name));
        assert!(entry.get("args").is_none() || is_restricted, "{entry}");
        names.extend(of_entry.into_iter().map(str::to_owned));
    }
    names
}

/// The calls that are allowed for the runtime's sake, and these.
pub fn with_runtime(runtime: Runtime, calls: &[&str]) -> BTreeSet<String> {
    let around = confine_kernel::runtime_calls(runtime).map(|needed| needed.call.name);
    around.chain(calls.iter().copied()).map(str::to_owned).collect()
}

/// The names of what a folder holds.
pub fn listing(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}
