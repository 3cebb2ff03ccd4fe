//! What a filter is told about a call.

use confine_policy::ARGUMENTS;

/// The architecture of a 64-bit call on x86-64, x32 included (include/uapi/linux/audit.h).
pub const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;

/// The bit that makes a number one of x32 (arch/x86/include/uapi/asm/unistd.h).
pub const X32: u32 = 0x4000_0000;

/// A system call as filters see it: `struct seccomp_data` of include/uapi/linux/seccomp.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallData {
    /// The number.
    pub number: u32,
    /// The architecture that the number belongs to.
    pub architecture: u32,
    /// The address behind the instruction that makes the call.
    pub instruction: u64,
    /// The six argument registers, whether the call has as many or not.
    pub arguments: [u64; ARGUMENTS],
}

/// Where the number stands.
pub(crate) const NUMBER: u32 = 0;
/// Where the architecture stands.
pub(crate) const ARCHITECTURE: u32 = 4;
/// Where the arguments stand, one behind the other.
pub(crate) const FIRST_ARGUMENT: u32 = 16;
/// How many bytes there are.
pub(crate) const SIZE: u32 = 64;

impl CallData {
    /// A call of x86-64 by an instruction at address 0.
    #[must_use]
    pub fn new(number: u32, arguments: [u64; ARGUMENTS]) -> Self {
        Self {
            number,
            architecture: AUDIT_ARCH_X86_64,
            instruction: 0,
            arguments,
        }
    }

    /// The 32 bits at that offset, in x86-64's order of bytes; `None` if it is not the offset of a word.
    pub(crate) fn word(&self, offset: u32) -> Option<u32> {
        if offset >= SIZE || !offset.is_multiple_of(4) {
            return None;
        }
        match offset {
            NUMBER => return Some(self.number),
            ARCHITECTURE => return Some(self.architecture),
            _ => {}
        }
        let whole = match offset.checked_sub(FIRST_ARGUMENT) {
            None => self.instruction,
            Some(behind) => *self.arguments.get(behind as usize / 8)?,
        };
        let shift = if offset.is_multiple_of(8) { 0 } else { 32 };
        Some((whole >> shift) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_where_the_kernel_puts_them() {
        let data = CallData {
            number: 1,
            architecture: 2,
            instruction: 0x4_0000_0003,
            arguments: [0x6_0000_0005, 7, 8, 9, 10, 0xc_0000_000b],
        };
        for (offset, expected) in [
            (0, Some(1)),
            (4, Some(2)),
            (8, Some(3)),
            (12, Some(4)),
            (16, Some(5)),
            (20, Some(6)),
            (24, Some(7)),
            (28, Some(0)),
            (56, Some(11)),
            (60, Some(12)),
            (64, None),
            (2, None),
            (u32::MAX, None),
        ] {
            assert_eq!(data.word(offset), expected, "{offset}");
        }
    }
}
