//! Recording: a program under load under strace, and its profile.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use confine_engine::Invocation;
use confine_policy::ARGUMENTS;

use super::trace::{self, Seen};

/// How long one program may take.
const LIMIT: Duration = Duration::from_secs(600);

/// Runs `NAME.sh` of the folder and writes `NAME.tsv` and `NAME.json`.
pub fn record(confine: &Path, folder: &Path, name: &str) -> anyhow::Result<()> {
    let scratch = tempfile::tempdir().context("no folder for the log")?;
    let log = scratch.path().join("log");
    let script = folder.join(format!("{name}.sh"));
    Invocation::new(&script).arg(&log).limit(LIMIT).output()?;
    let log = fs::read_to_string(&log).context("strace left no log")?;
    let calls = calls(&log);
    ensure!(!calls.is_empty(), "strace saw nothing");
    fs::write(folder.join(format!("{name}.tsv")), trace::write(&calls)).context("cannot write the trace")?;
    let script = folder.join("script.sh");
    let program = match name {
        "nginx" => "/usr/sbin/nginx",
        "redis" => "/usr/bin/redis-server",
        "postgres" => "/usr/lib/postgresql/15/bin/postgres",
        _ => "",
    };
    let mut profile = Invocation::new(confine).args(["profile", "dir:/", "--quiet", "-o"]);
    profile = profile.arg(folder.join(format!("{name}.json")));
    profile = match program {
        // The script and all that it executes run under one policy.
        "" => profile
            .args(["--runtime", "none", "--command"])
            .arg(format!("sh {}", script.display())),
        program => profile.args(["--program", program]),
    };
    profile.limit(LIMIT).output()?;
    Ok(())
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
        if fact.kind.is_restrictable() {
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
