//! A function's instructions, decoded and lifted when an analysis first comes to them and kept for its next rounds.

use confine_elf::{Address, Object};
use confine_isa::{Decoder, Flow, Operation};

use crate::facts::Function;
use crate::layout;

/// One instruction as an analysis sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) address: Address,
    pub(crate) end: Address,
    pub(crate) flow: Flow,
    /// Its operations, as a range of [`Body::operations`]; none where the flow is more than going on or a branch.
    operations: (u32, u32),
}

/// The instructions of one function.
pub(crate) struct Body<'a> {
    object: &'a Object,
    start: Address,
    end: Address,
    decoder: Decoder<'a>,
    /// By distance from the start: one more than the index of the instruction that begins there, or 0.
    known: Vec<u32>,
    steps: Vec<Step>,
    operations: Vec<Operation>,
}

impl<'a> Body<'a> {
    pub(crate) fn new(object: &'a Object, function: &Function) -> Self {
        let size = usize::try_from(function.code.end - function.code.start).unwrap_or(0);
        let held = object.bytes_at(function.code.start);
        let bytes = held.get(..size.saturating_add(15)).unwrap_or(held);
        Self {
            object,
            start: function.code.start,
            end: function.code.end,
            decoder: Decoder::new(bytes, function.code.start),
            known: vec![0; size.min(bytes.len())],
            steps: Vec::new(),
            operations: Vec::new(),
        }
    }

    /// How many bytes of code there are.
    pub(crate) fn bytes(&self) -> u64 {
        self.known.len() as u64
    }

    /// The instruction at an address; `None` outside the function.
    pub(crate) fn at(&mut self, address: Address) -> Option<Step> {
        let place = usize::try_from(address.checked_sub(self.start)?).ok()?;
        let known = *self.known.get(place)?;
        if let Some(index) = known.checked_sub(1) {
            return self.steps.get(index as usize).copied();
        }
        if !self.decoder.seek(address) {
            return None;
        }
        let instruction = self.decoder.next_instruction()?;
        let flow = match instruction.flow() {
            Flow::Breakpoint if layout::goes_on_behind(self.object, self.end, instruction.end()) => {
                Flow::Next
            }
            Flow::Breakpoint => Flow::Stop,
            flow => flow,
        };
        let first = u32::try_from(self.operations.len()).ok()?;
        if matches!(flow, Flow::Next | Flow::Branch(..)) {
            instruction.lift(&mut self.operations);
        }
        let step = Step {
            address,
            end: instruction.end(),
            flow,
            operations: (first, u32::try_from(self.operations.len()).ok()?),
        };
        self.steps.push(step);
        if let Some(known) = self.known.get_mut(place) {
            *known = u32::try_from(self.steps.len()).ok()?;
        }
        Some(step)
    }

    /// What a step of this body does.
    pub(crate) fn operations(&self, step: &Step) -> &[Operation] {
        let (first, end) = step.operations;
        self.operations.get(first as usize..end as usize).unwrap_or(&[])
    }
}
