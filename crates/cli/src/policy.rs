//! From a report to the policies that it stands for.

use std::collections::BTreeSet;

use anyhow::Context;
use confine_assumption::{Assumption, Effect};
use confine_kernel::call_named;
use confine_policy::{Architecture, Conjunction, Masked, Policy, Rule};
use confine_report::{Program, Report, Restriction};

use crate::arguments::Within;

/// What of a policy lies within a bound, where there is one.
pub fn bounded(policy: Policy, within: Option<Within>) -> Policy {
    match within {
        None => policy,
        Some(Within::DockerDefault) => policy.intersection(&confine_exposure::docker_default_bound()),
    }
}

/// Who asks for the calls that the kernel makes or needs itself, in a report's words.
const KERNEL: &str = "kernel";

/// The policy for the whole container, of at most so many alternatives for all the calls that have conditions.
pub fn container(report: &Report, alternatives: usize) -> Policy {
    whole(report).coarsened(alternatives)
}

/// The policy for the whole container, just as the report says it.
pub fn whole(report: &Report) -> Policy {
    let mut policy = Policy::new();
    for allowed in &report.allowed {
        let combinations = allowed.arguments.iter().map(Vec::as_slice);
        policy.allow(Architecture::X86_64, allowed.number, &any_of(combinations));
    }
    policy
}

/// The policy that holds from the moment on in which one program, given by its index, starts: its own calls, those of
/// everything that it can execute from there on, as what it executes runs under it as well, those that the kernel needs, and
/// what could not be resolved in any of them widens it to.
///
/// The container runtime's calls are not in it: the runtime is done by then.
pub fn starting(report: &Report, index: usize) -> Policy {
    of_all(report, &under(report, index))
}

/// The policy of programs that run under one another, given by their indices, as [`under`] tells them.
pub fn of_all(report: &Report, members: &BTreeSet<usize>) -> Policy {
    let programs = || members.iter().filter_map(|member| report.programs.get(*member));
    let mut policy = Policy::new();
    allow_calls(&mut policy, programs());
    for observed in &report.observed {
        let call =
            call_named(&observed.name).filter(|_| programs().any(|program| program.path == observed.by));
        if let Some(call) = call {
            policy.allow(Architecture::X86_64, call.number, &rule(&observed.arguments));
        }
    }
    let is_widened = open(report, members)
        .iter()
        .any(|assumption| assumption.effect == Effect::WidenedToDefault);
    allow_needed(&mut policy, report, is_widened);
    policy
}

/// What stayed open that concerns one of these programs.
pub fn open<'a>(report: &'a Report, members: &BTreeSet<usize>) -> BTreeSet<&'a Assumption> {
    let own = |program: &'a Program| &program.assumptions;
    let of_programs: BTreeSet<_> = report.programs.iter().flat_map(own).collect();
    let programs = members.iter().filter_map(|member| report.programs.get(*member));
    // What is no program's own is an assumption about commands, and concerns whoever it leads to.
    let others = report
        .assumptions
        .iter()
        .filter(|assumption| !of_programs.contains(assumption));
    programs.flat_map(own).chain(others).collect()
}

/// The indices of a program and of all that can run under its policy: what it executes, what that executes, and so on;
/// every program of the container where one of them can execute something that is not known.
pub fn under(report: &Report, index: usize) -> BTreeSet<usize> {
    let mut members = BTreeSet::new();
    let mut open = vec![index];
    while let Some(next) = open.pop() {
        let Some(Program {
            executes,
            executes_unknown,
            ..
        }) = report.programs.get(next)
        else {
            continue;
        };
        if !members.insert(next) {
            continue;
        }
        if *executes_unknown {
            return (0..report.programs.len()).collect();
        }
        open.extend(executes);
    }
    members
}

/// Allows what programs call.
fn allow_calls<'a>(policy: &mut Policy, programs: impl Iterator<Item = &'a Program>) {
    for call in programs.flat_map(Program::needed) {
        let combinations = call.arguments.iter().map(|one| one.restrictions.as_slice());
        policy.allow(Architecture::X86_64, call.number, &any_of(combinations));
    }
}

/// Allows what the kernel needs, and what something unresolved widens the policy to, if it does.
fn allow_needed(policy: &mut Policy, report: &Report, is_widened: bool) {
    let needed = report.runtime_calls.iter();
    let needed = needed
        .filter(|call| call.requester == KERNEL)
        .map(|call| &call.name);
    let widened = report
        .widened
        .iter()
        .filter(|_| is_widened)
        .map(|call| &call.name);
    for call in needed.chain(widened).filter_map(|name| call_named(name)) {
        policy.allow(Architecture::X86_64, call.number, &Rule::any());
    }
}

/// The index of the report's program of that path or name.
pub fn named_program(report: &Report, name: &str) -> anyhow::Result<usize> {
    report.position(name).with_context(|| {
        let paths: Vec<&str> = report
            .programs
            .iter()
            .map(|program| program.path.as_str())
            .collect();
        format!(
            "expected a program of the report, found {name:?}: it has {}",
            paths.join(", ")
        )
    })
}

/// What one of the combinations allows; anything if there is none.
fn any_of<'a>(combinations: impl Iterator<Item = &'a [Restriction]>) -> Rule {
    let mut rules = combinations.map(rule).peekable();
    match rules.peek() {
        None => Rule::any(),
        Some(_) => rules.collect(),
    }
}

/// What satisfies every restriction.
pub fn rule(combination: &[Restriction]) -> Rule {
    let all = combination.iter().map(|restriction| {
        let index = restriction.index as usize;
        let values = restriction.values.iter();
        let alternatives: Rule = values
            .filter_map(|value| Conjunction::one(index, Masked::new(restriction.mask.0, value.0)))
            .collect();
        alternatives
    });
    all.fold(Rule::any(), |rule, one| rule.intersection(&one))
}

#[cfg(test)]
mod tests {
    use confine_assumption::{Assumption, Kind};
    use confine_report::{Call, Word};
    use serde_json::json;

    use super::*;

    #[test]
    fn combinations_are_alternatives_of_conditions() {
        let restriction = |index, values: &[u64]| Restriction {
            index,
            name: "any".to_owned(),
            mask: Word(0xffff_ffff),
            values: values.iter().copied().map(Word).collect(),
        };
        let one = rule(&[restriction(1, &[1]), restriction(2, &[2, 15])]);
        let both = one.union(&rule(&[restriction(1, &[6])]));
        for (level, option, expected) in [
            (1, 2, true),
            (1, 15, true),
            (1, 3, false),
            (6, 3, true),
            (2, 2, false),
        ] {
            assert_eq!(
                both.allows(&[0, level, option, 0, 0, 0]),
                expected,
                "{level} {option}"
            );
        }
        assert!(rule(&[]).is_any());
        assert!(rule(&[restriction(9, &[1])]).is_never());
    }
    /// A server that executes a tool, which executes nothing, and a shell that executes something unknown.
    fn report() -> Report {
        let program = |path: &str, calls: &[(u32, &str)], executes: &[usize]| {
            let calls: Vec<_> = calls
                .iter()
                .map(|(number, name)| json!({"number": number, "name": name, "sites": 1, "chain": []}))
                .collect();
            json!({"path": path, "invoked": [], "arguments": [], "found": [], "objects": [], "calls": calls,
                "executes": executes, "executes_unknown": path == "/bin/sh", "assumptions": []})
        };
        let ioctl = json!({"number": 16, "name": "ioctl", "sites": 1, "chain": [], "arguments": [{"chain": [],
            "restrictions": [{"index": 1, "name": "cmd", "mask": "0xffffffff", "values": ["0x5401"]}]}]});
        let mut programs = vec![
            program("/bin/server", &[(0, "read"), (59, "execve")], &[1]),
            program("/bin/tool", &[(1, "write")], &[]),
            program("/bin/sh", &[(61, "wait4"), (59, "execve")], &[1]),
        ];
        programs[1]["calls"].as_array_mut().unwrap().push(ioctl);
        let runtime =
            |name: &str, requester: &str| json!({"name": name, "requester": requester, "reason": "x"});
        let report = json!({
            "schema": confine_report::SCHEMA, "version": confine_report::VERSION, "confine": "0", "kernel_table": "0",
            "image": {"reference": "x", "architecture": "amd64", "command_line": [], "user": "", "workdir": "",
                "environment": []},
            "runtime": "runc", "objects": [], "scripts": [], "programs": programs,
            "runtime_calls": [runtime("exit", "kernel"), runtime("capset", "runc")],
            "widened": [{"name": "getpid", "because": "x"}], "allowed": [], "assumptions": [],
        });
        Report::from_json(&report.to_string()).unwrap()
    }

    fn names(policy: &Policy) -> Vec<&'static str> {
        let calls = policy.calls(Architecture::X86_64);
        calls
            .filter_map(|(number, _)| confine_kernel::name(number))
            .collect()
    }

    #[test]
    fn a_programs_policy_has_what_it_executes() {
        let report = report();
        for (index, expected) in [
            (0, vec!["read", "write", "ioctl", "execve", "exit"]),
            (1, vec!["write", "ioctl", "exit"]),
            // It may execute anything that there is.
            (2, vec!["read", "write", "ioctl", "execve", "exit", "wait4"]),
        ] {
            let policy = starting(&report, index);
            assert_eq!(names(&policy), expected, "{index}");
            for (request, expected) in [(0x5401, true), (0x5402, false)] {
                let arguments = [0, request, 0, 0, 0, 0];
                assert_eq!(policy.allows(Architecture::X86_64, 16, &arguments), expected);
            }
        }
    }

    #[test]
    fn what_widens_a_program_widens_those_that_it_can_run_under() {
        let open = Assumption {
            kind: Kind::OpenCallNumber,
            place: "/bin/tool".to_owned(),
            detail: "open".to_owned(),
            effect: Effect::WidenedToDefault,
        };
        let mut report = report();
        report.assumptions.push(open.clone());
        // Nobody's own: everybody's.
        let widened =
            |report: &Report| [0, 1, 2].map(|index| names(&starting(report, index)).contains(&"getpid"));
        assert_eq!(widened(&report), [true; 3]);
        report.programs[0].assumptions.push(open.clone());
        assert_eq!(widened(&report), [true, false, true]);
        report.programs[1].assumptions.push(open);
        assert_eq!(widened(&report), [true; 3]);
    }

    #[test]
    fn a_call_that_another_one_is_made_in_place_of_is_allowed_to_who_needs_it() {
        let mut report = report();
        let clone3 = |falls_back_to: Option<&str>| Call {
            number: 435,
            name: "clone3".to_owned(),
            falls_back_to: falls_back_to.map(str::to_owned),
            ..report.programs[1].calls[0].clone()
        };
        let (replaced, needed) = (clone3(Some("clone")), clone3(None));
        report.programs[0].calls.push(replaced);
        let has = |report: &Report| [0, 1].map(|index| names(&starting(report, index)).contains(&"clone3"));
        assert_eq!(has(&report), [false, false]);
        // The server executes the tool.
        report.programs[1].calls.push(needed);
        assert_eq!(has(&report), [true, true]);
    }
}
