//! Recording: programs under load under strace, in a container, and their profiles.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use confine_engine::{Docker, Interrupt, Invocation};
use confine_policy::ARGUMENTS;

use super::trace::{self, Seen};
use crate::corpus::traced;
use crate::images::build;

/// How long one program may take.
const LIMIT: Duration = Duration::from_secs(600);

/// The image that holds the programs and what puts them under load.
const IMAGE: &str = "confine-test/filters:bookworm";
const RELEASE: &str = "bookworm";

/// What records.
pub struct Recorder {
    folder: PathBuf,
    confine: PathBuf,
}

impl Recorder {
    /// With the image that the folder describes, built unless it is there.
    pub fn new(root: &Path, folder: &Path, confine: &Path, interrupt: &Interrupt) -> anyhow::Result<Self> {
        let docker = Docker::new(interrupt);
        let images = root.join("tests/images");
        build::image(&docker, interrupt, &images, RELEASE, &folder.join("image"), IMAGE)?;
        Ok(Self {
            folder: folder.to_owned(),
            confine: confine.to_owned(),
        })
    }

    /// Runs `NAME.sh` of the folder in a container and writes what was called to `NAME.tsv`.
    pub fn calls(&self, name: &str) -> anyhow::Result<()> {
        let scratch = tempfile::tempdir().context("no folder for the log")?;
        let script = self.folder.join(format!("{name}.sh"));
        let container = traced(scratch.path(), &script).args([IMAGE, "/corpus-run", "/corpus/log"]);
        container.limit(LIMIT).output()?;
        let log = fs::read_to_string(scratch.path().join("log")).context("strace left no log")?;
        let calls = calls(&log);
        ensure!(!calls.is_empty(), "strace saw nothing");
        let path = self.folder.join(format!("{name}.tsv"));
        fs::write(&path, trace::write(&calls)).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Writes what confine says of the program to `NAME.json`.
    pub fn profile(&self, name: &str) -> anyhow::Result<()> {
        let image = format!("docker-daemon:{IMAGE}");
        let profile = Invocation::new(&self.confine).args(["profile", &image, "--quiet", "-o"]);
        let profile = profile.arg(self.folder.join(format!("{name}.json")));
        let profile = match name {
            "nginx" => profile.args(["--program", "/usr/sbin/nginx"]),
            "redis" => profile.args(["--program", "/usr/bin/redis-server"]),
            "postgres" => profile.args(["--program", "/usr/lib/postgresql/15/bin/postgres"]),
            // The script and all that it executes run under one policy.
            _ => profile.args(["--runtime", "none", "--command", "sh /script.sh"]),
        };
        profile.limit(LIMIT).output()?;
        Ok(())
    }
}

/// The calls of a log of `strace -f -e raw=all`.
fn calls(log: &str) -> BTreeMap<Seen, u64> {
    let mut calls = BTreeMap::new();
    for seen in log.lines().filter_map(seen) {
        *calls.entry(seen).or_default() += 1;
    }
    calls
}

/// A line's call, if one begins there: `PID NAME(ARGUMENT, …) = RESULT`, or `… <unfinished ...>`.
fn seen(line: &str) -> Option<Seen> {
    let event = line.split_once(' ')?.1.trim_start();
    let (name, rest) = event.split_once('(')?;
    let call = confine_kernel::call_named(name)?;
    let end = rest.find([')', '<']).unwrap_or(rest.len());
    let mut arguments = [0; ARGUMENTS];
    let words = rest
        .get(..end)?
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty());
    let facts = confine_kernel::arguments(call.number).iter();
    for ((word, slot), fact) in words.zip(&mut arguments).zip(facts) {
        let value = match word.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok()?,
            None => word.parse().ok()?,
        };
        if trace::tells(fact) {
            *slot = value;
        }
    }
    Some((call.number, arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_strace_are_understood() {
        for (line, expected) in [
            (
                "12 ioctl(0x1, 0x5401, 0x7ffe0) = -1 ENOTTY (Inappropriate ioctl)",
                Some((16, [0, 0x5401, 0, 0, 0, 0])),
            ),
            (
                "12  futex(0x7f, 0x80, 0x2, 0, <unfinished ...>",
                Some((202, [0, 0x80, 0, 0, 0, 0])),
            ),
            ("12 getpid() = 0xc", Some((39, [0; 6]))),
            ("12 <... futex resumed>) = 0", None),
            ("12 +++ exited with 0 +++", None),
            ("12 --- SIGCHLD {si_signo=SIGCHLD} ---", None),
        ] {
            assert_eq!(seen(line), expected, "{line}");
        }
    }
}
