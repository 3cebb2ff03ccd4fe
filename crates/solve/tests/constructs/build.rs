//! How fixtures are built: one function for each kind of compiler.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::expectation::Library;

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// Builds the program in a folder; `None` where the compiler is missing.
pub fn build(fixture: &str, words: &[String], libraries: &[Library], folder: &Path) -> Option<PathBuf> {
    let program = folder.join("program");
    let source = fixtures().join(fixture);
    let mut command = match words[0].as_str() {
        "rustc" => rust(&source, &program, &words[1..]),
        "go" => go(&source, &program, &words[1..]),
        compiler => {
            let mut command = c(compiler, &source, &program);
            for library in libraries {
                command.arg(build_library(library, folder)?);
            }
            if !libraries.is_empty() {
                command.arg("-Wl,-rpath,$ORIGIN");
            }
            command.args(&words[1..]);
            command
        }
    };
    succeeded(&command.output().ok()?);
    Some(program)
}

/// C, C++ and assembly.
fn c(compiler: &str, source: &Path, program: &Path) -> Command {
    let mut command = Command::new(compiler);
    command.arg(source).arg("-o").arg(program);
    command
        .args(["-fno-stack-protector", "-w"])
        .current_dir(fixtures());
    command
}

fn build_library(library: &Library, folder: &Path) -> Option<PathBuf> {
    let name = library.source.split('.').next()?;
    let made = folder.join(format!("lib{name}.so"));
    let output = Command::new("gcc")
        .args(["-shared", "-fPIC", "-O2", "-w", "-o"])
        .args([&made, &fixtures().join(&library.source)])
        .args(&library.flags)
        .current_dir(fixtures())
        .output();
    succeeded(&output.ok()?);
    Some(made)
}

fn rust(source: &Path, program: &Path, flags: &[String]) -> Command {
    let mut command = Command::new("rustc");
    command.args(["--edition", "2024", "-A", "warnings", "-o"]);
    command.args([program, source]).args(flags);
    command
}

/// Without a module and without the network; the packages of Go itself are built once.
fn go(source: &Path, program: &Path, words: &[String]) -> Command {
    let (build, flags) = words.split_first().unwrap();
    let mut command = Command::new("go");
    command
        .arg(build)
        .arg("-o")
        .arg(program)
        .args(flags)
        .arg(source)
        .env("GOCACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("go"))
        .envs([
            ("CGO_ENABLED", "0"),
            ("GO111MODULE", "off"),
            ("GOTOOLCHAIN", "local"),
        ]);
    command
}

fn succeeded(output: &Output) {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
