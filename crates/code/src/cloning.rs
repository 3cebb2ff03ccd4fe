//! Functions that start a thread or a process by a structure behind their first argument: `clone3` and what leads to it.
//!
//! The kernel copies that structure before it does anything else (`copy_clone_args_from_user`, kernel/fork.c of Linux
//! 6.18), and what runs in the child is given other addresses. So the structure is the same when the call comes back, and
//! a C library may read it then to go on without `clone3`: glibc's `__clone_internal` does.
//!
//! Abstraction: on every way from the entry to a return, the function stores nothing but in its own frame, in the thread's
//! own data and in variables at fixed addresses, and makes no call but this one, by the pointer that it was given. Misses:
//! a child that shares memory with its parent and writes into the structure that it was started by.

use std::sync::{Mutex, MutexGuard, PoisonError};

use confine_elf::{Address, Object};
use confine_isa::{Decoder, Flow, Instruction, Memory, Operand, Operation, Register, Width};
use rustc_hash::FxHashMap;

use crate::facts::Facts;

/// How many bytes the structure has at least: `CLONE_ARGS_SIZE_VER0`, include/uapi/linux/sched.h of Linux 6.18.
pub(crate) const STRUCTURE: u64 = 64;

/// The call's name.
const CALL: &str = "clone3";

/// How many instructions are looked at: the functions that are known have forty.
const INSTRUCTIONS: usize = 96;

/// The most bytes that one instruction has.
const LONGEST: usize = 15;

/// How many functions lead to the one that makes the call: glibc has `__clone3_internal` in between.
const LEVELS: usize = 1;

/// Answers for one object, remembered for whoever asks next.
#[derive(Debug, Default)]
pub(crate) struct Answers(Mutex<FxHashMap<Address, bool>>);

impl Answers {
    fn known(&self) -> MutexGuard<'_, FxHashMap<Address, bool>> {
        // Whoever panicked had not begun to write.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Facts {
    /// Whether the function at an address starts a thread or a process by the structure that its first argument points to,
    /// and leaves that as it is. `object` is the one that these facts are of.
    #[must_use]
    pub fn leaves_structure(&self, object: &Object, function: Address) -> bool {
        // Only what enters the kernel itself can, and most objects leave that to the C library.
        if !self.enters_kernel {
            return false;
        }
        if let Some(known) = self.cloning.known().get(&function) {
            return *known;
        }
        // Not under the lock: two who ask at once find the same.
        let found = leaves_structure(object, self, function, LEVELS);
        self.cloning.known().insert(function, found);
        found
    }
}

fn leaves_structure(object: &Object, facts: &Facts, function: Address, levels: usize) -> bool {
    let Some(clone3) = confine_kernel::call_named(CALL) else {
        return false;
    };
    let search = Search {
        object,
        facts,
        clone3: clone3.number.into(),
        levels,
        ways: FxHashMap::default(),
        pending: Vec::new(),
        starts: false,
    };
    search.holds(function)
}

/// What is known on the way through a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Way {
    /// The first argument is still where it was.
    has_pointer: bool,
    /// The number in RAX.
    number: Option<u64>,
    /// Somebody else ran who was not given the structure, and may have changed anything: this may not return.
    in_child: bool,
}

impl Way {
    /// What holds on both ways.
    fn meet(self, other: Self) -> Self {
        Self {
            has_pointer: self.has_pointer && other.has_pointer,
            number: self.number.filter(|_| self.number == other.number),
            in_child: self.in_child || other.in_child,
        }
    }
}

struct Search<'a> {
    object: &'a Object,
    facts: &'a Facts,
    /// The call's number.
    clone3: u64,
    /// How many functions may still lead to it.
    levels: usize,
    ways: FxHashMap<Address, Way>,
    pending: Vec<Address>,
    /// Whether the call was come to.
    starts: bool,
}

impl Search<'_> {
    /// Whether the function does nothing else, and does it.
    fn holds(mut self, function: Address) -> bool {
        let entered = Way {
            has_pointer: true,
            number: None,
            in_child: false,
        };
        self.arrive(function, entered);
        while let Some(address) = self.pending.pop() {
            let way = self.ways.get(&address).copied();
            let goes_on =
                self.ways.len() <= INSTRUCTIONS && way.and_then(|way| self.step(address, way)).is_some();
            if !goes_on {
                return false;
            }
        }
        self.starts
    }

    /// Terminates: what is known at an address only becomes less.
    fn arrive(&mut self, address: Address, way: Way) {
        let known = self.ways.get(&address).copied();
        let met = known.map_or(way, |known| known.meet(way));
        if known != Some(met) {
            self.ways.insert(address, met);
            self.pending.push(address);
        }
    }

    /// Goes on behind one instruction; `None` if it does something else.
    fn step(&mut self, address: Address, mut way: Way) -> Option<()> {
        let instruction = self.instruction(address)?;
        let end = instruction.end();
        let behind_call = Way {
            has_pointer: false,
            number: None,
            ..way
        };
        match instruction.flow() {
            flow @ (Flow::Next | Flow::Branch(..)) => {
                let mut operations = Vec::new();
                instruction.lift(&mut operations);
                if !way.in_child && operations.iter().any(stores_elsewhere) {
                    return None;
                }
                way = operations.iter().fold(way, after);
                if let Flow::Branch(target, _) = flow {
                    self.arrive(target, way);
                }
                self.arrive(end, way);
            }
            Flow::Jump(target) => self.arrive(target, way),
            Flow::Call(target) => {
                let levels = self.levels.checked_sub(1).filter(|_| way.has_pointer)?;
                if !leaves_structure(self.object, self.facts, target, levels) {
                    return None;
                }
                self.starts = true;
                self.arrive(end, behind_call);
            }
            Flow::SystemCall => {
                let number = way.number?;
                if !confine_kernel::returns(number) {
                    return Some(());
                }
                if !(way.has_pointer && number == self.clone3) {
                    return None;
                }
                self.starts = true;
                self.arrive(end, behind_call);
            }
            Flow::IndirectCall(_) => {
                let in_child = Way {
                    in_child: true,
                    ..behind_call
                };
                self.arrive(end, in_child);
            }
            Flow::Return if way.in_child => return None,
            Flow::Return | Flow::Stop | Flow::Breakpoint => {}
            Flow::IndirectJump(_) | Flow::ForeignSystemCall => return None,
        }
        Some(())
    }

    fn instruction(&self, address: Address) -> Option<Instruction> {
        self.facts.function_at(address)?;
        let bytes = self.object.bytes_at(address);
        Decoder::new(bytes.get(..LONGEST).unwrap_or(bytes), address).next_instruction()
    }
}

/// What is known behind an operation.
fn after(way: Way, operation: &Operation) -> Way {
    let set = |register: Register, number: Option<u64>| match register {
        Register::RDI => Way {
            has_pointer: false,
            ..way
        },
        Register::RAX => Way { number, ..way },
        _ => way,
    };
    match (*operation, operation.result()) {
        (
            Operation::Copy {
                to: Operand::Register(register),
                from: Operand::Constant(number),
                width: Width::Double | Width::Quad,
            },
            _,
        ) => set(register, Some(number)),
        (_, Some((Operand::Register(register), _))) => set(register, None),
        (Operation::Swap { .. }, _) => Way {
            has_pointer: false,
            number: None,
            ..way
        },
        _ => way,
    }
}

/// Whether an operation stores where the caller's structure may lie.
fn stores_elsewhere(operation: &Operation) -> bool {
    let is_own = |memory: &Memory| {
        let in_frame = memory.base == Some(Register::RSP) && memory.index.is_none();
        memory.segment || in_frame || memory.base.is_none() && memory.index.is_none()
    };
    match (operation, operation.result()) {
        (_, Some((Operand::Memory(memory), _))) => !is_own(&memory),
        (Operation::ClobberMemory { memory, .. }, _) => !is_own(memory),
        (Operation::ClobberAllMemory, _) => true,
        _ => false,
    }
}
