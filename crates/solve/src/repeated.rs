//! Calls that pass on only what another function passed to the same wrapper, through a variable of a run time that
//! need not be followed then.
//!
//! The knowledge is about run times and not about programs, and lies in one table. It holds only where both functions
//! of a row are in one object and call the same wrapper: otherwise a call is followed like any other.
//!
//! Misses: a run time that has functions of these names and others' meaning.

use crate::names;
use crate::program::{Node, Program};
use crate::reach::Caller;

/// A function that repeats calls, the one that makes them first, and why that is so.
const REPEATED: [(&str, &str, &str); 1] = [(
    "runtime.runPerThreadSyscall",
    "syscall.runtime_doAllThreadsSyscall",
    "Go's run time makes a call once, then puts it down for every other thread to make it, too (src/runtime/os_linux.go)",
)];

/// Those of a wrapper's callers that do not only repeat what another of them passes.
pub(crate) fn first_callers<'c>(program: &Program<'_>, callers: &'c [Caller]) -> Vec<&'c Caller> {
    let named: Vec<(usize, Option<&str>)> = callers
        .iter()
        .map(|caller| (program.locate(caller.node).0, go_name(program, caller.node)))
        .collect();
    let kept = callers.iter().zip(&named);
    kept.filter(|(_, caller)| !is_repeated(caller, &named))
        .map(|(caller, _)| caller)
        .collect()
}

fn go_name<'p>(program: &Program<'p>, node: Node) -> Option<&'p str> {
    let (object, _) = program.locate(node);
    names::go_name(program.elf(object), program.function(node).code.start)
}

/// Whether one of a wrapper's callers, told by object and name, repeats another of them.
fn is_repeated((object, name): &(usize, Option<&str>), callers: &[(usize, Option<&str>)]) -> bool {
    let row = REPEATED.iter().find(|(repeats, ..)| *name == Some(*repeats));
    row.is_some_and(|(_, first, _)| callers.contains(&(*object, Some(first))))
}

#[cfg(test)]
mod tests {
    use super::is_repeated;

    #[test]
    fn only_what_another_caller_of_the_same_object_passes_is_repeated() {
        let repeats = (1, Some("runtime.runPerThreadSyscall"));
        let first = Some("syscall.runtime_doAllThreadsSyscall");
        for (others, expected) in [
            (vec![(1, first)], true),
            (vec![(2, first)], false),
            (vec![(1, Some("syscall.RawSyscall6")), (1, None)], false),
            (vec![], false),
        ] {
            assert_eq!(is_repeated(&repeats, &others), expected, "{others:?}");
            assert!(!is_repeated(&(1, first), &[others, vec![repeats]].concat()));
        }
    }
}
