//! Which programs the kernel accepts as seccomp filters: the rules of `bpf_check_classic` and `check_load_and_stores`
//! (net/core/filter.c) and of `seccomp_check_filter` (kernel/seccomp.c), in their order.

use crate::data::SIZE;
use crate::{Instruction, MAXIMUM_INSTRUCTIONS};

/// How many words of scratch memory a program has (BPF_MEMWORDS).
pub(crate) const MEMORY_WORDS: usize = 16;

/// Why the kernel would refuse a program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Not a list of instructions.
    #[error("expected instructions of 8 bytes each, found {0} bytes")]
    Size(usize),
    /// Nothing.
    #[error("expected at least one instruction, found none")]
    Empty,
    /// Too many.
    #[error("expected at most {MAXIMUM_INSTRUCTIONS} instructions, found {0}")]
    TooLong(usize),
    /// A code that filters may not have.
    #[error("instruction {at}: code {code:#06x} is none that a seccomp filter may have")]
    Code {
        /// Its index.
        at: usize,
        /// Its code.
        code: u16,
    },
    /// An operand that its code does not take.
    #[error("instruction {at}: code {code:#06x} does not take the operand {operand:#x}")]
    Operand {
        /// Its index.
        at: usize,
        /// Its code.
        code: u16,
        /// Its operand.
        operand: u32,
    },
    /// A jump that leaves the program.
    #[error("instruction {0} jumps behind the end")]
    Jump(usize),
    /// Scratch memory is read that may not have been written.
    #[error("instruction {0} reads scratch memory that some way to it does not write")]
    Unwritten(usize),
    /// The last instruction goes on.
    #[error("expected the last instruction to return, found code {0:#06x}")]
    NoReturn(u16),
}

/// Whether the kernel accepts the program.
pub(crate) fn check(program: &[Instruction]) -> Result<(), Invalid> {
    if program.len() > MAXIMUM_INSTRUCTIONS {
        return Err(Invalid::TooLong(program.len()));
    }
    let last = program.last().ok_or(Invalid::Empty)?;
    for (at, instruction) in program.iter().enumerate() {
        check_one(at, instruction, program.len())?;
    }
    if !matches!(last.code, 0x06 | 0x16) {
        return Err(Invalid::NoReturn(last.code));
    }
    check_memory(program)
}

fn check_one(at: usize, instruction: &Instruction, length: usize) -> Result<(), Invalid> {
    let Instruction { code, jt, jf, k } = *instruction;
    let operand = |allowed: bool| match allowed {
        true => Ok(()),
        false => Err(Invalid::Operand { at, code, operand: k }),
    };
    // How many instructions follow.
    let behind = length - at - 1;
    let jump = |distance: usize| match distance < behind {
        true => Ok(()),
        false => Err(Invalid::Jump(at)),
    };
    match code {
        // A = word at k: seccomp takes no other size, and no offset but of a word of its data.
        0x20 => operand(k < SIZE && k.is_multiple_of(4)),
        // Returns k or A; A or X = size of the data, or k; X = A, A = X.
        0x06 | 0x16 | 0x80 | 0x81 | 0x00 | 0x01 | 0x07 | 0x87 => Ok(()),
        // A = A op k or X: add, subtract, multiply, or, and, exclusive or, divide by X, shift by X; negate.
        0x04 | 0x0c | 0x14 | 0x1c | 0x24 | 0x2c | 0x44 | 0x4c | 0x54 | 0x5c | 0xa4 | 0xac | 0x3c | 0x6c
        | 0x7c | 0x84 => Ok(()),
        // Divide by k; shift by k.
        0x34 => operand(k != 0),
        0x64 | 0x74 => operand(k < u32::BITS),
        // A or X from scratch memory, and back.
        0x60 | 0x61 | 0x02 | 0x03 => operand((k as usize) < MEMORY_WORDS),
        // Jumps: always, then equal, greater, at least, any bit, with k or X.
        0x05 => jump(usize::try_from(k).unwrap_or(usize::MAX)),
        0x15 | 0x1d | 0x25 | 0x2d | 0x35 | 0x3d | 0x45 | 0x4d => jump(usize::from(jt).max(usize::from(jf))),
        _ => Err(Invalid::Code { at, code }),
    }
}

/// Whether every word of scratch memory is written on each way to an instruction that reads it.
fn check_memory(program: &[Instruction]) -> Result<(), Invalid> {
    // For each instruction the words that every way to it has written, as bits; jumps only go forwards.
    let mut written = vec![u16::MAX; program.len()];
    let mut valid: u16 = 0;
    for (at, instruction) in program.iter().enumerate() {
        let here = written.get(at).copied().unwrap_or_default() & valid;
        valid = here;
        let word = 1u16.checked_shl(instruction.k).unwrap_or_default();
        let mut flow = |distance: usize| {
            if let Some(target) = written.get_mut(at + 1 + distance) {
                *target &= here;
            }
        };
        match instruction.code {
            0x02 | 0x03 => valid |= word,
            0x60 | 0x61 if here & word == 0 => return Err(Invalid::Unwritten(at)),
            0x05 => {
                flow(instruction.k as usize);
                valid = u16::MAX;
            }
            0x15 | 0x1d | 0x25 | 0x2d | 0x35 | 0x3d | 0x45 | 0x4d => {
                flow(usize::from(instruction.jt));
                flow(usize::from(instruction.jf));
                valid = u16::MAX;
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(instructions: &[(u16, u8, u8, u32)]) -> Vec<Instruction> {
        let instructions = instructions.iter();
        instructions
            .map(|&(code, jt, jf, k)| Instruction { code, jt, jf, k })
            .collect()
    }

    #[test]
    fn what_the_kernel_refuses_is_refused() {
        let end = (0x06, 0, 0, 0);
        let operand = |code, operand| Err(Invalid::Operand { at: 0, code, operand });
        for (instructions, expected) in [
            (vec![], Err(Invalid::Empty)),
            (vec![end], Ok(())),
            (vec![end; 4096], Ok(())),
            (vec![end; 4097], Err(Invalid::TooLong(4097))),
            (vec![(0x20, 0, 0, 60), end], Ok(())),
            (vec![(0x20, 0, 0, 64), end], operand(0x20, 64)),
            (vec![(0x20, 0, 0, 2), end], operand(0x20, 2)),
            // Bytes, half words and packets are not for seccomp.
            (
                vec![(0x30, 0, 0, 0), end],
                Err(Invalid::Code { at: 0, code: 0x30 }),
            ),
            (
                vec![(0xb1, 0, 0, 0), end],
                Err(Invalid::Code { at: 0, code: 0xb1 }),
            ),
            (vec![(0x34, 0, 0, 0), end], operand(0x34, 0)),
            (vec![(0x64, 0, 0, 32), end], operand(0x64, 32)),
            (vec![(0x05, 0, 0, 1), end], Err(Invalid::Jump(0))),
            (vec![(0x05, 0, 0, u32::MAX), end], Err(Invalid::Jump(0))),
            (vec![(0x15, 0, 1, 0), end], Err(Invalid::Jump(0))),
            (vec![(0x15, 0, 1, 0), end, end], Ok(())),
            (vec![(0x20, 0, 0, 0)], Err(Invalid::NoReturn(0x20))),
            (vec![(0x60, 0, 0, 3), end], Err(Invalid::Unwritten(0))),
            (vec![(0x02, 0, 0, 3), (0x60, 0, 0, 3), end], Ok(())),
            (vec![(0x02, 0, 0, 16), end], operand(0x02, 16)),
            // One of the two ways does not write.
            (
                vec![(0x15, 0, 1, 0), (0x02, 0, 0, 3), (0x60, 0, 0, 3), end],
                Err(Invalid::Unwritten(2)),
            ),
        ] {
            assert_eq!(check(&program(&instructions)), expected, "{instructions:?}");
        }
    }
}
