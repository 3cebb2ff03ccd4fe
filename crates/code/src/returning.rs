//! Whether a function can return to its caller.
//!
//! Abstraction: a function returns unless every path from its ways in ends in a trap, in an endless loop, or in
//! a call of a function that does not return. Whatever is not known (an import, an indirect jump, recursion, a
//! search that grows too long) counts as returning, so the answer "no" can be relied on.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU8, Ordering};

use confine_elf::{Address, Object};
use confine_isa::{Decoder, Flow};
use rustc_hash::FxHashMap;

use crate::facts::Facts;
use crate::layout;

/// How many calls deep the search goes.
const DEPTH: u8 = 6;

/// How many instructions of one function the search looks at: functions that do not return are short.
const INSTRUCTIONS: usize = 2000;

/// Answers for one object's functions by depth, remembered for whoever asks next. An answer depends on the function
/// and the depth alone, so that it is the same in whatever order questions come, on whichever threads.
#[derive(Debug, Default)]
pub(crate) struct Answers(Vec<[AtomicU8; DEPTH as usize + 1]>);

/// How an answer is kept: not known yet is 0.
const RETURNS: u8 = 1;
const DOES_NOT_RETURN: u8 = 2;

impl Answers {
    pub(crate) fn none_for(functions: usize) -> Self {
        Self((0..functions).map(|_| Default::default()).collect())
    }

    fn place(&self, function: usize, depth: u8) -> Option<&AtomicU8> {
        self.0.get(function)?.get(usize::from(depth))
    }
}

/// A search through one object.
pub(crate) struct Returning<'a> {
    object: &'a Object,
    facts: &'a Facts,
    /// Answers about addresses that are no function's start.
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
        let facts = self.facts;
        let start = facts.function_at(address).filter(|index| {
            let function = facts.functions.get(*index);
            function.is_some_and(|function| function.code.start == address)
        });
        // Relaxed: the answer is all that is passed on.
        let place = start.and_then(|function| facts.returning.place(function, depth));
        let known = match place.map(|place| place.load(Ordering::Relaxed)) {
            Some(RETURNS) => Some(true),
            Some(DOES_NOT_RETURN) => Some(false),
            _ => self.known.get(&(address, depth)).copied(),
        };
        if let Some(known) = known {
            return known;
        }
        let answer = self.walk(address, deeper);
        match place {
            Some(place) => place.store(if answer { RETURNS } else { DOES_NOT_RETURN }, Ordering::Relaxed),
            None => {
                self.known.insert((address, depth), answer);
            }
        }
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
                Flow::Breakpoint
                    if layout::goes_on_behind(self.object, function.code.end, instruction.end()) =>
                {
                    pending.push(instruction.end());
                }
                Flow::Jump(target) => pending.push(target),
                Flow::Branch(target, _) => pending.extend([instruction.end(), target]),
                Flow::Call(target) if self.search(target, depth) => pending.push(instruction.end()),
                Flow::Call(_) | Flow::Breakpoint | Flow::Stop => {}
                Flow::Return | Flow::IndirectJump(_) => return true,
            }
        }
        false
    }
}
