//! What one `syscall` instruction is given, on its way from function to caller.
//!
//! Abstraction: the call's number and all its arguments go together, in terms of what a function finds at entry. Where
//! a function's flow loses an argument that its callers may decide about (it maps a constant to another one, or looks
//! at a case that none of them has), it is evaluated once more for each caller, with the numbers that this one passes:
//! the C library's `tcsetattr` turns an action into a request so, and `clock_nanosleep` a clock into another one. A
//! call that such an evaluation does not come to is not made by that caller. Over-reports: what depends on numbers that
//! a caller has from its own callers.

use confine_code::{
    CallEffect, Constants, Evaluation, Loaded, Location, Numbers, Pointer, SystemCallEffect, Value,
};
use confine_elf::Address;
use confine_isa::Register;
use rustc_hash::FxHashSet;

use crate::arguments::{Question, Tracer};
use crate::passed::REGISTERS;
use crate::program::Node;
use crate::reach::Caller;
use crate::values::{WantedArguments, cut_number};

/// A call's number and arguments in terms of a function's entry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Passed {
    pub(crate) number: Value,
    pub(crate) arguments: [Value; 6],
}

/// What a function has a call made with.
#[derive(Debug, Clone)]
pub(crate) struct Tuple {
    pub(crate) node: Node,
    pub(crate) passed: Passed,
    /// How the function passes it on.
    pub(crate) passing: Passing,
    /// Functions with the instruction that leads on, from `node` to the last.
    pub(crate) path: Vec<(Node, Address)>,
}

/// Where a function passes a tuple on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Passing {
    /// To the kernel, by the instruction there.
    Kernel(Address),
    /// By a variable that holds the number, with arguments that depend on nobody else.
    Stored,
    /// To a function that it calls.
    Callee {
        /// The instruction and what it names.
        call: (Address, Address),
        /// The function.
        node: Node,
        /// The tuple in terms of that function's entry.
        passed: Box<Passed>,
        /// Where that function loses something that this one may have from its own callers, how it passes the tuple on.
        lost: Option<Box<Passing>>,
    },
}

/// A function that is called with numbers in more ways than this is not looked at for each of them.
const CONTEXTS: usize = 16;

/// Through how many functions numbers are passed down to the one that loses something: a slot's stub and a wrapper.
const DEPTH: usize = 3;

impl Passed {
    /// Forgets what does not matter, so that ways which differ only in that are followed once.
    pub(crate) fn simplify(&mut self, choice: WantedArguments) {
        let matters = self.wanted(choice);
        for (index, argument) in self.arguments.iter_mut().enumerate() {
            let dropped = matters.is_some_and(|bits| bits >> index & 1 == 0);
            // What lies in memory may change between where it is written and where it is read.
            let unknown = matches!(
                argument,
                Value::Addresses(_) | Value::Frame(_) | Value::Variable { .. } | Value::Loaded(_)
            );
            if dropped || unknown {
                *argument = Value::Any;
            }
        }
    }

    /// Which arguments matter, as bits, if the number is known.
    fn wanted(&self, choice: WantedArguments) -> Option<u8> {
        let numbers = self.number.constants()?.iter();
        Some(numbers.fold(0, |bits, number| bits | choice.of(cut_number(*number))))
    }

    pub(crate) fn depends_on_callers(&self) -> bool {
        let numbers_known = self.number.constants().is_some();
        depends(&self.number) || numbers_known && self.arguments.iter().any(depends)
    }

    pub(crate) fn makes(&self, number: u32) -> bool {
        let numbers = self.number.constants().unwrap_or_default();
        numbers.iter().any(|candidate| cut_number(*candidate) == number)
    }

    /// The same in terms of the entry of a function that calls `node`; nothing is known of a call of which nothing is known.
    fn at_caller(&self, tracer: &Tracer<'_, '_>, node: Node, call: Option<&CallEffect>) -> Self {
        let passed = |value: &Value| match (value, call) {
            (value, _) if !depends(value) => value.clone(),
            (value, Some(call)) => tracer.at_caller(node, value, call),
            (_, None) => Value::Any,
        };
        Self {
            number: passed(&self.number),
            arguments: self.arguments.each_ref().map(passed),
        }
    }
}

impl From<&SystemCallEffect> for Passed {
    fn from(effect: &SystemCallEffect) -> Self {
        Self {
            number: effect.number.clone(),
            arguments: effect.arguments.clone(),
        }
    }
}

impl Tuple {
    /// What the function gives the kernel itself.
    pub(crate) fn at_kernel(node: Node, at: Address, effect: &SystemCallEffect) -> Self {
        Self {
            node,
            passed: effect.into(),
            passing: Passing::Kernel(at),
            path: vec![(node, at)],
        }
    }

    /// Whether an argument that matters is not known here, or is one of several numbers, though the function it is passed to
    /// leaves it to this one, and whoever calls this one may decide about it: with all numbers given, it is known or never
    /// passed, or is one of fewer.
    pub(crate) fn is_lost(&self, tracer: &Tracer<'_, '_>, choice: WantedArguments) -> bool {
        let lost: Vec<usize> = self
            .undecided(choice)
            .filter(|index| self.passing.leaves(*index))
            .collect();
        if lost.is_empty() || !tracer.is_wrapper(self.node) {
            return false;
        }
        let context = Context { tracer, choice };
        let given = all_numbers(tracer.evaluation(self.node));
        let passed = self.passing.of_call(&context, self.node, &self.passed, &given);
        passed.is_none_or(|passed| {
            let mut lost = lost.into_iter();
            lost.any(|index| says_more(&passed.arguments[index], &self.passed.arguments[index]))
        })
    }

    /// The tuple as each of those gives it who write the variable that holds its number; `None` if it is in none, or it is
    /// not known who does.
    pub(crate) fn at_writers(&self, tracer: &mut Tracer<'_, '_>) -> Option<Vec<Self>> {
        let Value::Variable { .. } = self.passed.number else {
            return None;
        };
        let stored = tracer.stored(&Question {
            node: self.node,
            value: self.passed.number.clone(),
            path: self.path.clone(),
        })?;
        // What callers decide is not known at the writers.
        let arguments = self
            .passed
            .arguments
            .each_ref()
            .map(|argument| match depends(argument) {
                true => Value::Any,
                false => argument.clone(),
            });
        let stored = stored.into_iter().map(|question| Self {
            node: question.node,
            passed: Passed {
                number: question.value,
                arguments: arguments.clone(),
            },
            passing: Passing::Stored,
            path: question.path,
        });
        Some(stored.collect())
    }

    /// The arguments that matter and are not known, or only as one of several numbers.
    fn undecided(&self, choice: WantedArguments) -> impl Iterator<Item = usize> {
        let wanted = self.passed.wanted(choice).unwrap_or_default();
        let arguments = self.passed.arguments.iter().enumerate();
        arguments
            .filter(move |(index, argument)| wanted >> index & 1 == 1 && is_undecided(argument))
            .map(|(index, _)| index)
    }

    /// The tuple as it is given from outside the program's code: in each way that is known, or in any.
    pub(crate) fn at_root(self, tracer: &Tracer<'_, '_>) -> Vec<Self> {
        let ways = tracer
            .given(self.node)
            .filter(|_| self.passed.depends_on_callers());
        let Some(ways) = ways else {
            return vec![self];
        };
        let ways = ways.iter().map(|way| {
            // Arguments have four bytes then, which adding, masking and setting bits leave alone in a value's low half; what
            // takes more of a register is no such value.
            let passed = |value: &Value| {
                value.instantiate(|location| {
                    let mut known = way.0.iter();
                    let number = known.find(|(index, _)| {
                        REGISTERS.get(*index).copied().map(Location::Register) == Some(location)
                    });
                    number.map_or(Value::Any, |(_, number)| Value::constant((*number).into()))
                })
            };
            Self {
                passed: Passed {
                    number: passed(&self.passed.number),
                    arguments: self.passed.arguments.each_ref().map(passed),
                },
                ..self.clone()
            }
        });
        ways.collect()
    }

    /// The tuple as each caller gives it; where something is lost, by what the function does with that caller's numbers.
    pub(crate) fn at_callers(
        &self,
        tracer: &Tracer<'_, '_>,
        lost: bool,
        choice: WantedArguments,
    ) -> Vec<Self> {
        let calls = tracer.calls_of(self.node);
        let own = tracer.evaluation(self.node);
        let lost = lost && contexts(own, &calls) <= CONTEXTS;
        let calls = calls.into_iter();
        calls
            .filter_map(|(caller, call)| {
                let passed = match call {
                    Some(call) if lost => {
                        let context = Context { tracer, choice };
                        let numbers = call.numbers(own);
                        self.passing
                            .of_call(&context, self.node, &self.passed, &numbers)?
                    }
                    _ => self.passed.clone(),
                };
                let steps = std::iter::once((caller.node, caller.at));
                let hands_down =
                    lost && self.passing.depth() < DEPTH && call.is_some_and(CallEffect::hands_down);
                Some(Self {
                    node: caller.node,
                    passed: tracer.with_looked_up(caller.node, passed.at_caller(tracer, self.node, call)),
                    passing: Passing::Callee {
                        call: (caller.at, caller.target),
                        node: self.node,
                        passed: Box::new(passed),
                        lost: hands_down.then(|| Box::new(self.passing.clone())),
                    },
                    path: steps.chain(self.path.iter().copied()).collect(),
                })
            })
            .collect()
    }
}

/// A number wherever a function that does this may find one: in registers, or behind those that it takes for pointers.
fn all_numbers(callee: Option<&Evaluation>) -> Numbers {
    let loads = callee.map(|callee| callee.loads.iter()).into_iter().flatten();
    let is_pointer = |register: &Register| {
        let mut loads = loads.clone();
        loads.any(|place| place.pointer == Pointer::Entry(Location::Register(*register)))
    };
    let registers = REGISTERS.into_iter().filter(|register| !is_pointer(register));
    let stack = callee.into_iter().flat_map(|callee| &callee.stack_arguments);
    Numbers {
        registers: registers.map(|register| (register, Constants::one(0))).collect(),
        stack: stack.map(|argument| (*argument, Constants::one(0))).collect(),
        behind: loads.clone().map(|place| (*place, Constants::one(0))).collect(),
    }
}

/// In how many ways these calls pass numbers to a function that does this.
fn contexts(callee: Option<&Evaluation>, calls: &[(Caller, Option<&CallEffect>)]) -> usize {
    let given = calls
        .iter()
        .filter_map(|(_, call)| Some(call.as_ref()?.numbers(callee)));
    given.collect::<FxHashSet<_>>().len()
}

/// Who knows what functions do, and what is asked for.
struct Context<'t, 'p, 'a> {
    tracer: &'t Tracer<'p, 'a>,
    choice: WantedArguments,
}

impl Passing {
    /// What `node`, which passes a tuple on so, passes on when it is given these numbers; `None` if it does not come to that
    /// then. It is `passed` where there are none.
    fn of_call(
        &self,
        context: &Context<'_, '_, '_>,
        node: Node,
        passed: &Passed,
        given: &Numbers,
    ) -> Option<Passed> {
        let evaluation = match given.is_empty() {
            true => None,
            false => context.tracer.evaluation_given(node, given),
        };
        let Some(evaluation) = evaluation else {
            return Some(passed.clone());
        };
        let mut passed = match self {
            Self::Kernel(at) => evaluation.system_calls.get(at)?.into(),
            Self::Stored => return Some(passed.clone()),
            Self::Callee {
                call,
                node,
                passed,
                lost,
            } => {
                let call = evaluation.calls.get(call)?;
                let passed = match lost {
                    Some(passing) => {
                        let numbers = call.numbers(context.tracer.evaluation(*node));
                        passing.of_call(context, *node, passed, &numbers)?
                    }
                    None => passed.as_ref().clone(),
                };
                passed.at_caller(context.tracer, *node, Some(call))
            }
        };
        passed.simplify(context.choice);
        Some(passed)
    }

    /// How many functions it leads through.
    fn depth(&self) -> usize {
        match self {
            Self::Callee {
                lost: Some(passing), ..
            } => 1 + passing.depth(),
            _ => 1,
        }
    }

    /// Whether the function itself decides about an argument, or its callers through it.
    fn leaves(&self, index: usize) -> bool {
        match self {
            Self::Kernel(_) => true,
            Self::Stored => false,
            Self::Callee { passed, lost, .. } => {
                lost.is_some() || passed.arguments.get(index).is_some_and(depends)
            }
        }
    }
}

/// Whether a value is not known, and no caller's either.
fn is_open(value: &Value) -> bool {
    matches!(value, Value::Any | Value::UpTo(_))
}

/// Whether a value is that, or one of several numbers, which may be a bound of what a caller passes.
fn is_undecided(value: &Value) -> bool {
    is_open(value) || value.constants().is_some_and(|numbers| numbers.len() > 1)
}

/// Whether a value is one of fewer than the other.
fn says_more(value: &Value, other: &Value) -> bool {
    match (value.constants(), other.constants()) {
        (Some(numbers), Some(others)) => numbers.len() < others.len(),
        _ => !is_open(value),
    }
}

/// Whether callers decide about a value.
fn depends(value: &Value) -> bool {
    matches!(
        value,
        Value::Entry(_)
            | Value::Loaded(Loaded {
                pointer: Pointer::Entry(_),
                ..
            })
    )
}
