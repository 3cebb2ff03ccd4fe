//! A folder of the host as a root file system, for comparing with the host's own loader.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use confine_image::{FileBytes, FileKind, Files, ReadError, Resolved};

/// A folder of the host; links are followed inside it.
pub struct HostFiles {
    root: PathBuf,
}

impl HostFiles {
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn walk(&self, path: &str) -> Option<PathBuf> {
        let mut pending: Vec<PathBuf> = vec![PathBuf::from(path)];
        let mut done = PathBuf::from("/");
        let mut links = 0;
        while let Some(next) = pending.pop() {
            let mut parts = next.components();
            let Some(part) = parts.next() else { continue };
            pending.push(parts.as_path().to_owned());
            match part {
                Component::RootDir => done = PathBuf::from("/"),
                Component::ParentDir => {
                    done.pop();
                }
                Component::Normal(name) => {
                    let here = done.join(name);
                    let Ok(target) = fs::read_link(self.host(&here)) else {
                        done = here;
                        continue;
                    };
                    links += 1;
                    if links > 40 {
                        return None;
                    }
                    pending.push(target);
                }
                _ => {}
            }
        }
        Some(done)
    }

    fn host(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }
}

impl Files for HostFiles {
    fn resolve(&self, path: &str) -> Option<Resolved> {
        let path = self.walk(path)?;
        let metadata = fs::metadata(self.host(&path)).ok()?;
        let kind = match metadata.file_type() {
            kind if kind.is_file() => FileKind::Regular,
            kind if kind.is_dir() => FileKind::Folder,
            _ => FileKind::Other,
        };
        let size = if kind == FileKind::Regular {
            metadata.len()
        } else {
            0
        };
        Some(Resolved {
            path: path.to_string_lossy().into_owned(),
            kind,
            mode: metadata.permissions().mode() & 0o7777,
            size,
            ownership: confine_image::Ownership::default(),
        })
    }

    fn read(&self, path: &str) -> Result<FileBytes, ReadError> {
        let found = self
            .walk(path)
            .ok_or_else(|| ReadError::NotFound(path.to_owned()))?;
        fs::read(self.host(&found))
            .map(FileBytes::from)
            .map_err(|error| ReadError::Unreadable {
                path: path.to_owned(),
                reason: error.to_string(),
            })
    }

    fn list(&self, path: &str) -> Vec<String> {
        let Some(entries) = self
            .walk(path)
            .and_then(|path| fs::read_dir(self.host(&path)).ok())
        else {
            return Vec::new();
        };
        let mut names: Vec<String> = entries
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}
