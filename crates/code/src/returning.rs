//! Whether a function can return to its caller.
//!
//! Abstraction: a function returns unless every path from its ways in ends in a trap, in an endless loop, or in
//! a call of a function that does not return. Whatever is not known (an import, an indirect jump, recursion, a
//! search that grows too long) counts as returning, so the answer "no" can be relied on.

use std::collections::BTreeSet;

use confine_elf::{Address, Object};
use confine_isa::{Decoder, Flow};
use rustc_hash::FxHashMap;

use crate::facts::Facts;

/// How many calls deep the search goes.
const DEPTH: u8 = 6;

/// How many instructions of one function the search looks at: functions that do not return are short.
const INSTRUCTIONS: usize = 2000;

/// Answers for one object, remembered. The answer depends on the function and the depth alone, so that it is
/// the same in whatever order questions come.
pub(crate) struct Returning<'a> {
    object: &'a Object,
    facts: &'a Facts,
    known: FxHashMap<(Address, u8), bool>,
}

impl<'a> Returning<'a> {
    pub(crate) fn new(object: &'a Object, facts: &'a Facts) -> Self {
        Self {
            object,
            facts,
            known: FxHashMap::default(),
        }
    }

    pub(crate) fn facts(&self) -> &'a Facts {
        self.facts
    }

    /// Whether a call of the function at `address` may come back.
    pub(crate) fn may_return(&mut self, address: Address) -> bool {
        self.search(address, DEPTH)
    }

    fn search(&mut self, address: Address, depth: u8) -> bool {
        let Some(deeper) = depth.checked_sub(1) else {
            return true;
        };
        if let Some(known) = self.known.get(&(address, depth)) {
            return *known;
        }
        let answer = self.walk(address, deeper);
        self.known.insert((address, depth), answer);
        answer
    }

    fn walk(&mut self, address: Address, depth: u8) -> bool {
        let Some(function) = self
            .facts
            .function_at(address)
            .and_then(|index| self.facts.functions.get(index))
        else {
            return true;
        };
        if !function.indirect_jumps.is_empty() || !function.unknown_entries.is_empty() {
            return true;
        }
        let mut decoder = Decoder::new(self.object.bytes_at(function.code.start), function.code.start);
        let mut seen = BTreeSet::new();
        let mut pending = vec![address];
        while let Some(next) = pending.pop() {
            if !function.code.contains(&next) {
                // A tail call, or a split-off part that may return for this function.
                if self.search(next, depth) {
                    return true;
                }
                continue;
            }
            if !seen.insert(next) || !decoder.seek(next) {
                continue;
            }
            if seen.len() > INSTRUCTIONS {
                return true;
            }
            let Some(instruction) = decoder.next_instruction() else {
                continue;
            };
            match instruction.flow() {
                Flow::Next | Flow::SystemCall | Flow::ForeignSystemCall | Flow::IndirectCall(_) => {
                    pending.push(instruction.end());
                }
                Flow::Jump(target) => pending.push(target),
                Flow::Branch(target, _) => pending.extend([instruction.end(), target]),
                Flow::Call(target) if self.search(target, depth) => pending.push(instruction.end()),
                Flow::Call(_) | Flow::Stop => {}
                Flow::Return | Flow::IndirectJump(_) => return true,
            }
        }
        false
    }
}
