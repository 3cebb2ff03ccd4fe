//! One instruction: its length, where control goes, which addresses it mentions.

use iced_x86::{Code, FlowControl, Mnemonic, OpKind, Register as Name};

use crate::conditions;
use crate::lift;
use crate::operation::{Condition, Operand, Operation};

/// Decodes one instruction after the other from bytes at an address.
pub struct Decoder<'bytes> {
    inner: iced_x86::Decoder<'bytes>,
    start: u64,
}

/// A decoded instruction.
#[derive(Clone, Copy)]
pub struct Instruction {
    pub(crate) inner: iced_x86::Instruction,
}

/// Where control goes after an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// To the next instruction.
    Next,
    /// To this address.
    Jump(u64),
    /// To this address or to the next instruction.
    Branch(u64, Condition),
    /// To an address that is computed.
    IndirectJump(Operand),
    /// Into this function and, if that returns, to the next instruction.
    Call(u64),
    /// Into a function whose address is computed and, if that returns, to the next instruction.
    IndirectCall(Operand),
    /// Back to the caller.
    Return,
    /// Into the kernel by `syscall`, then to the next instruction.
    SystemCall,
    /// Into the kernel by another architecture's door (`int 0x80`, `sysenter`), then to the next instruction.
    ForeignSystemCall,
    /// To the next instruction, once whoever handles the signal of a breakpoint has returned (`int3`); as
    /// padding, which the same byte is, nowhere.
    Breakpoint,
    /// Nowhere: a trap, a halt, or bytes that are no instruction.
    Stop,
}

/// How an instruction uses an address that it mentions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// The address itself becomes a value, or is indexed from: what lies around it may be used.
    Taken,
    /// So many bytes at the address are read.
    Read(u8),
    /// So many bytes at the address are read for a comparison alone: nothing learns what they are.
    Compared(u8),
    /// So many bytes at the address are read and written, or perhaps written.
    Changed(u8),
    /// So many bytes at the address are written and not read.
    Written(u8),
}

/// An address that an instruction mentions other than as a jump's or call's direct target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mention {
    /// The address, in the object's own address space.
    pub address: u64,
    /// What is done with it.
    pub access: Access,
    /// It stands as a plain number in the instruction, not relative to it: an address only in an object whose
    /// addresses are fixed.
    pub absolute: bool,
}

impl<'bytes> Decoder<'bytes> {
    /// A decoder over `bytes`, whose first byte lies at `address`.
    #[must_use]
    pub fn new(bytes: &'bytes [u8], address: u64) -> Self {
        let inner = iced_x86::Decoder::with_ip(64, bytes, address, iced_x86::DecoderOptions::NONE);
        Self {
            inner,
            start: address,
        }
    }

    /// Goes to `address`; `false` if it lies outside the bytes.
    pub fn seek(&mut self, address: u64) -> bool {
        let Some(position) = address
            .checked_sub(self.start)
            .and_then(|offset| usize::try_from(offset).ok())
        else {
            return false;
        };
        if position >= self.inner.max_position() || self.inner.set_position(position).is_err() {
            return false;
        }
        self.inner.set_ip(address);
        true
    }

    /// The next instruction; `None` at the end of the bytes. Bytes that are no instruction come as one whose
    /// flow is [`Flow::Stop`].
    pub fn next_instruction(&mut self) -> Option<Instruction> {
        self.inner.can_decode().then(|| Instruction {
            inner: self.inner.decode(),
        })
    }
}

impl Instruction {
    /// Where it lies.
    #[must_use]
    pub fn address(&self) -> u64 {
        self.inner.ip()
    }

    /// Where the next one lies.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.inner.next_ip()
    }

    /// Whether the bytes are an instruction at all.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.inner.code() != Code::INVALID
    }

    /// Whether it does nothing but fill space between functions (`nop`, `int3`).
    #[must_use]
    pub fn is_padding(&self) -> bool {
        matches!(self.inner.mnemonic(), Mnemonic::Nop | Mnemonic::Int3)
    }

    /// Where control goes.
    #[must_use]
    pub fn flow(&self) -> Flow {
        let instruction = &self.inner;
        match instruction.flow_control() {
            // Only the kernel may halt: elsewhere it traps, and compilers put it where nothing comes back.
            FlowControl::Next if instruction.mnemonic() == Mnemonic::Hlt => Flow::Stop,
            FlowControl::Next => Flow::Next,
            FlowControl::UnconditionalBranch if is_near(instruction) => {
                Flow::Jump(instruction.near_branch_target())
            }
            FlowControl::ConditionalBranch | FlowControl::XbeginXabortXend if is_near(instruction) => {
                Flow::Branch(
                    instruction.near_branch_target(),
                    conditions::condition(instruction),
                )
            }
            FlowControl::Call if is_near(instruction) => Flow::Call(instruction.near_branch_target()),
            FlowControl::Call => match instruction.mnemonic() {
                Mnemonic::Syscall => Flow::SystemCall,
                Mnemonic::Sysenter => Flow::ForeignSystemCall,
                _ => Flow::Next,
            },
            FlowControl::IndirectCall => lift::operand(instruction, 0).map_or(Flow::Next, Flow::IndirectCall),
            FlowControl::IndirectBranch => {
                lift::operand(instruction, 0).map_or(Flow::Stop, Flow::IndirectJump)
            }
            FlowControl::Return => match instruction.mnemonic() {
                Mnemonic::Ret | Mnemonic::Retf | Mnemonic::Iret | Mnemonic::Iretd | Mnemonic::Iretq => {
                    Flow::Return
                }
                _ => Flow::Stop,
            },
            // Breakpoints and overflow traps come back; `int 0x80` is the 32-bit door into the kernel.
            FlowControl::Interrupt
                if instruction.code() == Code::Int_imm8 && instruction.immediate8() == 0x80 =>
            {
                Flow::ForeignSystemCall
            }
            FlowControl::Interrupt if instruction.mnemonic() == Mnemonic::Int3 => Flow::Breakpoint,
            FlowControl::Interrupt | FlowControl::XbeginXabortXend => Flow::Next,
            FlowControl::Exception | FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch => {
                Flow::Stop
            }
        }
    }

    /// The address that a memory operand mentions: RIP-relative, absolute, or an absolute table base.
    #[must_use]
    pub fn memory_mention(&self) -> Option<Mention> {
        let instruction = &self.inner;
        let position =
            (0..instruction.op_count()).find(|index| instruction.op_kind(*index) == OpKind::Memory)?;
        if matches!(instruction.segment_prefix(), Name::FS | Name::GS) {
            return None;
        }
        let address = if instruction.is_ip_rel_memory_operand() {
            instruction.ip_rel_memory_address()
        } else {
            instruction.memory_displacement64()
        };
        let plain = instruction.is_ip_rel_memory_operand()
            || (instruction.memory_base() == Name::None && instruction.memory_index() == Name::None);
        let bytes = u8::try_from(instruction.memory_size().size()).unwrap_or(u8::MAX);
        let indexed = !plain || lift::indexes_bits(instruction);
        let access = if indexed || instruction.mnemonic() == Mnemonic::Lea || bytes == 0 {
            Access::Taken
        } else if position == 0 && is_plain_store(instruction.mnemonic()) {
            Access::Written(bytes)
        } else if position == 0 && !only_reads(instruction.mnemonic()) {
            Access::Changed(bytes)
        } else if matches!(instruction.mnemonic(), Mnemonic::Cmp | Mnemonic::Test) {
            Access::Compared(bytes)
        } else {
            Access::Read(bytes)
        };
        Some(Mention {
            address,
            access,
            absolute: !instruction.is_ip_rel_memory_operand(),
        })
    }

    /// The same for RIP-relative operands alone: all that is an address in an object which may lie anywhere.
    #[must_use]
    pub fn relative_mention(&self) -> Option<Mention> {
        matches!(self.inner.memory_base(), Name::RIP | Name::EIP)
            .then(|| self.memory_mention())
            .flatten()
    }

    /// A constant operand of four or eight bytes: in a program with fixed addresses it may be one of them.
    #[must_use]
    pub fn wide_constant(&self) -> Option<u64> {
        let instruction = &self.inner;
        (0..instruction.op_count()).find_map(|index| match instruction.op_kind(index) {
            OpKind::Immediate32 | OpKind::Immediate64 | OpKind::Immediate32to64 => {
                Some(instruction.immediate(index))
            }
            _ => None,
        })
    }

    /// The constant of a move that has room for eight bytes: code for the large model puts addresses together from
    /// such a distance and a table's address (x86-64 psABI, 3.5.4).
    #[must_use]
    pub fn distance(&self) -> Option<u64> {
        (self.inner.code() == Code::Mov_r64_imm64).then(|| self.inner.immediate64())
    }

    /// Whether it leaves a value on the top of the stack, to which a return right behind it goes.
    #[must_use]
    pub fn sets_top_of_stack(&self) -> bool {
        let instruction = &self.inner;
        match instruction.mnemonic() {
            Mnemonic::Push => true,
            Mnemonic::Mov | Mnemonic::Xchg | Mnemonic::Add | Mnemonic::Sub => {
                instruction.op0_kind() == OpKind::Memory
                    && instruction.memory_base() == Name::RSP
                    && instruction.memory_index() == Name::None
                    && instruction.memory_displacement64() == 0
            }
            _ => false,
        }
    }

    /// Whether it returns to another code segment or from an interrupt, as only code does that pushed where to.
    #[must_use]
    pub fn returns_far(&self) -> bool {
        matches!(
            self.inner.mnemonic(),
            Mnemonic::Retf | Mnemonic::Iret | Mnemonic::Iretd | Mnemonic::Iretq
        )
    }

    /// Widens four bytes with their sign to eight: part of every relative table's idiom.
    #[must_use]
    pub fn widens_offset(&self) -> bool {
        matches!(self.inner.code(), Code::Movsxd_r64_rm32 | Code::Cdqe)
    }

    /// The constant distance from the stack pointer at which it reads or writes memory.
    #[must_use]
    pub fn stack_offset(&self) -> Option<i64> {
        let instruction = &self.inner;
        let has_memory =
            (0..instruction.op_count()).any(|index| instruction.op_kind(index) == OpKind::Memory);
        let on_stack = instruction.memory_base() == Name::RSP && instruction.memory_index() == Name::None;
        (has_memory && on_stack).then(|| instruction.memory_displacement64().cast_signed())
    }

    /// What it does to registers and memory, appended to `out`. The push of a call's return address is left out.
    pub fn lift(&self, out: &mut Vec<Operation>) {
        lift::lift(&self.inner, out);
    }
}

impl std::fmt::Display for Instruction {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:?} at {:#x}", self.inner.code(), self.address())
    }
}

fn is_near(instruction: &iced_x86::Instruction) -> bool {
    matches!(
        instruction.op0_kind(),
        OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64
    )
}

/// Instructions whose first operand is not written.
fn only_reads(mnemonic: Mnemonic) -> bool {
    matches!(
        mnemonic,
        Mnemonic::Cmp | Mnemonic::Test | Mnemonic::Call | Mnemonic::Jmp | Mnemonic::Push | Mnemonic::Bt
    )
}

/// Stores that do not read what was there before.
fn is_plain_store(mnemonic: Mnemonic) -> bool {
    matches!(
        mnemonic,
        Mnemonic::Mov
            | Mnemonic::Movaps
            | Mnemonic::Movups
            | Mnemonic::Movdqa
            | Mnemonic::Movdqu
            | Mnemonic::Movq
            | Mnemonic::Movd
            | Mnemonic::Movss
            | Mnemonic::Movsd
            | Mnemonic::Movlps
            | Mnemonic::Movhps
            | Mnemonic::Vmovdqa
            | Mnemonic::Vmovdqu
            | Mnemonic::Vmovaps
            | Mnemonic::Vmovups
    )
}
