//! Relocations: DT_RELA, DT_JMPREL, DT_RELR, and the allocated `.rela.*` sections of static programs.

use object::LittleEndian as LE;
use object::elf::{
    DT_JMPREL, DT_PLTRELSZ, DT_RELA, DT_RELASZ, DT_RELR, DT_RELRSZ, R_X86_64_8, R_X86_64_16, R_X86_64_32,
    R_X86_64_32S, R_X86_64_64, R_X86_64_COPY, R_X86_64_DTPMOD64, R_X86_64_DTPOFF32, R_X86_64_DTPOFF64,
    R_X86_64_GLOB_DAT, R_X86_64_GOTOFF64, R_X86_64_GOTPCREL, R_X86_64_GOTTPOFF, R_X86_64_IRELATIVE,
    R_X86_64_JUMP_SLOT, R_X86_64_NONE, R_X86_64_PC8, R_X86_64_PC16, R_X86_64_PC32, R_X86_64_PC64,
    R_X86_64_PLT32, R_X86_64_RELATIVE, R_X86_64_RELATIVE64, R_X86_64_SIZE32, R_X86_64_SIZE64,
    R_X86_64_TLSDESC, R_X86_64_TLSGD, R_X86_64_TLSLD, R_X86_64_TPOFF32, R_X86_64_TPOFF64, Rela64,
    RelocationType, SHF_ALLOC, SHT_RELA,
};

use crate::dynamic::Table;
use crate::problems::Problems;
use crate::raw::structures;
use crate::sections::Sections;
use crate::{Address, Object, Relocation, RelocationValue};

const WORD: u64 = 8;

/// Every relocation that applies to memory, sorted by address.
pub(crate) fn read(
    object: &Object,
    table: &Table,
    sections: &Sections<'_>,
    problems: &mut Problems,
) -> Vec<Relocation> {
    let mut relocations = Vec::new();
    for (address, size) in [(DT_RELA, DT_RELASZ), (DT_JMPREL, DT_PLTRELSZ)] {
        let Some(address) = table.value(address) else {
            continue;
        };
        let size = table.value(size).unwrap_or_default();
        let entries: &[Rela64<LE>] = of_memory(object, address, size, "relocations", problems);
        relocations.extend(entries.iter().filter_map(with_addend));
    }
    if let Some(address) = table.value(DT_RELR) {
        let size = table.value(DT_RELRSZ).unwrap_or_default();
        let entries = of_memory(object, address, size, "relative relocations", problems);
        let most = object.bytes.len() / WORD as usize;
        relocations.extend(
            relative(entries)
                .filter_map(|at| relative_at(object, at))
                .take(most),
        );
    }
    if !object.dynamic.present {
        relocations.extend(static_entries(sections).filter_map(with_addend));
    }
    // Stable, so that of several relocations of one word the one that the loader applies last stays last.
    // Some linkers let DT_RELA's range include DT_JMPREL's: the same entry then comes twice.
    relocations.sort_by_key(|relocation| relocation.at);
    relocations.dedup();
    note_unknown(&relocations, problems);
    relocations
}

/// What a relocation of an unknown type writes is not known: said once, with the first one.
fn note_unknown(relocations: &[Relocation], problems: &mut Problems) {
    let mut unknown = relocations
        .iter()
        .filter_map(|relocation| match relocation.value {
            RelocationValue::Unknown(kind) => Some((relocation.at, kind)),
            _ => None,
        });
    if let Some((at, kind)) = unknown.next() {
        let more = unknown.count();
        problems.add(format!(
            "relocation at {at:#x}: type {kind} is not known (and {more} more such)"
        ));
    }
}

/// The table of `size` bytes at `address`, cut to its segment.
fn of_memory<'a, T: object::pod::Pod>(
    object: &'a Object,
    address: Address,
    size: u64,
    what: &str,
    problems: &mut Problems,
) -> &'a [T] {
    let count = size / size_of::<T>().max(1) as u64;
    let entries = structures(object.bytes_at(address), 0, count);
    if (entries.len() as u64) < count {
        problems.add(format!(
            "{what} at {address:#x}: expected {count}, found {} in memory",
            entries.len()
        ));
    }
    entries
}

/// What a static program's own start-up code applies; such a program has no dynamic table to say where.
fn static_entries<'a>(sections: &Sections<'a>) -> impl Iterator<Item = &'a Rela64<LE>> {
    sections
        .of_type(SHT_RELA)
        .filter(|header| header.sh_flags.get(LE).contains(SHF_ALLOC))
        .flat_map(|header| structures(sections.contents(header), 0, u64::MAX))
}

/// DT_RELR: an even entry is an address to relocate, an odd one a map of which of the next 63 words are.
fn relative(entries: &[object::U64<LE>]) -> impl Iterator<Item = Address> {
    let mut next: Address = 0;
    entries.iter().flat_map(move |entry| {
        let entry = entry.get(LE);
        let (base, map) = if entry & 1 == 0 {
            (entry, 1)
        } else {
            (next, entry >> 1)
        };
        next = base.wrapping_add(if entry & 1 == 0 { WORD } else { 63 * WORD });
        (0..63_u64)
            .filter(move |bit| map >> bit & 1 == 1)
            .map(move |bit| base.wrapping_add(bit * WORD))
    })
}

/// The word at `at` is an address of this object. A word that is not in the file is zero and stays no address
/// of anything; so there are at most as many as the file has words, whatever the table repeats.
fn relative_at(object: &Object, at: Address) -> Option<Relocation> {
    Some(Relocation {
        at,
        value: RelocationValue::Address(object.word_at(at)?),
    })
}

fn with_addend(entry: &Rela64<LE>) -> Option<Relocation> {
    let value = value(
        entry.r_type(LE, false),
        entry.r_sym(LE, false),
        entry.r_addend.get(LE),
    )?;
    Some(Relocation {
        at: entry.r_offset.get(LE),
        value,
    })
}

/// What a relocation of x86-64 writes; `None` for R_X86_64_NONE.
fn value(kind: RelocationType, symbol: u32, addend: i64) -> Option<RelocationValue> {
    Some(match kind {
        R_X86_64_NONE => return None,
        R_X86_64_RELATIVE | R_X86_64_RELATIVE64 => RelocationValue::Address(addend.cast_unsigned()),
        R_X86_64_IRELATIVE => RelocationValue::Resolved(addend.cast_unsigned()),
        R_X86_64_COPY => RelocationValue::Copy { symbol },
        R_X86_64_DTPMOD64 | R_X86_64_DTPOFF64 | R_X86_64_DTPOFF32 | R_X86_64_TPOFF64 | R_X86_64_TPOFF32
        | R_X86_64_TLSGD | R_X86_64_TLSLD | R_X86_64_GOTTPOFF | R_X86_64_TLSDESC => {
            RelocationValue::ThreadLocal
        }
        // The symbol's address alone (x86-64 psABI, table of relocation types). The linker's `-z mark-plt` keeps the
        // stub's address in the addend of a slot, which the loader does not look at (glibc, elf_machine_rela).
        R_X86_64_GLOB_DAT | R_X86_64_JUMP_SLOT if symbol != 0 => {
            RelocationValue::Symbol { symbol, addend: 0 }
        }
        // The sizes are no addresses, but somebody who asks for a symbol's size knows the symbol.
        R_X86_64_64 | R_X86_64_GLOB_DAT | R_X86_64_JUMP_SLOT | R_X86_64_32 | R_X86_64_32S | R_X86_64_16
        | R_X86_64_8 | R_X86_64_PC64 | R_X86_64_PC32 | R_X86_64_PC16 | R_X86_64_PC8 | R_X86_64_PLT32
        | R_X86_64_GOTPCREL | R_X86_64_GOTOFF64 | R_X86_64_SIZE32 | R_X86_64_SIZE64 => match symbol {
            // Symbol 0 stands for the object's own base.
            0 => RelocationValue::Address(addend.cast_unsigned()),
            symbol => RelocationValue::Symbol { symbol, addend },
        },
        other => RelocationValue::Unknown(other.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_has_the_address_of_its_symbol_whatever_the_addend_says() {
        for (kind, addend) in [
            (R_X86_64_JUMP_SLOT, 0),
            (R_X86_64_GLOB_DAT, 0),
            (R_X86_64_64, 0x2220),
        ] {
            let expected = RelocationValue::Symbol { symbol: 35, addend };
            assert_eq!(value(kind, 35, 0x2220), Some(expected), "{kind:?}");
        }
    }
}
