//! The merged root file system of an image, as an index.
//!
//! Layers are applied as the overlay of a container engine shows them: a layer's whiteouts and opaque marks act
//! on the layers below it only, so they go first; a folder on a folder keeps its children; anything else
//! replaces what was there, with all below it. A symbolic link of a lower layer in the path of an entry is
//! replaced by a folder, because that is what the entry's parents are in its own layer; a link of the same layer
//! is followed, as the engine does when it extracts that layer. Nothing ever leaves the root.
//!
//! Over-approximates: an entry that a layer both holds and whites out stays. Misses: nothing that an engine
//! could extract; what it could not (a hard link to something absent) stays as a file that cannot be read.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::content::{Content, Reader, Stored};
use crate::layer::{Entry, EntryKind};
use crate::{Error, FileBytes, FileKind, Files, Ownership, ReadError, Resolved};

/// How many symbolic links one look-up may follow, as Linux does (`MAXSYMLINKS`, include/linux/namei.h).
const MAX_LINKS: usize = 40;
/// Most nodes of a tree. Entries are bounded too, but each may name a chain of parents.
const MAX_NODES: usize = 4_000_000;
/// Most problems that are kept in words.
const MAX_PROBLEMS: usize = 64;

const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";
/// What aufs left for itself in layers.
const AUFS: &str = ".wh..wh.";

const ROOT: usize = 0;

/// The merged layers.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    reader: Reader,
    problems: Vec<String>,
    /// The layer being applied.
    layer: usize,
}

#[derive(Debug, Clone)]
struct Node {
    kind: NodeKind,
    mode: u32,
    ownership: Ownership,
    /// The layer that it comes from.
    layer: usize,
}

#[derive(Debug, Clone)]
enum NodeKind {
    Regular(Content),
    Folder(BTreeMap<Box<str>, usize>),
    SymbolicLink(Box<str>),
    Device,
}

/// More nodes than [`MAX_NODES`].
#[derive(Debug)]
pub(crate) struct TooManyNodes;

impl TooManyNodes {
    pub(crate) fn error(self, place: &str) -> Error {
        Error::TooLarge {
            place: place.to_owned(),
            what: "the number of files and folders",
            limit: MAX_NODES as u64,
        }
    }
}

impl Tree {
    pub(crate) fn new() -> Self {
        let root = Node {
            kind: NodeKind::Folder(BTreeMap::new()),
            mode: 0o755,
            ownership: Ownership::default(),
            layer: 0,
        };
        Self {
            nodes: vec![root],
            reader: Reader::default(),
            problems: Vec::new(),
            layer: 0,
        }
    }

    /// Puts the next layer on top.
    pub(crate) fn apply(&mut self, entries: Vec<Entry>) -> Result<(), TooManyNodes> {
        self.layer += 1;
        for entry in &entries {
            self.white_out(&entry.name);
        }
        for entry in entries {
            let parts = clean(&entry.name);
            if !parts.iter().any(|part| part.starts_with(WHITEOUT)) {
                self.add(&parts, &entry)?;
            }
        }
        Ok(())
    }

    /// Gives the tree the layers to read contents from that were not kept.
    pub(crate) fn set_layers(&mut self, layers: Vec<Stored>) {
        self.reader = Reader::new(layers);
    }

    /// What was odd, in words.
    pub(crate) fn problems(&self) -> &[String] {
        &self.problems
    }

    /// The bytes of the regular file at `path`, or `None` if there is none: for reading archives.
    pub(crate) fn bytes(&self, path: &str) -> Option<Result<Bytes, String>> {
        let (node, _) = self.walk(path)?;
        match &self.nodes.get(node)?.kind {
            NodeKind::Regular(Content::Here(bytes)) => Some(Ok(bytes.clone())),
            NodeKind::Regular(content) => Some(self.reader.read(content)),
            _ => None,
        }
    }

    fn white_out(&mut self, name: &str) {
        let mut parts = clean(name);
        let Some(last) = parts.pop().filter(|last| last.starts_with(WHITEOUT)) else {
            return;
        };
        let Some(parent) = self.descend(&parts) else {
            return;
        };
        if last == OPAQUE {
            if let Some(Node {
                kind: NodeKind::Folder(children),
                ..
            }) = self.nodes.get_mut(parent)
            {
                children.clear();
            }
        } else if let Some(name) = last.strip_prefix(WHITEOUT).filter(|_| !last.starts_with(AUFS)) {
            self.detach(parent, name);
        }
    }

    /// Follows names literally: whiteouts act on folders, never through links.
    fn descend(&self, parts: &[&str]) -> Option<usize> {
        parts
            .iter()
            .try_fold(ROOT, |folder, part| self.child(folder, part))
    }

    fn add(&mut self, parts: &[&str], entry: &Entry) -> Result<(), TooManyNodes> {
        let Some((name, parents)) = parts.split_last() else {
            // The root itself.
            if let (EntryKind::Folder, Some(root)) = (&entry.kind, self.nodes.get_mut(ROOT)) {
                root.mode = entry.mode;
                root.ownership = entry.ownership;
            } else {
                self.problem(format!(
                    "{:?}: an entry that would replace the root is left out",
                    entry.name
                ));
            }
            return Ok(());
        };
        let Some(parent) = self.parents(parents)? else {
            self.problem(format!(
                "{:?}: its folder is a loop of symbolic links",
                entry.name
            ));
            return Ok(());
        };
        let (mut mode, mut ownership) = (entry.mode, entry.ownership);
        let kind = match &entry.kind {
            EntryKind::Folder => {
                if let Some(existing) = self.child(parent, name)
                    && let Some(node) = self.nodes.get_mut(existing)
                    && matches!(node.kind, NodeKind::Folder(_))
                {
                    node.mode = mode;
                    node.ownership = ownership;
                    return Ok(());
                }
                NodeKind::Folder(BTreeMap::new())
            }
            EntryKind::Regular(content) => NodeKind::Regular(content.clone()),
            EntryKind::SymbolicLink(target) => NodeKind::SymbolicLink(target.as_str().into()),
            EntryKind::Device => NodeKind::Device,
            EntryKind::HardLink(target) => match self.hard_link(target) {
                Some(shared) => {
                    (mode, ownership) = (shared.mode, shared.ownership);
                    shared.kind
                }
                None => {
                    let reason = format!("a hard link to {target:?}, which is no file of the image");
                    self.problem(format!("{:?}: {reason}", entry.name));
                    NodeKind::Regular(Content::Broken { size: 0, reason })
                }
            },
        };
        self.attach(parent, name, kind, (mode, ownership))?;
        Ok(())
    }

    /// The folder that holds an entry, made where it is missing; `None` if links loop.
    fn parents(&mut self, parts: &[&str]) -> Result<Option<usize>, TooManyNodes> {
        let mut pending: Vec<String> = parts.iter().rev().map(|part| (*part).to_owned()).collect();
        let mut path = vec![ROOT];
        let mut links = 0;
        // Bounded: names come from one path and at most `MAX_LINKS` link targets.
        while let Some(part) = pending.pop() {
            let here = path.last().copied().unwrap_or(ROOT);
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    if path.len() > 1 {
                        path.pop();
                    }
                    continue;
                }
                _ => {}
            }
            let child = self.child(here, &part);
            let next = match child.and_then(|child| self.nodes.get(child).map(|node| (child, node))) {
                Some((
                    child,
                    Node {
                        kind: NodeKind::Folder(_),
                        ..
                    },
                )) => child,
                Some((
                    _,
                    Node {
                        kind: NodeKind::SymbolicLink(target),
                        layer,
                        ..
                    },
                )) if *layer == self.layer => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Ok(None);
                    }
                    if target.starts_with('/') {
                        path.truncate(1);
                    }
                    pending.extend(target.split('/').rev().map(str::to_owned));
                    continue;
                }
                _ => self.attach(
                    here,
                    &part,
                    NodeKind::Folder(BTreeMap::new()),
                    (0o755, Ownership::default()),
                )?,
            };
            path.push(next);
        }
        Ok(path.last().copied())
    }

    /// What a hard link shares: all of a file, or a symbolic link as such.
    fn hard_link(&self, target: &str) -> Option<Node> {
        let mut parts = clean(target);
        let name = parts.pop()?;
        let (parent, _) = self.walk(&parts.join("/"))?;
        let node = self.nodes.get(self.child(parent, name)?)?;
        match &node.kind {
            NodeKind::Folder(_) => None,
            _ => Some(node.clone()),
        }
    }

    fn attach(
        &mut self,
        parent: usize,
        name: &str,
        kind: NodeKind,
        (mode, ownership): (u32, Ownership),
    ) -> Result<usize, TooManyNodes> {
        if self.nodes.len() >= MAX_NODES {
            return Err(TooManyNodes);
        }
        let new = self.nodes.len();
        self.nodes.push(Node {
            kind,
            mode,
            ownership,
            layer: self.layer,
        });
        // A node that is replaced stays in the list without a name: ids never change, and the limit counts it.
        if let Some(Node {
            kind: NodeKind::Folder(children),
            ..
        }) = self.nodes.get_mut(parent)
        {
            children.insert(name.into(), new);
        }
        Ok(new)
    }

    fn detach(&mut self, parent: usize, name: &str) {
        if let Some(Node {
            kind: NodeKind::Folder(children),
            ..
        }) = self.nodes.get_mut(parent)
        {
            children.remove(name);
        }
    }

    fn child(&self, folder: usize, name: &str) -> Option<usize> {
        match &self.nodes.get(folder)?.kind {
            NodeKind::Folder(children) => children.get(name).copied(),
            _ => None,
        }
    }

    fn problem(&mut self, problem: String) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem);
        }
    }

    /// The node at `path` with every link followed, and its path; `None` if it is not there or links loop.
    fn walk(&self, path: &str) -> Option<(usize, String)> {
        let mut pending: Vec<&str> = path.split('/').rev().collect();
        let mut done: Vec<(usize, &str)> = Vec::new();
        let mut links = 0;
        // Bounded: names come from one path and at most `MAX_LINKS` link targets.
        while let Some(part) = pending.pop() {
            let here = done.last().map_or(ROOT, |(node, _)| *node);
            if !matches!(self.nodes.get(here)?.kind, NodeKind::Folder(_)) {
                return None;
            }
            match part {
                "" | "." => continue,
                ".." => {
                    done.pop();
                    continue;
                }
                _ => {}
            }
            let child = self.child(here, part)?;
            match &self.nodes.get(child)?.kind {
                NodeKind::SymbolicLink(target) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return None;
                    }
                    if target.starts_with('/') {
                        done.clear();
                    }
                    pending.extend(target.split('/').rev());
                }
                _ => done.push((child, part)),
            }
        }
        let names: Vec<&str> = done.iter().map(|(_, name)| *name).collect();
        Some((
            done.last().map_or(ROOT, |(node, _)| *node),
            format!("/{}", names.join("/")),
        ))
    }
}

impl Files for Tree {
    fn resolve(&self, path: &str) -> Option<Resolved> {
        let (node, path) = self.walk(path)?;
        let node = self.nodes.get(node)?;
        let (kind, size) = match &node.kind {
            NodeKind::Regular(content) => (FileKind::Regular, content.size()),
            NodeKind::Folder(_) => (FileKind::Folder, 0),
            NodeKind::Device | NodeKind::SymbolicLink(_) => (FileKind::Other, 0),
        };
        Some(Resolved {
            path,
            kind,
            mode: node.mode,
            size,
            ownership: node.ownership,
        })
    }

    fn read(&self, path: &str) -> Result<FileBytes, ReadError> {
        let node = self.walk(path).and_then(|(node, _)| self.nodes.get(node));
        match node.map(|node| &node.kind) {
            Some(NodeKind::Regular(content)) => {
                self.reader.read(content).map_err(|reason| ReadError::Unreadable {
                    path: path.to_owned(),
                    reason,
                })
            }
            _ => Err(ReadError::NotFound(path.to_owned())),
        }
    }

    fn list(&self, path: &str) -> Vec<String> {
        match self
            .walk(path)
            .and_then(|(node, _)| self.nodes.get(node))
            .map(|node| &node.kind)
        {
            Some(NodeKind::Folder(children)) => children.keys().map(|name| name.to_string()).collect(),
            _ => Vec::new(),
        }
    }
}

/// The names of a path without `.`, `..` and empty ones; never above the root.
fn clean(path: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts
}
