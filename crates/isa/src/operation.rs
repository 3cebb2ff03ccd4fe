//! The small intermediate form: what an instruction does, as far as an analysis of constants cares.

use std::fmt;

/// A general-purpose register by its hardware number (Intel SDM volume 2, table 2-2): 0 is RAX, 4 RSP, 7 RDI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Register(u8);

impl Register {
    /// How many there are.
    pub const COUNT: usize = 16;
    #[allow(missing_docs)]
    pub const RAX: Self = Self(0);
    #[allow(missing_docs)]
    pub const RCX: Self = Self(1);
    #[allow(missing_docs)]
    pub const RDX: Self = Self(2);
    #[allow(missing_docs)]
    pub const RBX: Self = Self(3);
    #[allow(missing_docs)]
    pub const RSP: Self = Self(4);
    #[allow(missing_docs)]
    pub const RBP: Self = Self(5);
    #[allow(missing_docs)]
    pub const RSI: Self = Self(6);
    #[allow(missing_docs)]
    pub const RDI: Self = Self(7);
    #[allow(missing_docs)]
    pub const R8: Self = Self(8);
    #[allow(missing_docs)]
    pub const R9: Self = Self(9);
    #[allow(missing_docs)]
    pub const R10: Self = Self(10);
    #[allow(missing_docs)]
    pub const R11: Self = Self(11);

    /// The register with this hardware number, if there is one.
    #[must_use]
    pub fn from_number(number: usize) -> Option<Self> {
        u8::try_from(number)
            .ok()
            .filter(|number| usize::from(*number) < Self::COUNT)
            .map(Self)
    }

    /// Its hardware number, below [`Register::COUNT`].
    #[must_use]
    pub fn number(self) -> usize {
        usize::from(self.0)
    }

    /// Every register in hardware order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..16).map(Self)
    }
}

impl fmt::Display for Register {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; Register::COUNT] = [
            "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
            "r14", "r15",
        ];
        formatter.write_str(NAMES[self.number()])
    }
}

/// How many bytes an operation works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Width {
    /// One byte; the rest of a register written this way stays as it was.
    Byte,
    /// Two bytes; the rest of a register written this way stays as it was.
    Word,
    /// Four bytes; a register written this way has its upper half zeroed.
    Double,
    /// Eight bytes.
    Quad,
}

impl Width {
    /// In bytes.
    #[must_use]
    pub fn bytes(self) -> u64 {
        match self {
            Self::Byte => 1,
            Self::Word => 2,
            Self::Double => 4,
            Self::Quad => 8,
        }
    }

    /// All bits of a value of this width.
    #[must_use]
    pub fn mask(self) -> u64 {
        u64::MAX >> (64 - 8 * self.bytes())
    }

    /// The value of this width read as a signed number, as 64 bits.
    #[must_use]
    pub fn sign_extend(self, value: u64) -> u64 {
        let unused = 64 - 8 * u32::try_from(self.bytes()).unwrap_or(8);
        ((value << unused).cast_signed() >> unused).cast_unsigned()
    }

    pub(crate) fn from_bytes(bytes: usize) -> Option<Self> {
        match bytes {
            1 => Some(Self::Byte),
            2 => Some(Self::Word),
            4 => Some(Self::Double),
            8 => Some(Self::Quad),
            _ => None,
        }
    }
}

/// A place in memory: `base + index * scale + displacement`.
///
/// Without base and index the displacement is an address of the object (RIP-relative or absolute).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Memory {
    /// Added as it is.
    pub base: Option<Register>,
    /// Added times its scale of 1, 2, 4 or 8.
    pub index: Option<(Register, u8)>,
    /// Added, sign-extended.
    pub displacement: u64,
    /// Relative to the FS or GS base: thread-local, never the stack or the object.
    pub segment: bool,
}

/// What an operation reads or writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operand {
    /// The low bytes of a register.
    Register(Register),
    /// A constant, sign-extended as the instruction does.
    Constant(u64),
    /// Bytes in memory.
    Memory(Memory),
}

impl Operand {
    /// The address of the slot that a memory operand names, if it is nothing but an address of the object.
    #[must_use]
    pub fn slot(&self) -> Option<u64> {
        match self {
            Self::Memory(Memory {
                base: None,
                index: None,
                displacement,
                segment: false,
            }) => Some(*displacement),
            _ => None,
        }
    }
}

/// Two-operand arithmetic: `place = place operation source`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Arithmetic {
    Add,
    Subtract,
    And,
    Or,
    ExclusiveOr,
    ShiftLeft,
    /// Zeroes come in from the left.
    ShiftRight,
    /// The sign comes in from the left.
    ShiftRightSigned,
    Multiply,
}

/// When a conditional branch is taken, in terms of the last [`Operation::Compare`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Condition {
    /// left = right (`test`: left & right = 0).
    Equal,
    /// left ≠ right.
    NotEqual,
    /// left < right without sign.
    Below,
    /// left ≤ right without sign.
    BelowOrEqual,
    /// left > right without sign.
    Above,
    /// left ≥ right without sign.
    AboveOrEqual,
    /// Anything else: nothing is learned from it.
    Other,
}

impl Condition {
    /// When the branch is not taken.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::Equal => Self::NotEqual,
            Self::NotEqual => Self::Equal,
            Self::Below => Self::AboveOrEqual,
            Self::BelowOrEqual => Self::Above,
            Self::Above => Self::BelowOrEqual,
            Self::AboveOrEqual => Self::Below,
            Self::Other => Self::Other,
        }
    }
}

impl Operand {
    /// The registers that make up its address, or itself.
    fn registers(&self) -> [Option<Register>; 2] {
        match self {
            Self::Register(register) => [Some(*register), None],
            Self::Constant(_) => [None, None],
            Self::Memory(memory) => memory.registers(),
        }
    }
}

impl Memory {
    fn registers(&self) -> [Option<Register>; 2] {
        [self.base, self.index.map(|(index, _)| index)]
    }
}

impl Operation {
    /// The registers whose contents matter to it, comparisons left out: they pass nothing on.
    #[must_use]
    pub fn reads(&self) -> [Option<Register>; 4] {
        let two = |left: [Option<Register>; 2], right: [Option<Register>; 2]| {
            [left[0], left[1], right[0], right[1]]
        };
        let of_place = |place: &Operand| match place {
            Operand::Memory(memory) => memory.registers(),
            _ => [None, None],
        };
        match self {
            Self::Copy { to, from, .. } => two(of_place(to), from.registers()),
            Self::Extend { from, .. } => two(from.registers(), [None, None]),
            Self::Address { memory, .. }
            | Self::ClobberMemory { memory, .. }
            | Self::ReadMemory { memory, .. } => two(memory.registers(), [None, None]),
            Self::Arithmetic { place, source, .. } => two(place.registers(), source.registers()),
            Self::Select { to, from, .. } => two([Some(*to), None], from.registers()),
            Self::OneOf { to, .. } => two(of_place(to), [None, None]),
            Self::Swap { left, right } => [Some(*left), Some(*right), None, None],
            Self::ReadRegister(register) => [Some(*register), None, None, None],
            Self::Compare { .. }
            | Self::ForgetFlags
            | Self::ReadAllMemory
            | Self::Clobber(_)
            | Self::ClearVector(_)
            | Self::ClobberVector(_)
            | Self::ClobberAllMemory => [None; 4],
        }
    }

    /// The operands that it takes values from, with how much of each: those of a comparison only make flags.
    pub fn sources(&self) -> impl Iterator<Item = (Operand, Width)> + use<> {
        let sources = match *self {
            Self::Copy { from, width, .. } | Self::Select { from, width, .. } => [Some((from, width)), None],
            Self::Extend { from, from_width, .. } => [Some((from, from_width)), None],
            Self::Arithmetic {
                place, source, width, ..
            } => [Some((source, width)), Some((place, width))],
            _ => [None, None],
        };
        sources.into_iter().flatten()
    }

    /// The one operand that it puts a value into, with how much of it.
    #[must_use]
    pub fn result(&self) -> Option<(Operand, Width)> {
        match *self {
            Self::Copy { to, width, .. }
            | Self::Arithmetic { place: to, width, .. }
            | Self::OneOf { to, width, .. } => Some((to, width)),
            Self::Extend { to, width, .. }
            | Self::Address { to, width, .. }
            | Self::Select { to, width, .. } => Some((Operand::Register(to), width)),
            Self::Clobber(register) => Some((Operand::Register(register), Width::Quad)),
            Self::Swap { .. }
            | Self::Compare { .. }
            | Self::ForgetFlags
            | Self::ReadMemory { .. }
            | Self::ReadAllMemory
            | Self::ReadRegister(_)
            | Self::ClearVector(_)
            | Self::ClobberVector(_)
            | Self::ClobberMemory { .. }
            | Self::ClobberAllMemory => None,
        }
    }

    /// How many bytes it takes off the stack pointer, if that is what it does.
    #[must_use]
    pub fn stack_subtraction(&self) -> Option<u64> {
        let Self::Arithmetic {
            operation,
            place: Operand::Register(Register::RSP),
            source: Operand::Constant(bytes),
            ..
        } = self
        else {
            return None;
        };
        match operation {
            Arithmetic::Subtract => Some(*bytes),
            // Compilers add -128, which is a byte shorter to encode than subtracting 128.
            Arithmetic::Add => Some(bytes.wrapping_neg()).filter(|bytes| *bytes <= u64::from(u32::MAX)),
            _ => None,
        }
    }
}

/// One effect of an instruction. An instruction is a short list of them, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `to = from`.
    Copy {
        #[allow(missing_docs)]
        to: Operand,
        #[allow(missing_docs)]
        from: Operand,
        #[allow(missing_docs)]
        width: Width,
    },
    /// `to = from` widened from `from_width` to `width`.
    Extend {
        #[allow(missing_docs)]
        to: Register,
        #[allow(missing_docs)]
        width: Width,
        #[allow(missing_docs)]
        from: Operand,
        #[allow(missing_docs)]
        from_width: Width,
        /// With the sign, else with zeroes.
        signed: bool,
    },
    /// `to = ` the address, cut to `width`.
    Address {
        #[allow(missing_docs)]
        to: Register,
        #[allow(missing_docs)]
        width: Width,
        #[allow(missing_docs)]
        memory: Memory,
    },
    /// `place = place operation source`.
    Arithmetic {
        #[allow(missing_docs)]
        operation: Arithmetic,
        #[allow(missing_docs)]
        place: Operand,
        #[allow(missing_docs)]
        source: Operand,
        #[allow(missing_docs)]
        width: Width,
    },
    /// `to` becomes `from` or stays (a conditional move).
    Select {
        #[allow(missing_docs)]
        to: Register,
        #[allow(missing_docs)]
        from: Operand,
        #[allow(missing_docs)]
        width: Width,
    },
    /// `to` becomes one of two numbers: 0 or all ones (`sbb same, same`), 0 or 1 (`setcc`).
    OneOf {
        #[allow(missing_docs)]
        to: Operand,
        #[allow(missing_docs)]
        width: Width,
        #[allow(missing_docs)]
        values: [u64; 2],
    },
    /// Both change places.
    Swap {
        #[allow(missing_docs)]
        left: Register,
        #[allow(missing_docs)]
        right: Register,
    },
    /// The flags now compare these two; with `test` they hold `left & right` against 0.
    Compare {
        #[allow(missing_docs)]
        left: Operand,
        #[allow(missing_docs)]
        right: Operand,
        #[allow(missing_docs)]
        width: Width,
        #[allow(missing_docs)]
        test: bool,
    },
    /// The flags now hold something else.
    ForgetFlags,
    /// So many bytes at this place are read, and what becomes of them is not told.
    ReadMemory {
        #[allow(missing_docs)]
        memory: Memory,
        #[allow(missing_docs)]
        bytes: u64,
    },
    /// Any memory may be read, and what becomes of it is not told.
    ReadAllMemory,
    /// The register is read, and what becomes of its value is not told.
    ReadRegister(Register),
    /// The register holds anything.
    Clobber(Register),
    /// The low sixteen bytes of the vector register of this number hold zero.
    ClearVector(u8),
    /// The vector register of this number holds anything.
    ClobberVector(u8),
    /// So many bytes at this place hold anything.
    ClobberMemory {
        #[allow(missing_docs)]
        memory: Memory,
        #[allow(missing_docs)]
        bytes: u64,
        /// The number of the vector register whose contents they are, if the instruction stores one.
        vector: Option<u8>,
    },
    /// Memory anywhere holds anything (string stores and the like).
    ClobberAllMemory,
}
