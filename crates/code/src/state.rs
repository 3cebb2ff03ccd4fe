//! What registers and the function's own stack hold at one point of a function.
//!
//! Abstraction: a stack slot is known by its distance from the stack pointer at entry. As long as no address
//! of the stack has been given away (passed, stored outside the stack, or turned into something that is not recognised
//! any more), only the function itself can write its slots; from then on every call and every store through an unknown
//! pointer forgets all of them. An address that lies in one of the function's own slots, as a list of variable arguments
//! has it, is not given away as long as that slot is known and only read as a whole. Misses: a callee that writes its
//! caller's frame without having been given an address into it, which no compiler emits.

mod behind;
mod bounds;
mod callable;
mod constants;
mod convention;
mod escape;
mod memory;
mod vectors;

use std::collections::{BTreeMap, BTreeSet};

use confine_elf::{Address, Object};
use confine_isa::{Condition, Memory, Operand, Register, Width};

use self::bounds::Bounds;
use self::constants::{bound, merge, narrow, stored};
use self::escape::is_lost;
use crate::value::{Constants, Entry, Loaded, Location, Value};

pub(crate) use self::behind::Structure;
pub(crate) use self::callable::Callable;
pub(crate) use self::convention::{Convention, is_argument};

/// Values at one point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    registers: [Value; Register::COUNT],
    /// By distance from the stack pointer at entry.
    slots: BTreeMap<i64, Slot>,
    /// What lies behind pointers that the caller passed, as far as the caller told.
    behind: BTreeMap<Loaded, Constants>,
    /// Vector registers that hold zero, as bits.
    zero_vectors: u32,
    /// Slots of the caller that are not in `slots` still hold what they held at entry.
    incoming_intact: bool,
    /// An address of the stack may be known elsewhere.
    escaped: bool,
    /// Addresses of functions, and of slots that hold them, that may be known elsewhere.
    given_away: BTreeSet<Address>,
    /// The same that a register may hold after a join in which it was not recognised any more: given away if the
    /// register is ever read.
    hidden: BTreeSet<(Register, Address)>,
    callable: Callable,
    flags: Option<Flags>,
    bounds: Bounds,
}

/// What the flags tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flags {
    /// How a register compares with a constant.
    Compared(Compare),
    /// That two values were compared which are known to differ.
    Differ,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Slot {
    value: Value,
    width: Width,
}

impl Slot {
    fn holds_stack_address(&self) -> bool {
        matches!(self.value, Value::Frame(_))
    }

    /// Whether it may hold something that is followed.
    fn holds_address(&self) -> bool {
        matches!(
            self.value,
            Value::Frame(_) | Value::Addresses(_) | Value::Constants(_) | Value::Variable { .. }
        )
    }
}

/// The last compare of a register with a constant, for the branch after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Compare {
    left: Register,
    right: u64,
    width: Width,
}

impl State {
    /// Where a caller comes in: every register and incoming slot holds what the caller put there.
    pub(crate) fn at_entry(callable: &Callable) -> Self {
        let mut state = Self::unknown(callable);
        for register in Register::all() {
            state.registers[register.number()] = Value::Entry(Entry::unchanged(Location::Register(register)));
        }
        state.registers[Register::RSP.number()] = Value::Frame(0);
        state.incoming_intact = true;
        state.escaped = false;
        state
    }

    /// Where control comes in from nobody knows where.
    pub(crate) fn unknown(callable: &Callable) -> Self {
        Self {
            registers: std::array::from_fn(|_| Value::Any),
            slots: BTreeMap::new(),
            behind: BTreeMap::new(),
            zero_vectors: 0,
            incoming_intact: false,
            escaped: true,
            given_away: BTreeSet::new(),
            hidden: BTreeSet::new(),
            callable: callable.clone(),
            flags: None,
            bounds: Bounds::default(),
        }
    }

    pub(crate) fn register(&self, register: Register) -> &Value {
        &self.registers[register.number()]
    }

    /// Whether an address of the stack may be known elsewhere.
    pub(crate) fn has_escaped(&self) -> bool {
        self.escaped
    }

    /// What lies in the function's own stack, by distance from the stack pointer at entry.
    pub(crate) fn own_stack(&self) -> Box<[(i64, Value, Width)]> {
        let slots = self.slots.iter();
        slots
            .map(|(start, slot)| (*start, slot.value.clone(), slot.width))
            .collect()
    }

    /// What the eight bytes at `distance` above the stack pointer hold.
    pub(crate) fn stack_value(&self, distance: i64) -> Value {
        match self.register(Register::RSP) {
            Value::Frame(top) => self.load(top.wrapping_add(distance), Width::Quad),
            _ => Value::Any,
        }
    }

    /// The caller has put one of these numbers at this distance above the stack pointer at entry.
    pub(crate) fn set_argument(&mut self, distance: u16, width: Width, numbers: Constants) {
        let value = Value::Constants(numbers);
        self.slots.insert(distance.into(), Slot { value, width });
    }

    /// The halves of so many places above the stack pointer that were stored alone, as a callee finds them whose first
    /// argument on the stack lies `first` bytes above it.
    pub(crate) fn stack_halves(&self, first: i64, places: u16) -> Box<[(Location, Value)]> {
        let Value::Frame(top) = *self.register(Register::RSP) else {
            return Box::default();
        };
        let top = top.saturating_add(first);
        let slots = self.slots.range(top..top.saturating_add(8 * i64::from(places)));
        let halves = slots.filter_map(|(start, slot)| {
            let is_known = matches!(slot.value, Value::Constants(_) | Value::Entry(_));
            let distance = u16::try_from(start.checked_sub(top)?).ok()?;
            let is_half = slot.width == Width::Double && distance.is_multiple_of(4);
            (is_known && is_half).then(|| (Location::Stack(8 + distance), slot.value.clone()))
        });
        halves.collect()
    }

    pub(crate) fn set_register(&mut self, register: Register, value: Value) {
        if matches!(self.flags, Some(Flags::Compared(compare)) if compare.left == register) {
            self.flags = None;
        }
        if !self.hidden.is_empty() {
            self.hidden.retain(|(holder, _)| *holder != register);
        }
        self.bounds.forget(register);
        self.registers[register.number()] = value;
    }

    /// Writes the low bytes of a register as the processor does.
    pub(crate) fn write_register(&mut self, register: Register, value: Value, width: Width) {
        let value = match width {
            Width::Quad | Width::Double => value.truncate(width),
            Width::Byte | Width::Word => merge(self.register(register), &value, width),
        };
        self.set_register(register, value);
    }

    pub(crate) fn read(&self, operand: &Operand, width: Width, object: &Object) -> Value {
        match operand {
            Operand::Register(register) => self.register(*register).truncate(width),
            Operand::Constant(number) => Value::constant(number & width.mask()),
            Operand::Memory(memory) => match self.address(memory) {
                Value::Frame(offset) => self.load(offset, width),
                Value::Addresses(addresses) => addresses
                    .as_slice()
                    .iter()
                    .map(|address| stored(object, *address, width))
                    .reduce(|left, right| left.join(&right))
                    .unwrap_or_default(),
                address => address
                    .behind(width)
                    .map_or_else(|| Value::Any.truncate(width), |place| self.read_behind(place)),
            },
        }
    }

    pub(crate) fn write(&mut self, operand: &Operand, value: Value, width: Width) {
        match operand {
            Operand::Register(register) => self.write_register(*register, value, width),
            Operand::Memory(memory) => self.store(memory, value, width),
            Operand::Constant(_) => {}
        }
    }

    /// The address that a memory operand names.
    pub(crate) fn address(&self, memory: &Memory) -> Value {
        self.address_from(memory, memory.base.map(|base| self.register(base)))
    }

    /// The same with this value in the base register.
    fn address_from(&self, memory: &Memory, base: Option<&Value>) -> Value {
        if memory.segment {
            return Value::Any;
        }
        let Memory {
            index, displacement, ..
        } = *memory;
        if base.is_none() && index.is_none() {
            return Value::Addresses(Constants::one(displacement));
        }
        use confine_isa::Arithmetic::{Add, Multiply};
        let mut sum = Value::constant(displacement);
        if let Some(base) = base {
            sum = base.arithmetic(Add, &sum, Width::Quad);
        }
        if let Some((index, scale)) = index {
            // A small bound is as good as the list of what it allows: tables of constants are read so.
            let index = self.index(index).enumerated();
            let scaled = index.arithmetic(Multiply, &Value::constant(scale.into()), Width::Quad);
            sum = sum.arithmetic(Add, &scaled, Width::Quad);
        }
        sum
    }

    /// Writes `value`, which is what so many bytes of an operand are, widened without a sign or with one, that a number with
    /// a small bound does not have.
    pub(crate) fn write_copy(
        &mut self,
        to: &Operand,
        value: Value,
        width: Width,
        from: &Operand,
        copied: Width,
    ) {
        let bound = match from {
            Operand::Register(from) => self.bounds.of(*from).filter(|bound| bound.width >= copied),
            _ => None,
        };
        self.write(to, value, width);
        if let (Operand::Register(to), Some(bound)) = (to, bound)
            && width >= Width::Double
        {
            let width = if copied == Width::Quad {
                bound.width
            } else {
                Width::Quad
            };
            self.bounds.note(*to, bound.most, width);
        }
    }

    /// A call came back: what it may change is forgotten.
    ///
    /// Go's callees put results that do not fit into registers where stack arguments lie: `outgoing` bytes just
    /// above the stack pointer.
    pub(crate) fn after_call(&mut self, convention: Convention, outgoing: i64) {
        for register in Register::all().filter(|register| convention.clobbers(*register)) {
            self.set_register(register, Value::Any);
        }
        self.flags = None;
        self.zero_vectors = 0;
        self.forget_if_escaped();
        self.forget_below();
        if convention == Convention::Go {
            self.forget_outgoing(outgoing);
        }
    }

    pub(crate) fn compare(&mut self, left: &Operand, right: &Operand, width: Width, test: bool) {
        let compare = match (left, right) {
            (Operand::Register(left), Operand::Constant(right)) if !test => Some(Compare {
                left: *left,
                right: right & width.mask(),
                width,
            }),
            (Operand::Register(left), Operand::Register(right)) if test && left == right => Some(Compare {
                left: *left,
                right: 0,
                width,
            }),
            _ => None,
        };
        self.flags = compare.map(Flags::Compared);
    }

    /// The flags are those of a comparison of two values that are known to differ.
    pub(crate) fn note_difference(&mut self) {
        self.flags = Some(Flags::Differ);
    }

    pub(crate) fn forget_flags(&mut self) {
        self.flags = None;
    }

    /// The state where the last compare came out as `condition` says; `None` if it cannot have.
    pub(crate) fn assume(&self, condition: Condition) -> Option<Self> {
        let Compare { left, right, width } = match self.flags {
            Some(Flags::Compared(compare)) => compare,
            Some(Flags::Differ) if condition == Condition::Equal => return None,
            Some(Flags::Differ) | None => return Some(self.clone()),
        };
        let value = self.register(left);
        let narrowed = match fits(value, width) {
            true => narrow(value, condition, right)?,
            false => value.clone(),
        };
        let mut state = self.clone();
        state.registers[left.number()] = narrowed;
        if let Some(most) = bound(condition, right) {
            state.bounds.note(left, most, width);
        }
        Some(state)
    }

    /// Takes in what another way to the same point brings; whether anything changed.
    pub(crate) fn join(&mut self, other: &Self) -> bool {
        let mut lost = Vec::new();
        let mut changed = self.join_slots(other, &mut lost);
        let mut hidden = Vec::new();
        let registers = Register::all().zip(self.registers.iter_mut().zip(&other.registers));
        for (register, (mine, theirs)) in registers {
            if *mine == *theirs {
                continue;
            }
            let joined = mine.join(theirs);
            for value in [&*mine, theirs] {
                if is_lost(value, &joined) {
                    hidden.push((register, value.clone()));
                }
            }
            changed |= joined != *mine;
            *mine = joined;
        }
        changed |= self.bounds.join(&other.bounds);
        changed |= self.join_behind(other);
        changed |= self.join_vectors(other);
        let before = (self.escaped, self.given_away.len(), self.hidden.len());
        self.escaped |= other.escaped;
        self.given_away.extend(&other.given_away);
        self.hidden.extend(&other.hidden);
        self.give_all(lost);
        for (register, value) in hidden {
            self.hide(register, &value);
        }
        changed |= before != (self.escaped, self.given_away.len(), self.hidden.len());
        if self.flags != other.flags && self.flags.is_some() {
            self.flags = None;
            changed = true;
        }
        changed
    }
}

/// Whether a value is a number of so many bytes.
fn fits(value: &Value, width: Width) -> bool {
    match value {
        Value::Constants(constants) => constants.as_slice().iter().all(|number| *number <= width.mask()),
        Value::UpTo(most) => *most <= width.mask(),
        Value::Entry(entry) => entry.and | entry.or <= width.mask(),
        Value::Loaded(loaded) => loaded.width <= width,
        _ => width == Width::Quad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_holds_until_other_flags_come_in() {
        let unknown = State::unknown(&Callable::default());
        let mut different = unknown.clone();
        different.note_difference();
        assert!(different.assume(Condition::Equal).is_none());
        assert!(different.assume(Condition::NotEqual).is_some());
        assert!(different.assume(Condition::Below).is_some());

        let mut joined = different.clone();
        assert!(
            joined.join(&unknown),
            "what another way brings is not known to differ"
        );
        assert!(joined.assume(Condition::Equal).is_some());
        let mut forgotten = different.clone();
        forgotten.forget_flags();
        assert!(forgotten.assume(Condition::Equal).is_some());
    }
}
