//! What stands between a container and the kernel.

use std::collections::BTreeSet;

use confine_kernel::{
    Access, ArgumentCondition, DOCKER_CAPABILITIES, DOCKER_DEFAULT_LETS_X32_IN, DOCKER_DEFAULT_LETS_X86_IN,
    DefaultComparison, Entry, KernelVersion, docker_default, equivalents,
};
use confine_policy::{ARGUMENTS, Architecture, Comparison, Conjunction, Masked, Policy, Rule};

/// What stands between a container and the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// What it allows of the calls of x86-64.
    pub policy: Policy,
    /// Whether calls of 32-bit x86 come in, under the same names and conditions as those of x86-64.
    pub x86: bool,
    /// Whether x32 calls come in, likewise.
    pub x32: bool,
    /// Whether `socketcall` of 32-bit x86 comes in, whose arguments no policy sees.
    pub socketcall: bool,
    /// What the container may do beyond its user's rights.
    pub capabilities: Capabilities,
}

/// Capabilities of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Capabilities {
    /// Every one, as a privileged container has.
    All,
    /// These.
    Some(BTreeSet<String>),
}

impl Default for Capabilities {
    /// Those that Docker gives.
    fn default() -> Self {
        Self::Some(DOCKER_CAPABILITIES.map(str::to_owned).into())
    }
}

impl Capabilities {
    pub(crate) fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Some(names) => names.contains(name),
        }
    }
}

impl Guard {
    /// Only calls of x86-64 come in, and of them what the policy allows: what confine's own profiles do.
    #[must_use]
    pub fn new(policy: Policy, capabilities: Capabilities) -> Self {
        Self {
            policy,
            x86: false,
            x32: false,
            socketcall: false,
            capabilities,
        }
    }

    /// Docker's default profile.
    #[must_use]
    pub fn docker_default(capabilities: Capabilities) -> Self {
        let mut policy = Policy::new();
        for entry in docker_default() {
            let rule = entry.comparison.map_or_else(Rule::any, compared);
            policy.allow(Architecture::X86_64, entry.call.number, &rule);
        }
        Self {
            policy,
            x86: DOCKER_DEFAULT_LETS_X86_IN,
            x32: DOCKER_DEFAULT_LETS_X32_IN,
            socketcall: DOCKER_DEFAULT_LETS_X86_IN,
            capabilities,
        }
    }

    /// The same as far as it goes for calls of x86-64.
    pub(crate) fn native(&self) -> Self {
        Self {
            x86: false,
            x32: false,
            socketcall: false,
            ..self.clone()
        }
    }

    /// Whether an access is open, on kernels before `fixed`.
    pub(crate) fn admits(&self, access: &Access, fixed: KernelVersion) -> bool {
        let entered = match access.entry {
            Entry::Native => true,
            Entry::X86 => self.x86,
            Entry::X32 => self.x32,
        };
        let by_socketcall =
            self.socketcall && access.entry != Entry::X32 && SOCKET_CALLS.contains(&access.call.name);
        let rule = self.policy.rule(Architecture::X86_64, access.call.number);
        let admitted = !rule.intersection(&rule_of(&access.conditions)).is_never();
        let mut others = equivalents(access.call).filter(|other| other.since < fixed);
        let mut by_another = || others.any(|other| self.policy.names(Architecture::X86_64, other.by.number));
        by_socketcall || entered && (admitted || access.entry == Entry::Native && by_another())
    }
}

/// What `socketcall` of 32-bit x86 does instead (socketcall(2)), as far as ways have it.
const SOCKET_CALLS: [&str; 15] = [
    "accept",
    "accept4",
    "bind",
    "connect",
    "getsockopt",
    "listen",
    "recvfrom",
    "recvmmsg",
    "recvmsg",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "setsockopt",
    "socket",
    "socketpair",
];

/// Where all of the conditions hold.
pub(crate) fn rule_of(conditions: &[ArgumentCondition]) -> Rule {
    conditions.iter().fold(Rule::any(), |rule, condition| {
        let index = usize::try_from(condition.index).unwrap_or(ARGUMENTS);
        let equal = masked(index, condition.mask, condition.value);
        match condition.equal {
            true => rule.intersection(&equal),
            false => rule.difference(&equal),
        }
    })
}

fn compared(comparison: DefaultComparison) -> Rule {
    let place = |index: u32| usize::try_from(index).unwrap_or(ARGUMENTS);
    match comparison {
        DefaultComparison::Masked { index, mask, value } => masked(place(index), mask, value),
        DefaultComparison::Less { index, bound } => Rule::compared(place(index), Comparison::Less, bound),
        DefaultComparison::Greater { index, bound } => {
            Rule::compared(place(index), Comparison::Greater, bound)
        }
    }
}

/// Where the bits of the mask are those of the value; nowhere if there is no such argument.
pub(crate) fn masked(index: usize, mask: u64, value: u64) -> Rule {
    Conjunction::one(index, Masked::new(mask, value))
        .into_iter()
        .collect()
}
