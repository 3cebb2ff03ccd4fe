//! One layer: a single pass over its bytes that indexes, hashes and keeps what later rooms will ask for.
//!
//! A plain layer in a mapped archive costs its headers and its hash: contents are slices of the mapping. A
//! compressed layer is decompressed by one thread while a second hashes and indexes; its contents are kept
//! within the budget of the image, and what was not kept is read again from the start of the layer.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use crate::compression::Compression;
use crate::content::{Content, Stored};
use crate::digest::{Digest, Hasher};
use crate::pipe::{self, Chunks};
use crate::tarball::{Member, MemberKind, Source, Walk};
use crate::verified::Verified;
use crate::{Error, Ownership};

/// Most entries that all layers of an image may have.
const MAX_ENTRIES: u64 = 4_000_000;
/// Most bytes of names that all layers of an image may have.
const MAX_NAMES: u64 = 512 << 20;
/// How much of compressed layers is kept in memory.
const KEPT: u64 = 192 << 20;
/// How much of that may be small files that are neither programs nor configuration, so that a hundred thousand
/// scripts do not push the libraries out.
const KEPT_SMALL: u64 = 48 << 20;
/// What counts as small.
const SMALL: u64 = 64 << 10;

/// A layer to be indexed.
pub(crate) struct Layer {
    /// How to name it in messages.
    pub(crate) place: String,
    /// Its position in the image.
    pub(crate) number: usize,
    /// Its bytes as stored.
    pub(crate) bytes: Bytes,
    pub(crate) expected: Expected,
}

/// What the image promises about a layer.
pub(crate) enum Expected {
    /// The digest of the stored bytes: a blob of an OCI layout.
    Stored(Digest),
    /// The digest of the uncompressed bytes: a `diff_id`.
    Uncompressed(Digest),
    /// Nothing: the outer archive itself.
    Nothing,
}

/// An entry of a layer, in the layer's order.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) mode: u32,
    pub(crate) ownership: Ownership,
    pub(crate) kind: EntryKind,
}

#[derive(Debug)]
pub(crate) enum EntryKind {
    Regular(Content),
    Folder,
    SymbolicLink(String),
    HardLink(String),
    Device,
}

/// What is left of the limits that all layers of an image share.
pub(crate) struct Budget {
    entries: AtomicU64,
    names: AtomicU64,
    kept: AtomicU64,
    kept_small: AtomicU64,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            entries: AtomicU64::new(MAX_ENTRIES),
            names: AtomicU64::new(MAX_NAMES),
            kept: AtomicU64::new(KEPT),
            kept_small: AtomicU64::new(KEPT_SMALL),
        }
    }
}

impl Layer {
    /// Indexes the layer; `progress` is told how many stored bytes were worked through.
    pub(crate) fn index(
        &self,
        budget: &Budget,
        verified: Option<&Verified>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<(Vec<Entry>, Stored), Error> {
        let compression = Compression::of(&self.bytes).map_err(|reason| Error::Compression {
            place: self.place.clone(),
            reason,
        })?;
        let digest = match (&self.expected, compression) {
            (Expected::Stored(digest), _) | (Expected::Uncompressed(digest), Compression::Plain) => {
                Some(digest.clone())
            }
            _ => None,
        };
        let stored = Stored {
            bytes: self.bytes.clone(),
            compression,
            digest,
        };
        let entries = match compression {
            Compression::Plain => self.index_plain(budget, verified, progress)?,
            Compression::Gzip | Compression::Zstd => self.index_compressed(&stored, budget, progress)?,
        };
        Ok((entries, stored))
    }

    /// Indexes bytes that are known not to be compressed; hashes them unless that was done before.
    pub(crate) fn index_plain(
        &self,
        budget: &Budget,
        verified: Option<&Verified>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Vec<Entry>, Error> {
        let expected = match &self.expected {
            Expected::Stored(digest) | Expected::Uncompressed(digest) => Some(digest),
            Expected::Nothing => None,
        };
        std::thread::scope(|scope| {
            let hashed = scope.spawn(|| match expected {
                Some(digest) => self.verify_stored(digest, verified, progress),
                None => Ok(()),
            });
            let mut walk = Walk::new(Mapped {
                rest: self.bytes.clone(),
            });
            let entries = self.collect(&mut walk, budget, |walk, member| {
                let length = usize::try_from(member.stored).map_err(|_| "impossible size".to_owned())?;
                let content = walk
                    .source
                    .rest
                    .get(..length)
                    .map(|_| walk.source.rest.slice(..length));
                content.map(Content::Here).ok_or_else(|| {
                    format!(
                        "cut off: {} should have {length} bytes from byte {}",
                        member.name, member.offset
                    )
                })
            });
            let hashed = hashed
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            // A layer that is not what it promises to be is named as such, whatever it looks like inside; but a
            // cut-off archive is a cut-off archive.
            let entries = entries?;
            hashed.map(|()| entries)
        })
    }

    /// Hashes in steps for the progress's sake.
    fn verify_stored(
        &self,
        digest: &Digest,
        verified: Option<&Verified>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<(), Error> {
        if verified.is_some_and(|verified| verified.recalls(&self.place, digest)) {
            progress(self.bytes.len() as u64);
            return Ok(());
        }
        let mut hasher = Hasher::new(digest.algorithm);
        for chunk in self.bytes.chunks(4 << 20) {
            hasher.update(chunk);
            progress(chunk.len() as u64);
        }
        digest.compare(&self.place, &hasher.finish())?;
        if let Some(verified) = verified {
            verified.remember(&self.place, digest);
        }
        Ok(())
    }

    fn index_compressed(
        &self,
        stored: &Stored,
        budget: &Budget,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Vec<Entry>, Error> {
        let (of_stored, of_uncompressed) = match &self.expected {
            Expected::Stored(digest) => (Some(digest), None),
            Expected::Uncompressed(digest) => (None, Some(digest)),
            Expected::Nothing => (None, None),
        };
        let broken = |reason| Error::Compression {
            place: self.place.clone(),
            reason,
        };
        std::thread::scope(|scope| {
            let (sender, chunks) = pipe::new(of_uncompressed.map(|digest| Hasher::new(digest.algorithm)));
            let decompressing = scope.spawn(move || {
                let source = pipe::Watched {
                    bytes: stored.bytes.clone(),
                    hasher: of_stored.map(|digest| Hasher::new(digest.algorithm)),
                    progress,
                };
                sender.run(stored.compression, source)
            });
            let mut walk = Walk::new(chunks);
            let entries = self.collect(&mut walk, budget, |walk, member| self.keep(walk, member, budget));
            // Whatever follows the archive's end belongs to the digest too. Then the reading end goes, or a
            // writer that has more to say would wait for ever.
            let uncompressed = if entries.is_ok() {
                walk.source.finish()
            } else {
                None
            };
            drop(walk);
            let decompressed = decompressing
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            let of_source = decompressed.map_err(broken)?;
            let entries = entries?;
            if let (Some(expected), Some(found)) = (of_stored, of_source) {
                expected.compare(&self.place, &found)?;
            }
            if let (Some(expected), Some(found)) = (of_uncompressed, uncompressed) {
                expected.compare(&self.place, &found)?;
            }
            Ok(entries)
        })
    }

    fn collect<S: Source>(
        &self,
        walk: &mut Walk<S>,
        budget: &Budget,
        content: impl Fn(&mut Walk<S>, &Member) -> Result<Content, String>,
    ) -> Result<Vec<Entry>, Error> {
        let broken = |reason| Error::Archive {
            place: self.place.clone(),
            reason,
        };
        let too_large = |what, limit| Error::TooLarge {
            place: self.place.clone(),
            what,
            limit,
        };
        let mut entries = Vec::new();
        // Bounded: each turn consumes a header of the archive, and the budget counts the entries.
        while let Some(member) = walk.member().map_err(broken)? {
            let link = match &member.kind {
                MemberKind::SymbolicLink(target) | MemberKind::HardLink(target) => target.len(),
                MemberKind::Regular | MemberKind::Folder | MemberKind::Device => 0,
            };
            take(&budget.entries, 1).ok_or_else(|| too_large("the number of files", MAX_ENTRIES))?;
            take(&budget.names, (member.name.len() + link) as u64)
                .ok_or_else(|| too_large("the length of all names", MAX_NAMES))?;
            let kind = match &member.kind {
                MemberKind::Regular => {
                    let stored = content(walk, &member).map_err(broken)?;
                    EntryKind::Regular(with_holes(stored, &member))
                }
                MemberKind::Folder => EntryKind::Folder,
                MemberKind::SymbolicLink(target) => EntryKind::SymbolicLink(target.clone()),
                MemberKind::HardLink(target) => EntryKind::HardLink(target.clone()),
                MemberKind::Device => EntryKind::Device,
            };
            entries.push(Entry {
                name: member.name,
                mode: member.mode,
                ownership: member.ownership,
                kind,
            });
        }
        Ok(entries)
    }

    /// The content of a member of a compressed layer: in memory if it is likely to be asked for.
    fn keep(&self, walk: &mut Walk<Chunks>, member: &Member, budget: &Budget) -> Result<Content, String> {
        let size = member.stored;
        let again = Content::Again {
            layer: self.number,
            offset: member.offset,
            size,
        };
        let mut start = [0; 4];
        let start = start.get_mut(..size.min(4) as usize).unwrap_or_default();
        walk.read(start)?;
        let wanted = if is_program(start) || is_configuration_or_library(&member.name) {
            take(&budget.kept, size)
        } else if size <= SMALL {
            take(&budget.kept_small, size).and_then(|()| take(&budget.kept, size))
        } else {
            None
        };
        if wanted.is_none() {
            return Ok(again);
        }
        // The budget bounds it.
        let mut bytes = vec![0; size as usize];
        let (first, rest) = bytes.split_at_mut(start.len());
        first.copy_from_slice(start);
        walk.read(rest)?;
        Ok(Content::Here(bytes.into()))
    }
}

/// Takes from a budget unless that would overdraw it.
fn take(budget: &AtomicU64, amount: u64) -> Option<()> {
    budget
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(amount)
        })
        .ok()
        .map(drop)
}

fn with_holes(stored: Content, member: &Member) -> Content {
    match &member.sparse {
        None => stored,
        Some(sparse) => match &sparse.pieces {
            Some(pieces) => Content::Sparse {
                stored: Box::new(stored),
                size: sparse.size,
                pieces: pieces.clone(),
            },
            None => Content::Broken {
                size: sparse.size,
                reason: "a sparse file in pax form, which is not read".to_owned(),
            },
        },
    }
}

fn is_program(start: &[u8]) -> bool {
    start == b"\x7fELF" || start.starts_with(b"#!")
}

fn is_configuration_or_library(name: &str) -> bool {
    let name = name.trim_start_matches("./").trim_start_matches('/');
    let file = name.rsplit('/').next().unwrap_or(name);
    name.starts_with("etc/") || file.ends_with(".so") || file.contains(".so.")
}

/// A layer in memory or mapped.
struct Mapped {
    rest: Bytes,
}

impl Source for Mapped {
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, String> {
        let length = buffer.len().min(self.rest.len());
        let taken = self.rest.split_to(length);
        if let Some(buffer) = buffer.get_mut(..length) {
            buffer.copy_from_slice(&taken);
        }
        Ok(length)
    }

    fn skip(&mut self, length: u64) -> Result<bool, String> {
        match usize::try_from(length) {
            Ok(length) if length <= self.rest.len() => {
                let _ = self.rest.split_to(length);
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}
