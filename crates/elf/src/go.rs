//! Functions of Go programs, from the pclntab that the Go run time needs for its stack traces.
//!
//! The table survives `strip`, so a stripped Go program still has every function's start and name. It is found by
//! its section; in a file without sections by its header, in read-only memory.

use crate::problems::Problems;
use crate::raw::{u32_at, u64_at};
use crate::strings::Budget;
use crate::{Address, GoFunction, Object, RelocationValue};

/// What the header's first eight bytes say: magic, two zero bytes, 1 (x86 instructions have any length), 8.
const MAGICS: [(u32, Layout); 4] = [
    (0xffff_fffb, Layout::Go1_2),
    (0xffff_fffa, Layout::Go1_16),
    (0xffff_fff0, Layout::Go1_18),
    (0xffff_fff1, Layout::Go1_18),
];
const HEADER_TAIL: [u8; 4] = [0, 0, 1, 8];

/// The shape of the table; named after the release that brought it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// One blob; offsets from its start; addresses.
    Go1_2,
    /// Parts with their own offsets; addresses.
    Go1_16,
    /// Parts with their own offsets; 32-bit offsets from the start of the code. 1.20 changed the magic only.
    Go1_18,
}

/// The functions, sorted by start; empty if the object is no Go program.
pub(crate) fn read(object: &Object, names: &Budget, problems: &mut Problems) -> Vec<GoFunction> {
    let Some((address, layout)) = find(object) else {
        return Vec::new();
    };
    let Some(table) = Table::read(object, address, layout) else {
        problems.add(format!("go function table at {address:#x}: header broken"));
        return Vec::new();
    };
    let functions = table.functions(object, names);
    if functions.len() < table.count {
        problems.add(format!(
            "go function table at {address:#x}: expected {} functions, found {}",
            table.count,
            functions.len()
        ));
    }
    functions
}

fn find(object: &Object) -> Option<(Address, Layout)> {
    let named = object
        .sections
        .iter()
        .filter(|section| [".gopclntab", ".data.rel.ro.gopclntab"].contains(&section.name.as_str()))
        .find_map(|section| {
            Some((
                section.addresses.start,
                layout(object.bytes_at(section.addresses.start))?,
            ))
        });
    let may_hide = object.sections.is_empty()
        || object
            .sections
            .iter()
            .any(|section| section.name == ".go.buildinfo" || section.name.is_empty());
    named.or_else(|| if may_hide { search(object) } else { None })
}

fn layout(bytes: &[u8]) -> Option<Layout> {
    let magic = u32_at(bytes, 0)?;
    let (_, layout) = MAGICS.into_iter().find(|(known, _)| *known == magic)?;
    (bytes.get(4..8)? == HEADER_TAIL).then_some(layout)
}

/// Looks at every eighth address of readable memory; the linker aligns the table to 32.
fn search(object: &Object) -> Option<(Address, Layout)> {
    let readable = object.segments.iter().filter(|segment| segment.readable);
    readable.into_iter().find_map(|segment| {
        let start = segment.addresses.start.next_multiple_of(8);
        let bytes = object.bytes_at(start);
        let mut words = bytes.chunks_exact(8).enumerate();
        words.find_map(|(index, word)| {
            let address = start.checked_add(8 * index as u64)?;
            let layout = layout(word)?;
            let table = Table::read(object, address, layout)?;
            // A word that only looks like the magic has no functions behind it.
            table
                .first_function()
                .filter(|first| object.is_code(*first))
                .map(|_| (address, layout))
        })
    })
}

/// A table whose header was read.
struct Table<'a> {
    layout: Layout,
    /// How many functions the header announces.
    count: usize,
    /// What code offsets are relative to; 0 where the table has addresses.
    text: Address,
    names: &'a [u8],
    /// The table of (code, function data) pairs, which the function data's offsets are relative to.
    entries: &'a [u8],
    /// What offsets of function data are relative to.
    data: &'a [u8],
}

impl<'a> Table<'a> {
    fn read(object: &'a Object, address: Address, layout: Layout) -> Option<Self> {
        let bytes = object.bytes_at(address);
        let word = |index: usize| u64_at(bytes, 8 + 8 * index);
        let part = |index: usize| bytes.get(usize::try_from(word(index)?).ok()?..);
        let count = usize::try_from(word(0)?).ok()?;
        Some(match layout {
            Layout::Go1_2 => Self {
                layout,
                count,
                text: 0,
                names: bytes,
                entries: bytes.get(16..)?,
                data: bytes,
            },
            Layout::Go1_16 => Self {
                layout,
                count,
                text: 0,
                names: part(2)?,
                entries: part(6)?,
                data: part(6)?,
            },
            Layout::Go1_18 => {
                let (names, entries) = (part(3)?, part(7)?);
                let text = text_start(object, address, word(2)?, u32_at(entries, 0)?)?;
                Self {
                    layout,
                    count,
                    text,
                    names,
                    entries,
                    data: entries,
                }
            }
        })
    }

    fn first_function(&self) -> Option<Address> {
        self.code(0)
    }

    fn functions(&self, object: &Object, names: &Budget) -> Vec<GoFunction> {
        let width = self.width();
        let fitting = (self.entries.len() / (2 * width)).min(self.count);
        let function = |index: usize| {
            let (start, end) = (self.code(index)?, self.code(index.checked_add(1)?)?);
            let name = self
                .name(index)
                .and_then(|offset| names.name(self.names, offset))
                .unwrap_or_default();
            (start < end && object.is_code(start)).then_some(GoFunction {
                code: start..end,
                name,
            })
        };
        let mut functions: Vec<GoFunction> = (0..fitting).filter_map(function).collect();
        functions.sort_by_key(|function| (function.code.start, function.code.end));
        functions
    }

    /// Where the function with this index starts; the last function's end comes as one index more.
    fn code(&self, index: usize) -> Option<Address> {
        self.text.checked_add(self.value(index.checked_mul(2)?)?)
    }

    /// The offset of the name, the second field of the function's data.
    fn name(&self, index: usize) -> Option<u64> {
        let offset = usize::try_from(self.value(index.checked_mul(2)?.checked_add(1)?)?).ok()?;
        u32_at(self.data.get(offset..)?, self.width()).map(u64::from)
    }

    fn value(&self, index: usize) -> Option<u64> {
        let offset = index.checked_mul(self.width())?;
        match self.layout {
            Layout::Go1_2 | Layout::Go1_16 => u64_at(self.entries, offset),
            Layout::Go1_18 => u32_at(self.entries, offset).map(u64::from),
        }
    }

    fn width(&self) -> usize {
        match self.layout {
            Layout::Go1_2 | Layout::Go1_16 => 8,
            Layout::Go1_18 => 4,
        }
    }
}

/// What code offsets are relative to: the header's word, or what a relocation writes there; newer linkers leave
/// it 0, then the run time's module data, which points at the table, tells where the first function is.
fn text_start(object: &Object, table: Address, word: u64, first: u32) -> Option<Address> {
    let at = table.checked_add(24)?;
    let relocated = object
        .relocations
        .binary_search_by_key(&at, |relocation| relocation.at)
        .ok();
    let relocated = relocated
        .and_then(|index| object.relocations.get(index))
        .map(|relocation| relocation.value);
    match (relocated, word) {
        (Some(RelocationValue::Address(text)), _) => Some(text),
        (_, 0) => module_data_text(object, table, first),
        (_, text) => Some(text),
    }
}

/// The module data's first word points at the table, its word 20 is the address of the first function.
fn module_data_text(object: &Object, table: Address, first: u32) -> Option<Address> {
    const FIRST_FUNCTION: u64 = 20 * 8;
    let pointer_at = |at: Address| {
        let found = object
            .relocations
            .binary_search_by_key(&at, |relocation| relocation.at)
            .ok();
        match found
            .and_then(|index| object.relocations.get(index))
            .map(|relocation| relocation.value)
        {
            Some(RelocationValue::Address(address)) => Some(address),
            _ => object.word_at(at),
        }
    };
    let relocated = object
        .relocations
        .iter()
        .filter(|r| r.value == RelocationValue::Address(table))
        .map(|r| r.at);
    let stored = object
        .segments
        .iter()
        .filter(|segment| segment.writable)
        .flat_map(|segment| {
            let start = segment.addresses.start.next_multiple_of(8);
            let words = object.bytes_at(start).chunks_exact(8).enumerate();
            words.filter_map(move |(index, word)| {
                (u64_at(word, 0) == Some(table)).then_some(start.checked_add(8 * index as u64)?)
            })
        });
    relocated.chain(stored).find_map(|module| {
        let function = pointer_at(module.checked_add(FIRST_FUNCTION)?)?;
        function
            .checked_sub(u64::from(first))
            .filter(|_| object.is_code(function))
    })
}
