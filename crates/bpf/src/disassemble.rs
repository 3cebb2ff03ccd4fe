//! Filters as text: in the language of the kernel's assembler `bpf_asm`, as an array of C, and with comments that say what
//! is compared and which calls get there.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use confine_policy::ARGUMENTS;

use crate::data::{ARCHITECTURE, AUDIT_ARCH_X86_64, FIRST_ARGUMENT, NUMBER, SIZE};
use crate::interpret::settled;
use crate::{Action, Filter, Instruction};

/// How many calls a comment names.
const NAMED: usize = 6;

/// Where comments begin.
const COLUMN: usize = 40;

/// The filter in the language of `bpf_asm`, one instruction a line, with labels where jumps lead.
#[must_use]
pub fn assembly(filter: &Filter) -> String {
    lines(filter, &vec![String::new(); filter.instructions().len()])
}

/// The same with comments.
#[must_use]
pub fn disassemble(filter: &Filter) -> String {
    let known = held(filter);
    let visitors = visitors(filter);
    let instructions = filter.instructions().iter().enumerate();
    let comments: Vec<String> = instructions
        .map(|(at, instruction)| {
            let calls = visitors.get(&at).map_or(&[][..], Vec::as_slice);
            let held = known.get(at).copied().unwrap_or_default();
            comment(instruction, held, calls)
        })
        .collect();
    lines(filter, &comments)
}

/// The filter as the elements of an array of `struct sock_filter` in C.
#[must_use]
pub fn c_array(filter: &Filter) -> String {
    let mut text = String::new();
    for Instruction { code, jt, jf, k } in filter.instructions() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{{ 0x{code:02x}, {jt}, {jf}, 0x{k:08x} }},");
    }
    text
}

fn lines(filter: &Filter, comments: &[String]) -> String {
    let mut text = String::new();
    for (at, (instruction, comment)) in filter.instructions().iter().zip(comments).enumerate() {
        let line = format!(
            "l{at}:{:pad$}{}",
            "",
            mnemonic(at, instruction),
            pad = 6 - at.to_string().len().min(5)
        );
        let _ = match comment.as_str() {
            "" => writeln!(text, "{line}"),
            comment => writeln!(text, "{line:COLUMN$}; {comment}"),
        };
    }
    text
}

fn mnemonic(at: usize, instruction: &Instruction) -> String {
    let Instruction { code, jt, jf, k } = *instruction;
    let label = |distance: usize| format!("l{}", at + 1 + distance);
    let operand = if code & 0x08 == 0 {
        format!("#{k:#x}")
    } else {
        "x".to_owned()
    };
    let branches = format!("{operand}, {}, {}", label(jt.into()), label(jf.into()));
    match code {
        0x06 => format!("ret #{k:#x}"),
        0x16 => "ret a".to_owned(),
        0x20 => format!("ld [{k}]"),
        0x80 => "ld #len".to_owned(),
        0x81 => "ldx #len".to_owned(),
        0x00 => format!("ld #{k:#x}"),
        0x01 => format!("ldx #{k:#x}"),
        0x60 => format!("ld M[{k}]"),
        0x61 => format!("ldx M[{k}]"),
        0x02 => format!("st M[{k}]"),
        0x03 => format!("stx M[{k}]"),
        0x07 => "tax".to_owned(),
        0x87 => "txa".to_owned(),
        0x84 => "neg".to_owned(),
        0x05 => format!("jmp {}", label(k as usize)),
        0x15 | 0x1d => format!("jeq {branches}"),
        0x25 | 0x2d => format!("jgt {branches}"),
        0x35 | 0x3d => format!("jge {branches}"),
        0x45 | 0x4d => format!("jset {branches}"),
        _ => {
            let operation = match code & 0xf0 {
                0x00 => "add",
                0x10 => "sub",
                0x20 => "mul",
                0x30 => "div",
                0x40 => "or",
                0x50 => "and",
                0x60 => "lsh",
                0x70 => "rsh",
                _ => "xor",
            };
            format!("{operation} {operand}")
        }
    }
}

/// A word of the call's data, and the bits of it, that the accumulator holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    offset: u32,
    mask: u32,
}

/// What the accumulator holds before each instruction, where it is the same on every way.
fn held(filter: &Filter) -> Vec<Option<Held>> {
    // Outer: no way was found yet. Jumps only go forwards, so that one pass sees every way before it is needed.
    let mut before: Vec<Option<Option<Held>>> = vec![None; filter.instructions().len()];
    if let Some(first) = before.first_mut() {
        *first = Some(None);
    }
    for (at, instruction) in filter.instructions().iter().enumerate() {
        let Some(here) = before.get(at).copied().flatten() else {
            continue;
        };
        let k = instruction.k;
        let after = match instruction.code {
            0x20 => Some(Held {
                offset: k,
                mask: u32::MAX,
            }),
            0x54 => here.map(|held| Held {
                mask: held.mask & k,
                ..held
            }),
            code if changes_accumulator(code) => None,
            _ => here,
        };
        let distances = match instruction.code {
            0x06 | 0x16 => [None; 2],
            0x05 => [Some(k as usize), None],
            code if code & 7 == 5 => [Some(instruction.jt.into()), Some(instruction.jf.into())],
            _ => [Some(0), None],
        };
        for distance in distances.into_iter().flatten() {
            if let Some(slot) = before.get_mut(at + 1 + distance) {
                *slot = Some(match *slot {
                    Some(other) if other != after => None,
                    _ => after,
                });
            }
        }
    }
    before.into_iter().map(Option::flatten).collect()
}

/// Arithmetic, and loads that are not of the call's data.
fn changes_accumulator(code: u16) -> bool {
    matches!(code & 7, 0 | 4) || code == 0x87
}

/// For each instruction the calls of x86-64 for which it is the first that does not only depend on the number.
fn visitors(filter: &Filter) -> BTreeMap<usize, Vec<&'static str>> {
    let mut visitors: BTreeMap<usize, Vec<&'static str>> = BTreeMap::new();
    for call in confine_kernel::calls() {
        if let Some(at) = settled(filter, AUDIT_ARCH_X86_64, call.number) {
            visitors.entry(at).or_default().push(call.name);
        }
    }
    visitors
}

fn comment(instruction: &Instruction, held: Option<Held>, calls: &[&str]) -> String {
    let k = instruction.k;
    let about = match instruction.code {
        0x20 => word(k, calls),
        0x06 => Action::from_word(k).to_string(),
        0x15 | 0x25 | 0x35 | 0x45 => held.map_or_else(String::new, |held| compared(instruction, held)),
        _ => String::new(),
    };
    if calls.is_empty() {
        return about;
    }
    let mut names = calls.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    if calls.len() > NAMED {
        let _ = write!(names, " and {} more", calls.len() - NAMED);
    }
    match about.as_str() {
        "" => names,
        about => format!("{about}: {names}"),
    }
}

/// What stands at an offset of the call's data; arguments by name where all calls that get there agree about it.
fn word(offset: u32, calls: &[&str]) -> String {
    match offset {
        NUMBER => return "number".to_owned(),
        ARCHITECTURE => return "architecture".to_owned(),
        _ => {}
    }
    let half = if offset.is_multiple_of(8) {
        ""
    } else {
        ", upper half"
    };
    let Some(index) = offset
        .checked_sub(FIRST_ARGUMENT)
        .map(|behind| behind / 8)
        .filter(|_| offset < SIZE)
    else {
        return format!("instruction pointer{half}");
    };
    debug_assert!((index as usize) < ARGUMENTS);
    let name = |call: &&str| {
        let call = confine_kernel::call_named(call)?;
        confine_kernel::arguments(call.number)
            .get(index as usize)
            .map(|fact| fact.name)
    };
    let mut names = calls.iter().map(name);
    match names
        .next()
        .flatten()
        .filter(|first| names.all(|name| name == Some(first)))
    {
        Some(name) => format!("argument {index}, {name}{half}"),
        None => format!("argument {index}{half}"),
    }
}

fn compared(instruction: &Instruction, held: Held) -> String {
    let k = instruction.k;
    match (held.offset, instruction.code) {
        (ARCHITECTURE, 0x15) if k == AUDIT_ARCH_X86_64 => "x86-64".to_owned(),
        (NUMBER, 0x15) => confine_kernel::name(k).unwrap_or_default().to_owned(),
        (NUMBER, 0x25 | 0x35) => {
            let sign = if instruction.code == 0x25 { ">" } else { ">=" };
            confine_kernel::name(k).map_or_else(String::new, |name| format!("{sign} {name}"))
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use confine_policy::{Architecture, Conjunction, Masked, Policy, Rule};

    use super::*;
    use crate::{Options, compile};

    #[test]
    fn text_says_what_is_compared() {
        let mut policy = Policy::new();
        policy.allow(Architecture::X86_64, 0, &Rule::any());
        let request = Conjunction::one(1, Masked::new(0xffff_ffff, 0x5401)).unwrap();
        policy.allow(Architecture::X86_64, 16, &Rule::from(request));
        let options = Options {
            weights: [(0, 9), (16, 3)].into_iter().collect(),
            ..Options::default()
        };
        let filters = compile(&policy, &options).unwrap();
        let [filter] = filters.as_slice() else {
            panic!("{filters:?}")
        };
        let shown = disassemble(filter);
        let expected = [
            "l0: ld [4] ; architecture",
            "l1: jeq #0xc000003e, l2, l7 ; x86-64",
            "l2: ld [0] ; number",
            "l3: jeq #0x0, l8, l4 ; read",
            "l4: jeq #0x10, l5, l7 ; ioctl",
            "l5: ld [24] ; argument 1, cmd: ioctl",
            "l6: jeq #0x5401, l8, l7",
            "l7: ret #0x50026 ; ERRNO(38): write, open, close, stat, fstat, lstat and",
            "l8: ret #0x7fff0000 ; ALLOW: read",
        ];
        for (line, expected) in shown.lines().zip(expected) {
            let words: Vec<&str> = line.split_whitespace().collect();
            assert!(words.join(" ").starts_with(expected), "{shown}");
        }
        assert_eq!(shown.lines().count(), expected.len());
        assert!(assembly(filter).starts_with("l0:     ld [4]\nl1:     jeq #0xc000003e, l2, l7\n"));
        assert!(c_array(filter).starts_with("{ 0x20, 0, 0, 0x00000004 },\n{ 0x15, 0, 5, 0xc000003e },\n"));
    }
}
