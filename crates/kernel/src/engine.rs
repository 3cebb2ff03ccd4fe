//! What the engine's default profile allows: the bound to which an open call number widens a policy.
//!
//! With `clone3` missing on purpose: that profile answers it with ENOSYS, which is what confine's policies
//! answer to every call that they do not allow.

use crate::{SystemCall, call_named, tsv};

/// Where the table is taken from.
pub const DOCKER_DEFAULT_VERSION: &str = "moby/profiles seccomp/v0.2.3";

/// One way in which Docker's default profile allows a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DefaultCall {
    /// The call.
    pub call: &'static SystemCall,
    /// The condition on one argument, in words, where there is one. Several entries of one call are alternatives.
    pub condition: Option<&'static str>,
}

/// What Docker's default profile allows on x86-64 with the engine's default capabilities, sorted by name.
///
/// A policy that must not be tighter than that profile may ignore the conditions.
pub fn docker_default() -> impl Iterator<Item = DefaultCall> {
    CELLS.iter().filter_map(|[name, condition]| {
        let condition = (*condition != "-").then_some(*condition);
        call_named(name).map(|call| DefaultCall { call, condition })
    })
}

const TEXT: &str = include_str!("../data/docker-default.tsv");
const COUNT: usize = tsv::count(TEXT);
static CELLS: [[&str; 2]; COUNT] = tsv::rows(TEXT);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_and_sorted() {
        assert_eq!(docker_default().count(), COUNT);
        assert!(CELLS.is_sorted());
    }

    #[test]
    fn holds_what_the_profile_is_known_to_decide() {
        let decided = |name: &str| -> Vec<Option<&str>> {
            docker_default()
                .filter(|entry| entry.call.name == name)
                .map(|entry| entry.condition)
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
}
