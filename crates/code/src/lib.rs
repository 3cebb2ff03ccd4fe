//! Facts of one ELF object that depend on its bytes alone.
//!
//! In: a parsed [`confine_elf::Object`]. Out: its functions with what each refers to ([`Facts`]), and on demand
//! the values that registers hold where a function enters the kernel or calls another ([`evaluate`]).
//! Must not know: other objects, symbol binding, files, which program this is for; that is what lets facts be
//! computed once per content, in any order, on any thread.
#![forbid(unsafe_code)]

mod body;
mod cloning;
mod cuts;
mod descend;
mod discover;
mod dormant;
mod effects;
mod evaluate;
mod facts;
mod go_frames;
mod imports;
mod index;
mod kept;
mod layout;
mod loads;
mod pointers;
mod results;
mod return_address;
mod returning;
mod starts;
mod state;
mod stores;
mod tables;
mod transfer;
mod twice;
mod value;

pub use effects::{CallEffect, Evaluation, SystemCallEffect};
pub use evaluate::evaluate;
pub use facts::{Facts, Function, FunctionIndex, Numbers, Reference, ReferenceKind};
pub use pointers::Pointer as StoredPointer;
pub use results::{drops_result, only_jumps};
pub use value::{Constants, Entry, Loaded, Location, Pointer, Value};
