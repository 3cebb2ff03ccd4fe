//! Bytes of x86-64 machine code → a small list of operations.
//!
//! In: bytes and the address that they lie at. Out: for each instruction where control goes ([`Flow`]), which
//! addresses it mentions ([`Mention`]), and on demand what it does to registers and memory ([`Operation`]),
//! reduced to what an analysis of constants needs: moves, address arithmetic, masks, compares, loads and
//! stores; everything else clobbers what it writes. The only room that names a decoder, and a second
//! architecture is a second lifter behind the same types. Must not know: files, functions, system calls.
#![forbid(unsafe_code)]

mod conditions;
mod decode;
mod lift;
mod operation;
mod uses;
mod vectors;

pub use decode::{Access, Decoder, Flow, Instruction, Mention};
pub use operation::{Arithmetic, Condition, Memory, Operand, Operation, Register, Width};
pub use uses::Use;
