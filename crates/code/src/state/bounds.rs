//! How large what a caller passed can be after a comparison.
//!
//! A register that holds what a caller passed keeps that value, since the caller's number may be known. A small bound beside
//! it tells, whoever calls, what can be read by it from a table of constants, and what can be made of it: glibc's
//! `tcsetattr` adds an action of at most 2 to a request.

use confine_isa::{Memory, Register, Width};

use super::{State, fits};
use crate::value::{Constants, Value};

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

    fn is_empty(&self) -> bool {
        self.0.is_empty()
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

impl State {
    /// The address that a memory operand names, as far as bounds of its registers tell: a few numbers, or nothing.
    pub(crate) fn bounded_address(&self, memory: &Memory) -> Option<Value> {
        let base = memory.base.map(|base| self.index(base).enumerated());
        let sum = self.address_from(memory, base.as_ref());
        matches!(sum, Value::Constants(_)).then_some(sum)
    }

    /// What bounds a register, as a few numbers, or nothing.
    pub(crate) fn bounded(&self, register: Register) -> Option<Value> {
        let bounded = self.index(register).enumerated();
        matches!(bounded, Value::Constants(_)).then_some(bounded)
    }

    /// A value that was made from a register, with what bounds that: callers may know more, and where that is lost, a few
    /// numbers remain.
    pub(crate) fn within_bounds(
        &self,
        value: Value,
        register: Option<Register>,
        few: impl FnOnce() -> Option<Value>,
    ) -> Value {
        match value {
            value if self.bounds.is_empty() => value,
            Value::Any | Value::UpTo(_) => few().unwrap_or(value),
            Value::Entry(made) => {
                let bound =
                    register.and_then(|register| Some((self.register(register), self.bounds.of(register)?)));
                match bound {
                    Some((Value::Entry(from), bound))
                        if from.is_plain() && from.location == made.location =>
                    {
                        Value::Entry(made.at_most(bound.most, bound.width))
                    }
                    _ => value,
                }
            }
            _ => value,
        }
    }

    /// The value of a register, or what bounds it, if that is all that is known without the caller.
    pub(super) fn index(&self, register: Register) -> Value {
        let value = self.register(register);
        match (value, self.bounds.of(register)) {
            (Value::Constants(_) | Value::Addresses(_), _) | (_, None) => value.clone(),
            (_, Some(bound)) if fits(value, bound.width) => Value::UpTo(bound.most),
            _ => value.clone(),
        }
    }
}
