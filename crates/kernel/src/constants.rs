//! Named constants that arguments of system calls can have: from a name to its value, and from a value to its names.
//!
//! An argument consists of parts (`x86_64-constant-groups.tsv`): it is one constant of a group as a whole, or some of its
//! bits are, or constants of a group are or-ed together. Some parts hold only beside a value of another argument, as the
//! options of a socket's level. Names are for people: nothing is decided by them.

use crate::arguments::{Argument, arguments};
use crate::{calls, tsv};

/// What a name means as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// The argument's value, or those bits of it.
    pub value: u64,
    /// The other argument, by index, and its value, beside which alone the name means that; `None` if it does beside
    /// any or beside several.
    pub beside: Option<(u32, u64)>,
}

/// A value of an argument of which maybe not all bits are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The value; zero where nothing is known.
    pub value: u64,
    /// The bits that are known.
    pub mask: u64,
}

impl From<u64> for Known {
    fn from(value: u64) -> Self {
        Self {
            value,
            mask: u64::MAX,
        }
    }
}

/// What a name means as the argument with that index of the call with that number; `None` if it is no name of it.
#[must_use]
pub fn constant_named(call: u32, index: u32, name: &str) -> Option<Meaning> {
    let mut found = parts(call, index).filter_map(|part| {
        let constant = group(part.group).iter().find(|constant| constant.name == name)?;
        Some(Meaning {
            value: constant.value & argument(call, index)?.mask(),
            beside: part.beside(call),
        })
    });
    let first = found.next()?;
    let alone = found.all(|other| other.beside == first.beside);
    Some(Meaning {
        beside: first.beside.filter(|_| alone),
        ..first
    })
}

/// Every name that the argument can have, beside whatever others.
pub fn constant_names(call: u32, index: u32) -> impl Iterator<Item = &'static str> {
    parts(call, index).flat_map(|part| group(part.group).iter().map(|constant| constant.name))
}

/// Whether constants are put together to make a value of the argument; otherwise it is a single one.
#[must_use]
pub fn constants_combine(call: u32, index: u32) -> bool {
    parts(call, index).any(|part| !matches!(part.how, How::Whole))
}

/// The names of a value, or-ed together with what has none: `O_RDWR|O_CREAT|0x4000000`; the number if nothing of it has a
/// name. `beside` has those other arguments of the call that are known, by index.
///
/// Of several constants with one value the table's first is named. Of those that are or-ed together the ones with
/// the most bits go first, then the lower ones. Zero is named only where a group has a name for it.
#[must_use]
pub fn describe(call: u32, index: u32, known: impl Into<Known>, beside: &[(u32, u64)]) -> String {
    let Known { value, mask } = known.into();
    let bits = argument(call, index).map_or(u64::MAX, Argument::mask);
    let value = value & mask & bits;
    let all = |bits: u64| mask & bits == bits;
    let parts = parts(call, index).filter(|part| part.beside(call).is_none_or(|one| beside.contains(&one)));
    let parts: Vec<&Part> = parts.collect();
    let mut rest = value;
    let mut names: Vec<Vec<&str>> = vec![Vec::new(); parts.len()];
    for (part, names) in parts.iter().zip(&mut names) {
        let field = match part.how {
            How::Whole => bits,
            How::Bits(field) => field & bits,
            How::Flags => continue,
        };
        if all(field)
            && rest & field == value & field
            && let Some(constant) = group(part.group)
                .iter()
                .find(|constant| constant.value & bits == value & field)
        {
            names.push(constant.name);
            rest &= !field;
        }
    }
    for (part, names) in parts.iter().zip(&mut names) {
        if matches!(part.how, How::Flags) {
            *names = take_flags(group(part.group), &mut rest);
        }
    }
    if value == 0 && all(bits) && names.iter().all(Vec::is_empty) {
        let zero = parts.iter().filter(|part| matches!(part.how, How::Flags));
        let mut zero = zero
            .flat_map(|part| group(part.group))
            .filter(|constant| constant.value == 0);
        return zero
            .next()
            .map_or_else(|| number(0), |constant| constant.name.to_owned());
    }
    let mut words: Vec<String> = names.concat().into_iter().map(str::to_owned).collect();
    if words.is_empty() || rest != 0 {
        words.push(number(rest));
    }
    words.join("|")
}

/// The names of bits of an argument that are compared, where each is a flag of its own; the number otherwise.
#[must_use]
pub fn describe_mask(call: u32, index: u32, mask: u64) -> String {
    let mut fields = parts(call, index).map(|part| part.how);
    let in_field = fields.any(|how| match how {
        How::Whole => true,
        How::Bits(field) => field & mask != 0,
        How::Flags => false,
    });
    match in_field {
        true => number(mask),
        false => describe(call, index, Known { value: mask, mask }, &[]),
    }
}

/// The names of flags in ascending order, whose bits are taken out of `rest`.
fn take_flags(group: &'static [Constant], rest: &mut u64) -> Vec<&'static str> {
    let mut by_bits: Vec<&Constant> = group.iter().filter(|constant| constant.value != 0).collect();
    by_bits.sort_by_key(|constant| std::cmp::Reverse(constant.value.count_ones()));
    let mut taken: Vec<&Constant> = Vec::new();
    for constant in by_bits {
        if *rest & constant.value == constant.value {
            *rest &= !constant.value;
            taken.push(constant);
        }
    }
    taken.sort_by_key(|constant| constant.value);
    taken.into_iter().map(|constant| constant.name).collect()
}

fn number(value: u64) -> String {
    match value {
        0 => "0".to_owned(),
        value => format!("{value:#x}"),
    }
}

#[derive(Debug, Clone, Copy)]
struct Constant {
    name: &'static str,
    value: u64,
}

/// What an argument, or a part of it, consists of.
#[derive(Debug, Clone, Copy)]
struct Part {
    call: &'static str,
    argument: &'static str,
    how: How,
    when: &'static str,
    group: &'static str,
}

#[derive(Debug, Clone, Copy)]
enum How {
    /// The argument is one constant.
    Whole,
    /// These bits of it are one constant.
    Bits(u64),
    /// Constants are or-ed together.
    Flags,
}

impl Part {
    /// The argument, by index, and its value beside which the part holds; `None` if it does beside any.
    fn beside(&self, call: u32) -> Option<(u32, u64)> {
        let (name, constant) = self.when.split_once('=')?;
        let (index, _) = (0..)
            .zip(arguments(call))
            .find(|(_, argument)| argument.name == name)?;
        Some((index, constant_named(call, index, constant)?.value))
    }
}

fn argument(call: u32, index: u32) -> Option<&'static Argument> {
    arguments(call).get(usize::try_from(index).ok()?)
}

fn parts(call: u32, index: u32) -> impl Iterator<Item = &'static Part> {
    let name = argument(call, index).map(|argument| argument.name);
    let call = calls::name(call);
    PARTS
        .iter()
        .filter(move |part| call == Some(part.call) && name == Some(part.argument))
}

/// The constants of a group; none if there is no such group.
fn group(name: &str) -> &'static [Constant] {
    let start = CELLS.partition_point(|[group, ..]| *group < name);
    let end = CELLS.partition_point(|[group, ..]| *group <= name);
    CONSTANTS.get(start..end).unwrap_or(&[])
}

/// The value of an argument's constant, beside whatever others; for tables that are read while compiling, which it stops
/// if there is none.
pub(crate) const fn value_named(call: &str, argument: &str, name: &str) -> u64 {
    let mut part = 0;
    loop {
        assert!(part < PART_COUNT, "an argument has no constant of that name");
        let Part { group, .. } = PARTS[part];
        if tsv::same(PARTS[part].call, call) && tsv::same(PARTS[part].argument, argument) {
            let mut row = first_of(group);
            while row < COUNT && tsv::same(CELLS[row][0], group) {
                if tsv::same(CONSTANTS[row].name, name) {
                    return CONSTANTS[row].value;
                }
                row += 1;
            }
        }
        part += 1;
    }
}

/// The first row of a group, or of the one behind where it would be.
const fn first_of(group: &str) -> usize {
    let (mut low, mut high) = (0, COUNT);
    while low < high {
        let middle = low.midpoint(high);
        if tsv::ordered(group, CELLS[middle][0]) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

const TEXT: &str = include_str!("../data/x86_64-constants.tsv");
const COUNT: usize = tsv::count(TEXT);
static CELLS: [[&str; 3]; COUNT] = tsv::rows(TEXT);
static CONSTANTS: [Constant; COUNT] = parse_constants();

const PART_TEXT: &str = include_str!("../data/x86_64-constant-groups.tsv");
const PART_COUNT: usize = tsv::count(PART_TEXT);
static PARTS: [Part; PART_COUNT] = parse_parts();

const fn parse_constants() -> [Constant; COUNT] {
    let mut table = [Constant { name: "", value: 0 }; COUNT];
    let mut row = 0;
    while row < COUNT {
        let [group, name, value] = CELLS[row];
        let value = tsv::hexadecimal(value);
        if row > 0 {
            let before = CELLS[row - 1][0];
            assert!(tsv::ordered(before, group), "groups must be sorted by name");
            assert!(
                !tsv::same(before, group) || table[row - 1].value <= value,
                "the constants of a group must be sorted by value"
            );
        }
        table[row] = Constant { name, value };
        row += 1;
    }
    table
}

const fn parse_parts() -> [Part; PART_COUNT] {
    let cells: [[&str; 5]; PART_COUNT] = tsv::rows(PART_TEXT);
    let mut table = [Part {
        call: "",
        argument: "",
        how: How::Whole,
        when: "",
        group: "",
    }; PART_COUNT];
    let mut row = 0;
    while row < PART_COUNT {
        let [call, argument, how, when, group] = cells[row];
        let how = if tsv::same(how, "whole") {
            How::Whole
        } else if tsv::same(how, "flags") {
            How::Flags
        } else {
            How::Bits(tsv::hexadecimal(how))
        };
        table[row] = Part {
            call,
            argument,
            how,
            when,
            group,
        };
        row += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(call: &str, name: &str) -> (u32, u32) {
        let number = calls::call_named(call).unwrap().number;
        let mut named = (0..)
            .zip(arguments(number))
            .filter(|(_, argument)| argument.name == name);
        (number, named.next().unwrap().0)
    }

    #[test]
    fn names_have_values() {
        let known = |value| Some(Meaning { value, beside: None });
        let beside = |value, index, other| {
            Some(Meaning {
                value,
                beside: Some((index, other)),
            })
        };
        for (call, argument, name, expected) in [
            ("ioctl", "cmd", "TCGETS", known(0x5401)),
            ("ioctl", "cmd", "FIONREAD", known(0x541b)),
            ("ioctl", "cmd", "TIOCINQ", known(0x541b)),
            ("ioctl", "cmd", "tcgets", None),
            ("ioctl", "fd", "TCGETS", None),
            ("fcntl", "cmd", "F_DUPFD_CLOEXEC", known(1030)),
            ("socket", "family", "AF_LOCAL", known(1)),
            ("socket", "protocol", "IPPROTO_TCP", known(6)),
            ("socket", "protocol", "NETLINK_ROUTE", beside(0, 0, 16)),
            ("setsockopt", "level", "IPPROTO_TCP", known(6)),
            ("setsockopt", "level", "SOL_TCP", known(6)),
            ("setsockopt", "optname", "SO_REUSEADDR", beside(2, 1, 1)),
            ("setsockopt", "optname", "TCP_MAXSEG", beside(2, 1, 6)),
            ("setsockopt", "optname", "IP_TTL", beside(2, 1, 0)),
            ("setsockopt", "optname", "IPV6_V6ONLY", beside(26, 1, 41)),
            ("setsockopt", "optname", "MCAST_JOIN_GROUP", known(42)),
            ("futex", "op", "FUTEX_WAIT_PRIVATE", known(0x80)),
            ("clone", "clone_flags", "SIGCHLD", known(17)),
            ("getrusage", "who", "RUSAGE_CHILDREN", known(0xffff_ffff)),
            ("keyctl", "option", "KEYCTL_READ", known(11)),
            ("bpf", "cmd", "BPF_PROG_LOAD", known(5)),
            ("syslog", "type", "SYSLOG_ACTION_READ_ALL", known(3)),
        ] {
            let (number, index) = place(call, argument);
            assert_eq!(constant_named(number, index, name), expected, "{call} {name}");
        }
        assert_eq!(constant_named(0, 7, "TCGETS"), None);
    }

    #[test]
    fn values_have_names() {
        for (call, argument, value, expected) in [
            ("ioctl", "cmd", 0x5401, "TCGETS"),
            ("ioctl", "cmd", 0xffff_ffff_0000_5401, "TCGETS"),
            ("ioctl", "cmd", 0x541b, "FIONREAD"),
            ("ioctl", "cmd", 0x1234_5678, "0x12345678"),
            ("socket", "family", 1, "AF_UNIX"),
            ("socket", "family", 0, "AF_UNSPEC"),
            ("socket", "type", 0x8_0001, "SOCK_STREAM|SOCK_CLOEXEC"),
            ("socket", "type", 2, "SOCK_DGRAM"),
            ("socket", "type", 0x8_000f, "SOCK_CLOEXEC|0xf"),
            ("setsockopt", "level", 6, "IPPROTO_TCP"),
            ("setsockopt", "level", 1, "SOL_SOCKET"),
            ("setsockopt", "optname", 2, "0x2"),
            ("openat", "flags", 0, "O_RDONLY"),
            ("openat", "flags", 0x8_0000, "O_RDONLY|O_CLOEXEC"),
            ("openat", "flags", 0x42, "O_RDWR|O_CREAT"),
            ("openat", "flags", 0x10_1041, "O_WRONLY|O_CREAT|O_SYNC"),
            ("openat", "flags", 0x41_0002, "O_RDWR|O_TMPFILE"),
            ("openat", "flags", 0x4000_0042, "O_RDWR|O_CREAT|0x40000000"),
            ("openat", "flags", 3, "0x3"),
            ("mmap", "prot", 0, "PROT_NONE"),
            ("mmap", "prot", 5, "PROT_READ|PROT_EXEC"),
            ("mmap", "flags", 0x22, "MAP_PRIVATE|MAP_ANONYMOUS"),
            (
                "mmap",
                "flags",
                0x5404_0022,
                "MAP_PRIVATE|MAP_ANONYMOUS|MAP_HUGETLB|MAP_HUGE_2MB",
            ),
            ("clone", "clone_flags", 17, "SIGCHLD"),
            ("clone", "clone_flags", 0x4111, "CLONE_VM|CLONE_VFORK|SIGCHLD"),
            ("clone", "clone_flags", 0, "0"),
            ("unshare", "unshare_flags", 0x2_0080, "CLONE_NEWTIME|CLONE_NEWNS"),
            ("futex", "op", 0x80, "FUTEX_WAIT|FUTEX_PRIVATE_FLAG"),
            (
                "futex",
                "op",
                0x189,
                "FUTEX_WAIT_BITSET|FUTEX_PRIVATE_FLAG|FUTEX_CLOCK_REALTIME",
            ),
            ("access", "mode", 0, "F_OK"),
            ("access", "mode", 6, "W_OK|R_OK"),
            ("flock", "cmd", 6, "LOCK_EX|LOCK_NB"),
            ("statx", "mask", 0xfff, "STATX_ALL"),
            ("statx", "mask", 0x17ff, "STATX_BASIC_STATS|STATX_MNT_ID"),
            ("quotactl", "cmd", 0x8000_0701, "Q_GETQUOTA|GRPQUOTA"),
            ("mount", "flags", 0xc0ed_1000, "MS_BIND|MS_MGC_VAL"),
            ("getrusage", "who", u64::MAX, "RUSAGE_CHILDREN"),
            ("renameat2", "flags", 0, "0"),
            ("mseal", "flags", 4, "0x4"),
            ("kill", "sig", 9, "SIGKILL"),
        ] {
            let (number, index) = place(call, argument);
            assert_eq!(describe(number, index, value, &[]), expected, "{call} {value:#x}");
        }
    }

    #[test]
    fn other_arguments_choose_the_group() {
        for (level, option, expected) in [
            (1, 2, "SO_REUSEADDR"),
            (6, 2, "TCP_MAXSEG"),
            (0, 2, "IP_TTL"),
            (41, 26, "IPV6_V6ONLY"),
            (1, 20, "SO_RCVTIMEO"),
            (77, 2, "0x2"),
        ] {
            let (number, index) = place("setsockopt", "optname");
            assert_eq!(
                describe(number, index, option, &[(1, level)]),
                expected,
                "{level}"
            );
        }
        let (number, index) = place("getsockopt", "optname");
        assert_eq!(describe(number, index, 64, &[(1, 0)]), "IPT_SO_GET_INFO");
    }

    #[test]
    fn bits_that_are_not_known_name_nothing() {
        for (call, argument, value, mask, expected) in [
            ("mmap", "prot", 0, 4, "0"),
            ("mmap", "prot", 4, 4, "PROT_EXEC"),
            ("openat", "flags", 0x40, 0x40, "O_CREAT"),
            ("openat", "flags", 1, 3, "O_WRONLY"),
            ("openat", "flags", 1, 1, "0x1"),
            ("ioctl", "cmd", 0x5401, 0xffff, "0x5401"),
        ] {
            let (number, index) = place(call, argument);
            let known = Known { value, mask };
            assert_eq!(describe(number, index, known, &[]), expected, "{call} {value:#x}");
        }
        for (call, argument, mask, expected) in [
            ("mmap", "prot", 6, "PROT_WRITE|PROT_EXEC"),
            ("openat", "flags", 3, "0x3"),
            ("openat", "flags", 0x40, "O_CREAT"),
            ("ioctl", "cmd", 0xff, "0xff"),
        ] {
            let (number, index) = place(call, argument);
            assert_eq!(describe_mask(number, index, mask), expected, "{call} {mask:#x}");
        }
    }

    #[test]
    fn constants_are_put_together_where_they_can_be() {
        for (call, argument, expected) in [
            ("ioctl", "cmd", false),
            ("mmap", "prot", true),
            ("socket", "type", true),
        ] {
            let (number, index) = place(call, argument);
            assert_eq!(constants_combine(number, index), expected, "{call}");
        }
    }

    #[test]
    fn every_part_is_of_an_argument_and_has_constants() {
        for part in &PARTS {
            let (number, index) = place(part.call, part.argument);
            let kind = argument(number, index).unwrap().kind;
            assert!(kind.is_restrictable(), "{part:?}");
            assert!(!group(part.group).is_empty(), "{part:?}");
            assert!(part.when == "-" || part.beside(number).is_some(), "{part:?}");
            for constant in group(part.group) {
                let meaning = constant_named(number, index, constant.name).unwrap();
                let value = constant.value & argument(number, index).unwrap().mask();
                assert_eq!(meaning.value, value, "{part:?} {constant:?} has two meanings");
                assert!(constant_names(number, index).any(|name| name == constant.name));
            }
        }
        for [name, ..] in CELLS {
            assert!(
                PARTS.iter().any(|part| part.group == name),
                "{name} belongs to no argument"
            );
        }
    }

    #[test]
    fn what_is_described_means_the_value() {
        for part in &PARTS {
            let (number, index) = place(part.call, part.argument);
            let beside: Vec<(u32, u64)> = part.beside(number).into_iter().collect();
            for constant in group(part.group) {
                let value = constant.value & argument(number, index).unwrap().mask();
                let text = describe(number, index, value, &beside);
                let words = text
                    .split('|')
                    .map(|word| match constant_named(number, index, word) {
                        Some(meaning) => meaning.value,
                        None => u64::from_str_radix(word.trim_start_matches("0x"), 16).unwrap(),
                    });
                assert_eq!(words.fold(0, |all, word| all | word), value, "{part:?}: {text}");
            }
        }
    }
}
