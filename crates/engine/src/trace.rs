//! Calls with all their arguments, written down by the kernel's own tracer.
//!
//! The kernel calls its trace points after the filter, so that only calls which the filter lets through come up here: it
//! is for a life under a profile that logs and lets through. Only the wanted calls are traced, into a buffer of our own,
//! whose losses the kernel counts: a trace with a loss is an error.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::command::Invocation;
use crate::error::Error;

/// Where systems mount it.
const USUAL_PLACE: &str = "/sys/kernel/tracing";

/// The size of the buffer, for each processor, in KiB.
const BUFFER: &str = "8192";

/// The longest filter that the kernel takes, in bytes: a page without its end.
const LONGEST_FILTER: usize = 4095;

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
    /// Begins to trace calls by their numbers; needs root.
    ///
    /// # Errors
    /// When the kernel has no tracer or does not let us use it, or they are more than it can tell apart, which those of its
    /// own table never are.
    pub fn open(calls: &[u32]) -> Result<Self, Error> {
        let filter = filter(calls);
        if filter.len() > LONGEST_FILTER {
            return Err(Error::TraceTooWide);
        }
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
        trace.write("buffer_size_kb", BUFFER)?;
        // Full is full: what comes later is counted as lost.
        trace.write("options/overwrite", "0")?;
        trace.write("options/record-tgid", "1")?;
        trace.write("events/raw_syscalls/sys_enter/filter", &filter)?;
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
        Ok(text.lines().filter_map(|line| parse_call(line, owner)).collect())
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

/// What the kernel takes for any of these calls: those that follow each other as one range, for its text is bounded.
fn filter(calls: &[u32]) -> String {
    let calls: BTreeSet<u32> = calls.iter().copied().collect();
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for call in calls {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(call) => *last = call,
            _ => ranges.push((call, call)),
        }
    }
    let ranges = ranges.into_iter().map(|(first, last)| match first == last {
        true => format!("id=={first}"),
        false => format!("(id>={first}&&id<={last})"),
    });
    ranges.collect::<Vec<_>>().join("||")
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

/// The process that a thread belongs to, if it is still there.
fn owner(thread: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
    line.trim().parse().ok()
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
///
/// Whose a thread is, `owner` tells as long as it is there: what the tracer noted may be of a thread that had its number
/// before. One that is gone and that the tracer did not note counts as a process of its own.
fn parse_call(line: &str, owner: impl Fn(u32) -> Option<u32>) -> Option<TracedCall> {
    let (before, event) = line.rsplit_once(": sys_enter: NR ")?;
    // The command may hold anything; the process stands in the last brackets before the processor.
    let (before, _) = before.rsplit_once('[')?;
    let (before, process) = before.rsplit_once('(')?;
    let process = process.trim_end().trim_end_matches(')').trim();
    let thread = before.trim_end().rsplit_once('-')?.1.parse().ok()?;
    let process = owner(thread).or_else(|| process.parse().ok()).unwrap_or(thread);
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
            (
                format!("           uname-77   (-------) [001] ..... 12530.816931: {list}"),
                70,
            ),
            (
                format!("           uname-77   (     77) [001] ..... 12530.816931: {list}"),
                70,
            ),
        ] {
            let owner = |thread| (thread == 77).then_some(70);
            assert_eq!(parse_call(&line, owner), expected(process), "{line}");
        }
        let nobody = |_| None;
        assert_eq!(parse_call("# tracer: nop", nobody), None);
        assert_eq!(
            parse_call("x-1 (1) [0] . 1.0: sys_enter: NR x (zz)", nobody),
            None
        );
    }

    #[test]
    fn a_filter_names_every_call_and_has_room_for_all_of_a_table() {
        assert_eq!(filter(&[7, 3, 4, 4, 5, 9]), "(id>=3&&id<=5)||id==7||id==9");
        assert_eq!(filter(&[u32::MAX, 0]), "id==0||id==4294967295");
        // No choice out of these is longer than every other one.
        let most: Vec<u32> = (0..470).step_by(2).collect();
        assert!(filter(&most).len() <= LONGEST_FILTER);
        let odd: Vec<u32> = (0..400).map(|call| 0x4000_0000 + 2 * call).collect();
        assert!(matches!(CallTrace::open(&odd), Err(Error::TraceTooWide)));
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
        // Beside many others, which no table has.
        let mut wanted: Vec<u32> = (1000..1200).step_by(2).collect();
        wanted.push(getpgid);
        let trace = match CallTrace::open(&wanted) {
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
