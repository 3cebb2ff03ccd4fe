//! A root file system to read from: the one view of an image that every later room has.

use crate::FileBytes;

/// What a path names once every symbolic link is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A folder.
    Folder,
    /// A device, socket or pipe, which confine never reads.
    Other,
}

/// A path with every symbolic link followed, inside the root whatever the links say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resolved {
    /// Absolute, without `.`, `..`, doubled or trailing slashes and without symbolic links.
    pub path: String,
    /// What is there.
    pub kind: FileKind,
    /// Permission bits as in `st_mode & 0o7777`.
    pub mode: u32,
    /// Size in bytes; 0 unless regular.
    pub size: u64,
    /// What a copy of it has to keep besides.
    pub ownership: Ownership,
}

/// What a copy of a file or folder has to keep besides its mode: whose it is, since when, with which privileges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ownership {
    /// The user's number.
    pub user: u32,
    /// The group's number.
    pub group: u32,
    /// When it was changed last, in seconds since 1970; 0 if before.
    pub modified: u64,
    /// Whether executing it gives capabilities.
    pub capabilities: bool,
}

impl Resolved {
    /// A regular file that somebody may execute.
    #[must_use]
    pub fn is_executable(&self) -> bool {
        self.kind == FileKind::Regular && self.mode & 0o111 != 0
    }

    /// Whether executing it may give privileges that the process did not have.
    #[must_use]
    pub fn gives_privileges(&self) -> bool {
        self.is_executable() && (self.mode & 0o6000 != 0 || self.ownership.capabilities)
    }
}

/// Why a file's bytes could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Nothing is at that path, or it is no regular file.
    #[error("{0}: no such regular file in the image")]
    NotFound(String),
    /// It is there, but its bytes are not to be had: truncated archive, I/O error, over the size limit.
    #[error("{path}: {reason}")]
    Unreadable {
        /// The path that was asked for.
        path: String,
        /// What went wrong.
        reason: String,
    },
}

/// A root file system: look up a path, read bytes, list a folder. Nothing else of an image is needed later.
///
/// Paths are absolute, or taken as relative to `/`; names that are not UTF-8 appear with replacement
/// characters. Implementations are deterministic: lists come sorted by name.
pub trait Files: Send + Sync {
    /// Follows every symbolic link inside the root; `None` if nothing is there or the links loop.
    fn resolve(&self, path: &str) -> Option<Resolved>;

    /// The bytes of the regular file at `path`, links followed.
    ///
    /// # Errors
    /// When there is no regular file or its bytes cannot be had.
    fn read(&self, path: &str) -> Result<FileBytes, ReadError>;

    /// The names in the folder at `path` (links followed), sorted; empty if there is no such folder.
    fn list(&self, path: &str) -> Vec<String>;
}
