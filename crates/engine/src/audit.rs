//! The calls that a filter logs, read from the kernel's own log.
//!
//! A profile whose default action is SCMP_ACT_LOG lets every call through and has the kernel write one record of
//! type 1326 for each call that is not on its list. Without an audit daemon these records go to the kernel's log,
//! which is limited in rate by default: the limit is lifted while an [`AuditLog`] lives. The log is a ring, so it
//! is read continuously, and what it overwrote before it was read is an error, never silently fewer records.
//!
//! A record names no container, so that the process is looked at as soon as its record is read: where it comes from tells
//! whose it is ([`AuditRecord::is_of`]), its memory map which object the call was made in. Records of one reader at a time:
//! the limit is the host's, and who lifts it must not have it set again by another who is done.
//!
//! Misses: records of a host where an audit daemon takes them first; the origin and the object of a process that was gone
//! before its record was read.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::command::Interrupt;
use crate::error::Error;
use crate::process::{self, Mapped, Origin};

const LOG: &str = "/dev/kmsg";
/// Held, below the folder for temporary files, by whoever reads.
const LOCK: &str = "confine-audit.lock";
const RATE_LIMIT: &str = "/proc/sys/kernel/printk_ratelimit";

/// The longest record that the kernel writes to its log.
const RECORD_SIZE: usize = 8192;

/// How long a wait for the next record lasts before it is looked whether to go on.
const TURN: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 20_000_000,
};

/// One call that a filter logged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditRecord {
    /// The number of the call, in the numbering of `architecture`.
    pub call: u32,
    /// The architecture as the kernel's audit code names it; `0xc000_003e` is x86-64.
    pub architecture: u32,
    /// The executable, as it is seen from the container; the process's name where the kernel gives no path.
    pub program: String,
    /// The process, by its number outside of containers.
    pub process: u32,
    /// Where the process goes on after the call.
    pub instruction: u64,
    /// Where the process comes from; `None` if that was gone.
    pub origin: Option<Origin>,
    /// The file that the instruction lies in; `None` if the process had ended.
    pub mapped: Option<Mapped>,
}

impl AuditRecord {
    /// Whether it is of the container of ours that has this host name; `None` if the process was gone, so that it may be.
    ///
    /// Engines name a control group after the container's identity, of which its host name is the beginning. What a
    /// runtime starts without one comes from us, and so does nothing else that a filter logs. Neither depends on the
    /// container's being there, or on its not having been restarted, when it is asked.
    #[must_use]
    pub fn is_of(&self, host_name: &str) -> Option<bool> {
        let origin = self.origin.as_ref()?;
        Some(origin.control_groups.contains(host_name) || origin.ancestors.contains(&std::process::id()))
    }
}

/// Reads the kernel's log from its creation until [`finish`](Self::finish).
#[derive(Debug)]
pub struct AuditLog {
    reader: Option<JoinHandle<Result<Vec<AuditRecord>, Error>>>,
    done: Arc<AtomicBool>,
    earlier_rate_limit: String,
    // Dropped after the limit is set again: fields go after what `drop` does.
    _alone: File,
}

impl AuditLog {
    /// Waits until nobody else reads, and starts reading; needs the right to read the kernel's log and to change its rate
    /// limit.
    ///
    /// # Errors
    /// When one of these rights is missing, or the wait is interrupted.
    pub fn open(interrupt: &Interrupt) -> Result<Self, Error> {
        let alone = wait_for_turn(interrupt)?;
        let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
        let mut log = OpenOptions::new()
            .read(true)
            .custom_flags(nonblocking)
            .open(LOG)
            .map_err(Error::file("open", LOG))?;
        log.seek(SeekFrom::End(0))
            .map_err(Error::file("seek to the end of", LOG))?;
        let earlier_rate_limit = std::fs::read_to_string(RATE_LIMIT)
            .map_err(Error::file("read", RATE_LIMIT))?
            .trim()
            .to_owned();
        std::fs::write(RATE_LIMIT, "0").map_err(Error::file("write", RATE_LIMIT))?;
        let done = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&done);
        let reader = std::thread::spawn(move || read_records(&mut log, &until));
        Ok(Self {
            reader: Some(reader),
            done,
            earlier_rate_limit,
            _alone: alone,
        })
    }

    /// Stops reading; every record since the creation, in order.
    pub fn finish(mut self) -> Result<Vec<AuditRecord>, Error> {
        // The kernel's own thread hands records on shortly after the call.
        std::thread::sleep(Duration::from_millis(300));
        self.done.store(true, Ordering::SeqCst);
        match self.reader.take().map(JoinHandle::join) {
            Some(Ok(records)) => records,
            _ => Err(Error::AuditLost),
        }
    }
}

/// A file that is locked as long as it is open.
fn wait_for_turn(interrupt: &Interrupt) -> Result<File, Error> {
    let path = std::env::temp_dir().join(LOCK);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(Error::file("open", &path))?;
    // Bounded by the others' runs, and by the user.
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(Errno::WOULDBLOCK | Errno::INTR) if interrupt.is_raised() => return Err(Error::Interrupted),
            Err(Errno::WOULDBLOCK | Errno::INTR) => std::thread::sleep(Duration::from_millis(100)),
            Err(error) => return Err(Error::file("lock", &path)(error.into())),
        }
    }
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        self.done.store(true, Ordering::SeqCst);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        let _ = std::fs::write(Path::new(RATE_LIMIT), &self.earlier_rate_limit);
    }
}

fn read_records(log: &mut File, done: &AtomicBool) -> Result<Vec<AuditRecord>, Error> {
    let mut records = Vec::new();
    let mut processes = Processes::default();
    let mut buffer = [0; RECORD_SIZE];
    // Each turn takes one record or waits; bounded by `done`, after which the log is read to its end.
    loop {
        let finishing = done.load(Ordering::SeqCst);
        match log.read(&mut buffer) {
            Ok(length) => {
                let line = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
                if tells_of_loss(&line) {
                    return Err(Error::AuditLost);
                }
                let record = parse_record(&line);
                records.extend(record.map(|record| processes.complete(record)));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if finishing {
                    return Ok(records);
                }
                let mut waited = [PollFd::new(&*log, PollFlags::IN)];
                // Whatever it says, the next turn reads.
                let _ = poll(&mut waited, Some(&TURN));
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // The kernel's way to say that records were overwritten before they were read.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Err(Error::AuditLost),
            Err(error) => return Err(Error::file("read", LOG)(error)),
        }
    }
}

/// What was found out about processes, each thing once: a process may make a logged call many thousand times.
#[derive(Default)]
struct Processes {
    origins: BTreeMap<u32, Option<Origin>>,
    mapped: BTreeMap<(u32, u64), Option<Mapped>>,
}

impl Processes {
    fn complete(&mut self, record: AuditRecord) -> AuditRecord {
        let AuditRecord {
            process, instruction, ..
        } = record;
        let origin = self.origins.entry(process);
        let origin = origin.or_insert_with(|| process::origin(process)).clone();
        let mapped = self.mapped.entry((process, instruction));
        let mapped = mapped
            .or_insert_with(|| process::mapped(process, instruction))
            .clone();
        AuditRecord {
            origin,
            mapped,
            ..record
        }
    }
}

/// Whether the audit code says that it dropped records.
fn tells_of_loss(line: &str) -> bool {
    line.contains("audit_lost=")
        || line.contains("audit_backlog limit")
        || line.contains("audit: backlog limit")
}

/// The record in one line of the kernel's log; nothing for a line about something else.
fn parse_record(line: &str) -> Option<AuditRecord> {
    line.split_once("audit: type=1326 ")?;
    let field = |name: &str| {
        let mut words = line.split([' ', '\n']);
        words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    };
    let program = match field("exe")? {
        "(null)" => field("comm")?,
        path => path,
    };
    Some(AuditRecord {
        call: field("syscall")?.parse().ok()?,
        architecture: u32::from_str_radix(field("arch")?, 16).ok()?,
        program: program_name(program),
        process: field("pid")?.parse().ok()?,
        instruction: u64::from_str_radix(field("ip")?.strip_prefix("0x")?, 16).ok()?,
        origin: None,
        mapped: None,
    })
}

/// Quoted as it is, or in hexadecimal where it holds a space, a quote or something unprintable.
fn program_name(text: &str) -> String {
    if let Some(quoted) = text.strip_prefix('"') {
        return quoted.trim_end_matches('"').to_owned();
    }
    let digits = text.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    });
    match digits.collect::<Option<Vec<u8>>>() {
        Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<(u32, u32, &str)>) {
        let found = parse_record(line).map(|record| (record.call, record.architecture, record.program));
        let expected = expected.map(|(call, arch, program)| (call, arch, program.to_owned()));
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn records_are_read_from_the_kernels_lines() {
        check(
            "5,1337,1839226858,-;audit: type=1326 audit(1795473706.991:176): auid=4294967295 uid=0 gid=0 \
             ses=4294967295 pid=10765 comm=\"true\" exe=\"/usr/bin/true\" sig=0 arch=c000003e syscall=302 compat=0 \
             ip=0x7f68cb6347f0 code=0x7ffc0000\n",
            Some((302, 0xc000_003e, "/usr/bin/true")),
        );
        check(
            "audit: type=1326 audit(1:2): pid=7 comm=72756E633A5B323A494E49545D exe=2F6D656D66643A72 (deleted) \
             arch=c000003e syscall=1 compat=0 ip=0x1",
            Some((1, 0xc000_003e, "/memfd:r")),
        );
        check(
            "audit: type=1326 audit(1:2): pid=7 comm=\"sh\" exe=(null) arch=40000003 syscall=20 compat=1 ip=0xf7f",
            Some((20, 0x4000_0003, "sh")),
        );
        check("audit: type=1400 audit(1:2): apparmor=\"DENIED\"", None);
        check("audit: type=1326 audit(1:2): exe=\"/a\" arch=zz syscall=1", None);
        check("eth0: renamed", None);
        check("", None);
    }

    #[test]
    fn the_process_and_its_place_are_read() {
        let line =
            "audit: type=1326 audit(1:2): pid=77 comm=\"sh\" exe=\"/a\" arch=c000003e syscall=1 ip=0x7f10";
        let record = parse_record(line).unwrap();
        assert_eq!((record.process, record.instruction), (77, 0x7f10));
        assert_eq!((record.origin, record.mapped), (None, None));
    }

    #[test]
    fn a_record_is_of_a_container_by_its_control_group_or_by_us() {
        let line =
            "audit: type=1326 audit(1:2): pid=77 comm=\"sh\" exe=\"/a\" arch=c000003e syscall=1 ip=0x1";
        let of = |control_groups: &str, ancestors: &[u32]| {
            let origin = Origin {
                control_groups: control_groups.to_owned(),
                ancestors: ancestors.to_vec(),
            };
            let record = parse_record(line).unwrap();
            AuditRecord {
                origin: Some(origin),
                ..record
            }
            .is_of("8f1c")
        };
        let ours = std::process::id();
        assert_eq!(of("0::/docker/8f1c22\n", &[3, 1]), Some(true));
        assert_eq!(of("0::/\n", &[3, ours, 1]), Some(true));
        assert_eq!(of("0::/docker/77aa\n", &[3, 1]), Some(false));
        assert_eq!(parse_record(line).unwrap().is_of("8f1c"), None);
    }

    #[test]
    fn loss_is_noticed() {
        assert!(tells_of_loss(
            "4,1,2,-;audit: audit_lost=12 audit_rate_limit=0 audit_backlog_limit=64\n"
        ));
        assert!(!tells_of_loss(
            "5,1,2,-;audit: type=1326 audit(1:2): comm=\"sh\"\n"
        ));
    }
}
