//! The file `lib/modules`: every class and resource of the virtual machine's own modules, as `jlink` writes it.
//!
//! A header, then four tables that go by hashes of names, then the contents. The hashes are not used: all locations are
//! listed once. Numbers are little-endian on the machines that are looked at; a location is a list of attributes, each a
//! byte with its kind and length before a big-endian number. Contents may be packed, for which a header of their own says
//! how (the OpenJDK's jdk.internal.jimage, ImageHeader, ImageLocation, and jdk.tools.jlink's plug-ins).
//!
//! Misses: contents whose texts are shared (`compact-cp`, of releases before 21), which are told.

use std::io::Read;

use confine_image::FileBytes;
use flate2::read::ZlibDecoder;

const MAGIC: u32 = 0xCAFE_DADA;
const MAJOR_VERSION: u32 = 1;
const HEADER: usize = 28;

/// The kinds of a location's attributes that are looked at.
const PARENT: usize = 2;
const BASE: usize = 3;
const EXTENSION: usize = 4;
const OFFSET: usize = 5;
const PACKED: usize = 6;
const SIZE: usize = 7;
const KINDS: usize = 8;

const PACKED_MAGIC: u32 = 0xCAFE_FAFA;
const PACKED_HEADER: usize = 29;
/// How often contents may be packed over, and what they may come to.
const MOST_LAYERS: usize = 4;
const LARGEST: u64 = 8 << 20;

/// Where the contents of one file lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    offset: usize,
    packed: usize,
    size: usize,
}

/// The opened file.
pub struct Modules {
    bytes: FileBytes,
    strings: usize,
    contents: usize,
    table: usize,
    entries: usize,
    locations: usize,
}

impl Modules {
    /// `None` if the bytes are none.
    pub fn open(bytes: FileBytes) -> Option<Self> {
        if number(&bytes, 0)? != MAGIC || number(&bytes, 4)? >> 16 != MAJOR_VERSION {
            return None;
        }
        let length = |at| usize::try_from(number(&bytes, at)?).ok();
        let entries = length(16)?;
        let table = HEADER.checked_add(entries.checked_mul(4)?)?;
        let locations = table.checked_add(entries.checked_mul(4)?)?;
        let strings = locations.checked_add(length(20)?)?;
        let contents = strings.checked_add(length(24)?)?;
        (contents <= bytes.len()).then_some(Self {
            bytes,
            strings,
            contents,
            table,
            entries,
            locations,
        })
    }

    /// Calls `each` with every class: its name with slashes, without its module, and where it lies; `None` if a location is
    /// broken.
    pub fn each_class(&self, mut each: impl FnMut(&[u8], Location)) -> Option<()> {
        let mut name = Vec::new();
        // Bounded by the file's size, which holds the table.
        for entry in 0..self.entries {
            let place = number(&self.bytes, self.table + entry * 4)?;
            let place = self.locations.checked_add(usize::try_from(place).ok()?)?;
            let attributes = self.attributes(place)?;
            if self.string(attributes[EXTENSION])? != b"class" {
                continue;
            }
            name.clear();
            let parent = self.string(attributes[PARENT])?;
            if !parent.is_empty() {
                name.extend_from_slice(parent);
                name.push(b'/');
            }
            name.extend_from_slice(self.string(attributes[BASE])?);
            let location = Location {
                offset: usize::try_from(attributes[OFFSET]).ok()?,
                packed: usize::try_from(attributes[PACKED]).ok()?,
                size: usize::try_from(attributes[SIZE]).ok()?,
            };
            each(&name, location);
        }
        Some(())
    }

    fn attributes(&self, mut at: usize) -> Option<[u64; KINDS]> {
        let mut attributes = [0; KINDS];
        // Ends: each turn reads on in the file, and kind 0 ends the list.
        loop {
            let head = usize::from(*self.bytes.get(at)?);
            let (kind, length) = (head >> 3, (head & 7) + 1);
            if kind == 0 {
                return Some(attributes);
            }
            let value = self.bytes.get(at + 1..(at + 1).checked_add(length)?)?;
            let value = value.iter().fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte));
            *attributes.get_mut(kind)? = value;
            at += 1 + length;
        }
    }

    fn string(&self, offset: u64) -> Option<&[u8]> {
        let strings = self.bytes.get(self.strings..self.contents)?;
        let from = strings.get(usize::try_from(offset).ok()?..)?;
        from.split(|byte| *byte == 0).next()
    }

    /// The contents at a location; `None` if they are broken or packed in a way that is not known.
    pub fn contents(&self, location: Location) -> Option<FileBytes> {
        let start = self.contents.checked_add(location.offset)?;
        let size = match location.packed {
            0 => location.size,
            packed => packed,
        };
        let end = start.checked_add(size).filter(|end| *end <= self.bytes.len())?;
        let mut contents = self.bytes.slice(start..end);
        if location.packed == 0 {
            return Some(contents);
        }
        for _ in 0..MOST_LAYERS {
            if number(&contents, 0) != Some(PACKED_MAGIC) {
                return Some(contents);
            }
            contents = self.unpacked(&contents)?;
        }
        None
    }

    fn unpacked(&self, contents: &[u8]) -> Option<FileBytes> {
        let size = u64::from(number(contents, 12)?) | u64::from(number(contents, 16)?) << 32;
        if size > LARGEST || self.string(u64::from(number(contents, 20)?))? != b"zip" {
            return None;
        }
        let mut unpacked = Vec::new();
        let packed = ZlibDecoder::new(contents.get(PACKED_HEADER..)?);
        packed.take(size).read_to_end(&mut unpacked).ok()?;
        Some(unpacked.into())
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let number = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(number.try_into().ok()?))
}
