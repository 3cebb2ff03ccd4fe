//! The abstract values: what a register or a stack slot may hold.
//!
//! A [`Value`] stands for a set of 64-bit words. The order is inclusion of those sets; [`Value::Any`] is the
//! top. Joins go up a lattice of finite height, which is why the analysis ends: a set of constants can grow
//! [`Constants::MOST`] times before it becomes `Any`; the bound of a range is always a constant of the code (a
//! mask or a compare), perhaps shifted right, so there are finitely many and they are totally ordered; so are the bounds of
//! [`Value::Entry`], which otherwise joins as every other kind does: with anything but itself to `Any`.

use std::sync::Arc;

use confine_elf::Address;
use confine_isa::{Arithmetic, Register, Width};

/// A set of words.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Value {
    /// Every word.
    #[default]
    Any,
    /// These numbers.
    Constants(Constants),
    /// These addresses of the object, wherever it is loaded.
    Addresses(Constants),
    /// What the stack pointer was when the function was entered, plus this many bytes.
    Frame(i64),
    /// What a register or a stack slot held when the function was entered, changed by constants.
    Entry(Entry),
    /// Every number from 0 up to and including this one.
    UpTo(u64),
    /// What a variable of the object holds, plus a constant.
    Variable {
        /// Its address: eight bytes that can be written.
        address: Address,
        /// Added, wrapping.
        add: u64,
    },
    /// What lies in memory behind a pointer.
    Loaded(Loaded),
}

/// So many bytes behind a pointer, zero-extended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Loaded {
    /// Where the pointer comes from.
    pub pointer: Pointer,
    /// Bytes from where it points to.
    pub offset: u64,
    /// How many bytes.
    pub width: Width,
}

/// Where a pointer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pointer {
    /// The caller passed it.
    Entry(Location),
    /// It is in a variable of the object, at this address.
    Variable(Address),
}

/// What was in a place when the function was entered, changed: `((entry + add) & and) | or`, with a bound if one
/// is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Entry {
    /// The place.
    pub location: Location,
    /// Added first, wrapping.
    pub add: u64,
    /// Then these bits are kept.
    pub and: u64,
    /// Then these bits are set.
    pub or: u64,
    /// What the place held is at most this, as far as it matters: in its bits up to the highest one that is kept.
    pub most: u64,
}

/// Where a function finds what its caller passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Location {
    /// A register.
    Register(Register),
    /// The eight bytes at this offset from the stack pointer at entry, of which a callee may look at the first four alone;
    /// 8 is the first argument that is passed on the stack, 0 the return address.
    Stack(u16),
}

/// A small sorted set of numbers, never empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Constants(Items);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Items {
    One(u64),
    More(Arc<[u64]>),
}

impl Constants {
    /// More than these are not told apart: the height of the lattice.
    pub const MOST: usize = 16;

    /// Every number that has the bits `or` and any of the bits `and`; `None` if those are many, or a range says the same.
    fn of_bits(and: u64, or: u64) -> Option<Self> {
        let free = and & !or;
        let is_range = or == 0 && free & free.wrapping_add(1) == 0;
        if is_range || 1_usize.checked_shl(free.count_ones())? > Self::MOST {
            return None;
        }
        // The subsets of a set of bits, each from the one before.
        let next = |subset: &u64| Some(subset.wrapping_sub(free) & free).filter(|next| *next != 0);
        Self::collect(std::iter::successors(Some(0), next).map(|subset| subset | or))
    }

    /// The set of one number.
    #[must_use]
    pub fn one(number: u64) -> Self {
        Self(Items::One(number))
    }

    /// The set of these numbers; `None` if there are none or too many.
    #[must_use]
    pub fn collect(numbers: impl IntoIterator<Item = u64>) -> Option<Self> {
        let mut items: Vec<u64> = numbers.into_iter().collect();
        items.sort_unstable();
        items.dedup();
        match items.as_slice() {
            [] => None,
            [one] => Some(Self::one(*one)),
            more if more.len() <= Self::MOST => Some(Self(Items::More(items.into()))),
            _ => None,
        }
    }

    /// The numbers in ascending order.
    #[must_use]
    pub fn as_slice(&self) -> &[u64] {
        match &self.0 {
            Items::One(one) => std::slice::from_ref(one),
            Items::More(more) => more,
        }
    }

    /// The only number, if there is one.
    #[must_use]
    pub fn only(&self) -> Option<u64> {
        match self.0 {
            Items::One(one) => Some(one),
            Items::More(_) => None,
        }
    }

    fn map(&self, change: impl Fn(u64) -> u64) -> Self {
        match &self.0 {
            Items::One(one) => Self::one(change(*one)),
            Items::More(more) => {
                Self::collect(more.iter().map(|number| change(*number))).unwrap_or_else(|| self.clone())
            }
        }
    }

    fn pairs(&self, other: &Self, combine: impl Fn(u64, u64) -> u64) -> Option<Self> {
        let left = self.as_slice();
        Self::collect(
            other
                .as_slice()
                .iter()
                .flat_map(|right| left.iter().map(|left| combine(*left, *right))),
        )
    }

    fn union(&self, other: &Self) -> Option<Self> {
        Self::collect(self.as_slice().iter().chain(other.as_slice()).copied())
    }
}

impl Entry {
    /// The place as it was.
    #[must_use]
    pub fn unchanged(location: Location) -> Self {
        Self {
            location,
            add: 0,
            and: u64::MAX,
            or: 0,
            most: u64::MAX,
        }
    }

    /// Every number that it can be, where the place is known to hold one of few.
    #[must_use]
    pub fn bounded(&self) -> Option<Constants> {
        let few = (self.most < Constants::MOST as u64).then_some(0..=self.most)?;
        Constants::collect(few.map(|number| self.apply(number)))
    }

    /// The same of a place of which the low bytes that `width` has hold at most `most`.
    #[must_use]
    pub fn at_most(&self, most: u64, width: Width) -> Self {
        match self.and <= width.mask() {
            true => Self {
                most: self.most.min(most),
                ..*self
            },
            false => *self,
        }
    }

    /// Whether it is the lowest bits of the place, or all of them.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.add == 0 && self.or == 0 && self.and & self.and.wrapping_add(1) == 0
    }

    fn apply(&self, number: u64) -> u64 {
        number.wrapping_add(self.add) & self.and | self.or
    }
}

impl Value {
    /// One number.
    #[must_use]
    pub fn constant(number: u64) -> Self {
        Self::Constants(Constants::one(number))
    }

    /// The numbers, if the set is a small one of plain numbers.
    #[must_use]
    pub fn constants(&self) -> Option<&[u64]> {
        match self {
            Self::Constants(constants) => Some(constants.as_slice()),
            _ => None,
        }
    }

    /// A range, or a few bits of what a caller passes, as the list of their numbers, where that is short.
    #[must_use]
    pub fn enumerated(&self) -> Self {
        match self {
            Self::Entry(entry) => {
                Constants::of_bits(entry.and, entry.or).map_or_else(|| self.clone(), Self::Constants)
            }
            Self::UpTo(most) if *most < Constants::MOST as u64 => {
                Constants::collect(0..=*most).map_or(Self::Any, Self::Constants)
            }
            other => other.clone(),
        }
    }

    /// The smallest value that the lattice has for the union of the two.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        if self == other {
            return self.clone();
        }
        match (self, other) {
            (Self::Constants(left), Self::Constants(right)) => {
                left.union(right).map_or(Self::Any, Self::Constants)
            }
            (Self::Addresses(left), Self::Addresses(right)) => {
                left.union(right).map_or(Self::Any, Self::Addresses)
            }
            (Self::UpTo(left), Self::UpTo(right)) => Self::UpTo(*left.max(right)),
            (Self::Entry(left), Self::Entry(right))
                if (Entry {
                    most: right.most,
                    ..*left
                }) == *right =>
            {
                Self::Entry(Entry {
                    most: left.most.max(right.most),
                    ..*left
                })
            }
            (Self::UpTo(most), Self::Constants(some)) | (Self::Constants(some), Self::UpTo(most))
                if some.as_slice().iter().all(|number| number <= most) =>
            {
                Self::UpTo(*most)
            }
            _ => Self::Any,
        }
    }

    /// The value with a caller's values put in for what the function found at entry.
    #[must_use]
    pub fn instantiate(&self, at_entry: impl FnOnce(Location) -> Self) -> Self {
        match self {
            Self::Entry(entry) => match at_entry(entry.location) {
                Self::Constants(constants) => Self::Constants(constants.map(|number| entry.apply(number))),
                Self::Entry(inner) => inner.then(entry).map_or(Self::Any, Self::Entry),
                Self::Addresses(addresses) if entry.and == u64::MAX && entry.or == 0 => {
                    Self::Addresses(addresses.map(|address| address.wrapping_add(entry.add)))
                }
                Self::UpTo(most) if entry.add == 0 && entry.or == 0 => Self::UpTo(most.min(entry.and)),
                Self::Any | Self::UpTo(_) | Self::Loaded(_) if entry.most < u64::MAX => {
                    entry.bounded().map_or(Self::Any, Self::Constants)
                }
                Self::Variable { address, add } if entry.and == u64::MAX && entry.or == 0 => Self::Variable {
                    address,
                    add: add.wrapping_add(entry.add),
                },
                unchanged if *entry == Entry::unchanged(entry.location) => unchanged,
                Self::Any => Self::Any.masked(entry.and, entry.or),
                _ => Self::Any,
            },
            other => other.clone(),
        }
    }

    /// What a load of `width` bytes from this address gives, if it is behind a pointer whose origin is known.
    #[must_use]
    pub fn behind(&self, width: Width) -> Option<Loaded> {
        let (pointer, offset) = match self {
            Self::Entry(Entry {
                location,
                add,
                and: u64::MAX,
                or: 0,
                ..
            }) => (Pointer::Entry(*location), *add),
            Self::Variable { address, add } => (Pointer::Variable(*address), *add),
            _ => return None,
        };
        Some(Loaded {
            pointer,
            offset,
            width,
        })
    }

    /// The low bytes of the value, the rest zero.
    #[must_use]
    pub fn truncate(&self, width: Width) -> Self {
        if width == Width::Quad {
            self.clone()
        } else {
            self.and(width.mask())
        }
    }

    /// The low bytes of the value, widened with their sign to `to`, the rest zero.
    #[must_use]
    pub fn sign_extend(&self, from: Width, to: Width) -> Self {
        match self {
            Self::Constants(constants) => {
                Self::Constants(constants.map(|number| from.sign_extend(number) & to.mask()))
            }
            Self::UpTo(most) if *most <= from.mask() / 2 => self.clone(),
            Self::Entry(entry) => match entry.bounded() {
                Some(few) => Self::Constants(few).sign_extend(from, to),
                None => Self::Any,
            },
            _ => Self::Any,
        }
    }

    /// `self operation other`, on values that were cut to `width`, cut to `width`.
    #[must_use]
    pub fn arithmetic(&self, operation: Arithmetic, other: &Self, width: Width) -> Self {
        let result = match operation {
            Arithmetic::Add => self.add(other),
            Arithmetic::Subtract => match other {
                Self::Constants(right) => self.add(&Self::Constants(right.map(u64::wrapping_neg))),
                _ => self.each(other, u64::wrapping_sub),
            },
            Arithmetic::And => match (self, other) {
                (Self::Constants(_), Self::Constants(_)) => self.each(other, |left, right| left & right),
                (_, Self::Constants(mask)) | (Self::Constants(mask), _) if mask.only() == Some(0) => {
                    Self::constant(0)
                }
                (value, Self::Constants(mask)) | (Self::Constants(mask), value) => match mask.only() {
                    Some(mask) => value.and(mask),
                    None => Self::Any,
                },
                _ => Self::Any,
            },
            Arithmetic::Or => match (self, other) {
                (_, Self::Constants(bits)) | (Self::Constants(bits), _)
                    if bits.only() == Some(width.mask()) =>
                {
                    Self::constant(width.mask())
                }
                (Self::Entry(entry), Self::Constants(bits)) | (Self::Constants(bits), Self::Entry(entry)) => {
                    match bits.only() {
                        Some(bits) => Self::Entry(Entry {
                            and: entry.and & !bits,
                            or: entry.or | bits,
                            ..*entry
                        }),
                        None => Self::Any,
                    }
                }
                _ => self.each(other, |left, right| left | right),
            },
            Arithmetic::ExclusiveOr => self.each(other, |left, right| left ^ right),
            Arithmetic::Multiply => self.each(other, u64::wrapping_mul),
            Arithmetic::ShiftLeft => self.each(other, |left, right| shift(left, right, width, |l, r| l << r)),
            Arithmetic::ShiftRight => match (self, other.constants()) {
                (Self::UpTo(most), Some([count])) => Self::UpTo(shift(*most, *count, width, |l, r| l >> r)),
                _ => self.each(other, |left, right| shift(left, right, width, |l, r| l >> r)),
            },
            Arithmetic::ShiftRightSigned => self.each(other, |left, right| {
                shift(width.sign_extend(left), right, width, |l, r| {
                    (l.cast_signed() >> r).cast_unsigned()
                })
            }),
        };
        result.truncate(width)
    }

    fn add(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Addresses(base), Self::Constants(offset))
            | (Self::Constants(offset), Self::Addresses(base)) => base
                .pairs(offset, u64::wrapping_add)
                .map_or(Self::Any, Self::Addresses),
            (Self::Frame(base), Self::Constants(offset)) | (Self::Constants(offset), Self::Frame(base)) => {
                match offset.only() {
                    Some(offset) => Self::Frame(base.wrapping_add(offset.cast_signed())),
                    None => Self::Any,
                }
            }
            (Self::Variable { address, add }, Self::Constants(offset))
            | (Self::Constants(offset), Self::Variable { address, add }) => match offset.only() {
                Some(offset) => Self::Variable {
                    address: *address,
                    add: add.wrapping_add(offset),
                },
                None => Self::Any,
            },
            (Self::Entry(entry), Self::Constants(offset)) | (Self::Constants(offset), Self::Entry(entry)) => {
                match offset.only() {
                    Some(0) => Self::Entry(*entry),
                    Some(offset) if entry.and == u64::MAX && entry.or == 0 => Self::Entry(Entry {
                        add: entry.add.wrapping_add(offset),
                        ..*entry
                    }),
                    // Low halves add without regard to the high ones, if only the low half is kept afterwards;
                    // the caller cuts to the width at once, but only then.
                    _ => Self::Any,
                }
            }
            _ => self.each(other, u64::wrapping_add),
        }
    }

    fn and(&self, mask: u64) -> Self {
        match self {
            Self::Constants(constants) => Self::Constants(constants.map(|number| number & mask)),
            Self::Entry(entry) => Self::Entry(Entry {
                and: entry.and & mask,
                or: entry.or & mask,
                ..*entry
            }),
            Self::UpTo(most) => {
                let below = |numbers: Constants| {
                    Constants::collect(numbers.as_slice().iter().copied().filter(|number| number <= most))
                };
                let few = Constants::of_bits(mask, 0).and_then(below);
                few.map_or(Self::UpTo(*most.min(&mask)), Self::Constants)
            }
            // A cut address or stack pointer is no address any more, but is still at most the mask.
            Self::Loaded(loaded) if loaded.width.mask() & mask == loaded.width.mask() => self.clone(),
            Self::Any | Self::Addresses(_) | Self::Frame(_) | Self::Variable { .. } | Self::Loaded(_) => {
                Self::Any.masked(mask, 0)
            }
        }
    }

    fn masked(&self, and: u64, or: u64) -> Self {
        match Constants::of_bits(and, or) {
            Some(few) => Self::Constants(few),
            None if and | or == u64::MAX => Self::Any,
            None => Self::UpTo(and | or),
        }
    }

    /// Both as small sets of numbers, combined pair by pair.
    fn each(&self, other: &Self, combine: impl Fn(u64, u64) -> u64) -> Self {
        match (&self.enumerated(), &other.enumerated()) {
            (Self::Constants(left), Self::Constants(right)) => {
                left.pairs(right, combine).map_or(Self::Any, Self::Constants)
            }
            _ => Self::Any,
        }
    }
}

impl Entry {
    /// This change, then the other one; `None` if the two together are no such change.
    fn then(&self, next: &Self) -> Option<Self> {
        let untouched = self.and == u64::MAX && self.or == 0;
        let add = match next.add {
            0 => self.add,
            more if untouched => self.add.wrapping_add(more),
            _ => return None,
        };
        // What bounds the other place bounds this one only where it is no more than cut.
        let most = if self.is_plain() { next.most } else { u64::MAX };
        Some(Self {
            location: self.location,
            add,
            and: self.and & next.and,
            or: self.or & next.and | next.or,
            most: self.most.min(most),
        })
    }
}

/// Shift counts are taken modulo the width, as the processor does for 32 and 64 bits.
fn shift(value: u64, count: u64, width: Width, shift: impl FnOnce(u64, u32) -> u64) -> u64 {
    let modulo = if width == Width::Quad { 64 } else { 32 };
    shift(value, u32::try_from(count % modulo).unwrap_or(0))
}
