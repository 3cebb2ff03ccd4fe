//! Erlang: the programs and libraries of its run-time system, and what modules execute.
//!
//! Which modules are loaded is not looked at. Over-reports: every library in a folder `priv` of an application, every
//! program of the run-time system; of every module that can start programs, each constant that is an executable of the
//! image with its arguments. Misses, as an assumption: commands that are put together.

use std::collections::BTreeSet;
use std::io::Read;

use confine_assumption::{Effect, Kind as Open};
use flate2::read::ZlibDecoder;

use crate::executables;
use crate::reached::Reached;
use crate::walk::Walk;
use crate::{Roots, Start, folders};

/// What is looked up in a library of native functions and in a driver (Erlang's documentation of erl_nif, erl_driver).
const ROOTS: Roots = Roots::Prefixes(&["nif_init", "driver_init"]);

/// The programs of the run-time system, by their names in the folder `bin` of an `erts-VERSION`.
const PROGRAMS: &[&str] = &[
    "beam.smp",
    "beam",
    "erlexec",
    "erl_child_setup",
    "inet_gethost",
    "epmd",
    "heart",
    "dyn_erl",
];

/// Where applications lie: the run-time system's own place, those of distributions, and where images put releases.
const FOLDERS: &[&str] = &[
    "/usr/lib/erlang",
    "/usr/local/lib/erlang",
    "/usr/lib/rabbitmq",
    "/usr/lib/elixir",
    "/usr/lib/ejabberd",
    "/opt",
    "/app",
];

/// What a module names that starts programs: the atoms of `os:cmd` and of ports.
const STARTS: &[&[u8]] = &[b"open_port", b"\x03cmd"];

/// What the constants of one module may come to, in bytes.
const LARGEST_CONSTANTS: u64 = 8 << 20;

/// From what an interpreter is started with.
pub fn follow(start: &Start<'_>) -> Reached {
    let mut erlang = Erlang {
        start: *start,
        walk: Walk::new(start.files),
    };
    let mut roots: BTreeSet<String> = FOLDERS.iter().map(|folder| (*folder).to_owned()).collect();
    roots.extend(erlang.installation());
    if start.workdir != "/" {
        roots.insert(start.workdir.to_owned());
    }
    let libraries = start
        .variables
        .get("ERL_LIBS")
        .into_iter()
        .flat_map(|value| value.split(':'));
    roots.extend(libraries.filter(|folder| folder.len() > 1).map(str::to_owned));
    for root in &roots {
        erlang.below(root);
    }
    let detail = "which modules in Erlang it loads is not looked at: every library of an application is taken in, and of \
                  modules that can start programs every constant that is an executable";
    erlang.walk.assume(
        Open::OpenLibrary,
        start.place.to_owned(),
        detail,
        Effect::WidenedToCandidates,
    );
    erlang.walk.reached
}

/// The same, since little of what is taken in depends on how the run-time system is started: but folders that another start
/// names are not.
pub fn everything(start: &Start<'_>) -> Reached {
    let mut reached = follow(start);
    let detail = "which programs in Erlang it runs is not known, nor what these execute: name it with --also";
    reached.assume(
        Open::OpenCommand,
        start.place.to_owned(),
        detail,
        Effect::NotCovered,
    );
    reached
}

struct Erlang<'a> {
    start: Start<'a>,
    walk: Walk<'a>,
}

impl Erlang<'_> {
    /// The folder that holds the run-time system around the interpreter.
    fn installation(&self) -> Option<String> {
        let files = self.start.files;
        folders::above(self.start.path, |here| {
            files.list(here).iter().any(|name| name.starts_with("erts-"))
        })
    }

    fn below(&mut self, root: &str) {
        let files = self.start.files;
        for path in self.walk.below(root, |name| name.ends_with(".so")) {
            if path.contains("/priv/") {
                self.walk.module(
                    path,
                    "it is a library of an application of Erlang".to_owned(),
                    ROOTS,
                );
            }
        }
        for path in self.walk.below(root, |name| PROGRAMS.contains(&name)) {
            let is_program =
                path.contains("/erts-") && files.resolve(&path).is_some_and(|file| file.is_executable());
            if is_program {
                self.walk.command(vec![path], false, self.start.path, 1);
            }
        }
        for path in self.walk.below(root, |name| name.ends_with(".beam")) {
            if let Ok(bytes) = files.read(&path) {
                self.module(&path, &bytes);
            }
        }
    }

    fn module(&mut self, path: &str, bytes: &[u8]) {
        if !STARTS.iter().any(|name| executables::mentions(bytes, name)) {
            return;
        }
        self.walk.open_command(path, 1);
        let search = self.start.variables.get("PATH").map(String::as_str);
        let constants = constants(bytes).unwrap_or_default();
        for text in terms(&constants)
            .into_iter()
            .chain(terms(bytes))
            .chain(executables::texts(bytes).map(str::to_owned))
        {
            if let Some(command) = executables::command(self.start.files, search, &text, false) {
                self.walk.command(vec![command], true, path, 1);
            }
        }
    }
}

/// The table of constants, unpacked: the chunk `LitT`, its length, and the length when unpacked before the data.
fn constants(bytes: &[u8]) -> Option<Vec<u8>> {
    let at = bytes.windows(4).position(|window| window == b"LitT")?;
    let packed = bytes.get(at + 12..)?;
    let mut constants = Vec::new();
    // What follows the chunk does not belong to the packed data, which knows its own end.
    let _ = ZlibDecoder::new(packed)
        .take(LARGEST_CONSTANTS)
        .read_to_end(&mut constants);
    Some(constants)
}

/// The texts among terms: a tag, a length and the letters (Erlang's external term format: strings and binaries).
fn terms(bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for (at, tag) in bytes.iter().enumerate() {
        let width = match tag {
            107 => 2,
            109 => 4,
            _ => continue,
        };
        let Some(length) = bytes.get(at + 1..at + 1 + width) else {
            continue;
        };
        let length = length
            .iter()
            .fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
        let text = at
            .checked_add(1 + width)
            .and_then(|from| bytes.get(from..from.checked_add(length)?));
        if let Some(text) = text.filter(|text| (2..1000).contains(&text.len()))
            && text
                .iter()
                .all(|byte| (b' '..=b'~').contains(byte) || *byte == b'\n')
        {
            found.push(String::from_utf8_lossy(text).into_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_among_terms() {
        assert_eq!(terms(b"\x83k\0\x04ls -\x00m\0\0\0\x02abx"), ["ls -", "ab"]);
        assert!(terms(b"k\xff\xffshort").is_empty());
    }
}
