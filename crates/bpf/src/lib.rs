//! Policies as the programs that the kernel runs for every system call: seccomp filters in classic BPF.
//!
//! In: a [`confine_policy::Policy`], what becomes of denied calls, how often calls are made. Out: [`Filter`]s, which
//! together say of every call what the policy says ([`compile`]); and what looks into filters, whoever made them: an
//! interpreter ([`run`], [`evaluate`]), a disassembler ([`disassemble`], [`assembly`], [`c_array`]) and what the kernel takes from its bitmap of calls that are always allowed
//! ([`always_allows`]). The interpreter and the checks are written from the kernel's
//! rules and know nothing of the compiler, so that the one can be held against the other. Must not know: images,
//! programs, reports, formats of profiles.
#![forbid(unsafe_code)]

mod action;
mod check;
mod compile;
mod data;
mod disassemble;
mod emit;
mod estimate;
mod expected;
mod graph;
mod instruction;
mod interpret;
mod linear;
mod question;
mod rule;
mod split;
mod tree;
mod weights;

pub use action::{Action, UnknownAction};
pub use check::Invalid;
pub use compile::{Error, Options, compile};
pub use data::{AUDIT_ARCH_X86_64, CallData, X32};
pub use disassemble::{assembly, c_array, disassemble};
pub use instruction::{Filter, Instruction, MAXIMUM_INSTRUCTIONS};
pub use interpret::{Outcome, always_allows, evaluate, run};
pub use linear::linear;
pub use weights::{MalformedWeights, Weights};
