//! System calls of x86-64: numbers, names and the kernel versions that brought them.

use crate::{KernelVersion, tsv};

/// The kernel version whose headers the table is taken from.
pub const LINUX_VERSION: &str = "7.3.4";

/// One system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SystemCall {
    /// The number in `rax`, without the bit that selects x32.
    pub number: u32,
    /// The name in the kernel's headers, e.g. `openat`.
    pub name: &'static str,
    /// The first kernel version that has it; 5.0 stands for itself and everything earlier.
    pub since: KernelVersion,
}

/// Calls that are older than this are said to be of this version.
const OLDEST: KernelVersion = KernelVersion([5, 0, 0]);

/// Every system call of x86-64, by number.
#[must_use]
pub fn calls() -> &'static [SystemCall] {
    &CALLS
}

/// The call with that number.
#[must_use]
pub fn call(number: u32) -> Option<&'static SystemCall> {
    CALLS
        .binary_search_by_key(&number, |call| call.number)
        .ok()
        .and_then(|at| CALLS.get(at))
}

/// The call with that name.
#[must_use]
pub fn call_named(name: &str) -> Option<&'static SystemCall> {
    CALLS.iter().find(|call| call.name == name)
}

/// Whether control comes back behind the instruction that makes the call: not from `rt_sigreturn`, which goes to where
/// a signal interrupted, nor from `exit` and `exit_group` (kernel/exit.c, arch/x86/kernel/signal_64.c). The kernel looks
/// at the low 32 bits of a number.
#[must_use]
pub fn returns(number: u64) -> bool {
    !matches!(number & 0xffff_ffff, 15 | 60 | 231)
}

/// Whether no Linux has a call of that number, and none comes close to it: the kernel answers that there is no such call,
/// and so does a container's profile. x86-64's own calls end below 512, those that only x32 has below 548
/// (arch/x86/entry/syscalls/syscall_64.tbl); with the bit that selects x32 a number is another table's.
#[must_use]
pub fn is_beyond_tables(number: u32) -> bool {
    (548..0x4000_0000).contains(&number)
}

/// The name of the call with that number.
#[must_use]
pub fn name(number: u32) -> Option<&'static str> {
    call(number).map(|call| call.name)
}

/// Whether Linux 5.4 has the call: 347 calls do.
#[must_use]
pub fn in_linux_5_4(number: u32) -> bool {
    call(number).is_some_and(|call| call.since <= KernelVersion([5, 4, 0]))
}

/// Whether the call is one of the 335 that published figures for Linux 5.4 count.
///
/// x86-64 numbers its calls without a gap from 0 to 334, then goes on at 424 with those that all architectures
/// number alike; the figures count up to the gap.
#[must_use]
pub fn in_published_table(number: u32) -> bool {
    number <= 334
}

/// The calls that published figures for Linux 5.4 count.
pub fn published_table() -> impl Iterator<Item = &'static SystemCall> {
    calls().iter().filter(|call| in_published_table(call.number))
}

/// The call with that name; for tables that are read while compiling, which it stops if there is none.
pub(crate) const fn known_call(name: &str) -> &'static SystemCall {
    let mut row = 0;
    while !tsv::same(CALLS[row].name, name) {
        row += 1;
        assert!(row < COUNT, "no call has that name");
    }
    &CALLS[row]
}

const TEXT: &str = include_str!("../data/x86_64-calls.tsv");
const COUNT: usize = tsv::count(TEXT);
static CALLS: [SystemCall; COUNT] = parse();

const fn parse() -> [SystemCall; COUNT] {
    let cells = tsv::rows::<COUNT, 3>(TEXT);
    let mut table = [SystemCall {
        number: 0,
        name: "",
        since: OLDEST,
    }; COUNT];
    let mut row = 0;
    while row < COUNT {
        let [number, name, since] = cells[row];
        table[row] = SystemCall {
            number: tsv::decimal(number),
            name,
            since: match since.as_bytes() {
                b"-" => OLDEST,
                _ => KernelVersion::parse(since),
            },
        };
        assert!(
            row == 0 || table[row - 1].number < table[row].number,
            "calls must be sorted by number"
        );
        row += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn numbers_and_names_find_each_other() {
        for (number, expected) in [
            (0, Some("read")),
            (334, Some("rseq")),
            (337, None),
            (435, Some("clone3")),
        ] {
            assert_eq!(name(number), expected, "{number}");
        }
        for call in calls() {
            assert_eq!(call_named(call.name), Some(call));
        }
        assert_eq!(call_named("no_such_call"), None);
    }

    #[test]
    fn tables_of_linux_5_4_have_their_sizes() {
        let count = |has: fn(u32) -> bool| calls().iter().filter(|call| has(call.number)).count();
        assert_eq!(count(in_linux_5_4), 347);
        assert_eq!(count(in_published_table), 335);
        assert_eq!(
            call_named("openat2")
                .map(|call| call.since.to_string())
                .as_deref(),
            Some("5.6")
        );
    }

    /// The installed headers may be of an older kernel, which has fewer calls but no other ones.
    #[test]
    fn agrees_with_the_installed_headers() {
        let Ok(header) = std::fs::read_to_string("/usr/include/x86_64-linux-gnu/asm/unistd_64.h") else {
            eprintln!("skipped: the package linux-libc-dev is not installed");
            return;
        };
        let installed: BTreeMap<u32, &str> = header
            .lines()
            .filter_map(|line| line.strip_prefix("#define __NR_")?.split_once(' '))
            .map(|(name, number)| (number.trim().parse().unwrap(), name))
            .collect();
        assert!(installed.len() > 300, "the header was not understood");
        for (number, expected) in &installed {
            assert_eq!(
                name(*number),
                Some(*expected),
                "the table is older than the installed header"
            );
        }
    }
}
