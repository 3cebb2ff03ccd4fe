//! Keeping a cache within its bound.
//!
//! Looks two levels deep, at files alone, and follows no link: nothing outside the folder is ever touched.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A file of the cache.
pub(crate) struct Entry {
    path: PathBuf,
    pub(crate) bytes: u64,
    used: SystemTime,
}

/// Every file below a cache's folder, temporary ones of runs that were killed included.
pub(crate) fn entries(root: &Path) -> Vec<Entry> {
    let folders = listed(root).filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let files = folders.flat_map(|folder| listed(&folder.path()));
    files
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter_map(|entry| {
            let metadata = entry.metadata().ok()?;
            Some(Entry {
                path: entry.path(),
                bytes: metadata.len(),
                used: metadata.modified().ok()?,
            })
        })
        .collect()
}

/// Removes the oldest entries until the others take at most `limit` bytes.
pub(crate) fn to(root: &Path, limit: u64) {
    let mut entries = entries(root);
    let mut bytes = entries
        .iter()
        .fold(0_u64, |sum, entry| sum.saturating_add(entry.bytes));
    if bytes <= limit && limit > 0 {
        return;
    }
    entries.sort_by(|left, right| (left.used, &left.path).cmp(&(right.used, &right.path)));
    for entry in entries {
        if bytes <= limit && limit > 0 {
            return;
        }
        // Another run may have removed it already.
        if fs::remove_file(&entry.path).is_ok() {
            bytes = bytes.saturating_sub(entry.bytes);
        }
    }
}

fn listed(folder: &Path) -> impl Iterator<Item = fs::DirEntry> + use<> {
    fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok)
}
