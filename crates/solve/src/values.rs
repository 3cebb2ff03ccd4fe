//! Which values the arguments of a system call have that say what it does: requests, commands, flags.
//!
//! Abstraction: at each reached `syscall`, the number and all its arguments are one tuple, in terms of what the
//! function finds at entry. The tuple goes to the callers as a whole, so that `setsockopt`'s level stays with its
//! option and a number with what is passed beside it, until nothing that matters depends on a caller. An argument
//! is anything where the function's address is taken, where it comes from memory, and past a bound on the tuples
//! of one place. Over-reports: arguments that only meet in the analysis. Misses: nothing that
//! [`confine_code::evaluate`] does not miss; a number that is found otherwise than from callers by name (a table of
//! wrappers, a variable) has any arguments.

use std::collections::{BTreeMap, BTreeSet};

use confine_code::Value;
use confine_elf::Address;
use confine_kernel::{ArgumentKind, arguments};
use rayon::prelude::*;
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

use crate::arguments::{LEVELS, Tracer};
use crate::program::Node;
use crate::tuple::{Passed, Passing, Tuple};

/// How many tuples are followed from one instruction before its arguments count as open.
const TUPLES: usize = 4096;

/// What one argument can be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum Values {
    /// Anything, or not worth a restriction.
    #[default]
    Any,
    /// One of these. They are cut to the width that the kernel reads.
    Numbers(BTreeSet<u64>),
    /// Whatever has these bits.
    Bits {
        /// The bits that are known; never none.
        known: u64,
        /// Those of them that are set.
        set: u64,
    },
}

/// Which arguments are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WantedArguments {
    /// None.
    None,
    /// Those that say what a call does: requests, commands, flags.
    #[default]
    Telling,
    /// All but addresses: descriptors, sizes and the like, too, where they are constant.
    Comparable,
}

/// The six arguments of a call at some places.
pub type Arguments = [Values; 6];

/// The arguments of each call, with a shortest way to where they are given.
pub(crate) type Found = BTreeMap<u32, BTreeMap<Arguments, Given>>;

/// Where arguments are given: the function that knows them, and the way down to the instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) node: Node,
    pub(crate) path: Vec<(Node, Address)>,
}

impl Values {
    /// What a value lets an argument be of which the kernel reads the bits of `mask`.
    fn of(value: &Value, mask: u64) -> Self {
        let (known, set) = match value {
            Value::Constants(numbers) => {
                return Self::Numbers(numbers.as_slice().iter().map(|number| number & mask).collect());
            }
            Value::UpTo(most) => (!(u64::MAX.checked_shr(most.leading_zeros()).unwrap_or(0)), 0),
            Value::Entry(entry) => match entry.bounded() {
                Some(few) => return Self::of(&Value::Constants(few), mask),
                None => (!entry.and, entry.or),
            },
            _ => return Self::Any,
        };
        match known & mask {
            // That an int was widened to 64 bits is not worth a condition.
            known if known & u64::from(u32::MAX) == 0 => Self::Any,
            known => Self::Bits {
                known,
                set: set & known,
            },
        }
    }
}

/// Finds the arguments of the calls that were found: `sites` are the instructions with the numbers that reach each.
///
/// A call that is not in the result, and one whose number at some instruction is open, has any arguments.
pub(crate) fn solve(
    tracer: &mut Tracer<'_, '_>,
    sites: &BTreeMap<(Node, Address), BTreeSet<u32>>,
    choice: WantedArguments,
) -> Found {
    let mut followed: BTreeMap<(Node, Address), Followed> = BTreeMap::new();
    let mut pending = Vec::new();
    for ((node, at), numbers) in sites {
        let restrictable = numbers.iter().any(|number| choice.of(*number) != 0);
        let effect = tracer
            .evaluation(*node)
            .and_then(|evaluation| evaluation.system_calls.get(at));
        if let (true, Some(effect)) = (restrictable, effect) {
            pending.push(Tuple::at_kernel(*node, *at, effect));
            followed.insert((*node, *at), Followed::default());
        }
    }
    for _ in 0..LEVELS {
        let mut onward = Vec::new();
        let mut stored = Vec::new();
        for mut tuple in pending {
            let Some(site) = tuple.path.last().and_then(|site| followed.get_mut(site)) else {
                continue;
            };
            tuple.passed.simplify(choice);
            let lost = tuple.is_lost(tracer, choice);
            let key = (
                tuple.node,
                tuple.passed.clone(),
                lost.then(|| tuple.passing.clone()),
            );
            if site.open || !site.asked.insert(key) {
                continue;
            }
            site.open |= site.asked.len() > TUPLES;
            if let Some(written) = tuple.at_writers(tracer) {
                stored.extend(written);
                continue;
            }
            // What anybody may pass includes what those pass who are known.
            if !(lost || tuple.passed.depends_on_callers()) || tracer.anybody_may_call(tuple.node) {
                for tuple in tuple.at_root(tracer) {
                    site.settle(tuple);
                }
            } else {
                onward.push((tuple, lost));
            }
        }
        onward.retain(|(tuple, _)| {
            let site = tuple.path.last().and_then(|site| followed.get(site));
            site.is_some_and(|site| !site.open)
        });
        let needed: BTreeSet<Node> = onward
            .iter()
            .flat_map(|(tuple, _)| tracer.callers(tuple.node))
            .collect();
        tracer.evaluate(&needed.into_iter().collect::<Vec<_>>());
        let tracer = &*tracer;
        pending = onward
            .par_iter()
            .flat_map_iter(|(tuple, lost)| tuple.at_callers(tracer, *lost, choice))
            .collect();
        pending.extend(stored);
        if pending.is_empty() {
            break;
        }
    }
    for site in pending.iter().filter_map(|tuple| tuple.path.last()) {
        if let Some(site) = followed.get_mut(site) {
            site.open = true;
        }
    }
    collect(sites, &followed, choice)
}

/// What is known of the tuples of one instruction.
#[derive(Default)]
struct Followed {
    asked: FxHashSet<(Node, Passed, Option<Passing>)>,
    settled: Vec<Tuple>,
    /// Its number stayed open for some caller, or there were too many tuples.
    open: bool,
}

impl Followed {
    fn settle(&mut self, tuple: Tuple) {
        self.open |= tuple.passed.number.constants().is_none();
        self.settled.push(tuple);
    }
}

fn collect(
    sites: &BTreeMap<(Node, Address), BTreeSet<u32>>,
    followed: &BTreeMap<(Node, Address), Followed>,
    choice: WantedArguments,
) -> Found {
    let mut found = Found::new();
    for (site, numbers) in sites {
        let known = followed.get(site).filter(|followed| !followed.open);
        for number in numbers {
            let arguments = found.entry(*number).or_default();
            match known {
                _ if choice.of(*number) == 0 => {}
                Some(followed) => {
                    let of_it = followed.settled.iter();
                    for tuple in of_it.filter(|tuple| tuple.passed.makes(*number)) {
                        let values = values(&tuple.passed, *number, choice);
                        note(arguments, values, Given::from(tuple));
                    }
                }
                None => note(
                    arguments,
                    Arguments::default(),
                    Given {
                        node: site.0,
                        path: vec![*site],
                    },
                ),
            }
        }
    }
    found
}

/// Keeps the shortest way to each.
fn note(known: &mut BTreeMap<Arguments, Given>, arguments: Arguments, given: Given) {
    let order = |given: &Given| (given.path.len(), given.path.clone());
    match known.get_mut(&arguments) {
        Some(shortest) if order(shortest) <= order(&given) => {}
        Some(shortest) => *shortest = given,
        None => {
            known.insert(arguments, given);
        }
    }
}

/// What a tuple lets the arguments of a call be.
fn values(passed: &Passed, number: u32, choice: WantedArguments) -> Arguments {
    let mut values = Arguments::default();
    let facts = arguments(number).iter().zip(&passed.arguments).zip(&mut values);
    for ((fact, value), place) in facts.filter(|((fact, _), _)| choice.takes(fact.kind)) {
        *place = Values::of(value, fact.mask());
    }
    values
}

impl WantedArguments {
    /// Those of a call, as bits.
    pub(crate) fn of(self, number: u32) -> u8 {
        arguments(number)
            .iter()
            .enumerate()
            .filter(|(_, argument)| self.takes(argument.kind))
            .fold(0, |bits, (index, _)| bits | 1 << index)
    }

    fn takes(self, kind: ArgumentKind) -> bool {
        match self {
            Self::None => false,
            Self::Telling => kind.is_restrictable(),
            Self::Comparable => kind.is_comparable(),
        }
    }
}

impl From<&Tuple> for Given {
    fn from(tuple: &Tuple) -> Self {
        Self {
            node: tuple.node,
            path: tuple.path.clone(),
        }
    }
}

/// The kernel looks at the low 32 bits of a number (arch/x86/entry/common.c, do_syscall_64).
pub(crate) fn cut_number(number: u64) -> u32 {
    u32::try_from(number & 0xffff_ffff).unwrap_or(u32::MAX)
}
