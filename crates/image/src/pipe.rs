//! Decompression on one thread, hashing and indexing on another, with a few buffers going round between them.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use bytes::Bytes;

use crate::compression::{BytesReader, Compression};
use crate::digest::{Digest, Hasher};
use crate::tarball::Source;

/// Size of one buffer: small enough for the second-level cache.
const CHUNK: usize = 256 << 10;
/// How many buffers wait at most.
const WAITING: usize = 8;

/// The uncompressed bytes at the reading end.
pub(crate) struct Chunks {
    full: Receiver<Vec<u8>>,
    empty: SyncSender<Vec<u8>>,
    current: Vec<u8>,
    used: usize,
    hasher: Option<Hasher>,
}

/// The writing end.
pub(crate) struct Sender {
    full: SyncSender<Vec<u8>>,
    empty: Receiver<Vec<u8>>,
}

/// The stored bytes, hashed and counted as they are consumed.
pub(crate) struct Watched<'a> {
    pub(crate) bytes: Bytes,
    pub(crate) hasher: Option<Hasher>,
    pub(crate) progress: &'a (dyn Fn(u64) + Sync),
}

/// Both ends; the reading end hashes what it takes if it is given a hasher.
pub(crate) fn new(hasher: Option<Hasher>) -> (Sender, Chunks) {
    let (full_in, full_out) = sync_channel(WAITING);
    // One more than can wait, so that giving a buffer back never blocks.
    let (empty_in, empty_out) = sync_channel(WAITING + 2);
    let chunks = Chunks {
        full: full_out,
        empty: empty_in,
        current: Vec::new(),
        used: 0,
        hasher,
    };
    (
        Sender {
            full: full_in,
            empty: empty_out,
        },
        chunks,
    )
}

impl Sender {
    /// Decompresses everything; gives the digest of the stored bytes if that is wanted.
    pub(crate) fn run(self, compression: Compression, source: Watched<'_>) -> Result<Option<Digest>, String> {
        let Watched {
            bytes,
            mut hasher,
            progress,
        } = source;
        let mut reader = compression.reader(BytesReader::new(bytes.clone()));
        std::thread::scope(|scope| {
            // The stored bytes are hashed beside their decompression.
            let hashing = scope.spawn(|| {
                for chunk in bytes.chunks(CHUNK) {
                    if let Some(hasher) = &mut hasher {
                        hasher.update(chunk);
                    }
                    progress(chunk.len() as u64);
                }
            });
            let result = self.pump(&mut reader);
            if hashing.join().is_err() {
                return Err("hashing failed".to_owned());
            }
            result
        })?;
        Ok(hasher.map(Hasher::finish))
    }

    fn pump(self, reader: &mut dyn Read) -> Result<(), String> {
        // Bounded by the stream; the reading end bounds what it makes of it.
        loop {
            let mut buffer = self.empty.try_recv().unwrap_or_default();
            buffer.resize(CHUNK, 0);
            let filled = fill(reader, &mut buffer).map_err(|error| describe(&error))?;
            if filled == 0 {
                return Ok(());
            }
            buffer.truncate(filled);
            if self.full.send(buffer).is_err() {
                // The reading end gave up and has its own reason.
                return Ok(());
            }
        }
    }
}

impl Chunks {
    /// Takes what is left and gives the digest of everything.
    pub(crate) fn finish(&mut self) -> Option<Digest> {
        if self.hasher.is_some() {
            while self.next() {}
        }
        self.hasher.take().map(Hasher::finish)
    }

    fn next(&mut self) -> bool {
        let Ok(next) = self.full.recv() else { return false };
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&next);
        }
        let spent = std::mem::replace(&mut self.current, next);
        self.used = 0;
        // If the writing end is gone, nobody needs the buffer.
        let _ = self.empty.try_send(spent);
        true
    }

    fn rest(&self) -> &[u8] {
        self.current.get(self.used..).unwrap_or_default()
    }
}

impl Source for Chunks {
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, String> {
        let mut filled = 0;
        while let Some(open) = buffer.get_mut(filled..).filter(|open| !open.is_empty()) {
            if self.rest().is_empty() && !self.next() {
                break;
            }
            let length = open.len().min(self.rest().len());
            if let (Some(open), Some(rest)) = (open.get_mut(..length), self.rest().get(..length)) {
                open.copy_from_slice(rest);
            }
            self.used += length;
            filled += length;
        }
        Ok(filled)
    }

    fn skip(&mut self, length: u64) -> Result<bool, String> {
        let mut left = length;
        while left > 0 {
            if self.rest().is_empty() && !self.next() {
                return Ok(false);
            }
            let step = left.min(self.rest().len() as u64);
            self.used += step as usize;
            left -= step;
        }
        Ok(true)
    }
}

fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(open) = buffer.get_mut(filled..).filter(|open| !open.is_empty()) {
        match reader.read(open) {
            Ok(0) => break,
            Ok(got) => filled += got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn describe(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        "compressed data are cut off".to_owned()
    } else {
        format!("compressed data are broken: {error}")
    }
}
