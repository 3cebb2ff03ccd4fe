//! What need not be hashed again: layers of an archive that nobody has touched since they were.
//!
//! Most of the time of opening a plain archive goes into the digests of its layers. A file's identity is what `git` and
//! `make` go by, and a little more: device, inode, size, and the times of its last change to the nanosecond, of which
//! nobody but the kernel sets the second. A file that was changed within the last moments could change again without its
//! times showing it, so nothing is remembered of such a one.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::digest::Digest;

/// How coarse the times of a file system may be.
const MOMENTS: Duration = Duration::from_secs(3);

/// Who remembers what was verified, from one run to the next. A statement that it was not told before must not be
/// affirmed: whoever could make it so could have a broken archive taken for a whole one.
pub trait Memory: Send + Sync {
    /// Whether the statement was made before.
    fn recalls(&self, statement: &str) -> bool;
    /// Remembers that the statement holds.
    fn remember(&self, statement: &str);
}

/// A file as long as nobody touches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity(String);

impl Identity {
    /// That of an open file; `None` if it was touched too lately to tell.
    pub(crate) fn of(file: &File) -> Option<Self> {
        let metadata = file.metadata().ok()?;
        let seconds = u64::try_from(metadata.ctime().max(metadata.mtime())).ok()?;
        let touched = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
        let age = SystemTime::now().duration_since(touched).ok()?;
        (age > MOMENTS).then(|| {
            Self(format!(
                "{} {} {} {}.{} {}.{}",
                metadata.dev(),
                metadata.ino(),
                metadata.len(),
                metadata.mtime(),
                metadata.mtime_nsec(),
                metadata.ctime(),
                metadata.ctime_nsec()
            ))
        })
    }
}

/// The memory, and the file that it is asked about.
#[derive(Clone)]
pub(crate) struct Verified {
    pub(crate) memory: Arc<dyn Memory>,
    pub(crate) file: Identity,
}

impl Verified {
    pub(crate) fn recalls(&self, place: &str, digest: &Digest) -> bool {
        self.memory.recalls(&self.statement(place, digest))
    }

    pub(crate) fn remember(&self, place: &str, digest: &Digest) {
        self.memory.remember(&self.statement(place, digest));
    }

    fn statement(&self, place: &str, digest: &Digest) -> String {
        format!("{}: {place} is {digest}", self.file.0)
    }
}
