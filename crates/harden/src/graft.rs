//! Adds the loader to an ELF file.
//!
//! The file keeps its bytes where they are, but for the header that says where the entry point and the program headers
//! are. Behind them come
//! - for a dynamic loader, its writable segments once more, this time with the zeros of their `.bss`: kernels before
//!   6.10 give zeros to the last segment of an interpreter only, and that is ours now;
//! - a segment of constants: the program headers, two more than before, and the bundle;
//! - a segment of code: the prologue and the loader.
//!
//! The new segments lie as far from the first one in memory as in the file, as loaders compute the address of the
//! program headers by their place in the file.

use confine_bundle::elf::{self, FileHeader, Segment};
use confine_bundle::{Bundle, Fingerprint, Kind, PROLOGUE_BYTES, Prologue};

use crate::identity::bytes;

/// The code of the `loader` crate, which works at any address.
const LOADER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/loader.piece"));

const PAGE: u64 = 4096;
/// The kernel takes tables of program headers up to a page.
const MAXIMUM_SEGMENTS: usize = PAGE as usize / elf::PROGRAM_HEADER_BYTES;
/// Zeros of a dynamic loader that are written out. glibc's has some hundred bytes, musl's some thousand.
const MAXIMUM_ZEROS: u64 = 16 << 20;
/// How much larger a file may become: the new segments lie behind all of its memory, however much that is.
const MAXIMUM_GROWTH: u64 = 256 << 20;
/// Where the bundle begins is a multiple of this.
const BUNDLE_ALIGNMENT: u64 = 64;

/// Why nothing can be added to a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraftError {
    /// It is no ELF file for x86-64.
    #[error("expected an ELF file for Linux on x86-64")]
    NotElf,
    /// It is another kind of file than was asked for.
    #[error("expected {expected}")]
    Kind {
        /// What it should have been.
        expected: &'static str,
    },
    /// It has been done before.
    #[error("expected a file without policies: it has some already")]
    Grafted,
    /// Its segments are not as linkers lay them out.
    #[error("unusual layout: {0}")]
    Layout(&'static str),
    /// There is something behind its end, which a program would look for there.
    #[error(
        "there are {0} bytes behind the end of the ELF file, which the program may look for at the end of its file"
    )]
    Trailing(u64),
}

/// The file with the loader in front of its code, and a bundle of policies beside it.
///
/// # Errors
/// When the file is not of that kind, or not laid out so that something can be added.
pub fn graft(file: &[u8], kind: Kind, bundle: &[u8]) -> Result<Vec<u8>, GraftError> {
    let mut grafted = Grafted::read(file, kind)?;
    if kind == Kind::Interpreter {
        grafted.write_out_zeros()?;
    }
    grafted.add(kind, bundle)
}

/// The filters that a grafted file has for a program; for the file itself if it is a program. `None` if it has none.
#[must_use]
pub fn grafted_filters(file: &[u8], program: Option<&Fingerprint>) -> Option<Vec<Vec<u8>>> {
    let header = FileHeader::read(file)?;
    let segments: Vec<Segment> = elf::segments(header.table_of(file)?).collect();
    let place = prologue_place(&header, &segments)?;
    let prologue = Prologue::read(file.get(place..)?)?;
    // In the file the parts are as far from each other as in memory.
    let start = usize::try_from((place as u64).wrapping_add(prologue.bundle)).ok()?;
    let length = usize::try_from(prologue.bundle_bytes).ok()?;
    let bundle = Bundle::read(file.get(start..)?.get(..length)?).ok()?;
    let entry = match program {
        Some(program) => bundle.find(program)?,
        None => bundle.entries().next()?,
    };
    Some(bundle.filters(&entry).ok()?.map(<[u8]>::to_vec).collect())
}

/// A file while something is added to it.
struct Grafted {
    header: FileHeader,
    segments: Vec<Segment>,
    /// How many bytes the file had.
    file_bytes: u64,
    /// What was written so far, beginning with the file as it was.
    output: Vec<u8>,
}

impl Grafted {
    fn read(file: &[u8], kind: Kind) -> Result<Self, GraftError> {
        let header = FileHeader::read(file).ok_or(GraftError::NotElf)?;
        let table = header.table_of(file).ok_or(GraftError::NotElf)?;
        let segments: Vec<Segment> = elf::segments(table).collect();
        check_kind(kind, &header, &segments)?;
        if is_grafted(file, &header, &segments) {
            return Err(GraftError::Grafted);
        }
        check_layout(file, &segments)?;
        let behind = (file.len() as u64).saturating_sub(described_bytes(file, &header, &segments));
        if kind == Kind::Program && behind > 0 {
            return Err(GraftError::Trailing(behind));
        }
        Ok(Self {
            header,
            segments,
            file_bytes: file.len() as u64,
            output: file.to_vec(),
        })
    }

    /// Gives the segments that end in zeros a place in the file where these are written out.
    fn write_out_zeros(&mut self) -> Result<(), GraftError> {
        for index in 0..self.segments.len() {
            let Some(segment) = self.segments.get(index).copied() else {
                continue;
            };
            if segment.kind != elf::LOAD || segment.memory_bytes <= segment.file_bytes {
                continue;
            }
            if segment.memory_bytes - segment.file_bytes > MAXIMUM_ZEROS {
                return Err(GraftError::Layout("its zeros are too many to be written out"));
            }
            let alignment = segment.alignment.max(PAGE);
            let content = bytes(&self.output, &segment).map(<[u8]>::to_vec);
            let content = content.ok_or(GraftError::Layout("a segment ends behind the file"))?;
            // The same remainder as the address has, as loaders of libraries check it.
            let offset = round_up(self.output.len() as u64, alignment)? + segment.address % alignment;
            self.pad(offset)?;
            self.output.extend(content);
            // Up to the page's end: what follows there in the file would be what follows in memory.
            let end = round_up(offset + segment.memory_bytes, PAGE)?;
            self.pad(end)?;
            let moved = Segment {
                offset,
                file_bytes: segment.memory_bytes,
                ..segment
            };
            for other in &mut self.segments {
                if let Some(place) = moved.place(other.address, other.file_bytes)
                    && other.kind != elf::LOAD
                    && other.file_bytes > 0
                {
                    other.offset = place;
                }
            }
            if let Some(place) = self.segments.get_mut(index) {
                *place = moved;
            }
        }
        Ok(())
    }

    /// Adds the two segments and turns the entry point to the loader.
    fn add(mut self, kind: Kind, bundle: &[u8]) -> Result<Vec<u8>, GraftError> {
        let loads = || self.segments.iter().filter(|segment| segment.kind == elf::LOAD);
        let (Some(first), Some(last)) = (loads().next(), loads().next_back()) else {
            return Err(GraftError::Layout("no segment is mapped"));
        };
        let base = first.address.wrapping_sub(first.offset);
        let memory_end = last.address.saturating_add(last.memory_bytes).wrapping_sub(base);
        let offset = round_up(memory_end.max(self.output.len() as u64), PAGE)?;

        let count = self.segments.len() + 2;
        if count > MAXIMUM_SEGMENTS {
            return Err(GraftError::Layout("it has too many program headers"));
        }
        // Now that it is known to be near the file's end, what is added to it cannot overflow.
        self.pad(offset)?;
        let table_bytes = (count * elf::PROGRAM_HEADER_BYTES) as u64;
        let bundle_offset = round_up(offset + table_bytes, BUNDLE_ALIGNMENT)?;
        let constants = new_segment(
            elf::READABLE,
            base,
            offset,
            bundle_offset + bundle.len() as u64 - offset,
        );
        let code_offset = round_up(constants.offset + constants.file_bytes, PAGE)?;
        let code_bytes = (PROLOGUE_BYTES + LOADER.len()) as u64;
        let code = new_segment(elf::READABLE | elf::EXECUTABLE, base, code_offset, code_bytes);

        let prologue = Prologue {
            kind,
            bundle: bundle_offset.wrapping_sub(code_offset),
            bundle_bytes: bundle.len() as u64,
            entry: self.header.entry.wrapping_sub(code.address),
        };
        let table = self.table(constants, code, table_bytes);
        self.output.extend(table);
        self.pad(bundle_offset)?;
        self.output.extend(bundle);
        self.pad(code_offset)?;
        self.output.extend(prologue.to_bytes());
        self.output.extend(LOADER);
        FileHeader::set(
            &mut self.output,
            code.address + PROLOGUE_BYTES as u64,
            offset,
            count as u16,
        );
        Ok(self.output)
    }

    /// The program headers with two more, behind the last of their kind, as the kernel wants them by address.
    fn table(&self, constants: Segment, code: Segment, table_bytes: u64) -> Vec<u8> {
        let last = self
            .segments
            .iter()
            .rposition(|segment| segment.kind == elf::LOAD);
        let mut table = Vec::new();
        for (index, segment) in self.segments.iter().enumerate() {
            let mut segment = *segment;
            if segment.kind == elf::HEADERS {
                segment.offset = constants.offset;
                segment.address = constants.address;
                segment.file_bytes = table_bytes;
                segment.memory_bytes = table_bytes;
            }
            table.extend(segment.to_bytes());
            if Some(index) == last {
                table.extend(constants.to_bytes());
                table.extend(code.to_bytes());
            }
        }
        table
    }

    fn pad(&mut self, length: u64) -> Result<(), GraftError> {
        if length > self.file_bytes.saturating_add(MAXIMUM_GROWTH) {
            return Err(GraftError::Layout("it would become too large"));
        }
        self.output.resize(length as usize, 0);
        Ok(())
    }
}

fn new_segment(flags: u32, base: u64, offset: u64, length: u64) -> Segment {
    Segment {
        kind: elf::LOAD,
        flags,
        offset,
        address: base.wrapping_add(offset),
        file_bytes: length,
        memory_bytes: length,
        alignment: PAGE,
    }
}

fn check_kind(kind: Kind, header: &FileHeader, segments: &[Segment]) -> Result<(), GraftError> {
    let has_interpreter = segments.iter().any(|segment| segment.kind == elf::INTERPRETER);
    let expected = match kind {
        Kind::Interpreter if has_interpreter || !header.is_movable => "a dynamic loader",
        Kind::Program if has_interpreter => "a program without an interpreter",
        _ => return Ok(()),
    };
    Err(GraftError::Kind { expected })
}

fn is_grafted(file: &[u8], header: &FileHeader, segments: &[Segment]) -> bool {
    let bytes = prologue_place(header, segments).and_then(|place| file.get(place..));
    bytes.and_then(Prologue::read).is_some()
}

/// Where in the file a prologue lies, if there is one: right in front of the entry point.
fn prologue_place(header: &FileHeader, segments: &[Segment]) -> Option<usize> {
    let address = header.entry.checked_sub(PROLOGUE_BYTES as u64)?;
    let place = elf::place(segments.iter().copied(), address, PROLOGUE_BYTES as u64)?;
    usize::try_from(place).ok()
}

/// What all linkers do and everything here relies on.
fn check_layout(file: &[u8], segments: &[Segment]) -> Result<(), GraftError> {
    let mut end = None;
    for segment in segments.iter().filter(|segment| segment.kind == elf::LOAD) {
        if bytes(file, segment).is_none() {
            return Err(GraftError::Layout("a segment ends behind the file"));
        }
        if end.is_none() && (segment.offset != 0 || segment.address % PAGE != 0) {
            return Err(GraftError::Layout(
                "the first segment does not begin with the file",
            ));
        }
        if segment.file_bytes > segment.memory_bytes
            || end.is_some_and(|end| segment.address < end)
            || segment.alignment.max(PAGE) > 1 << 30
            || !segment.alignment.max(1).is_power_of_two()
        {
            return Err(GraftError::Layout("its segments are not in order"));
        }
        let segment_end = segment.address.checked_add(segment.memory_bytes);
        end = Some(segment_end.ok_or(GraftError::Layout("a segment ends behind all memory"))?);
    }
    match end {
        Some(_) => Ok(()),
        None => Err(GraftError::Layout("no segment is mapped")),
    }
}

/// Where what the headers describe ends in the file.
fn described_bytes(file: &[u8], header: &FileHeader, segments: &[Segment]) -> u64 {
    let table_end = header.table.saturating_add(header.table_bytes() as u64);
    let section_bytes = u64::from(header.section_bytes) * u64::from(header.section_count);
    let sections_end = match header.sections {
        0 => 0,
        start => start.saturating_add(section_bytes),
    };
    let segments = segments
        .iter()
        .map(|segment| (segment.offset, segment.file_bytes));
    let parts = segments.chain(sections(file, header));
    let ends = parts.map(|(offset, length)| offset.saturating_add(length));
    ends.chain([table_end, sections_end]).max().unwrap_or_default()
}

/// Offset and length of the sections that have bytes in the file.
fn sections<'a>(file: &'a [u8], header: &FileHeader) -> impl Iterator<Item = (u64, u64)> + 'a {
    const NO_BYTES: u32 = 8;
    let start = usize::try_from(header.sections).unwrap_or(usize::MAX);
    let table = file.get(start..).unwrap_or_default();
    let rows = table.chunks_exact(usize::from(header.section_bytes).max(1));
    rows.take(usize::from(header.section_count)).filter_map(|row| {
        let kind = u32::from_le_bytes(*row.get(4..)?.first_chunk()?);
        let word = |at: usize| Some(u64::from_le_bytes(*row.get(at..)?.first_chunk()?));
        (kind != NO_BYTES).then_some((word(24)?, word(32)?))
    })
}

fn round_up(value: u64, multiple: u64) -> Result<u64, GraftError> {
    value
        .checked_next_multiple_of(multiple)
        .ok_or(GraftError::Layout("a segment ends behind all memory"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of these segments and nothing else.
    fn program(segments: &[Segment]) -> Vec<u8> {
        let mut file = vec![0; elf::HEADER_BYTES];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[16..20].copy_from_slice(&[2, 0, 62, 0]);
        file[54..56].copy_from_slice(&(elf::PROGRAM_HEADER_BYTES as u16).to_le_bytes());
        FileHeader::set(&mut file, 0, elf::HEADER_BYTES as u64, segments.len() as u16);
        file.extend(segments.iter().flat_map(Segment::to_bytes));
        file
    }

    #[test]
    fn nothing_is_added_behind_the_end_of_all_memory() {
        let segment = |address, memory_bytes| Segment {
            kind: elf::LOAD,
            flags: elf::READABLE,
            address,
            memory_bytes,
            ..Segment::default()
        };
        for (address, bundle) in [
            (0_u64.wrapping_sub(2 * PAGE), 2 * PAGE as usize),
            (0_u64.wrapping_sub(2 * PAGE), 0),
            (1 << 40, 2 * PAGE as usize),
        ] {
            let file = program(&[segment(0, PAGE), segment(address, PAGE)]);
            let refused = graft(&file, Kind::Program, &vec![0; bundle]);
            let expected = GraftError::Layout("it would become too large");
            assert_eq!(refused, Err(expected), "{address:#x} {bundle}");
        }
        let file = program(&[segment(0, PAGE), segment(PAGE, PAGE)]);
        assert!(graft(&file, Kind::Program, &[0; 100]).is_ok());
    }
}
