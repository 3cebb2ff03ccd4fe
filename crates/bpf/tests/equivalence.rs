//! The compiled filters, run by the interpreter, say of every call what the policy says.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use common::{calls, numbers, policy};
use confine_bpf::{Action, CallData, Error, Filter, Options, Weights, X32, always_allows, compile, evaluate};
use confine_policy::{ARGUMENTS, Architecture, Conjunction, Masked, Policy, Rule};
use proptest::prelude::*;

const I386: u32 = 0x4000_0003;

/// Whether filters and policy agree on a call.
fn agree(filters: &[Filter], policy: &Policy, denied: Action, call: &CallData) -> Result<(), TestCaseError> {
    let outcome = evaluate(filters, call).expect("there is a filter");
    let expected = match policy.allows(Architecture::X86_64, call.number, &call.arguments) {
        true => Action::Allow,
        false => denied,
    };
    prop_assert_eq!(outcome.action, expected, "{:?}", call);
    Ok(())
}

/// How often numbers are called, and calls that the policy names, or nearly, with their arguments.
fn weights(policy: &Policy, noise: [u64; ARGUMENTS], counts: &[(u32, u64)]) -> Weights {
    let named: Vec<CallData> = policy
        .calls(Architecture::X86_64)
        .flat_map(|(number, _)| calls(policy, number, noise))
        .collect();
    let counted =
        |(number, count): &(u32, u64)| match named.get(*number as usize * named.len() / COUNTED as usize) {
            Some(call) if number % 2 == 0 => (*call, *count),
            _ => (CallData::new(*number, noise), *count),
        };
    counts.iter().map(counted).collect()
}

/// Above the numbers of which it is said how often they are called.
const COUNTED: u32 = 480;

fn counts() -> impl Strategy<Value = Vec<(u32, u64)>> {
    prop::collection::vec((0..COUNTED, prop_oneof![0..100u64, any::<u64>()]), 0..60)
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        Just(Action::NO_SUCH_CALL),
        Just(Action::Errno(1)),
        Just(Action::KillProcess),
        Just(Action::Log),
        Just(Action::Trap(0)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn filters_do_what_the_policy_says(
        policy in policy(),
        denied in action(),
        counts in counts(),
        limit in prop_oneof![Just(4096usize), 200..600usize],
        noise in any::<[u64; ARGUMENTS]>(),
    ) {
        let weights = weights(&policy, noise, &counts);
        let options = Options { denied, weights, limit };
        let filters = match compile(&policy, &options) {
            Ok(filters) => filters,
            // Rules of some random bits have no bit that divides them, and many numbers need their instructions.
            Err(Error::Conditions { instructions, .. } | Error::Calls(instructions)) => {
                prop_assert!(limit < 4096 && instructions > limit);
                return Ok(());
            }
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        };
        for filter in &filters {
            prop_assert!(filter.instructions().len() <= limit);
            prop_assert_eq!(Filter::from_bytes(&filter.to_bytes()), Ok(filter.clone()));
        }
        for number in numbers(&policy) {
            for call in calls(&policy, number, noise) {
                agree(&filters, &policy, denied, &call)?;
                let foreign = CallData { architecture: I386, ..call };
                prop_assert_eq!(evaluate(&filters, &foreign).map(|outcome| outcome.action), Some(denied));
            }
            // What has no conditions is served without running a filter, and nothing else but conditions that always hold.
            let always = always_allows(&filters, confine_bpf::AUDIT_ARCH_X86_64, number);
            let rule = policy.rule(Architecture::X86_64, number);
            prop_assert!(always || !rule.is_any(), "{}", number);
            prop_assert!(!always || rule.includes(&Rule::any()), "{}", number);
            prop_assert!(!always_allows(&filters, I386, number));
        }
    }
}

fn value(index: usize, mask: u64, value: u64) -> Conjunction {
    Conjunction::one(index, Masked::new(mask, value)).unwrap()
}

fn numbers_of(numbers: std::ops::Range<u64>, index: usize) -> Rule {
    numbers
        .map(|number| value(index, u64::MAX, number.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
        .collect()
}

/// Values that lie apart, so that each needs a test of its own.
fn scattered(count: u64, index: usize) -> Rule {
    numbers_of(0..count, index)
}

fn one_call(number: u32, rule: &Rule) -> Policy {
    let mut policy = Policy::new();
    policy.allow(Architecture::X86_64, number, rule);
    policy
}

/// One rule that no filter can hold, and far jumps in each that holds a part of it.
#[test]
fn a_rule_beyond_the_kernels_limit_is_divided() {
    let rule = scattered(1500, 1);
    let mut policy = one_call(16, &rule);
    policy.allow(Architecture::X86_64, 0, &Rule::any());
    let filters = compile(&policy, &Options::default()).unwrap();
    assert!(filters.len() > 1, "one filter holds it");
    for number in [0, 1, 15, 16, 17, 16 | X32] {
        for call in calls(&policy, number, [7; ARGUMENTS]) {
            agree(&filters, &policy, Action::NO_SUCH_CALL, &call).unwrap();
        }
    }
}

#[test]
fn what_the_kernel_cannot_hold_is_refused() {
    let six = |value| Rule::from(Conjunction::new([Masked::new(u64::MAX, value); ARGUMENTS]));
    // No two calls have a value in common, so that nothing is shared.
    let many = (0..20).fold(Policy::new(), |policy, number| {
        let own = u64::from(number) * 600;
        policy.union(&one_call(number, &numbers_of(own..own + 600, 0)))
    });
    let small = Options {
        limit: 20,
        ..Options::default()
    };
    for (policy, options, expected) in [
        (
            one_call(X32, &Rule::any()),
            Options::default(),
            "expected numbers of x86-64 calls",
        ),
        (
            one_call(1, &Rule::any()),
            Options {
                denied: Action::Allow,
                ..Options::default()
            },
            "expected an action that does not let denied calls through, found ALLOW",
        ),
        (many, Options::default(), "instructions together, found more"),
        (
            one_call(1, &six(1).union(&six(2))),
            small,
            "instructions, more than one filter may have",
        ),
    ] {
        let error = compile(&policy, &options).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn frequent_calls_take_few_instructions() {
    let mut policy = Policy::new();
    for number in (1..330).step_by(3) {
        policy.allow(Architecture::X86_64, number, &Rule::any());
    }
    let executed = |weights: Weights| {
        let options = Options {
            weights,
            ..Options::default()
        };
        let filters = compile(&policy, &options).unwrap();
        let call = CallData::new(232, [0; ARGUMENTS]);
        evaluate(&filters, &call).unwrap().executed.get()
    };
    // Architecture and number, each loaded; two tests and the answer.
    assert_eq!(executed([(232, 90), (1, 10)].into_iter().collect()), 5);
    assert!(executed(Weights::even()) > 8);
}
