//! Which compression bytes are in, by their first bytes, and the decoders for it.
//!
//! The first bytes decide and not the media type, as in every engine: `docker save` and several builders name
//! layers plain that are compressed, and the reverse.

use std::io::{self, Read};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// The largest window that a zstd frame may ask for: what `zstd --long=27`, the most that decoders accept
/// without being told to, needs.
const MAX_WINDOW: u64 = 128 << 20;

/// How bytes are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    Plain,
    Gzip,
    Zstd,
}

impl Compression {
    /// By the first bytes; the error names a compression that is not read.
    pub(crate) fn of(bytes: &[u8]) -> Result<Self, String> {
        let unsupported = |name| Err(format!("compressed with {name}; only gzip and zstd are read"));
        match bytes {
            [0x1f, 0x8b, ..] => Ok(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Ok(Self::Zstd),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => unsupported("xz"),
            [b'B', b'Z', b'h', ..] => unsupported("bzip2"),
            _ => Ok(Self::Plain),
        }
    }

    /// A reader of the uncompressed bytes.
    pub(crate) fn reader<'a>(self, source: impl Read + Send + 'a) -> Box<dyn Read + Send + 'a> {
        match self {
            Self::Plain => Box::new(source),
            Self::Gzip => Box::new(MultiGzDecoder::new(source)),
            Self::Zstd => Box::new(ZstdReader::new(source)),
        }
    }
}

/// Shared bytes as a reader.
pub(crate) struct BytesReader {
    bytes: Bytes,
}

impl BytesReader {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self { bytes }
    }
}

impl Read for BytesReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(self.bytes.len());
        let taken = self.bytes.split_to(length);
        if let Some(buffer) = buffer.get_mut(..length) {
            buffer.copy_from_slice(&taken);
        }
        Ok(length)
    }
}

/// All the frames of a zstd stream, one after the other: the decoder itself knows one frame only, and the
/// seekable variants that registries hold consist of many.
struct ZstdReader<R> {
    source: Peekable<R>,
    decoder: FrameDecoder,
    inside: bool,
}

impl<R: Read> ZstdReader<R> {
    fn new(source: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MAX_WINDOW);
        Self {
            source: Peekable { source, first: None },
            decoder,
            inside: false,
        }
    }

    /// Starts the next frame; false at the end of the stream.
    fn next_frame(&mut self) -> io::Result<bool> {
        // Bounded: each turn consumes a frame's header.
        while !self.source.at_end()? {
            match self.decoder.reset(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = u64::from(length);
                    if io::copy(&mut (&mut self.source).take(length), &mut io::sink())? < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(false)
    }
}

impl<R: Read> Read for ZstdReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Bounded: each turn consumes a block or a frame of the stream.
        loop {
            if self.inside {
                let got = self.decoder.read(buffer)?;
                if got > 0 || buffer.is_empty() {
                    return Ok(got);
                }
                if !self.decoder.is_finished() {
                    let one = BlockDecodingStrategy::UptoBlocks(1);
                    self.decoder
                        .decode_blocks(&mut self.source, one)
                        .map_err(io::Error::other)?;
                    continue;
                }
                self.inside = false;
            }
            if !self.next_frame()? {
                return Ok(0);
            }
            self.inside = true;
        }
    }
}

/// A reader that can tell whether it is at its end.
struct Peekable<R> {
    source: R,
    first: Option<u8>,
}

impl<R: Read> Peekable<R> {
    fn at_end(&mut self) -> io::Result<bool> {
        if self.first.is_none() {
            let mut byte = [0];
            if self.source.read(&mut byte)? == 1 {
                self.first = Some(byte[0]);
            }
        }
        Ok(self.first.is_none())
    }
}

impl<R: Read> Read for Peekable<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match (self.first, buffer.first_mut()) {
            (Some(byte), Some(first)) => {
                *first = byte;
                self.first = None;
                Ok(1)
            }
            _ => self.source.read(buffer),
        }
    }
}
