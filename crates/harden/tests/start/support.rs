//! Programs, filters and grafted files for these tests.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use confine_harden::{Confined, Fingerprint, Kind, Program, graft, identify, probe, write_bundle};
use tempfile::TempDir;

pub const GLIBC: &str = "/lib64/ld-linux-x86-64.so.2";
pub const MUSL: &str = "/lib/ld-musl-x86_64.so.1";
pub const GETPPID: u32 = 110;
pub const GETPGID: u32 = 121;

/// A folder with a grafted interpreter, and programs that are started by it.
pub struct Place {
    pub folder: TempDir,
    pub interpreter: PathBuf,
    original: PathBuf,
    compiler: &'static str,
    confined: BTreeMap<Fingerprint, Confined>,
}

impl Place {
    pub fn glibc() -> Self {
        Self::new("cc", GLIBC)
    }

    pub fn musl() -> Self {
        Self::new("musl-gcc", MUSL)
    }

    fn new(compiler: &'static str, original: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            interpreter: folder.path().join("ld.so"),
            original: PathBuf::from(original),
            compiler,
            confined: BTreeMap::new(),
            folder,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Compiles a program that names the interpreter of this place.
    pub fn compile(&self, name: &str, flags: &[&str]) -> PathBuf {
        let interpreter = format!("-Wl,--dynamic-linker={}", self.interpreter.display());
        let flags: Vec<&str> = flags.iter().copied().chain([interpreter.as_str()]).collect();
        compile(self.compiler, &self.path(name), &flags)
    }

    /// Denies a call to a program, under a mark.
    pub fn confine(&mut self, program: &Path, call: u32, mark: u32) {
        let confined = Confined {
            filters: vec![deny(call, 77, mark)],
            mark,
        };
        self.confine_with(program, confined);
    }

    pub fn confine_with(&mut self, program: &Path, confined: Confined) {
        self.confined.insert(fingerprint(program), confined);
    }

    pub fn bundle(&self, deny_unknown: bool) -> Vec<u8> {
        write_bundle(&self.confined, deny_unknown).unwrap()
    }

    /// Writes the interpreter with what was confined so far.
    pub fn graft(&self) {
        self.graft_bundle(&self.bundle(false));
    }

    pub fn graft_bundle(&self, bundle: &[u8]) {
        let original = fs::read(&self.original).unwrap();
        write_program(
            &self.interpreter,
            &graft(&original, Kind::Interpreter, bundle).unwrap(),
        );
    }
}

pub fn fingerprint(program: &Path) -> Fingerprint {
    match identify(&fs::read(program).unwrap()) {
        Some(Program::Dynamic {
            fingerprint: Some(fingerprint),
            ..
        }) => fingerprint,
        other => panic!("{}: {other:?}", program.display()),
    }
}

/// A bundle with one policy, for a program without an interpreter.
pub fn only(confined: Confined) -> Vec<u8> {
    confine_harden::only(confined).unwrap()
}

pub fn compile(compiler: &str, target: &Path, flags: &[&str]) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/start/probe.c");
    let output = Command::new(compiler)
        .args(["-O1", "-pthread", "-o"])
        .arg(target)
        .arg(source)
        .args(flags)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    target.to_owned()
}

pub fn write_program(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The lines that a program prints, by their first word.
pub fn run(command: &mut Command) -> BTreeMap<String, String> {
    let output = command.env("PROBE", "kept").output().unwrap();
    let text = text(&output);
    assert!(output.status.success(), "{:?} {text}", output.status);
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// What a program says that nothing is denied to.
pub fn assert_differs_only(
    mut confined: BTreeMap<String, String>,
    plain: &BTreeMap<String, String>,
    changes: &[(&str, &str)],
) {
    let mut expected = plain.clone();
    for (name, value) in changes {
        expected.insert((*name).to_owned(), (*value).to_owned());
    }
    // How many there are depends on what these tests run in.
    let of = |lines: &mut BTreeMap<String, String>| lines.remove("filters");
    of(&mut confined);
    of(&mut expected);
    assert_eq!(confined, expected);
}

/// A filter that denies one call with an error of its own, and the mark.
pub fn deny(call: u32, errno: u32, mark: u32) -> Vec<u8> {
    const LOAD: u16 = 0x20;
    const EQUAL: u16 = 0x15;
    const ANY_BIT: u16 = 0x45;
    const RETURN: u16 = 0x06;
    const PRCTL: u32 = 157;
    const ALLOW: u32 = 0x7fff_0000;
    const ERRNO: u32 = 0x0005_0000;
    let (argument, bit) = probe::bit(mark);
    let argument = 16 + 8 * argument as u32;
    let (offset, bit) = match u32::try_from(bit) {
        Ok(bit) => (argument, bit),
        Err(_) => (argument + 4, (bit >> 32) as u32),
    };
    let encode = |(code, yes, no, value): (u16, u8, u8, u32)| {
        let mut bytes = code.to_le_bytes().to_vec();
        bytes.extend([yes, no]);
        bytes.extend(value.to_le_bytes());
        bytes
    };
    [
        (LOAD, 0, 0, 0),
        (EQUAL, 0, 1, call),
        (RETURN, 0, 0, ERRNO | errno),
        (EQUAL, 0, 5, PRCTL),
        (LOAD, 0, 0, 16),
        (EQUAL, 0, 3, probe::OPTION),
        (LOAD, 0, 0, offset),
        (ANY_BIT, 0, 1, bit),
        (RETURN, 0, 0, ERRNO | 1),
        (RETURN, 0, 0, ALLOW),
    ]
    .into_iter()
    .flat_map(encode)
    .collect()
}
