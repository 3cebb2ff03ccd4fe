//! The files in an archive in the ZIP format, as its central directory lists them (PKWARE's APPNOTE, 4.3).
//!
//! Misses: archives over 4 GiB, and methods but "stored" and "deflated".

use std::io::Read;

use flate2::read::DeflateDecoder;
use rayon::prelude::*;

/// How many entries one archive is looked at for, and what one of them and all together may come to, in bytes.
const MOST_ENTRIES: usize = 200_000;
const LARGEST_ENTRY: u64 = 8 << 20;
const LARGEST_SUM: u64 = 512 << 20;

/// The end of the central directory may be followed by a comment of at most this length.
const LONGEST_COMMENT: usize = 65_557;

/// A file in an archive.
pub struct Entry {
    /// Its name, with the folders around it.
    pub name: String,
    /// How long it is said to be, in bytes.
    size: u64,
    /// Where it is described.
    at: usize,
}

/// Whether a file of this name is an archive of classes.
pub fn is_archive(name: &str) -> bool {
    [".jar", ".war", ".ear"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

/// The files in an archive; and whether these are all.
pub fn entries(bytes: &[u8]) -> (Vec<Entry>, bool) {
    let Some((mut at, count)) = directory(bytes) else {
        return (Vec::new(), false);
    };
    let mut entries = Vec::new();
    for _ in 0..count.min(MOST_ENTRIES) {
        let Some(entry) = bytes.get(at..).filter(|entry| entry.starts_with(b"PK\x01\x02")) else {
            return (entries, false);
        };
        let field = |offset| number(entry, offset, 2).unwrap_or_default();
        let (name_length, extra, comment) = (field(28), field(30), field(32));
        let name = String::from_utf8_lossy(entry.get(46..46 + name_length).unwrap_or_default()).into_owned();
        let size = number(entry, 24, 4).unwrap_or_default() as u64;
        entries.push(Entry { name, size, at });
        at += 46 + name_length + extra + comment;
    }
    (entries, count <= MOST_ENTRIES)
}

/// What is in a file of an archive; `None` if it cannot be read, or is larger than what is looked at.
pub fn content(bytes: &[u8], entry: &Entry) -> Option<Vec<u8>> {
    content_up_to(bytes, bytes.get(entry.at..)?, LARGEST_ENTRY)
}

/// What is in an archive that lies in an archive.
pub fn inner(bytes: &[u8], entry: &Entry) -> Option<Vec<u8>> {
    content_up_to(bytes, bytes.get(entry.at..)?, LARGEST_SUM)
}

/// What `look` makes of the name and the content of every file that `wanted` takes by name, side by side and in their
/// order; and whether all were read.
pub fn map<T: Send>(
    bytes: &[u8],
    entries: &[Entry],
    wanted: impl Fn(&str) -> bool,
    look: impl Fn(&str, &[u8]) -> T + Sync,
) -> (Vec<T>, bool) {
    let mut sum = 0u64;
    let wanted: Vec<(&Entry, u64)> = entries
        .iter()
        .filter(|entry| wanted(&entry.name))
        .map(|entry| {
            let largest = match is_archive(&entry.name) {
                true => LARGEST_SUM,
                false => LARGEST_ENTRY,
            };
            let limit = largest.min(LARGEST_SUM.saturating_sub(sum));
            sum = sum.saturating_add(entry.size);
            (entry, limit.min(entry.size))
        })
        .collect();
    let found: Vec<Option<T>> = wanted
        .par_iter()
        .map(|(entry, limit)| {
            let content = content_up_to(bytes, bytes.get(entry.at..)?, *limit)?;
            Some(look(&entry.name, &content))
        })
        .collect();
    let all_read = found.iter().all(Option::is_some);
    (found.into_iter().flatten().collect(), all_read)
}

/// Where the central directory begins and how many entries it has.
fn directory(bytes: &[u8]) -> Option<(usize, usize)> {
    let from = bytes.len().saturating_sub(LONGEST_COMMENT);
    let tail = bytes.get(from..)?;
    let end = tail.windows(4).rposition(|window| window == b"PK\x05\x06")?;
    let end = tail.get(end..)?;
    Some((number(end, 16, 4)?, number(end, 10, 2)?))
}

fn content_up_to(bytes: &[u8], entry: &[u8], limit: u64) -> Option<Vec<u8>> {
    let method = number(entry, 10, 2)?;
    let packed = number(entry, 20, 4)?;
    let local = bytes.get(number(entry, 42, 4)?..)?;
    let start = 30 + number(local, 26, 2)? + number(local, 28, 2)?;
    let packed = local.get(start..start.checked_add(packed)?)?;
    match method {
        0 => (packed.len() as u64 <= limit).then(|| packed.to_vec()),
        8 => {
            let mut content = Vec::new();
            DeflateDecoder::new(packed)
                .take(limit + 1)
                .read_to_end(&mut content)
                .ok()?;
            (content.len() as u64 <= limit).then_some(content)
        }
        _ => None,
    }
}

/// A number of so many bytes, the lowest first.
fn number(bytes: &[u8], offset: usize, length: usize) -> Option<usize> {
    let bytes = bytes.get(offset..offset.checked_add(length)?)?;
    Some(
        bytes
            .iter()
            .rev()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
    )
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// An archive with one stored file.
    pub fn archive(name: &str, content: &[u8]) -> Vec<u8> {
        archive_of(&[(name, content)])
    }

    /// An archive with stored files.
    pub fn archive_of(files: &[(&str, &[u8])]) -> Vec<u8> {
        let short = |value: usize| u16::try_from(value).unwrap_or_default().to_le_bytes().to_vec();
        let long = |value: usize| u32::try_from(value).unwrap_or_default().to_le_bytes().to_vec();
        let mut bytes = Vec::new();
        let mut directory = Vec::new();
        for (name, content) in files {
            let described = [
                b"PK\x01\x02".to_vec(),
                vec![0; 16],
                long(content.len()),
                long(content.len()),
                short(name.len()),
                vec![0; 12],
                long(bytes.len()),
                name.as_bytes().to_vec(),
            ];
            directory.extend(described.concat());
            let header = [b"PK\x03\x04".to_vec(), vec![0; 22], short(name.len()), short(0)];
            bytes.extend(header.concat());
            bytes.extend(name.bytes().chain(content.iter().copied()));
        }
        let start = bytes.len();
        let end = [
            b"PK\x05\x06".to_vec(),
            vec![0; 4],
            short(files.len()),
            short(files.len()),
            long(directory.len()),
            long(start),
            short(0),
        ];
        bytes.extend(directory);
        bytes.extend(end.concat());
        bytes
    }

    #[test]
    fn files_are_read_by_name() {
        let bytes = archive("a/b.class", b"content");
        let (entries, whole) = entries(&bytes);
        let (found, all_read) = map(
            &bytes,
            &entries,
            |name| name.ends_with(".class"),
            |name, content| (name.to_owned(), content.to_vec()),
        );
        assert!(whole && all_read);
        assert_eq!(found, [("a/b.class".to_owned(), b"content".to_vec())]);
    }

    #[test]
    fn a_broken_archive_is_told() {
        let bytes = archive("a", b"content");
        // The length of a comment at the end tells nothing.
        for length in 0..bytes.len() - 2 {
            let (entries, whole) = entries(&bytes[..length]);
            let (_, all_read) = map(&bytes[..length], &entries, |_| true, |_, _| ());
            assert!(!(whole && all_read), "{length}");
        }
    }
}
