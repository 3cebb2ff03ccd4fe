//! Instructions of classic BPF, and filters as lists of them.

use crate::check::{self, Invalid};

/// How many instructions the kernel takes in one filter (BPF_MAXINSNS, include/uapi/linux/bpf_common.h).
pub const MAXIMUM_INSTRUCTIONS: usize = 4096;

/// How many bytes one instruction takes.
const BYTES: usize = 8;

/// One instruction: `struct sock_filter` of include/uapi/linux/filter.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instruction {
    /// What it does.
    pub code: u16,
    /// How many instructions a jump skips if its condition holds.
    pub jt: u8,
    /// How many it skips if not.
    pub jf: u8,
    /// The operand: a constant, an offset, a distance.
    pub k: u32,
}

impl Instruction {
    /// An instruction that is no conditional jump.
    pub(crate) fn plain(code: u16, k: u32) -> Self {
        Self {
            code,
            jt: 0,
            jf: 0,
            k,
        }
    }
}

/// The codes that filters are made of (include/uapi/linux/bpf_common.h): class, then mode or operation, then operand.
pub(crate) mod code {
    /// A = the word at offset `k`.
    pub(crate) const LOAD: u16 = 0x20;
    /// A = A & `k`.
    pub(crate) const AND: u16 = 0x54;
    /// Skips `k` instructions.
    pub(crate) const JUMP: u16 = 0x05;
    /// Whether A == `k`.
    pub(crate) const IF_EQUAL: u16 = 0x15;
    /// Whether A >= `k`.
    pub(crate) const IF_AT_LEAST: u16 = 0x35;
    /// Whether A and `k` have a bit in common.
    pub(crate) const IF_ANY_BIT: u16 = 0x45;
    /// Answers `k`.
    pub(crate) const RETURN: u16 = 0x06;
}

/// A filter: a program of classic BPF that the kernel accepts as a seccomp filter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Filter {
    instructions: Vec<Instruction>,
}

impl Filter {
    /// A filter of these instructions.
    ///
    /// # Errors
    /// When the kernel would not accept them.
    pub fn new(instructions: Vec<Instruction>) -> Result<Self, Invalid> {
        check::check(&instructions)?;
        Ok(Self { instructions })
    }

    /// The instructions; there is at least one, and at most [`MAXIMUM_INSTRUCTIONS`].
    #[must_use]
    pub fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    /// The bytes as they lie in memory on x86-64: what `seccomp(2)` is given, and what `bwrap --seccomp` reads.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.instructions
            .iter()
            .flat_map(|instruction| {
                let [code_low, code_high] = instruction.code.to_le_bytes();
                let [k0, k1, k2, k3] = instruction.k.to_le_bytes();
                [
                    code_low,
                    code_high,
                    instruction.jt,
                    instruction.jf,
                    k0,
                    k1,
                    k2,
                    k3,
                ]
            })
            .collect()
    }

    /// Reads what [`Filter::to_bytes`] wrote.
    ///
    /// # Errors
    /// When they are no whole number of instructions, or the kernel would not accept those.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Invalid> {
        let (instructions, rest) = bytes.as_chunks::<BYTES>();
        if !rest.is_empty() {
            return Err(Invalid::Size(bytes.len()));
        }
        if instructions.len() > MAXIMUM_INSTRUCTIONS {
            return Err(Invalid::TooLong(instructions.len()));
        }
        let read = |&[code_low, code_high, jt, jf, k0, k1, k2, k3]: &[u8; BYTES]| Instruction {
            code: u16::from_le_bytes([code_low, code_high]),
            jt,
            jf,
            k: u32::from_le_bytes([k0, k1, k2, k3]),
        };
        Self::new(instructions.iter().map(read).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_the_kernels_layout() {
        let filter = Filter::new(vec![
            Instruction::plain(code::LOAD, 4),
            Instruction {
                code: code::IF_EQUAL,
                jt: 0,
                jf: 1,
                k: 0xc000_003e,
            },
            Instruction::plain(code::RETURN, 0x7fff_0000),
            Instruction::plain(code::RETURN, 0x8000_0000),
        ])
        .unwrap();
        let bytes = [
            0x20, 0, 0, 0, 4, 0, 0, 0, 0x15, 0, 0, 1, 0x3e, 0, 0, 0xc0, 6, 0, 0, 0, 0, 0, 0xff, 0x7f, 6, 0,
            0, 0, 0, 0, 0, 0x80,
        ];
        assert_eq!(filter.to_bytes(), bytes);
        assert_eq!(Filter::from_bytes(&bytes), Ok(filter));
        assert_eq!(Filter::from_bytes(&bytes[..31]), Err(Invalid::Size(31)));
    }
}
