//! Which program is being started.

use confine_bundle::{Fingerprint, Memory, elf, fingerprint};
use confine_sys::{AUXILIARY_ENTRY, File, Start, Text, copy_memory};

use crate::command_line::{self, Asked};

/// Which program it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    /// The one with this fingerprint.
    Known(Fingerprint),
    /// One that cannot be told.
    Unknown,
    /// No program's code will run.
    Nothing,
}

impl From<Option<Fingerprint>> for Identity {
    fn from(found: Option<Fingerprint>) -> Self {
        found.map_or(Self::Unknown, Self::Known)
    }
}

/// The program that the kernel has mapped beside its interpreter.
pub(crate) fn of_running(start: &Start) -> Identity {
    running(start).into()
}

fn running(start: &Start) -> Option<Fingerprint> {
    let (table, address) = start.program_headers()?;
    // By what C libraries compute it as well: where the headers are, less where the file has them.
    let headers = elf::segments(table).find(|segment| segment.kind == elf::HEADERS)?;
    let bias = address.wrapping_sub(headers.address);
    let entry = start.auxiliary(AUXILIARY_ENTRY)?.wrapping_sub(bias);
    fingerprint(&mut Mapped { bias }, table, entry)
}

/// The program that a loader is asked to run by its command line.
pub(crate) fn of_argument(start: &Start) -> Identity {
    match command_line::program(start) {
        Asked::Run(path) => in_file(path).into(),
        Asked::Unclear => Identity::Unknown,
        Asked::Show => Identity::Nothing,
    }
}

/// A program that is not mapped yet: its file has the same bytes.
fn in_file(path: Text) -> Option<Fingerprint> {
    // One that cannot be opened is the loader's to complain about.
    let file = File::open(path).ok()?;
    let mut header = [0; elf::HEADER_BYTES];
    if !file.read_at(&mut header, 0) {
        return None;
    }
    let header = elf::FileHeader::read(&header)?;
    let mut table = [0; MAXIMUM_TABLE_BYTES];
    let table = table.get_mut(..header.table_bytes())?;
    if !file.read_at(table, header.table) {
        return None;
    }
    let table = &*table;
    fingerprint(&mut Unmapped { file, table }, table, header.entry)
}

/// What the kernel takes for a table of program headers.
const MAXIMUM_TABLE_BYTES: usize = 4096;

/// A program in memory.
struct Mapped {
    /// How much higher it lies than its file says.
    bias: u64,
}

impl Memory for Mapped {
    #[allow(unsafe_code)] // The one place that reads what an address leads to.
    fn read(&mut self, address: u64, buffer: &mut [u8]) -> bool {
        // SAFETY: only addresses are asked for that the headers of the running program say are mapped from its file
        // and readable, by the trait. The kernel has mapped them so, or would not have started it; no other thread
        // is there, and nothing of the program ran that could have changed them.
        unsafe { copy_memory(self.bias.wrapping_add(address), buffer) }
        true
    }
}

/// A program in its file.
struct Unmapped<'a> {
    file: File,
    table: &'a [u8],
}

impl Memory for Unmapped<'_> {
    fn read(&mut self, address: u64, buffer: &mut [u8]) -> bool {
        match elf::place(elf::segments(self.table), address, buffer.len() as u64) {
            Some(offset) => self.file.read_at(buffer, offset),
            None => false,
        }
    }
}
