//! Walks the members of a tar archive, from memory or from a stream, with everything bounded.
//!
//! Single headers are the tar crate's to decode. The walk is ours, for three reasons: the offset of every
//! member's data is wanted (to slice it from a mapping, or to find it again in a stream), extension headers have
//! to be refused by size before they are held, and pax sizes have to be followed.

use tar::{EntryType, Header};

use crate::Ownership;

/// Bytes per tar record.
const BLOCK: u64 = 512;
/// Longest path or link target, as Linux has it (`PATH_MAX`): what is longer could never be extracted.
const MAX_PATH: usize = 4096;
/// Longest extension header: pax headers carry extended attributes of up to 64 KiB each.
const MAX_EXTENSION: u64 = 1 << 20;
/// Most pieces of a sparse file.
const MAX_PIECES: usize = 1 << 16;

/// Where tar bytes come from.
pub(crate) trait Source {
    /// Fills `buffer` as far as there are bytes; less than all of it means the end.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, String>;
    /// Skips `length` bytes; false if the end came first.
    fn skip(&mut self, length: u64) -> Result<bool, String>;
}

/// What a member is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MemberKind {
    Regular,
    Folder,
    SymbolicLink(String),
    HardLink(String),
    Device,
}

/// One member; its data are the next `stored` bytes of the source.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) kind: MemberKind,
    pub(crate) mode: u32,
    pub(crate) ownership: Ownership,
    /// Where its data start in the archive.
    pub(crate) offset: u64,
    /// How many bytes the archive holds of it.
    pub(crate) stored: u64,
    pub(crate) sparse: Option<Sparse>,
}

/// A regular file that the archive holds only in part.
#[derive(Debug, Clone)]
pub(crate) struct Sparse {
    /// Size of the whole file.
    pub(crate) size: u64,
    /// Offset in the file and length of each piece, as stored one after another; `None` in the pax forms,
    /// which container tools do not write and which are not read.
    pub(crate) pieces: Option<Vec<(u64, u64)>>,
}

/// The walk over one archive.
pub(crate) struct Walk<S> {
    pub(crate) source: S,
    position: u64,
    /// End of the current member's data, padding included.
    next: u64,
}

/// What extension headers say about the member that follows.
#[derive(Default)]
struct Extensions {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    sparse_size: Option<u64>,
    /// Comes beside a `path` that is made up for readers which do not know sparse files.
    sparse_name: Option<Vec<u8>>,
    user: Option<u64>,
    group: Option<u64>,
    modified: Option<u64>,
    capabilities: bool,
}

impl<S: Source> Walk<S> {
    pub(crate) fn new(source: S) -> Self {
        Self {
            source,
            position: 0,
            next: 0,
        }
    }

    /// The next member, or `None` after the last.
    pub(crate) fn member(&mut self) -> Result<Option<Member>, String> {
        let mut extensions = Extensions::default();
        // Bounded: each turn consumes a header of 512 bytes of the archive.
        loop {
            self.skip_to_next()?;
            let Some(header) = self.header()? else {
                return Ok(None);
            };
            let at = self.position - BLOCK;
            let size = match header.entry_size() {
                Ok(size) => size,
                Err(_) => return Err(format!("no valid size in the header at byte {at}")),
            };
            match header.entry_type() {
                EntryType::GNULongName => extensions.path = Some(self.text(size)?),
                EntryType::GNULongLink => extensions.link = Some(self.text(size)?),
                EntryType::XHeader => {
                    let records = self.extension(size)?;
                    extensions
                        .read(&records)
                        .map_err(|reason| format!("{reason} at byte {at}"))?;
                }
                EntryType::XGlobalHeader => self.set_next(size)?,
                _ => return self.finish(&header, size, extensions).map(Some),
            }
        }
    }

    /// Reads data of the current member.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<(), String> {
        let got = self.source.fill(buffer)?;
        self.position = self.position.saturating_add(got as u64);
        if got < buffer.len() {
            Err(self.cut())
        } else {
            Ok(())
        }
    }

    fn finish(&mut self, header: &Header, size: u64, extensions: Extensions) -> Result<Member, String> {
        let at = self.position - BLOCK;
        let size = extensions.size.unwrap_or(size);
        let ownership = extensions.ownership(header);
        let path = extensions.sparse_name.or(extensions.path);
        let path = path.unwrap_or_else(|| header.path_bytes().into_owned());
        let link = extensions
            .link
            .or_else(|| header.link_name_bytes().map(|name| name.into_owned()));
        let link = link.unwrap_or_default();
        let kind = match header.entry_type() {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse if path.ends_with(b"/") => {
                // The oldest tar format knows folders by their name alone.
                MemberKind::Folder
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => MemberKind::Regular,
            EntryType::Directory => MemberKind::Folder,
            EntryType::Symlink => MemberKind::SymbolicLink(bounded(link, at)?),
            EntryType::Link => MemberKind::HardLink(bounded(link, at)?),
            EntryType::Char | EntryType::Block | EntryType::Fifo => MemberKind::Device,
            other => {
                return Err(format!(
                    "unknown member type {:?} at byte {at}",
                    char::from(other.as_byte())
                ));
            }
        };
        let mode = header
            .mode()
            .map_err(|_| format!("no valid mode in the header at byte {at}"))?
            & 0o7777;
        let sparse = if header.entry_type() == EntryType::GNUSparse {
            Some(self.gnu_sparse(header)?)
        } else {
            extensions.sparse_size.map(|size| Sparse { size, pieces: None })
        };
        // Links and folders have no data, whatever size a hard link's header repeats.
        let stored = if kind == MemberKind::Regular { size } else { 0 };
        self.set_next(stored)?;
        Ok(Member {
            name: bounded(path, at)?,
            kind,
            mode,
            ownership,
            offset: self.position,
            stored,
            sparse,
        })
    }

    fn gnu_sparse(&mut self, header: &Header) -> Result<Sparse, String> {
        let at = self.position - BLOCK;
        let broken = || format!("broken map of a sparse file at byte {at}");
        let gnu = header.as_gnu().ok_or_else(broken)?;
        let size = gnu.real_size().map_err(|_| broken())?;
        let mut pieces = Vec::new();
        let mut take = |header: &tar::GnuSparseHeader| -> Result<(), String> {
            if header.is_empty() {
                return Ok(());
            }
            let offset = header.offset().map_err(|_| broken())?;
            let length = header.length().map_err(|_| broken())?;
            let end = offset.checked_add(length).ok_or_else(broken)?;
            if end > size || pieces.len() >= MAX_PIECES {
                return Err(broken());
            }
            pieces.push((offset, length));
            Ok(())
        };
        for piece in &gnu.sparse {
            take(piece)?;
        }
        let mut more = gnu.is_extended();
        // Bounded: each turn consumes a block of the archive, and `take` refuses too many pieces.
        while more {
            let mut extended = tar::GnuExtSparseHeader::new();
            let got = self.source.fill(extended.as_mut_bytes())?;
            self.position = self.position.saturating_add(got as u64);
            if got < BLOCK as usize {
                return Err(self.cut());
            }
            for piece in &extended.sparse {
                take(piece)?;
            }
            more = extended.is_extended();
        }
        Ok(Sparse {
            size,
            pieces: Some(pieces),
        })
    }

    fn skip_to_next(&mut self) -> Result<(), String> {
        let length = self.next.saturating_sub(self.position);
        if length == 0 {
            return Ok(());
        }
        if !self.source.skip(length)? {
            return Err(self.cut());
        }
        self.position = self.next;
        Ok(())
    }

    /// A header that holds something, or `None` at the end: a zero block, or no bytes at all, since several
    /// writers leave the closing blocks out and what is missing then shows by its digest.
    fn header(&mut self) -> Result<Option<Header>, String> {
        let mut header = Header::new_old();
        let got = self.source.fill(header.as_mut_bytes())?;
        self.position = self.position.saturating_add(got as u64);
        self.next = self.position;
        if got == 0 {
            return Ok(None);
        }
        if got < BLOCK as usize {
            return Err(self.cut());
        }
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        if !has_valid_checksum(&header) {
            return Err(format!("wrong header checksum at byte {}", self.position - BLOCK));
        }
        Ok(Some(header))
    }

    fn set_next(&mut self, size: u64) -> Result<(), String> {
        let padded = size.checked_next_multiple_of(BLOCK);
        let next = padded.and_then(|padded| self.position.checked_add(padded));
        self.next = next.ok_or_else(|| format!("impossible size at byte {}", self.position - BLOCK))?;
        Ok(())
    }

    fn extension(&mut self, size: u64) -> Result<Vec<u8>, String> {
        if size > MAX_EXTENSION {
            return Err(format!(
                "extension header of {size} bytes at byte {}",
                self.position - BLOCK
            ));
        }
        self.set_next(size)?;
        let mut bytes = vec![0; size as usize];
        self.read(&mut bytes)?;
        Ok(bytes)
    }

    /// A GNU long name: ends with the first zero byte.
    fn text(&mut self, size: u64) -> Result<Vec<u8>, String> {
        let mut bytes = self.extension(size)?;
        bytes.truncate(bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len()));
        Ok(bytes)
    }

    fn cut(&self) -> String {
        format!("cut off at byte {}", self.position)
    }
}

impl Extensions {
    /// Reads pax records, `LENGTH KEY=VALUE\n` each. By their lengths: values of extended attributes are binary
    /// and hold line ends, on which the tar crate's own iterator stumbles.
    fn read(&mut self, records: &[u8]) -> Result<(), String> {
        let broken = || "broken pax header".to_owned();
        let mut rest = records;
        // Bounded: each turn takes at least the record's own length field from `rest`.
        while rest.first().is_some_and(|byte| *byte != 0) {
            let space = rest
                .iter()
                .take(20)
                .position(|byte| *byte == b' ')
                .ok_or_else(broken)?;
            let (digits, _) = rest.split_at(space);
            let length: usize = number(digits)
                .and_then(|length| length.try_into().ok())
                .ok_or_else(broken)?;
            let record = rest.get(space + 1..length).ok_or_else(broken)?;
            let record = record.strip_suffix(b"\n").ok_or_else(broken)?;
            let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(broken)?;
            let (key, value) = record.split_at(equals);
            self.set(key, value.get(1..).unwrap_or_default())
                .ok_or_else(broken)?;
            rest = rest.get(length..).unwrap_or_default();
        }
        Ok(())
    }

    /// Whose the member is; a header that does not say it in digits is taken for root's.
    fn ownership(&self, header: &Header) -> Ownership {
        let number = |extension: Option<u64>, header: std::io::Result<u64>| {
            extension
                .or(header.ok())
                .and_then(|number| u32::try_from(number).ok())
        };
        Ownership {
            user: number(self.user, header.uid()).unwrap_or(0),
            group: number(self.group, header.gid()).unwrap_or(0),
            modified: self.modified.or(header.mtime().ok()).unwrap_or(0),
            capabilities: self.capabilities,
        }
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        match key {
            b"path" => self.path = Some(value.to_vec()),
            b"linkpath" => self.link = Some(value.to_vec()),
            b"size" => self.size = Some(number(value)?),
            // No number, or an empty one: the header has its own.
            b"uid" => self.user = number(value),
            b"gid" => self.group = number(value),
            // With a fraction, and with a sign before 1970.
            b"mtime" => self.modified = value.split(|byte| *byte == b'.').next().and_then(number),
            b"SCHILY.xattr.security.capability" => self.capabilities = !value.is_empty(),
            b"GNU.sparse.name" => self.sparse_name = Some(value.to_vec()),
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => self.sparse_size = Some(number(value)?),
            _ => {}
        }
        Some(())
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn has_valid_checksum(header: &Header) -> bool {
    // The checksum counts its own eight bytes as spaces.
    let part = |(index, byte): (usize, &u8)| {
        if (148..156).contains(&index) {
            u32::from(b' ')
        } else {
            u32::from(*byte)
        }
    };
    header.cksum().ok() == Some(header.as_bytes().iter().enumerate().map(part).sum())
}

fn bounded(text: Vec<u8>, at: u64) -> Result<String, String> {
    if text.len() > MAX_PATH {
        return Err(format!("name of {} bytes at byte {at}", text.len()));
    }
    Ok(match String::from_utf8(text) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

/// Whether bytes start with a valid header.
pub(crate) fn is_archive(bytes: &[u8]) -> bool {
    bytes.first_chunk::<{ BLOCK as usize }>().is_some_and(|block| {
        let header = Header::from_byte_slice(block);
        block.iter().any(|byte| *byte != 0) && has_valid_checksum(header)
    })
}
