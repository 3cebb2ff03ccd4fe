//! Whether a caller uses what a call returns.
//!
//! From the call on, instruction by instruction, until the register of the result is read or replaced. A call or jump is
//! followed into what it leads to; into another object there is no way for a result but those that a caller reads first
//! (System V psABI, 3.2.3: nothing is passed in RAX but a number of vector registers, in its lowest byte).
//! Over-reports: behind a branch, and farther than [`INSTRUCTIONS`], it counts as used.

use confine_elf::{Address, Object};
use confine_isa::{Decoder, Flow, Instruction, Operand, Register, Use};

/// How far is looked.
const INSTRUCTIONS: usize = 32;

/// Whether nobody uses what the call at this address returns. `false` also where there is no call, as at a jump to a function:
/// its caller's caller gets the result then.
#[must_use]
pub fn drops_result(object: &Object, call: Address) -> bool {
    is_dropped(|address| object.bytes_at(address), call)
}

/// Whether the instruction at this address goes elsewhere for good, as one does that jumps to another function.
#[must_use]
pub fn only_jumps(object: &Object, address: Address) -> bool {
    let instruction = instruction(object.bytes_at(address), address);
    instruction.is_some_and(|found| matches!(found.flow(), Flow::Jump(_) | Flow::IndirectJump(_)))
}

fn is_dropped<'b>(bytes_at: impl Fn(Address) -> &'b [u8], call: Address) -> bool {
    let Some(call) = instruction(bytes_at(call), call) else {
        return false;
    };
    if !matches!(call.flow(), Flow::Call(_) | Flow::IndirectCall(_)) {
        return false;
    }
    let mut next = call.end();
    for _ in 0..INSTRUCTIONS {
        let Some(instruction) = instruction(bytes_at(next), next) else {
            return false;
        };
        match instruction.use_of(Register::RAX) {
            Use::Read => return false,
            Use::Replaced => return true,
            Use::Kept => {}
        }
        next = match instruction.flow() {
            Flow::Next => instruction.end(),
            Flow::Jump(target) | Flow::Call(target) => target,
            // Through a slot or a table of functions: to one that follows the calling convention.
            Flow::IndirectJump(through) if through.slot().is_some() => return true,
            Flow::IndirectCall(Operand::Memory(_)) => return true,
            _ => return false,
        };
    }
    false
}

fn instruction(bytes: &[u8], address: Address) -> Option<Instruction> {
    let instruction = Decoder::new(bytes, address).next_instruction();
    instruction.filter(Instruction::is_valid)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A call at 0 to 0x20, which jumps through memory, with `behind` behind it; at 0x30 is a thunk that reads the register.
    fn check(behind: &[u8], expected: bool) {
        let mut code = [0x90_u8; 0x40];
        code[..5].copy_from_slice(&[0xe8, 0x1b, 0, 0, 0]);
        code[5..5 + behind.len()].copy_from_slice(behind);
        code[0x20..0x26].copy_from_slice(&[0xff, 0x25, 0, 0, 0, 0]);
        code[0x30..0x35].copy_from_slice(&[0x48, 0x89, 0x04, 0x24, 0xc3]);
        let bytes_at = |address: Address| &code[usize::try_from(address).unwrap()..];
        assert_eq!(is_dropped(bytes_at, 0), expected, "{behind:x?}");
    }

    #[test]
    fn results_are_dropped_where_they_are_replaced_first() {
        check(&[0x31, 0xc0, 0xc3], true); // xor eax, eax; ret
        check(&[0x31, 0xff, 0xe8, 0x14, 0, 0, 0], true); // xor edi, edi; call 0x20
        check(&[0xe9, 0x16, 0, 0, 0], true); // jmp 0x20
    }

    #[test]
    fn results_are_used_where_they_are_read_or_may_be() {
        check(&[0xc3], false); // ret
        check(&[0x48, 0x89, 0x05, 0, 0, 0, 0], false); // mov [rip], rax
        check(&[0x74, 0x02, 0x31, 0xc0], false); // jz; xor eax, eax
        check(&[0xe8, 0x26, 0, 0, 0], false); // call 0x30
        check(&[0xff, 0xd1], false); // call rcx
        check(&[0xb0, 0x01, 0xc3], false); // mov al, 1; ret
    }
}
