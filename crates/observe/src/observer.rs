//! Putting the counting into the kernel, and taking it out again.

use aya::programs::{BtfTracePoint, Program, ProgramError};
use aya::{Btf, Ebpf, EbpfLoader};

use crate::error::Error;
use crate::tables::{self, Observation};

/// What the kernel runs; `cargo xtask observer` makes it of `kernel/observe.bpf.c`.
static OBJECT: &[u8] = aya::include_bytes_aligned!("../generated/observe.bpf.o");

/// Its programs by name, with the tracepoint that each is for.
const TRACEPOINTS: [(&str, &str); 5] = [
    ("enter", "sys_enter"),
    ("leave", "sys_exit"),
    ("execute", "sched_process_exec"),
    ("fork", "sched_process_fork"),
    ("end", "sched_process_exit"),
];

/// The longest host name that the kernel keeps.
const HOST_NAME_LIMIT: usize = 63;

/// How many bytes a word of the kernel program's constants holds.
const WORD: usize = 8;

/// Counts from its creation until [`finish`](Self::finish); taken out of the kernel when dropped.
#[derive(Debug)]
pub struct Observer {
    kernel: Ebpf,
}

impl Observer {
    /// Begins to count what processes with this host name do.
    ///
    /// # Errors
    /// When this host or this user cannot.
    pub fn attach(host_name: &str) -> Result<Self, Error> {
        let (name, mask) = words(host_name)?;
        let types = Btf::from_sys_fs().map_err(|error| Error::NoTypes(chain(&error)))?;
        let mut loader = EbpfLoader::new();
        loader
            .btf(Some(&types))
            // What is kept of each task is read by the kernel program alone.
            .allow_unsupported_maps()
            .override_global("HOST_NAME", &name, true)
            .override_global("HOST_NAME_MASK", &mask, true);
        let mut kernel = loader
            .load(OBJECT)
            .map_err(|error| refusal("its tables", &error))?;
        tables::set_masks(&mut kernel)?;
        for (name, tracepoint) in TRACEPOINTS {
            let program: &mut BtfTracePoint = program(&mut kernel, name)?;
            let attached = program.load(tracepoint, &types).and_then(|()| program.attach());
            attached.map_err(|error| refusal(tracepoint, &error))?;
        }
        Ok(Self { kernel })
    }

    /// What was counted until now; the container has to have ended, so that nothing is counted meanwhile.
    ///
    /// # Errors
    /// When anything was lost, or the tables cannot be read.
    pub fn finish(self) -> Result<Observation, Error> {
        for (name, tracepoint) in TRACEPOINTS {
            let missed = self.misses(name)?;
            if missed > 0 {
                return Err(Error::Incomplete(format!(
                    "the kernel skipped {missed} events of {tracepoint}"
                )));
            }
        }
        tables::read(&self.kernel)
    }

    /// How often the kernel did not run a program because it was running it already.
    fn misses(&self, name: &str) -> Result<u64, Error> {
        use std::os::fd::{AsFd, AsRawFd};
        let failed = |reason: String| Error::Tables(format!("{name}: {reason}"));
        let program = self
            .kernel
            .program(name)
            .ok_or_else(|| failed("no such program".to_owned()))?;
        let descriptor = program.fd().map_err(|error| failed(chain(&error)))?;
        let path = format!("/proc/self/fdinfo/{}", descriptor.as_fd().as_raw_fd());
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        let field = text
            .lines()
            .find_map(|line| line.strip_prefix("recursion_misses:"));
        let count = field.and_then(|count| count.trim().parse().ok());
        count.ok_or_else(|| failed("the kernel does not say how often it skipped it".to_owned()))
    }
}

fn program<'a, T>(kernel: &'a mut Ebpf, name: &'static str) -> Result<&'a mut T, Error>
where
    &'a mut T: TryFrom<&'a mut Program, Error = ProgramError>,
{
    let refused = |reason: String| Error::Refused { part: name, reason };
    let program = kernel
        .program_mut(name)
        .ok_or_else(|| refused("no such program".to_owned()))?;
    program.try_into().map_err(|error| refused(chain(&error)))
}

/// The host name with the zero behind it as the words that the kernel program compares, and which of their bits count.
fn words(host_name: &str) -> Result<([u64; WORD], [u64; WORD]), Error> {
    let bytes = host_name.as_bytes();
    if bytes.is_empty() || bytes.len() > HOST_NAME_LIMIT || bytes.contains(&0) {
        return Err(Error::HostName(host_name.to_owned()));
    }
    let (mut name, mut mask) = ([0; WORD], [0; WORD]);
    for (index, byte) in bytes.iter().chain(&[0]).enumerate() {
        let shift = 8 * (index % WORD);
        if let (Some(name), Some(mask)) = (name.get_mut(index / WORD), mask.get_mut(index / WORD)) {
            *name |= u64::from(*byte) << shift;
            *mask |= 0xff << shift;
        }
    }
    Ok((name, mask))
}

fn refusal(part: &'static str, error: &dyn std::error::Error) -> Error {
    let reason = chain(error);
    let lower = reason.to_lowercase();
    match lower.contains("operation not permitted") || lower.contains("permission denied (os error 1)") {
        true => Error::NotPermitted(format!("{part}: {reason}")),
        false => Error::Refused { part, reason },
    }
}

/// An error with its causes, in one line, without those that are quoted already.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    // Bounded by the length of the chain.
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        cause = error.source();
    }
    text.replace('\n', " ").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use sha2::Digest;

    use super::*;

    #[test]
    fn the_object_is_made_of_the_source() {
        let digest = sha2::Sha256::digest(include_bytes!("../kernel/observe.bpf.c"));
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let made_of = include_str!("../generated/observe.made-of");
        assert!(
            made_of.starts_with(&format!("source {digest}\n")),
            "generated/observe.bpf.o is stale: cargo xtask observer"
        );
    }

    #[test]
    fn host_names_are_compared_to_their_end() {
        let (name, mask) = words("abcdefgh").unwrap();
        assert_eq!(name[..2], [u64::from_le_bytes(*b"abcdefgh"), 0]);
        assert_eq!(mask[..3], [u64::MAX, 0xff, 0]);
        let (_, mask) = words(&"x".repeat(63)).unwrap();
        assert_eq!(mask, [u64::MAX; WORD]);
        for wrong in [String::new(), "x".repeat(64), "a\0b".to_owned()] {
            assert!(matches!(words(&wrong), Err(Error::HostName(_))), "{wrong}");
        }
    }
}
