//! What registers and the function's own stack hold at one point of a function.
//!
//! Abstraction: a stack slot is known by its distance from the stack pointer at entry. As long as no address
//! of the stack has been given away (passed, stored outside the stack, or turned into something that is not recognised
//! any more), only the function itself can write its slots; from then on every call and every store through an unknown
//! pointer forgets all of them. An address that lies in one of the function's own slots, as a list of variable arguments
//! has it, is not given away as long as that slot is known and only read as a whole. Misses: a callee that writes its
//! caller's frame without having been given an address into it, which no compiler emits.

use std::collections::BTreeMap;

use confine_elf::{Address, Object};
use confine_isa::{Condition, Memory, Operand, Register, Width};

use crate::value::{Constants, Entry, Location, Value};

/// Values at one point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    registers: [Value; Register::COUNT],
    /// By distance from the stack pointer at entry.
    slots: BTreeMap<i64, Slot>,
    /// Slots of the caller that are not in `slots` still hold what they held at entry.
    incoming_intact: bool,
    /// An address of the stack may be known elsewhere.
    escaped: bool,
    flags: Option<Compare>,
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
    pub(crate) fn at_entry() -> Self {
        let mut state = Self::unknown();
        for register in Register::all() {
            state.registers[register.number()] = Value::Entry(Entry::unchanged(Location::Register(register)));
        }
        state.registers[Register::RSP.number()] = Value::Frame(0);
        state.incoming_intact = true;
        state.escaped = false;
        state
    }

    /// Where control comes in from nobody knows where.
    pub(crate) fn unknown() -> Self {
        Self {
            registers: std::array::from_fn(|_| Value::Any),
            slots: BTreeMap::new(),
            incoming_intact: false,
            escaped: true,
            flags: None,
        }
    }

    pub(crate) fn register(&self, register: Register) -> &Value {
        &self.registers[register.number()]
    }

    /// What lies in the function's own stack, by distance from the stack pointer at entry.
    pub(crate) fn own_stack(&self) -> Box<[(i64, Value, Width)]> {
        let slots = self.slots.iter();
        slots.map(|(start, slot)| (*start, slot.value.clone(), slot.width)).collect()
    }

    /// What the eight bytes at `distance` above the stack pointer hold.
    pub(crate) fn stack_value(&self, distance: i64) -> Value {
        match self.register(Register::RSP) {
            Value::Frame(top) => self.load(top.wrapping_add(distance), Width::Quad),
            _ => Value::Any,
        }
    }

    pub(crate) fn set_register(&mut self, register: Register, value: Value) {
        if self.flags.is_some_and(|flags| flags.left == register) {
            self.flags = None;
        }
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
                    .map_or_else(|| Value::Any.truncate(width), Value::Loaded),
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
        if memory.segment {
            return Value::Any;
        }
        let Memory {
            base,
            index,
            displacement,
            ..
        } = *memory;
        if base.is_none() && index.is_none() {
            return Value::Addresses(Constants::one(displacement));
        }
        use confine_isa::Arithmetic::{Add, Multiply};
        let mut sum = Value::constant(displacement);
        if let Some(base) = base {
            sum = self.register(base).arithmetic(Add, &sum, Width::Quad);
        }
        if let Some((index, scale)) = index {
            // A small bound is as good as the list of what it allows: tables of constants are read so.
            let index = self.register(index).enumerated();
            let scaled = index.arithmetic(Multiply, &Value::constant(scale.into()), Width::Quad);
            sum = sum.arithmetic(Add, &scaled, Width::Quad);
        }
        sum
    }

    fn store(&mut self, memory: &Memory, value: Value, width: Width) {
        if memory.segment {
            self.escaped |= matches!(value, Value::Frame(_));
            return;
        }
        match self.address(memory) {
            Value::Frame(offset) => {
                self.forget_slots(offset, width.bytes());
                self.slots.insert(offset, Slot { value, width });
            }
            Value::Addresses(_) => self.escaped |= matches!(value, Value::Frame(_)),
            _ => {
                self.escaped |= matches!(value, Value::Frame(_));
                self.forget_after_unknown_store(memory);
            }
        }
    }

    /// So many bytes at this place now hold anything.
    pub(crate) fn clobber_memory(&mut self, memory: &Memory, bytes: u64) {
        match self.address(memory) {
            _ if memory.segment => {}
            Value::Frame(offset) => self.forget_slots(offset, bytes),
            Value::Addresses(_) => {}
            _ => self.forget_after_unknown_store(memory),
        }
    }

    /// A store to an address that is not known: it may be the stack if an address of the stack is known
    /// elsewhere or is what the address was made from.
    fn forget_after_unknown_store(&mut self, memory: &Memory) {
        let from_stack = |register: Register| {
            register == Register::RSP || matches!(self.register(register), Value::Frame(_))
        };
        let indexed = memory.index.is_some_and(|(index, _)| from_stack(index));
        if self.escaped || indexed || memory.base.is_some_and(from_stack) {
            self.forget_memory();
        }
    }

    /// All memory may have changed.
    pub(crate) fn forget_memory(&mut self) {
        self.escaped |= self.slots.values().any(Slot::holds_stack_address);
        self.slots.clear();
        self.incoming_intact = false;
    }

    fn forget_slots(&mut self, offset: i64, bytes: u64) {
        let end = offset.saturating_add_unsigned(bytes);
        let hit: Vec<i64> = self
            .slots
            .range(offset.saturating_sub(7)..end)
            .filter(|(start, slot)| start.saturating_add_unsigned(slot.width.bytes()) > offset)
            .map(|(start, _)| *start)
            .collect();
        for start in hit {
            let whole = |slot: &Slot| offset <= start && start.saturating_add_unsigned(slot.width.bytes()) <= end;
            let slot = self.slots.remove(&start);
            // What is left of an address is not recognised any more.
            self.escaped |= slot.is_some_and(|slot| slot.holds_stack_address() && !whole(&slot));
        }
        // An incoming slot that is not listed would be read as what the caller put there, and another one would pass for
        // one that nobody wrote.
        let first = offset.div_euclid(8) * 8;
        for start in (first..end).step_by(8).take(64) {
            self.slots.entry(start).or_insert(Slot {
                value: Value::Any,
                width: Width::Quad,
            });
        }
        if end - first > 64 * 8 {
            self.incoming_intact = false;
        }
    }

    fn load(&self, offset: i64, width: Width) -> Value {
        if let Some(slot) = self.slots.get(&offset) {
            return if slot.width >= width {
                slot.value.truncate(width)
            } else {
                Value::Any.truncate(width)
            };
        }
        let overlaps = self
            .slots
            .range(offset.saturating_sub(7)..offset.saturating_add_unsigned(width.bytes()))
            .any(|(start, slot)| start.saturating_add_unsigned(slot.width.bytes()) > offset);
        match u16::try_from(offset) {
            Ok(distance) if self.incoming_intact && !overlaps && distance % 8 == 0 && distance > 0 => {
                Value::Entry(Entry::unchanged(Location::Stack(distance))).truncate(width)
            }
            _ => Value::Any.truncate(width),
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
        self.forget_if_escaped();
        if convention == Convention::Go {
            self.forget_outgoing(outgoing);
        }
    }

    /// A value was made from these; where that hides that it points into the stack, it may point anywhere there.
    pub(crate) fn note_derived(&mut self, sources: &[Operand], result: &Value) {
        let from_stack = sources.iter().any(|source| match source {
            Operand::Register(register) => matches!(self.register(*register), Value::Frame(_)),
            Operand::Constant(_) | Operand::Memory(_) => false,
        });
        self.escaped |= from_stack && !matches!(result, Value::Frame(_) | Value::Constants(_));
    }

    /// Somebody else is given the registers in which `convention` passes arguments, and what lies on the stack where
    /// it passes others.
    pub(crate) fn give_arguments(&mut self, convention: Convention) {
        let mut given = Register::all().filter(|register| convention.passes(*register));
        self.escaped |= given.any(|register| matches!(self.register(register), Value::Frame(_)))
            || self.passes_stack_address(convention);
    }

    /// Whether an address of the stack is among the arguments on the stack: those lie without a gap from the stack
    /// pointer on, so that there are none above a place that was never written.
    fn passes_stack_address(&self, convention: Convention) -> bool {
        let Value::Frame(top) = *self.register(Register::RSP) else {
            return self.slots.values().any(Slot::holds_stack_address);
        };
        if convention == Convention::Go {
            return self.slots.range(top..).any(|(_, slot)| slot.holds_stack_address());
        }
        let places = (0..).map(|index| top.saturating_add(8 * index));
        let mut written = places.map_while(|place| self.slots.get(&place));
        written.any(Slot::holds_stack_address)
    }

    /// So many bytes are read by something that does not keep an address recognisable.
    pub(crate) fn note_read(&mut self, memory: &Memory, bytes: u64) {
        let mut holding = self.slots.iter().filter(|(_, slot)| slot.holds_stack_address());
        self.escaped |= match self.address(memory) {
            _ if memory.segment => false,
            Value::Frame(offset) => holding.any(|(start, slot)| {
                *start < offset.saturating_add_unsigned(bytes)
                    && offset < start.saturating_add_unsigned(slot.width.bytes())
            }),
            Value::Addresses(_) | Value::Constants(_) => false,
            // Only what was made from a stack address can lead here.
            _ => holding.next().is_some(),
        };
    }

    /// Any memory may be read so.
    pub(crate) fn note_any_read(&mut self) {
        self.escaped |= self.slots.values().any(Slot::holds_stack_address);
    }

    /// The same for an operand of an operation, which takes an address as a whole.
    pub(crate) fn note_operand(&mut self, operand: &Operand, width: Width) {
        let Operand::Memory(memory) = operand else {
            return;
        };
        if let Value::Frame(offset) = self.address(memory)
            && width == Width::Quad
            && self.slots.get(&offset).is_some_and(|slot| slot.width == Width::Quad)
        {
            return;
        }
        self.note_read(memory, width.bytes());
    }

    /// Somebody else ran who may know addresses of the stack.
    pub(crate) fn forget_if_escaped(&mut self) {
        if self.escaped {
            self.forget_memory();
        }
    }

    fn forget_outgoing(&mut self, bytes: i64) {
        match *self.register(Register::RSP) {
            Value::Frame(top) => {
                let end = top.saturating_add(bytes).min(0);
                let mut lost = self.slots.range(top..end.max(top));
                self.escaped |= lost.any(|(_, slot)| slot.holds_stack_address());
                self.slots.retain(|start, _| *start < top || *start >= end);
            }
            _ => self.forget_memory(),
        }
    }

    pub(crate) fn compare(&mut self, left: &Operand, right: &Operand, width: Width, test: bool) {
        self.flags = match (left, right) {
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
    }

    pub(crate) fn forget_flags(&mut self) {
        self.flags = None;
    }

    /// The state where the last compare came out as `condition` says; `None` if it cannot have.
    pub(crate) fn assume(&self, condition: Condition) -> Option<Self> {
        let Some(Compare {
            left, right, width, ..
        }) = self.flags
        else {
            return Some(self.clone());
        };
        let value = self.register(left);
        let fits = |value: &Value| match value {
            Value::Constants(constants) => constants.as_slice().iter().all(|number| *number <= width.mask()),
            Value::UpTo(most) => *most <= width.mask(),
            _ => width == Width::Quad,
        };
        if !fits(value) {
            return Some(self.clone());
        }
        let narrowed = narrow(value, condition, right)?;
        let mut state = self.clone();
        state.registers[left.number()] = narrowed;
        Some(state)
    }

    /// Takes in what another way to the same point brings; whether anything changed.
    pub(crate) fn join(&mut self, other: &Self) -> bool {
        let mut changed = self.join_slots(other);
        let mut escaped = self.escaped || other.escaped;
        for (mine, theirs) in self.registers.iter_mut().zip(&other.registers) {
            if *mine == *theirs {
                continue;
            }
            let joined = mine.join(theirs);
            // A stack address that is no longer recognised may still be written through.
            escaped |= joined == Value::Any
                && (matches!(mine, Value::Frame(_)) || matches!(theirs, Value::Frame(_)));
            changed |= joined != *mine;
            *mine = joined;
        }
        changed |= escaped != self.escaped;
        self.escaped = escaped;
        if self.flags != other.flags && self.flags.is_some() {
            self.flags = None;
            changed = true;
        }
        changed
    }

    /// The same for what lies in the stack.
    fn join_slots(&mut self, other: &Self) -> bool {
        let intact = self.incoming_intact && other.incoming_intact;
        if self.slots == other.slots && self.incoming_intact == intact {
            return false;
        }
        let places: BTreeMap<i64, Width> = self
            .slots
            .iter()
            .chain(&other.slots)
            .map(|(start, slot)| (*start, slot.width))
            .collect();
        let mut slots = BTreeMap::new();
        let mut lost = false;
        for (start, width) in places {
            let value = self.load(start, width).join(&other.load(start, width));
            let held = |state: &Self| state.slots.get(&start).is_some_and(Slot::holds_stack_address);
            lost |= (held(self) || held(other)) && !matches!(value, Value::Frame(_));
            slots.insert(start, Slot { value, width });
        }
        let changed = slots != self.slots || self.incoming_intact != intact || lost && !self.escaped;
        self.escaped |= lost;
        self.slots = slots;
        self.incoming_intact = intact;
        changed
    }
}

/// Which registers a call leaves alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Convention {
    /// System V psABI: RBX, RBP, RSP and R12 to R15 survive.
    SystemV,
    /// Go's: only RSP survives.
    Go,
}

impl Convention {
    /// Whether callees look for arguments in this register.
    fn passes(self, register: Register) -> bool {
        match self {
            // RAX tells how many vector registers a variadic call uses, R10 is the static chain.
            Self::SystemV => self.clobbers(register),
            // RAX, RBX, RCX, RDI, RSI and R8 to R11 (Go internal ABI), RDX is the closure.
            Self::Go => !matches!(register.number(), 4 | 5 | 12..=15),
        }
    }

    fn clobbers(self, register: Register) -> bool {
        match self {
            Self::SystemV => !matches!(register.number(), 3..=5 | 12..=15),
            Self::Go => register != Register::RSP,
        }
    }
}

/// What the object's data holds at `address`. A pointer that may change stands for itself; otherwise the bytes
/// are known if they never change: the segment cannot be written (or not any
/// more once the loader is done, and the object's code does not run before that), and the loader does not relocate it.
fn stored(object: &Object, address: Address, width: Width) -> Value {
    let end = address.saturating_add(width.bytes());
    let read_only = object
        .segment_at(address)
        .is_some_and(|segment| segment.readable && !segment.writable)
        || !object.relocates_itself()
            && object
                .read_only_after_relocation
                .as_ref()
                .is_some_and(|range| range.start <= address && end <= range.end);
    let from = object
        .relocations
        .partition_point(|relocation| relocation.at.saturating_add(8) <= address);
    let relocated = object
        .relocations
        .get(from)
        .is_some_and(|relocation| relocation.at < end);
    if (!read_only || relocated) && width == Width::Quad {
        return Value::Variable { address, add: 0 };
    }
    let bytes = object.bytes_at(address);
    match (read_only && !relocated, width) {
        (true, Width::Byte) => bytes.first().map(|byte| u64::from(*byte)),
        (true, Width::Word) => bytes.first_chunk().map(|bytes| u16::from_le_bytes(*bytes).into()),
        (true, Width::Double) => bytes.first_chunk().map(|bytes| u32::from_le_bytes(*bytes).into()),
        (true, Width::Quad) => bytes.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)),
        (false, _) => None,
    }
    .map_or(Value::Any.truncate(width), Value::constant)
}

/// A write of the low bytes: known only if everything is.
fn merge(old: &Value, new: &Value, width: Width) -> Value {
    match (old, new.constants()) {
        (Value::Constants(old), Some(new)) => Constants::collect(old.as_slice().iter().flat_map(|old| {
            let high = old & !width.mask();
            new.iter().map(move |new| high | new & width.mask())
        }))
        .map_or(Value::Any, Value::Constants),
        _ => Value::Any,
    }
}

/// The part of `value` for which `value condition right` can hold; `None` if that is nothing.
fn narrow(value: &Value, condition: Condition, right: u64) -> Option<Value> {
    let holds = |number: u64| match condition {
        Condition::Equal => number == right,
        Condition::NotEqual => number != right,
        Condition::Below => number < right,
        Condition::BelowOrEqual => number <= right,
        Condition::Above => number > right,
        Condition::AboveOrEqual => number >= right,
        Condition::Other => true,
    };
    let most = match condition {
        Condition::Below => right.checked_sub(1)?,
        Condition::BelowOrEqual => right,
        _ => u64::MAX,
    };
    match value {
        Value::Constants(constants) => Constants::collect(
            constants
                .as_slice()
                .iter()
                .copied()
                .filter(|number| holds(*number)),
        )
        .map(Value::Constants),
        Value::Any if condition == Condition::Equal => Some(Value::constant(right)),
        Value::UpTo(old) if condition == Condition::Equal => (right <= *old).then(|| Value::constant(right)),
        Value::Any if most < u64::MAX => Some(Value::UpTo(most)),
        Value::UpTo(old) => Some(Value::UpTo(most.min(*old))),
        other => Some(other.clone()),
    }
}
