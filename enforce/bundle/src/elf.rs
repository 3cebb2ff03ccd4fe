//! As much of an ELF file as it takes to tell programs apart and to add a segment: program headers of x86-64.

use crate::{put, u16_at, u32_at, u64_at};

/// Bytes of the file's header.
pub const HEADER_BYTES: usize = 64;
/// Bytes of one program header.
pub const PROGRAM_HEADER_BYTES: usize = 56;

/// A part of the file that is mapped.
pub const LOAD: u32 = 1;
/// The dynamic section.
pub const DYNAMIC: u32 = 2;
/// The interpreter's path.
pub const INTERPRETER: u32 = 3;
/// Notes, among them the linker's digest of the file.
pub const NOTE: u32 = 4;
/// The program headers themselves.
pub const HEADERS: u32 = 6;

/// The segment may be executed.
pub const EXECUTABLE: u32 = 1;
/// The segment may be written.
pub const WRITABLE: u32 = 2;
/// The segment may be read.
pub const READABLE: u32 = 4;

/// What of the file's header, `Elf64_Ehdr`, leads to everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileHeader {
    /// Whether the file may be mapped anywhere: `e_type` is `ET_DYN` and not `ET_EXEC`.
    pub is_movable: bool,
    /// The entry point: `e_entry`.
    pub entry: u64,
    /// Where in the file the program headers are: `e_phoff`.
    pub table: u64,
    /// How many there are: `e_phnum`.
    pub segments: u16,
    /// Where in the file the section headers are, 0 if nowhere: `e_shoff`.
    pub sections: u64,
    /// Bytes of one section header: `e_shentsize`.
    pub section_bytes: u16,
    /// How many section headers there are: `e_shnum`.
    pub section_count: u16,
}

impl FileHeader {
    /// Reads the header of a program or library for Linux on x86-64; `None` if the file is none.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let header = bytes.first_chunk::<HEADER_BYTES>()?;
        // 64 bits, little-endian; ET_EXEC or ET_DYN; EM_X86_64.
        let is_movable = match header.get(16..20)? {
            [2, 0, 62, 0] => false,
            [3, 0, 62, 0] => true,
            _ => return None,
        };
        if !header.starts_with(b"\x7fELF\x02\x01") || usize::from(u16_at(header, 54)?) != PROGRAM_HEADER_BYTES
        {
            return None;
        }
        Some(Self {
            is_movable,
            entry: u64_at(header, 24)?,
            table: u64_at(header, 32)?,
            segments: u16_at(header, 56)?,
            sections: u64_at(header, 40)?,
            section_bytes: u16_at(header, 58)?,
            section_count: u16_at(header, 60)?,
        })
    }

    /// Writes another entry point and another table of program headers into a file's header.
    pub fn set(file: &mut [u8], entry: u64, table: u64, segments: u16) {
        put(file, 24, &entry.to_le_bytes());
        put(file, 32, &table.to_le_bytes());
        put(file, 56, &segments.to_le_bytes());
    }

    /// The table of program headers in the whole file; `None` where the file ends before.
    #[must_use]
    pub fn table_of<'a>(&self, file: &'a [u8]) -> Option<&'a [u8]> {
        let start = usize::try_from(self.table).ok()?;
        file.get(start..)?.get(..self.table_bytes())
    }

    /// Bytes of the table of program headers.
    #[must_use]
    pub fn table_bytes(&self) -> usize {
        usize::from(self.segments) * PROGRAM_HEADER_BYTES
    }
}

/// One program header: `Elf64_Phdr`. Addresses are as the file has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Segment {
    /// What it is: `p_type`.
    pub kind: u32,
    /// What may be done with it: `p_flags`.
    pub flags: u32,
    /// Where in the file it begins: `p_offset`.
    pub offset: u64,
    /// Where in memory it begins: `p_vaddr`.
    pub address: u64,
    /// Its bytes in the file: `p_filesz`.
    pub file_bytes: u64,
    /// Its bytes in memory, those that the file does not have being zero: `p_memsz`.
    pub memory_bytes: u64,
    /// What its address and offset agree modulo: `p_align`.
    pub alignment: u64,
}

impl Segment {
    /// Reads a header; `None` if there are too few bytes.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            kind: u32_at(bytes, 0)?,
            flags: u32_at(bytes, 4)?,
            offset: u64_at(bytes, 8)?,
            address: u64_at(bytes, 16)?,
            file_bytes: u64_at(bytes, 32)?,
            memory_bytes: u64_at(bytes, 40)?,
            alignment: u64_at(bytes, 48)?,
        })
    }

    /// The header's bytes. The physical address is the virtual one, as linkers have it.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; PROGRAM_HEADER_BYTES] {
        let mut bytes = [0; PROGRAM_HEADER_BYTES];
        put(&mut bytes, 0, &self.kind.to_le_bytes());
        put(&mut bytes, 4, &self.flags.to_le_bytes());
        let words = [
            self.offset,
            self.address,
            self.address,
            self.file_bytes,
            self.memory_bytes,
            self.alignment,
        ];
        for (index, word) in words.iter().enumerate() {
            put(&mut bytes, 8 + 8 * index, &word.to_le_bytes());
        }
        bytes
    }

    /// Where in the file the bytes at an address are; `None` unless all of so many are in this segment's file part.
    #[must_use]
    pub fn place(&self, address: u64, length: u64) -> Option<u64> {
        let within = address.checked_sub(self.address)?;
        let end = within.checked_add(length)?;
        if end > self.file_bytes {
            return None;
        }
        self.offset.checked_add(within)
    }
}

/// Where in the file the bytes at an address are, by these segments: in the first one that is mapped and has all of so many.
#[must_use]
pub fn place(segments: impl IntoIterator<Item = Segment>, address: u64, length: u64) -> Option<u64> {
    let mut mapped = segments.into_iter().filter(|segment| segment.kind == LOAD);
    mapped.find_map(|segment| segment.place(address, length))
}

/// The segments of a table of program headers.
pub fn segments(table: &[u8]) -> impl Iterator<Item = Segment> {
    table.chunks_exact(PROGRAM_HEADER_BYTES).filter_map(Segment::read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_survive_and_places_are_inside() {
        let segment = Segment {
            kind: LOAD,
            flags: READABLE | EXECUTABLE,
            offset: 0x1000,
            address: 0x40_1000,
            file_bytes: 0x100,
            memory_bytes: 0x200,
            alignment: 0x1000,
        };
        assert_eq!(Segment::read(&segment.to_bytes()), Some(segment));
        assert_eq!(Segment::read(&segment.to_bytes()[..55]), None);
        for (address, length, expected) in [
            (0x40_1000, 0x100, Some(0x1000)),
            (0x40_10ff, 1, Some(0x10ff)),
            (0x40_1100, 0, Some(0x1100)),
            (0x40_10ff, 2, None),
            (0x40_0fff, 1, None),
            (0x40_1000, u64::MAX, None),
            (u64::MAX, 1, None),
        ] {
            assert_eq!(
                segment.place(address, length),
                expected,
                "{address:#x} {length:#x}"
            );
            assert_eq!(place([segment], address, length), expected);
            let unmapped = Segment {
                kind: NOTE,
                ..segment
            };
            assert_eq!(place([unmapped], address, length), None);
        }
    }
}
