//! Landing pads: the call-site tables of .gcc_except_table.
//!
//! Every landing pad of a table is taken, whatever its actions are: which exceptions are thrown is not known.

use gimli::{DW_EH_PE_omit, DwEhPe, EndianSlice, LittleEndian, Reader as _, constants};

use crate::{Address, Object};

type Reader<'a> = EndianSlice<'a, LittleEndian>;

/// Reads the tables of one object.
pub(crate) struct LandingPads<'a> {
    object: &'a Object,
    /// How many bytes of tables may still be read: every function has its own table, so more than the file's
    /// size means that functions share them to cost time.
    budget: usize,
    broken: usize,
}

impl<'a> LandingPads<'a> {
    pub(crate) fn new(object: &'a Object) -> Self {
        Self {
            object,
            budget: object.bytes.len(),
            broken: 0,
        }
    }

    /// The landing pads in the table at `table`, which belongs to the function at `function`, sorted.
    pub(crate) fn read(&mut self, table: Address, function: Address) -> Vec<Address> {
        let bytes = self.object.bytes_at(table);
        let pads = call_sites(bytes, table, function).and_then(|sites| {
            self.budget = self.budget.checked_sub(sites.table.len())?;
            sites.landing_pads(self.object)
        });
        let Some(mut pads) = pads else {
            self.broken += 1;
            return Vec::new();
        };
        pads.sort_unstable();
        pads.dedup();
        pads
    }

    pub(crate) fn problem(&self) -> Option<String> {
        (self.broken > 0).then(|| {
            format!(
                "exception tables: {} broken, their landing pads left out",
                self.broken
            )
        })
    }
}

/// The call-site table of one function.
struct CallSites<'a> {
    table: Reader<'a>,
    encoding: DwEhPe,
    /// What landing pads are relative to.
    base: Address,
}

fn call_sites(bytes: &[u8], address: Address, function: Address) -> Option<CallSites<'_>> {
    let mut reader = EndianSlice::new(bytes, LittleEndian);
    let base_encoding = DwEhPe(reader.read_u8().ok()?);
    let base = if base_encoding == DW_EH_PE_omit {
        function
    } else {
        let here = address.checked_add((bytes.len() - reader.len()) as u64)?;
        let value = encoded(&mut reader, base_encoding)?;
        match base_encoding.application() {
            constants::DW_EH_PE_absptr => value,
            constants::DW_EH_PE_pcrel => here.wrapping_add(value),
            constants::DW_EH_PE_funcrel => function.wrapping_add(value),
            _ => return None,
        }
    };
    if DwEhPe(reader.read_u8().ok()?) != DW_EH_PE_omit {
        reader.read_uleb128().ok()?;
    }
    let encoding = DwEhPe(reader.read_u8().ok()?);
    let length = usize::try_from(reader.read_uleb128().ok()?).ok()?;
    let table = reader.split(length).ok()?;
    Some(CallSites {
        table,
        encoding,
        base,
    })
}

impl CallSites<'_> {
    fn landing_pads(self, object: &Object) -> Option<Vec<Address>> {
        let mut pads = Vec::new();
        let mut reader = self.table;
        // Bounded: every round consumes bytes of the table.
        while !reader.is_empty() {
            encoded(&mut reader, self.encoding)?;
            encoded(&mut reader, self.encoding)?;
            let pad = encoded(&mut reader, self.encoding)?;
            reader.read_uleb128().ok()?;
            let address = self.base.wrapping_add(pad);
            if pad != 0 && object.is_code(address) {
                pads.push(address);
            }
        }
        Some(pads)
    }
}

/// A value in one of the formats of DWARF pointer encodings.
fn encoded(reader: &mut Reader<'_>, encoding: DwEhPe) -> Option<u64> {
    match encoding.format() {
        constants::DW_EH_PE_absptr | constants::DW_EH_PE_udata8 | constants::DW_EH_PE_sdata8 => {
            reader.read_u64()
        }
        constants::DW_EH_PE_uleb128 => reader.read_uleb128(),
        constants::DW_EH_PE_sleb128 => reader.read_sleb128().map(i64::cast_unsigned),
        constants::DW_EH_PE_udata2 => reader.read_u16().map(u64::from),
        constants::DW_EH_PE_udata4 => reader.read_u32().map(u64::from),
        constants::DW_EH_PE_sdata2 => reader.read_i16().map(|value| i64::from(value).cast_unsigned()),
        constants::DW_EH_PE_sdata4 => reader.read_i32().map(|value| i64::from(value).cast_unsigned()),
        _ => return None,
    }
    .ok()
}
