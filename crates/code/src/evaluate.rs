//! The values that registers hold where a function enters the kernel or calls another function.
//!
//! Abstraction: a forward analysis over the function's flow, from its start with symbolic entry values
//! ([`crate::Entry`]) and from every other way in with unknown ones. Where flows meet, states join; the lattice
//! has finite height ([`crate::value`]), so the analysis ends. Over-reports: values that only paths which
//! cannot happen would bring. Misses: nothing that a function does as its flow says; code that rewrites itself
//! or returns to elsewhere than its call is outside the abstraction.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use confine_elf::{Address, Object};
use confine_isa::{Flow, Operand, Register, Width};

use crate::body::{Body, Step};
use crate::dormant;
use crate::effects::{CallEffect, Evaluation, SystemCallEffect};
use crate::facts::{Argument, Facts, Function, Numbers, Reference, ReferenceKind};
use crate::go_frames::{self, GoFrames};
use crate::imports;
use crate::loads;
use crate::returning::Returning;
use crate::state::{Convention, State, Structure};
use crate::stores;
use crate::transfer::apply;
use crate::twice;
use crate::value::{Loaded, Pointer, Value};

/// An evaluation gives up after this many instructions for each one in the function: loops whose sets grow one
/// by one stay far below, and what gives up is reported as open.
const STEPS_PER_BYTE: u64 = 64;

/// Evaluates a function; `None` if it takes too long to settle.
#[must_use]
pub fn evaluate(object: &Object, facts: &Facts, function: usize) -> Option<Evaluation> {
    evaluate_given(object, facts, function, &Numbers::default())
}

/// The same as far as calls go that pass these numbers.
pub(crate) fn evaluate_given(
    object: &Object,
    facts: &Facts,
    function: usize,
    given: &Numbers,
) -> Option<Evaluation> {
    let function = facts.functions.get(function)?;
    let convention = if object.go_functions.is_empty() {
        Convention::SystemV
    } else {
        Convention::Go
    };
    let returning = Returning::new(object, facts);
    let mut interpreter = Interpreter::new(object, function, convention, returning);
    interpreter.given = given.clone();
    interpreter.settle()?;
    Some(interpreter.record())
}

/// Where the function's instructions are that run if nothing equals the address `never`, sorted; `None` if that takes too
/// long to settle.
pub(crate) fn instructions_that_run(
    object: &Object,
    facts: &Facts,
    function: usize,
    never: Address,
) -> Option<Vec<Range<Address>>> {
    let function = facts.functions.get(function)?;
    let returning = Returning::new(object, facts);
    let mut interpreter = Interpreter::new(object, function, Convention::SystemV, returning);
    interpreter.never = Some(never);
    interpreter.settle()?;
    Some(
        interpreter
            .ran
            .into_iter()
            .map(|(start, end)| start..end)
            .collect(),
    )
}

struct Interpreter<'a> {
    object: &'a Object,
    function: &'a Function,
    body: Body<'a>,
    convention: Convention,
    returning: Returning<'a>,
    frames: GoFrames<'a>,
    /// Where flows meet or begin.
    leaders: BTreeSet<Address>,
    states: BTreeMap<Address, State>,
    pending: BTreeSet<Address>,
    given_away: BTreeSet<Address>,
    steps: u64,
    /// Whether what operations load and store is told: nobody listens before the states have settled.
    tells: bool,
    /// What the caller passes.
    given: Numbers,
    /// An address that nothing else equals; if there is one, the instructions that were come to are noted.
    never: Option<Address>,
    ran: BTreeSet<(Address, Address)>,
}

/// What happens at one instruction, told to whoever walks.
pub(crate) enum Event<'s> {
    /// The instruction enters the kernel.
    SystemCall(&'s State),
    /// Control goes into a function whose address is computed.
    IndirectCall { state: &'s State, pushes_return: bool },
    /// A value is stored in a variable of the object.
    Store(&'s Value),
    /// Something is stored behind a pointer whose origin is known.
    StoreBehind(Loaded),
    /// Something is stored at an address that was made from such a pointer in a way that is not known.
    StoreNear(Pointer),
    /// Something is loaded from behind a pointer that the caller passed.
    Load(Loaded),
    /// An argument on the stack is loaded.
    Argument(Argument),
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
        let mut interpreter = Self {
            object,
            function,
            body: Body::new(object, function),
            convention,
            frames: GoFrames::new(object, returning.facts()),
            returning,
            leaders: BTreeSet::new(),
            states: BTreeMap::new(),
            pending: BTreeSet::new(),
            given_away: BTreeSet::new(),
            steps: 0,
            tells: false,
            given: Numbers::default(),
            never: None,
            ran: BTreeSet::new(),
        };
        interpreter.find_leaders();
        interpreter
    }

    /// Branch targets: a linear look at the bytes suffices, since too many leaders do no harm and every jump
    /// that is really taken adds its target again while walking.
    fn find_leaders(&mut self) {
        let function = self.function;
        let mut address = function.code.start;
        while let Some(step) = self.body.at(address) {
            if let Flow::Jump(target) | Flow::Branch(target, _) = step.flow {
                self.leaders.insert(target);
            }
            address = step.end;
        }
        self.leaders.insert(function.code.start);
        self.leaders
            .extend(function.unknown_entries.iter().chain(&function.jump_targets));
    }

    /// Walks until no state changes; `None` when that takes too long.
    fn settle(&mut self) -> Option<()> {
        let limit = STEPS_PER_BYTE * self.body.bytes() + 4096;
        let callable = &self.returning.facts().callable;
        let mut entered = State::at_entry(callable);
        for (register, numbers) in &self.given.registers {
            entered.set_register(*register, Value::Constants(numbers.clone()));
        }
        for ((distance, width), numbers) in &self.given.stack {
            entered.set_argument(*distance, *width, numbers.clone());
        }
        for (place, numbers) in &self.given.behind {
            entered.set_behind(*place, numbers.clone());
        }
        self.arrive(self.function.code.start, &entered);
        for entry in &self.function.unknown_entries {
            self.arrive(*entry, &State::unknown(callable));
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
        self.tells = true;
        let mut evaluation = Evaluation::default();
        let leaders: Vec<Address> = self.states.keys().copied().collect();
        for leader in leaders {
            self.walk(leader, |at, event| match event {
                Event::SystemCall(state) => {
                    let effect = SystemCallEffect::at(state);
                    let known = evaluation.system_calls.entry(at);
                    known.and_modify(|known| known.join(&effect)).or_insert(effect);
                }
                Event::IndirectCall { state, pushes_return } => {
                    let effect = CallEffect::at(state, pushes_return);
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
                Event::StoreNear(pointer) => {
                    evaluation.stores_near.insert(pointer);
                }
                Event::Load(place) => {
                    evaluation.loads.insert(place);
                }
                Event::Argument(argument) => {
                    evaluation.stack_arguments.insert(argument);
                }
                Event::Call {
                    target,
                    state,
                    pushes_return,
                } => {
                    let effect = CallEffect::at(state, pushes_return);
                    let known = evaluation.calls.entry((at, target));
                    known.and_modify(|known| known.join(&effect)).or_insert(effect);
                }
            });
        }
        evaluation.given_away = std::mem::take(&mut self.given_away);
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
        self.walk_on(leader, &mut state, &mut tell);
        self.given_away.extend(state.given_away());
    }

    fn walk_on(&mut self, leader: Address, state: &mut State, tell: &mut impl FnMut(Address, Event<'_>)) {
        let mut next = leader;
        while let Some(step) = self.body.at(next) {
            self.steps += 1;
            next = step.end;
            if self.never.is_some() {
                self.ran.insert((step.address, step.end));
            }
            if !self.step(&step, state, tell) {
                return;
            }
            if !self.function.code.contains(&next) {
                if self.goes_out(&step) {
                    self.go(step.address, next, state, tell);
                }
                return;
            }
            if self.leaders.contains(&next) {
                return self.arrive(next, state);
            }
        }
    }

    /// Whether control may go on behind the function's last instruction: not behind a call that its unwind data ends
    /// with, of which decoding has noted no way on.
    fn goes_out(&self, last: &Step) -> bool {
        if !matches!(last.flow, Flow::Call(_) | Flow::IndirectCall(_)) {
            return true;
        }
        let references = &self.function.references;
        let from = references.partition_point(|reference| reference.at < last.address);
        let own = references[from..]
            .iter()
            .take_while(|reference| reference.at == last.address);
        own.into_iter()
            .any(|reference| reference.kind == ReferenceKind::Jump && reference.target == last.end)
    }

    /// Applies one instruction; whether control may go on to the next one.
    fn step(&mut self, step: &Step, state: &mut State, tell: &mut impl FnMut(Address, Event<'_>)) -> bool {
        let at = step.address;
        match step.flow {
            Flow::Next => {
                for operation in self.body.operations(step) {
                    let differs = self
                        .never
                        .is_some_and(|never| dormant::compares(operation, state, self.object, never));
                    if self.tells {
                        stores::tell(at, operation, state, self.object, tell);
                        loads::tell(at, operation, state, tell);
                    }
                    apply(operation, state, self.object);
                    if differs {
                        state.note_difference();
                    }
                }
                true
            }
            Flow::Jump(target) => {
                self.go(at, target, state, tell);
                false
            }
            Flow::Branch(target, condition) => {
                // `loop` counts, and where a transaction fails there is a reason.
                for operation in self.body.operations(step) {
                    apply(operation, state, self.object);
                }
                if let Some(mut taken) = state.assume(condition) {
                    self.go(at, target, &mut taken, tell);
                    self.given_away.extend(taken.given_away());
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
                let structure = self.structure(target, state);
                self.before_call(state);
                if self.convention == Convention::SystemV {
                    state.give_changeable(self.convention);
                }
                let incoming = match self.convention {
                    Convention::Go => self.frames.incoming_bytes(target),
                    Convention::SystemV => 0,
                };
                state.after_call(self.convention, incoming);
                state.keep(structure);
                // Go has no such functions, but many that look who called them.
                if self.convention == Convention::SystemV
                    && twice::returns_twice(self.object, self.returning.facts(), target)
                {
                    state.return_twice();
                }
                self.returning.may_return(target)
            }
            Flow::IndirectCall(operand) => {
                let target = self.target(&operand, state);
                tell(at, leaving(target, state, true));
                self.before_computed(&operand, target, state);
                self.before_call(state);
                state.after_call(self.convention, go_frames::UNKNOWN);
                if target.is_some_and(|slot| twice::slot_returns_twice(self.object, slot)) {
                    state.return_twice();
                }
                !target.is_some_and(|slot| imports::never_returns(self.object, slot))
            }
            Flow::IndirectJump(operand) => {
                let target = self.target(&operand, state);
                let function = self.function;
                // A tail call, unless the function's own tables tell where its jumps go.
                if target.is_some() || function.jump_targets.is_empty() {
                    tell(at, leaving(target, state, false));
                }
                self.before_computed(&operand, target, state);
                if target.is_some() {
                    state.leave(false);
                    return false;
                }
                for target in &function.jump_targets {
                    self.arrive(*target, state);
                }
                // Which of the jumps uses which table is not known: each may go wherever any of them may.
                let outside = function
                    .references
                    .iter()
                    .filter(|reference| is_table_target(function, reference));
                for jump in outside {
                    tell(
                        jump.at,
                        Event::Call {
                            target: jump.target,
                            state,
                            pushes_return: false,
                        },
                    );
                }
                state.leave(false);
                false
            }
            Flow::SystemCall => {
                tell(at, Event::SystemCall(state));
                let number = state.register(Register::RAX);
                if number
                    .constants()
                    .is_some_and(|numbers| numbers.iter().all(|number| !confine_kernel::returns(*number)))
                {
                    return false;
                }
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
                state.leave(false);
                state.after_call(Convention::Go, 0);
                true
            }
            Flow::Return => {
                state.leave(true);
                false
            }
            Flow::Breakpoint | Flow::Stop => false,
        }
    }

    /// What a callee may come to know, and the places of this function where control may go on instead of behind the call.
    fn before_call(&mut self, state: &mut State) {
        state.give_arguments(self.convention);
        let function = self.function;
        if !function.unknown_entries.is_empty()
            && let Some(pad) = state.at_landing_pad(self.convention)
        {
            for entry in &function.unknown_entries {
                self.arrive(*entry, &pad);
            }
        }
    }

    /// What the callee leaves as it is of what is passed to it.
    fn structure(&self, target: Address, state: &State) -> Structure {
        let facts = self.returning.facts();
        if self.convention == Convention::SystemV && facts.leaves_structure(self.object, target) {
            state.structure(Register::RDI)
        } else {
            Structure::default()
        }
    }

    /// Control goes to an address that is computed: what that may be is called, and not by a name.
    fn before_computed(&self, operand: &Operand, target: Option<Address>, state: &mut State) {
        if target.is_none() {
            let value = state.read(operand, Width::Quad, self.object);
            state.give(&value);
            if let Operand::Register(register) = operand {
                state.reveal(*register);
            }
        }
    }

    /// The one place that an operand leads to: a slot of the object, or a function whose address it holds.
    fn target(&self, operand: &Operand, state: &State) -> Option<Address> {
        operand
            .slot()
            .or_else(|| match state.read(operand, Width::Quad, self.object) {
                Value::Variable { address, add: 0 } => imports::name(self.object, address).map(|_| address),
                Value::Addresses(addresses) => {
                    let address = addresses.only()?;
                    let elsewhere = self.object.is_code(address) && !self.function.code.contains(&address);
                    elsewhere.then_some(address)
                }
                _ => None,
            })
    }

    fn go(
        &mut self,
        at: Address,
        target: Address,
        state: &mut State,
        tell: &mut impl FnMut(Address, Event<'_>),
    ) {
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
            state.leave(false);
        }
    }
}

/// Control goes to a function by its address or through its slot, or to a computed address.
fn leaving(target: Option<Address>, state: &State, pushes_return: bool) -> Event<'_> {
    match target {
        Some(target) => Event::Call {
            target,
            state,
            pushes_return,
        },
        None => Event::IndirectCall { state, pushes_return },
    }
}

fn is_table_target(function: &Function, reference: &Reference) -> bool {
    reference.kind == ReferenceKind::Jump && function.indirect_jumps.contains(&reference.at)
}
