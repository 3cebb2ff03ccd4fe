//! Symbols: .dynsym as the loader finds it, .symtab where a file has one.

use object::LittleEndian as LE;
use object::elf::{
    DT_GNU_HASH, DT_HASH, DT_SYMTAB, GnuHashHeader, SHN_UNDEF, SHT_DYNSYM, SHT_SYMTAB, STB_GLOBAL,
    STB_GNU_UNIQUE, STB_WEAK, STT_COMMON, STT_FUNC, STT_GNU_IFUNC, STT_NOTYPE, STT_OBJECT, STT_TLS,
    STV_HIDDEN, STV_INTERNAL, STV_PROTECTED, Sym64,
};

use crate::dynamic::Table;
use crate::problems::Problems;
use crate::raw::{structure, structures, u32_at};
use crate::sections::Sections;
use crate::strings::Budget;
use crate::versions::Versions;
use crate::{Address, Binding, Object, RelocationValue, Symbol, SymbolKind};

pub(crate) const SYMBOL_SIZE: u64 = size_of::<Sym64<LE>>() as u64;

/// The symbols that DT_SYMTAB points at, the null symbol included.
pub(crate) fn dynamic(
    object: &Object,
    table: &Table,
    sections: &Sections<'_>,
    names: &Budget,
    problems: &mut Problems,
) -> Vec<Symbol> {
    let Some(address) = table.value(DT_SYMTAB) else {
        return Vec::new();
    };
    let count = dynamic_count(object, table, sections, address);
    let symbols: &[Sym64<LE>] = structures(object.bytes_at(address), 0, count);
    if (symbols.len() as u64) < count {
        problems.add(format!(
            "dynamic symbols: expected {count}, found {} in the segment",
            symbols.len()
        ));
    }
    let versions = Versions::read(object, table, names, problems);
    let strings = table.strings(object);
    let convert = |(index, symbol)| {
        let version = versions.of(index, names);
        Symbol {
            version,
            ..plain(symbol, strings, names)
        }
    };
    symbols.iter().enumerate().map(convert).collect()
}

/// The symbols of .symtab, the null symbol left out.
pub(crate) fn of_sections(sections: &Sections<'_>, names: &Budget, problems: &mut Problems) -> Vec<Symbol> {
    let Some(header) = sections.of_type(SHT_SYMTAB).next() else {
        return Vec::new();
    };
    let strings = sections
        .linked(header.sh_link.get(LE))
        .map_or(&[][..], |strings| sections.contents(strings));
    let count = header.sh_size.get(LE) / SYMBOL_SIZE;
    let symbols: &[Sym64<LE>] = structures(sections.contents(header), 0, count);
    if (symbols.len() as u64) < count {
        problems.add(format!(
            "symbols: expected {count}, found {} in the file",
            symbols.len()
        ));
    }
    symbols
        .iter()
        .skip(1)
        .map(|symbol| plain(symbol, strings, names))
        .collect()
}

/// How many dynamic symbols there are, which no entry of the dynamic table says.
///
/// DT_HASH has the number. DT_GNU_HASH covers the defined ones, behind which no linker puts others; the
/// relocations show the highest one in use, the section headers may tell. With nothing of that, what lies before
/// the next table is the bound.
fn dynamic_count(object: &Object, table: &Table, sections: &Sections<'_>, address: Address) -> u64 {
    if let Some(count) = table
        .value(DT_HASH)
        .and_then(|hash| u32_at(object.bytes_at(hash), 4))
    {
        return u64::from(count);
    }
    let hashed = table
        .value(DT_GNU_HASH)
        .and_then(|hash| gnu_hash_count(object.bytes_at(hash)));
    let section = sections
        .at(SHT_DYNSYM, address)
        .map(|header| header.sh_size.get(LE) / SYMBOL_SIZE);
    let used = object
        .relocations
        .iter()
        .filter_map(|relocation| match relocation.value {
            RelocationValue::Symbol { symbol, .. } | RelocationValue::Copy { symbol } => {
                Some(u64::from(symbol) + 1)
            }
            _ => None,
        });
    let known = hashed.max(section).max(used.max());
    if hashed.or(section).is_some() {
        return known.unwrap_or_default();
    }
    let adjacent = table
        .next_above(address)
        .map(|next| (next - address) / SYMBOL_SIZE);
    known.max(adjacent).unwrap_or_default()
}

/// The number of symbols that a DT_GNU_HASH table covers: one more than the last index of its longest chain.
fn gnu_hash_count(hash: &[u8]) -> Option<u64> {
    let header: &GnuHashHeader<LE> = structure(hash, 0)?;
    let buckets = u64::from(header.bucket_count.get(LE));
    let base = u64::from(header.symbol_base.get(LE));
    let bucket_offset =
        size_of::<GnuHashHeader<LE>>() as u64 + u64::from(header.bloom_count.get(LE)).checked_mul(8)?;
    let bucket_table: &[object::U32<LE>] = structures(hash, bucket_offset, buckets);
    let last = bucket_table
        .iter()
        .map(|bucket| u64::from(bucket.get(LE)))
        .max()
        .unwrap_or_default();
    if last < base {
        return Some(base);
    }
    let chain_offset = bucket_offset.checked_add(buckets.checked_mul(4)?)?;
    let chain: &[object::U32<LE>] = structures(
        hash,
        chain_offset.checked_add((last - base).checked_mul(4)?)?,
        u64::MAX,
    );
    // Bounded by the segment's bytes; the lowest bit marks the end of a chain.
    let length = chain.iter().position(|word| word.get(LE) & 1 == 1)?;
    Some(last + length as u64 + 1)
}

fn plain(symbol: &Sym64<LE>, strings: &[u8], names: &Budget) -> Symbol {
    let visibility = symbol.st_other.0 & 3;
    Symbol {
        name: names
            .name(strings, u64::from(symbol.st_name.get(LE)))
            .unwrap_or_default(),
        version: None,
        address: symbol.st_value.get(LE),
        size: symbol.st_size.get(LE),
        kind: match symbol.st_info.st_type() {
            STT_NOTYPE => SymbolKind::Untyped,
            STT_FUNC => SymbolKind::Function,
            STT_OBJECT | STT_COMMON => SymbolKind::Data,
            STT_TLS => SymbolKind::ThreadLocal,
            STT_GNU_IFUNC => SymbolKind::Indirect,
            _ => SymbolKind::Other,
        },
        binding: match symbol.st_info.st_bind() {
            STB_GLOBAL | STB_GNU_UNIQUE => Binding::Global,
            STB_WEAK => Binding::Weak,
            _ => Binding::Local,
        },
        hidden: [STV_HIDDEN.0, STV_INTERNAL.0].contains(&visibility),
        protected: visibility == STV_PROTECTED.0,
        defined: symbol.st_shndx.get(LE) != SHN_UNDEF,
    }
}
