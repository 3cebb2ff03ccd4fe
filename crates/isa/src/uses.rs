//! What an instruction does with one register, by the decoder's own account of it.

use iced_x86::InstructionInfoFactory;

use crate::decode::Instruction;
use crate::lift::{full_register, reads};
use crate::operation::Register;

/// The fewest bytes that a write replaces a whole register by: the upper half becomes zero (Intel SDM volume 1, 3.4.1.1).
const REPLACING: usize = 4;

/// What becomes of a register's contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// They are kept, or a part of them is.
    Kept,
    /// They, or a part of them, may be read.
    Read,
    /// They are replaced without being read.
    Replaced,
}

impl Instruction {
    /// What it does with a general register, as an operand or by the way. What a callee or the kernel does counts as nothing.
    #[must_use]
    pub fn use_of(&self, register: Register) -> Use {
        let mut factory = InstructionInfoFactory::new();
        let info = factory.info(&self.inner);
        let used = info.used_registers().iter();
        let mut replaced = false;
        for used in used.filter(|used| full_register(used.register()) == Some(register)) {
            if reads(used.access()) {
                return Use::Read;
            }
            replaced |= used.access() == iced_x86::OpAccess::Write && used.register().size() >= REPLACING;
        }
        let memory = info.used_memory().iter();
        let mut addresses = memory.flat_map(|used| [used.base(), used.index()]);
        if addresses.any(|name| full_register(name) == Some(register)) {
            return Use::Read;
        }
        if replaced { Use::Replaced } else { Use::Kept }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Decoder;

    #[test]
    fn the_result_register_is_kept_read_or_replaced() {
        for (bytes, expected) in [
            (&[0x31, 0xc0][..], Use::Replaced),           // xor eax, eax
            (&[0xb8, 1, 0, 0, 0], Use::Replaced),         // mov eax, 1
            (&[0xb0, 1], Use::Kept),                      // mov al, 1
            (&[0x48, 0x8b, 0x00], Use::Read),             // mov rax, [rax]
            (&[0x88, 0x04, 0x24], Use::Read),             // mov [rsp], al
            (&[0x84, 0xc0], Use::Read),                   // test al, al
            (&[0x50], Use::Read),                         // push rax
            (&[0xff, 0xd0], Use::Read),                   // call rax
            (&[0x8d, 0x3c, 0x85, 0, 0, 0, 0], Use::Read), // lea edi, [rax*4]
            (&[0x48, 0x0f, 0x44, 0xc1], Use::Kept),       // cmovz rax, rcx
            (&[0x48, 0x98], Use::Read),                   // cdqe
            (&[0x31, 0xff], Use::Kept),                   // xor edi, edi
            (&[0xff, 0x25, 0, 0, 0, 0], Use::Kept),       // jmp [rip]
            (&[0x58], Use::Replaced),                     // pop rax
        ] {
            let instruction = Decoder::new(bytes, 0).next_instruction().unwrap();
            assert_eq!(instruction.use_of(Register::RAX), expected, "{bytes:x?}");
        }
    }
}
