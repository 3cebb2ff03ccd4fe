//! What the engine's default profile allows: the bound to which an open call number widens a policy.
//!
//! With `clone3` missing on purpose: that profile answers it with ENOSYS, which is what confine's policies
//! answer to every call that they do not allow.

use crate::calls::known_call;
use crate::{SystemCall, tsv};

/// Where the table is taken from.
pub const DOCKER_DEFAULT_VERSION: &str = "moby/profiles seccomp/v0.2.3";

/// Capabilities that Docker gives a container unless told otherwise, in alphabetical order: moby,
/// daemon/pkg/oci/caps/defaults.go. podman gives fewer.
pub const DOCKER_CAPABILITIES: [&str; 14] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// One way in which Docker's default profile allows a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DefaultCall {
    /// The call.
    pub call: &'static SystemCall,
    /// The condition on one argument, where there is one. Several entries of one call are alternatives.
    pub comparison: Option<DefaultComparison>,
}

/// A condition on one argument, which is compared with all of its 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultComparison {
    /// The bits of the mask are those of the value.
    Masked {
        /// Which argument, from 0.
        index: u32,
        /// The bits that are compared.
        mask: u64,
        /// What they must be.
        value: u64,
    },
    /// The argument is less than the bound.
    Less {
        /// Which argument, from 0.
        index: u32,
        /// The bound.
        bound: u64,
    },
    /// The argument is greater than the bound.
    Greater {
        /// Which argument, from 0.
        index: u32,
        /// The bound.
        bound: u64,
    },
}

/// Whether that profile lets in calls of 32-bit x86 beside those of x86-64, among them `socketcall` with any arguments: a
/// socket of any family is to be had by it (seccomp/default_linux.go says so, too).
pub const DOCKER_DEFAULT_LETS_X86_IN: bool = true;

/// Whether that profile lets in x32 calls.
pub const DOCKER_DEFAULT_LETS_X32_IN: bool = true;

/// What Docker's default profile allows on x86-64 with the engine's default capabilities, sorted by name.
///
/// A policy that must not be tighter than that profile may ignore the conditions.
pub fn docker_default() -> impl Iterator<Item = DefaultCall> {
    TABLE.iter().copied()
}

const TEXT: &str = include_str!("../data/docker-default.tsv");
const COUNT: usize = tsv::count(TEXT);
const CELLS: [[&str; 2]; COUNT] = tsv::rows(TEXT);
static TABLE: [DefaultCall; COUNT] = parse();

const fn parse() -> [DefaultCall; COUNT] {
    let cells = CELLS;
    let mut table = [DefaultCall {
        call: known_call(cells[0][0]),
        comparison: None,
    }; COUNT];
    let mut row = 0;
    while row < COUNT {
        let [name, condition] = cells[row];
        table[row] = DefaultCall {
            call: known_call(name),
            comparison: match condition.as_bytes() {
                b"-" => None,
                _ => Some(comparison(condition)),
            },
        };
        row += 1;
    }
    table
}

/// `argument 0 & 0x7e020000 == 0`, `argument 0 == 8`, `argument 0 < 38` or `argument 0 > 40`.
const fn comparison(words: &'static str) -> DefaultComparison {
    let (argument, rest) = tsv::cut(words, b' ');
    assert!(tsv::same(argument, "argument"), "a condition is on no argument");
    let (index, rest) = tsv::cut(rest, b' ');
    let index = tsv::decimal(index);
    let (mut operator, mut rest) = tsv::cut(rest, b' ');
    let mut mask = u64::MAX;
    if tsv::same(operator, "&") {
        let (bits, behind) = tsv::cut(rest, b' ');
        mask = tsv::hexadecimal(bits);
        (operator, rest) = tsv::cut(behind, b' ');
    }
    let value = tsv::decimal(rest) as u64;
    let (less, greater) = (tsv::same(operator, "<"), tsv::same(operator, ">"));
    assert!(
        tsv::same(operator, "==") || (mask == u64::MAX && (less || greater)),
        "a comparison is not known"
    );
    if less {
        DefaultComparison::Less { index, bound: value }
    } else if greater {
        DefaultComparison::Greater { index, bound: value }
    } else {
        DefaultComparison::Masked { index, mask, value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every entry with its condition as the table has it.
    fn words() -> impl Iterator<Item = (DefaultCall, Option<&'static str>)> {
        let conditions = CELLS.map(|[_, condition]| (condition != "-").then_some(condition));
        docker_default().zip(conditions)
    }

    #[test]
    fn names_are_known_and_sorted() {
        assert_eq!(docker_default().count(), COUNT);
        assert!(CELLS.is_sorted());
    }

    #[test]
    fn holds_what_the_profile_is_known_to_decide() {
        let decided = |name: &str| -> Vec<Option<&str>> {
            words()
                .filter(|(entry, _)| entry.call.name == name)
                .map(|(_, condition)| condition)
                .collect()
        };
        for (name, expected) in [
            ("read", vec![None]),
            ("chroot", vec![None]),
            ("ptrace", vec![None]),
            ("arch_prctl", vec![None]),
            ("clone", vec![Some("argument 0 & 0x7e020000 == 0")]),
            ("clone3", vec![]),
            ("mount", vec![]),
            ("io_uring_setup", vec![]),
            ("bpf", vec![]),
        ] {
            assert_eq!(decided(name), expected, "{name}");
        }
        assert_eq!(decided("personality").len(), 5);
        assert_eq!(decided("socket").len(), 3);
    }

    #[test]
    fn conditions_are_data_too() {
        let comparisons = |name: &str| -> Vec<Option<DefaultComparison>> {
            let entries = docker_default().filter(|entry| entry.call.name == name);
            entries.map(|entry| entry.comparison).collect()
        };
        let masked = |mask, value| {
            Some(DefaultComparison::Masked {
                index: 0,
                mask,
                value,
            })
        };
        assert_eq!(comparisons("clone"), [masked(0x7e02_0000, 0)]);
        assert_eq!(comparisons("read"), [None]);
        let socket = [
            Some(DefaultComparison::Less { index: 0, bound: 38 }),
            masked(u64::MAX, 39),
            Some(DefaultComparison::Greater { index: 0, bound: 40 }),
        ];
        assert_eq!(comparisons("socket"), socket);
        for (entry, condition) in words() {
            assert_eq!(condition.is_some(), entry.comparison.is_some(), "{entry:?}");
        }
    }
}
