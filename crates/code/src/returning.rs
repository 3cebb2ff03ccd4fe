//! Whether a function can return to its caller.
//!
//! Abstraction: a function returns unless every path from its ways in ends in a trap, in an endless loop, or in
//! a call of a function that does not return. Whatever is not known (an import of which no standard says that it does
//! not return, an indirect jump, recursion, a search that grows too long) counts as returning, so the answer "no" can
//! be relied on.
//!
//! A function may also end by going elsewhere than behind its call: it changes its return address or takes it off the
//! stack ([`crate::return_address`]). Then its caller is left, perhaps to the caller's caller, and counts as returning.
//! So does a Go function with deferred calls: where one of them recovers, the run time makes it return.

use std::sync::atomic::{AtomicU8, Ordering};

use confine_elf::{Address, Object};
use confine_isa::{Decoder, Flow};
use rustc_hash::FxHashMap;

use crate::facts::{Facts, Function};
use crate::return_address::{Frame, Treatment};
use crate::{imports, layout};

/// How many calls deep the search goes.
const DEPTH: u8 = 6;

/// How many instructions of one function the search looks at: functions that do not return are short.
const INSTRUCTIONS: usize = 2000;

/// How many instructions of a function that returns are looked at for what it does to its return address: whoever
/// changes that does little else.
const FIRST_INSTRUCTIONS: usize = 16;

/// How a called function ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// At its call, perhaps.
    Returns,
    /// Elsewhere, perhaps: it does not leave its return address alone.
    Elsewhere,
    /// Nowhere.
    Never,
}

/// Answers for one object's functions by depth, remembered for whoever asks next. An answer depends on the function
/// and the depth alone, so that it is the same in whatever order questions come, on whichever threads.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    endings: Vec<[AtomicU8; DEPTH as usize + 1]>,
    /// What Go's functions with deferred calls call at their end.
    deferred_return: Option<Address>,
    /// Functions of Go's run time that the language says do not return to their caller: a panic ends the program or goes
    /// on at the end of a function that recovers (The Go Programming Language Specification, "Handling panics").
    panics: Vec<Address>,
}

/// Their names; all other ways to panic lead to these.
const PANICS: [&str; 3] = ["runtime.gopanic", "runtime.throw", "runtime.fatal"];

impl Answers {
    /// None yet, for so many functions.
    pub(crate) fn none_for(object: &Object, functions: usize) -> Self {
        let mut go_functions = object.go_functions.iter();
        let panics = go_functions
            .clone()
            .filter(|function| PANICS.contains(&function.name.as_str()));
        Self {
            panics: panics.map(|function| function.code.start).collect(),
            endings: (0..functions).map(|_| Default::default()).collect(),
            deferred_return: go_functions
                .find(|function| function.name == "runtime.deferreturn")
                .map(|function| function.code.start),
        }
    }

    /// Not known yet is 0. Relaxed: the answer is all that is passed on.
    fn get(&self, function: usize, depth: u8) -> Option<Ending> {
        match self
            .endings
            .get(function)?
            .get(usize::from(depth))?
            .load(Ordering::Relaxed)
        {
            1 => Some(Ending::Returns),
            2 => Some(Ending::Elsewhere),
            3 => Some(Ending::Never),
            _ => None,
        }
    }

    fn put(&self, function: usize, depth: u8, ending: Ending) {
        let place = self
            .endings
            .get(function)
            .and_then(|places| places.get(usize::from(depth)));
        if let Some(place) = place {
            let kept = match ending {
                Ending::Returns => 1,
                Ending::Elsewhere => 2,
                Ending::Never => 3,
            };
            place.store(kept, Ordering::Relaxed);
        }
    }
}

/// A search through one object.
pub(crate) struct Returning<'a> {
    object: &'a Object,
    facts: &'a Facts,
    /// Answers about addresses that are no function's start, or that are jumped to from the middle of one.
    known: FxHashMap<(Address, u8, bool), Ending>,
}

impl<'a> Returning<'a> {
    pub(crate) fn new(object: &'a Object, facts: &'a Facts) -> Self {
        Self {
            object,
            facts,
            known: FxHashMap::default(),
        }
    }

    pub(crate) fn facts(&self) -> &'a Facts {
        self.facts
    }

    /// Whether a call of the function at `address` may come back.
    pub(crate) fn may_return(&mut self, address: Address) -> bool {
        self.search(address, DEPTH, true) != Ending::Never
    }

    /// How what begins at `address` ends, `called` or as a part of another function.
    fn search(&mut self, address: Address, depth: u8, called: bool) -> Ending {
        let Some(deeper) = depth.checked_sub(1) else {
            return Ending::Returns;
        };
        let facts = self.facts;
        let start = facts.function_at(address).filter(|index| {
            let function = facts.functions.get(*index);
            called && function.is_some_and(|function| function.code.start == address)
        });
        let known = start.and_then(|function| facts.returning.get(function, depth));
        if let Some(known) = known.or_else(|| self.known.get(&(address, depth, called)).copied()) {
            return known;
        }
        if facts.returning.panics.contains(&address) {
            return Ending::Never;
        }
        let mut ending = self.walk(address, deeper, called);
        if ending == Ending::Never && self.is_made_to_return(address) {
            ending = Ending::Returns;
        }
        match start {
            Some(function) => facts.returning.put(function, depth, ending),
            None => {
                self.known.insert((address, depth, called), ending);
            }
        }
        ending
    }

    fn walk(&mut self, address: Address, depth: u8, called: bool) -> Ending {
        let function = self.facts.function_at(address);
        let Some(function) = function.and_then(|index| self.facts.functions.get(index)) else {
            return Ending::Returns;
        };
        if !function.indirect_jumps.is_empty() || !function.unknown_entries.is_empty() {
            return Ending::Returns;
        }
        let mut search = Walk::new(self.object, function);
        let mut ending = Ending::Never;
        let mut operations = Vec::new();
        search.go(
            address,
            if called {
                Frame::at_entry()
            } else {
                Frame::unknown()
            },
        );
        while let Some((next, mut frame)) = search.pending.pop() {
            let seen = search.seen.len();
            if ending == Ending::Returns && seen > FIRST_INSTRUCTIONS {
                break;
            }
            if seen > INSTRUCTIONS {
                return Ending::Returns;
            }
            if !function.code.contains(&next) {
                // A tail call, or a split-off part that may return for this function.
                match self.search(next, depth, frame.is_at_entry()) {
                    Ending::Elsewhere => return Ending::Elsewhere,
                    Ending::Returns => ending = Ending::Returns,
                    Ending::Never => {}
                }
                continue;
            }
            if !search.decoder.seek(next) {
                continue;
            }
            let Some(instruction) = search.decoder.next_instruction() else {
                continue;
            };
            match frame.step(&instruction, &mut operations) {
                Treatment::LeftAlone => {}
                Treatment::Changed => return Ending::Elsewhere,
                Treatment::OtherStack => ending = Ending::Returns,
            }
            let end = instruction.end();
            match instruction.flow() {
                Flow::Next | Flow::SystemCall | Flow::ForeignSystemCall => search.go(end, frame),
                Flow::Breakpoint if layout::goes_on_behind(self.object, function.code.end, end) => {
                    search.go(end, frame);
                }
                Flow::Jump(target) => search.go(target, frame),
                Flow::Branch(target, _) => {
                    search.go(end, frame);
                    search.go(target, frame);
                }
                Flow::IndirectCall(operand) | Flow::IndirectJump(operand)
                    if operand
                        .slot()
                        .is_some_and(|slot| imports::never_returns(self.object, slot)) => {}
                Flow::IndirectCall(_) => search.go(end, frame.after_call()),
                Flow::Call(_) if ending == Ending::Returns => search.go(end, frame.after_call()),
                Flow::Call(target) => match self.search(target, depth, true) {
                    Ending::Returns => search.go(end, frame.after_call()),
                    // This function's return address, or whatever lies there, is where it goes.
                    Ending::Elsewhere => ending = Ending::Returns,
                    Ending::Never => {}
                },
                Flow::Return | Flow::IndirectJump(_) => ending = Ending::Returns,
                Flow::Breakpoint | Flow::Stop => {}
            }
        }
        ending
    }

    /// Whether a function of Go's has deferred calls: at the end of each such function, behind its last instruction that
    /// any flow may reach, stands the call to which the run time goes on when one of them recovers. Looked for at every
    /// byte, since what stands elsewhere and looks like it does no harm.
    fn is_made_to_return(&self, address: Address) -> bool {
        let object = self.object;
        if object.go_functions.is_empty() {
            return false;
        }
        let Some(deferred_return) = self.facts.returning.deferred_return else {
            // A run time in another object, or names that are gone.
            return true;
        };
        let Some(code) = layout::described(object, address) else {
            return false;
        };
        let size = usize::try_from(code.end - code.start).unwrap_or(0);
        let bytes = object.bytes_at(code.start);
        let calls = bytes.get(..size).unwrap_or(bytes).windows(5).zip(code.start..);
        let mut targets = calls.filter_map(|(call, at)| {
            let (operation, distance) = call.split_first_chunk::<1>()?;
            let distance = i32::from_le_bytes(*distance.first_chunk()?);
            (*operation == [0xe8]).then(|| at.wrapping_add(5).wrapping_add_signed(distance.into()))
        });
        targets.any(|target| target == deferred_return)
    }
}

/// The ways through one function that are still to be walked.
struct Walk<'a> {
    decoder: Decoder<'a>,
    /// What was known of the stack wherever the walk came by.
    seen: FxHashMap<Address, Frame>,
    pending: Vec<(Address, Frame)>,
}

impl<'a> Walk<'a> {
    fn new(object: &'a Object, function: &Function) -> Self {
        Self {
            decoder: Decoder::new(object.bytes_at(function.code.start), function.code.start),
            seen: FxHashMap::default(),
            pending: Vec::new(),
        }
    }

    /// Comes to `address`. Terminates: what is known of the stack there only becomes less.
    fn go(&mut self, address: Address, frame: Frame) {
        match self.seen.get_mut(&address) {
            None => {
                self.seen.insert(address, frame);
                self.pending.push((address, frame));
            }
            Some(known) => {
                if known.meet(&frame) {
                    let known = *known;
                    self.pending.push((address, known));
                }
            }
        }
    }
}
