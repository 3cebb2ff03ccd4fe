//! Symbol versions: DT_VERSYM, DT_VERDEF and DT_VERNEED.

use std::collections::BTreeMap;

use object::LittleEndian as LE;
use object::elf::{DT_VERDEF, DT_VERNEED, DT_VERSYM, VER_FLG_BASE, Verdaux, Verdef, Vernaux, Verneed};

use crate::dynamic::Table;
use crate::problems::Problems;
use crate::raw::{structure, u16_at};
use crate::strings::Budget;
use crate::{Object, Version};

/// The bit of a DT_VERSYM entry that says: only for references that ask for this version.
const HIDDEN: u16 = 0x8000;

/// Indices have 15 bits, so no table that could be used has more entries.
const MOST_VERSIONS: usize = 1 << 15;

/// The version of every symbol.
pub(crate) struct Versions<'a> {
    indices: &'a [u8],
    names: BTreeMap<u16, String>,
}

impl<'a> Versions<'a> {
    pub(crate) fn read(object: &'a Object, table: &Table, names: &Budget, problems: &mut Problems) -> Self {
        let indices = table
            .value(DT_VERSYM)
            .map_or(&[][..], |address| object.bytes_at(address));
        let mut versions = Self {
            indices,
            names: BTreeMap::new(),
        };
        let strings = table.strings(object);
        if let Some(address) = table.value(DT_VERDEF)
            && versions
                .definitions(object.bytes_at(address), strings, names)
                .is_none()
        {
            problems.add(format!("version definitions at {address:#x}: broken"));
        }
        if let Some(address) = table.value(DT_VERNEED)
            && versions.needs(object.bytes_at(address), strings, names).is_none()
        {
            problems.add(format!("version needs at {address:#x}: broken"));
        }
        versions
    }

    /// The version of the symbol with this index.
    pub(crate) fn of(&self, symbol: usize, names: &Budget) -> Option<Version> {
        let index = u16_at(self.indices, symbol.checked_mul(2)?)?;
        let name = self.names.get(&(index & !HIDDEN))?;
        Some(Version {
            name: names.copy(name),
            hidden: index & HIDDEN != 0,
            oldest: index & !HIDDEN == 2,
        })
    }

    fn definitions(&mut self, bytes: &[u8], strings: &[u8], names: &Budget) -> Option<()> {
        let mut offset = 0_u64;
        // Bounded: at most as many entries as there are indices, whatever the links say.
        for _ in 0..MOST_VERSIONS {
            let definition: &Verdef<LE> = structure(bytes, offset)?;
            let auxiliary: &Verdaux<LE> =
                structure(bytes, offset.checked_add(u64::from(definition.vd_aux.get(LE)))?)?;
            // The base definition is the file's own name and no version.
            if !definition.vd_flags.get(LE).contains(VER_FLG_BASE) {
                let name = names.name(strings, u64::from(auxiliary.vda_name.get(LE)))?;
                self.names.insert(definition.vd_ndx.get(LE).0 & !HIDDEN, name);
            }
            match definition.vd_next.get(LE) {
                0 => return Some(()),
                next => offset = offset.checked_add(u64::from(next))?,
            }
        }
        None
    }

    fn needs(&mut self, bytes: &[u8], strings: &[u8], names: &Budget) -> Option<()> {
        let mut offset = 0_u64;
        let mut left = MOST_VERSIONS;
        // Bounded: files and versions together use up `left`.
        while left > 0 {
            left -= 1;
            let need: &Verneed<LE> = structure(bytes, offset)?;
            let mut inner = offset.checked_add(u64::from(need.vn_aux.get(LE)))?;
            for _ in 0..need.vn_cnt.get(LE) {
                left = left.checked_sub(1)?;
                let version: &Vernaux<LE> = structure(bytes, inner)?;
                let name = names.name(strings, u64::from(version.vna_name.get(LE)))?;
                self.names.insert(version.vna_other.get(LE).0 & !HIDDEN, name);
                inner = inner.checked_add(u64::from(version.vna_next.get(LE)))?;
            }
            match need.vn_next.get(LE) {
                0 => return Some(()),
                next => offset = offset.checked_add(u64::from(next))?,
            }
        }
        None
    }
}
