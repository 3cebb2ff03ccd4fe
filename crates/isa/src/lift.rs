//! x86-64 instructions as [`Operation`]s.
//!
//! Every instruction that is not listed clobbers the registers and the memory that it writes, by the decoder's
//! own list of what it uses, so that a missing row costs precision and never soundness.

use iced_x86::{
    Code, ConditionCode, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register as Name,
    UsedMemory,
};

use crate::conditions::{is_conditional_move, is_conditional_set};
use crate::operation::{Arithmetic, Memory, Operand, Operation, Register, Width};
use crate::vectors;

pub(crate) fn lift(instruction: &Instruction, out: &mut Vec<Operation>) {
    let before = out.len();
    if lift_known(instruction, out).is_none() {
        out.truncate(before);
        clobber(instruction, out);
    }
}

/// `None` if the instruction (or this form of it) is not one that is modelled.
fn lift_known(instruction: &Instruction, out: &mut Vec<Operation>) -> Option<()> {
    match instruction.mnemonic() {
        Mnemonic::Nop
        | Mnemonic::Endbr64
        | Mnemonic::Pause
        | Mnemonic::Jmp
        | Mnemonic::Call
        | Mnemonic::Ret => {}
        Mnemonic::Mov => copy(instruction, out)?,
        Mnemonic::Movzx => extend(instruction, false, out)?,
        Mnemonic::Movsx | Mnemonic::Movsxd => extend(instruction, true, out)?,
        Mnemonic::Cdqe => sign_extend_accumulator(Width::Quad, Width::Double, out),
        Mnemonic::Cwde => sign_extend_accumulator(Width::Double, Width::Word, out),
        Mnemonic::Lea => {
            let (to, width) = register(instruction.op0_register())?;
            out.push(Operation::Address {
                to,
                width,
                memory: memory(instruction)?,
            });
        }
        Mnemonic::Add => arithmetic(instruction, Arithmetic::Add, out)?,
        Mnemonic::Sub => arithmetic(instruction, Arithmetic::Subtract, out)?,
        Mnemonic::And => arithmetic(instruction, Arithmetic::And, out)?,
        Mnemonic::Or => arithmetic(instruction, Arithmetic::Or, out)?,
        Mnemonic::Xor => arithmetic(instruction, Arithmetic::ExclusiveOr, out)?,
        Mnemonic::Shl => arithmetic(instruction, Arithmetic::ShiftLeft, out)?,
        Mnemonic::Shr => arithmetic(instruction, Arithmetic::ShiftRight, out)?,
        Mnemonic::Sar => arithmetic(instruction, Arithmetic::ShiftRightSigned, out)?,
        Mnemonic::Not => {
            let (place, width) = (operand(instruction, 0)?, operand_width(instruction, 0)?);
            out.push(Operation::Arithmetic {
                operation: Arithmetic::ExclusiveOr,
                place,
                source: Operand::Constant(width.mask()),
                width,
            });
        }
        Mnemonic::Neg => negate(instruction, out)?,
        Mnemonic::Imul if instruction.op_count() == 3 => multiply(instruction, out)?,
        Mnemonic::Inc => step(instruction, Arithmetic::Add, out)?,
        Mnemonic::Dec => step(instruction, Arithmetic::Subtract, out)?,
        Mnemonic::Sbb if instruction.op0_kind() == OpKind::Register => {
            let (to, width) = register(instruction.op0_register())?;
            if instruction.op1_kind() != OpKind::Register
                || instruction.op1_register() != instruction.op0_register()
            {
                return None;
            }
            let to = Operand::Register(to);
            let values = [0, u64::MAX];
            out.extend([Operation::OneOf { to, width, values }, Operation::ForgetFlags]);
        }
        Mnemonic::Cmp => compare(instruction, false, out)?,
        Mnemonic::Test => compare(instruction, true, out)?,
        Mnemonic::Push => push(instruction, out)?,
        Mnemonic::Pop => pop(instruction, out)?,
        Mnemonic::Leave => {
            let frame = Operand::Register(Register::RBP);
            out.push(Operation::Copy {
                to: Operand::Register(Register::RSP),
                from: frame,
                width: Width::Quad,
            });
            restore(frame, out);
        }
        Mnemonic::Xchg => {
            let ((left, width), (right, _)) = (
                register(instruction.op0_register())?,
                register(instruction.op1_register())?,
            );
            if width != Width::Quad || instruction.op0_kind() != OpKind::Register {
                return None;
            }
            out.push(Operation::Swap { left, right });
        }
        _ if instruction.condition_code() != ConditionCode::None && instruction.is_jcc_short_or_near() => {}
        _ if is_conditional_set(instruction) => {
            let (to, width) = (operand(instruction, 0)?, operand_width(instruction, 0)?);
            let values = [0, 1];
            out.push(Operation::OneOf { to, width, values });
        }
        _ if is_conditional_move(instruction.mnemonic()) => {
            let (to, width) = register(instruction.op0_register())?;
            out.push(Operation::Select {
                to,
                from: operand(instruction, 1)?,
                width,
            });
        }
        _ => return None,
    }
    Some(())
}

fn copy(instruction: &Instruction, out: &mut Vec<Operation>) -> Option<()> {
    let (to, from) = (operand(instruction, 0)?, operand(instruction, 1)?);
    out.push(Operation::Copy {
        to,
        from,
        width: width(instruction)?,
    });
    Some(())
}

fn extend(instruction: &Instruction, signed: bool, out: &mut Vec<Operation>) -> Option<()> {
    let (to, width) = register(instruction.op0_register())?;
    let from = operand(instruction, 1)?;
    let from_width = operand_width(instruction, 1)?;
    out.push(Operation::Extend {
        to,
        width,
        from,
        from_width,
        signed,
    });
    Some(())
}

fn sign_extend_accumulator(width: Width, from_width: Width, out: &mut Vec<Operation>) {
    let from = Operand::Register(Register::RAX);
    out.push(Operation::Extend {
        to: Register::RAX,
        width,
        from,
        from_width,
        signed: true,
    });
}

fn arithmetic(instruction: &Instruction, operation: Arithmetic, out: &mut Vec<Operation>) -> Option<()> {
    let (place, source) = (operand(instruction, 0)?, operand(instruction, 1)?);
    let width = width(instruction)?;
    out.push(Operation::Arithmetic {
        operation,
        place,
        source,
        width,
    });
    out.push(Operation::ForgetFlags);
    Some(())
}

fn multiply(instruction: &Instruction, out: &mut Vec<Operation>) -> Option<()> {
    let (to, width) = register(instruction.op0_register())?;
    let (from, factor) = (operand(instruction, 1)?, operand(instruction, 2)?);
    out.push(Operation::Copy {
        to: Operand::Register(to),
        from,
        width,
    });
    let place = Operand::Register(to);
    out.push(Operation::Arithmetic {
        operation: Arithmetic::Multiply,
        place,
        source: factor,
        width,
    });
    out.push(Operation::ForgetFlags);
    Some(())
}

/// `-x` is `(x ^ all ones) + 1`.
fn negate(instruction: &Instruction, out: &mut Vec<Operation>) -> Option<()> {
    let (place, width) = (operand(instruction, 0)?, operand_width(instruction, 0)?);
    for (operation, number) in [(Arithmetic::ExclusiveOr, width.mask()), (Arithmetic::Add, 1)] {
        out.push(Operation::Arithmetic {
            operation,
            place,
            source: Operand::Constant(number),
            width,
        });
    }
    out.push(Operation::ForgetFlags);
    Some(())
}

fn step(instruction: &Instruction, operation: Arithmetic, out: &mut Vec<Operation>) -> Option<()> {
    let place = operand(instruction, 0)?;
    let width = operand_width(instruction, 0)?;
    out.push(Operation::Arithmetic {
        operation,
        place,
        source: Operand::Constant(1),
        width,
    });
    out.push(Operation::ForgetFlags);
    Some(())
}

fn compare(instruction: &Instruction, test: bool, out: &mut Vec<Operation>) -> Option<()> {
    let (left, right) = (operand(instruction, 0)?, operand(instruction, 1)?);
    out.push(Operation::Compare {
        left,
        right,
        width: width(instruction)?,
        test,
    });
    Some(())
}

fn push(instruction: &Instruction, out: &mut Vec<Operation>) -> Option<()> {
    if operand_width(instruction, 0) == Some(Width::Word) {
        return None;
    }
    let from = operand(instruction, 0)?;
    let top = Memory {
        base: Some(Register::RSP),
        index: None,
        displacement: 8u64.wrapping_neg(),
        segment: false,
    };
    out.push(Operation::Copy {
        to: Operand::Memory(top),
        from,
        width: Width::Quad,
    });
    out.push(move_stack(Arithmetic::Subtract));
    Some(())
}

fn pop(instruction: &Instruction, out: &mut Vec<Operation>) -> Option<()> {
    let (to, width) = register(instruction.op0_register())?;
    if width != Width::Quad || instruction.op0_kind() != OpKind::Register {
        return None;
    }
    restore(Operand::Register(to), out);
    Some(())
}

fn restore(to: Operand, out: &mut Vec<Operation>) {
    let top = Memory {
        base: Some(Register::RSP),
        index: None,
        displacement: 0,
        segment: false,
    };
    let from = Operand::Memory(top);
    if to == Operand::Register(Register::RSP) {
        out.push(Operation::Copy {
            to,
            from,
            width: Width::Quad,
        });
        return;
    }
    out.push(Operation::Copy {
        to,
        from,
        width: Width::Quad,
    });
    out.push(move_stack(Arithmetic::Add));
}

fn move_stack(operation: Arithmetic) -> Operation {
    let place = Operand::Register(Register::RSP);
    Operation::Arithmetic {
        operation,
        place,
        source: Operand::Constant(8),
        width: Width::Quad,
    }
}

/// Forgets whatever the instruction writes, by the decoder's own account of it.
fn clobber(instruction: &Instruction, out: &mut Vec<Operation>) {
    let mut factory = InstructionInfoFactory::new();
    let info = factory.info(instruction);
    let anywhere = indexes_bits(instruction);
    for index in 0..instruction.op_count() {
        let named = instruction.op_kind(index) == OpKind::Register && reads(info.op_access(index));
        if let Some(register) = named
            .then(|| full_register(instruction.op_register(index)))
            .flatten()
        {
            out.push(Operation::ReadRegister(register));
        }
    }
    for used in info.used_registers() {
        if let (true, Some(register)) = (writes(used.access()), full_register(used.register())) {
            out.push(Operation::Clobber(register));
        }
    }
    for used in info.used_memory() {
        let bytes = used.memory_size().size() as u64;
        if reads(used.access()) {
            out.push(match used_place(used).filter(|_| bytes > 0 && !anywhere) {
                Some(memory) => Operation::ReadMemory { memory, bytes },
                None => Operation::ReadAllMemory,
            });
        }
        if !writes(used.access()) {
            continue;
        }
        let plain = instruction.op_count() > 0 && instruction.op0_kind() == OpKind::Memory && bytes > 0;
        match memory(instruction) {
            Some(memory) if plain && !anywhere => out.push(Operation::ClobberMemory {
                memory,
                bytes,
                vector: vectors::stored(instruction),
            }),
            _ => out.push(Operation::ClobberAllMemory),
        }
    }
    vectors::change(instruction, info, out);
    if instruction.rflags_modified() != 0 {
        out.push(Operation::ForgetFlags);
    }
}

/// Whether it names a bit of memory by a register: the bit may lie outside of the word that the operand names, since
/// the register's value divided by the word's size counts on from there (Intel SDM volume 1, 3.7: bit strings).
pub(crate) fn indexes_bits(instruction: &Instruction) -> bool {
    let of_bits = matches!(
        instruction.mnemonic(),
        Mnemonic::Bt | Mnemonic::Bts | Mnemonic::Btr | Mnemonic::Btc
    );
    of_bits && instruction.op0_kind() == OpKind::Memory && instruction.op1_kind() == OpKind::Register
}

/// The place that the decoder says is used, if the small form can name it.
fn used_place(used: &UsedMemory) -> Option<Memory> {
    let segment = matches!(used.segment(), Name::FS | Name::GS);
    let displacement = used.displacement();
    let part = |name: Name| {
        register(name)
            .filter(|(_, width)| *width == Width::Quad)
            .map(|(register, _)| register)
    };
    let base = match used.base() {
        // The displacement of a relative operand is the whole address.
        Name::None | Name::RIP => None,
        name => Some(part(name)?),
    };
    let index = match used.index() {
        Name::None => None,
        name => Some((part(name)?, u8::try_from(used.scale()).ok()?)),
    };
    Some(Memory {
        base,
        index,
        displacement,
        segment,
    })
}

pub(crate) fn reads(access: OpAccess) -> bool {
    matches!(
        access,
        OpAccess::Read | OpAccess::CondRead | OpAccess::ReadWrite | OpAccess::ReadCondWrite
    )
}

pub(crate) fn writes(access: OpAccess) -> bool {
    !matches!(
        access,
        OpAccess::None | OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess
    )
}

/// Operand number `index`, if it is one that the small form can name.
pub(crate) fn operand(instruction: &Instruction, index: u32) -> Option<Operand> {
    match instruction.op_kind(index) {
        OpKind::Register => {
            let name = instruction.op_register(index);
            // AH and its like are bits 8 to 15: no low part of a register.
            register(name).map(|(register, _)| Operand::Register(register))
        }
        OpKind::Memory => memory(instruction).map(Operand::Memory),
        OpKind::Immediate8
        | OpKind::Immediate16
        | OpKind::Immediate32
        | OpKind::Immediate64
        | OpKind::Immediate8to16
        | OpKind::Immediate8to32
        | OpKind::Immediate8to64
        | OpKind::Immediate32to64 => Some(Operand::Constant(instruction.immediate(index))),
        _ => None,
    }
}

fn memory(instruction: &Instruction) -> Option<Memory> {
    let segment = matches!(instruction.segment_prefix(), Name::FS | Name::GS);
    if instruction.is_ip_rel_memory_operand() {
        let displacement = instruction.ip_rel_memory_address();
        return Some(Memory {
            base: None,
            index: None,
            displacement,
            segment,
        });
    }
    let part = |name: Name| match name {
        Name::None => Some(None),
        name => register(name)
            .filter(|(_, width)| *width == Width::Quad)
            .map(|(register, _)| Some(register)),
    };
    let base = part(instruction.memory_base())?;
    let scale = u8::try_from(instruction.memory_index_scale()).ok()?;
    let index = part(instruction.memory_index())?.map(|register| (register, scale));
    Some(Memory {
        base,
        index,
        displacement: instruction.memory_displacement64(),
        segment,
    })
}

fn width(instruction: &Instruction) -> Option<Width> {
    operand_width(instruction, 0)
}

pub(crate) fn operand_width(instruction: &Instruction, index: u32) -> Option<Width> {
    match instruction.op_kind(index) {
        OpKind::Register => register(instruction.op_register(index)).map(|(_, width)| width),
        OpKind::Memory => Width::from_bytes(instruction.memory_size().size()),
        _ => match instruction.code() {
            Code::Pushw_imm8 | Code::Push_imm16 => Some(Width::Word),
            _ => Some(Width::Quad),
        },
    }
}

fn register(name: Name) -> Option<(Register, Width)> {
    if !name.is_gpr() || matches!(name, Name::AH | Name::BH | Name::CH | Name::DH) {
        return None;
    }
    Some((full_register(name)?, Width::from_bytes(name.size())?))
}

pub(crate) fn full_register(name: Name) -> Option<Register> {
    name.is_gpr()
        .then(|| name.full_register().number())
        .and_then(Register::from_number)
}
