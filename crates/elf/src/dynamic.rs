//! The dynamic table: what the loader is told.

use std::collections::BTreeMap;
use std::ops::Range;

use object::LittleEndian as LE;
use object::elf::{
    DF_SYMBOLIC, DT_AUDIT, DT_AUXILIARY, DT_DEPAUDIT, DT_FILTER, DT_FINI, DT_FINI_ARRAY, DT_FINI_ARRAYSZ,
    DT_FLAGS, DT_INIT, DT_INIT_ARRAY, DT_INIT_ARRAYSZ, DT_JMPREL, DT_NEEDED, DT_NULL, DT_PLTGOT, DT_PLTRELSZ,
    DT_PREINIT_ARRAY, DT_PREINIT_ARRAYSZ, DT_REL, DT_RELA, DT_RELASZ, DT_RPATH, DT_RUNPATH, DT_SONAME,
    DT_STRTAB, DT_SYMBOLIC, DT_SYMTAB, Dyn64, DynamicTag,
};

use crate::problems::Problems;
use crate::raw::structures;
use crate::strings::Budget;
use crate::{Address, Dynamic, Object};

/// The raw entries, found by PT_DYNAMIC.
#[derive(Debug, Default)]
pub(crate) struct Table {
    present: bool,
    /// The last entry of each tag, as loaders keep them.
    values: BTreeMap<i64, u64>,
    /// Tags that may repeat, in order.
    repeated: Vec<(DynamicTag, u64)>,
}

impl Table {
    /// Reads up to DT_NULL; the loaders do not ask how long the segment is either.
    pub(crate) fn read(object: &Object, address: Option<Address>, problems: &mut Problems) -> Self {
        let Some(address) = address else {
            return Self::default();
        };
        let mut table = Self {
            present: true,
            ..Self::default()
        };
        let entries: &[Dyn64<LE>] = structures(object.bytes_at(address), 0, u64::MAX);
        let mut ended = false;
        for entry in entries {
            let (tag, value) = (entry.d_tag.get(LE), entry.d_val.get(LE));
            if tag == DT_NULL {
                ended = true;
                break;
            }
            if [DT_NEEDED, DT_AUXILIARY, DT_FILTER].contains(&tag) {
                table.repeated.push((tag, value));
            }
            table.values.insert(tag.0, value);
        }
        if !ended {
            problems.add(format!(
                "dynamic table at {address:#x}: not ended inside its segment"
            ));
        }
        table
    }

    /// The value of a tag.
    pub(crate) fn value(&self, tag: DynamicTag) -> Option<u64> {
        self.values.get(&tag.0).copied()
    }

    /// The string table, to the end of its segment: loaders do not look at DT_STRSZ.
    pub(crate) fn strings<'a>(&self, object: &'a Object) -> &'a [u8] {
        self.value(DT_STRTAB)
            .map_or(&[], |address| object.bytes_at(address))
    }

    /// The smallest value above `address`: where the table at `address` ends at the latest, when tables follow
    /// each other as linkers place them.
    pub(crate) fn next_above(&self, address: Address) -> Option<Address> {
        self.values
            .values()
            .copied()
            .filter(|value| *value > address)
            .min()
    }

    /// The values that later rooms need.
    pub(crate) fn values(&self, object: &Object, names: &Budget, problems: &mut Problems) -> Dynamic {
        if self.present && self.value(DT_REL).is_some() {
            problems
                .add("dynamic table: relocations without addends (DT_REL), which this machine does not use");
        }
        let strings = self.strings(object);
        let mut name = |offset: u64| {
            let name = names.name(strings, offset);
            if name.is_none() {
                problems.add(format!(
                    "dynamic table: name {offset:#x} lies outside the string table"
                ));
            }
            name
        };
        let mut repeated = |wanted: &[DynamicTag]| -> Vec<String> {
            let offsets = self.repeated.iter().filter(|(tag, _)| wanted.contains(tag));
            offsets.filter_map(|(_, offset)| name(*offset)).collect()
        };
        let needed = repeated(&[DT_NEEDED]);
        let filters = repeated(&[DT_AUXILIARY, DT_FILTER]);
        let mut list = |tag: DynamicTag| -> Vec<String> {
            let text = self.value(tag).and_then(&mut name).unwrap_or_default();
            if text.is_empty() {
                Vec::new()
            } else {
                text.split(':').map(str::to_owned).collect()
            }
        };
        let (rpath, runpath) = (list(DT_RPATH), list(DT_RUNPATH));
        let audit = [list(DT_AUDIT), list(DT_DEPAUDIT)].concat();
        Dynamic {
            needed,
            soname: self.value(DT_SONAME).and_then(&mut name),
            rpath,
            runpath,
            init: self.value(DT_INIT),
            fini: self.value(DT_FINI),
            offset_table: self.value(DT_PLTGOT),
            function_arrays: [
                (DT_PREINIT_ARRAY, DT_PREINIT_ARRAYSZ),
                (DT_INIT_ARRAY, DT_INIT_ARRAYSZ),
                (DT_FINI_ARRAY, DT_FINI_ARRAYSZ),
            ]
            .into_iter()
            .filter_map(|(start, size)| self.range(start, size))
            .collect(),
            relocation_tables: [(DT_RELA, DT_RELASZ), (DT_JMPREL, DT_PLTRELSZ)]
                .into_iter()
                .filter_map(|(start, size)| self.range(start, size))
                .collect(),
            symbol_table: self.value(DT_SYMTAB),
            symbolic: self.value(DT_SYMBOLIC).is_some()
                || self
                    .value(DT_FLAGS)
                    .is_some_and(|flags| flags & DF_SYMBOLIC.0 != 0),
            filters,
            audit,
            present: self.present,
        }
    }

    fn range(&self, start: DynamicTag, size: DynamicTag) -> Option<Range<Address>> {
        let start = self.value(start)?;
        let end = start.checked_add(self.value(size)?)?;
        (start < end).then_some(start..end)
    }
}
