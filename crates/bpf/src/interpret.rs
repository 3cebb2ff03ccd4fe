//! What the kernel does with a filter: runs it, or knows its answer beforehand.
//!
//! Written from the kernel: the meaning of instructions from Documentation/networking/filter.rst and net/core/filter.c
//! (`bpf_convert_filter`), the choice among several filters and the bitmap of calls that are always allowed from
//! kernel/seccomp.c. Nothing of the compiler is used here.

use std::num::NonZeroU64;

use crate::check::MEMORY_WORDS;
use crate::data::{ARCHITECTURE, NUMBER, SIZE};
use crate::{Action, CallData, Filter};

/// What comes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// What the kernel does about it.
    pub action: Action,
    /// How many instructions it executed to know.
    pub executed: NonZeroU64,
}

/// Registers and scratch memory.
#[derive(Default)]
struct Machine {
    accumulator: u32,
    index: u32,
    memory: [u32; MEMORY_WORDS],
}

/// What comes after an instruction.
enum Next {
    Skip(usize),
    Return(u32),
}

/// Runs one filter on a call.
#[must_use]
pub fn run(filter: &Filter, call: &CallData) -> Outcome {
    let mut machine = Machine::default();
    let mut at = 0;
    let mut executed = NonZeroU64::MIN;
    // Jumps only go forwards, so that no instruction is executed twice.
    loop {
        // A filter was checked when it was made: it ends by an instruction that returns, and jumps stay inside.
        let Some(instruction) = filter.instructions().get(at) else {
            return Outcome {
                action: Action::KillProcess,
                executed,
            };
        };
        let (k, jt, jf) = (instruction.k, instruction.jt, instruction.jf);
        match machine.step(instruction.code, k, (jt, jf), call) {
            Next::Return(word) => {
                return Outcome {
                    action: Action::from_word(word),
                    executed,
                };
            }
            Next::Skip(distance) => at += 1 + distance,
        }
        executed = executed.saturating_add(1);
    }
}

impl Machine {
    fn step(&mut self, code: u16, k: u32, (jt, jf): (u8, u8), call: &CallData) -> Next {
        let branch = |holds: bool| Next::Skip(usize::from(if holds { jt } else { jf }));
        // The bit that chooses X as the operand stands at the same place in arithmetic and jumps.
        let operand = if code & 0x08 == 0 { k } else { self.index };
        let slot = k as usize;
        match code {
            0x06 => return Next::Return(k),
            0x16 => return Next::Return(self.accumulator),
            0x05 => return Next::Skip(k as usize),
            0x15 | 0x1d => return branch(self.accumulator == operand),
            0x25 | 0x2d => return branch(self.accumulator > operand),
            0x35 | 0x3d => return branch(self.accumulator >= operand),
            0x45 | 0x4d => return branch(self.accumulator & operand != 0),
            0x20 => self.accumulator = call.word(k).unwrap_or_default(),
            0x80 => self.accumulator = SIZE,
            0x81 => self.index = SIZE,
            0x00 => self.accumulator = k,
            0x01 => self.index = k,
            0x60 => self.accumulator = self.memory.get(slot).copied().unwrap_or_default(),
            0x61 => self.index = self.memory.get(slot).copied().unwrap_or_default(),
            0x02 => self.store(slot, self.accumulator),
            0x03 => self.store(slot, self.index),
            0x07 => self.index = self.accumulator,
            0x87 => self.accumulator = self.index,
            0x84 => self.accumulator = self.accumulator.wrapping_neg(),
            // A program that divides by 0 answers 0.
            0x34 | 0x3c if operand == 0 => return Next::Return(0),
            _ => self.accumulator = self.arithmetic(code, operand),
        }
        Next::Skip(0)
    }

    fn store(&mut self, slot: usize, value: u32) {
        if let Some(word) = self.memory.get_mut(slot) {
            *word = value;
        }
    }

    fn arithmetic(&self, code: u16, operand: u32) -> u32 {
        let left = self.accumulator;
        match code & 0xf0 {
            0x00 => left.wrapping_add(operand),
            0x10 => left.wrapping_sub(operand),
            0x20 => left.wrapping_mul(operand),
            0x30 => left.checked_div(operand).unwrap_or_default(),
            0x40 => left | operand,
            0x50 => left & operand,
            // The kernel's machine takes the low five bits of a distance.
            0x60 => left.wrapping_shl(operand),
            0x70 => left.wrapping_shr(operand),
            _ => left ^ operand,
        }
    }
}

/// What comes of a call under all these filters: the kernel runs each and takes the most restrictive answer. Under none,
/// nobody asks.
///
/// In which order they were installed is not said: of answers that differ in their number alone, the one with the greatest
/// stands for all, where the kernel keeps that of the filter installed last. Filters of one policy deny by one number.
#[must_use]
pub fn evaluate(filters: &[Filter], call: &CallData) -> Option<Outcome> {
    let outcomes = filters.iter().map(|filter| run(filter, call));
    outcomes.reduce(|left, right| Outcome {
        action: left.action.max(right.action),
        executed: left.executed.saturating_add(right.executed.get()),
    })
}

/// Whether the kernel finds, when these filters are installed, that they allow a call whatever its arguments are, so
/// that it never runs them for it (`seccomp_is_const_allow`, since Linux 5.11).
///
/// It follows only instructions that load the number or the architecture, compare, mask and jump by constants, and
/// return one.
#[must_use]
pub fn always_allows(filters: &[Filter], architecture: u32, number: u32) -> bool {
    filters
        .iter()
        .all(|filter| is_constant(filter, architecture, number))
}

fn is_constant(filter: &Filter, architecture: u32, number: u32) -> bool {
    let end = settled(filter, architecture, number).and_then(|at| filter.instructions().get(at));
    end.is_some_and(|end| end.code == 0x06 && end.k == Action::Allow.word())
}

/// Where the number and the architecture alone lead: the index of an instruction that returns, or of the first one that is not
/// of those which the kernel follows.
pub(crate) fn settled(filter: &Filter, architecture: u32, number: u32) -> Option<usize> {
    let mut accumulator = 0;
    let mut at = 0;
    // Jumps only go forwards.
    loop {
        let instruction = filter.instructions().get(at)?;
        let k = instruction.k;
        let holds = match instruction.code {
            0x15 => accumulator == k,
            0x35 => accumulator >= k,
            0x25 => accumulator > k,
            0x45 => accumulator & k != 0,
            other => {
                match other {
                    0x20 if k == NUMBER => accumulator = number,
                    0x20 if k == ARCHITECTURE => accumulator = architecture,
                    0x54 => accumulator &= k,
                    0x05 => at += k as usize,
                    _ => return Some(at),
                }
                at += 1;
                continue;
            }
        };
        at += 1 + usize::from(if holds { instruction.jt } else { instruction.jf });
    }
}
