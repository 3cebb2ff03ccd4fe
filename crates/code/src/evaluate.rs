//! The values that registers hold where a function enters the kernel or calls another function.
//!
//! Abstraction: a forward analysis over the function's flow, from its start with symbolic entry values
//! ([`crate::Entry`]) and from every other way in with unknown ones. Where flows meet, states join; the lattice
//! has finite height ([`crate::value`]), so the analysis ends. Over-reports: values that only paths which
//! cannot happen would bring. Misses: nothing that a function does as its flow says; code that rewrites itself
//! or returns to elsewhere than its call is outside the abstraction.

use std::collections::{BTreeMap, BTreeSet};

use confine_elf::{Address, Object, RelocationValue};
use confine_isa::{Arithmetic, Decoder, Flow, Instruction, Operand, Operation, Register, Width};

use rustc_hash::FxHashMap;

use crate::facts::{Facts, Function, Reference, ReferenceKind};
use crate::returning::Returning;
use crate::state::{Convention, State};
use crate::value::{Loaded, Location, Pointer, Value};

/// Stack arguments that a call's record keeps: as many as the widest known wrapper takes.
const STACK_ARGUMENTS: i64 = 10;

/// How far above the stack pointer a callee that is not known may put results, in bytes.
const UNKNOWN_OUTGOING: i64 = 128;

/// An evaluation gives up after this many instructions for each one in the function: loops whose sets grow one
/// by one stay far below, and what gives up is reported as open.
const STEPS_PER_BYTE: u64 = 64;

/// What one function does, in terms of what its caller passes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evaluation {
    /// By address.
    pub system_calls: BTreeMap<Address, SystemCallEffect>,
    /// Direct calls, calls through a slot, and jumps to other functions, by address and target.
    pub calls: BTreeMap<(Address, Address), CallEffect>,
    /// Calls of computed addresses.
    pub indirect_calls: BTreeMap<Address, CallEffect>,
    /// Eight-byte stores to variables of the object, by the instruction's address.
    pub stores: BTreeMap<Address, Value>,
    /// Stores behind pointers whose origin is known.
    pub stores_behind: BTreeSet<Loaded>,
}

/// A `syscall` instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemCallEffect {
    /// The call's number (RAX).
    pub number: Value,
    /// Its six arguments (RDI, RSI, RDX, R10, R8, R9).
    pub arguments: [Value; 6],
}

impl SystemCallEffect {
    fn join(&mut self, other: &Self) {
        self.number = self.number.join(&other.number);
        for (mine, theirs) in self.arguments.iter_mut().zip(&other.arguments) {
            *mine = mine.join(theirs);
        }
    }
}

/// What a caller passes: enough to find any [`Location`] of the callee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallEffect {
    registers: [Value; Register::COUNT],
    /// From the callee's first stack argument on.
    stack: Vec<Value>,
    /// The caller's own stack, by distance from its stack pointer at entry.
    own_stack: BTreeMap<i64, (Value, Width)>,
}

impl CallEffect {
    fn join(&mut self, other: &Self) {
        self.own_stack
            .retain(|start, (value, width)| match other.own_stack.get(start) {
                Some((theirs, same)) if width == same => {
                    *value = value.join(theirs);
                    true
                }
                _ => false,
            });
        let mine = self.registers.iter_mut().chain(&mut self.stack);
        for (mine, theirs) in mine.zip(other.registers.iter().chain(&other.stack)) {
            *mine = mine.join(theirs);
        }
    }

    /// What the callee finds behind a pointer that is passed to it.
    #[must_use]
    pub fn behind(&self, loaded: Loaded) -> Value {
        let Pointer::Entry(location) = loaded.pointer else {
            return Value::Any;
        };
        match self.value(location) {
            Value::Frame(base) => match self.own_stack.get(&base.wrapping_add_unsigned(loaded.offset)) {
                Some((value, width)) if *width >= loaded.width => value.truncate(loaded.width),
                _ => Value::Any,
            },
            pointer => pointer.behind(loaded.width).map_or(Value::Any, |behind| {
                Value::Loaded(Loaded {
                    offset: behind.offset.wrapping_add(loaded.offset),
                    ..behind
                })
            }),
        }
    }

    /// What the callee finds in `location` when it is entered.
    #[must_use]
    pub fn value(&self, location: Location) -> Value {
        match location {
            Location::Register(register) => self.registers[register.number()].clone(),
            Location::Stack(distance) => match usize::from(distance).checked_sub(8) {
                Some(above) if above % 8 == 0 => self.stack.get(above / 8).cloned().unwrap_or_default(),
                _ => Value::Any,
            },
        }
    }
}

/// Evaluates a function; `None` if it takes too long to settle.
#[must_use]
pub fn evaluate(object: &Object, facts: &Facts, function: usize) -> Option<Evaluation> {
    let function = facts.functions.get(function)?;
    let convention = if object.go_functions.is_empty() {
        Convention::SystemV
    } else {
        Convention::Go
    };
    let returning = Returning::new(object, facts);
    let mut interpreter = Interpreter::new(object, function, convention, returning);
    interpreter.settle()?;
    Some(interpreter.record())
}

struct Interpreter<'a> {
    object: &'a Object,
    function: &'a Function,
    bytes: &'a [u8],
    convention: Convention,
    facts: &'a Facts,
    returning: Returning<'a>,
    /// By callee.
    incoming: FxHashMap<Address, i64>,
    /// Where flows meet or begin.
    leaders: BTreeSet<Address>,
    states: BTreeMap<Address, State>,
    pending: BTreeSet<Address>,
    steps: u64,
    operations: Vec<Operation>,
}

/// What happens at one instruction, told to whoever walks.
enum Event<'s> {
    /// The instruction enters the kernel.
    SystemCall(&'s State),
    /// Control goes into a function whose address is computed.
    IndirectCall { state: &'s State, pushes_return: bool },
    /// A value is stored in a variable of the object.
    Store(&'s Value),
    /// Something is stored behind a pointer whose origin is known.
    StoreBehind(Loaded),
    /// Control goes into another function, whose return address (if there is one) is not on the stack yet.
    Call {
        target: Address,
        state: &'s State,
        pushes_return: bool,
    },
}

impl<'a> Interpreter<'a> {
    fn new(
        object: &'a Object,
        function: &'a Function,
        convention: Convention,
        returning: Returning<'a>,
    ) -> Self {
        let size = usize::try_from(function.code.end - function.code.start).unwrap_or(0);
        let held = object.bytes_at(function.code.start);
        let bytes = held.get(..size.saturating_add(15)).unwrap_or(held);
        let mut interpreter = Self {
            object,
            function,
            bytes,
            convention,
            facts: returning.facts(),
            returning,
            incoming: FxHashMap::default(),
            leaders: BTreeSet::new(),
            states: BTreeMap::new(),
            pending: BTreeSet::new(),
            steps: 0,
            operations: Vec::new(),
        };
        interpreter.find_leaders();
        interpreter
    }

    /// Branch targets: a linear look at the bytes suffices, since too many leaders do no harm and every jump
    /// that is really taken adds its target again while walking.
    fn find_leaders(&mut self) {
        let function = self.function;
        let mut decoder = Decoder::new(self.bytes, function.code.start);
        while let Some(instruction) = decoder.next_instruction() {
            if let Flow::Jump(target) | Flow::Branch(target, _) = instruction.flow() {
                self.leaders.insert(target);
            }
        }
        self.leaders.insert(function.code.start);
        self.leaders
            .extend(function.unknown_entries.iter().chain(&function.jump_targets));
    }

    /// Walks until no state changes; `None` when that takes too long.
    fn settle(&mut self) -> Option<()> {
        let limit = STEPS_PER_BYTE * self.bytes.len() as u64 + 4096;
        self.arrive(self.function.code.start, &State::at_entry());
        for entry in &self.function.unknown_entries {
            self.arrive(*entry, &State::unknown());
        }
        while let Some(leader) = self.pending.pop_first() {
            self.walk(leader, |_, _| {});
            if self.steps > limit {
                return None;
            }
        }
        Some(())
    }

    /// Walks once more over the settled states and writes down what happens.
    fn record(&mut self) -> Evaluation {
        let mut evaluation = Evaluation::default();
        let leaders: Vec<Address> = self.states.keys().copied().collect();
        for leader in leaders {
            self.walk(leader, |at, event| match event {
                Event::SystemCall(state) => {
                    let effect = system_call(state);
                    let known = evaluation.system_calls.entry(at);
                    known.and_modify(|known| known.join(&effect)).or_insert(effect);
                }
                Event::IndirectCall { state, pushes_return } => {
                    let effect = call(state, pushes_return);
                    let known = evaluation.indirect_calls.entry(at);
                    known.and_modify(|known| known.join(&effect)).or_insert(effect);
                }
                Event::Store(value) => {
                    let known = evaluation.stores.entry(at);
                    known
                        .and_modify(|known| *known = known.join(value))
                        .or_insert_with(|| value.clone());
                }
                Event::StoreBehind(place) => {
                    evaluation.stores_behind.insert(place);
                }
                Event::Call {
                    target,
                    state,
                    pushes_return,
                } => {
                    let effect = call(state, pushes_return);
                    let known = evaluation.calls.entry((at, target));
                    known.and_modify(|known| known.join(&effect)).or_insert(effect);
                }
            });
        }
        evaluation
    }

    fn arrive(&mut self, address: Address, state: &State) {
        let changed = match self.states.get_mut(&address) {
            Some(known) => known.join(state),
            None => {
                self.states.insert(address, state.clone());
                true
            }
        };
        if changed {
            self.pending.insert(address);
        }
    }

    /// Follows straight-line code from a leader to the next one.
    fn walk(&mut self, leader: Address, mut tell: impl FnMut(Address, Event<'_>)) {
        let Some(mut state) = self.states.get(&leader).cloned() else {
            return;
        };
        let mut decoder = Decoder::new(self.bytes, self.function.code.start);
        if !decoder.seek(leader) {
            return;
        }
        while let Some(instruction) = decoder.next_instruction() {
            self.steps += 1;
            let next = instruction.end();
            if !self.step(&instruction, &mut state, &mut tell) {
                return;
            }
            if !self.function.code.contains(&next) {
                tell(
                    instruction.address(),
                    Event::Call {
                        target: next,
                        state: &state,
                        pushes_return: false,
                    },
                );
                return;
            }
            if self.leaders.contains(&next) {
                return self.arrive(next, &state);
            }
        }
    }

    /// Applies one instruction; whether control may go on to the next one.
    fn step(
        &mut self,
        instruction: &Instruction,
        state: &mut State,
        tell: &mut impl FnMut(Address, Event<'_>),
    ) -> bool {
        let at = instruction.address();
        match instruction.flow() {
            Flow::Next => {
                self.operations.clear();
                instruction.lift(&mut self.operations);
                for operation in &self.operations {
                    tell_store(at, operation, state, self.object, tell);
                    apply(operation, state, self.object);
                }
                true
            }
            Flow::Jump(target) => {
                self.go(at, target, state, tell);
                false
            }
            Flow::Branch(target, condition) => {
                if let Some(taken) = state.assume(condition) {
                    self.go(at, target, &taken, tell);
                }
                match state.assume(condition.negated()) {
                    Some(other) => {
                        *state = other;
                        true
                    }
                    None => false,
                }
            }
            Flow::Call(target) => {
                tell(
                    at,
                    Event::Call {
                        target,
                        state,
                        pushes_return: true,
                    },
                );
                state.give_arguments(self.convention);
                state.after_call(self.convention, self.incoming_bytes(target));
                self.returning.may_return(target)
            }
            Flow::IndirectCall(operand) => {
                if let Some(slot) = operand.slot().or_else(|| self.imported(&operand, state)) {
                    tell(
                        at,
                        Event::Call {
                            target: slot,
                            state,
                            pushes_return: true,
                        },
                    );
                } else {
                    tell(
                        at,
                        Event::IndirectCall {
                            state,
                            pushes_return: true,
                        },
                    );
                }
                state.give_arguments(self.convention);
                state.after_call(self.convention, UNKNOWN_OUTGOING);
                true
            }
            Flow::IndirectJump(operand) => {
                if let Some(slot) = operand.slot().or_else(|| self.imported(&operand, state)) {
                    tell(
                        at,
                        Event::Call {
                            target: slot,
                            state,
                            pushes_return: false,
                        },
                    );
                } else {
                    let function = self.function;
                    // A tail call, unless the function's own tables tell where its jumps go.
                    if function.jump_targets.is_empty() {
                        tell(
                            at,
                            Event::IndirectCall {
                                state,
                                pushes_return: false,
                            },
                        );
                    }
                    for target in &function.jump_targets {
                        self.arrive(*target, state);
                    }
                    // Which of the jumps uses which table is not known: each may go wherever any of them may.
                    for jump in function
                        .references
                        .iter()
                        .filter(|reference| is_table_target(function, reference))
                    {
                        tell(
                            jump.at,
                            Event::Call {
                                target: jump.target,
                                state,
                                pushes_return: false,
                            },
                        );
                    }
                }
                false
            }
            Flow::SystemCall => {
                tell(at, Event::SystemCall(state));
                for register in [Register::RAX, Register::RCX, Register::R11] {
                    state.set_register(register, Value::Any);
                }
                state.forget_flags();
                // The kernel writes where its arguments point, which may be the stack.
                state.give_arguments(Convention::SystemV);
                state.forget_if_escaped();
                true
            }
            Flow::ForeignSystemCall => {
                state.after_call(Convention::Go, 0);
                true
            }
            Flow::Return | Flow::Stop => false,
        }
    }

    /// The slot that a register's value was loaded from, if the loader binds that slot to a symbol.
    fn imported(&self, operand: &Operand, state: &State) -> Option<Address> {
        let Operand::Register(register) = operand else {
            return None;
        };
        let Value::Variable { address, add: 0 } = *state.register(*register) else {
            return None;
        };
        let relocations = &self.object.relocations;
        let index = relocations.partition_point(|relocation| relocation.at < address);
        let relocation = relocations
            .get(index)
            .filter(|relocation| relocation.at == address)?;
        matches!(relocation.value, RelocationValue::Symbol { .. }).then_some(address)
    }

    /// How many bytes above its return address a function reads and writes: Go's frames are set up by one
    /// subtraction, after which larger offsets from the stack pointer are the caller's.
    fn incoming_bytes(&mut self, callee: Address) -> i64 {
        if self.convention != Convention::Go {
            return 0;
        }
        if let Some(known) = self.incoming.get(&callee) {
            return *known;
        }
        let bytes = self.incoming_bytes_of(callee).unwrap_or(UNKNOWN_OUTGOING);
        self.incoming.insert(callee, bytes);
        bytes
    }

    fn incoming_bytes_of(&self, callee: Address) -> Option<i64> {
        let function = self.facts.functions.get(self.facts.function_at(callee)?)?;
        let size = usize::try_from(function.code.end - function.code.start).ok()?;
        let bytes = self.object.bytes_at(function.code.start).get(..size)?;
        let mut decoder = Decoder::new(bytes, function.code.start);
        let (mut frame, mut furthest) = (8i64, 0i64);
        let mut operations = Vec::new();
        while let Some(instruction) = decoder.next_instruction() {
            operations.clear();
            instruction.lift(&mut operations);
            for operation in &operations {
                if let Some(bytes) = operation.stack_subtraction().filter(|_| frame == 8) {
                    frame = frame.checked_add(i64::try_from(bytes).ok()?)?;
                }
            }
            if let Some(offset) = instruction.stack_offset() {
                furthest = furthest.max(offset.saturating_add(8).saturating_sub(frame));
            }
        }
        Some(furthest)
    }

    fn go(&mut self, at: Address, target: Address, state: &State, tell: &mut impl FnMut(Address, Event<'_>)) {
        if self.function.code.contains(&target) {
            self.leaders.insert(target);
            self.arrive(target, state);
        } else {
            tell(
                at,
                Event::Call {
                    target,
                    state,
                    pushes_return: false,
                },
            );
        }
    }
}

fn tell_store(
    at: Address,
    operation: &Operation,
    state: &State,
    object: &Object,
    tell: &mut impl FnMut(Address, Event<'_>),
) {
    let (memory, width, value) = match operation {
        Operation::Copy {
            to: Operand::Memory(memory),
            width,
            from,
        } => (memory, *width, state.read(from, *width, object)),
        Operation::Arithmetic {
            place: Operand::Memory(memory),
            width,
            ..
        } => (memory, *width, Value::Any),
        // However many bytes: as if all eight of the variable. Go keeps its vector register 15 at zero (Go
        // internal ABI).
        Operation::ClobberMemory {
            memory,
            vector: Some(15),
            ..
        } if !object.go_functions.is_empty() => (memory, Width::Quad, Value::constant(0)),
        Operation::ClobberMemory { memory, .. } => (memory, Width::Quad, Value::Any),
        _ => return,
    };
    let address = state.address(memory);
    match address {
        Value::Addresses(_) if width == Width::Quad => tell(at, Event::Store(&value)),
        _ => {
            if let Some(place) = address.behind(width) {
                tell(at, Event::StoreBehind(place));
            }
        }
    }
}

fn is_table_target(function: &Function, reference: &Reference) -> bool {
    reference.kind == ReferenceKind::Jump && function.indirect_jumps.contains(&reference.at)
}

fn system_call(state: &State) -> SystemCallEffect {
    const ARGUMENTS: [Register; 6] = [
        Register::RDI,
        Register::RSI,
        Register::RDX,
        Register::R10,
        Register::R8,
        Register::R9,
    ];
    SystemCallEffect {
        number: state.register(Register::RAX).clone(),
        arguments: ARGUMENTS.map(|register| state.register(register).clone()),
    }
}

fn call(state: &State, pushes_return: bool) -> CallEffect {
    let first = if pushes_return { 0 } else { 8 };
    CallEffect {
        registers: state.registers().clone(),
        own_stack: state.own_stack(),
        stack: (0..STACK_ARGUMENTS)
            .map(|index| state.stack_value(first + 8 * index))
            .collect(),
    }
}

fn apply(operation: &Operation, state: &mut State, object: &Object) {
    match *operation {
        Operation::Copy { to, from, width } => {
            let value = state.read(&from, width, object);
            state.write(&to, value, width);
        }
        Operation::Extend {
            to,
            width,
            from,
            from_width,
            signed,
        } => {
            let value = state.read(&from, from_width, object);
            let value = if signed {
                value.sign_extend(from_width, width)
            } else {
                value
            };
            state.note_derived(&[from], &value);
            state.write_register(to, value, width);
        }
        Operation::Address { to, width, memory } => {
            let value = state.address(&memory);
            let parts = memory
                .base
                .into_iter()
                .chain(memory.index.map(|(index, _)| index));
            let parts: Vec<Operand> = parts.map(Operand::Register).collect();
            state.note_derived(&parts, &value.truncate(width));
            state.write_register(to, value, width);
        }
        Operation::Arithmetic {
            operation,
            place,
            source,
            width,
        } => {
            let same = place == source;
            let value = match (operation, same) {
                (Arithmetic::ExclusiveOr | Arithmetic::Subtract, true) => Value::constant(0),
                _ => {
                    let (left, right) = (
                        state.read(&place, width, object),
                        state.read(&source, width, object),
                    );
                    left.arithmetic(operation, &right, width)
                }
            };
            state.note_derived(&[place, source], &value);
            state.write(&place, value, width);
        }
        Operation::Select { to, from, width } => {
            let value = state
                .read(&Operand::Register(to), width, object)
                .join(&state.read(&from, width, object));
            state.note_derived(&[Operand::Register(to), from], &value);
            state.write_register(to, value, width);
        }
        Operation::ZeroOrOnes { to, width } => {
            let value = Value::constant(0).join(&Value::constant(width.mask()));
            state.write_register(to, value, width);
        }
        Operation::Swap { left, right } => {
            let (first, second) = (state.register(left).clone(), state.register(right).clone());
            state.set_register(left, second);
            state.set_register(right, first);
        }
        Operation::Compare {
            left,
            right,
            width,
            test,
        } => state.compare(&left, &right, width, test),
        Operation::ForgetFlags => state.forget_flags(),
        Operation::Clobber(register) => state.set_register(register, Value::Any),
        Operation::ClobberMemory { memory, bytes, .. } => state.clobber_memory(&memory, bytes),
        Operation::ClobberAllMemory => state.forget_memory(),
    }
}
