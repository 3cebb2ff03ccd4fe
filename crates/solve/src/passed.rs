//! Strings that reach functions which decide what is loaded and executed.
//!
//! A string argument is followed like every other value ([`crate::arguments`]). A list of arguments that ends in a
//! null pointer, as an array or as variable arguments, is followed word by word from the call on; words of one list
//! belong together where the ways to them do: one way is the other's end. Over-approximates: words that were passed
//! on different ways of one length may be put together. What is not a constant string stays open.

use std::collections::{BTreeMap, BTreeSet};

use confine_code::{CallEffect, Constants, Entry, Loaded, Location, Pointer, Value, only_jumps};
use confine_elf::{Address, RelocationValue, SymbolKind};
use confine_isa::{Register, Width};
use serde::{Deserialize, Serialize};

use crate::arguments::{Answer, Question, Tracer, answer};
use crate::names;
use crate::program::{Input, Node, Program};
use crate::reach::Reach;

/// How many words of a list are followed; where its end is not among them, it is not known.
const WORDS: usize = 8;

/// How many lists one way may have before words with alternatives become open.
const LISTS: usize = 8;

/// How many stubs may lead to each other: the linker's, and one of the C library's own.
const STUBS: usize = 3;

/// Bytes of a pointer.
const POINTER: u64 = 8;

/// A function whose string argument is wanted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interface {
    /// Its exported name, e.g. `dlopen`.
    pub name: String,
    /// Which argument, from 0, as the System V psABI passes it.
    pub argument: usize,
    /// The list of strings that is wanted, too, if any.
    pub list: Option<List>,
    /// Whether a null pointer means what an empty string does; else nothing is told of one.
    pub null_is_empty: bool,
}

/// How a function is given a list of strings that a null pointer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum List {
    /// This argument points to an array of them.
    Array(usize),
    /// They are the arguments from this one on.
    Rest(usize),
}

/// What reaches an interface at one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Passed {
    /// The interface's exported name.
    pub interface: String,
    /// The object whose code passes it.
    pub object: usize,
    /// The place of the call, for people.
    pub place: String,
    /// The string; `None` if it is not a constant.
    pub string: Option<String>,
    /// The words of its list as far as they are known, an open one being `None`.
    pub list: Vec<Option<String>>,
    /// The list ends with these words.
    pub whole: bool,
    /// The one who passes the string calls the interface with nothing between, and does not use what that returns.
    pub dropped: bool,
    /// The interface's address is taken: it may be called from anywhere, with anything.
    pub taken: bool,
    /// Where the string is not a constant: the exported names of the function that knows no more of it, whose callers in
    /// other objects may give it. Empty for a function that only its own object can name.
    pub givers: Vec<String>,
}

/// The strings that reach the interfaces which were asked about.
pub(crate) fn passed(
    program: &Program<'_>,
    reach: &Reach,
    input: &Input<'_>,
    tracer: &mut Tracer<'_, '_>,
) -> Vec<Passed> {
    let definitions = definitions(program, input.interfaces);
    let mut all = BTreeSet::new();
    for interface in input.interfaces {
        let Some(register) = argument_register(interface.argument) else {
            continue;
        };
        let value = Value::Entry(Entry::unchanged(Location::Register(register)));
        let reached: Vec<Node> = definitions
            .get(interface.name.as_str())
            .into_iter()
            .flatten()
            .copied()
            .filter(|node| reach.is_reached(*node))
            .collect();
        let mut questions = Vec::new();
        for &node in &reached {
            let question = Question {
                node,
                value: value.clone(),
                path: Vec::new(),
            };
            if reach.is_taken(node) {
                let open = Words::default();
                all.extend(strings(
                    program,
                    interface,
                    &answer(question.clone()),
                    &open,
                    true,
                ));
                questions.extend(tracer.ask_callers_by_name(&answer(question)));
            } else {
                questions.push(question);
            }
        }
        let answers = match interface.list {
            Some(_) => tracer.trace_each_call(questions),
            None => tracer.trace(questions),
        };
        let words = match interface.list {
            Some(list) if !answers.is_empty() => Words::trace(program, tracer, &reached, list),
            _ => Words::default(),
        };
        for answer in answers {
            all.extend(strings(program, interface, &answer, &words, false));
        }
    }
    all.into_iter().collect()
}

fn strings(
    program: &Program<'_>,
    interface: &Interface,
    answer: &Answer,
    words: &Words,
    taken: bool,
) -> Vec<Passed> {
    let (object, _) = program.locate(answer.node);
    let at = answer
        .path
        .first()
        .map_or(program.function(answer.node).code.start, |(_, at)| *at);
    let place = names::place(program, answer.node, at);
    let dropped = drops_result(program, &answer.path);
    let lists = words.lists(&answer.path);
    let strings: Vec<Option<String>> = match &answer.value {
        Value::Constants(constants) | Value::Addresses(constants) => {
            let pointers = constants.as_slice().iter();
            pointers
                .filter(|pointer| **pointer != 0 || interface.null_is_empty)
                .map(|pointer| match *pointer {
                    0 => Some(String::new()),
                    pointer => names::string_at(program.elf(object), pointer),
                })
                .collect()
        }
        _ => vec![None],
    };
    let givers = match strings.contains(&None) {
        true => names::exported(program, answer.node),
        false => Vec::new(),
    };
    strings
        .into_iter()
        .flat_map(|string| {
            lists
                .iter()
                .map(move |(list, whole)| (string.clone(), list.clone(), *whole))
        })
        .map(|(string, list, whole)| Passed {
            interface: interface.name.clone(),
            object,
            place: place.clone(),
            givers: if string.is_none() {
                givers.clone()
            } else {
                Vec::new()
            },
            string,
            list,
            whole,
            dropped,
            taken,
        })
        .collect()
}

/// Whether what the last function of a way returns goes to the first one, which does not use it.
fn drops_result(program: &Program<'_>, way: &Way) -> bool {
    let elf = |node: Node| program.elf(program.locate(node).0);
    let Some(((caller, call), stubs)) = way.split_first() else {
        return false;
    };
    let mut stubs = stubs.iter();
    confine_code::drops_result(elf(*caller), *call) && stubs.all(|(stub, at)| only_jumps(elf(*stub), *at))
}

/// A word of a list: a string, its end, or anything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Word {
    Known(String),
    End,
    Open,
}

/// The way to a call, from the function that knows a value.
type Way = Vec<(Node, Address)>;

/// The words at one position, with the ways on which each is passed, by the call that these end at.
type Position = BTreeMap<(Node, Address), Vec<(Way, Word)>>;

/// The words of all lists that an interface is given, by position.
#[derive(Debug, Default)]
struct Words(Vec<Position>);

impl Words {
    fn trace(program: &Program<'_>, tracer: &mut Tracer<'_, '_>, nodes: &[Node], list: List) -> Self {
        let mut sites = Vec::new();
        for &node in nodes {
            sites_of(program, tracer, (node, &[]), list, &mut sites);
        }
        let mut words = Vec::new();
        for index in 0..WORDS {
            let questions = sites.iter().filter_map(|site| {
                Some(Question {
                    node: site.node,
                    value: site.words.get(index)?.clone(),
                    path: site.path.clone(),
                })
            });
            let answers = tracer.trace_each_call(questions.collect());
            let mut position = Position::new();
            for (way, word) in answers.iter().flat_map(|answer| read(program, answer)) {
                // Every way begins with a step at a site.
                if let Some(last) = way.last() {
                    position.entry(*last).or_default().push((way, word));
                }
            }
            words.push(position);
        }
        Self(words)
    }

    /// The lists that belong to one way.
    fn lists(&self, way: &Way) -> BTreeSet<(Vec<Option<String>>, bool)> {
        let mut open: Vec<Vec<Option<String>>> = vec![Vec::new()];
        let mut done: BTreeSet<(Vec<Option<String>>, bool)> = BTreeSet::new();
        for position in &self.0 {
            if open.is_empty() {
                break;
            }
            let ways: Vec<&(Way, Word)> = match way.last() {
                Some(last) => position.get(last).into_iter().flatten().collect(),
                None => position.values().flatten().collect(),
            };
            let words: BTreeSet<&Word> = ways
                .into_iter()
                .filter(|(other, _)| way.ends_with(other) || other.ends_with(way))
                .map(|(_, word)| word)
                .collect();
            if words.contains(&Word::End) {
                done.extend(open.iter().map(|list| (list.clone(), true)));
            }
            let mut next: Vec<Option<String>> = words
                .iter()
                .filter_map(|word| match word {
                    Word::Known(text) => Some(Some(text.clone())),
                    Word::End => None,
                    Word::Open => Some(None),
                })
                .collect();
            if words.is_empty() {
                next.push(None);
            }
            if open.len().saturating_mul(next.len()) > LISTS {
                next = vec![None];
            }
            open = open
                .iter()
                .flat_map(|list| {
                    next.iter()
                        .map(|word| list.iter().cloned().chain([word.clone()]).collect())
                })
                .collect();
        }
        done.extend(open.into_iter().map(|mut list: Vec<Option<String>>| {
            // What follows is open as well, so that open words at the end tell nothing.
            while list.last() == Some(&None) {
                list.pop();
            }
            (list, false)
        }));
        done
    }
}

/// A call that passes a list.
struct Site {
    /// The function that makes it.
    node: Node,
    /// The way from there to the interface.
    path: Way,
    /// The words, in terms of the function's entry, up to the end of the list where that is known.
    words: Vec<Value>,
}

/// The calls of `node`, which leads on by `way`. Behind a function that does nothing but jump there, such as a stub of the
/// linker's, the calls of that.
fn sites_of(
    program: &Program<'_>,
    tracer: &mut Tracer<'_, '_>,
    (node, way): (Node, &[(Node, Address)]),
    list: List,
    sites: &mut Vec<Site>,
) {
    let callers: Vec<Node> = tracer.callers(node).collect();
    tracer.evaluate(&callers);
    let mut stubs = Vec::new();
    for (caller, call) in tracer.calls_of(node) {
        let path: Way = [&[(caller.node, caller.at)], way].concat();
        let hands_on = match (list, call) {
            (List::Array(argument), Some(call)) => argument_register(argument)
                .map(Location::Register)
                .is_some_and(|location| call.value(location) == Value::Entry(Entry::unchanged(location))),
            _ => false,
        };
        let only_jumps = tracer.evaluation(caller.node).is_some_and(|evaluation| {
            hands_on
                && evaluation.calls.len() == 1
                && evaluation.stores_behind.is_empty()
                && evaluation.stores_near.is_empty()
                && evaluation.indirect_calls.is_empty()
                && evaluation.system_calls.is_empty()
        });
        if only_jumps && way.len() < STUBS && !tracer.anybody_may_call(caller.node) {
            stubs.push((caller.node, path));
            continue;
        }
        let words = (0..WORDS)
            .map(|index| call.map_or(Value::Any, |call| word(program, caller.node, call, list, index)));
        let words: Vec<Value> = words.collect();
        let end = words.iter().position(|word| word.constants() == Some(&[0]));
        sites.push(Site {
            node: caller.node,
            path,
            words: words.into_iter().take(end.map_or(WORDS, |end| end + 1)).collect(),
        });
    }
    for (stub, path) in stubs {
        sites_of(program, tracer, (stub, &path), list, sites);
    }
}

/// A word of the list that a call passes, in terms of the caller's entry.
fn word(program: &Program<'_>, caller: Node, call: &CallEffect, list: List, index: usize) -> Value {
    match list {
        List::Rest(first) => location(first + index).map_or(Value::Any, |place| call.value(place)),
        List::Array(argument) => {
            let Some(location) = location(argument) else {
                return Value::Any;
            };
            let offset = POINTER * index as u64;
            match call.value(location) {
                Value::Addresses(constants) | Value::Constants(constants) => match constants.only() {
                    Some(array) => constant_pointer(program, caller, array.wrapping_add(offset)),
                    None => Value::Any,
                },
                // Whoever knows the caller's stack may have changed the array.
                Value::Frame(_) if call.gave_stack_away() => Value::Any,
                _ => call.behind(Loaded {
                    pointer: Pointer::Entry(location),
                    offset,
                    width: Width::Quad,
                }),
            }
        }
    }
}

/// A pointer in data of the function's object that never changes.
fn constant_pointer(program: &Program<'_>, node: Node, address: Address) -> Value {
    let elf = program.elf(program.locate(node).0);
    // What a static program's start-up code changes there are its C library's own variables, no lists of arguments.
    if !elf.never_changes(address, POINTER) && !elf.is_protected_later(address, POINTER) {
        return Value::Any;
    }
    match elf.relocation_over(address, POINTER) {
        Some(relocation) if relocation.at == address => match relocation.value {
            RelocationValue::Address(target) => Value::Addresses(Constants::one(target)),
            _ => Value::Any,
        },
        Some(_) => Value::Any,
        None => elf.word_at(address).map_or(Value::Any, Value::constant),
    }
}

fn read(program: &Program<'_>, answer: &Answer) -> Vec<(Way, Word)> {
    let words = match &answer.value {
        Value::Constants(constants) | Value::Addresses(constants) => {
            let elf = program.elf(program.locate(answer.node).0);
            let pointers = constants.as_slice().iter();
            pointers
                .map(|pointer| match pointer {
                    0 => Word::End,
                    pointer => names::string_at(elf, *pointer).map_or(Word::Open, Word::Known),
                })
                .collect()
        }
        _ => vec![Word::Open],
    };
    words
        .into_iter()
        .map(|word| (answer.path.clone(), word))
        .collect()
}

/// The functions that objects define under the names that are asked about, whatever their versions.
fn definitions<'i>(program: &Program<'_>, interfaces: &'i [Interface]) -> BTreeMap<&'i str, BTreeSet<Node>> {
    let mut definitions: BTreeMap<&str, BTreeSet<Node>> = interfaces
        .iter()
        .map(|interface| (interface.name.as_str(), BTreeSet::new()))
        .collect();
    for object in 0..program.linked.objects.len() {
        let elf = program.elf(object);
        let symbols = elf.dynamic_symbols.iter().chain(&elf.symbols);
        for symbol in symbols.filter(|symbol| symbol.defined && symbol.kind == SymbolKind::Function) {
            if let Some(nodes) = definitions.get_mut(symbol.name.as_str()) {
                nodes.extend(program.node_at(object, symbol.address));
            }
        }
    }
    definitions
}

/// The registers that pass the first arguments (System V psABI, x86-64).
pub(crate) const REGISTERS: [Register; 6] = [
    Register::RDI,
    Register::RSI,
    Register::RDX,
    Register::RCX,
    Register::R8,
    Register::R9,
];

/// Where an argument is passed.
fn location(argument: usize) -> Option<Location> {
    match argument_register(argument) {
        Some(register) => Some(Location::Register(register)),
        None => {
            let beyond = u16::try_from(argument.checked_sub(REGISTERS.len())?).ok()?;
            Some(Location::Stack(8 + 8 * beyond))
        }
    }
}

fn argument_register(argument: usize) -> Option<Register> {
    REGISTERS.get(argument).copied()
}
