//! Calls with all their arguments, written down by the kernel's own tracer.
//!
//! The kernel calls its trace points after the filter, so that only calls which the filter lets through come up here: it
//! is for a life under a profile that logs and lets through. Only the wanted calls are traced, into a buffer of our own,
//! whose losses the kernel counts: a trace with a loss is an error.

use std::path::{Path, PathBuf};

use crate::command::Invocation;
use crate::error::Error;

/// Where systems mount it.
const USUAL_PLACE: &str = "/sys/kernel/tracing";

/// The size of the buffer, for each processor, in KiB.
const BUFFER: &str = "8192";

/// Calls that can be told apart in one filter, whose text is bounded by the kernel.
const MOST_CALLS: usize = 64;

/// One call that was traced.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TracedCall {
    /// The call's number.
    pub call: u32,
    /// The process, by its number outside of containers.
    pub process: u32,
    /// Its arguments.
    pub arguments: [u64; 6],
}

/// A trace of some calls of all processes, from its creation until [`finish`](Self::finish).
#[derive(Debug)]
pub struct CallTrace {
    /// Our own buffer's folder.
    folder: PathBuf,
    /// The file system, if it had to be mounted.
    mounted: Option<tempfile::TempDir>,
}

impl CallTrace {
    /// Begins to trace calls by their numbers, of which the first 64 are taken; needs root.
    ///
    /// # Errors
    /// When the kernel has no tracer or does not let us use it.
    pub fn open(calls: &[u32]) -> Result<Self, Error> {
        let mounted = match Path::new(USUAL_PLACE).join("instances").is_dir() {
            true => None,
            false => Some(mount()?),
        };
        let root = mounted
            .as_ref()
            .map_or(Path::new(USUAL_PLACE), |folder| folder.path());
        let folder = root
            .join("instances")
            .join(format!("confine-{}", std::process::id()));
        let trace = Self { folder, mounted };
        std::fs::create_dir(&trace.folder).map_err(Error::file("create", &trace.folder))?;
        let wanted: Vec<String> = calls
            .iter()
            .take(MOST_CALLS)
            .map(|call| format!("id=={call}"))
            .collect();
        trace.write("buffer_size_kb", BUFFER)?;
        // Full is full: what comes later is counted as lost.
        trace.write("options/overwrite", "0")?;
        trace.write("options/record-tgid", "1")?;
        trace.write("events/raw_syscalls/sys_enter/filter", &wanted.join("||"))?;
        trace.write("events/raw_syscalls/sys_enter/enable", "1")?;
        Ok(trace)
    }

    /// Stops tracing; every call since the creation.
    ///
    /// # Errors
    /// When the buffer was too small for them.
    pub fn finish(self) -> Result<Vec<TracedCall>, Error> {
        self.write("events/raw_syscalls/sys_enter/enable", "0")?;
        let processors = self.folder.join("per_cpu");
        let listed = std::fs::read_dir(&processors).map_err(Error::file("list", &processors))?;
        for processor in listed.flatten() {
            let path = processor.path().join("stats");
            let stats = std::fs::read_to_string(&path).map_err(Error::file("read", &path))?;
            if tells_of_loss(&stats) {
                return Err(Error::TraceLost);
            }
        }
        let path = self.folder.join("trace");
        let text = std::fs::read(&path).map_err(Error::file("read", &path))?;
        let text = String::from_utf8_lossy(&text);
        Ok(text.lines().filter_map(parse_call).collect())
    }

    fn write(&self, file: &str, text: &str) -> Result<(), Error> {
        let path = self.folder.join(file);
        std::fs::write(&path, text).map_err(Error::file("write", &path))
    }
}

impl Drop for CallTrace {
    fn drop(&mut self) {
        let _ = self.write("events/raw_syscalls/sys_enter/enable", "0");
        // Removing the folder is how the kernel is told to give the buffer back.
        let _ = std::fs::remove_dir(&self.folder);
        if let Some(folder) = &self.mounted {
            let _ = Invocation::new("umount").arg(folder.path()).run();
        }
    }
}

fn mount() -> Result<tempfile::TempDir, Error> {
    let folder = tempfile::Builder::new()
        .prefix("confine-trace-")
        .tempdir()
        .map_err(Error::file("create a folder in", std::env::temp_dir()))?;
    Invocation::new("mount")
        .args(["-t", "tracefs", "tracefs"])
        .arg(folder.path())
        .output()?;
    Ok(folder)
}

/// Whether the counts of one processor's buffer say that something is missing.
fn tells_of_loss(stats: &str) -> bool {
    stats.lines().any(|line| {
        let Some((name, count)) = line.split_once(':') else {
            return false;
        };
        matches!(name, "overrun" | "commit overrun" | "dropped events") && count.trim() != "0"
    })
}

/// `COMMAND-THREAD (PROCESS) [CPU] FLAGS TIME: sys_enter: NR 63 (1, 2, 3, 4, 5, 6)`, arguments in hexadecimal.
fn parse_call(line: &str) -> Option<TracedCall> {
    let (before, event) = line.rsplit_once(": sys_enter: NR ")?;
    // The command may hold anything; the process stands in the last brackets before the processor.
    let (before, _) = before.rsplit_once('[')?;
    let (before, process) = before.rsplit_once('(')?;
    let process = process.trim_end().trim_end_matches(')').trim();
    let process = match process.parse() {
        Ok(process) => process,
        // Where the kernel does not know it any more: a process of one thread has that number.
        Err(_) => before.trim_end().rsplit_once('-')?.1.parse().ok()?,
    };
    let (call, list) = event.split_once(" (")?;
    let mut arguments = [0; 6];
    for (argument, text) in arguments.iter_mut().zip(list.trim_end_matches(')').split(", ")) {
        *argument = u64::from_str_radix(text, 16).ok()?;
    }
    Some(TracedCall {
        call: call.parse().ok()?,
        process,
        arguments,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_tracer_are_read() {
        let expected = |process| {
            Some(TracedCall {
                call: 63,
                process,
                arguments: [0x7ffe_cc67, 1, 0xffff_ffff_ffff_ff9c, 0, 0, 0x10],
            })
        };
        let list = "sys_enter: NR 63 (7ffecc67, 1, ffffffffffffff9c, 0, 0, 10)";
        for (line, process) in [
            (
                format!("           uname-11742   (  11742) [001] ..... 12530.816931: {list}"),
                11742,
            ),
            (
                format!("  odd (name) [x-11743 ( 11700) [001] ..... 12530.816931: {list}"),
                11700,
            ),
            (
                format!("           uname-11742   (-------) [001] ..... 12530.816931: {list}"),
                11742,
            ),
        ] {
            assert_eq!(parse_call(&line), expected(process), "{line}");
        }
        assert_eq!(parse_call("# tracer: nop"), None);
        assert_eq!(parse_call("x-1 (1) [0] . 1.0: sys_enter: NR x (zz)"), None);
    }

    #[test]
    fn losses_are_noticed() {
        let stats = |overrun| {
            format!("entries: 12\noverrun: {overrun}\ncommit overrun: 0\nnow ts: 1.5\ndropped events: 0\n")
        };
        assert!(!tells_of_loss(&stats(0)));
        assert!(tells_of_loss(&stats(3)));
    }

    /// Needs root and the kernel's tracer; says so where it has not.
    #[test]
    #[allow(clippy::print_stderr, reason = "a test tells what it skips")]
    fn a_call_of_our_own_is_traced() {
        let getpgid = confine_kernel::call_named("getpgid").map_or(0, |call| call.number);
        let trace = match CallTrace::open(&[getpgid]) {
            Ok(trace) => trace,
            Err(error) => {
                eprintln!("skipped: {error}");
                return;
            }
        };
        // Of a process that does not exist, so that no other program's call is taken for this one.
        let nobody = rustix::process::Pid::from_raw(0x3fff_fff1);
        assert!(rustix::process::getpgid(nobody).is_err());
        let folder = trace.folder.clone();
        let calls = trace.finish().unwrap();
        let ours = calls
            .iter()
            .find(|call| call.process == std::process::id() && call.arguments[0] == 0x3fff_fff1);
        assert!(ours.is_some(), "{calls:?}");
        assert!(!folder.exists());
    }
}
