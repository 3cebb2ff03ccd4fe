//! Folders of services: s6, s6-rc, s6-overlay, runit, daemontools.
//!
//! A service is a folder with `run` and, beside it, `finish`, `check`, `control/*` and a service `log`. s6-rc's
//! sources have a `type`: what comes up once has `up` and `down`, each one command line of execline.

use super::execline;
use super::{Call, Reader, from_workdir};
use crate::pattern::{self, ANY};
use confine_image::paths::base_name;

/// What a service's folder holds to be executed.
const SCRIPTS: &[&str] = &["run", "finish", "check", "crash"];
/// Folders of executables in it.
const FOLDERS: &[&str] = &["control", ".s6-svscan", "data"];
/// Where s6-rc's databases lie by its own conventions and those of s6-overlay.
const DATABASES: &[&str] = &["/etc/s6-rc", "/etc/s6-overlay", "/run/s6-rc"];
/// How deeply folders of services nest, and how many folders are looked at.
const MAX_DEPTH: usize = 6;
const MAX_SERVICES: usize = 1024;

/// s6-svscan, runsvdir and svscan: every service of a folder.
pub fn scan(call: &Call<'_>, reader: &mut Reader<'_>) {
    let valued: &[&str] = match call.name {
        "s6-svscan" => &["-t", "-d", "-c", "-C", "-X", "-D"],
        _ => &[],
    };
    match folder(call, valued) {
        Some(folder) if pattern::is_open(&folder) => {
            reader.open(format!("the folder of services of {} is not known", call.name));
        }
        Some(folder) if reader.is_folder(&folder) => {
            executables(&format!("{folder}/.s6-svscan"), reader);
            let services = reader.list(&folder);
            for path in reader.at_most(MAX_SERVICES, services) {
                service(&path, 0, reader);
            }
        }
        Some(folder) => reader.open(format!("the folder of services {folder} is not in the image")),
        None => {}
    }
}

/// s6-supervise, runsv and supervise: one service.
pub fn one(call: &Call<'_>, reader: &mut Reader<'_>) {
    match folder(call, &[]) {
        Some(folder) if pattern::is_open(&folder) => reader.open("the service is not known".to_owned()),
        Some(folder) => service(&folder, 0, reader),
        None => {}
    }
}

/// s6-rc: every service of the databases and sources that the image holds, and of the call's folders.
pub fn s6_rc(call: &Call<'_>, reader: &mut Reader<'_>) {
    let named = call.arguments.iter().filter(|argument| argument.starts_with('/'));
    let mut places: Vec<String> = named.cloned().collect();
    places.extend(DATABASES.iter().map(|&place| place.to_owned()));
    let mut found = reader.is_folder("/etc/services.d");
    if call.name == "s6-overlay-suexec" {
        s6_overlay(reader);
    }
    for place in places {
        found |= services_below(&place, 0, reader);
    }
    if !found {
        reader.open("the database of services is not in the image".to_owned());
    }
}

/// The first process of s6-overlay, whose folders are a convention of their own.
pub fn s6_overlay(reader: &mut Reader<'_>) {
    for folder in ["/etc/cont-init.d", "/etc/cont-finish.d", "/etc/fix-attrs.d"] {
        executables(folder, reader);
    }
    services_below("/etc/services.d", 0, reader);
    services_below("/etc/s6-overlay", 0, reader);
}

/// runit as the first process: its three stages.
pub fn runit(_: &Call<'_>, reader: &mut Reader<'_>) {
    for stage in [
        "/etc/runit/1",
        "/etc/runit/2",
        "/etc/runit/3",
        "/etc/runit/ctrlaltdel",
    ] {
        if reader.is_file(stage) {
            reader.at_file(stage);
            reader.command(vec![stage.to_owned()]);
        }
    }
}

/// The first operand, or the folder that the call starts in.
fn folder(call: &Call<'_>, valued: &[&str]) -> Option<String> {
    let rest = crate::wrappers::skip_options(call.arguments, valued);
    let name = rest.first().map_or(".", String::as_str);
    Some(match name {
        "." => call.workdir.to_owned(),
        _ if pattern::is_open(name) => name.to_owned(),
        _ => from_workdir(call, name),
    })
}

fn service(path: &str, depth: usize, reader: &mut Reader<'_>) {
    if depth > MAX_DEPTH || !reader.is_folder(path) || base_name(path) == "supervise" {
        return;
    }
    for script in SCRIPTS {
        let script = format!("{path}/{script}");
        if reader.is_file(&script) {
            reader.at_file(&script);
            // `finish` and `check` are told what happened.
            reader.command(vec![script, ANY.to_string(), ANY.to_string()]);
        }
    }
    for folder in FOLDERS {
        executables(&format!("{path}/{folder}"), reader);
    }
    for kind in ["up", "down"] {
        command_line(&format!("{path}/{kind}"), path, reader);
    }
    service(&format!("{path}/log"), depth + 1, reader);
}

/// A oneshot's file is one command line; where it only names a script by its path, so it is run.
fn command_line(file: &str, service: &str, reader: &mut Reader<'_>) {
    let is_oneshot = reader
        .text(&format!("{service}/type"))
        .is_some_and(|kind| kind.trim() == "oneshot");
    let Some(text) = reader.text(file).filter(|_| is_oneshot) else {
        return;
    };
    reader.at(file, 1);
    match execline::parse(&text) {
        Some(argv) => reader.command(argv),
        None => reader.open("a command line of execline that cannot be parsed".to_owned()),
    }
}

/// Every service in a tree of folders; whether there is one.
fn services_below(place: &str, depth: usize, reader: &mut Reader<'_>) -> bool {
    if depth > MAX_DEPTH || !reader.is_folder(place) {
        return false;
    }
    let is_service = ["run", "up", "down"]
        .iter()
        .any(|name| reader.is_file(&format!("{place}/{name}")));
    if is_service {
        service(place, 0, reader);
    }
    let mut found = is_service;
    let services = reader.list(place);
    for path in reader.at_most(MAX_SERVICES, services) {
        if base_name(&path) != "log" || !is_service {
            found |= services_below(&path, depth + 1, reader);
        }
    }
    found
}

fn executables(folder: &str, reader: &mut Reader<'_>) {
    for path in reader.list(folder) {
        if reader.is_file(&path) {
            reader.at_file(&path);
            reader.command(vec![path]);
        }
    }
}
