//! The section headers, an aid where they are there and agree with the file.

use object::LittleEndian as LE;
use object::elf::{SHF_ALLOC, SHF_EXECINSTR, SHF_TLS, SHF_WRITE, SHN_XINDEX, SectionHeader64};

use crate::header::Header;
use crate::problems::Problems;
use crate::raw::{structure, structures};
use crate::strings::Budget;
use crate::{Address, Section};

/// Section headers with their name table.
pub(crate) struct Sections<'a> {
    bytes: &'a [u8],
    headers: &'a [SectionHeader64<LE>],
    names: &'a [u8],
}

impl<'a> Sections<'a> {
    pub(crate) fn read(bytes: &'a [u8], header: &Header, problems: &mut Problems) -> Self {
        let none = Self {
            bytes,
            headers: &[],
            names: &[],
        };
        if header.section_headers == 0 {
            return none;
        }
        let first = structure::<SectionHeader64<LE>>(bytes, header.section_headers);
        let (Some(first), true) = (
            first,
            usize::from(header.section_header_size) == size_of::<SectionHeader64<LE>>(),
        ) else {
            problems.add("section headers: outside the file or of an unknown size");
            return none;
        };
        // Counts and indices that do not fit into the file header are kept in the first section header.
        let count = match header.section_count {
            0 => first.sh_size.get(LE),
            count => u64::from(count),
        };
        let headers: &[SectionHeader64<LE>] = structures(bytes, header.section_headers, count);
        if (headers.len() as u64) < count {
            problems.add(format!(
                "section headers: expected {count}, found {} in the file",
                headers.len()
            ));
        }
        let names = match header.section_names {
            index if index == SHN_XINDEX.0 => first.sh_link.get(LE),
            index => u32::from(index),
        };
        let mut sections = Self {
            bytes,
            headers,
            names: &[],
        };
        sections.names = sections
            .linked(names)
            .map_or(&[], |names| sections.contents(names));
        sections
    }

    /// The sections that occupy memory, in address order.
    pub(crate) fn in_memory(&self, names: &Budget, problems: &mut Problems) -> Vec<Section> {
        let mut sections = Vec::new();
        for (index, header) in self.headers.iter().enumerate() {
            let flags = header.sh_flags.get(LE);
            if !flags.contains(SHF_ALLOC) {
                continue;
            }
            let start = header.sh_addr.get(LE);
            let Some(end) = start.checked_add(header.sh_size.get(LE)) else {
                problems.add(format!(
                    "section header {index}: address and size do not fit into 64 bits"
                ));
                continue;
            };
            sections.push(Section {
                name: names
                    .name(self.names, u64::from(header.sh_name.get(LE)))
                    .unwrap_or_default(),
                addresses: start..end,
                writable: flags.contains(SHF_WRITE),
                executable: flags.contains(SHF_EXECINSTR),
                thread_local: flags.contains(SHF_TLS),
            });
        }
        sections.sort_by_key(|section| (section.addresses.start, section.addresses.end));
        sections
    }

    /// All headers of one type.
    pub(crate) fn of_type(
        &self,
        kind: object::elf::SectionType,
    ) -> impl Iterator<Item = &'a SectionHeader64<LE>> + use<'a> {
        self.headers
            .iter()
            .filter(move |header| header.sh_type.get(LE) == kind)
    }

    /// The header of a type that starts at an address.
    pub(crate) fn at(
        &self,
        kind: object::elf::SectionType,
        address: Address,
    ) -> Option<&'a SectionHeader64<LE>> {
        self.of_type(kind)
            .find(|header| header.sh_addr.get(LE) == address)
    }

    /// The header that an `sh_link` names.
    pub(crate) fn linked(&self, index: u32) -> Option<&'a SectionHeader64<LE>> {
        usize::try_from(index)
            .ok()
            .filter(|index| *index != 0)
            .and_then(|index| self.headers.get(index))
    }

    /// The bytes of a section in the file, as many as are there.
    pub(crate) fn contents(&self, header: &SectionHeader64<LE>) -> &'a [u8] {
        structures::<u8>(self.bytes, header.sh_offset.get(LE), header.sh_size.get(LE))
    }
}
