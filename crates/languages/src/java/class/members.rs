//! The variables and methods of a class: what they are, and which classes may name them.

use std::ops::Range;

/// Flags of members.
const PUBLIC: u16 = 0x0001;
const PRIVATE: u16 = 0x0002;
const PROTECTED: u16 = 0x0004;
const STATIC: u16 = 0x0008;
const NATIVE: u16 = 0x0100;

/// A method.
pub struct Method {
    pub(super) name: u16,
    pub(super) descriptor: u16,
    pub(super) flags: u16,
    /// Its instructions.
    pub(super) code: Range<usize>,
}

/// A variable of a class or of its objects.
pub(super) struct Field {
    pub name: u16,
    pub descriptor: u16,
    pub flags: u16,
}

/// Which classes may name a member (5.4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Its own, and those that it is nested with (5.4.4, nest mates).
    Nest,
    /// Those of its package, too.
    Package,
    /// Others, too.
    Others,
}

impl Access {
    pub(super) fn of(flags: u16) -> Self {
        match flags {
            flags if flags & PRIVATE != 0 => Self::Nest,
            flags if flags & (PUBLIC | PROTECTED) == 0 => Self::Package,
            _ => Self::Others,
        }
    }
}

impl Method {
    pub fn is_native(&self) -> bool {
        self.flags & NATIVE != 0
    }

    pub fn is_static(&self) -> bool {
        self.flags & STATIC != 0
    }

    pub fn access(&self) -> Access {
        Access::of(self.flags)
    }

    /// Whether it has instructions; a native one and one that classes below have to bring have none.
    pub fn has_code(&self) -> bool {
        !self.code.is_empty()
    }
}
