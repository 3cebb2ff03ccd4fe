//! What is known of an object once its machine code has been decoded.

use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use confine_elf::{Address, Machine, Object};
use confine_isa::{Decoder, Register, Width};
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::effects::Evaluation;
use crate::evaluate::{evaluate, evaluate_given};
use crate::index::Index;
use crate::pointers::Pointer;
use crate::returning::Answers;
use crate::state::Callable;
use crate::value::{Constants, Loaded};
use crate::{cloning, cuts, discover, dormant, layout, pointers};

/// One object's functions and the pointers in its data; empty for an object of another processor.
#[derive(Debug, Default)]
pub struct Facts {
    /// Sorted by start, never overlapping. A function that is entered in its middle by calls from elsewhere is
    /// several of these, joined by references of kind [`ReferenceKind::Jump`].
    pub functions: Vec<Function>,
    /// Code and data addresses stored in data, sorted by where they are stored.
    pub pointers: Vec<Pointer>,
    /// Ranges of memory that hold data. Sorted, never overlapping.
    pub regions: Vec<Range<Address>>,
    /// For each of them, whether it holds any pointer: most hold none, and lead nowhere.
    pub(crate) pointing: Vec<bool>,
    /// Where one piece of such a range ends and another begins. Sorted.
    pub cuts: Vec<Address>,
    /// Bytes of machine code decoded.
    pub code_bytes: u64,
    pub(crate) index: Index,
    pub(crate) returning: Answers,
    pub(crate) callable: Callable,
    /// What functions do, by function, computed when first asked for.
    pub(crate) evaluations: Vec<OnceLock<Option<Arc<Evaluation>>>>,
    /// The same for calls that pass some numbers.
    given: Mutex<EvaluationsGiven>,
    dormant: OnceLock<Vec<Range<Address>>>,
    /// Whether any of its functions has an instruction that does.
    pub(crate) enters_kernel: bool,
    pub(crate) cloning: cloning::Answers,
}

/// Numbers that a function finds when it is entered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Numbers {
    /// In registers.
    pub registers: Vec<(Register, Constants)>,
    /// On the stack, so many bytes.
    pub stack: Vec<(Argument, Constants)>,
    /// Behind pointers that it is given.
    pub behind: Vec<(Loaded, Constants)>,
}

/// An argument on the stack: its distance from the stack pointer at entry, and how much of it is looked at.
pub type Argument = (u16, Width);

impl Numbers {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.registers.is_empty() && self.stack.is_empty() && self.behind.is_empty()
    }
}

/// What functions do with numbers that they are given, by function.
type EvaluationsGiven = FxHashMap<(usize, Numbers), Option<Arc<Evaluation>>>;

/// A piece of code with one way in from elsewhere, and everything that it mentions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its code: from its entry up to the next function or the end that its unwind data gives.
    pub code: Range<Address>,
    /// Sorted by where they stand, then by kind and target, without repetition.
    pub references: Vec<Reference>,
    /// Addresses of its `syscall` instructions.
    pub system_calls: Vec<Address>,
    /// Addresses of its `int 0x80` and `sysenter` instructions.
    pub foreign_system_calls: Vec<Address>,
    /// It calls addresses that are computed, or loaded from elsewhere than a slot of its own object.
    pub calls_indirectly: bool,
    /// Jumps to a computed address that is not an import: with what the tables gave, all of the function's
    /// unvisited bytes were taken in as their targets.
    pub indirect_jumps: Vec<Address>,
    /// Where those jumps may go inside this function by its tables.
    pub jump_targets: Vec<Address>,
    /// Other addresses inside it where control may come in, with any values in registers: landing pads, labels,
    /// jumps from elsewhere, and what no known flow reaches in a function with computed jumps.
    pub unknown_entries: Vec<Address>,
}

/// One mention of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// The instruction that mentions it.
    pub at: Address,
    /// What it does with it.
    pub kind: ReferenceKind,
    /// The address, in this object.
    pub target: Address,
    /// The function whose code holds the address: looked up once, since every program that loads the object asks.
    pub function: Option<FunctionIndex>,
}

/// An index into [`Facts::functions`]; an optional one takes four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionIndex(NonZeroU32);

impl FunctionIndex {
    pub(crate) fn new(index: usize) -> Option<Self> {
        let behind = u32::try_from(index).ok()?.checked_add(1)?;
        NonZeroU32::new(behind).map(Self)
    }

    /// The index.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0.get() - 1
    }
}

/// What an instruction does with an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ReferenceKind {
    /// Calls it.
    Call,
    /// Jumps, branches or falls through to it, out of the function.
    Jump,
    /// Calls what is stored there (`call [rip+…]`).
    CallThrough,
    /// Jumps to what is stored there (`jmp [rip+…]`).
    JumpThrough,
    /// Makes the address a value.
    Take,
    /// Reads so many bytes there.
    Read(u8),
    /// Reads so many bytes there, to compare them with something.
    Compare(u8),
    /// Writes so many bytes there.
    Write(u8),
}

impl Function {
    /// Whether it makes an address a value.
    #[must_use]
    pub fn takes(&self, address: Address) -> bool {
        let mut references = self.references.iter();
        references.any(|reference| reference.kind == ReferenceKind::Take && reference.target == address)
    }
}

impl Facts {
    /// Decodes an object.
    #[must_use]
    pub fn of(object: &Object) -> Self {
        if object.machine != Machine::X86_64 {
            // Another processor's code would decode as something else.
            return Self::default();
        }
        let pointers = pointers::find(object);
        discover::facts(object, pointers)
    }

    /// The facts with what is looked up from them: which functions references lead to, and which data leads on.
    pub(crate) fn new(
        object: &Object,
        mut functions: Vec<Function>,
        pointers: Vec<Pointer>,
        cuts: Vec<Address>,
        code_bytes: u64,
    ) -> Self {
        let regions = layout::data_ranges(object);
        let index = Index::new(functions.iter().map(|function| &function.code));
        look_up_functions(&mut functions, &index);
        Self {
            evaluations: functions.iter().map(|_| OnceLock::new()).collect(),
            given: Mutex::default(),
            dormant: OnceLock::new(),
            enters_kernel: functions.iter().any(|function| !function.system_calls.is_empty()),
            cloning: cloning::Answers::default(),
            returning: Answers::none_for(object, functions.len()),
            callable: Callable::of(object),
            pointing: regions
                .iter()
                .map(|region| has_pointers(&pointers, region))
                .collect(),
            cuts,
            index,
            functions,
            pointers,
            regions,
            code_bytes,
        }
    }

    /// What a function does; `None` if there is no such function or it takes too long to settle. `object` is
    /// the one that these facts are of. Computed once, whoever asks.
    #[must_use]
    pub fn evaluation(&self, object: &Object, function: usize) -> Option<Arc<Evaluation>> {
        let known = self.evaluations.get(function)?;
        known
            .get_or_init(|| evaluate(object, self, function).map(Arc::new))
            .clone()
    }

    /// What a function does when it is entered with these numbers, otherwise as [`Facts::evaluation`].
    #[must_use]
    pub fn evaluation_given(
        &self,
        object: &Object,
        function: usize,
        given: &Numbers,
    ) -> Option<Arc<Evaluation>> {
        let key = (function, given.clone());
        if let Some(known) = self.known_given().get(&key) {
            return known.clone();
        }
        // Not under the lock: two who ask at once find the same.
        let found = evaluate_given(object, self, function, given).map(Arc::new);
        self.known_given().insert(key, found.clone());
        found
    }

    fn known_given(&self) -> MutexGuard<'_, EvaluationsGiven> {
        // Whoever panicked had not begun to write.
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the instruction at an address does not run as long as the object is another program's interpreter.
    /// `object` is the one that these facts are of.
    #[must_use]
    pub fn is_dormant(&self, object: &Object, address: Address) -> bool {
        let ranges = self.dormant.get_or_init(|| dormant::find(object, self));
        let next = ranges.partition_point(|range| range.end <= address);
        ranges.get(next).is_some_and(|range| range.contains(&address))
    }

    /// Decodes the bytes of some functions once and does nothing else; how many instructions that were. What the
    /// time of an analysis is measured against.
    #[must_use]
    pub fn decode_once(&self, object: &Object, functions: Range<usize>) -> u64 {
        let mut instructions = 0;
        for function in self.functions.get(functions).into_iter().flatten() {
            let size = usize::try_from(function.code.end - function.code.start).unwrap_or(0);
            let bytes = object.bytes_at(function.code.start);
            let mut decoder = Decoder::new(bytes.get(..size).unwrap_or(bytes), function.code.start);
            while let Some(instruction) = decoder.next_instruction() {
                instructions += u64::from(instruction.is_valid());
            }
        }
        instructions
    }

    /// The function whose code holds `address`.
    #[must_use]
    pub fn function_at(&self, address: Address) -> Option<usize> {
        let code = |index: usize| self.functions.get(index).map(|function| &function.code);
        self.index.find(address, self.functions.len(), code)
    }

    /// The data region that holds `address`.
    #[must_use]
    pub fn region_at(&self, address: Address) -> Option<usize> {
        let index = self.regions.partition_point(|region| region.end <= address);
        self.regions
            .get(index)
            .filter(|region| region.contains(&address))
            .map(|_| index)
    }

    /// Whether `address` lies in data that holds pointers.
    #[must_use]
    pub fn points_on(&self, address: Address) -> bool {
        let region = self
            .region_at(address)
            .and_then(|region| self.pointing.get(region));
        region.copied().unwrap_or(false)
    }

    /// What a reference to `address` may reach: the piece that begins there, with the header that C++ keeps before a
    /// table of virtual functions; or, for an address inside a piece, that piece and its neighbours, since compilers
    /// fold an index or a bound into an address (`table - 8`, `end of table`). It is that piece alone if the address
    /// looks like the beginning of an object that was not cut off, or if `mentioned` says that the code mentions the
    /// beginning of the piece, too.
    #[must_use]
    pub fn piece_at(&self, address: Address, mentioned: impl Fn(Address) -> bool) -> Option<Range<Address>> {
        // Offset to the whole object and type information (Itanium C++ ABI 2.5.2).
        const HEADER: u64 = 16;
        let region = self.regions.get(self.region_at(address)?)?;
        let after = self.cuts.partition_point(|cut| *cut <= address);
        let cut = |index: Option<usize>| index.and_then(|index| self.cuts.get(index)).copied();
        let start = |index: Option<usize>| cut(index).unwrap_or(0).max(region.start);
        let end = |index: usize| cut(Some(index)).unwrap_or(Address::MAX).min(region.end);
        let own = start(after.checked_sub(1));
        Some(
            if own == address || address.is_multiple_of(cuts::ALIGNMENT) || mentioned(own) {
                own.saturating_sub(HEADER).max(region.start)..end(after)
            } else {
                start(after.checked_sub(2))..end(after + 1)
            },
        )
    }

    /// The pointers stored at or after `range.start` and before `range.end`.
    #[must_use]
    pub fn pointers_in(&self, range: Range<Address>) -> &[Pointer] {
        let from = self.pointers.partition_point(|pointer| pointer.at < range.start);
        let to = self.pointers.partition_point(|pointer| pointer.at < range.end);
        self.pointers.get(from..to).unwrap_or(&[])
    }
}

fn has_pointers(pointers: &[Pointer], region: &Range<Address>) -> bool {
    // One that begins before the region may end in it.
    let from = region.start.saturating_sub(7);
    let next = pointers.partition_point(|pointer| pointer.at < from);
    pointers.get(next).is_some_and(|pointer| pointer.at < region.end)
}

/// Gives each reference to code the function that it leads to.
fn look_up_functions(functions: &mut [Function], index: &Index) {
    let code: Vec<Range<Address>> = functions.iter().map(|function| function.code.clone()).collect();
    functions.par_iter_mut().for_each(|function| {
        for reference in &mut function.references {
            let found = index.find(reference.target, code.len(), |index| code.get(index));
            reference.function = found.and_then(FunctionIndex::new);
        }
    });
}
