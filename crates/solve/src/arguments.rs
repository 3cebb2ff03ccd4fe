//! Values followed from a function to those who call it.
//!
//! Abstraction: a value in terms of what a function finds at entry ([`confine_code::Entry`]) is instantiated at
//! every reached caller, and again in the callers of those, until nothing of it depends on a caller. It is open
//! where the function's address is taken (anybody may call it with anything), where a caller's value is not
//! known, and past a bound on the number of levels. Terminates: a question that was asked before is not asked
//! again, and levels are bounded.
//!
//! A value behind a pointer is followed to the pointer's origin: the caller's own stack, or those who write the
//! variable that holds the pointer. Assumed of a binary: a structure that is passed by its address is only
//! changed through that address, as the compiler had to assume of it too; what the functions on the way store
//! there themselves is seen and leaves the value open.

use std::collections::BTreeSet;
use std::sync::Arc;

use confine_code::{CallEffect, Constants, Evaluation, Loaded, Location, Numbers, Pointer, Value};
use confine_elf::Address;
use confine_isa::{Arithmetic, Width};
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::program::{GivenArguments, Node, Program};
use crate::reach::{Caller, Reach};
use crate::repeated;
use crate::tuple::Passed;
use crate::variable::Variable;
use crate::{changes, looked_up};

/// How many callers deep a value is followed.
pub(crate) const LEVELS: usize = 24;

/// How many questions are asked at most about one program, so that a tangle of wrappers cannot take forever.
const QUESTIONS: usize = 200_000;

/// Functions of more bytes of code than this, or with more callers, are not looked at for each caller.
const WRAPPER_BYTES: u64 = 1024;
const WRAPPER_CALLERS: usize = 64;

/// A value in terms of `node`'s entry, and the way down from there to what it is wanted for.
#[derive(Debug, Clone)]
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
    evaluations: FxHashMap<Node, Option<Arc<Evaluation>>>,
}

impl<'p, 'a> Tracer<'p, 'a> {
    pub(crate) fn new(program: &'p Program<'a>, reach: &'p Reach) -> Self {
        Self {
            program,
            reach,
            evaluations: FxHashMap::default(),
        }
    }

    pub(crate) fn program(&self) -> &'p Program<'a> {
        self.program
    }

    pub(crate) fn evaluated(&self) -> usize {
        self.evaluations.len()
    }

    pub(crate) fn evaluation(&self, node: Node) -> Option<&Evaluation> {
        self.evaluations.get(&node)?.as_deref()
    }

    pub(crate) fn evaluate(&mut self, nodes: &[Node]) {
        let program = self.program;
        let wanted: BTreeSet<Node> = nodes
            .iter()
            .copied()
            .filter(|node| !self.evaluations.contains_key(node))
            .collect();
        let wanted: Vec<Node> = wanted.into_iter().collect();
        let found: Vec<Option<Arc<Evaluation>>> = wanted
            .par_iter()
            .map(|node| {
                let (object, index) = program.locate(*node);
                program.facts[object].evaluation(program.elf(object), index)
            })
            .collect();
        self.evaluations.extend(wanted.into_iter().zip(found));
    }

    /// What a function does with numbers that a caller passes; `None` if that does not settle.
    pub(crate) fn evaluation_given(&self, node: Node, given: &Numbers) -> Option<Arc<Evaluation>> {
        let (object, index) = self.program.locate(node);
        self.program.facts[object].evaluation_given(self.program.elf(object), index, given)
    }

    /// What a function passes, with the number that its library looks up in place of one that is not known.
    pub(crate) fn with_looked_up(&self, node: Node, mut passed: Passed) -> Passed {
        let is_open = matches!(
            passed.number,
            Value::Any | Value::UpTo(_) | Value::Variable { .. }
        );
        if let Some(number) = looked_up::number(self.program, node).filter(|_| is_open) {
            passed.number = Value::constant(number.into());
        }
        passed
    }

    /// Whether a function is small enough, and has few enough callers, to be looked at for each of them.
    pub(crate) fn is_wrapper(&self, node: Node) -> bool {
        let code = &self.program.function(node).code;
        code.end - code.start <= WRAPPER_BYTES && self.reach.callers(node).len() <= WRAPPER_CALLERS
    }

    /// How a function is called from outside the program's code, where that is known and nothing else calls it.
    pub(crate) fn given(&self, node: Node) -> Option<&[GivenArguments]> {
        self.reach.given(node)
    }

    /// Whether not all who call a function are known.
    pub(crate) fn anybody_may_call(&self, node: Node) -> bool {
        self.reach.is_taken(node) || self.reach.callers(node).is_empty()
    }

    /// Who calls a function by name.
    pub(crate) fn callers(&self, node: Node) -> impl Iterator<Item = Node> {
        self.reach.callers(node).iter().map(|caller| caller.node)
    }

    /// What each caller that is evaluated passes, but for those that only repeat another's call; nothing is known of one that did not settle, and a call which
    /// the evaluation never comes to is never made.
    pub(crate) fn calls_of(&self, node: Node) -> Vec<(Caller, Option<&CallEffect>)> {
        let callers = repeated::first_callers(self.program, self.reach.callers(node));
        callers
            .into_iter()
            .filter_map(|caller| match self.evaluation(caller.node) {
                Some(evaluation) => {
                    let call = evaluation.calls.get(&(caller.at, caller.target))?;
                    Some((*caller, Some(call)))
                }
                None => Some((*caller, None)),
            })
            .collect()
    }

    /// Answers every question, in an order that depends on the questions alone.
    pub(crate) fn trace(&mut self, questions: Vec<Question>) -> Vec<Answer> {
        self.follow(questions, false)
    }

    /// The same, and ways by which the same value comes are told apart.
    pub(crate) fn trace_each_call(&mut self, questions: Vec<Question>) -> Vec<Answer> {
        self.follow(questions, true)
    }

    fn follow(&mut self, questions: Vec<Question>, each_call: bool) -> Vec<Answer> {
        type Asked = (Node, Value, (Node, Address), Vec<(Node, Address)>);
        let mut answers = Vec::new();
        let mut asked: FxHashSet<Asked> = FxHashSet::default();
        let mut pending = questions;
        for _ in 0..LEVELS {
            let mut onward: Vec<(Question, Source)> = Vec::new();
            for question in pending {
                match self.source(&question) {
                    Some(source) => {
                        // Whoever else has its address may call it with anything; those who name it are still asked.
                        if matches!(source, Source::Callers) && self.reach.is_taken(question.node) {
                            answers.push(answer(question.clone()));
                        }
                        onward.push((question, source));
                    }
                    None => answers.push(answer(question)),
                }
            }
            let needed: Vec<Node> = onward
                .iter()
                .flat_map(|(question, source)| self.needed(question, source))
                .collect();
            self.evaluate(&needed);
            pending = onward
                .iter()
                .flat_map(|(question, source)| match source {
                    Source::Callers => self.ask_callers(question),
                    Source::Variable(variable, loaded) => self.ask_writers(question, variable, *loaded),
                })
                .collect();
            pending.retain(|question| {
                let last = question.path.last().copied().unwrap_or((question.node, 0));
                let way = match each_call {
                    true => question.path.clone(),
                    false => Vec::new(),
                };
                asked.insert((question.node, question.value.clone(), last, way))
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

    /// Where the answer to a question is to be looked for; `None` if the value is settled or must stay open.
    fn source(&self, question: &Question) -> Option<Source> {
        let Question { node, value, .. } = question;
        match value {
            Value::Entry(_)
            | Value::Loaded(Loaded {
                pointer: Pointer::Entry(_),
                ..
            }) => {
                let named = !self.reach.callers(*node).is_empty();
                named.then_some(Source::Callers)
            }
            Value::Variable { address, .. } => {
                let (object, _) = self.program.locate(*node);
                let variable = Variable::find(self.program, self.reach, object, *address)?;
                Some(Source::Variable(variable, None))
            }
            Value::Loaded(
                loaded @ Loaded {
                    pointer: Pointer::Variable(address),
                    ..
                },
            ) => {
                let (object, _) = self.program.locate(*node);
                let variable = Variable::find(self.program, self.reach, object, *address)?;
                Some(Source::Variable(variable, Some(*loaded)))
            }
            _ => None,
        }
    }

    /// The functions that must be evaluated before a question can be passed on.
    fn needed(&self, question: &Question, source: &Source) -> Vec<Node> {
        let mut nodes = vec![question.node];
        match source {
            Source::Callers => {
                nodes.extend(self.callers(question.node));
            }
            Source::Variable(variable, _) => {
                nodes.extend(variable.writers.iter().map(|(node, _)| *node));
                nodes.extend(&variable.readers);
            }
        }
        nodes
    }

    fn ask_callers(&self, question: &Question) -> Vec<Question> {
        let calls = self.calls_of(question.node).into_iter();
        calls
            .map(|(caller, call)| {
                let value = match call {
                    Some(call) => self.at_caller(question.node, &question.value, call),
                    None => Value::Any,
                };
                question.becomes(caller.node, value, Some(caller.at))
            })
            .collect()
    }

    /// What is stored in the variable that a question is about, as questions about those who do; `None` if it is about none
    /// that can be followed.
    pub(crate) fn stored(&mut self, question: &Question) -> Option<Vec<Question>> {
        let source = self.source(question)?;
        self.evaluate(&self.needed(question, &source));
        match &source {
            Source::Variable(variable, None) => Some(self.ask_stored(question, variable)),
            _ => None,
        }
    }

    /// What lies behind a variable is what lies behind each pointer that is stored in it.
    fn ask_writers(&self, question: &Question, variable: &Variable, loaded: Option<Loaded>) -> Vec<Question> {
        let Some(loaded) = loaded else {
            return self.ask_stored(question, variable);
        };
        if variable
            .readers
            .iter()
            .any(|reader| self.may_overwrite(*reader, loaded))
        {
            return vec![question.becomes(question.node, Value::Any, None)];
        }
        let writers = variable.writers.iter();
        writers
            .filter_map(|(writer, at)| {
                let value = match self.evaluation(*writer) {
                    Some(evaluation) => match evaluation.stores.get(at)? {
                        // Nothing lies behind a null pointer.
                        stored if stored.constants() == Some(&[0]) => return None,
                        stored => stored.behind(loaded.width).map_or(Value::Any, |behind| {
                            let offset = behind.offset.wrapping_add(loaded.offset);
                            Value::Loaded(Loaded { offset, ..behind })
                        }),
                    },
                    None => Value::Any,
                };
                Some(question.becomes(*writer, value, Some(*at)))
            })
            .collect()
    }

    /// What a variable holds is what the file gives it or what is stored in it.
    fn ask_stored(&self, question: &Question, variable: &Variable) -> Vec<Question> {
        let Value::Variable { add, .. } = question.value else {
            return Vec::new();
        };
        let plus = |value: &Value| value.arithmetic(Arithmetic::Add, &Value::constant(add), Width::Quad);
        let initial = plus(&Value::constant(variable.initial));
        let mut questions = vec![question.becomes(question.node, initial, None)];
        questions.extend(variable.writers.iter().filter_map(|(writer, at)| {
            let value = match self.evaluation(*writer) {
                Some(evaluation) => plus(evaluation.stores.get(at)?),
                None => Value::Any,
            };
            Some(question.becomes(*writer, value, Some(*at)))
        }));
        questions
    }

    /// What a value in terms of `node`'s entry is in terms of the entry of the caller that makes this call.
    pub(crate) fn at_caller(&self, node: Node, value: &Value, call: &CallEffect) -> Value {
        match value {
            Value::Loaded(loaded) if changes::may_change(self.program, node, *loaded, call) => Value::Any,
            Value::Loaded(loaded) => call.behind(*loaded),
            // Four bytes are all that matters of it.
            Value::Entry(entry) if entry.and <= u32::MAX.into() => {
                value.instantiate(|location| call.half(location))
            }
            value => value.instantiate(|location| call.value(location)),
        }
    }

    fn may_overwrite(&self, node: Node, loaded: Loaded) -> bool {
        changes::may_overwrite(self.program, node, loaded)
    }
}

impl Question {
    /// The same question about another function, which leads on by the instruction at `at`.
    fn becomes(&self, node: Node, value: Value, at: Option<Address>) -> Self {
        let step = at.map(|at| (node, at));
        let path = step.into_iter().chain(self.path.iter().copied()).collect();
        Self { node, value, path }
    }
}

impl Tracer<'_, '_> {
    /// The answer's question, asked of those who call the function by name.
    pub(crate) fn ask_callers_by_name(&mut self, answer: &Answer) -> Vec<Question> {
        let callers: Vec<Node> = self.callers(answer.node).collect();
        self.evaluate(&callers);
        self.ask_callers(&Question {
            node: answer.node,
            value: answer.value.clone(),
            path: answer.path.clone(),
        })
    }

    /// The constants that the function's own object passes at calls of computed addresses, where the function
    /// itself looks for `location`: each with its function and instruction. `None` if one of those calls passes
    /// something else.
    pub(crate) fn passed_through_pointers(
        &mut self,
        node: Node,
        location: Location,
    ) -> Option<Vec<(Node, Address, Constants)>> {
        let (object, _) = self.program.locate(node);
        let mut callers = self.callers_of_computed_addresses();
        callers.retain(|caller| self.program.locate(*caller).0 == object);
        self.evaluate(&callers);
        let mut passed = Vec::new();
        for caller in callers {
            for (at, call) in &self.evaluation(caller)?.indirect_calls {
                match call.value(location) {
                    Value::Constants(constants) => passed.push((caller, *at, constants)),
                    _ => return None,
                }
            }
        }
        Some(passed)
    }

    /// The constants in frames of callers behind what is passed at calls of computed addresses, where the function itself
    /// looks: each with its function and instruction. The callers are in the function's object and those that it needs, which
    /// it may have given its address; calls that pass something else call something else.
    pub(crate) fn passed_behind_pointers(
        &mut self,
        node: Node,
        loaded: Loaded,
    ) -> Vec<(Node, Address, Constants)> {
        let (object, _) = self.program.locate(node);
        let needed = &self.program.linked.objects[object].needed;
        let is_told = |other: usize| other == object || needed.contains(&other);
        let mut callers = self.callers_of_computed_addresses();
        callers.retain(|caller| is_told(self.program.locate(*caller).0));
        self.evaluate(&callers);
        let mut passed = Vec::new();
        for caller in callers {
            let calls = self
                .evaluation(caller)
                .into_iter()
                .flat_map(|found| &found.indirect_calls);
            for (at, call) in calls {
                if let Value::Constants(constants) = self.at_caller(node, &Value::Loaded(loaded), call) {
                    passed.push((caller, *at, constants));
                }
            }
        }
        passed
    }

    fn callers_of_computed_addresses(&self) -> Vec<Node> {
        let calls = |caller: &Node| {
            let function = self.program.function(*caller);
            function.calls_indirectly || !function.indirect_jumps.is_empty()
        };
        self.reach.order.iter().copied().filter(calls).collect()
    }
}

/// Where the answer to a question is to be looked for.
enum Source {
    /// At those who call the function.
    Callers,
    /// At those who write the variable that this is behind.
    Variable(Variable, Option<Loaded>),
}

pub(crate) fn answer(question: Question) -> Answer {
    Answer {
        node: question.node,
        value: question.value,
        path: question.path,
    }
}
