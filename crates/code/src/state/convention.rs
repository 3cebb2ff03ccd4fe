//! What calls keep and where they pass arguments.

use confine_isa::Register;

/// Which registers a call leaves alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Convention {
    /// System V psABI: RBX, RBP, RSP and R12 to R15 survive.
    SystemV,
    /// Go's: only RSP survives.
    Go,
}

/// Whether a callee may look for what it is given in this register: the six of the System V psABI, and R10, which is
/// the static chain.
pub(crate) fn is_argument(register: Register) -> bool {
    matches!(
        register,
        Register::RDI
            | Register::RSI
            | Register::RDX
            | Register::RCX
            | Register::R8
            | Register::R9
            | Register::R10
    )
}

impl Convention {
    /// Whether callees look for arguments in this register.
    pub(super) fn passes(self, register: Register) -> bool {
        match self {
            // RAX tells how many vector registers a variadic call uses, R10 is the static chain.
            Self::SystemV => self.clobbers(register),
            // RAX, RBX, RCX, RDI, RSI and R8 to R11 (Go internal ABI), RDX is the closure.
            Self::Go => !matches!(register.number(), 4 | 5 | 12..=15),
        }
    }

    pub(super) fn clobbers(self, register: Register) -> bool {
        match self {
            Self::SystemV => !matches!(register.number(), 3..=5 | 12..=15),
            Self::Go => register != Register::RSP,
        }
    }
}
