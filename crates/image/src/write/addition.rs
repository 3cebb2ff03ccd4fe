//! A layer, made of files.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use tar::{Builder, EntryType, Header};

use crate::{Files, Ownership};

/// What a layer adds to an image.
#[derive(Debug, Clone, Default)]
pub struct Addition {
    /// What the image's history says about it.
    pub created_by: String,
    /// The folders that the files are in, as they are in the image: a layer that did not name them would give them
    /// another owner and mode.
    folders: BTreeMap<String, (u32, Ownership)>,
    files: BTreeMap<String, FileToAdd>,
}

/// A file of a layer.
#[derive(Debug, Clone)]
pub struct FileToAdd {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its permissions.
    pub mode: u32,
    /// Whose it is.
    pub ownership: Ownership,
}

impl Addition {
    /// Nothing yet.
    #[must_use]
    pub fn new(created_by: &str) -> Self {
        Self {
            created_by: created_by.to_owned(),
            ..Self::default()
        }
    }

    /// Adds a file at a path, every symbolic link of which is followed; another one that is there is replaced.
    pub fn add(&mut self, files: &dyn Files, path: &str, file: FileToAdd) {
        let parents = path.match_indices('/').map(|(index, _)| &path[..index]);
        for folder in parents.filter(|folder| !folder.is_empty()) {
            if let Some(resolved) = files.resolve(folder) {
                self.folders
                    .insert(folder.to_owned(), (resolved.mode, resolved.ownership));
            }
        }
        self.files.insert(path.to_owned(), file);
    }

    /// The files that were added, by path.
    pub fn files(&self) -> impl Iterator<Item = (&str, &FileToAdd)> {
        self.files.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// The layer's archive: folders before what is in them, everything by path.
    pub(super) fn layer(&self) -> io::Result<Vec<u8>> {
        let mut archive = Builder::new(Vec::new());
        let paths: BTreeSet<&String> = self.folders.keys().chain(self.files.keys()).collect();
        for path in paths {
            let (mode, ownership, bytes) = match (self.files.get(path), self.folders.get(path)) {
                (Some(file), _) => (file.mode, file.ownership, Some(&file.bytes)),
                (None, Some((mode, ownership))) => (*mode, *ownership, None),
                (None, None) => continue,
            };
            let mut header = Header::new_ustar();
            header.set_mode(mode);
            header.set_uid(ownership.user.into());
            header.set_gid(ownership.group.into());
            header.set_mtime(ownership.modified);
            header.set_entry_type(match bytes {
                Some(_) => EntryType::Regular,
                None => EntryType::Directory,
            });
            let bytes = bytes.map(Vec::as_slice).unwrap_or_default();
            header.set_size(bytes.len() as u64);
            archive.append_data(&mut header, path.trim_start_matches('/'), bytes)?;
        }
        archive.into_inner()
    }
}
