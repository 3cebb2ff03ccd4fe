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

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: u64 = 0x40_0000;
    const CODE: u64 = BASE + 0x1000;
    const TABLE: usize = 0x800;

    /// A program of one segment without sections, with a table of two functions of 16 and 32 bytes.
    fn program(layout: Layout, magic: u32, text: u64) -> Vec<u8> {
        let mut file = vec![0; 0x2000];
        let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &[0x7f, b'E', b'L', b'F', 2, 1, 1]);
        put(16, &[2, 0, 62, 0, 1]);
        put(32, &64_u64.to_le_bytes());
        put(52, &[64, 0, 56, 0, 1, 0, 64]);
        put(64, &[1, 0, 0, 0, 5]);
        put(80, &BASE.to_le_bytes());
        put(96, &0x2000_u64.to_le_bytes());
        put(104, &0x2000_u64.to_le_bytes());
        put(TABLE, &[&magic.to_le_bytes()[..], &HEADER_TAIL].concat());
        put(TABLE + 8, &2_u64.to_le_bytes());
        let (names, entries) = (0x200_usize, 0x100_usize);
        put(TABLE + names, b"main.main\0main.init\0");
        let wide = |values: [u64; 5]| values.map(u64::to_le_bytes).concat();
        let narrow = |values: [u32; 5]| values.map(u32::to_le_bytes).concat();
        let starts = [CODE, CODE + 16, CODE + 48];
        match layout {
            Layout::Go1_2 => {
                put(TABLE + 16, &wide([starts[0], 0x300, starts[1], 0x320, starts[2]]));
                put(TABLE + 0x308, &0x200_u32.to_le_bytes());
                put(TABLE + 0x328, &0x20a_u32.to_le_bytes());
            }
            Layout::Go1_16 => {
                put(TABLE + 24, &(names as u64).to_le_bytes());
                put(TABLE + 56, &(entries as u64).to_le_bytes());
                put(
                    TABLE + entries,
                    &wide([starts[0], 0x80, starts[1], 0xa0, starts[2]]),
                );
                put(TABLE + entries + 0x88, &0_u32.to_le_bytes());
                put(TABLE + entries + 0xa8, &10_u32.to_le_bytes());
            }
            Layout::Go1_18 => {
                put(TABLE + 24, &text.to_le_bytes());
                put(TABLE + 32, &(names as u64).to_le_bytes());
                put(TABLE + 64, &(entries as u64).to_le_bytes());
                put(TABLE + entries, &narrow([0, 0x80, 16, 0xa0, 48]));
                put(TABLE + entries + 0x84, &0_u32.to_le_bytes());
                put(TABLE + entries + 0xa4, &10_u32.to_le_bytes());
            }
        }
        file
    }

    fn check(file: Vec<u8>, expected: &[(u64, u64, &str)]) {
        let object = Object::parse(file.into()).unwrap();
        let functions = object.go_functions.iter();
        let found: Vec<_> = functions
            .map(|f| (f.code.start, f.code.end, f.name.as_str()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn every_release_s_table_is_found_without_sections() {
        let expected = [
            (CODE, CODE + 16, "main.main"),
            (CODE + 16, CODE + 48, "main.init"),
        ];
        for (magic, layout) in MAGICS {
            check(program(layout, magic, CODE), &expected);
        }
    }

    #[test]
    fn what_only_looks_like_a_table_is_none() {
        check(program(Layout::Go1_18, 0xffff_fff1, 0xdead_0000_0000), &[]);
        let mut cut = program(Layout::Go1_2, 0xffff_fffb, CODE);
        cut.truncate(TABLE + 20);
        check(cut, &[]);
    }
}
