//! The file header and the program headers: what is mapped where.

use std::ops::Range;

use object::LittleEndian as LE;
use object::elf::{
    EM_386, EM_AARCH64, EM_X86_64, ET_DYN, ET_EXEC, FileHeader64, PF_R, PF_W, PF_X, PT_DYNAMIC,
    PT_GNU_EH_FRAME, PT_GNU_RELRO, PT_INTERP, PT_LOAD, PT_TLS, ProgramHeader64,
};

use crate::problems::Problems;
use crate::raw::{structure, structures};
use crate::{Address, Error, Machine, Placement, Segment};

/// How many PT_LOAD headers are taken. The kernel takes 1,170 program headers at most; this also bounds the
/// work of resolving overlaps.
const MOST_SEGMENTS: usize = 4096;

/// The longest interpreter name that the kernel takes (`PATH_MAX`).
const LONGEST_INTERPRETER: usize = 4096;

/// The file header and what the program headers say.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) machine: Machine,
    pub(crate) placement: Placement,
    pub(crate) entry: Address,
    pub(crate) section_headers: u64,
    pub(crate) section_header_size: u16,
    pub(crate) section_count: u16,
    pub(crate) section_names: u16,
    pub(crate) interpreter: Option<String>,
    pub(crate) segments: Vec<Segment>,
    pub(crate) thread_local: Option<Range<Address>>,
    pub(crate) read_only_after_relocation: Option<Range<Address>>,
    pub(crate) dynamic: Option<Address>,
    pub(crate) unwind_header: Option<Address>,
}

impl Header {
    pub(crate) fn read(bytes: &[u8], problems: &mut Problems) -> Result<Self, Error> {
        let file = file_header(bytes)?;
        let mut header = Self {
            machine: match file.e_machine.get(LE) {
                EM_X86_64 => Machine::X86_64,
                EM_386 => Machine::X86,
                EM_AARCH64 => Machine::Aarch64,
                other => Machine::Other(other.0),
            },
            placement: match file.e_type.get(LE) {
                ET_EXEC => Placement::Fixed,
                ET_DYN => Placement::Relocatable,
                other => return Err(Error::Type(other.0)),
            },
            entry: file.e_entry.get(LE),
            section_headers: file.e_shoff.get(LE),
            section_header_size: file.e_shentsize.get(LE),
            section_count: file.e_shnum.get(LE),
            section_names: file.e_shstrndx.get(LE).0,
            interpreter: None,
            segments: Vec::new(),
            thread_local: None,
            read_only_after_relocation: None,
            dynamic: None,
            unwind_header: None,
        };
        for (index, program) in program_headers(bytes, file)?.iter().enumerate() {
            header.take(bytes, index, program, problems);
        }
        if header.segments.is_empty() {
            return Err(Error::NothingToLoad);
        }
        header.segments.sort_by_key(|segment| segment.addresses.start);
        Ok(header)
    }

    fn take(&mut self, bytes: &[u8], index: usize, program: &ProgramHeader64<LE>, problems: &mut Problems) {
        let start = program.p_vaddr.get(LE);
        let kind = program.p_type.get(LE);
        let Some(end) = start.checked_add(program.p_memsz.get(LE)) else {
            problems.add(format!(
                "program header {index}: address {start:#x} and size do not fit into 64 bits"
            ));
            return;
        };
        match kind {
            PT_LOAD if end > start => self.load(bytes, index, program, start..end, problems),
            // What follows in memory is zero for each thread, and other sections have these addresses.
            PT_TLS => {
                self.thread_local = Some(start..end.min(start.saturating_add(program.p_filesz.get(LE))))
            }
            PT_GNU_RELRO => self.read_only_after_relocation = Some(start..end),
            PT_DYNAMIC => self.dynamic = Some(start),
            PT_GNU_EH_FRAME => self.unwind_header = Some(start),
            // The kernel takes the first PT_INTERP, by its place in the file.
            PT_INTERP if self.interpreter.is_none() => {
                self.interpreter = interpreter(bytes, program);
                if self.interpreter.is_none() {
                    problems.add(format!(
                        "program header {index}: the interpreter's name lies outside the file"
                    ));
                }
            }
            _ => {}
        }
    }

    /// Adds a segment; where it overlaps earlier ones it wins, as a later mapping does.
    fn load(
        &mut self,
        bytes: &[u8],
        index: usize,
        program: &ProgramHeader64<LE>,
        addresses: Range<Address>,
        problems: &mut Problems,
    ) {
        if self.segments.len() >= MOST_SEGMENTS {
            problems.add(format!(
                "program header {index}: more than {MOST_SEGMENTS} loadable segments"
            ));
            return;
        }
        let overlapping = |segment: &Segment| {
            segment.addresses.start < addresses.end && addresses.start < segment.addresses.end
        };
        if self.segments.iter().any(overlapping) {
            problems.add(format!(
                "program header {index}: overlaps another loadable segment"
            ));
            self.segments = self
                .segments
                .drain(..)
                .flat_map(|segment| without(&segment, &addresses))
                .collect();
        }
        let file = file_range(bytes, program);
        let expected = program.p_filesz.get(LE);
        if (file.len() as u64) < expected {
            problems.add(format!(
                "program header {index}: expected {expected} bytes of the file, found {}",
                file.len()
            ));
        }
        let flags = program.p_flags.get(LE);
        self.segments.push(Segment {
            addresses,
            file,
            readable: flags.contains(PF_R),
            writable: flags.contains(PF_W),
            executable: flags.contains(PF_X),
        });
    }
}

fn file_header(bytes: &[u8]) -> Result<&FileHeader64<LE>, Error> {
    let magic: [u8; 4] = *bytes.first_chunk().ok_or(Error::TooShort(bytes.len()))?;
    if magic != object::elf::ELFMAG {
        return Err(Error::NotElf(magic));
    }
    match bytes.get(4).copied().unwrap_or_default() {
        1 => return Err(Error::Class32),
        2 => {}
        other => return Err(Error::Class(other)),
    }
    match bytes.get(5).copied().unwrap_or_default() {
        1 => {}
        other => return Err(Error::Encoding(other)),
    }
    structure(bytes, 0).ok_or(Error::TooShort(bytes.len()))
}

fn program_headers<'a>(bytes: &'a [u8], file: &FileHeader64<LE>) -> Result<&'a [ProgramHeader64<LE>], Error> {
    let (count, offset) = (file.e_phnum.get(LE), file.e_phoff.get(LE));
    if count == 0 {
        return Err(Error::NothingToLoad);
    }
    let size = file.e_phentsize.get(LE);
    if usize::from(size) != size_of::<ProgramHeader64<LE>>() {
        return Err(Error::HeaderSize(size));
    }
    let headers = structures(bytes, offset, u64::from(count));
    if headers.len() < usize::from(count) {
        return Err(Error::HeadersOutside {
            count,
            offset,
            length: bytes.len(),
        });
    }
    Ok(headers)
}

fn interpreter(bytes: &[u8], program: &ProgramHeader64<LE>) -> Option<String> {
    let name = bytes.get(file_range(bytes, program))?;
    let name = name.get(..name.len().min(LONGEST_INTERPRETER))?;
    let name = name
        .split(|byte| *byte == 0)
        .next()
        .filter(|name| !name.is_empty())?;
    Some(String::from_utf8_lossy(name).into_owned())
}

/// The part of the file behind a program header, cut to what is there.
fn file_range(bytes: &[u8], program: &ProgramHeader64<LE>) -> Range<usize> {
    let clamp = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    let offset = program.p_offset.get(LE);
    let size = program.p_filesz.get(LE).min(program.p_memsz.get(LE));
    clamp(offset)..clamp(offset.saturating_add(size))
}

/// What remains of `segment` outside `hole`.
fn without(segment: &Segment, hole: &Range<Address>) -> Vec<Segment> {
    let Range { start, end } = segment.addresses;
    let parts = [start..end.min(hole.start), start.max(hole.end)..end];
    parts
        .into_iter()
        .filter(|part| part.start < part.end)
        .map(|part| cut(segment, part))
        .collect()
}

fn cut(segment: &Segment, part: Range<Address>) -> Segment {
    let at = |address: Address| {
        let distance = usize::try_from(address.saturating_sub(segment.addresses.start)).unwrap_or(usize::MAX);
        segment.file.start.saturating_add(distance).min(segment.file.end)
    };
    Segment {
        file: at(part.start)..at(part.end),
        addresses: part,
        ..segment.clone()
    }
}
