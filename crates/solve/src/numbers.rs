//! Which numbers the reached `syscall` instructions are given.
//!
//! A number that the function knows is attributed to it. One that is among what its caller passes is followed
//! to the callers ([`crate::arguments`]); a wrapper needs no list, it is a function whose number is an
//! argument. What stays open is an assumption that opens the whole policy.

use std::collections::{BTreeMap, BTreeSet};

use confine_assumption::{Assumption, Effect, Kind};
use confine_code::{Facts, Loaded, Pointer, Value};
use confine_elf::{Address, SymbolKind};
use confine_kernel::call_named;

use crate::arguments::{Answer, Question, Tracer};
use crate::fallback::{self, Makers};
use crate::program::{Input, Node, Program};
use crate::reach::{Reach, Way};
use crate::values::Given;
use crate::{
    ArgumentEvidence, CodeSize, Evidence, OpenCall, Solution, Statistics, Step, WantedArguments, looked_up,
    names, passed, values,
};

/// How long a chain may grow before it is cut off in the middle; real ones have a few dozen steps.
const LONGEST_CHAIN: usize = 256;

/// Finds the calls of everything that is reached.
pub(crate) fn solve(program: &Program<'_>, reach: &Reach, input: &Input<'_>) -> Solution {
    let mut tracer = Tracer::new(program, reach);
    let sites: Vec<Node> = reach
        .order
        .iter()
        .copied()
        .filter(|node| !program.function(*node).system_calls.is_empty())
        .collect();
    tracer.evaluate(&sites);
    let mut questions = Vec::new();
    let mut answers = Vec::new();
    for node in sites {
        let (object, _) = program.locate(node);
        let made = program.function(node).system_calls.iter();
        for at in made.filter(|at| program.runs(object, **at)) {
            let path = vec![(node, *at)];
            match tracer.evaluation(node) {
                // The instruction is behind a call that does not come back, or a branch that is never taken.
                Some(evaluation) => {
                    if let Some(effect) = evaluation.system_calls.get(at) {
                        questions.push(Question {
                            node,
                            value: effect.number.clone(),
                            path,
                        });
                    }
                }
                None => answers.push(Answer {
                    node,
                    value: Value::Any,
                    path,
                }),
            }
        }
    }
    answers.extend(tracer.trace(questions));
    let mut found = Found::default();
    found.sort(program, reach, &mut tracer, answers);
    let given = (input.arguments != WantedArguments::None)
        .then(|| values::solve(&mut tracer, &found.sites(), input.arguments));
    let mut solution = Solution {
        calls: BTreeMap::new(),
        open: found.open_calls(program, reach),
        assumptions: found.assumptions(program, reach),
        passed: passed::passed(program, reach, input, &mut tracer),
        reached_exports: reached_exports(program, reach),
        code: program.facts.iter().map(|facts| code_size(facts)).collect(),
        statistics: Statistics {
            functions: program.function_count(),
            reached: reach.order.len(),
            evaluated: tracer.evaluated(),
        },
    };
    let chains = Chains {
        program,
        reach,
        depths: depths(program, reach),
    };
    let mut arguments = given.unwrap_or_default();
    let falls_back = found.falls_back(&mut tracer, &solution.reached_exports);
    for (number, answers) in found.by_number {
        let sites: BTreeSet<(Node, Address)> = answers
            .iter()
            .filter_map(|answer| answer.path.first().copied())
            .collect();
        let instructions = answers.iter().filter_map(|answer| answer.path.last());
        let objects = instructions.map(|(node, _)| program.locate(*node).0).collect();
        let shortest = answers
            .iter()
            .min_by_key(|answer| (chains.length(answer), answer.path.clone()));
        let chain = shortest
            .map(|answer| chains.chain(answer.node, &answer.path))
            .unwrap_or_default();
        solution.calls.insert(
            number,
            Evidence {
                objects,
                sites: sites.len(),
                chain,
                arguments: chains.arguments(arguments.remove(&number).unwrap_or_default()),
                falls_back_to: falls_back
                    .filter(|(first, _)| *first == number)
                    .map(|(_, other)| other),
            },
        );
    }
    solution
}

fn code_size(facts: &Facts) -> CodeSize {
    CodeSize {
        bytes: facts.code_bytes,
        functions: facts.functions.len() as u64,
    }
}

/// How often wrappers whose address is taken may call each other.
const WRAPPER_LEVELS: usize = 4;

#[derive(Default)]
struct Found {
    by_number: BTreeMap<u32, Vec<Answer>>,
    open: Vec<Answer>,
    /// Functions that are called through pointers with numbers that were taken from all such calls.
    through_pointers: BTreeSet<Node>,
    /// Functions that pass numbers which their library looks up.
    looked_up: BTreeSet<Node>,
}

impl Found {
    /// Sorts answers into known numbers and open ones; wrappers that are called through pointers are answered
    /// from the calls of computed addresses that their object makes.
    fn sort(
        &mut self,
        program: &Program<'_>,
        reach: &Reach,
        tracer: &mut Tracer<'_, '_>,
        answers: Vec<Answer>,
    ) {
        let mut pending = answers;
        for _ in 0..WRAPPER_LEVELS {
            let mut questions = Vec::new();
            for answer in pending {
                if let Some(numbers) = answer.value.constants() {
                    for number in numbers {
                        let number = values::cut_number(*number);
                        self.by_number.entry(number).or_default().push(answer.clone());
                    }
                } else if let Some(number) = looked_up::number(program, answer.node) {
                    self.looked_up.insert(answer.node);
                    self.by_number.entry(number).or_default().push(answer);
                } else {
                    match through_pointers(program, reach, tracer, &answer) {
                        Some(more) => {
                            self.through_pointers.insert(answer.node);
                            questions.extend(more);
                        }
                        None => self.open.push(answer),
                    }
                }
            }
            pending = tracer.trace(questions);
            if pending.is_empty() {
                return;
            }
        }
        self.open.extend(pending);
    }

    /// The instructions that make calls, with the numbers of those.
    fn sites(&self) -> BTreeMap<(Node, Address), BTreeSet<u32>> {
        let mut sites: BTreeMap<(Node, Address), BTreeSet<u32>> = BTreeMap::new();
        for (number, answers) in &self.by_number {
            for site in answers.iter().filter_map(|answer| answer.path.last()) {
                sites.entry(*site).or_default().insert(*number);
            }
        }
        sites
    }

    /// The call that is followed by another one wherever the kernel does not know it, and that other one.
    fn falls_back(
        &self,
        tracer: &mut Tracer<'_, '_>,
        exports: &BTreeSet<(usize, String)>,
    ) -> Option<(u32, u32)> {
        let (first, other) = fallback::CALLS;
        let (first, other) = (call_named(first)?.number, call_named(other)?.number);
        let makers = |number| {
            let answers = self.by_number.get(&number)?.iter();
            Some(answers.filter_map(|answer| Some(answer.path.last()?.0)).collect())
        };
        let makers = Makers {
            first: makers(first)?,
            other: makers(other)?,
        };
        makers.fall_back(tracer, exports).then_some((first, other))
    }

    fn open_calls(&self, program: &Program<'_>, reach: &Reach) -> Vec<OpenCall> {
        let open = self.open.iter().map(|answer| {
            let (site, at) = answer.path.last().copied().unwrap_or((answer.node, 0));
            let (caller, call) = answer.path.first().copied().unwrap_or((site, at));
            let detail = if (caller, call) != (site, at) {
                let place = names::place(program, caller, call);
                format!("the number of this system call is passed by {place}, where it is not a constant")
            } else if reach.is_taken(answer.node) {
                let place = names::place(program, answer.node, program.function(answer.node).code.start);
                format!("the number of this system call is an argument of {place}, whose address is taken")
            } else {
                "the number of this system call is not a constant".to_owned()
            };
            OpenCall {
                object: program.locate(caller).0,
                assumption: Assumption {
                    kind: Kind::OpenCallNumber,
                    place: names::place(program, site, at),
                    detail,
                    effect: Effect::WidenedToDefault,
                },
            }
        });
        let all: BTreeSet<OpenCall> = open.collect();
        all.into_iter().collect()
    }

    fn assumptions(&self, program: &Program<'_>, reach: &Reach) -> Vec<Assumption> {
        let through_pointers = self.through_pointers.iter().map(|node| Assumption {
            kind: Kind::OpenCallNumber,
            place: names::place(program, *node, program.function(*node).code.start),
            detail: "passes on the number of a system call and is called through pointers: every constant that its \
                     object passes at such calls is taken for a number"
                .to_owned(),
            effect: Effect::WidenedToCandidates,
        });
        let looked_up = self.looked_up.iter().map(|node| Assumption {
            kind: Kind::OpenCallNumber,
            place: names::place(program, *node, program.function(*node).code.start),
            detail: "passes the number of a system call that its library looks up by name, and looks up no other's"
                .to_owned(),
            effect: Effect::WidenedToCandidates,
        });
        let foreign = reach.order.iter().flat_map(|node| {
            program.function(*node).foreign_system_calls.iter().map(|at| Assumption {
                kind: Kind::OpenCallNumber,
                place: names::place(program, *node, *at),
                detail: "enters the kernel as another architecture does (int 0x80 or sysenter), which the policy \
                         refuses"
                    .to_owned(),
                effect: Effect::NotCovered,
            })
        });
        let missing = reach.missing.iter().map(|(object, symbol)| Assumption {
            kind: Kind::MissingSymbol,
            place: program.linked.objects[*object].path.clone(),
            detail: format!("calls {symbol}, which no loaded object defines"),
            effect: Effect::NotCovered,
        });
        let all: BTreeSet<Assumption> = through_pointers
            .chain(looked_up)
            .chain(foreign)
            .chain(missing)
            .collect();
        all.into_iter().collect()
    }
}

/// What a wrapper is given whose address is only stored in its object's data: what its callers by name pass, and
/// every constant at calls of computed addresses: its object's, and those of objects that this one needs, if the number lies
/// behind an argument.
/// `None` if other objects can name it, if code handles its address, or if one of its object's calls passes what is not a
/// constant.
///
/// Assumed of a binary: a table of system call wrappers is called through by the object that holds it; where the number lies
/// behind a pointer, by that and by those which it needs, and the number is a constant in the frame of whoever calls. So glibc
/// up to 2.33 has its library of threads change the user of all threads (`sysdeps/nptl/setxid.h`).
fn through_pointers(
    program: &Program<'_>,
    reach: &Reach,
    tracer: &mut Tracer<'_, '_>,
    answer: &Answer,
) -> Option<Vec<Question>> {
    if names::is_exported(program, answer.node) || !reach.is_only_stored(answer.node) {
        return None;
    }
    let passed = match answer.value {
        Value::Entry(entry) => tracer.passed_through_pointers(answer.node, entry.location)?,
        Value::Loaded(
            loaded @ Loaded {
                pointer: Pointer::Entry(_),
                ..
            },
        ) => tracer.passed_behind_pointers(answer.node, loaded),
        _ => return None,
    };
    let mut questions = tracer.ask_callers_by_name(answer);
    questions.extend(passed.into_iter().map(|(node, at, constants)| {
        let path = std::iter::once((node, at))
            .chain(answer.path.iter().copied())
            .collect();
        let value = match answer.value {
            Value::Entry(_) => answer.value.instantiate(|_| Value::Constants(constants)),
            _ => Value::Constants(constants),
        };
        Question { node, value, path }
    }));
    Some(questions)
}

/// How many steps each reached function is away from a root.
fn depths(program: &Program<'_>, reach: &Reach) -> Vec<usize> {
    let mut depths = vec![0; program.function_count()];
    for node in &reach.order {
        depths[node.index()] = match reach.way(*node) {
            Some(Way::Called { from, .. } | Way::Taken { from, .. }) => depths[from.index()] + 1,
            Some(Way::Stored {
                reached_by: Some((from, _)),
                ..
            }) => depths[from.index()] + 1,
            _ => 0,
        };
    }
    depths
}

struct Chains<'p, 'a> {
    program: &'p Program<'a>,
    reach: &'p Reach,
    depths: Vec<usize>,
}

impl Chains<'_, '_> {
    fn length(&self, answer: &Answer) -> usize {
        self.depths[answer.node.index()] + answer.path.len()
    }

    /// What is known of a call's arguments; one place that may pass anything stands for all.
    fn arguments(&self, mut given: BTreeMap<values::Arguments, Given>) -> Vec<ArgumentEvidence> {
        let anything = values::Arguments::default();
        if given.contains_key(&anything) {
            given.retain(|values, _| *values == anything);
        }
        let evidence = given.into_iter().map(|(values, given)| ArgumentEvidence {
            values,
            chain: self.chain(given.node, &given.path),
        });
        evidence.collect()
    }

    /// From a root to the function that knows what is wanted, then down to the instruction.
    fn chain(&self, mut node: Node, path: &[(Node, Address)]) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut leads_on = path.first().map_or(0, |(_, at)| *at);
        while steps.len() < LONGEST_CHAIN {
            let way = self.reach.way(node);
            steps.push(self.step(
                node,
                leads_on,
                way.map_or_else(String::new, |way| self.words(way)),
            ));
            match way {
                Some(Way::Called { from, at } | Way::Taken { from, at }) => (node, leads_on) = (*from, *at),
                Some(Way::Stored {
                    reached_by: Some((from, at)),
                    ..
                }) => (node, leads_on) = (*from, *at),
                _ => break,
            }
        }
        steps.reverse();
        for (node, at) in path.iter().skip(1) {
            steps.push(self.step(*node, *at, "called with the values".to_owned()));
        }
        steps
    }

    fn step(&self, node: Node, address: Address, how: String) -> Step {
        let (object, _) = self.program.locate(node);
        Step {
            object,
            function: names::function_name(self.program, node),
            address,
            how,
        }
    }

    fn words(&self, way: &Way) -> String {
        match way {
            Way::Root(reason) => reason.clone(),
            Way::Called { .. } => "called".to_owned(),
            Way::Taken { .. } => "its address is taken".to_owned(),
            Way::Stored {
                cell: (object, address),
                ..
            } => {
                let path = &self.program.linked.objects[*object].path;
                format!("its address is stored at {path}:{address:#x}")
            }
        }
    }
}

fn reached_exports(program: &Program<'_>, reach: &Reach) -> BTreeSet<(usize, String)> {
    let mut reached = BTreeSet::new();
    for object in 0..program.linked.objects.len() {
        let exported = program
            .elf(object)
            .dynamic_symbols
            .iter()
            .filter(|symbol| symbol.defined && !symbol.hidden);
        for symbol in
            exported.filter(|symbol| matches!(symbol.kind, SymbolKind::Function | SymbolKind::Indirect))
        {
            let node = program.node_at(object, symbol.address);
            if node.is_some_and(|node| reach.is_reached(node)) {
                reached.insert((object, symbol.name.clone()));
            }
        }
    }
    reached
}
