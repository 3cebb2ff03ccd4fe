//! What instructions do with vector registers, as far as it is followed: which of them hold zero, and where one is stored.
//!
//! Compilers clear structures so. Anything else that a vector register may hold is not told.

use iced_x86::{Instruction, InstructionInfo, Mnemonic, OpKind, Register as Name};

use crate::lift::writes;
use crate::operation::Operation;

/// How many vector registers there are (Intel SDM volume 1, 15.1.2).
const REGISTERS: u8 = 32;

/// The vector register that a plain store writes to memory.
pub(crate) fn stored(instruction: &Instruction) -> Option<u8> {
    let plain = matches!(
        instruction.mnemonic(),
        Mnemonic::Movups
            | Mnemonic::Movaps
            | Mnemonic::Movupd
            | Mnemonic::Movapd
            | Mnemonic::Movdqu
            | Mnemonic::Movdqa
            | Mnemonic::Movq
            | Mnemonic::Movlps
            | Mnemonic::Vmovups
            | Mnemonic::Vmovaps
            | Mnemonic::Vmovdqu
            | Mnemonic::Vmovdqa
            | Mnemonic::Vmovq
    );
    (plain && is_whole(instruction))
        .then(|| number(instruction.op1_register()))
        .flatten()
}

/// Tells what the instruction leaves in vector registers.
pub(crate) fn change(instruction: &Instruction, info: &InstructionInfo, out: &mut Vec<Operation>) {
    if restores_all(instruction.mnemonic()) {
        return out.extend((0..REGISTERS).map(Operation::ClobberVector));
    }
    if let Some(register) = cleared(instruction) {
        return out.push(Operation::ClearVector(register));
    }
    let written = info.used_registers().iter().filter(|used| writes(used.access()));
    out.extend(
        written
            .filter_map(|used| number(used.register()))
            .map(Operation::ClobberVector),
    );
}

/// The register of an exclusive or with itself.
fn cleared(instruction: &Instruction) -> Option<u8> {
    let sources = match instruction.mnemonic() {
        Mnemonic::Pxor | Mnemonic::Xorps | Mnemonic::Xorpd => (0, 1),
        Mnemonic::Vpxor | Mnemonic::Vxorps | Mnemonic::Vxorpd => (1, 2),
        _ => return None,
    };
    let register = |index| {
        (instruction.op_kind(index) == OpKind::Register).then(|| number(instruction.op_register(index)))?
    };
    let same = register(sources.0)? == register(sources.1)?;
    (same && is_whole(instruction)).then(|| register(0)).flatten()
}

/// Whether no mask leaves parts alone.
fn is_whole(instruction: &Instruction) -> bool {
    instruction.op_mask() == Name::None
}

/// Whether it loads registers that it does not name (Intel SDM volume 1, 13.8).
fn restores_all(mnemonic: Mnemonic) -> bool {
    matches!(
        mnemonic,
        Mnemonic::Fxrstor
            | Mnemonic::Fxrstor64
            | Mnemonic::Xrstor
            | Mnemonic::Xrstor64
            | Mnemonic::Xrstors
            | Mnemonic::Xrstors64
    )
}

fn number(name: Name) -> Option<u8> {
    if !name.is_vector_register() {
        return None;
    }
    u8::try_from(name.number()).ok()
}

#[cfg(test)]
mod tests {
    use crate::operation::Operation;
    use crate::{Decoder, Register};

    fn operations(code: &[u8]) -> Vec<Operation> {
        let mut operations = Vec::new();
        let instruction = Decoder::new(code, 0).next_instruction().unwrap();
        assert_eq!(instruction.end(), code.len() as u64, "one instruction");
        instruction.lift(&mut operations);
        operations
    }

    #[test]
    fn vectors_are_cleared_by_themselves_alone() {
        let checks: [(&str, &[u8], Operation); 5] = [
            (
                "pxor %xmm1,%xmm1",
                &[0x66, 0x0f, 0xef, 0xc9],
                Operation::ClearVector(1),
            ),
            (
                "vxorps %xmm3,%xmm3,%xmm3",
                &[0xc5, 0xe0, 0x57, 0xdb],
                Operation::ClearVector(3),
            ),
            (
                "xorps %xmm2,%xmm1",
                &[0x0f, 0x57, 0xca],
                Operation::ClobberVector(1),
            ),
            (
                "vpxor %xmm1,%xmm1,%xmm3",
                &[0xc5, 0xf1, 0xef, 0xd9],
                Operation::ClearVector(3),
            ),
            (
                "movaps %xmm2,%xmm1",
                &[0x0f, 0x28, 0xca],
                Operation::ClobberVector(1),
            ),
        ];
        for (text, code, expected) in checks {
            assert!(
                operations(code).contains(&expected),
                "{text}: {:?}",
                operations(code)
            );
        }
        let restored = operations(&[0x0f, 0xae, 0x0c, 0x24]);
        assert!(
            (0..32).all(|vector| restored.contains(&Operation::ClobberVector(vector))),
            "fxrstor (%rsp)"
        );
    }

    #[test]
    fn stores_of_whole_vectors_say_which() {
        let checks: [(&str, &[u8], u64, Option<u8>); 4] = [
            ("movups %xmm1,(%rsp)", &[0x0f, 0x11, 0x0c, 0x24], 16, Some(1)),
            ("movq %xmm1,(%rsp)", &[0x66, 0x0f, 0xd6, 0x0c, 0x24], 8, Some(1)),
            (
                "vmovups %xmm1,(%rsp){%k1}",
                &[0x62, 0xf1, 0x7c, 0x09, 0x11, 0x0c, 0x24],
                16,
                None,
            ),
            ("movhps %xmm1,(%rsp)", &[0x0f, 0x17, 0x0c, 0x24], 8, None),
        ];
        for (text, code, bytes, vector) in checks {
            let is_it = |operation: &Operation| {
                matches!(operation, Operation::ClobberMemory { memory, bytes: of, vector: by }
                    if memory.base == Some(Register::RSP) && *of == bytes && *by == vector)
            };
            assert!(
                operations(code).iter().any(is_it),
                "{text}: {:?}",
                operations(code)
            );
        }
    }
}
