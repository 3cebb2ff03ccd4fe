//! From a program's policy to what is installed when it starts.
//!
//! A program that executes others runs their loader under its own policy, so that this has to allow what the loader
//! calls. Each such policy also leaves its mark, by which the loader tells that it is in force: [`confine_bundle::probe`].

use std::collections::BTreeSet;

use confine_bpf::{Action, Error, Options};
use confine_bundle::probe;
use confine_policy::{ARGUMENTS, Architecture, Conjunction, Masked, Policy, Rule};

use crate::Confined;

const EXECVE: u32 = 59;
const PRCTL: u32 = 157;
const SECCOMP: u32 = 317;
const EXECVEAT: u32 = 322;
const PR_SET_NO_NEW_PRIVS: u64 = 38;
const SECCOMP_SET_MODE_FILTER: u64 = 1;
/// Options, operations and flags are 32 bits wide.
const INTEGER: u64 = 0xffff_ffff;

/// A call that the loader makes under the filters that are there when a program starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoaderCall {
    /// The call.
    pub number: u32,
    /// The value of its first argument, of 32 bits; the call is made with no other.
    pub value: u64,
    /// What for.
    pub reason: &'static str,
}

/// What must be allowed wherever a program with a policy of its own is started, as whoever starts it is under a policy,
/// too: the container's, or its own.
#[must_use]
pub fn loader_calls() -> [LoaderCall; 3] {
    [
        LoaderCall {
            number: PRCTL,
            value: PR_SET_NO_NEW_PRIVS,
            reason: "gives up new privileges, without which no filter may be installed",
        },
        LoaderCall {
            number: PRCTL,
            value: probe::OPTION as u64,
            reason: "asks whether a policy is in force already, by an option that the kernel does not have",
        },
        LoaderCall {
            number: SECCOMP,
            value: SECCOMP_SET_MODE_FILTER,
            reason: "installs the policy of the program that is started",
        },
    ]
}

/// A policy as filters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    /// The filters.
    pub confined: Confined,
    /// The calls that lost their conditions, by number: the filters allow them with any arguments.
    pub loosened: BTreeSet<u32>,
}

/// The filters of a policy under a mark of its own.
///
/// Of a policy that is too large for the kernel, the call that does not fit loses its conditions, or the one with the most
/// of them where it is all together, then the next, until it is not; it never allows less than it should.
///
/// # Errors
/// When even the calls alone are too many, or the policy names what is no call.
pub fn compile(policy: &Policy, mark: u32) -> Result<Compiled, Error> {
    compile_with(policy, mark, &with_mark, &Options::default())
}

/// As [`compile`], of filters that let through what the policy denies and have the kernel log it.
///
/// They leave no mark, as asking for it would be a call that is logged: each program that a program executes installs its
/// policy once more.
///
/// # Errors
/// As [`compile`].
pub fn compile_logging(policy: &Policy, mark: u32) -> Result<Compiled, Error> {
    let options = Options {
        denied: Action::Log,
        ..Options::default()
    };
    compile_with(policy, mark, &|policy, _| with_loader(policy), &options)
}

fn compile_with(
    policy: &Policy,
    mark: u32,
    completed: &dyn Fn(Policy, u32) -> Policy,
    options: &Options,
) -> Result<Compiled, Error> {
    let mut policy = policy.clone();
    let mut loosened = BTreeSet::new();
    // Bounded: each turn leaves one call with conditions less.
    loop {
        let error = match confine_bpf::compile(&completed(policy.clone(), mark), options) {
            Ok(filters) => {
                // The first one denies what the policy does not name, among it the installation of another filter.
                let filters = filters.iter().rev().map(confine_bpf::Filter::to_bytes).collect();
                return Ok(Compiled {
                    confined: Confined { filters, mark },
                    loosened,
                });
            }
            Err(error) => error,
        };
        let number = match error {
            // Of the loader's own calls, conditions are left that the policy does not have.
            Error::Conditions { number, .. } if is_conditional(&policy, number) => Some(number),
            Error::Conditions { .. } | Error::Total | Error::Calls(_) => most_conditional(&policy),
            _ => None,
        };
        let number = number.ok_or(error)?;
        policy.allow(Architecture::X86_64, number, &Rule::any());
        loosened.insert(number);
    }
}

/// Whether the call is allowed with some arguments only.
fn is_conditional(policy: &Policy, number: u32) -> bool {
    let rule = policy.rule(Architecture::X86_64, number);
    !rule.is_any() && !rule.is_never()
}

/// The call with the most conditions.
fn most_conditional(policy: &Policy) -> Option<u32> {
    let calls = policy.calls(Architecture::X86_64);
    let conditional = calls.filter(|(_, rule)| !rule.is_any());
    let largest = conditional.max_by_key(|(_, rule)| rule.alternatives().count());
    largest.map(|(number, _)| number)
}

/// Whether what it allows lets programs be executed.
fn executes(policy: &Policy) -> bool {
    [EXECVE, EXECVEAT]
        .iter()
        .any(|number| policy.names(Architecture::X86_64, *number))
}

/// The policy with what the loaders of executed programs need.
fn with_loader(mut policy: Policy) -> Policy {
    if executes(&policy) {
        for call in loader_calls() {
            let rule = Conjunction::one(0, Masked::new(INTEGER, call.value))
                .into_iter()
                .collect();
            policy.allow(Architecture::X86_64, call.number, &rule);
        }
    }
    policy
}

/// The same, less the mark's bit.
fn with_mark(policy: Policy, mark: u32) -> Policy {
    if !executes(&policy) {
        return policy;
    }
    let with_loader = with_loader(policy);
    let (index, bit) = probe::bit(mark);
    let mut arguments = [Masked::default(); ARGUMENTS];
    for (argument, condition) in arguments.iter_mut().enumerate() {
        if argument == 0 {
            *condition = Masked::new(INTEGER, probe::OPTION.into());
        } else if argument == index {
            *condition = Masked::new(bit, bit);
        }
    }
    let mut denied = Policy::new();
    denied.allow(
        Architecture::X86_64,
        PRCTL,
        &Rule::from(Conjunction::new(arguments)),
    );
    with_loader.difference(&denied)
}

#[cfg(test)]
mod tests {
    use confine_bpf::{CallData, Filter, evaluate};

    use super::*;

    fn policy(numbers: &[u32]) -> Policy {
        let mut policy = Policy::new();
        for number in numbers {
            policy.allow(Architecture::X86_64, *number, &Rule::any());
        }
        policy
    }

    fn first_is(value: u64) -> Rule {
        Rule::from(Conjunction::one(0, Masked::new(INTEGER, value)).unwrap())
    }

    /// So many multiples of 7, and an offset.
    fn first_is_one_of(count: u64, offset: u64) -> Rule {
        let value = |index| {
            first_is(index * 7 + offset)
                .alternatives()
                .copied()
                .collect::<Vec<_>>()
        };
        (0..count).flat_map(value).collect()
    }

    /// Whether the call is allowed; the rest of its arguments is 0.
    fn allows(confined: &Confined, number: u32, arguments: &[u64]) -> bool {
        let filters = confined.filters.iter();
        let filters: Vec<Filter> = filters.map(|bytes| Filter::from_bytes(bytes).unwrap()).collect();
        let mut all = [0; ARGUMENTS];
        all[..arguments.len()].copy_from_slice(arguments);
        evaluate(&filters, &CallData::new(number, all)).unwrap().action == Action::Allow
    }

    #[test]
    fn a_program_that_executes_lets_loaders_work_and_leaves_its_mark() {
        let option = u64::from(probe::OPTION);
        let mut restricted = policy(&[0, EXECVE]);
        restricted.allow(Architecture::X86_64, PRCTL, &first_is(15));
        for policy in [policy(&[0, EXECVE]), policy(&[0, EXECVEAT, PRCTL]), restricted] {
            for (mark, bits) in [(3, [1 << 3, 0]), (64 + 63, [0, 1 << 63])] {
                let confined = compile(&policy, mark).unwrap().confined;
                let probe = |first, second| allows(&confined, PRCTL, &[option, first, second]);
                assert!(probe(0, 0) && probe(1 << 4, 1 << 62));
                assert!(!probe(bits[0], bits[1]));
                assert!(!probe(u64::MAX, u64::MAX));
                assert!(allows(&confined, PRCTL, &[PR_SET_NO_NEW_PRIVS, 1]));
                assert!(allows(&confined, SECCOMP, &[SECCOMP_SET_MODE_FILTER]));
                assert!(!allows(&confined, SECCOMP, &[0]));
                for option in [15, 16, 38] {
                    let before = policy.allows(Architecture::X86_64, PRCTL, &[option, 1, 0, 0, 0, 0]);
                    assert_eq!(
                        allows(&confined, PRCTL, &[option, 1]),
                        before || option == 38,
                        "{option}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_program_that_executes_nothing_gets_nothing_more() {
        let confined = compile(&policy(&[0, 1]), 0).unwrap().confined;
        assert!(allows(&confined, 0, &[]));
        for (number, first) in [(PRCTL, 38), (PRCTL, probe::OPTION.into()), (SECCOMP, 1), (2, 0)] {
            assert!(!allows(&confined, number, &[first]), "{number} {first}");
        }
    }

    #[test]
    fn several_filters_can_be_installed_one_after_the_other() {
        let mut policy = policy(&[0]);
        policy.allow(Architecture::X86_64, 16, &first_is_one_of(100, 0));
        let options = Options {
            limit: 100,
            ..Options::default()
        };
        let Compiled { confined, loosened } = compile_with(&policy, 0, &with_mark, &options).unwrap();
        assert!(confined.filters.len() > 1 && loosened.is_empty());
        // Each one lets the next be installed, though the policy as a whole does not.
        for (index, filter) in confined.filters.iter().enumerate() {
            let alone = Confined {
                filters: vec![filter.clone()],
                mark: 0,
            };
            let is_last = index + 1 == confined.filters.len();
            assert_eq!(
                allows(&alone, SECCOMP, &[SECCOMP_SET_MODE_FILTER]),
                !is_last,
                "{index}"
            );
        }
        assert!(allows(&confined, 16, &[7 * 99]) && !allows(&confined, 16, &[7 * 100]));
    }

    #[test]
    fn what_is_logged_is_let_through_and_the_loader_is_not_logged() {
        let policy = policy(&[0, EXECVE]);
        let confined = compile_logging(&policy, 3).unwrap().confined;
        let answer = |number, arguments: [u64; 2]| {
            let [first, second] = arguments;
            let filter = Filter::from_bytes(&confined.filters[0]).unwrap();
            evaluate(&[filter], &CallData::new(number, [first, second, 0, 0, 0, 0]))
                .unwrap()
                .action
        };
        assert_eq!(confined.filters.len(), 1);
        assert_eq!(answer(1, [0, 0]), Action::Log);
        assert_eq!(answer(PRCTL, [15, 0]), Action::Log);
        for (number, arguments) in [
            (0, [0, 0]),
            (PRCTL, [PR_SET_NO_NEW_PRIVS, 1]),
            (PRCTL, [probe::OPTION.into(), u64::MAX]),
            (SECCOMP, [SECCOMP_SET_MODE_FILTER, 0]),
        ] {
            assert_eq!(answer(number, arguments), Action::Allow, "{number}");
        }
    }

    #[test]
    fn a_policy_that_is_too_large_loses_conditions() {
        let options = Options {
            limit: 16,
            ..Options::default()
        };
        let mut policy = policy(&[0]);
        let all = Conjunction::new([Masked::new(u64::MAX, 0x1_0000_0001); ARGUMENTS]);
        policy.allow(Architecture::X86_64, 16, &Rule::from(all));
        policy.allow(Architecture::X86_64, 17, &first_is(3));
        let Compiled { confined, loosened } = compile_with(&policy, 0, &with_mark, &options).unwrap();
        assert!(allows(&confined, 16, &[0]) && !allows(&confined, 18, &[3]));
        assert!(allows(&confined, 17, &[3]));
        // What fits keeps its own.
        assert!(!allows(&confined, 17, &[4]));
        assert_eq!(loosened, BTreeSet::from([16]));
    }
}
