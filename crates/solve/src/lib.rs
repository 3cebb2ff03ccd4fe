//! One program: which system calls its reachable code can make, and why.
//!
//! In: the program's objects as the loader binds them ([`confine_link::Linked`]) and each object's facts
//! ([`confine_code::Facts`]). Out: a [`Solution`]: calls with the shortest way to each, what is loaded or
//! executed by constant names, and what stayed open. Does not read files and does not fail. Must not know:
//! images, scripts, policies.
//!
//! First reachability ([`reach`]): from what the loader calls, along calls, jumps and addresses that reached
//! code or reached data holds. Then values ([`numbers`]): a `syscall` whose number the function itself does
//! not know is followed to the callers that do.
#![forbid(unsafe_code)]

mod arguments;
mod changes;
mod fallback;
mod guards;
mod looked_up;
mod names;
mod numbers;
mod passed;
mod program;
mod reach;
mod repeated;
mod tuple;
mod values;
mod variable;

pub use passed::{Interface, List, Passed};
pub use program::{AddressTaken, GivenArguments, Input, LateRoot};
pub use values::{Arguments, Values, WantedArguments};

use std::collections::{BTreeMap, BTreeSet};

use confine_assumption::Assumption;
use confine_elf::Address;
use serde::{Deserialize, Serialize};

/// What was found about one program.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Solution {
    /// By call number.
    pub calls: BTreeMap<u32, Evidence>,
    /// What else could not be resolved.
    pub assumptions: Vec<Assumption>,
    /// Calls whose number stayed open: any call may be made.
    pub open: Vec<OpenCall>,
    /// Strings that reach the interfaces that were asked about.
    pub passed: Vec<Passed>,
    /// Names of exported functions that are reached, per object: what later loading depends on.
    pub reached_exports: BTreeSet<(usize, String)>,
    /// How much code each object has, in the order of the program's objects.
    pub code: Vec<CodeSize>,
    /// How much there was to do.
    pub statistics: Statistics,
}

/// How much code an object has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeSize {
    /// Bytes that were decoded.
    pub bytes: u64,
    /// Functions that they are.
    pub functions: u64,
}

/// A system call whose number is not known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OpenCall {
    /// The object whose code gives the number, as an index into the program's objects.
    pub object: usize,
    /// The same for a person: it widens to whatever the engine allows.
    pub assumption: Assumption,
}

/// Where a call is made, and how control gets there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// In how many places its number is decided.
    pub sites: usize,
    /// The objects whose own `syscall` instructions make it.
    pub objects: BTreeSet<usize>,
    /// From a root to the instruction, one step a function.
    pub chain: Vec<Step>,
    /// Every combination of arguments that it is made with; only one, with any values, if some place may pass
    /// anything; empty if arguments were not asked for or the call has none that say what it does.
    pub arguments: Vec<ArgumentEvidence>,
    /// The call that whoever makes this one goes on with where the kernel does not know it, if all of them do.
    pub falls_back_to: Option<u32>,
}

/// Arguments that a call is made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArgumentEvidence {
    /// What each may be.
    pub values: Arguments,
    /// From a root to the instruction, through the function that knows them.
    pub chain: Vec<Step>,
}

/// One function on the way from a root to a system call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Index into the program's objects.
    pub object: usize,
    /// The function's name, or `+0x…` if it has none.
    pub function: String,
    /// The instruction in this function that leads to the next step, or the `syscall` in the last one.
    pub address: Address,
    /// How control comes to this function, in words.
    pub how: String,
}

/// Counts for `--stats`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// Functions in all objects.
    pub functions: usize,
    /// Functions that are reached.
    pub reached: usize,
    /// Functions whose values were computed.
    pub evaluated: usize,
}

impl Solution {
    /// The solution as bytes, for whoever keeps it.
    #[must_use]
    pub fn to_kept(&self) -> Vec<u8> {
        // Nothing in these types can fail to become bytes; nothing is what cannot be read back.
        postcard::to_stdvec(self).unwrap_or_default()
    }

    /// A solution from what [`Solution::to_kept`] made of it; `None` for anything else.
    #[must_use]
    pub fn from_kept(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }
}

/// Solves one program.
#[must_use]
pub fn solve(input: &Input<'_>) -> Solution {
    let program = program::Program::new(input);
    let reach = reach::reach(&program, input);
    numbers::solve(&program, &reach, input)
}
