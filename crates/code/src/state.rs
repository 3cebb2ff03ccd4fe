//! What registers and the function's own stack hold at one point of a function.
//!
//! Abstraction: a stack slot is known by its distance from the stack pointer at entry. As long as no address
//! of the stack has been given away (passed, stored outside the stack, or turned into something that is not recognised
//! any more), only the function itself can write its slots; from then on every call and every store through an unknown
//! pointer forgets all of them. An address that lies in one of the function's own slots, as a list of variable arguments
//! has it, is not given away as long as that slot is known and only read as a whole. Misses: a callee that writes its
//! caller's frame without having been given an address into it, which no compiler emits.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::discriminant;
use std::ops::Range;

use confine_elf::{Address, Object, Placement, RelocationValue};
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
    /// Addresses of functions, and of slots that hold them, that may be known elsewhere.
    given_away: BTreeSet<Address>,
    /// The same that a register may hold after a join in which it was not recognised any more: given away if the
    /// register is ever read.
    hidden: BTreeSet<(Register, Address)>,
    callable: Callable,
    flags: Option<Compare>,
}

/// Where an object's functions and the slots for those of other objects lie: what is worth following.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Callable {
    code: Range<Address>,
    slots: Range<Address>,
    /// Where addresses are final, they are plain numbers.
    fixed: bool,
}

impl Callable {
    pub(crate) fn of(object: &Object) -> Self {
        let around = |ranges: &mut dyn Iterator<Item = &Range<Address>>| {
            ranges.fold(Address::MAX..0, |all, range| {
                all.start.min(range.start)..all.end.max(range.end)
            })
        };
        let code = object.segments.iter().filter(|segment| segment.executable);
        let slots = object.relocations.iter().filter(|relocation| {
            matches!(
                relocation.value,
                RelocationValue::Symbol { .. } | RelocationValue::Resolved(_)
            )
        });
        let slots = slots.map(|relocation| relocation.at);
        Self {
            code: around(&mut code.map(|segment| &segment.addresses)),
            slots: slots.clone().min().unwrap_or(0)..slots.max().map_or(0, |last| last.saturating_add(1)),
            fixed: object.placement == Placement::Fixed,
        }
    }

    /// The addresses that a value may be and that are worth following.
    fn followed(&self, value: &Value) -> Vec<Address> {
        match value {
            Value::Constants(_) if !self.fixed => Vec::new(),
            Value::Addresses(addresses) | Value::Constants(addresses) => {
                let addresses = addresses.as_slice().iter().copied();
                addresses.filter(|address| self.holds(address)).collect()
            }
            Value::Variable { address, .. } if self.slots.contains(address) => vec![*address],
            _ => Vec::new(),
        }
    }

    fn holds(&self, address: &Address) -> bool {
        self.code.contains(address) || self.slots.contains(address)
    }
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
            incoming_intact: false,
            escaped: true,
            given_away: BTreeSet::new(),
            hidden: BTreeSet::new(),
            callable: callable.clone(),
            flags: None,
        }
    }

    /// Somebody else may know this value from now on, or it is not recognised any more where it still is.
    pub(crate) fn give(&mut self, value: &Value) {
        self.escaped |= matches!(value, Value::Frame(_));
        self.given_away.extend(self.callable.followed(value));
    }

    /// A register is read: what it may hide may be anywhere.
    pub(crate) fn reveal(&mut self, register: Register) {
        if self.hidden.is_empty() {
            return;
        }
        let hidden = self.hidden.iter().filter(|(holder, _)| *holder == register);
        self.given_away.extend(hidden.map(|(_, address)| *address));
        self.hidden.retain(|(holder, _)| *holder != register);
    }

    /// Registers are read by somebody else.
    fn give_registers(&mut self, registers: impl Iterator<Item = Register>) {
        let registers: Vec<Register> = registers.collect();
        for register in registers {
            let value = self.register(register).clone();
            self.give(&value);
            self.reveal(register);
        }
    }

    fn give_all(&mut self, values: Vec<Value>) {
        for value in values {
            self.give(&value);
        }
    }

    fn give_slots(&mut self, which: impl Fn(i64, &Slot) -> bool) {
        let slots = self
            .slots
            .iter()
            .filter(|(start, slot)| slot.holds_address() && which(**start, slot));
        self.give_all(slots.map(|(_, slot)| slot.value.clone()).collect());
    }

    /// Addresses of functions and of their slots that may be known elsewhere.
    pub(crate) fn given_away(&self) -> &BTreeSet<Address> {
        &self.given_away
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

    pub(crate) fn set_register(&mut self, register: Register, value: Value) {
        if self.flags.is_some_and(|flags| flags.left == register) {
            self.flags = None;
        }
        if !self.hidden.is_empty() {
            self.hidden.retain(|(holder, _)| *holder != register);
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
            return self.give(&value);
        }
        match self.address(memory) {
            Value::Frame(offset) => {
                self.forget_slots(offset, width.bytes());
                self.slots.insert(offset, Slot { value, width });
            }
            Value::Addresses(_) => self.give(&value),
            _ => {
                self.give(&value);
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
        self.give_slots(|_, _| true);
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
            let whole =
                |slot: &Slot| offset <= start && start.saturating_add_unsigned(slot.width.bytes()) <= end;
            // What is left of an address is not recognised any more.
            if let Some(slot) = self.slots.remove(&start).filter(|slot| !whole(slot)) {
                self.give(&slot.value);
            }
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
        self.forget_below();
        if convention == Convention::Go {
            self.forget_outgoing(outgoing);
        }
    }

    /// A value was made from these; where that hides that it is an address made from theirs, that may be anywhere.
    pub(crate) fn note_derived(&mut self, sources: &[Operand], result: &Value) {
        for source in sources {
            let value = match source {
                Operand::Register(register) => self.register(*register).clone(),
                Operand::Memory(memory) => match self.address(memory) {
                    Value::Frame(offset) => match self.slots.get(&offset) {
                        Some(slot) => slot.value.clone(),
                        None => continue,
                    },
                    _ => continue,
                },
                Operand::Constant(_) => continue,
            };
            if !matches!(result, Value::Constants(_)) && discriminant(&value) != discriminant(result) {
                self.give(&value);
            }
        }
    }

    /// Somebody else is given the registers in which `convention` passes arguments, and what lies on the stack where
    /// it passes others.
    pub(crate) fn give_arguments(&mut self, convention: Convention) {
        // Functions without a symbol may have conventions of their own, but none that needs a function's address.
        let given = Register::all().filter(|register| convention.passes(*register));
        let given = given.filter(|register| {
            is_argument(*register)
                || convention == Convention::Go
                || matches!(self.register(*register), Value::Frame(_))
        });
        let given: Vec<Register> = given.collect();
        let passes_stack = given
            .iter()
            .any(|given| matches!(self.register(*given), Value::Frame(_)));
        self.give_registers(given.into_iter());
        self.give_all(self.passed_on_stack(convention));
        if passes_stack {
            self.give_slots(|_, _| true);
        }
    }

    /// The addresses among the arguments on the stack: those lie without a gap from the stack pointer on, so that there
    /// are none above a place that was never written.
    fn passed_on_stack(&self, convention: Convention) -> Vec<Value> {
        let of = |slot: &Slot| slot.holds_address().then(|| slot.value.clone());
        let Value::Frame(top) = *self.register(Register::RSP) else {
            return self.slots.values().filter_map(of).collect();
        };
        if convention == Convention::Go {
            return self.slots.range(top..).filter_map(|(_, slot)| of(slot)).collect();
        }
        let places = (0..).map(|index| top.saturating_add(8 * index));
        let written = places.map_while(|place| self.slots.get(&place));
        written.filter_map(of).collect()
    }

    /// Control leaves the function for good, or for a part of it that is looked at alone.
    pub(crate) fn leave(&mut self, returns: bool) {
        let results = [Register::RAX, Register::RDX];
        let left = Register::all().filter(|register| !returns || results.contains(register));
        self.give_registers(left.filter(|register| *register != Register::RSP));
        if !returns {
            self.give_slots(|_, _| true);
        }
    }

    /// A callee of the same object may leave registers alone that others would change, and its compiler may know that.
    pub(crate) fn give_changeable(&mut self, convention: Convention) {
        self.give_registers(Register::all().filter(|register| convention.clobbers(*register)));
    }

    /// Control may go on from here at a place of the function where nothing is known, a landing pad: the state there, with
    /// what the registers that survive calls may hide; nothing if they hide nothing. The stack is not known there at all.
    pub(crate) fn at_landing_pad(&mut self, convention: Convention) -> Option<Self> {
        self.give_slots(|_, slot| !slot.holds_stack_address());
        let mut pad = Self::unknown(&self.callable);
        let kept = |register: &Register| !convention.clobbers(*register) && *register != Register::RSP;
        for register in Register::all().filter(kept) {
            pad.hide(register, self.register(register));
        }
        pad.hidden
            .extend(self.hidden.iter().filter(|(register, _)| kept(register)));
        (!pad.hidden.is_empty()).then_some(pad)
    }

    /// So many bytes are read by something that does not keep an address recognisable.
    pub(crate) fn note_read(&mut self, memory: &Memory, bytes: u64) {
        match self.address(memory) {
            _ if memory.segment => {}
            Value::Frame(offset) => self.give_slots(|start, slot| {
                start < offset.saturating_add_unsigned(bytes)
                    && offset < start.saturating_add_unsigned(slot.width.bytes())
            }),
            Value::Addresses(_) | Value::Constants(_) => {}
            // Only what was made from a stack address can lead here.
            _ => self.give_slots(|_, _| true),
        }
    }

    /// Any memory may be read so.
    pub(crate) fn note_any_read(&mut self) {
        self.give_slots(|_, _| true);
    }

    /// The same for an operand of an operation, which takes an address as a whole.
    pub(crate) fn note_operand(&mut self, operand: &Operand, width: Width) {
        let Operand::Memory(memory) = operand else {
            return;
        };
        if let Value::Frame(offset) = self.address(memory)
            && width == Width::Quad
            && self
                .slots
                .get(&offset)
                .is_some_and(|slot| slot.width == Width::Quad)
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

    /// What lies below the stack pointer is the callee's.
    fn forget_below(&mut self) {
        if let Value::Frame(top) = *self.register(Register::RSP) {
            self.slots = self.slots.split_off(&top);
        }
    }

    /// Control comes back here a second time, with the stack as it is then.
    pub(crate) fn return_twice(&mut self) {
        self.escaped = true;
        self.forget_memory();
    }

    fn forget_outgoing(&mut self, bytes: i64) {
        match *self.register(Register::RSP) {
            Value::Frame(top) => {
                let end = top.saturating_add(bytes).min(0);
                self.give_slots(|start, _| (top..end).contains(&start));
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
                if discriminant(value) != discriminant(&joined) {
                    hidden.push((register, value.clone()));
                }
            }
            changed |= joined != *mine;
            *mine = joined;
        }
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

    /// A register holds this or something else. A stack address may be written through at once.
    fn hide(&mut self, register: Register, value: &Value) {
        self.escaped |= matches!(value, Value::Frame(_));
        let followed = self.callable.followed(value);
        self.hidden
            .extend(followed.into_iter().map(|address| (register, address)));
    }

    /// The same for what lies in the stack; what is not recognised any more goes to `lost`.
    fn join_slots(&mut self, other: &Self, lost: &mut Vec<Value>) -> bool {
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
        for (start, width) in places {
            let (mine, theirs) = (self.load(start, width), other.load(start, width));
            let value = mine.join(&theirs);
            let held = [self, other].map(|state| state.slots.get(&start).map(|slot| &slot.value));
            held.into_iter()
                .flatten()
                .for_each(|held| lose(lost, &value, [held, held]));
            slots.insert(start, Slot { value, width });
        }
        let changed = slots != self.slots || self.incoming_intact != intact;
        self.slots = slots;
        self.incoming_intact = intact;
        changed
    }
}

/// Notes those of two values that are not recognised any more in what they became.
fn lose(lost: &mut Vec<Value>, joined: &Value, before: [&Value; 2]) {
    // A stack address that is no longer recognised may still be written through, a function still be called.
    lost.extend(
        before
            .into_iter()
            .filter(|value| discriminant(*value) != discriminant(joined))
            .cloned(),
    );
}

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
