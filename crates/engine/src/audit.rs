//! The calls that a filter logs, read from the kernel's own log.
//!
//! A profile whose default action is SCMP_ACT_LOG lets every call through and has the kernel write one record of
//! type 1326 for each call that is not on its list. Without an audit daemon these records go to the kernel's log,
//! which is limited in rate by default: the limit is lifted while an [`AuditLog`] lives. The log is a ring, so it
//! is read continuously, and what it overwrote before it was read is an error, never silently fewer records.
//!
//! Misses: records of a host where an audit daemon takes them first. Over-reports: records of other containers
//! with such a profile in the same time, since a record names no container.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::error::Error;

const LOG: &str = "/dev/kmsg";
const RATE_LIMIT: &str = "/proc/sys/kernel/printk_ratelimit";

/// The longest record that the kernel writes to its log.
const RECORD_SIZE: usize = 8192;

/// One call that a filter logged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditRecord {
    /// The number of the call, in the numbering of `architecture`.
    pub call: u32,
    /// The architecture as the kernel's audit code names it; `0xc000_003e` is x86-64.
    pub architecture: u32,
    /// The executable, as it is seen from the container; the process's name where the kernel gives no path.
    pub program: String,
}

/// Reads the kernel's log from its creation until [`finish`](Self::finish).
#[derive(Debug)]
pub struct AuditLog {
    reader: Option<JoinHandle<Result<Vec<AuditRecord>, Error>>>,
    done: Arc<AtomicBool>,
    earlier_rate_limit: String,
}

impl AuditLog {
    /// Starts reading; needs the right to read the kernel's log and to change its rate limit.
    pub fn open() -> Result<Self, Error> {
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
                records.extend(parse_record(&line));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if finishing {
                    return Ok(records);
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // The kernel's way to say that records were overwritten before they were read.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Err(Error::AuditLost),
            Err(error) => return Err(Error::file("read", LOG)(error)),
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
#[must_use]
pub fn parse_record(line: &str) -> Option<AuditRecord> {
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
            "audit: type=1326 audit(1:2): comm=72756E633A5B323A494E49545D exe=2F6D656D66643A72 (deleted) \
             arch=c000003e syscall=1 compat=0",
            Some((1, 0xc000_003e, "/memfd:r")),
        );
        check(
            "audit: type=1326 audit(1:2): comm=\"sh\" exe=(null) arch=40000003 syscall=20 compat=1",
            Some((20, 0x4000_0003, "sh")),
        );
        check("audit: type=1400 audit(1:2): apparmor=\"DENIED\"", None);
        check("audit: type=1326 audit(1:2): exe=\"/a\" arch=zz syscall=1", None);
        check("eth0: renamed", None);
        check("", None);
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
