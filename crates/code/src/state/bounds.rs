//! How large what a caller passed can be after a comparison.
//!
//! A register that holds what a caller passed keeps that value, since the caller's number may be known: but where it is an
//! index into a table of constants, a small bound tells what can be read there, whoever calls.

use confine_isa::{Register, Width};

use crate::value::Constants;

/// Upper bounds of registers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Bounds(Vec<Bound>);

/// The low bytes of a register are at most this, as a number without a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bound {
    register: Register,
    pub(super) most: u64,
    pub(super) width: Width,
}

impl Bounds {
    /// Notes a bound, unless it allows too many numbers to list them.
    pub(super) fn note(&mut self, register: Register, most: u64, width: Width) {
        if most >= Constants::MOST as u64 {
            return;
        }
        self.forget(register);
        self.0.push(Bound {
            register,
            most,
            width,
        });
    }

    /// The register was written.
    pub(super) fn forget(&mut self, register: Register) {
        self.0.retain(|bound| bound.register != register);
    }

    pub(super) fn of(&self, register: Register) -> Option<Bound> {
        self.0.iter().copied().find(|bound| bound.register == register)
    }

    /// Keeps what holds on another way, too; whether that changed anything.
    pub(super) fn join(&mut self, other: &Self) -> bool {
        let before = self.0.len();
        self.0.retain(|bound| other.0.contains(bound));
        self.0.len() != before
    }
}
