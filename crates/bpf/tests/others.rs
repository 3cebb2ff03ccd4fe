//! Filters of other compilers for the same policies answer as ours do: of libseccomp, which runtimes use, and of seccompiler.
//!
//! libseccomp before 2.6.1 loses conditions where it merges comparisons of 64-bit arguments (its releases' notes). What
//! is compared here are rules in which all alternatives look at the low halves, as those of nearly all arguments do.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by it")]
#![allow(clippy::print_stderr, reason = "a test tells what it skips")]

mod common;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use common::{calls, conjunction, numbers, policy};
use confine_bpf::{Action, Filter, Instruction, Options, X32, compile, linear, run};
use confine_policy::{ARGUMENTS, Architecture, Conjunction, Masked, Policy, Rule};
use proptest::prelude::*;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

/// Whether every filter gives the same answer to the calls that tell them apart; x32 and foreign calls, which libseccomp
/// kills for, are looked at elsewhere.
fn all_agree(
    filters: &[(&str, Filter)],
    policy: &Policy,
    noise: [u64; ARGUMENTS],
) -> Result<(), TestCaseError> {
    for number in numbers(policy).into_iter().filter(|number| *number < X32) {
        for call in calls(policy, number, noise) {
            let expected = match policy.allows(Architecture::X86_64, number, &call.arguments) {
                true => Action::Allow,
                false => Action::NO_SUCH_CALL,
            };
            for (name, filter) in filters {
                prop_assert_eq!(run(filter, &call).action, expected, "{} for {:?}", name, call);
            }
        }
    }
    Ok(())
}

/// Ours: one tree, as the policies here are small, and the list.
fn ours(policy: &Policy) -> Vec<(&'static str, Filter)> {
    let mut filters = compile(policy, &Options::default()).expect("the policy is small");
    assert_eq!(filters.len(), 1, "the policy is small");
    let list = linear(policy, &Options::default()).expect("the policy is small");
    vec![("the tree", filters.remove(0)), ("the list", list)]
}

/// The program that asks libseccomp, built once; nothing without a compiler or the library.
fn oracle() -> Option<&'static PathBuf> {
    static ORACLE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let built = ORACLE.get_or_init(|| {
        let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("libseccomp-oracle");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/libseccomp.c");
        let mut gcc = Command::new("gcc");
        gcc.args(["-O1", "-o"]).arg(&program).arg(source).arg("-lseccomp");
        let status = gcc.stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success()).then_some(program)
    });
    if built.is_none() {
        eprintln!("skipped: no gcc, or no libseccomp (packages gcc, libseccomp-dev)");
    }
    built.as_ref()
}

fn libseccomp(program: &PathBuf, policy: &Policy, optimize: u32) -> Result<Filter, TestCaseError> {
    let mut rules = format!("optimize {optimize}\nerrno 38\n");
    for (number, rule) in policy.calls(Architecture::X86_64) {
        for alternative in rule.alternatives() {
            rules += &format!("allow {number}");
            for (index, condition) in alternative.conditions() {
                rules += &format!(" {index} {} {}", condition.mask(), condition.value());
            }
            rules.push('\n');
        }
    }
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the oracle starts");
    let mut input = child.stdin.take().expect("it was asked for");
    input.write_all(rules.as_bytes()).expect("the oracle reads");
    drop(input);
    let output = child.wait_with_output().expect("the oracle ends");
    let said = String::from_utf8_lossy(&output.stderr);
    prop_assert!(output.status.success(), "{} for {}", said, rules);
    Filter::from_bytes(&output.stdout).map_err(|error| TestCaseError::fail(error.to_string()))
}

fn seccompiler(policy: &Policy) -> Filter {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for (number, rule) in policy.calls(Architecture::X86_64) {
        let alternatives = rule
            .alternatives()
            .filter(|alternative| !alternative.is_unconditional());
        let alternatives = alternatives.map(|alternative| {
            let conditions = alternative.conditions().map(|(index, condition)| {
                let compared = SeccompCmpOp::MaskedEq(condition.mask());
                SeccompCondition::new(index as u8, SeccompCmpArgLen::Qword, compared, condition.value())
                    .unwrap()
            });
            SeccompRule::new(conditions.collect()).unwrap()
        });
        rules.insert(i64::from(number), alternatives.collect());
    }
    let denied = SeccompAction::Errno(38);
    let filter = SeccompFilter::new(rules, denied, SeccompAction::Allow, TargetArch::x86_64).unwrap();
    let program: BpfProgram = filter.try_into().unwrap();
    let instructions = program.iter().map(|instruction| Instruction {
        code: instruction.code,
        jt: instruction.jt,
        jf: instruction.jf,
        k: instruction.k,
    });
    Filter::new(instructions.collect()).unwrap()
}

/// Rules that libseccomp gets right in every version: of each argument only the low half is compared.
fn low_halves(policy: &Policy) -> Policy {
    let mut low = Policy::new();
    // The calls that its oldest version knows.
    for (number, rule) in policy
        .calls(Architecture::X86_64)
        .filter(|(number, _)| *number < 335)
    {
        let alternatives = rule.alternatives().map(|alternative| {
            let mut arguments = [Masked::default(); ARGUMENTS];
            for (index, condition) in alternative.conditions() {
                arguments[index] = Masked::new(condition.mask() & 0xffff_ffff, condition.value());
            }
            Conjunction::new(arguments)
        });
        low.allow(Architecture::X86_64, number, &alternatives.collect::<Rule>());
    }
    low
}

/// A few calls with rules of any shape: lists in other compilers get long.
fn small() -> impl Strategy<Value = Policy> {
    prop::collection::vec((0..400u32, prop::collection::vec(conjunction(), 1..4)), 1..8).prop_map(|calls| {
        let mut policy = Policy::new();
        for (number, alternatives) in calls {
            policy.allow(
                Architecture::X86_64,
                number,
                &alternatives.into_iter().collect::<Rule>(),
            );
        }
        policy
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn libseccomp_agrees(policy in policy(), noise in any::<[u64; ARGUMENTS]>()) {
        let Some(oracle) = oracle() else { return Ok(()) };
        let policy = low_halves(&policy);
        let mut filters = ours(&policy);
        filters.push(("libseccomp's list", libseccomp(oracle, &policy, 1)?));
        filters.push(("libseccomp's tree", libseccomp(oracle, &policy, 2)?));
        all_agree(&filters, &policy, noise)?;
    }

    #[test]
    fn seccompiler_agrees(policy in small(), noise in any::<[u64; ARGUMENTS]>()) {
        let mut filters = ours(&policy);
        filters.push(("seccompiler's", seccompiler(&policy)));
        all_agree(&filters, &policy, noise)?;
    }
}
