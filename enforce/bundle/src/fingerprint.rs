//! By what a program is known: not its path, but what it is.
//!
//! A path says little about what was started: a script's is the script's, a relative one needs the working folder, a
//! file that was opened and then executed has none, and after chroot it means another file. What every start has in
//! common is that the program lies in memory as it lies in its file, before any of its code ran. The fingerprint is a
//! hash of
//! - the program headers and the entry point: sizes and addresses of everything that is mapped,
//! - the notes, among them the linker's own digest of all that it linked, where there is one,
//! - the dynamic section: which libraries it needs, and where its tables begin,
//! - blocks of the code, spread evenly, where the linker left no digest.
//!
//! A program that was replaced is therefore another program, which no policy is for, instead of one that runs under
//! the policy of its forerunner. Two programs of one image with the same fingerprint are noticed when the bundle is
//! written. It protects against confusion, not against forgery: whoever can write a program that looks like another
//! gets that one's policy, which is less than the container's.

use crate::elf::{self, Segment};
use crate::siphash::SipHash;
use crate::u32_at;

/// Everybody may know it; another version of what is hashed gets another one.
const KEY: [u64; 2] = [0x656e_6966_6e6f_6363, 1];
/// How many notes and dynamic sections of how many bytes are looked at: far more than linkers write.
const MAXIMUM_PARTS: usize = 16;
const MAXIMUM_PART_BYTES: u64 = 16 << 10;
/// Blocks of each executable segment that are hashed, and their size. Each one may have to be read from disk.
const BLOCKS: u64 = 16;
const BLOCK_BYTES: usize = 64;
/// `NT_GNU_BUILD_ID`, from the vendor "GNU".
const BUILD_ID: u32 = 3;
/// A digest of fewer bytes does not tell files apart; linkers write 8, 16 or 20.
const MINIMUM_BUILD_ID_BYTES: u32 = 8;

/// What a program is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 16]);

/// A program's bytes by the addresses that its file has for them.
pub trait Memory {
    /// Fills the buffer from an address on; `false` if that cannot be. It is only asked for addresses that the
    /// program headers say are mapped from the file, readable.
    fn read(&mut self, address: u64, buffer: &mut [u8]) -> bool;
}

/// The fingerprint of a program, by its program headers, its entry point as the file has it, and its bytes; `None` if
/// it has no executable segment or what its headers speak of is not there.
pub fn fingerprint(memory: &mut impl Memory, table: &[u8], entry: u64) -> Option<Fingerprint> {
    let mut hash = SipHash::new(KEY);
    hash.write(&(table.len() as u64).to_le_bytes());
    hash.write(table);
    hash.write(&entry.to_le_bytes());
    let parts = elf::segments(table).filter(|segment| matches!(segment.kind, elf::NOTE | elf::DYNAMIC));
    let mut has_build_id = false;
    for part in parts.take(MAXIMUM_PARTS) {
        has_build_id |= whole(memory, table, &part, &mut hash)?;
    }
    let is_code = |segment: &Segment| segment.kind == elf::LOAD && segment.flags & elf::EXECUTABLE != 0;
    let mut code = elf::segments(table).filter(is_code).peekable();
    code.peek()?;
    if !has_build_id {
        for segment in code.take(MAXIMUM_PARTS) {
            samples(memory, table, &segment, &mut hash)?;
        }
    }
    Some(Fingerprint(hash.finish()))
}

/// Hashes a note or dynamic section; whether it has the linker's digest.
fn whole(memory: &mut impl Memory, table: &[u8], part: &Segment, hash: &mut SipHash) -> Option<bool> {
    let mut buffer = [0; 256];
    let mut has_build_id = false;
    let length = part.file_bytes.min(MAXIMUM_PART_BYTES);
    let mut done = 0;
    while done < length {
        let step = (length - done).min(buffer.len() as u64);
        let piece = buffer.get_mut(..step as usize)?;
        // Notes that are not mapped are for other readers than a loader; what the file has is still in the headers.
        if !read(memory, table, part.address.wrapping_add(done), piece) {
            return Some(false);
        }
        hash.write(piece);
        if done == 0 && part.kind == elf::NOTE {
            has_build_id = holds_build_id(piece);
        }
        done += step;
    }
    Some(has_build_id)
}

/// Whether the linker's digest is among these notes.
fn holds_build_id(notes: &[u8]) -> bool {
    let mut rest = notes;
    // Bounded: each turn takes at least the twelve bytes of a note's head from `rest`.
    while let (Some(name_bytes), Some(bytes), Some(kind)) =
        (u32_at(rest, 0), u32_at(rest, 4), u32_at(rest, 8))
    {
        let name = rest.get(12..16);
        if kind == BUILD_ID && name_bytes == 4 && name == Some(b"GNU\0") && bytes >= MINIMUM_BUILD_ID_BYTES {
            return true;
        }
        let padded = |bytes: u32| (bytes as usize).saturating_add(3) & !3;
        let next = 12usize
            .saturating_add(padded(name_bytes))
            .saturating_add(padded(bytes));
        let Some(others) = rest.get(next..) else {
            return false;
        };
        rest = others;
    }
    false
}

fn samples(memory: &mut impl Memory, table: &[u8], segment: &Segment, hash: &mut SipHash) -> Option<()> {
    let mut block = [0; BLOCK_BYTES];
    let last = segment.file_bytes.checked_sub(BLOCK_BYTES as u64)?;
    for index in 0..BLOCKS {
        // No overflow: the quotient times the index is at most `last`.
        let place = last / (BLOCKS - 1) * index;
        if read(memory, table, segment.address.wrapping_add(place), &mut block) {
            hash.write(&block);
        }
    }
    Some(())
}

/// Reads what one mapped, readable segment has of the file.
fn read(memory: &mut impl Memory, table: &[u8], address: u64, buffer: &mut [u8]) -> bool {
    let is_there = elf::segments(table).any(|segment| {
        segment.kind == elf::LOAD
            && segment.flags & elf::READABLE != 0
            && segment.place(address, buffer.len() as u64).is_some()
    });
    is_there && memory.read(address, buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of which everything is mapped where it lies.
    struct Flat(Vec<u8>);

    impl Memory for Flat {
        fn read(&mut self, address: u64, buffer: &mut [u8]) -> bool {
            let start = usize::try_from(address).unwrap();
            buffer.copy_from_slice(&self.0[start..start + buffer.len()]);
            true
        }
    }

    fn note(kind: u32, name: &[u8], bytes: &[u8]) -> Vec<u8> {
        let mut note = Vec::new();
        for word in [name.len() as u32, bytes.len() as u32, kind] {
            note.extend(word.to_le_bytes());
        }
        note.extend(name);
        note.extend(bytes);
        note
    }

    fn segment(kind: u32, flags: u32, address: u64, bytes: u64) -> Segment {
        Segment {
            kind,
            flags,
            offset: address,
            address,
            file_bytes: bytes,
            memory_bytes: bytes,
            alignment: 4096,
        }
    }

    fn program(note: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let mut file = vec![0; 0x2000];
        file[0x100..0x100 + note.len()].copy_from_slice(note);
        let table = [
            segment(elf::LOAD, elf::READABLE | elf::EXECUTABLE, 0, 0x2000),
            segment(elf::NOTE, elf::READABLE, 0x100, note.len() as u64),
            segment(elf::DYNAMIC, elf::READABLE, 0x200, 0x180),
        ];
        (file, table.iter().flat_map(Segment::to_bytes).collect())
    }

    fn of(file: &[u8], table: &[u8]) -> Option<Fingerprint> {
        fingerprint(&mut Flat(file.to_vec()), table, 0x1000)
    }

    #[test]
    fn every_part_counts() {
        let (file, table) = program(&note(BUILD_ID, b"GNU\0", &[7; 20]));
        let plain = of(&file, &table).unwrap();
        assert_eq!(of(&file, &table), Some(plain));
        assert_ne!(fingerprint(&mut Flat(file.clone()), &table, 0x1001), Some(plain));
        for place in [0x114, 0x37f] {
            let mut other = file.clone();
            other[place] ^= 1;
            assert_ne!(of(&other, &table), Some(plain), "{place:#x}");
        }
        let mut other = table.clone();
        other[56 + 48] ^= 1;
        assert_ne!(of(&file, &other), Some(plain));
    }

    #[test]
    fn code_counts_where_the_linker_left_no_digest() {
        for (note, counts) in [
            (note(BUILD_ID, b"GNU\0", &[7; 20]), false),
            (note(BUILD_ID, b"GNU\0", &[7; 4]), true),
            (note(1, b"GNU\0", &[7; 20]), true),
            (note(BUILD_ID, b"XXX\0", &[7; 20]), true),
            (
                [note(1, b"GNU\0", &[1; 16]), note(BUILD_ID, b"GNU\0", &[7; 8])].concat(),
                false,
            ),
            (vec![], true),
        ] {
            let (file, table) = program(&note);
            let mut other = file.clone();
            other[0x1fff - 63] ^= 1;
            assert_eq!(of(&file, &table) != of(&other, &table), counts, "{note:?}");
        }
    }

    #[test]
    fn nothing_outside_of_the_file_is_read() {
        let (file, _) = program(&[]);
        let code = segment(elf::LOAD, elf::READABLE | elf::EXECUTABLE, 0, 0x1000);
        for part in [
            segment(elf::NOTE, elf::READABLE, 0x10_0000, 64),
            segment(elf::NOTE, elf::READABLE, u64::MAX - 8, 64),
            segment(elf::DYNAMIC, elf::READABLE, 0xff8, 64),
            segment(elf::LOAD, elf::EXECUTABLE, 0x10_0000, 0x1000),
        ] {
            let table: Vec<u8> = [code, part].iter().flat_map(Segment::to_bytes).collect();
            // `Flat` would panic.
            assert!(of(&file, &table).is_some(), "{part:?}");
        }
        assert_eq!(
            of(&file, &segment(elf::LOAD, elf::READABLE, 0, 64).to_bytes()),
            None
        );
        assert_eq!(of(&file, &[]), None);
    }
}
