//! How much of its caller's frame a Go function uses.
//!
//! Go's callees put arguments and results that do not fit into registers just above their return address. A frame
//! is set up by one subtraction from the stack pointer, after which larger offsets from it are the caller's.
//! Over-reports: offsets that only unreached instructions use.

use confine_elf::{Address, Object};
use confine_isa::Decoder;
use rustc_hash::FxHashMap;

use crate::facts::Facts;

/// How far above the stack pointer a callee that is not known may put results, in bytes.
pub(crate) const UNKNOWN: i64 = 128;

/// Answers for the functions of one object, remembered.
pub(crate) struct GoFrames<'a> {
    object: &'a Object,
    facts: &'a Facts,
    known: FxHashMap<Address, i64>,
}

impl<'a> GoFrames<'a> {
    pub(crate) fn new(object: &'a Object, facts: &'a Facts) -> Self {
        Self {
            object,
            facts,
            known: FxHashMap::default(),
        }
    }

    /// How many bytes above its return address a function reads and writes.
    pub(crate) fn incoming_bytes(&mut self, callee: Address) -> i64 {
        if let Some(known) = self.known.get(&callee) {
            return *known;
        }
        let bytes = self.measure(callee).unwrap_or(UNKNOWN);
        self.known.insert(callee, bytes);
        bytes
    }

    fn measure(&self, callee: Address) -> Option<i64> {
        let function = self.facts.functions.get(self.facts.function_at(callee)?)?;
        let size = usize::try_from(function.code.end - function.code.start).ok()?;
        let bytes = self.object.bytes_at(function.code.start).get(..size)?;
        let mut decoder = Decoder::new(bytes, function.code.start);
        // The return address, then the frame.
        let (mut frame, mut furthest) = (8i64, 0i64);
        let mut operations = Vec::new();
        while let Some(instruction) = decoder.next_instruction() {
            operations.clear();
            instruction.lift(&mut operations);
            let subtracted = operations
                .iter()
                .find_map(confine_isa::Operation::stack_subtraction);
            if let Some(bytes) = subtracted.filter(|_| frame == 8) {
                frame = frame.checked_add(i64::try_from(bytes).ok()?)?;
            }
            if let Some(offset) = instruction.stack_offset() {
                furthest = furthest.max(offset.saturating_add(8).saturating_sub(frame));
            }
        }
        Some(furthest)
    }
}
