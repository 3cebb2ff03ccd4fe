//! A host file as bytes without reading it: the one place of this crate with unsafe code.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;

use bytes::Bytes;
use memmap2::Mmap;

/// Maps a whole regular file; pages are read when they are looked at.
///
/// Slices of the result share the mapping, which lives as long as any of them.
pub(crate) fn map(file: &File) -> io::Result<Bytes> {
    if file.metadata()?.len() == 0 {
        return Ok(Bytes::new());
    }
    // SAFETY: the mapping is private and read-only, and nothing in this process writes to the file. Another
    // process that rewrites the file meanwhile could change bytes under us, which every parser here stands
    // (none keeps an invariant about bytes that it does not read again), or could shorten it, which ends this
    // process by SIGBUS: the documented price of not copying images of gigabytes.
    let mapping = unsafe { Mmap::map(file)? };
    Ok(Bytes::from_owner(mapping))
}
