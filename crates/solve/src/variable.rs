//! A variable that only direct reads and writes of its own address touch.
//!
//! Abstraction: eight bytes of an object that no reached instruction takes the address of, whose address lies in no
//! data, that no symbol exports and that the loader does not relocate are written by the stores that name them and by
//! nothing else.
//! Assumed of a binary: code that names a pointer variable by its own address does not also write it as part of
//! something larger through another address. Only a call number behind such a pointer is looked for this way
//! (glibc hands the number of a set*id call to its threads so).

use confine_code::ReferenceKind;
use confine_elf::{Address, RelocationValue};

use crate::program::{Node, Program};
use crate::reach::Reach;

/// Who reads and writes it.
pub(crate) struct Variable {
    /// Functions and the instructions in them that store all of it.
    pub(crate) writers: Vec<(Node, Address)>,
    /// What the file gives it.
    pub(crate) initial: u64,
    /// Functions that load it.
    pub(crate) readers: Vec<Node>,
}

impl Variable {
    /// The variable at `address` of `object`, if it is one of these.
    pub(crate) fn find(
        program: &Program<'_>,
        reach: &Reach,
        object: usize,
        address: Address,
    ) -> Option<Self> {
        let elf = program.elf(object);
        let end = address.checked_add(8)?;
        let symbols = elf.dynamic_symbols.iter().filter(|symbol| symbol.defined);
        let exported = symbols
            .filter(|symbol| symbol.size > 0)
            .any(|symbol| symbol.address < end && address < symbol.address.saturating_add(symbol.size));
        let leads_there =
            |value| matches!(value, RelocationValue::Address(target) if (address..end).contains(&target));
        let mut pointers = program.facts[object].pointers.iter();
        if exported
            || elf.relocation_over(address, 8).is_some()
            || pointers.any(|pointer| leads_there(pointer.value))
        {
            return None;
        }
        let mut variable = Self {
            writers: Vec::new(),
            initial: elf.word_at(address).unwrap_or(0),
            readers: Vec::new(),
        };
        for node in reach
            .order
            .iter()
            .filter(|node| program.locate(**node).0 == object)
        {
            for reference in &program.function(*node).references {
                let overlaps = |bytes: u8| {
                    reference.target < end && address < reference.target.saturating_add(u64::from(bytes))
                };
                match reference.kind {
                    ReferenceKind::Take if overlaps(1) => return None,
                    // One store that writes all of it, and perhaps its neighbours.
                    ReferenceKind::Write(bytes) if covers(reference.target, bytes, address) => {
                        variable.writers.push((*node, reference.at));
                    }
                    ReferenceKind::Write(bytes) if overlaps(bytes) => return None,
                    ReferenceKind::Read(bytes) if overlaps(bytes) => variable.readers.push(*node),
                    _ => {}
                }
            }
        }
        Some(variable)
    }
}

fn covers(target: Address, bytes: u8, variable: Address) -> bool {
    let whole = target == variable && bytes == 8;
    let vector = bytes > 8 && target <= variable && variable + 8 <= target.saturating_add(bytes.into());
    whole || vector
}
