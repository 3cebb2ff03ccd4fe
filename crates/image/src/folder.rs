//! A root file system that is a folder of the host.
//!
//! Paths are walked here, component by component, so that the host never follows a link for us: a link of the
//! root file system means a path inside of it. Special files are never opened. The folder is taken to hold still
//! while it is read.

use std::collections::{HashMap, VecDeque};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustix::fs::OFlags;

use crate::content::MAX_FILE;
use crate::mapping;
use crate::{Error, FileBytes, FileKind, Files, Ownership, ReadError, Resolved};

/// How many symbolic links one look-up may follow, as Linux does (`MAXSYMLINKS`, include/linux/namei.h).
const MAX_LINKS: usize = 40;

/// Files of this size and more are mapped: a library of a hundred megabytes is looked at in parts.
const MAPPED: u64 = 64 << 10;

/// Where a container has file systems of its own, whatever the root has there: a running system's `/proc/self/exe` is
/// whoever looks at it.
const MOUNTED: [&str; 2] = ["/proc", "/sys"];

/// A folder of the host as a root.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    /// Folders that were walked to before, by the path that was asked for: many files are looked for in few folders.
    folders: RwLock<HashMap<String, Option<Arc<Place>>>>,
    /// What was resolved and listed before, by the path that was asked for: programs ask for the same places.
    resolved: RwLock<HashMap<String, Option<Resolved>>>,
    listed: RwLock<HashMap<String, Vec<String>>>,
}

/// Something inside the root, links followed.
#[derive(Debug)]
struct Place {
    /// As the host names it; names that are not UTF-8 are kept.
    host: PathBuf,
    /// As the image names it.
    path: String,
    metadata: Metadata,
}

impl Place {
    /// What is in it by a name.
    fn child(&self, name: &str) -> Option<(PathBuf, Metadata)> {
        (!self.is_mounted_over())
            .then(|| child(&self.host, name))
            .flatten()
    }

    fn is_mounted_over(&self) -> bool {
        MOUNTED.contains(&self.path.as_str())
    }

    /// The same for who only asks what it is.
    fn resolved(self) -> Resolved {
        let Self { host, path, metadata } = self;
        let (kind, size) = if metadata.is_file() {
            (FileKind::Regular, metadata.len())
        } else if metadata.is_dir() {
            (FileKind::Folder, 0)
        } else {
            (FileKind::Other, 0)
        };
        Resolved {
            path,
            kind,
            mode: metadata.mode() & 0o7777,
            size,
            ownership: Ownership {
                user: metadata.uid(),
                group: metadata.gid(),
                modified: metadata.mtime().try_into().unwrap_or(0),
                capabilities: kind == FileKind::Regular
                    && metadata.mode() & 0o111 != 0
                    && has_capabilities(&host),
            },
        }
    }
}

impl Folder {
    /// Takes a folder as a root.
    pub(crate) fn open(root: &Path) -> Result<Self, Error> {
        let io = |source| Error::io(root.display(), source);
        let root_folder = root.canonicalize().map_err(io)?;
        if !root_folder.is_dir() {
            return Err(io(io::ErrorKind::NotADirectory.into()));
        }
        Ok(Self {
            root: root_folder,
            folders: RwLock::default(),
            resolved: RwLock::default(),
            listed: RwLock::default(),
        })
    }

    /// What lies at a path, links followed.
    fn walk(&self, path: &str) -> Option<Place> {
        match path.rsplit_once('/') {
            Some((folder, name)) if !matches!(name, "" | "." | "..") => {
                let folder = self.folder(folder)?;
                let (host, metadata) = folder.child(name)?;
                if metadata.is_symlink() {
                    return self.walk_all(path);
                }
                let path = format!("{}/{name}", folder.path.trim_end_matches('/'));
                Some(Place { host, path, metadata })
            }
            _ => self.walk_all(path),
        }
    }

    /// A folder, which is remembered.
    fn folder(&self, path: &str) -> Option<Arc<Place>> {
        remembered(&self.folders, path, || {
            let found = self.walk_all(path).filter(|place| place.metadata.is_dir());
            found.map(Arc::new)
        })
    }

    fn walk_all(&self, path: &str) -> Option<Place> {
        let root = Place {
            host: self.root.clone(),
            path: String::new(),
            metadata: fs::metadata(&self.root).ok()?,
        };
        let mut done: Vec<Place> = Vec::new();
        let mut pending: VecDeque<String> = path.split('/').map(str::to_owned).collect();
        let mut links = 0;
        // Bounded: names come from one path and at most `MAX_LINKS` link targets.
        while let Some(part) = pending.pop_front() {
            let here = done.last().unwrap_or(&root);
            if !here.metadata.is_dir() {
                return None;
            }
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    done.pop();
                    continue;
                }
                _ => {}
            }
            let (host, metadata) = here.child(&part)?;
            if metadata.is_symlink() {
                links += 1;
                if links > MAX_LINKS {
                    return None;
                }
                let target = fs::read_link(&host).ok()?.to_string_lossy().into_owned();
                if target.starts_with('/') {
                    done.clear();
                }
                for part in target.split('/').rev() {
                    pending.push_front(part.to_owned());
                }
                continue;
            }
            let path = format!("{}/{part}", here.path);
            done.push(Place { host, path, metadata });
        }
        let mut place = done.pop().unwrap_or(root);
        if place.path.is_empty() {
            place.path.push('/');
        }
        Some(place)
    }

    /// The names in a folder, sorted.
    fn names_in(&self, path: &str) -> Vec<String> {
        let place = self.walk(path).filter(|place| !place.is_mounted_over());
        let entries = place.and_then(|place| fs::read_dir(place.host).ok());
        let mut names: Vec<String> = entries
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl Files for Folder {
    fn resolve(&self, path: &str) -> Option<Resolved> {
        remembered(&self.resolved, path, || self.walk(path).map(Place::resolved))
    }

    fn read(&self, path: &str) -> Result<FileBytes, ReadError> {
        let place = self.walk(path).filter(|place| place.metadata.is_file());
        let place = place.ok_or_else(|| ReadError::NotFound(path.to_owned()))?;
        read_file(&place.host).map_err(|error| ReadError::Unreadable {
            path: path.to_owned(),
            reason: error.to_string(),
        })
    }

    fn list(&self, path: &str) -> Vec<String> {
        remembered(&self.listed, path, || self.names_in(path))
    }
}

/// What is known of a path, or found out and kept.
fn remembered<T: Clone>(known: &RwLock<HashMap<String, T>>, path: &str, find: impl FnOnce() -> T) -> T {
    let kept = known
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .get(path)
        .cloned();
    kept.unwrap_or_else(|| {
        let found = find();
        let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(path.to_owned(), found.clone());
        found
    })
}

/// Whether executing a file gives capabilities. A file system without extended attributes has none.
fn has_capabilities(path: &Path) -> bool {
    let mut value = [0u8; 64];
    rustix::fs::lgetxattr(path, "security.capability", &mut value).is_ok_and(|length| length > 0)
}

/// What a folder has of that name, where a name that is not UTF-8 goes by its replacement characters.
fn child(folder: &Path, name: &str) -> Option<(PathBuf, Metadata)> {
    let host = folder.join(name);
    if let Ok(metadata) = host.symlink_metadata() {
        return Some((host, metadata));
    }
    if !name.contains(char::REPLACEMENT_CHARACTER) {
        return None;
    }
    let mut same: Vec<PathBuf> = fs::read_dir(folder)
        .ok()?
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy() == name)
        .map(|entry| entry.path())
        .collect();
    same.sort_unstable();
    let host = same.into_iter().next()?;
    let metadata = host.symlink_metadata().ok()?;
    Some((host, metadata))
}

/// Reads a file that was a regular one a moment ago, without following a link or waiting for a pipe if it is
/// none any more.
fn read_file(path: &Path) -> io::Result<FileBytes> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let file: File = OpenOptions::new()
        .read(true)
        .custom_flags(flags.cast_signed())
        .open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("no regular file"));
    }
    let too_large = || io::Error::other(format!("more bytes than the limit of {MAX_FILE} for one file"));
    if metadata.len() > MAX_FILE {
        return Err(too_large());
    }
    if metadata.len() >= MAPPED {
        return mapping::map(&file);
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(too_large());
    }
    Ok(bytes.into())
}
