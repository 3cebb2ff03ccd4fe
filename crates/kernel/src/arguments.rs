//! Arguments of the system calls: names, the width that the kernel reads, and what kind of thing they are.

use crate::tsv;

/// One argument of a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argument {
    /// The name in the kernel's source, e.g. `clone_flags`.
    pub name: &'static str,
    /// How many low bits of the register the kernel reads: 16, 32 or 64. The bits above may be anything.
    pub width: u32,
    /// What it is.
    pub kind: ArgumentKind,
}

/// What an argument is, which decides whether its values can be restricted with profit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ArgumentKind {
    /// One of a list of constants, e.g. the request of `ioctl`.
    Enumeration,
    /// Constants or-ed together, e.g. the flags of `clone`.
    Flags,
    /// A file descriptor.
    Descriptor,
    /// An address of the caller's memory that the kernel reads or writes.
    Pointer,
    /// An address of the caller's memory that the kernel maps or notes.
    Address,
    /// A size or a count.
    Size,
    /// Permission bits of a file.
    Mode,
    /// A process, process group or thread.
    Process,
    /// A user or group.
    User,
    /// Anything else: offsets, times, keys, values whose meaning depends on another argument.
    Number,
}

impl Argument {
    /// The bits that the kernel reads.
    #[must_use]
    pub fn mask(&self) -> u64 {
        u64::MAX >> (u64::BITS - self.width)
    }
}

impl ArgumentKind {
    /// Whether a program uses few and constant values of it, so that restricting them is worth while.
    #[must_use]
    pub fn is_restrictable(self) -> bool {
        matches!(self, Self::Enumeration | Self::Flags)
    }

    /// Whether a constant of it means the same in every run, as none does that is an address.
    #[must_use]
    pub fn is_comparable(self) -> bool {
        !matches!(self, Self::Pointer | Self::Address)
    }
}

/// The arguments of the call with that number, in order; empty if it has none or they are not known.
#[must_use]
pub fn arguments(number: u32) -> &'static [Argument] {
    let start = NUMBERS.partition_point(|row| *row < number);
    let end = NUMBERS.partition_point(|row| *row <= number);
    ARGUMENTS.get(start..end).unwrap_or(&[])
}

/// What the kernel reads of the arguments that are passed to the call with that number, by index; what it does not read
/// is left out.
#[must_use]
pub fn values(number: u32, passed: &[u64]) -> Vec<(u32, u64)> {
    let read = (0..).zip(arguments(number).iter().zip(passed));
    read.map(|(index, (fact, value))| (index, value & fact.mask()))
        .collect()
}

/// Index and mask of the argument of that name; for tables that are read while compiling, which it stops otherwise.
pub(crate) const fn argument_named(number: u32, name: &str) -> (u32, u64) {
    let (mut row, mut end) = (0, COUNT);
    while row < end {
        let middle = row.midpoint(end);
        if NUMBERS[middle] < number {
            row = middle + 1;
        } else {
            end = middle;
        }
    }
    while row < COUNT && NUMBERS[row] == number && !tsv::same(ARGUMENTS[row].name, name) {
        row += 1;
    }
    assert!(
        row < COUNT && NUMBERS[row] == number,
        "a call has no argument of that name"
    );
    (
        tsv::decimal(CELLS[row][2]),
        u64::MAX >> (u64::BITS - ARGUMENTS[row].width),
    )
}

const TEXT: &str = include_str!("../data/x86_64-arguments.tsv");
const COUNT: usize = tsv::count(TEXT);
static CELLS: [[&str; 6]; COUNT] = tsv::rows(TEXT);
static NUMBERS: [u32; COUNT] = numbers();
static ARGUMENTS: [Argument; COUNT] = parse();

const fn numbers() -> [u32; COUNT] {
    let mut numbers = [0; COUNT];
    let mut row = 0;
    while row < COUNT {
        let [number, _, index, ..] = CELLS[row];
        numbers[row] = tsv::decimal(number);
        let follows = row > 0 && numbers[row - 1] == numbers[row];
        let expected = if follows {
            tsv::decimal(CELLS[row - 1][2]) + 1
        } else {
            0
        };
        assert!(
            tsv::decimal(index) == expected,
            "the arguments of a call must be in order"
        );
        assert!(
            row == 0 || numbers[row - 1] <= numbers[row],
            "calls must be sorted by number"
        );
        row += 1;
    }
    numbers
}

const fn parse() -> [Argument; COUNT] {
    let mut table = [Argument {
        name: "",
        width: 0,
        kind: ArgumentKind::Number,
    }; COUNT];
    let mut row = 0;
    while row < COUNT {
        let [_, _, _, name, width, kind] = CELLS[row];
        table[row] = Argument {
            name,
            width: tsv::decimal(width),
            kind: parse_kind(kind),
        };
        row += 1;
    }
    table
}

const fn parse_kind(cell: &str) -> ArgumentKind {
    const KINDS: [(&str, ArgumentKind); 10] = [
        ("enum", ArgumentKind::Enumeration),
        ("flags", ArgumentKind::Flags),
        ("descriptor", ArgumentKind::Descriptor),
        ("pointer", ArgumentKind::Pointer),
        ("address", ArgumentKind::Address),
        ("size", ArgumentKind::Size),
        ("mode", ArgumentKind::Mode),
        ("process", ArgumentKind::Process),
        ("user", ArgumentKind::User),
        ("number", ArgumentKind::Number),
    ];
    let mut at = 0;
    while !tsv::same(KINDS[at].0, cell) {
        at += 1;
        assert!(at < KINDS.len(), "a kind of argument is not known");
    }
    KINDS[at].1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls;

    #[test]
    fn arguments_are_those_of_the_call() {
        for (call, expected) in [
            ("ioctl", "fd:32:Descriptor cmd:32:Enumeration arg:64:Number"),
            (
                "socket",
                "family:32:Enumeration type:32:Flags protocol:32:Enumeration",
            ),
            ("mprotect", "start:64:Address len:64:Size prot:64:Flags"),
            (
                "openat",
                "dfd:32:Descriptor filename:64:Pointer flags:32:Flags mode:16:Mode",
            ),
            ("getpid", ""),
            ("fchroot", ""),
        ] {
            let number = calls::call_named(call).unwrap().number;
            let shown: Vec<String> = arguments(number)
                .iter()
                .map(|argument| format!("{}:{}:{:?}", argument.name, argument.width, argument.kind))
                .collect();
            assert_eq!(shown.join(" "), expected, "{call}");
        }
    }

    #[test]
    fn every_row_is_well_formed() {
        for [number, call, index, _, width, _] in CELLS {
            assert_eq!(calls::name(tsv::decimal(number)), Some(call));
            assert!(
                tsv::decimal(index) < 6,
                "{call}: the kernel passes at most six arguments"
            );
            assert!(["16", "32", "64"].contains(&width), "{call}: {width} bits");
        }
        assert!(ArgumentKind::Flags.is_restrictable() && !ArgumentKind::Size.is_restrictable());
        assert!(ArgumentKind::Size.is_comparable() && !ArgumentKind::Pointer.is_comparable());
    }
}
