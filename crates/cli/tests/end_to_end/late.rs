//! Modules that load modules.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::image::{Image, is_installed};
use crate::run::report;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/end_to_end/programs");

const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";
const LIBRARY: &str = "/lib/x86_64-linux-gnu/libc.so.6";

/// An image with the C library of this machine, and a way to compile programs for it; `None` where that cannot be.
fn prepared() -> Option<(Image, TempDir)> {
    let (Ok(loader), Ok(library)) = (fs::read(LOADER), fs::read(LIBRARY)) else {
        eprintln!("skipped: the C library is not where Debian has it");
        return None;
    };
    if !is_installed("gcc") {
        eprintln!("skipped: gcc is not installed (package gcc)");
        return None;
    }
    let image = Image::new("{}").file(LOADER, &loader).file(LIBRARY, &library);
    Some((image, tempfile::tempdir().unwrap()))
}

fn build(folder: &Path, name: &str, flags: &[&str]) -> Vec<u8> {
    let path = folder.join(name);
    let mut gcc = Command::new("gcc");
    gcc.args(["-O1", "-o"])
        .arg(&path)
        .arg(format!("{SOURCES}/{name}.c"))
        .args(flags)
        .current_dir(folder);
    assert!(gcc.status().unwrap().success(), "{name} cannot be compiled");
    fs::read(path).unwrap()
}

/// What the image's program `/host` can call.
fn calls(image: &Image) -> Vec<String> {
    let report = report(&image.folder(), &["--program", "/host"]);
    let mut programs = report.programs.iter();
    let host = programs.find(|program| program.path == "/host").unwrap();
    host.calls.iter().map(|call| call.name.clone()).collect()
}

const MODULE: [&str; 2] = ["-shared", "-fPIC"];

/// PHP in Apache: the server loads the interpreter as a module, and the interpreter names the folder of its extensions.
#[test]
fn a_module_may_name_a_folder_of_modules() {
    let Some((image, folder)) = prepared() else { return };
    let build = |name: &str, flags: &[&str]| build(folder.path(), name, flags);
    let image = image
        .file("/host", &build("late_host", &[]))
        .file("/modules/first/one.so", &build("late_first", &MODULE))
        .file("/modules/second/two.so", &build("late_second", &MODULE));
    let calls = calls(&image);
    assert!(calls.contains(&"getpgid".to_owned()), "{calls:?}");
}

/// Samba: a library names a folder that is in its search path, too, and those that need it name the folders below.
#[test]
fn a_folder_of_the_search_path_may_hold_folders_of_modules() {
    let Some((image, folder)) = prepared() else { return };
    let build = |name: &str, flags: &[&str]| build(folder.path(), name, flags);
    let own = "-Wl,-rpath,/usr/lib/own";
    let library = build(
        "joined_library",
        &[&MODULE[..], &["-Wl,-soname,libjoined.so", own]].concat(),
    );
    let host = build("joined_host", &["joined_library", own]);
    let module = build("late_second", &MODULE);
    let image = image
        .file("/host", &host)
        .file("/usr/lib/own/libjoined.so", &library)
        .file("/usr/lib/own/kind/two.so", &module)
        .file("/usr/lib/own/other/one.so", &build("late_first", &MODULE));
    let report = report(&image.folder(), &["--program", "/host"]);
    let modules: Vec<&str> = report
        .objects
        .iter()
        .map(|object| object.path.as_str())
        .filter(|path| path.starts_with("/usr/lib/own/") && !path.contains("joined"))
        .collect();
    assert_eq!(modules, ["/usr/lib/own/kind/two.so"]);
}

/// Julia: its compiled code is a module that has the run time look up functions of the run time, by names in its data.
#[test]
fn a_module_may_have_functions_of_what_it_needs_looked_up() {
    let Some((image, folder)) = prepared() else { return };
    let build = |name: &str, flags: &[&str]| build(folder.path(), name, flags);
    let runtime = build(
        "given_runtime",
        &[&MODULE[..], &["-Wl,-soname,libruntime.so"]].concat(),
    );
    let module = build("given_module", &[&MODULE[..], &["given_runtime"]].concat());
    let image = image
        .file("/lib/x86_64-linux-gnu/libruntime.so", &runtime)
        .file("/modules/given.so", &module)
        .file("/host", &build("given_host", &["given_runtime"]));
    let calls = calls(&image);
    assert!(calls.contains(&"getpgid".to_owned()), "{calls:?}");
    assert!(!calls.contains(&"getsid".to_owned()), "{calls:?}");
}

/// libudev looks up many functions of the C library and drops what it finds.
#[test]
fn what_is_looked_up_and_dropped_is_not_called() {
    for optimised in ["-O2", "-O0"] {
        let Some((image, folder)) = prepared() else { return };
        let host = build(folder.path(), "dropped_host", &[optimised]);
        let calls = calls(&image.file("/host", &host));
        let looked_up = ["getpgid", "fsopen", "getppid", "fsmount"];
        let called = looked_up.map(|name| calls.contains(&name.to_owned()));
        assert_eq!(called, [false, false, true, false], "{optimised}: {calls:?}");
    }
}

/// A library that an object opens by its name: of its functions those count that another object names.
#[test]
fn a_librarys_functions_count_by_their_names() {
    let Some((image, folder)) = prepared() else { return };
    let build = |name: &str, flags: &[&str]| build(folder.path(), name, flags);
    let image = image
        .file(
            "/lib/x86_64-linux-gnu/libnamed.so",
            &build("named_library", &MODULE),
        )
        .file("/host", &build("named_host", &[]));
    let calls = calls(&image);
    for (call, expected) in [("getpgid", true), ("getppid", true), ("getsid", false)] {
        assert_eq!(calls.contains(&call.to_owned()), expected, "{call}: {calls:?}");
    }
}

/// PHP's tables of functions: a function counts if a source names it.
#[test]
fn an_interpreters_functions_count_by_their_names() {
    let Some((image, folder)) = prepared() else { return };
    let interpreter = build(folder.path(), "function_table", &["-rdynamic"]);
    let image = image
        .file("/usr/bin/php", &interpreter)
        .file("/usr/sbin/php-fpm", &interpreter)
        .file("/var/www/html/page.php", b"<?php posix_getpgid();")
        .file(
            "/srv/page.php",
            b"<?php $f = 'posix_' . $x; $x = 'getpgid'; $f();",
        )
        .file("/etc/php/php.ini", b"auto_prepend = synchronise");
    let calls = |command: &str, exec: &str| {
        let report = report(&image.folder(), &["--command", command, "--exec", exec]);
        let path = command.split(' ').next().unwrap();
        let php = report.programs.iter().find(|program| program.path == path);
        let names = php.unwrap().calls.iter().map(|call| call.name.clone());
        names.collect::<Vec<_>>()
    };
    let page = "/usr/bin/php /srv/page.php";
    for (command, exec, call, expected) in [
        (page, "none", "getpgid", true),
        (page, "none", "sync", true),
        (page, "none", "getppid", true),
        (page, "none", "getsid", false),
        (page, "all", "getsid", true),
        ("/usr/sbin/php-fpm", "none", "getpgid", true),
        ("/usr/sbin/php-fpm", "none", "getsid", false),
        ("/usr/sbin/php-fpm", "all", "getsid", true),
        // What it runs is not in the image.
        ("/usr/bin/php", "none", "getsid", true),
        ("/usr/bin/php -r x();", "none", "getsid", true),
    ] {
        let calls = calls(command, exec);
        assert_eq!(
            calls.contains(&call.to_owned()),
            expected,
            "{command}, {call}: {calls:?}"
        );
    }
}
