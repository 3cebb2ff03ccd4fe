//! A root file system made by hand, so that later rooms can be tested without an image.

use std::collections::BTreeMap;

use crate::{FileBytes, FileKind, Files, Ownership, ReadError, Resolved};

/// How many symbolic links one look-up may follow, as Linux does (`MAXSYMLINKS`, include/linux/namei.h).
const MAX_LINKS: usize = 40;

#[derive(Debug, Clone)]
enum Node {
    File { bytes: FileBytes, mode: u32 },
    Link(String),
}

/// Files in memory: folders exist where something lies in them.
#[derive(Debug, Clone, Default)]
pub struct MemoryFiles {
    nodes: BTreeMap<String, Node>,
}

impl MemoryFiles {
    /// An empty root.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an executable file.
    #[must_use]
    pub fn program(mut self, path: &str, bytes: impl Into<FileBytes>) -> Self {
        self.nodes.insert(
            path.to_owned(),
            Node::File {
                bytes: bytes.into(),
                mode: 0o755,
            },
        );
        self
    }

    /// Adds a file that nobody may execute.
    #[must_use]
    pub fn file(mut self, path: &str, bytes: impl Into<FileBytes>) -> Self {
        self.nodes.insert(
            path.to_owned(),
            Node::File {
                bytes: bytes.into(),
                mode: 0o644,
            },
        );
        self
    }

    /// Adds a symbolic link.
    #[must_use]
    pub fn link(mut self, path: &str, target: &str) -> Self {
        self.nodes.insert(path.to_owned(), Node::Link(target.to_owned()));
        self
    }

    fn is_folder(&self, path: &str) -> bool {
        let prefix = format!("{}/", path.trim_end_matches('/'));
        path == "/"
            || self
                .nodes
                .range(prefix.clone()..)
                .next()
                .is_some_and(|(key, _)| key.starts_with(&prefix))
    }

    fn walk(&self, path: &str) -> Option<String> {
        let mut pending: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let mut done: Vec<String> = Vec::new();
        let mut links = 0;
        while let Some(part) = pending.pop() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    done.pop();
                    continue;
                }
                _ => done.push(part),
            }
            let here = format!("/{}", done.join("/"));
            if let Some(Node::Link(target)) = self.nodes.get(&here) {
                links += 1;
                if links > MAX_LINKS {
                    return None;
                }
                done.pop();
                if target.starts_with('/') {
                    done.clear();
                }
                pending.extend(target.split('/').rev().map(str::to_owned));
            }
        }
        Some(format!("/{}", done.join("/")))
    }
}

impl Files for MemoryFiles {
    fn resolve(&self, path: &str) -> Option<Resolved> {
        let path = self.walk(path)?;
        match self.nodes.get(&path) {
            Some(Node::File { bytes, mode }) => Some(Resolved {
                kind: FileKind::Regular,
                mode: *mode,
                size: bytes.len() as u64,
                ownership: Ownership::default(),
                path,
            }),
            _ if self.is_folder(&path) => Some(Resolved {
                kind: FileKind::Folder,
                mode: 0o755,
                size: 0,
                ownership: Ownership::default(),
                path,
            }),
            _ => None,
        }
    }

    fn read(&self, path: &str) -> Result<FileBytes, ReadError> {
        let missing = || ReadError::NotFound(path.to_owned());
        match self.nodes.get(&self.walk(path).ok_or_else(missing)?) {
            Some(Node::File { bytes, .. }) => Ok(bytes.clone()),
            _ => Err(missing()),
        }
    }

    fn list(&self, path: &str) -> Vec<String> {
        let Some(path) = self.walk(path) else {
            return Vec::new();
        };
        let prefix = format!("{}/", path.trim_end_matches('/'));
        let mut names: Vec<String> = self
            .nodes
            .range(prefix.clone()..)
            .take_while(|(key, _)| key.starts_with(&prefix))
            .map(|(key, _)| {
                key[prefix.len()..]
                    .split('/')
                    .next()
                    .unwrap_or_default()
                    .to_owned()
            })
            .collect();
        names.dedup();
        names
    }
}
