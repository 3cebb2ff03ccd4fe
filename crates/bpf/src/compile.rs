//! From a policy to filters.
//!
//! The architecture is looked at first, then the number, by a tree that finds frequent calls in a few tests. Numbers of
//! x32 are above all that a policy can allow, so that the tree refuses them without a test of their own. A call without
//! conditions is answered without looking at arguments, which lets the kernel keep the answer in its bitmap. What does
//! not fit into one filter is divided: each filter decides about some of the calls that have conditions and allows the
//! others, and only the first one denies what the policy does not name. The kernel runs all of them and takes the most
//! restrictive answer.

use std::collections::{BTreeMap, BTreeSet};

use confine_policy::{Architecture, Policy, Rule};

use crate::check::Invalid;
use crate::data::{ARCHITECTURE, AUDIT_ARCH_X86_64, NUMBER, X32};
use crate::expected::Expected;
use crate::graph::{Content, Graph, NodeId};
use crate::tree::Case;
use crate::{Action, Filter, Instruction, MAXIMUM_INSTRUCTIONS, Weights, emit, rule, split, tree};

/// How many instructions all filters of a process may have, each counted with four more (MAX_INSNS_PER_PATH,
/// kernel/seccomp.c).
const MAXIMUM_TOTAL: usize = 32768;
const FILTER_OVERHEAD: usize = 4;

/// How a policy is compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// What becomes of calls that the policy does not allow, of those of other architectures and of x32.
    pub denied: Action,
    /// How often calls are made.
    pub weights: Weights,
    /// How many instructions a filter may have; the kernel takes no more than [`MAXIMUM_INSTRUCTIONS`].
    pub limit: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            denied: Action::NO_SUCH_CALL,
            weights: Weights::typical(),
            limit: MAXIMUM_INSTRUCTIONS,
        }
    }
}

/// Why a policy cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The policy allows a number that no call of x86-64 can have.
    #[error("expected numbers of x86-64 calls, below {X32:#x}, found {0:#x}")]
    Number(u32),
    /// Denied calls would be allowed.
    #[error("expected an action that does not let denied calls through, found {0}")]
    Lenient(Action),
    /// The numbers alone take more than one filter can hold.
    #[error("the calls without conditions take {0} instructions, more than one filter may have")]
    Calls(usize),
    /// A call has more conditions than one filter can hold, and no bit divides them.
    #[error(
        "the conditions of system call {number} take {instructions} instructions, more than one filter may have, and cannot be divided"
    )]
    Conditions {
        /// The call.
        number: u32,
        /// How many instructions a filter for it alone has.
        instructions: usize,
    },
    /// The kernel does not take as much from one process.
    #[error("expected filters of at most {MAXIMUM_TOTAL} instructions together, found more")]
    Total,
    /// The compiler made something that the kernel does not accept.
    #[error("the compiled filter is not valid: {0}")]
    Invalid(#[from] Invalid),
}

/// The filters that together do what the policy says; one where that is possible.
///
/// # Errors
/// When the policy names what is no call of x86-64, or is too large for the kernel, or denied calls would be allowed.
pub fn compile(policy: &Policy, options: &Options) -> Result<Vec<Filter>, Error> {
    if options.denied == Action::Allow {
        return Err(Error::Lenient(options.denied));
    }
    let calls = policy.calls(Architecture::X86_64);
    let calls: BTreeMap<u32, Rule> = calls.map(|(number, rule)| (number, rule.clone())).collect();
    if let Some(number) = calls.keys().find(|number| **number >= X32) {
        return Err(Error::Number(*number));
    }
    let expected = Expected::of(&options.weights, &calls);
    let all = Share {
        calls,
        others: Others::Denied,
    };
    let mut open = vec![all];
    let mut filters = Vec::new();
    let mut total = 0;
    // Each turn makes a filter of a share or two smaller shares of it.
    while let Some(share) = open.pop() {
        let instructions = share.compile(options.denied, &expected);
        if instructions.len() <= options.limit {
            total += instructions.len() + FILTER_OVERHEAD;
            filters.push(Filter::new(instructions)?);
            if total > MAXIMUM_TOTAL {
                return Err(Error::Total);
            }
        } else {
            let [first, second] = share.halves(instructions.len())?;
            open.push(second);
            open.push(first);
        }
    }
    Ok(filters)
}

/// What one filter decides.
struct Share {
    calls: BTreeMap<u32, Rule>,
    others: Others,
}

/// What a filter answers about calls that it does not decide.
#[derive(Clone, Copy)]
enum Others {
    Denied,
    Allowed,
}

impl Share {
    fn compile(&self, denied: Action, expected: &Expected) -> Vec<Instruction> {
        let mut graph = Graph::default();
        let denied = graph.answer(denied.word());
        let allowed = graph.answer(Action::Allow.word());
        let others = match self.others {
            Others::Denied => denied,
            Others::Allowed => allowed,
        };
        let mut targets: BTreeMap<u32, NodeId> = BTreeMap::new();
        for (number, rule) in &self.calls {
            let target = rule::decide(&mut graph, rule, expected.seen(*number), allowed, denied);
            targets.insert(*number, target);
        }
        let cases = cases(&targets, others, expected);
        let by_number = tree::choose(&mut graph, Content::word(NUMBER), &cases);
        let root = graph.equal(Content::word(ARCHITECTURE), AUDIT_ARCH_X86_64, by_number, denied);
        emit::emit(&graph, root)
    }

    /// Two shares that together decide the same: half of the calls with conditions each, or both halves of the only one.
    fn halves(self, instructions: usize) -> Result<[Self; 2], Error> {
        let conditional: Vec<(u32, usize)> = self
            .calls
            .iter()
            .filter(|(_, rule)| !rule.is_any())
            .map(|(number, rule)| (*number, rule.alternatives().count()))
            .collect();
        let total: usize = conditional.iter().map(|(_, count)| count).sum();
        if conditional.is_empty() {
            return Err(Error::Calls(instructions));
        }
        let (mut first, mut second) = (self.calls, BTreeMap::new());
        if let &[(number, _)] = conditional.as_slice() {
            let rule = first.get(&number).cloned().unwrap_or_default();
            let [one, other] = split::split(&rule).ok_or(Error::Conditions { number, instructions })?;
            first.insert(number, one);
            second.insert(number, other);
        } else {
            let mut moved = 0;
            for (number, count) in conditional.iter().rev() {
                // At least one goes, and never all: there are two, of which the last is at most half of it or alone.
                if moved > 0 && moved + count > total / 2 {
                    break;
                }
                moved += count;
                if let Some(rule) = first.insert(*number, Rule::any()) {
                    second.insert(*number, rule);
                }
            }
        }
        let second = Self {
            calls: second,
            others: Others::Allowed,
        };
        let first = Self {
            calls: first,
            others: self.others,
        };
        Ok([first, second])
    }
}

/// Every number with where it leads.
fn cases(targets: &BTreeMap<u32, NodeId>, others: NodeId, expected: &Expected) -> Vec<Case> {
    let named = confine_kernel::calls().iter().map(|call| call.number);
    let numbers: BTreeSet<u32> = named.chain(targets.keys().copied()).collect();
    let singles = numbers.into_iter().map(|number| {
        let target = targets.get(&number).copied().unwrap_or(others);
        (number, target, expected.weight(number))
    });
    tree::covering(singles, u32::MAX, others)
}
