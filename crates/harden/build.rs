//! Compiles the code that runs in front of programs, by rustc alone: it has no library below it, and Cargo would have
//! it panic, test and link like everything else.
//!
//! The crates below `enforce` are members of the workspace all the same, so that they are linted and tested as such.
#![allow(clippy::panic)] // A build that cannot go on ends.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use confine_bundle::elf::{self, FileHeader};

/// The crates below the loader, what each one uses before it.
const CRATES: &[(&str, &[&str])] = &[("bundle", &[]), ("sys", &[]), ("loader", &["bundle", "sys"])];

/// The same code whatever profile the rest is built with. Without checks that panic, since no panic could be told;
/// without the tables of addresses through which code of libraries is called.
const CODE: &[&str] = &[
    "opt-level=s",
    "panic=abort",
    "codegen-units=1",
    "relocation-model=pic",
    "relro-level=off",
    "overflow-checks=off",
    "debug-assertions=off",
];

fn main() {
    let root = Path::new(&variable("CARGO_MANIFEST_DIR")).join("../../enforce");
    let output = PathBuf::from(variable("OUT_DIR"));
    println!("cargo::rerun-if-changed={}", root.display());
    for (name, below) in CRATES {
        let mut rustc = rustc(&output, below);
        rustc.args(["--crate-type", "rlib", "--crate-name", &format!("confine_{name}")]);
        run(rustc.arg(root.join(name).join("src/lib.rs")));
    }
    let all: Vec<&str> = CRATES.iter().map(|(name, _)| *name).collect();
    let folder = root.join("freestanding");
    let mut rustc = rustc(&output, &all);
    rustc.args(["--crate-type", "bin", "--crate-name", "loader"]);
    for argument in [
        "-nostdlib",
        "-nostartfiles",
        "-Wl,--build-id=none",
        "-Wl,--no-dynamic-linker",
    ] {
        rustc.arg(format!("-Clink-arg={argument}"));
    }
    rustc.arg(format!("-Clink-arg=-Wl,-T,{}", folder.join("piece.ld").display()));
    run(rustc.arg(folder.join("loader.rs")));
    let program = output.join("loader");
    let bytes =
        fs::read(&program).unwrap_or_else(|error| panic!("cannot read {}: {error}", program.display()));
    let piece = piece(&bytes).unwrap_or_else(|| panic!("{}: expected one segment", program.display()));
    fs::write(output.join("loader.piece"), piece)
        .unwrap_or_else(|error| panic!("cannot write the loader: {error}"));
}

fn rustc(output: &Path, below: &[&str]) -> Command {
    let mut rustc = Command::new(variable("RUSTC"));
    rustc.args(["--edition", "2024", "--target", &variable("TARGET"), "-Dwarnings"]);
    rustc.arg("--out-dir").arg(output).arg("-L").arg(output);
    for option in CODE {
        rustc.arg(format!("-C{option}"));
    }
    for name in below {
        let library = output.join(format!("libconfine_{name}.rlib"));
        rustc.arg(format!("--extern=confine_{name}={}", library.display()));
    }
    // Flags that the user has set for the program's sake are not for this.
    rustc.env_remove("RUSTFLAGS");
    rustc
}

fn run(command: &mut Command) {
    let status = command
        .status()
        .unwrap_or_else(|error| panic!("cannot run rustc: {error}"));
    assert!(status.success(), "rustc failed: {command:?}");
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("expected Cargo to set {name}"))
}

/// The bytes of the only segment. The linker script has seen to it that there is nothing else to carry along.
fn piece(program: &[u8]) -> Option<&[u8]> {
    let header = FileHeader::read(program)?;
    let mut loads = elf::segments(header.table_of(program)?).filter(|segment| segment.kind == elf::LOAD);
    let load = loads.next()?;
    let starts_with_its_code = header.entry == load.address && load.file_bytes == load.memory_bytes;
    let bytes = program
        .get(load.offset as usize..)?
        .get(..load.file_bytes as usize)?;
    (starts_with_its_code && loads.next().is_none()).then_some(bytes)
}
