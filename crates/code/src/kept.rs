//! An object's facts as bytes, for whoever keeps them.
//!
//! What follows from the object's own tables without decoding (pointers, regions) and what is only looked up
//! ([`crate::Reference::function`]) is left out and made again. Addresses are distances from what stands before them, which
//! are short numbers.

use std::ops::Range;

use confine_elf::{Address, Machine, Object};
use serde::{Deserialize, Serialize};

use crate::facts::{Facts, Function, Reference, ReferenceKind};
use crate::pointers;

#[derive(Serialize, Deserialize)]
struct Kept {
    functions: Vec<KeptFunction>,
    cuts: Vec<Address>,
    code_bytes: u64,
}

#[derive(Serialize, Deserialize)]
struct KeptFunction {
    /// From the end of the function before.
    gap: u64,
    length: u64,
    references: Vec<KeptReference>,
    system_calls: Vec<u64>,
    foreign_system_calls: Vec<u64>,
    calls_indirectly: bool,
    indirect_jumps: Vec<u64>,
    jump_targets: Vec<u64>,
    unknown_entries: Vec<u64>,
}

/// The distance from the instruction before, what is done, and the distance from the instruction to the target.
type KeptReference = (u64, ReferenceKind, i64);

impl Facts {
    /// The facts as bytes.
    #[must_use]
    pub fn to_kept(&self) -> Vec<u8> {
        let mut end = 0;
        let functions = self.functions.iter().map(|function| {
            let kept = KeptFunction::of(function, end);
            end = function.code.end;
            kept
        });
        let kept = Kept {
            functions: functions.collect(),
            cuts: self.cuts.clone(),
            code_bytes: self.code_bytes,
        };
        // Nothing in these types can fail to become bytes; nothing is what cannot be read back.
        postcard::to_stdvec(&kept).unwrap_or_default()
    }

    /// The facts of `object` from what [`Facts::to_kept`] made of them; `None` for anything else.
    #[must_use]
    pub fn from_kept(object: &Object, bytes: &[u8]) -> Option<Self> {
        let kept: Kept = postcard::from_bytes(bytes).ok()?;
        if object.machine != Machine::X86_64 {
            return kept.functions.is_empty().then(Self::default);
        }
        let mut end: Address = 0;
        let functions = kept.functions.into_iter().map(|function| {
            let function = function.restored(end)?;
            end = function.code.end;
            Some(function)
        });
        let functions = functions.collect::<Option<Vec<Function>>>()?;
        Some(Self::new(
            object,
            functions,
            pointers::find(object),
            kept.cuts,
            kept.code_bytes,
        ))
    }
}

impl KeptFunction {
    fn of(function: &Function, end: Address) -> Self {
        let start = function.code.start;
        let offsets = |addresses: &[Address]| {
            addresses
                .iter()
                .map(|address| address.wrapping_sub(start))
                .collect()
        };
        let mut before = start;
        let references = function.references.iter().map(|reference| {
            let gap = reference.at.wrapping_sub(before);
            before = reference.at;
            (
                gap,
                reference.kind,
                reference.target.wrapping_sub(reference.at).cast_signed(),
            )
        });
        Self {
            gap: start.wrapping_sub(end),
            length: function.code.end.wrapping_sub(start),
            references: references.collect(),
            system_calls: offsets(&function.system_calls),
            foreign_system_calls: offsets(&function.foreign_system_calls),
            calls_indirectly: function.calls_indirectly,
            indirect_jumps: offsets(&function.indirect_jumps),
            jump_targets: offsets(&function.jump_targets),
            unknown_entries: offsets(&function.unknown_entries),
        }
    }

    /// `None` if it would not lie behind what ends at `end`.
    fn restored(self, end: Address) -> Option<Function> {
        let start = end.checked_add(self.gap)?;
        let code: Range<Address> = start..start.checked_add(self.length)?;
        let addresses = |offsets: Vec<u64>| {
            offsets
                .into_iter()
                .map(|offset| start.wrapping_add(offset))
                .collect()
        };
        let mut at = start;
        let references = self.references.into_iter().map(|(gap, kind, distance)| {
            at = at.wrapping_add(gap);
            Reference {
                at,
                kind,
                target: at.wrapping_add_signed(distance),
                function: None,
            }
        });
        Some(Function {
            references: references.collect(),
            system_calls: addresses(self.system_calls),
            foreign_system_calls: addresses(self.foreign_system_calls),
            calls_indirectly: self.calls_indirectly,
            indirect_jumps: addresses(self.indirect_jumps),
            jump_targets: addresses(self.jump_targets),
            unknown_entries: addresses(self.unknown_entries),
            code,
        })
    }
}
