//! Verdicts about policies that differ in one call or value.

use std::collections::{BTreeMap, BTreeSet};

use confine_kernel::{Access, Entry, call_named, calls, equivalents};
use confine_policy::{Architecture, Conjunction, Masked, Policy, Rule};

use super::*;
use crate::Capabilities;
use crate::guard::rule_of;

fn everything() -> Policy {
    let mut policy = Policy::new();
    for call in calls() {
        policy.allow(Architecture::X86_64, call.number, &Rule::any());
    }
    policy
}

/// A call, and the argument by index, the mask and the value that are denied of it; all of it without.
type Denied = (&'static str, Option<(usize, u64, u64)>);

const NO_RING: Denied = ("io_uring_setup", None);

const fn value(call: &'static str, index: usize, value: u64) -> Denied {
    (call, Some((index, 0xffff_ffff, value)))
}

/// All calls but these.
fn without(denied: &[Denied]) -> Policy {
    let mut policy = Policy::new();
    for call in calls() {
        let mut rule = Rule::any();
        for (_, value) in denied.iter().filter(|(name, _)| *name == call.name) {
            rule = match value {
                None => Rule::never(),
                Some((index, mask, value)) => {
                    let one = Conjunction::one(*index, Masked::new(*mask, *value)).unwrap();
                    rule.difference(&Rule::from(one))
                }
            };
        }
        policy.allow(Architecture::X86_64, call.number, &rule);
    }
    policy
}

fn state_of(guard: &Guard, id: &str) -> State {
    let mut verdicts = judge(guard).into_iter();
    verdicts
        .find(|verdict| verdict.vulnerability.id == id)
        .unwrap()
        .state
}

fn check(denied: &[Denied], id: &str, taken_away: bool) {
    let guard = Guard::new(without(denied), Capabilities::All);
    assert_eq!(
        state_of(&guard, id).is_taken_away(),
        taken_away,
        "{denied:?} {id}"
    );
}

#[test]
fn everything_is_open_where_everything_is_allowed() {
    let all = Guard {
        x86: true,
        x32: true,
        socketcall: true,
        ..Guard::new(everything(), Capabilities::All)
    };
    for verdict in judge(&all) {
        assert!(
            [State::Open, State::OpenToOthers].contains(&verdict.state),
            "{}",
            verdict.vulnerability.id
        );
    }
    for verdict in judge(&Guard::new(Policy::new(), Capabilities::All)) {
        assert!(verdict.state.is_taken_away(), "{}", verdict.vulnerability.id);
    }
}

/// For every step of every way: a policy that denies just what the step needs, of all calls that give it, closes the
/// way; one that denies all but one of them does not.
#[test]
fn a_denied_step_closes_its_way_and_nothing_less_does() {
    for vulnerability in vulnerabilities().iter().filter(|one| one.ways.len() == 1) {
        for step in &vulnerability.ways[0].steps {
            let closed = denying(vulnerability, &step.accesses);
            let state = state(&closed, vulnerability);
            assert!(state.is_taken_away(), "{} without {step}", vulnerability.id);
            if step.accesses.len() > 1 && step.accesses.iter().all(|access| access.entry == Entry::Native) {
                for left in 0..step.accesses.len() {
                    let mut accesses = step.accesses.clone();
                    let kept = accesses.remove(left);
                    if accesses
                        .iter()
                        .any(|access| access.call == kept.call && access.conditions.is_empty())
                    {
                        continue;
                    }
                    let open = self::state(&denying(vulnerability, &accesses), vulnerability);
                    assert_eq!(open, State::Open, "{} by {}", vulnerability.id, kept.text);
                }
            }
        }
    }
}

/// Allows everything but the accesses, and what does the same.
fn denying(vulnerability: &Vulnerability, accesses: &[Access]) -> Guard {
    let mut policy = Policy::new();
    for call in calls() {
        let mut rule = Rule::any();
        for access in accesses {
            let same = equivalents(access.call).any(|one| one.by == call && one.since < vulnerability.fixed);
            if same {
                rule = Rule::never();
            } else if access.call == call {
                rule = rule.difference(&rule_of(&access.conditions));
            }
        }
        policy.allow(Architecture::X86_64, call.number, &rule);
    }
    Guard {
        x86: true,
        x32: true,
        ..Guard::new(policy, Capabilities::All)
    }
}

#[test]
fn values_decide_where_ways_have_values() {
    for (denied, id, taken_away) in [
        (vec![NO_RING, value("socket", 0, 38)], "CVE-2026-31431", true),
        (vec![NO_RING, value("socket", 0, 17)], "CVE-2026-31431", false),
        (vec![value("socket", 0, 17)], "CVE-2017-7308", true),
        (vec![value("keyctl", 0, 1)], "CVE-2016-0728", true),
        (vec![value("keyctl", 0, 1)], "CVE-2014-3631", false),
        (vec![NO_RING, ("splice", None)], "CVE-2022-0847", false),
        (
            vec![NO_RING, ("splice", None), ("sendfile", None)],
            "CVE-2022-0847",
            true,
        ),
        (vec![value("ioctl", 1, 0x5423)], "CVE-2017-2636", true),
        (vec![value("ioctl", 1, 0x5422)], "CVE-2017-2636", false),
        (vec![value("madvise", 2, 4)], "CVE-2016-5195", true),
        (vec![value("madvise", 2, 3)], "CVE-2016-5195", false),
    ] {
        check(&denied, id, taken_away);
    }
}

#[test]
fn other_calls_that_do_the_same_count_from_their_kernel_on() {
    for (denied, id, taken_away) in [
        (vec![value("socket", 0, 38)], "CVE-2026-31431", false),
        (vec![("socket", None)], "CVE-2026-31431", false),
        (vec![("socket", None), NO_RING], "CVE-2026-31431", true),
        // No kernel has both this one and rings.
        (vec![value("socket", 0, 17)], "CVE-2017-7308", true),
        (vec![("splice", None), ("sendfile", None)], "CVE-2022-0847", false),
        (vec![("clone", None)], "CVE-2020-12826", false),
        (vec![("clone", None), ("clone3", None)], "CVE-2020-12826", true),
        (vec![("clone", None)], "CVE-2013-1858", true),
    ] {
        check(&denied, id, taken_away);
    }
}

#[test]
fn capabilities_come_with_user_name_spaces() {
    let id = "CVE-2024-1086";
    let new_users = ("clone", Some((0, 0x1000_0000, 0x1000_0000)));
    let spaces = [("unshare", None), new_users, ("clone3", None)];
    let default = |policy| Guard::new(policy, Capabilities::default());
    assert_eq!(state_of(&default(everything()), id), State::Open);
    assert_eq!(state_of(&default(without(&spaces[..1])), id), State::Open);
    let denied = state_of(&default(without(&spaces)), id);
    let State::TakenAway(steps) = denied else {
        panic!("{denied:?}")
    };
    assert!(steps[0].to_string().starts_with("unshare"), "{steps:?}");
    let all = Guard::new(without(&spaces), Capabilities::All);
    assert_eq!(state_of(&all, id), State::Open);
    let host = state_of(&default(everything()), "CVE-2016-1583");
    assert_eq!(host, State::NeedsCapability("CAP_SYS_ADMIN"));
    let older = state_of(&default(everything()), "CVE-2010-0437");
    assert_eq!(older, State::NeedsCapability("CAP_NET_ADMIN"));
}

#[test]
fn other_architectures_count_where_they_come_in() {
    let family = without(&[NO_RING, value("socket", 0, 38)]);
    let mut guard = Guard::new(family, Capabilities::All);
    assert!(state_of(&guard, "CVE-2010-3081").is_taken_away());
    assert!(state_of(&guard, "CVE-2014-0038").is_taken_away());
    guard.x86 = true;
    assert_eq!(state_of(&guard, "CVE-2010-3081"), State::OpenToOthers);
    assert!(state_of(&guard, "CVE-2026-31431").is_taken_away());
    guard.socketcall = true;
    assert_eq!(state_of(&guard, "CVE-2026-31431"), State::OpenToOthers);
    guard.x32 = true;
    assert_eq!(state_of(&guard, "CVE-2014-0038"), State::OpenToOthers);
}

/// Each by itself, whatever else its step has.
#[test]
fn socketcall_sends_and_receives_in_every_way() {
    let guard = Guard {
        x86: true,
        socketcall: true,
        ..Guard::new(Policy::new(), Capabilities::All)
    };
    for (id, expected) in [
        ("CVE-2021-0920", true),
        ("CVE-2025-38236", true),
        ("CVE-2014-0038", false),
    ] {
        let vulnerability = vulnerabilities().iter().find(|one| one.id == id).unwrap();
        for access in vulnerability.ways.iter().flat_map(|way| &way.steps[0].accesses) {
            let admitted = guard.admits(access, vulnerability.fixed);
            assert_eq!(admitted, expected, "{id} by {}", access.text);
        }
    }
}

#[test]
fn dockers_default_profile_leaves_open_what_it_is_known_to() {
    let guard = Guard::docker_default(Capabilities::default());
    let verdicts = judge(&guard);
    for (id, expected) in [
        // It denies keyctl, bpf, perf_event_open, io_uring_setup and userfaultfd.
        ("CVE-2016-0728", "taken away"),
        ("CVE-2021-3490", "taken away"),
        ("CVE-2022-1729", "taken away"),
        ("CVE-2024-0582", "taken away"),
        ("CVE-2018-18397", "taken away"),
        // It denies user name spaces, and so the capability.
        ("CVE-2022-0185", "taken away"),
        ("CVE-2024-1086", "taken away"),
        // It compares all 64 bits of the family, of which the kernel reads 32: socket(1 << 32 | AF_VSOCK, ...) passes.
        ("CVE-2021-26708", "open"),
        ("CVE-2026-31431", "open"),
        ("CVE-2010-3081", "open to others"),
        // It allows personality with just that flag.
        ("CVE-2012-0957", "open"),
        // It allows splice, ptrace, ioctl, madvise and packet sockets.
        ("CVE-2022-0847", "open"),
        ("CVE-2019-13272", "open"),
        ("CVE-2017-2636", "open"),
        ("CVE-2016-5195", "open"),
        ("CVE-2020-14386", "open"),
    ] {
        let verdict = verdicts.iter().find(|one| one.vulnerability.id == id).unwrap();
        let found = match &verdict.state {
            State::TakenAway(_) => "taken away",
            State::NeedsCapability(_) => "needs a capability",
            State::OpenToOthers => "open to others",
            State::Open => "open",
        };
        assert_eq!(found, expected, "{id}");
    }
}

/// Whatever changes these figures is meant to: a row, a condition or the profile.
#[test]
fn dockers_default_profile_has_known_figures() {
    let guard = Guard::docker_default(Capabilities::default());
    let mut figures: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for verdict in judge(&guard) {
        let key = match verdict.state {
            State::TakenAway(_) => "taken away",
            State::NeedsCapability(_) => "needs a capability",
            State::OpenToOthers => "open to others",
            State::Open => "open",
        };
        let figure = figures.entry(key).or_default();
        figure.0 += usize::from(verdict.vulnerability.published);
        figure.1 += 1;
    }
    let expected = BTreeMap::from([
        ("taken away", (12, 107)),
        ("needs a capability", (1, 1)),
        ("open to others", (1, 3)),
        ("open", (28, 89)),
    ]);
    assert_eq!(figures, expected);
}

#[test]
fn the_default_capabilities_are_dockers() {
    let Capabilities::Some(names) = Capabilities::default() else {
        panic!("Docker gives some")
    };
    assert_eq!(names.len(), 14);
    assert!(names.contains("CAP_NET_RAW") && !names.contains("CAP_NET_ADMIN"));
    let needed: BTreeSet<&str> = vulnerabilities()
        .iter()
        .filter_map(|one| Some(one.capability?.name))
        .collect();
    assert_eq!(
        needed,
        BTreeSet::from(["CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_ADMIN"])
    );
    assert!(call_named("socketcall").is_none());
}
