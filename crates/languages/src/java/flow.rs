//! What a method gives to others, stores and returns, as far as that may be numbers: a forward analysis over its instructions
//! (the Java virtual machine's specification, 6.5).
//!
//! Abstraction: a word of the stack or a local variable has a few sources, or any. Where ways meet, sources add up. Behind a
//! handler of exceptions nothing is known. A method with subroutines (`jsr`) is not looked at.

use std::collections::{BTreeMap, BTreeSet};

use super::bytes::Reader;
use super::class::{Class, Method};
use super::code;

/// More sources than these are not told apart, nor are more steps made in one method.
const MOST_SOURCES: usize = 16;
const MOST_STEPS: usize = 20_000;

/// Where a word comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    Number(i32),
    /// The word of this number that the method is given, counted as the specification does (2.6.1).
    Parameter(u16),
    /// What a call gives, or a variable of a class or object holds: by the constant that names it, at this place.
    Got {
        constant: u16,
        at: usize,
        /// The object that it is asked of, where that is one.
        of: Option<Object>,
    },
}

/// An object: within one run of a method without loops, two words that say the same are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    Parameter(u16),
    /// What the instruction at this place gives.
    Result(usize),
}

/// The sources of a word; `None` if any.
pub type Word = Option<BTreeSet<Source>>;

/// A call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The constant that names the method.
    pub constant: u16,
    /// The words that it is given; the first is the object, if there is one.
    pub words: Vec<Word>,
}

/// A variable of a class or an object that is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    pub constant: u16,
    pub word: Word,
    /// The object that it is of, where that is one.
    pub of: Option<Object>,
}

/// What a method does.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Flow {
    pub calls: Vec<Call>,
    pub stores: Vec<Store>,
    /// The numbers that it returns; nothing if it returns none.
    pub returned: Vec<Word>,
}

/// What is known before an instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    stack: Vec<Word>,
    locals: Vec<Word>,
}

/// What a method does; `None` if that is not found out.
pub fn flow(class: &Class, method: &Method) -> Option<Flow> {
    let mut walk = Walk {
        class,
        code: class.code(method),
        has_loops: false,
    };
    let (_, descriptor) = class.signature(method)?;
    let words = parameters(descriptor)?.len_in_words() + usize::from(!method.is_static());
    let given = (0..u16::try_from(words).ok()?).map(|word| one(Source::Parameter(word)));
    let mut first = BTreeMap::from([(0, State::of(Vec::new(), given.collect()))]);
    for handler in class.handlers(method)? {
        first.insert(handler, State::of(vec![None], Vec::new()));
    }
    let states = walk.settle(first.clone())?;
    let states = match walk.has_loops {
        // An object that an instruction gives is not always the same then.
        true => walk.settle(first)?,
        false => states,
    };
    let mut flow = Flow::default();
    for (at, mut state) in states {
        walk.step(at, &mut state, Some(&mut flow))?;
    }
    Some(flow)
}

/// The types of parameters, as the letters that begin them.
pub struct Parameters(Vec<u8>);

impl Parameters {
    /// The first word of each, from 0, with its type.
    pub fn words(&self) -> impl Iterator<Item = (usize, u8)> {
        let mut next = 0;
        self.0.iter().map(move |kind| {
            let word = next;
            next += words_of(*kind);
            (word, *kind)
        })
    }

    fn len_in_words(&self) -> usize {
        self.0.iter().map(|kind| words_of(*kind)).sum()
    }
}

fn words_of(kind: u8) -> usize {
    match kind {
        b'V' => 0,
        b'J' | b'D' => 2,
        _ => 1,
    }
}

/// The parameters that the type of a method says (4.3.3).
pub fn parameters(descriptor: &[u8]) -> Option<Parameters> {
    let mut kinds = Vec::new();
    let mut letters = descriptor.strip_prefix(b"(")?.iter().copied();
    loop {
        let mut letter = letters.next()?;
        if letter == b')' {
            return Some(Parameters(kinds));
        }
        let kind = letter;
        while letter == b'[' {
            letter = letters.next()?;
        }
        if letter == b'L' {
            letters.by_ref().find(|letter| *letter == b';')?;
        }
        kinds.push(kind);
    }
}

fn one(source: Source) -> Word {
    Some(BTreeSet::from([source]))
}

/// The only source of a word, if it has one.
pub fn only(word: &Word) -> Option<Source> {
    let sources = word.as_ref().filter(|sources| sources.len() == 1)?;
    sources.first().copied()
}

/// The object that a word is.
fn object(word: &Word) -> Option<Object> {
    match only(word)? {
        Source::Parameter(word) => Some(Object::Parameter(word)),
        Source::Got { at, .. } => Some(Object::Result(at)),
        Source::Number(_) => None,
    }
}

impl State {
    fn of(stack: Vec<Word>, locals: Vec<Word>) -> Self {
        Self { stack, locals }
    }

    fn pop(&mut self, words: usize) -> Option<Vec<Word>> {
        let from = self.stack.len().checked_sub(words)?;
        Some(self.stack.split_off(from))
    }

    fn push(&mut self, words: usize) {
        self.stack.resize(self.stack.len() + words, None);
    }

    fn local(&self, index: usize) -> Word {
        self.locals.get(index).cloned().flatten()
    }

    fn set_local(&mut self, index: usize, words: Vec<Word>) {
        let end = index + words.len();
        if self.locals.len() < end {
            self.locals.resize(end, None);
        }
        for (local, word) in self.locals.iter_mut().skip(index).zip(words) {
            *local = word;
        }
    }

    /// Takes in what another way brings; whether that is anything new. `None` if the two have not as much on the stack.
    fn join(&mut self, other: &Self) -> Option<bool> {
        if self.stack.len() != other.stack.len() {
            return None;
        }
        let before = self.clone();
        self.locals.truncate(other.locals.len());
        let mine = self.stack.iter_mut().chain(&mut self.locals);
        for (mine, theirs) in mine.zip(other.stack.iter().chain(&other.locals)) {
            let all = match (mine.take(), theirs) {
                (Some(sources), Some(more)) => Some(sources.union(more).copied().collect::<BTreeSet<_>>()),
                _ => None,
            };
            *mine = all.filter(|all| all.len() <= MOST_SOURCES);
        }
        Some(*self != before)
    }
}

struct Walk<'c> {
    class: &'c Class,
    code: &'c [u8],
    has_loops: bool,
}

impl Walk<'_> {
    /// What is known before each instruction, from what is known before some. Whether control goes back is noted.
    fn settle(&mut self, mut states: BTreeMap<usize, State>) -> Option<BTreeMap<usize, State>> {
        let mut pending: Vec<usize> = states.keys().copied().collect();
        let mut steps = 0;
        // Ends: sources only add up, of which there are so many.
        while let Some(at) = pending.pop() {
            steps += 1;
            if steps > MOST_STEPS {
                return None;
            }
            let mut state = states.get(&at)?.clone();
            for next in self.step(at, &mut state, None)? {
                self.has_loops |= next <= at;
                let is_new = match states.get_mut(&next) {
                    Some(known) => known.join(&state)?,
                    None => states.insert(next, state.clone()).is_none(),
                };
                if is_new {
                    pending.push(next);
                }
            }
        }
        Some(states)
    }

    /// Applies the instruction at this place; where control goes then. What it gives to others goes into `flow`.
    fn step(&self, at: usize, state: &mut State, flow: Option<&mut Flow>) -> Option<Vec<usize>> {
        let mut reader = Reader::new(self.code, at);
        let code = reader.byte()?;
        let mut targets = Vec::new();
        let mut falls = true;
        match code {
            0x02..=0x08 => state.stack.push(one(Source::Number(i32::from(code) - 3))),
            0x10 => {
                let number = i32::from(reader.byte()?.cast_signed());
                state.stack.push(one(Source::Number(number)));
            }
            0x11 => {
                let number = i32::from(reader.short()?.cast_signed());
                state.stack.push(one(Source::Number(number)));
            }
            0x12 => {
                let constant = u16::from(reader.byte()?);
                state.stack.push(self.loaded(constant));
            }
            0x13 => {
                let constant = reader.short()?;
                state.stack.push(self.loaded(constant));
            }
            0x15..=0x19 | 0x36..=0x3a => {
                let local = usize::from(reader.byte()?);
                access(state, code, local)?;
            }
            0x1a..=0x2d => access(state, 0x15 + (code - 0x1a) / 4, usize::from((code - 0x1a) % 4))?,
            0x3b..=0x4e => access(state, 0x36 + (code - 0x3b) / 4, usize::from((code - 0x3b) % 4))?,
            0x59..=0x5f => rearrange(state, code)?,
            0x84 => {
                let local = usize::from(reader.byte()?);
                reader.skip(1)?;
                state.set_local(local, vec![None]);
            }
            0x99..=0xa6 | 0xc6 | 0xc7 => {
                state.pop(if matches!(code, 0x9f..=0xa6) { 2 } else { 1 })?;
                targets.push(target(at, reader.short()?.cast_signed().into())?);
            }
            0xa7 => {
                targets.push(target(at, reader.short()?.cast_signed().into())?);
                falls = false;
            }
            0xc8 => {
                targets.push(target(at, reader.long()?.cast_signed())?);
                falls = false;
            }
            0xaa | 0xab => {
                state.pop(1)?;
                targets.extend(switch(self.code, at)?);
                falls = false;
            }
            0xac..=0xb1 | 0xbf => {
                if let (0xac, Some(flow)) = (code, flow) {
                    flow.returned.extend(state.pop(1)?);
                }
                falls = false;
            }
            0xb2..=0xb5 => {
                let constant = reader.short()?;
                self.variable(code, constant, at, state, flow)?;
            }
            0xb6..=0xba => {
                let constant = reader.short()?;
                reader.skip(if code >= 0xb9 { 2 } else { 0 })?;
                self.call(code, constant, at, state, flow)?;
            }
            0xc4 => {
                let code = reader.byte()?;
                let local = usize::from(reader.short()?);
                match code {
                    0x84 => {
                        reader.skip(2)?;
                        state.set_local(local, vec![None]);
                    }
                    _ => access(state, code, local)?,
                }
            }
            0xc5 => {
                reader.skip(2)?;
                state.pop(usize::from(reader.byte()?))?;
                state.push(1);
            }
            _ => {
                let (pops, pushes) = plain(code)?;
                reader.skip(code::operands(code)?)?;
                state.pop(pops)?;
                state.push(pushes);
            }
        }
        if falls {
            targets.push(reader.at());
        }
        Some(targets)
    }

    fn loaded(&self, constant: u16) -> Word {
        self.class
            .integer(constant)
            .and_then(|number| one(Source::Number(number)))
    }

    /// What an instruction at a place gives of an object.
    fn got(&self, constant: u16, at: usize, of: Option<Object>) -> Word {
        let of = of.filter(|_| !self.has_loops);
        one(Source::Got { constant, at, of })
    }

    fn variable(
        &self,
        code: u8,
        constant: u16,
        at: usize,
        state: &mut State,
        flow: Option<&mut Flow>,
    ) -> Option<()> {
        let words = words_of(*self.class.member(constant)?.descriptor.first()?);
        let is_read = code == 0xb2 || code == 0xb4;
        let stored = if is_read { Vec::new() } else { state.pop(words)? };
        let of = match code {
            0xb4 | 0xb5 => object(state.pop(1)?.first()?),
            _ => None,
        };
        if is_read {
            match words {
                1 => state.stack.push(self.got(constant, at, of)),
                _ => state.push(words),
            }
        } else if let (Some(flow), [word]) = (flow, &stored[..]) {
            flow.stores.push(Store {
                constant,
                word: word.clone(),
                of: of.filter(|_| !self.has_loops),
            });
        }
        Some(())
    }

    fn call(
        &self,
        code: u8,
        constant: u16,
        at: usize,
        state: &mut State,
        flow: Option<&mut Flow>,
    ) -> Option<()> {
        let descriptor = match code {
            0xba => self.class.dynamic_type(constant)?,
            _ => self.class.member(constant)?.descriptor,
        };
        let has_object = !matches!(code, 0xb8 | 0xba);
        let words = parameters(descriptor)?.len_in_words() + usize::from(has_object);
        let words = state.pop(words)?;
        let of = words.first().filter(|_| has_object).and_then(object);
        match words_of(*descriptor.rsplit(|byte| *byte == b')').next()?.first()?) {
            1 if code != 0xba => state.stack.push(self.got(constant, at, of)),
            given => state.push(given),
        }
        if let (Some(flow), true) = (flow, code != 0xba) {
            flow.calls.push(Call { constant, words });
        }
        Some(())
    }
}

/// Loads or stores a local variable: the instruction of the kind that has the number behind it.
fn access(state: &mut State, code: u8, local: usize) -> Option<()> {
    let words = if matches!(code, 0x16 | 0x18 | 0x37 | 0x39) {
        2
    } else {
        1
    };
    match code {
        0x15 | 0x19 => {
            let word = state.local(local);
            state.stack.push(word);
        }
        0x16..=0x18 => state.push(words),
        0x36..=0x3a => {
            let stored = state.pop(words)?;
            state.set_local(local, stored);
        }
        _ => return None,
    }
    Some(())
}

/// `dup` and its like, `swap`: which of the words on top are there again, from the deepest on.
fn rearrange(state: &mut State, code: u8) -> Option<()> {
    let (words, order): (usize, &[usize]) = match code {
        0x59 => (1, &[0, 0]),
        0x5a => (2, &[1, 0, 1]),
        0x5b => (3, &[2, 0, 1, 2]),
        0x5c => (2, &[0, 1, 0, 1]),
        0x5d => (3, &[1, 2, 0, 1, 2]),
        0x5e => (4, &[2, 3, 0, 1, 2, 3]),
        _ => (2, &[1, 0]),
    };
    let taken = state.pop(words)?;
    let again = order.iter().filter_map(|index| taken.get(*index).cloned());
    state.stack.extend(again);
    Some(())
}

/// How many words other instructions take from the stack and put there.
fn plain(code: u8) -> Option<(usize, usize)> {
    // Of four instructions in a row, those for `long` and `double`.
    let wide = |first: u8| (code - first) % 2 == 1;
    let pick = |is_wide: bool, two, one| if is_wide { two } else { one };
    let (pops, pushes) = match code {
        0x00 => (0, 0),
        0x01 | 0x0b..=0x0d => (0, 1),
        0x09 | 0x0a | 0x0e | 0x0f => (0, 2),
        0x14 => (0, 2),
        0x2f | 0x31 => (2, 2),
        0x2e..=0x35 => (2, 1),
        0x50 | 0x52 => (4, 0),
        0x4f..=0x56 => (3, 0),
        0x57 => (1, 0),
        0x58 => (2, 0),
        0x60..=0x73 => pick(wide(0x60), (4, 2), (2, 1)),
        0x74..=0x77 => pick(wide(0x74), (2, 2), (1, 1)),
        0x78..=0x7d => pick(wide(0x78), (3, 2), (2, 1)),
        0x7e..=0x83 => pick(wide(0x7e), (4, 2), (2, 1)),
        0x85 | 0x87 | 0x8c | 0x8d => (1, 2),
        0x86 | 0x8b | 0x91..=0x93 => (1, 1),
        0x88 | 0x89 | 0x8e | 0x90 => (2, 1),
        0x8a | 0x8f => (2, 2),
        0x94 | 0x97 | 0x98 => (4, 1),
        0x95 | 0x96 => (2, 1),
        0xbb => (0, 1),
        0xbc => (1, 1),
        0xbd | 0xc1 => (1, 1),
        0xbe => (1, 1),
        0xc0 => (0, 0),
        0xc2 | 0xc3 => (1, 0),
        _ => return None,
    };
    Some((pops, pushes))
}

fn target(at: usize, distance: i32) -> Option<usize> {
    at.checked_add_signed(isize::try_from(distance).ok()?)
}

/// Where a `tableswitch` or `lookupswitch` goes.
fn switch(code: &[u8], at: usize) -> Option<Vec<usize>> {
    let mut reader = Reader::new(code, at);
    let instruction = reader.byte()?;
    let (otherwise, entries) = code::switch(&mut reader, at, instruction)?;
    let mut targets = vec![target(at, otherwise)?];
    for _ in 0..entries {
        reader.skip(if instruction == code::LOOKUPSWITCH { 4 } else { 0 })?;
        targets.push(target(at, reader.long()?.cast_signed())?);
    }
    Some(targets)
}

#[cfg(test)]
mod tests;
