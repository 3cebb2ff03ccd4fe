//! Modules that load modules.

use std::fs;
use std::process::Command;

use crate::image::{Image, is_installed};
use crate::run::report;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/end_to_end/programs");

const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";
const LIBRARY: &str = "/lib/x86_64-linux-gnu/libc.so.6";

/// PHP in Apache: the server loads the interpreter as a module, and the interpreter names the folder of its extensions.
#[test]
fn a_module_may_name_a_folder_of_modules() {
    let (Ok(loader), Ok(library)) = (fs::read(LOADER), fs::read(LIBRARY)) else {
        eprintln!("skipped: the C library is not where Debian has it");
        return;
    };
    if !is_installed("gcc") {
        eprintln!("skipped: gcc is not installed (package gcc)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let build = |name: &str, flags: &[&str]| {
        let path = folder.path().join(name);
        let mut gcc = Command::new("gcc");
        gcc.args(["-O1", "-o"])
            .arg(&path)
            .arg(format!("{SOURCES}/{name}.c"))
            .args(flags);
        assert!(gcc.status().unwrap().success(), "{name} cannot be compiled");
        fs::read(path).unwrap()
    };
    let module = ["-shared", "-fPIC"];
    let image = Image::new("{}")
        .file(LOADER, &loader)
        .file(LIBRARY, &library)
        .file("/host", &build("late_host", &[]))
        .file("/modules/first/one.so", &build("late_first", &module))
        .file("/modules/second/two.so", &build("late_second", &module));
    let report = report(&image.folder(), &["--program", "/host"]);
    let host = report
        .programs
        .iter()
        .find(|program| program.path == "/host")
        .unwrap();
    let calls: Vec<&str> = host.calls.iter().map(|call| call.name.as_str()).collect();
    assert!(calls.contains(&"getpgid"), "{calls:?}");
}
