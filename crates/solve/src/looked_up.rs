//! Numbers of system calls that a library looks up by the call's name, in a table of its own.
//!
//! The knowledge is about libraries and not about programs, and lies in one table. It stands in where the analysis of
//! values ends: a number that is found by hashing a name is any number of the table to it.
//!
//! Misses: a library of such a name that makes other calls so.

use confine_kernel::call_named;

use crate::program::{Node, Program};

/// The library's DT_SONAME, the one call that it makes by a number which is no constant, and where that is to be seen.
const LOOKED_UP: [(&str, &str, &str); 1] = [(
    "libseccomp.so.2",
    "seccomp",
    "state.nr_seccomp is what arch_syscall_resolve_name gives for it (libseccomp 2.5.4, src/system.c: no other argument of \
     syscall() is a variable)",
)];

/// The number that a function makes a call by where it passes one that is no constant.
pub(crate) fn number(program: &Program<'_>, node: Node) -> Option<u32> {
    let (object, _) = program.locate(node);
    let soname = program.elf(object).dynamic.soname.as_deref()?;
    let (_, call, _) = LOOKED_UP.iter().find(|(library, ..)| *library == soname)?;
    Some(call_named(call)?.number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_of_the_table_is_one() {
        for (library, call, _) in LOOKED_UP {
            assert!(call_named(call).is_some(), "{call} of {library}");
        }
    }
}
