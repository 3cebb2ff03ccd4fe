//! Configurations that are more than what is read of them: what is left out is said.
#![allow(missing_docs)]

use confine_assumption::{Effect, Kind};
use confine_image::{Config, MemoryFiles};
use confine_programs::{Asked, find};

/// What stays open where a program is started in an image that holds these files.
fn open(command: &str, files: &[(String, String)]) -> Vec<String> {
    let name = command.split(' ').next().unwrap_or_default();
    let image = MemoryFiles::new()
        .program(&format!("/bin/{name}"), &b"\x7fELF"[..])
        .program("/bin/one", &b"\x7fELF"[..]);
    let image = files
        .iter()
        .fold(image, |image, (path, text)| image.program(path, text.clone()));
    let config = Config {
        cmd: command.split(' ').map(str::to_owned).collect(),
        workdir: "/".to_owned(),
        ..Config::default()
    };
    let found = find(&image, &config, Asked::default());
    let open = found.assumptions.into_iter();
    open.filter(|one| one.kind == Kind::OpenCommand && one.effect == Effect::NotCovered)
        .map(|one| format!("{}: {}", one.place, one.detail))
        .collect()
}

/// Nothing is said of a configuration of so many files, and of one with one more that it is left out.
fn check(command: &str, most: usize, main: Option<(&str, &str)>, path: impl Fn(usize) -> String, text: &str) {
    for (count, is_open) in [(most, false), (most + 1, true)] {
        let main = main.map(|(path, text)| (path.to_owned(), text.to_owned()));
        let files = (0..count).map(|index| (path(index), text.to_owned()));
        let files: Vec<(String, String)> = main.into_iter().chain(files).collect();
        let open = open(command, &files);
        let said = open.iter().any(|one| one.contains("more files than are read"));
        assert_eq!(said, is_open, "{command}: {open:#?}");
    }
}

#[test]
fn services() {
    let service = |index| format!("/services/{index:04}/run");
    check("runsvdir /services", 1024, None, service, "\x7fELF");
    let service = |index| format!("/etc/s6-rc/{index:04}/run");
    check("s6-rc -u change x", 1024, None, service, "\x7fELF");
}

#[test]
fn included_files() {
    let main = ("/etc/supervisord.conf", "[include]\nfiles = /etc/more/*\n");
    let path = |index| format!("/etc/more/{index:03}");
    check(
        "supervisord",
        256,
        Some(main),
        path,
        "[program:x]\ncommand = one\n",
    );
    let main = ("/etc/monitrc", "include /etc/more/*\n");
    check("monit", 255, Some(main), path, "# nothing\n");
}
