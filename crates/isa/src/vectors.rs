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
    plain.then(|| number(instruction.op1_register())).flatten()
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
    // A mask would leave parts alone.
    let whole = instruction.op_mask() == Name::None;
    (same && whole).then(|| register(0)).flatten()
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
