//! Where the bytes of an image's files are, and getting them from there.

use std::io::{self, Read};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::compression::{BytesReader, Compression};
use crate::digest::Digest;

/// Largest file that is ever read.
pub(crate) const MAX_FILE: u64 = 2 << 30;
/// How much of what was read again is remembered.
const CACHE: usize = 64 << 20;

/// Where the bytes of a regular file are.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// In memory: kept while indexing, or a slice of a mapped archive.
    Here(Bytes),
    /// In a compressed layer, at this offset of its uncompressed form.
    Again { layer: usize, offset: u64, size: u64 },
    /// Stored in pieces, with zeroes between.
    Sparse {
        stored: Box<Content>,
        size: u64,
        pieces: Vec<(u64, u64)>,
    },
    /// Not to be had, and why.
    Broken { size: u64, reason: String },
}

impl Content {
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Here(bytes) => bytes.len() as u64,
            Self::Again { size, .. } | Self::Sparse { size, .. } | Self::Broken { size, .. } => *size,
        }
    }
}

/// A layer as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) bytes: Bytes,
    pub(crate) compression: Compression,
    /// The digest of these bytes, if that was verified.
    pub(crate) digest: Option<Digest>,
}

impl Stored {
    /// The uncompressed layer from its start.
    pub(crate) fn reader(&self) -> Box<dyn Read + Send> {
        self.compression.reader(BytesReader::new(self.bytes.clone()))
    }
}

/// The layers to read from again, with a small memory of what was asked for last.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    layers: Vec<Stored>,
    cache: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    /// Oldest first; few, because each was a pass over a layer.
    files: Vec<((usize, u64), Bytes)>,
    held: usize,
}

impl Reader {
    pub(crate) fn new(layers: Vec<Stored>) -> Self {
        Self {
            layers,
            cache: Mutex::default(),
        }
    }

    /// The bytes of a file, or why they cannot be had.
    pub(crate) fn read(&self, content: &Content) -> Result<Bytes, String> {
        if content.size() > MAX_FILE {
            return Err(format!(
                "{} bytes exceed the limit of {MAX_FILE} for one file",
                content.size()
            ));
        }
        match content {
            Content::Here(bytes) => Ok(bytes.clone()),
            Content::Broken { reason, .. } => Err(reason.clone()),
            Content::Sparse { stored, size, pieces } => {
                fill_holes(&self.read(stored)?, *size, pieces).ok_or_else(|| "broken sparse file".to_owned())
            }
            Content::Again { layer, offset, size } => self.read_again(*layer, *offset, *size),
        }
    }

    fn read_again(&self, layer: usize, offset: u64, size: u64) -> Result<Bytes, String> {
        let key = (layer, offset);
        let cached = || self.cache.lock().unwrap_or_else(PoisonError::into_inner).get(key);
        if let Some(bytes) = cached() {
            return Ok(bytes);
        }
        let stored = self.layers.get(layer).ok_or_else(|| "no such layer".to_owned())?;
        let bytes = extract(stored, offset, size).map_err(|error| error.to_string())?;
        self.cache
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .put(key, bytes.clone());
        Ok(bytes)
    }
}

impl Cache {
    fn get(&self, key: (usize, u64)) -> Option<Bytes> {
        self.files
            .iter()
            .find(|(known, _)| *known == key)
            .map(|(_, bytes)| bytes.clone())
    }

    fn put(&mut self, key: (usize, u64), bytes: Bytes) {
        if bytes.len() > CACHE || self.get(key).is_some() {
            return;
        }
        self.held += bytes.len();
        self.files.push((key, bytes));
        while self.held > CACHE && !self.files.is_empty() {
            let (_, oldest) = self.files.remove(0);
            self.held = self.held.saturating_sub(oldest.len());
        }
    }
}

fn extract(stored: &Stored, offset: u64, size: u64) -> io::Result<Bytes> {
    let mut reader = stored.reader();
    io::copy(&mut reader.by_ref().take(offset), &mut io::sink())?;
    // Grows with what arrives, so that a size that lies allocates nothing; the caller bounded it.
    let mut bytes = Vec::new();
    reader.take(size).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < size {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes.into())
}

/// The caller bounded `size`.
fn fill_holes(stored: &[u8], size: u64, pieces: &[(u64, u64)]) -> Option<Bytes> {
    let mut whole = vec![0; usize::try_from(size).ok()?];
    let mut rest = stored;
    for (offset, length) in pieces {
        let start = usize::try_from(*offset).ok()?;
        let length = usize::try_from(*length).ok()?;
        let (piece, after) = rest.split_at_checked(length)?;
        whole
            .get_mut(start..start.checked_add(length)?)?
            .copy_from_slice(piece);
        rest = after;
    }
    Some(whole.into())
}
