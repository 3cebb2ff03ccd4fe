//! Recursive descent through one piece of code.
//!
//! Decodes what can be reached from the piece's entries without leaving it, and notes every address that the
//! instructions mention. Bytes that no flow reaches are not decoded, so data between instructions does no harm.

use std::ops::Range;

use confine_elf::{Address, Object, Placement};
use confine_isa::{Access, Decoder, Flow, Instruction};

use crate::facts::{Function, Reference, ReferenceKind};
use crate::layout;

/// A piece of code to decode.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    /// From its first entry to where the next piece begins or code ends.
    pub(crate) code: Range<Address>,
    /// Where its function ends by its unwind data: a call just before it does not return.
    pub(crate) certain_end: Option<Address>,
    /// Where control comes in, the start included.
    pub(crate) entries: Vec<Address>,
}

/// What decoding a piece gave.
#[derive(Debug, Clone)]
pub(crate) struct Decoded {
    pub(crate) function: Function,
    /// One bit for each byte of the piece: an instruction begins there.
    boundaries: Vec<u64>,
    /// It widens signed four-byte offsets, as relative tables need.
    pub(crate) widens_offsets: bool,
    /// It returns to an address that it just put on the stack, or far.
    pub(crate) jumps_by_return: bool,
    /// Addresses of code that it mentions in a way in which no number does, where other mentions are in doubt.
    pub(crate) certain: Vec<Address>,
    pub(crate) bytes: u64,
}

impl Decoded {
    /// Whether an instruction that was decoded begins at `address`.
    pub(crate) fn visits(&self, address: Address) -> bool {
        let Some(offset) = address.checked_sub(self.function.code.start) else {
            return false;
        };
        let word = usize::try_from(offset / 64)
            .ok()
            .and_then(|index| self.boundaries.get(index));
        word.is_some_and(|word| word >> (offset % 64) & 1 == 1)
    }

    /// Whether an instruction that was decoded begins before `address` and ends behind it.
    pub(crate) fn covers(&self, object: &Object, address: Address) -> bool {
        /// The longest instruction (Intel SDM volume 2, 2.3.11).
        const LONGEST: u64 = 15;
        let first = address.saturating_sub(LONGEST).max(self.function.code.start);
        let before = (first..address).rev().find(|before| self.visits(*before));
        before.is_some_and(|before| {
            let mut decoder = Decoder::new(object.bytes_at(before), before);
            let instruction = decoder.next_instruction();
            instruction.is_some_and(|instruction| instruction.end() > address)
        })
    }

    /// Whether any instruction that was decoded begins at or after `address`.
    pub(crate) fn visits_from(&self, address: Address) -> bool {
        let offset = address.saturating_sub(self.function.code.start);
        let words = usize::try_from(offset / 64)
            .ok()
            .and_then(|index| self.boundaries.get(index..));
        match words.and_then(<[u64]>::split_first) {
            Some((first, rest)) => first >> (offset % 64) != 0 || rest.iter().any(|word| *word != 0),
            None => false,
        }
    }
}

/// Memory that one descent after the other uses: most pieces are smaller than what allocating for them would cost.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    lengths: Vec<u8>,
    pending: Vec<Address>,
    references: Vec<Reference>,
}

/// Decodes a piece. Bounded: every address of the piece is decoded at most once.
pub(crate) fn decode(object: &Object, piece: &Piece, scratch: &mut Scratch) -> Decoded {
    let mut descent = Descent::new(object, piece, scratch);
    for entry in &piece.entries {
        descent.follow(*entry);
    }
    descent.finish()
}

/// Decodes a piece and then, since it jumps to addresses that are not known, whatever of its bytes no flow
/// reached, from each first byte on.
pub(crate) fn decode_all(object: &Object, piece: &Piece, scratch: &mut Scratch) -> Decoded {
    let mut descent = Descent::new(object, piece, scratch);
    for entry in &piece.entries {
        descent.follow(*entry);
    }
    let mut address = piece.code.start;
    while address < piece.code.end {
        if let Some(length) = descent.length_at(address) {
            address += u64::from(length);
            continue;
        }
        let Some(instruction) = descent.decode_at(address) else {
            break;
        };
        if instruction.is_padding() || !instruction.is_valid() {
            address = if instruction.is_valid() {
                instruction.end()
            } else {
                address + 1
            };
            continue;
        }
        descent.function.unknown_entries.push(address);
        descent.follow(address);
    }
    descent.finish()
}

struct Descent<'a> {
    object: &'a Object,
    piece: &'a Piece,
    decoder: Decoder<'a>,
    /// Its `lengths` are, for each byte of the piece, the length of the instruction that begins there, or 0.
    scratch: &'a mut Scratch,
    function: Function,
    widens_offsets: bool,
    jumps_by_return: bool,
    /// The instruction before, in straight-line flow, left a value on the top of the stack.
    top_is_set: bool,
    certain: Vec<Address>,
    bytes: u64,
}

impl<'a> Descent<'a> {
    fn new(object: &'a Object, piece: &'a Piece, scratch: &'a mut Scratch) -> Self {
        let size = usize::try_from(piece.code.end - piece.code.start).unwrap_or(0);
        let held = object.bytes_at(piece.code.start);
        // An instruction that begins inside the piece may end outside it.
        let held = held.get(..size.saturating_add(15)).unwrap_or(held);
        scratch.lengths.clear();
        scratch.lengths.resize(size.min(held.len()), 0);
        scratch.references.clear();
        Self {
            object,
            piece,
            decoder: Decoder::new(held, piece.code.start),
            scratch,
            function: Function {
                code: piece.code.clone(),
                references: Vec::new(),
                system_calls: Vec::new(),
                foreign_system_calls: Vec::new(),
                calls_indirectly: false,
                indirect_jumps: Vec::new(),
                jump_targets: Vec::new(),
                unknown_entries: Vec::new(),
            },
            widens_offsets: false,
            jumps_by_return: false,
            top_is_set: false,
            certain: Vec::new(),
            bytes: 0,
        }
    }

    fn follow(&mut self, entry: Address) {
        self.scratch.pending.push(entry);
        while let Some(mut address) = self.scratch.pending.pop() {
            self.top_is_set = false;
            while let Some(next) = self.step(address) {
                address = next;
            }
        }
    }

    /// Decodes one instruction that was not decoded before; gives the next one of straight-line flow.
    fn step(&mut self, address: Address) -> Option<Address> {
        let offset = self.offset(address)?;
        if *self.scratch.lengths.get(offset)? != 0 {
            return None;
        }
        let instruction = self.decode_at(address)?;
        let length = u8::try_from(instruction.end().wrapping_sub(address))
            .unwrap_or(1)
            .max(1);
        if let Some(slot) = self.scratch.lengths.get_mut(offset) {
            *slot = length;
        }
        if !instruction.is_valid() {
            return None;
        }
        self.bytes += u64::from(length);
        let flow = instruction.flow();
        self.note_mentions(&instruction, &flow);
        self.jumps_by_return |= flow == Flow::Return && (self.top_is_set || instruction.returns_far());
        self.top_is_set = instruction.sets_top_of_stack();
        self.note_flow(&instruction, flow)
    }

    fn note_flow(&mut self, instruction: &Instruction, flow: Flow) -> Option<Address> {
        let (at, next) = (instruction.address(), instruction.end());
        match flow {
            Flow::Next => self.fall_through(at, next),
            Flow::Jump(target) => self.go(at, target),
            Flow::Branch(target, _) => {
                if let Some(inside) = self.go(at, target) {
                    self.scratch.pending.push(inside);
                }
                self.fall_through(at, next)
            }
            Flow::Call(target) => {
                self.refer(at, ReferenceKind::Call, target);
                self.after_call(at, next)
            }
            Flow::IndirectCall(operand) => {
                match operand.slot() {
                    Some(slot) => self.refer(at, ReferenceKind::CallThrough, slot),
                    None => self.function.calls_indirectly = true,
                }
                self.after_call(at, next)
            }
            Flow::IndirectJump(operand) => {
                match operand.slot() {
                    Some(slot) => self.refer(at, ReferenceKind::JumpThrough, slot),
                    None => self.function.indirect_jumps.push(at),
                }
                None
            }
            Flow::SystemCall => {
                self.function.system_calls.push(at);
                self.fall_through(at, next)
            }
            Flow::ForeignSystemCall => {
                self.function.foreign_system_calls.push(at);
                self.fall_through(at, next)
            }
            Flow::Breakpoint if layout::goes_on_behind(self.object, self.piece.code.end, next) => {
                self.fall_through(at, next)
            }
            Flow::Return | Flow::Breakpoint | Flow::Stop => None,
        }
    }

    /// The next address if control stays in the piece; otherwise the jump out of it is noted.
    fn go(&mut self, at: Address, target: Address) -> Option<Address> {
        if self.piece.code.contains(&target) {
            return Some(target);
        }
        self.refer(at, ReferenceKind::Jump, target);
        None
    }

    fn fall_through(&mut self, at: Address, next: Address) -> Option<Address> {
        self.go(at, next)
    }

    /// After a call at the very end of a function that unwind data delimits nothing follows: the compiler knew
    /// that the call does not return. Elsewhere control comes back.
    fn after_call(&mut self, at: Address, next: Address) -> Option<Address> {
        if self.piece.certain_end.is_some_and(|end| next >= end) {
            return None;
        }
        self.go(at, next)
    }

    fn note_mentions(&mut self, instruction: &Instruction, flow: &Flow) {
        let at = instruction.address();
        let fixed = self.object.placement == Placement::Fixed;
        self.widens_offsets |= instruction.widens_offset();
        let through = matches!(flow, Flow::IndirectCall(_) | Flow::IndirectJump(_));
        let mention = if fixed {
            instruction.memory_mention()
        } else {
            instruction.relative_mention()
        };
        if let Some(mention) = mention {
            match mention.access {
                Access::Taken => {
                    self.refer(at, ReferenceKind::Take, mention.address);
                    if fixed && !mention.absolute && self.object.is_code(mention.address) {
                        self.certain.push(mention.address);
                    }
                }
                Access::Read(bytes) if !through => {
                    self.refer(at, ReferenceKind::Read(bytes), mention.address)
                }
                Access::Compared(bytes) => self.refer(at, ReferenceKind::Compare(bytes), mention.address),
                Access::Changed(bytes) => {
                    self.refer(at, ReferenceKind::Read(bytes), mention.address);
                    self.refer(at, ReferenceKind::Write(bytes), mention.address);
                }
                Access::Written(bytes) => self.refer(at, ReferenceKind::Write(bytes), mention.address),
                Access::Read(_) => {}
            }
        }
        if let Some(distance) = instruction.distance() {
            for table in self.object.offset_tables() {
                self.refer(at, ReferenceKind::Take, table.wrapping_add(distance));
            }
        }
        if fixed && let Some(constant) = instruction.wide_constant() {
            self.refer(at, ReferenceKind::Take, constant);
        }
    }

    /// Addresses outside the object are numbers, not references.
    fn refer(&mut self, at: Address, kind: ReferenceKind, target: Address) {
        if self.object.segment_at(target).is_some() {
            self.scratch.references.push(Reference {
                at,
                kind,
                target,
                function: None,
            });
        }
    }

    fn offset(&self, address: Address) -> Option<usize> {
        usize::try_from(address.checked_sub(self.piece.code.start)?).ok()
    }

    fn decode_at(&mut self, address: Address) -> Option<Instruction> {
        if !self.decoder.seek(address) {
            return None;
        }
        self.decoder.next_instruction()
    }

    /// The length of the instruction that was decoded at `address`, if one was.
    fn length_at(&self, address: Address) -> Option<u8> {
        self.scratch
            .lengths
            .get(self.offset(address)?)
            .copied()
            .filter(|length| *length != 0)
    }

    fn finish(mut self) -> Decoded {
        self.scratch.references.sort_unstable();
        self.scratch.references.dedup();
        self.function.references = self.scratch.references.as_slice().to_vec();
        self.function.system_calls.sort_unstable();
        self.function.foreign_system_calls.sort_unstable();
        self.function.indirect_jumps.sort_unstable();
        let boundaries = self
            .scratch
            .lengths
            .chunks(64)
            .map(|lengths| {
                lengths
                    .iter()
                    .enumerate()
                    .fold(0, |word, (bit, length)| word | u64::from(*length != 0) << bit)
            })
            .collect();
        Decoded {
            function: self.function,
            boundaries,
            widens_offsets: self.widens_offsets,
            jumps_by_return: self.jumps_by_return,
            certain: self.certain,
            bytes: self.bytes,
        }
    }
}
