//! What must be allowed around the image's programs: for the kernel's sake, and for the container runtime's.
//!
//! A container's filter is installed before the runtime is done, so that its last steps run inside. Without
//! them the container does not start. The reasons are part of the table because a policy is read by people.

use std::fmt;

use crate::{SystemCall, arguments, call_named, tsv};

/// The version of the table of runtime calls; it grows whenever the table changes.
pub const RUNTIME_TABLE_VERSION: u32 = 3;

/// The container runtime that a policy is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Runtime {
    /// runc, the one of Docker, containerd and most clusters.
    Runc,
    /// crun, the one of podman and CRI-O on Red Hat's systems.
    Crun,
    /// Whichever of them.
    #[default]
    Any,
    /// None: the policy goes in when a program starts, not when its container does.
    None,
}

impl fmt::Display for Runtime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Runc => "runc",
            Self::Crun => "crun",
            Self::Any => "any",
            Self::None => "none",
        })
    }
}

/// Who needs a call that no program of the image asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Requester {
    /// The kernel makes the call itself, or no process can do without it.
    Kernel,
    /// runc makes it inside the filter.
    Runc,
    /// crun makes it inside the filter.
    Crun,
}

impl fmt::Display for Requester {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Kernel => "kernel",
            Self::Runc => "runc",
            Self::Crun => "crun",
        })
    }
}

/// One call that must be allowed around the image's programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuntimeCall {
    /// The call.
    pub call: &'static SystemCall,
    /// Who needs it.
    pub requester: Requester,
    /// What for.
    pub reason: &'static str,
    /// The values of one argument that it is made with, as the table has them.
    values: &'static str,
}

impl RuntimeCall {
    /// The index of an argument and the values that it has; `None` if all of them may be anything.
    #[must_use]
    pub fn values(&self) -> Option<(u32, Vec<u64>)> {
        let (name, values) = self.values.split_once('=')?;
        let mut known = (0..).zip(arguments(self.call.number));
        let (index, _) = known.find(|(_, argument)| argument.name == name)?;
        let values = values.split(',').map(|value| {
            let digits = value.strip_prefix("0x")?;
            u64::from_str_radix(digits, 16).ok()
        });
        Some((index, values.collect::<Option<_>>()?))
    }
}

/// What must be allowed for a container to start under `runtime`, be exec'ed into and end; by requester, then
/// by name. A call that several need is there several times.
pub fn runtime_calls(runtime: Runtime) -> impl Iterator<Item = RuntimeCall> + Clone {
    CELLS.iter().filter_map(move |[requester, name, values, reason]| {
        let requester = match *requester {
            "runc" => Requester::Runc,
            "crun" => Requester::Crun,
            _ => Requester::Kernel,
        };
        let wanted = match requester {
            Requester::Kernel => true,
            Requester::Runc => matches!(runtime, Runtime::Runc | Runtime::Any),
            Requester::Crun => matches!(runtime, Runtime::Crun | Runtime::Any),
        };
        let call = call_named(name).filter(|_| wanted)?;
        Some(RuntimeCall {
            call,
            requester,
            reason,
            values,
        })
    })
}

const TEXT: &str = include_str!("../data/runtime.tsv");
const COUNT: usize = tsv::count(TEXT);
static CELLS: [[&str; 4]; COUNT] = tsv::rows(TEXT);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn names(runtime: Runtime) -> BTreeSet<&'static str> {
        runtime_calls(runtime).map(|entry| entry.call.name).collect()
    }

    #[test]
    fn rows_are_known_and_unique() {
        assert_eq!(runtime_calls(Runtime::Any).count(), COUNT);
        assert!(
            CELLS
                .iter()
                .all(|[requester, ..]| ["kernel", "runc", "crun"].contains(requester))
        );
        let keys: BTreeSet<_> = CELLS
            .iter()
            .map(|[requester, name, ..]| (requester, name))
            .collect();
        assert_eq!(keys.len(), COUNT);
    }

    #[test]
    fn values_are_those_of_an_argument() {
        for entry in runtime_calls(Runtime::Any) {
            assert_eq!(
                entry.values().is_none(),
                entry.values == "any",
                "{}",
                entry.values
            );
        }
        let clone = runtime_calls(Runtime::Runc).find(|entry| entry.call.name == "clone");
        let (index, values) = clone.and_then(|entry| entry.values()).unwrap();
        assert_eq!(index, 0);
        // Threads of the own process, which can be in no name space of their own.
        let (thread, name_spaces) = (0x0001_0000, 0x7e02_0080);
        assert!(
            values
                .iter()
                .all(|flags| flags & thread != 0 && flags & name_spaces == 0)
        );
    }

    #[test]
    fn any_is_the_union() {
        let union: BTreeSet<_> = names(Runtime::Runc)
            .union(&names(Runtime::Crun))
            .copied()
            .collect();
        assert_eq!(names(Runtime::Any), union);
        assert_eq!(Runtime::default(), Runtime::Any);
        let none = runtime_calls(Runtime::None);
        assert!(none.clone().all(|entry| entry.requester == Requester::Kernel) && none.count() > 0);
    }

    /// The measured sets of both states of no_new_privs, as one list for each runtime.
    #[test]
    fn holds_every_measured_call() {
        let runc = "close execve fstatfs getdents64 openat write fstat openat2 statx capget capset chdir faccessat2 \
            getcwd getppid newfstatat prctl read setgid setgroups setuid fchown futex rt_sigreturn";
        let crun = "execve capset prctl rt_sigaction rt_sigprocmask setresgid setresuid write pselect6 read openat \
            statx setgroups fstat umask";
        for (runtime, measured) in [(Runtime::Runc, runc), (Runtime::Crun, crun)] {
            let allowed = names(runtime);
            for name in
                measured
                    .split_whitespace()
                    .chain(["exit", "exit_group", "restart_syscall", "rt_sigreturn"])
            {
                assert!(allowed.contains(name), "{runtime}: {name}");
            }
        }
    }
}
