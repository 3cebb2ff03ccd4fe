//! What a file is to the loader that will start it.

use confine_bundle::elf::{self, FileHeader, Segment};
use confine_bundle::{Fingerprint, Memory, fingerprint};

/// A program, by how it is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// Through an interpreter.
    Dynamic {
        /// Its path, as the file names it.
        interpreter: String,
        /// By what it is known in memory; none if it cannot be told from others there.
        fingerprint: Option<Fingerprint>,
    },
    /// By the kernel alone.
    Static,
}

/// What a file is; `None` if it is no program for Linux on x86-64.
#[must_use]
pub fn identify(file: &[u8]) -> Option<Program> {
    let header = FileHeader::read(file)?;
    let table = header.table_of(file)?;
    let Some(interpreter) = elf::segments(table).find(|segment| segment.kind == elf::INTERPRETER) else {
        return Some(Program::Static);
    };
    let path = bytes(file, &interpreter)?;
    let path = path.split(|byte| *byte == 0).next().unwrap_or_default();
    // In memory it is the entry of the headers themselves that tells where the program lies.
    let can_be_told = elf::segments(table).any(|segment| segment.kind == elf::HEADERS);
    let fingerprint = if can_be_told {
        fingerprint(&mut InFile { file, table }, table, header.entry)
    } else {
        None
    };
    Some(Program::Dynamic {
        interpreter: String::from_utf8_lossy(path).into_owned(),
        fingerprint,
    })
}

/// The bytes that a segment has in the file.
pub(crate) fn bytes<'a>(file: &'a [u8], segment: &Segment) -> Option<&'a [u8]> {
    let start = usize::try_from(segment.offset).ok()?;
    let end = start.checked_add(usize::try_from(segment.file_bytes).ok()?)?;
    file.get(start..end)
}

/// What a program will have in memory, as its file has it.
struct InFile<'a> {
    file: &'a [u8],
    table: &'a [u8],
}

impl Memory for InFile<'_> {
    fn read(&mut self, address: u64, buffer: &mut [u8]) -> bool {
        let place = elf::place(elf::segments(self.table), address, buffer.len() as u64);
        let start = place.and_then(|place| usize::try_from(place).ok());
        let source = start.and_then(|start| self.file.get(start..)?.get(..buffer.len()));
        match source {
            Some(source) => {
                buffer.copy_from_slice(source);
                true
            }
            None => false,
        }
    }
}
