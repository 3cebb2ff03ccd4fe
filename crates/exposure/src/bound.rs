//! Docker's default profile as a bound: what a container may do today, and so need not be denied less.

use confine_kernel::{Argument, DefaultComparison, arguments, docker_default};
use confine_policy::{Architecture, Policy, Rule};

use crate::guard::masked;

/// Above every address family, the only argument that the profile compares by its order (AF_MAX in the kernel's
/// include/linux/socket.h). A larger one is refused by the kernel itself.
const VALUES_BITS: u32 = 6;

/// What Docker's default profile allows, as it is meant: an argument of which the kernel reads 32 bits is compared by
/// those, where the profile compares 64 and lets `1 << 32 | AF_VSOCK` pass for a family above AF_VSOCK.
#[must_use]
pub fn docker_default_bound() -> Policy {
    let mut policy = Policy::new();
    for entry in docker_default() {
        let rule = entry
            .comparison
            .map_or_else(Rule::any, |comparison| meant(entry.call.number, comparison));
        policy.allow(Architecture::X86_64, entry.call.number, &rule);
    }
    policy
}

fn meant(call: u32, comparison: DefaultComparison) -> Rule {
    let place = |index: u32| usize::try_from(index).unwrap_or(usize::MAX);
    let width = |index: u32| arguments(call).get(place(index)).map_or(u64::MAX, Argument::mask);
    let values =
        |index: u32, holds: &dyn Fn(u64) -> bool| ordered(place(index), width(index), 0, VALUES_BITS, holds);
    match comparison {
        DefaultComparison::Masked { index, mask, value } => {
            let mask = mask & width(index);
            masked(place(index), mask, value)
        }
        DefaultComparison::Less { index, bound } => values(index, &|value| value < bound),
        DefaultComparison::Greater { index, bound } => values(index, &|value| value > bound),
    }
}

/// The values from `first` on, as many as `bits` count, for which `holds` does: as few alternatives as halving gives.
fn ordered(index: usize, width: u64, first: u64, bits: u32, holds: &dyn Fn(u64) -> bool) -> Rule {
    let mut values = first..first + (1 << bits);
    if values.clone().all(holds) {
        return masked(index, width & (u64::MAX << bits), first);
    }
    if !values.any(holds) {
        return Rule::never();
    }
    let half = bits - 1;
    let low = ordered(index, width, first, half, holds);
    low.union(&ordered(index, width, first + (1 << half), half, holds))
}

#[cfg(test)]
mod tests {
    use confine_kernel::call_named;
    use confine_policy::ARGUMENTS;

    use super::*;
    use crate::{Capabilities, Guard};

    fn allows(policy: &Policy, call: &str, first: u64) -> bool {
        let number = call_named(call).unwrap().number;
        let mut arguments = [0; ARGUMENTS];
        arguments[0] = first;
        policy.allows(Architecture::X86_64, number, &arguments)
    }

    #[test]
    fn the_bound_is_the_profile_where_it_is_meant() {
        let (bound, profile) = (
            docker_default_bound(),
            Guard::docker_default(Capabilities::default()).policy,
        );
        for family in 0..64 {
            let allowed = ![38, 40].contains(&family);
            assert_eq!(allows(&bound, "socket", family), allowed, "{family}");
            assert_eq!(allows(&profile, "socket", family), allowed, "{family}");
        }
        for (call, first, in_profile, in_bound) in [
            ("socket", 1 << 32 | 40, true, false),
            ("socket", 1 << 32 | 2, true, true),
            ("personality", 0x20000, true, true),
            ("personality", 0x40000, false, false),
            ("clone", 0x11, true, true),
            ("clone", 0x1000_0011, false, false),
            ("unshare", 0, false, false),
            ("clone3", 0, false, false),
            ("read", 0, true, true),
        ] {
            assert_eq!(allows(&profile, call, first), in_profile, "{call} {first:#x}");
            assert_eq!(allows(&bound, call, first), in_bound, "{call} {first:#x}");
        }
        let socket = bound.rule(Architecture::X86_64, 41);
        assert!(
            socket.alternatives().count() < 10,
            "the profile has room for other calls"
        );
    }
}
