//! Whether a function leaves its return address alone.
//!
//! Abstraction: for each register, its distance from the stack pointer at entry, where the return address lies, if it
//! is known. Misses: a return address that is changed through a pointer whose distance is not known, or by a callee
//! that was given its address.

use confine_isa::{Arithmetic, Instruction, Memory, Operand, Operation, Register, Width};

/// Where registers point, relative to the return address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame([Option<i64>; Register::COUNT]);

/// What an instruction does to the return address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// Nothing.
    LeftAlone,
    /// It is written, or taken off the stack.
    Changed,
    /// Another stack is used from here on; whoever comes back to this one later may use it.
    OtherStack,
}

impl Frame {
    pub(crate) fn at_entry() -> Self {
        let mut frame = Self::unknown();
        frame.set(Register::RSP, Some(0));
        frame
    }

    pub(crate) fn unknown() -> Self {
        Self([None; Register::COUNT])
    }

    /// Whether the return address is on the top of the stack.
    pub(crate) fn is_at_entry(&self) -> bool {
        self.get(Register::RSP) == Some(0)
    }

    /// Keeps what both know; whether that is less than before.
    pub(crate) fn meet(&mut self, other: &Self) -> bool {
        let before = *self;
        for (known, other) in self.0.iter_mut().zip(other.0) {
            *known = known.filter(|known| Some(*known) == other);
        }
        *self != before
    }

    /// Behind a call: what callees keep by the calling convention.
    pub(crate) fn after_call(mut self) -> Self {
        for register in [
            Register::RAX,
            Register::RCX,
            Register::RDX,
            Register::RSI,
            Register::RDI,
            Register::R8,
            Register::R9,
            Register::R10,
            Register::R11,
        ] {
            self.set(register, None);
        }
        self
    }

    /// Applies an instruction.
    pub(crate) fn step(&mut self, instruction: &Instruction, operations: &mut Vec<Operation>) -> Treatment {
        operations.clear();
        instruction.lift(operations);
        let mut treatment = Treatment::LeftAlone;
        for operation in operations {
            let known = self.get(Register::RSP).is_some();
            let (to, bytes) = self.apply(operation);
            let written = to.is_some_and(|place| place < 8 && place.saturating_add(bytes) > 0);
            match self.get(Register::RSP) {
                Some(top) if top > 0 => return Treatment::Changed,
                _ if written => return Treatment::Changed,
                None if known && !lowers_stack(operation) => treatment = Treatment::OtherStack,
                Some(_) | None => {}
            }
        }
        treatment
    }

    /// Notes what registers now are; the place in the frame that is written, if that is known, and how many bytes.
    fn apply(&mut self, operation: &Operation) -> (Option<i64>, i64) {
        let (to, value, width) = match operation {
            Operation::Copy { to, from, width } => (*to, self.value(from), *width),
            Operation::Address { to, width, memory } => (Operand::Register(*to), self.place(memory), *width),
            // A barrier, as `lock or $0, (%rsp)` is one, changes nothing.
            Operation::Arithmetic {
                operation: Arithmetic::Or | Arithmetic::Add,
                source: Operand::Constant(0),
                ..
            } => return (None, 0),
            Operation::Arithmetic {
                operation,
                place,
                source: Operand::Constant(constant),
                width,
            } => {
                let value = self.value(place).and_then(|value| match operation {
                    Arithmetic::Add => Some(value.wrapping_add(constant.cast_signed())),
                    Arithmetic::Subtract => Some(value.wrapping_sub(constant.cast_signed())),
                    _ => None,
                });
                (*place, value, *width)
            }
            Operation::Swap { left, right } => {
                let (one, other) = (self.get(*left), self.get(*right));
                self.set(*left, other);
                self.set(*right, one);
                return (None, 0);
            }
            Operation::ClobberMemory { memory, bytes, .. } => {
                return (self.place(memory), i64::try_from(*bytes).unwrap_or(i64::MAX));
            }
            other => match other.result() {
                Some((to, width)) => (to, None, width),
                None => return (None, 0),
            },
        };
        match to {
            Operand::Register(register) => {
                self.set(register, value.filter(|_| width == Width::Quad));
                (None, 0)
            }
            Operand::Memory(memory) => (self.place(&memory), i64::try_from(width.bytes()).unwrap_or(8)),
            Operand::Constant(_) => (None, 0),
        }
    }

    fn value(&self, operand: &Operand) -> Option<i64> {
        match operand {
            Operand::Register(register) => self.get(*register),
            Operand::Memory(_) | Operand::Constant(_) => None,
        }
    }

    fn get(&self, register: Register) -> Option<i64> {
        self.0.get(register.number()).copied().flatten()
    }

    fn set(&mut self, register: Register, value: Option<i64>) {
        if let Some(known) = self.0.get_mut(register.number()) {
            *known = value;
        }
    }

    fn place(&self, memory: &Memory) -> Option<i64> {
        let base = self.get(memory.base?)?;
        let plain = memory.index.is_none() && !memory.segment;
        plain.then(|| base.wrapping_add(memory.displacement.cast_signed()))
    }
}

/// Room of a size that is not known, or an alignment: the stack pointer is below where it was.
fn lowers_stack(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Arithmetic {
            operation: Arithmetic::Subtract | Arithmetic::And,
            ..
        }
    )
}
