//! Values followed from a function to those who call it.
//!
//! Abstraction: a value in terms of what a function finds at entry ([`confine_code::Entry`]) is instantiated at
//! every reached caller, and again in the callers of those, until nothing of it depends on a caller. It is open
//! where the function's address is taken (anybody may call it with anything), where a caller's value is not
//! known, and past a bound on the number of levels. Terminates: a question that was asked before is not asked
//! again, and levels are bounded.

use std::collections::BTreeSet;

use confine_code::{Constants, Entry, Evaluation, Location, Value, evaluate};
use confine_elf::{Address, SymbolKind};
use confine_isa::Register;
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::names;
use crate::program::{Input, Node, Program};
use crate::reach::Reach;

/// How many callers deep a value is followed.
const LEVELS: usize = 24;

/// How many questions are asked at most about one program, so that a tangle of wrappers cannot take forever.
const QUESTIONS: usize = 200_000;

/// A function whose string argument is wanted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interface {
    /// Its exported name, e.g. `dlopen`.
    pub name: String,
    /// Which argument, from 0, as the System V psABI passes it.
    pub argument: usize,
}

/// What reaches an interface at one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Passed {
    /// The interface's exported name.
    pub interface: String,
    /// The object whose code passes it.
    pub object: usize,
    /// The place of the call, for people.
    pub place: String,
    /// The string; `None` if it is not a constant.
    pub string: Option<String>,
}

/// A value in terms of `node`'s entry, and the way down from there to what it is wanted for.
pub(crate) struct Question {
    pub(crate) node: Node,
    pub(crate) value: Value,
    /// Functions with the instruction that leads on, from `node` to the last.
    pub(crate) path: Vec<(Node, Address)>,
}

/// A value that does not depend on callers any more; what is still an entry value here is open.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) node: Node,
    pub(crate) value: Value,
    pub(crate) path: Vec<(Node, Address)>,
}

/// Follows values, evaluating functions when they are first needed, many at a time.
pub(crate) struct Tracer<'p, 'a> {
    program: &'p Program<'a>,
    reach: &'p Reach,
    /// `None` for a function whose evaluation did not settle.
    evaluations: FxHashMap<Node, Option<Evaluation>>,
}

impl<'p, 'a> Tracer<'p, 'a> {
    pub(crate) fn new(program: &'p Program<'a>, reach: &'p Reach) -> Self {
        Self {
            program,
            reach,
            evaluations: FxHashMap::default(),
        }
    }

    pub(crate) fn evaluated(&self) -> usize {
        self.evaluations.len()
    }

    pub(crate) fn evaluation(&self, node: Node) -> Option<&Evaluation> {
        self.evaluations.get(&node)?.as_ref()
    }

    pub(crate) fn evaluate(&mut self, nodes: &[Node]) {
        let program = self.program;
        let wanted: BTreeSet<Node> = nodes
            .iter()
            .copied()
            .filter(|node| !self.evaluations.contains_key(node))
            .collect();
        let wanted: Vec<Node> = wanted.into_iter().collect();
        let found: Vec<Option<Evaluation>> = wanted
            .par_iter()
            .map(|node| {
                let (object, index) = program.locate(*node);
                evaluate(program.elf(object), &program.facts[object], index)
            })
            .collect();
        self.evaluations.extend(wanted.into_iter().zip(found));
    }

    /// Answers every question, in an order that depends on the questions alone.
    pub(crate) fn trace(&mut self, questions: Vec<Question>) -> Vec<Answer> {
        let mut answers = Vec::new();
        let mut asked: FxHashSet<(Node, Value, (Node, Address))> = FxHashSet::default();
        let mut pending = questions;
        for _ in 0..LEVELS {
            let (settled, open): (Vec<_>, Vec<_>) = pending
                .into_iter()
                .partition(|question| !self.depends_on_callers(question));
            answers.extend(settled.into_iter().map(answer));
            let callers: Vec<Node> = open
                .iter()
                .flat_map(|question| self.reach.callers(question.node))
                .map(|caller| caller.node)
                .collect();
            self.evaluate(&callers);
            pending = open
                .iter()
                .flat_map(|question| self.ask_callers(question))
                .collect();
            pending.retain(|question| {
                let last = question.path.last().copied().unwrap_or((question.node, 0));
                asked.insert((question.node, question.value.clone(), last))
            });
            if pending.is_empty() {
                return answers;
            }
            if asked.len() > QUESTIONS {
                break;
            }
        }
        answers.extend(pending.into_iter().map(answer));
        answers
    }

    fn depends_on_callers(&self, question: &Question) -> bool {
        let entry = matches!(question.value, Value::Entry(_));
        entry && !self.reach.is_taken(question.node) && !self.reach.callers(question.node).is_empty()
    }

    fn ask_callers(&self, question: &Question) -> Vec<Question> {
        let callers = self.reach.callers(question.node);
        callers
            .iter()
            .filter_map(|caller| {
                let value = match self.evaluation(caller.node) {
                    // A call that the evaluation never comes to is never made.
                    Some(evaluation) => {
                        let call = evaluation.calls.get(&(caller.at, caller.target))?;
                        question.value.instantiate(|location| call.value(location))
                    }
                    None => Value::Any,
                };
                let mut path = vec![(caller.node, caller.at)];
                path.extend_from_slice(&question.path);
                Some(Question {
                    node: caller.node,
                    value,
                    path,
                })
            })
            .collect()
    }
}

fn answer(question: Question) -> Answer {
    Answer {
        node: question.node,
        value: question.value,
        path: question.path,
    }
}

/// The strings that reach the interfaces which were asked about.
pub(crate) fn passed(
    program: &Program<'_>,
    reach: &Reach,
    input: &Input<'_>,
    tracer: &mut Tracer<'_, '_>,
) -> Vec<Passed> {
    let mut all = BTreeSet::new();
    for interface in input.interfaces {
        let Some(register) = argument_register(interface.argument) else {
            continue;
        };
        let value = Value::Entry(Entry::unchanged(Location::Register(register)));
        let questions = definitions(program, &interface.name)
            .into_iter()
            .filter(|node| reach.is_reached(*node))
            .map(|node| Question {
                node,
                value: value.clone(),
                path: Vec::new(),
            })
            .collect();
        for answer in tracer.trace(questions) {
            all.extend(passed_strings(program, interface, &answer));
        }
    }
    all.into_iter().collect()
}

fn passed_strings(program: &Program<'_>, interface: &Interface, answer: &Answer) -> Vec<Passed> {
    let (object, _) = program.locate(answer.node);
    let at = answer
        .path
        .first()
        .map_or(program.function(answer.node).code.start, |(_, at)| *at);
    let place = names::place(program, answer.node, at);
    let passed = |string| Passed {
        interface: interface.name.clone(),
        object,
        place: place.clone(),
        string,
    };
    let constants: &Constants = match &answer.value {
        Value::Constants(constants) | Value::Addresses(constants) => constants,
        _ => return vec![passed(None)],
    };
    let pointers = constants.as_slice().iter().filter(|pointer| **pointer != 0);
    pointers
        .map(|pointer| passed(names::string_at(program.elf(object), *pointer)))
        .collect()
}

/// The functions that objects export under a name.
fn definitions(program: &Program<'_>, name: &str) -> Vec<Node> {
    let objects = 0..program.linked.objects.len();
    let nodes: BTreeSet<Node> = objects
        .flat_map(|object| {
            let symbols = program
                .elf(object)
                .dynamic_symbols
                .iter()
                .chain(&program.elf(object).symbols);
            let defined = symbols.filter(|symbol| symbol.defined && symbol.kind == SymbolKind::Function);
            let named = defined.filter(|symbol| symbol.name == name);
            named
                .filter_map(move |symbol| program.node_at(object, symbol.address))
                .collect::<Vec<_>>()
        })
        .collect();
    nodes.into_iter().collect()
}

fn argument_register(argument: usize) -> Option<Register> {
    [
        Register::RDI,
        Register::RSI,
        Register::RDX,
        Register::RCX,
        Register::R8,
        Register::R9,
    ]
    .get(argument)
    .copied()
}
