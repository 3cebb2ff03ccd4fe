//! Calls that a policy denied, and what the analysis says of them.

use std::collections::BTreeMap;

use confine_kernel::{ArgumentKind, arguments, describe, values};
use confine_report::{Call, Report, Step};
use serde::Serialize;

/// How many different lists of arguments are told of one call.
const LISTS: usize = 8;

/// One call that a policy denies, as it was seen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempt {
    /// The call's number on x86-64; `None` if it was made as another architecture's.
    pub number: Option<u32>,
    /// What the call is named where it has no number here.
    pub foreign: String,
    /// The program that made it, as its path in the container.
    pub program: String,
    /// Its six arguments, where they could be had.
    pub arguments: Option<[u64; 6]>,
    /// The place that made it, where that could be told.
    pub site: Option<Site>,
    /// Whether its process was seen to be the container's. One that had ended before may be: it counts.
    pub certain: bool,
    /// How often it was seen.
    pub times: usize,
}

/// A place in the code of an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Site {
    /// The object, as its path in the container.
    pub object: String,
    /// The function, or the offset where it has no name.
    pub function: String,
    /// The address of the instruction in the object.
    pub address: u64,
}

/// A call that a program made and that the policy denies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Denied {
    /// The call's name.
    pub call: String,
    /// The program's path in the container.
    pub program: String,
    /// How often it was made.
    pub times: usize,
    /// How often of these the process had ended before it was seen whose it is: it may be another container's.
    #[serde(skip_serializing_if = "is_zero")]
    pub uncertain: usize,
    /// Its arguments in words, one text for each list that was seen; empty where they could not be had.
    pub arguments: Vec<String>,
    /// Where in the code it was made, where that could be told.
    pub sites: Vec<Site>,
    /// Whether the analysis knows of it.
    pub foreseen: Foreseen,
    /// For a call that it knows of: a shortest way to it, as `function (object)`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<String>,
}

/// Whether the analysis knows of a call that was denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Foreseen {
    /// It does: the policy is not the one that follows from it.
    Yes,
    /// The call with some arguments; those that were passed could not be had.
    WithoutArguments,
    /// The call, but not with these arguments: something was missed.
    OtherArguments,
    /// The program cannot make this call as far as it knows: something was missed.
    No,
    /// It does not know that the container runs this program: add it by `--also`, or something was missed.
    UnknownProgram,
    /// The image was not analysed.
    NotAsked,
}

impl Foreseen {
    /// What it means, in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Yes => "foreseen: the analysis finds it, the policy leaves it out",
            Self::WithoutArguments => {
                "foreseen with some arguments: those that were passed could not be had to compare"
            }
            Self::OtherArguments => "not foreseen with these arguments: the analysis missed something",
            Self::No => "not foreseen: the analysis missed something",
            Self::UnknownProgram => {
                "not foreseen: the analysis does not find that the container runs this program"
            }
            Self::NotAsked => "the image was not analysed",
        }
    }
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes what it asks about so"
)]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Attempts by call and program, each with what the report says of it. Numbers that no kernel has a call for are left out:
/// they are answered alike without a policy. So are calls in whose place the program makes another one, as is meant.
#[must_use]
pub fn denied(attempts: &[Attempt], report: Option<&Report>) -> Vec<Denied> {
    let mut groups: BTreeMap<(String, &str), Vec<&Attempt>> = BTreeMap::new();
    let is_nothing = |attempt: &&Attempt| attempt.number.is_some_and(confine_kernel::is_beyond_tables);
    let is_meant = |attempt: &&Attempt| {
        report.is_some_and(|report| report.falls_back(&attempt.program, &call_name(attempt)))
    };
    let counting = attempts
        .iter()
        .filter(|attempt| !is_nothing(attempt) && !is_meant(attempt));
    for attempt in counting {
        groups
            .entry((call_name(attempt), attempt.program.as_str()))
            .or_default()
            .push(attempt);
    }
    let told = groups
        .into_iter()
        .map(|((call, program), attempts)| one(call, program, &attempts, report));
    told.collect()
}

fn one(call: String, program: &str, attempts: &[&Attempt], report: Option<&Report>) -> Denied {
    let mut lists: Vec<[u64; 6]> = attempts.iter().filter_map(|attempt| attempt.arguments).collect();
    lists.sort_unstable();
    lists.dedup();
    let mut sites: Vec<Site> = attempts
        .iter()
        .filter_map(|attempt| attempt.site.clone())
        .collect();
    sites.sort();
    sites.dedup();
    let number = attempts.first().and_then(|attempt| attempt.number);
    let (foreseen, chain) = match report {
        None => (Foreseen::NotAsked, Vec::new()),
        Some(report) => judge(report, program, &call, number, &lists),
    };
    let mut arguments: Vec<String> = number
        .into_iter()
        .flat_map(|number| lists.iter().map(move |list| list_in_words(number, list)))
        .collect();
    // Lists that differ in a pointer alone read the same where pointers do not count.
    arguments.dedup();
    if arguments.len() > LISTS {
        let more = arguments.len() - LISTS;
        arguments.truncate(LISTS);
        arguments.push(format!("and {more} more"));
    }
    let uncertain = attempts.iter().filter(|attempt| !attempt.certain);
    Denied {
        call,
        program: program.to_owned(),
        times: attempts.iter().map(|attempt| attempt.times).sum(),
        uncertain: uncertain.map(|attempt| attempt.times).sum(),
        arguments,
        sites,
        foreseen,
        chain,
    }
}

fn judge(
    report: &Report,
    program: &str,
    call: &str,
    number: Option<u32>,
    lists: &[[u64; 6]],
) -> (Foreseen, Vec<String>) {
    let Some(known) = report.program_named(program) else {
        return (Foreseen::UnknownProgram, Vec::new());
    };
    if !report.foresees(known, call, &[]) {
        return (Foreseen::No, Vec::new());
    }
    let made = known.calls.iter().find(|known| known.name == call);
    let chain = made.into_iter().flat_map(|made| &made.chain);
    let chain = chain.map(|step| in_words(report, step)).collect();
    let restricted = !report.foresees_always(call) && made.is_some_and(Call::restricts);
    let admitted = |list: &[u64; 6]| {
        let values = number.map_or_else(Vec::new, |number| values(number, list));
        report.foresees(known, call, &values)
    };
    let judged = match lists {
        [] if restricted => Foreseen::WithoutArguments,
        lists if lists.iter().all(admitted) => Foreseen::Yes,
        _ => Foreseen::OtherArguments,
    };
    (judged, chain)
}

fn in_words(report: &Report, step: &Step) -> String {
    let object = report
        .objects
        .get(step.object)
        .map_or("?", |object| object.path.as_str());
    format!("{} ({object})", step.function)
}

fn call_name(attempt: &Attempt) -> String {
    let name = attempt.number.and_then(confine_kernel::name);
    match (name, attempt.number) {
        (Some(name), _) => name.to_owned(),
        (None, Some(number)) => format!("call {number}"),
        (None, None) => attempt.foreign.clone(),
    }
}

/// Arguments by their names, values by the names of their constants: `fd=3, level=SOL_SOCKET, optname=SO_REUSEADDR`.
fn list_in_words(number: u32, list: &[u64; 6]) -> String {
    let facts = arguments(number);
    let beside = values(number, list);
    let words = facts
        .iter()
        .zip(&beside)
        .map(|(fact, (index, value))| match fact.kind {
            ArgumentKind::Enumeration | ArgumentKind::Flags => {
                format!("{}={}", fact.name, describe(number, *index, *value, &beside))
            }
            // Where in memory something lies is another in every life.
            ArgumentKind::Pointer | ArgumentKind::Address => match value {
                0 => format!("{}=NULL", fact.name),
                _ => format!("{}=<pointer>", fact.name),
            },
            ArgumentKind::Mode => format!("{}={value:#o}", fact.name),
            _ => format!("{}={}", fact.name, signed(*value, fact.width)),
        });
    words.collect::<Vec<_>>().join(", ")
}

/// A number of so many bits, as C would print it with a sign.
fn signed(value: u64, width: u32) -> i64 {
    let unused = u64::BITS.saturating_sub(width);
    ((value << unused) as i64) >> unused
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::report;

    fn attempt(call: &str, program: &str, arguments: Option<[u64; 6]>) -> Attempt {
        Attempt {
            number: Some(confine_kernel::call_named(call).unwrap().number),
            foreign: String::new(),
            program: program.to_owned(),
            arguments,
            site: None,
            certain: true,
            times: 1,
        }
    }

    fn check(call: &str, program: &str, arguments: Option<[u64; 6]>, expected: (Foreseen, &str)) {
        let found = denied(&[attempt(call, program, arguments)], Some(&report()));
        assert_eq!(
            (found[0].foreseen, found[0].arguments.join("; ").as_str()),
            expected,
            "{call} by {program}"
        );
    }

    #[test]
    fn what_the_analysis_says_is_told() {
        let server = "/usr/bin/server";
        check("bind", server, None, (Foreseen::Yes, ""));
        check(
            "bind",
            server,
            Some([3, 0x7fff_0000, 16, 0, 0, 0]),
            (Foreseen::Yes, "fd=3, umyaddr=<pointer>, addrlen=16"),
        );
        check(
            "socket",
            server,
            Some([2, 1, 0, 0, 0, 0]),
            (
                Foreseen::Yes,
                "family=AF_INET, type=SOCK_STREAM, protocol=IPPROTO_IP",
            ),
        );
        check(
            "socket",
            server,
            Some([17, 3, 0, 0, 0, 0]),
            (
                Foreseen::OtherArguments,
                "family=AF_PACKET, type=SOCK_RAW, protocol=0",
            ),
        );
        check("socket", server, None, (Foreseen::WithoutArguments, ""));
        check("ptrace", server, None, (Foreseen::No, ""));
        check("bind", "/bin/other", None, (Foreseen::UnknownProgram, ""));
        check("bind", "/srv/link", None, (Foreseen::Yes, ""));
        assert_eq!(
            denied(&[attempt("bind", server, None)], None)[0].foreseen,
            Foreseen::NotAsked
        );
    }

    #[test]
    fn what_the_kernel_calls_and_what_is_widened_is_foreseen() {
        let mut report = report();
        report.runtime_calls.push(confine_report::RuntimeCall {
            name: "rt_sigreturn".to_owned(),
            requester: "kernel".to_owned(),
            reason: "returns from a handler".to_owned(),
            arguments: Vec::new(),
        });
        for name in ["ptrace", "socket"] {
            report.widened.push(confine_report::Widened {
                name: name.to_owned(),
                because: "an open number".to_owned(),
            });
        }
        for (call, arguments) in [
            ("rt_sigreturn", None),
            ("ptrace", Some([0; 6])),
            ("socket", Some([17, 3, 0, 0, 0, 0])),
            ("socket", None),
        ] {
            let found = denied(&[attempt(call, "/usr/bin/server", arguments)], Some(&report));
            assert_eq!(found[0].foreseen, Foreseen::Yes, "{call}");
        }
    }

    #[test]
    fn attempts_are_counted_and_lists_told_once() {
        let one = |pointer| attempt("bind", "/usr/bin/server", Some([3, pointer, 16, 0, 0, 0]));
        let found = denied(
            &[one(1), one(2), attempt("ptrace", "/usr/bin/server", None)],
            None,
        );
        let told: Vec<(&str, usize, usize)> = found
            .iter()
            .map(|denied| (denied.call.as_str(), denied.times, denied.arguments.len()))
            .collect();
        assert_eq!(told, [("bind", 2, 1), ("ptrace", 1, 0)]);
        let many: Vec<Attempt> = (0..20)
            .map(|fd| attempt("bind", "/x", Some([fd, 1, 16, 0, 0, 0])))
            .collect();
        assert_eq!(denied(&many, None)[0].arguments.last().unwrap(), "and 12 more");
    }

    #[test]
    fn calls_without_a_name_and_negative_numbers_are_told() {
        let foreign = Attempt {
            number: None,
            foreign: "call 20 of 0x40000003".to_owned(),
            ..attempt("bind", "/x", None)
        };
        assert_eq!(denied(&[foreign], None)[0].call, "call 20 of 0x40000003");
        let unknown = Attempt {
            number: Some(511),
            ..attempt("bind", "/x", Some([0; 6]))
        };
        let nothing = Attempt {
            number: Some(1008),
            ..unknown.clone()
        };
        let found = denied(&[nothing, unknown], None);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].call, "call 511");
        assert_eq!(signed(0xffff_ffff, 32), -1);
        assert_eq!(signed(u64::MAX, 64), -1);
        assert_eq!(signed(7, 32), 7);
    }

    #[test]
    fn what_another_call_is_made_in_place_of_is_denied_as_is_meant() {
        let mut report = report();
        let server = report.programs[0].path.clone();
        let clone3 = Call {
            number: confine_kernel::call_named("clone3").unwrap().number,
            name: "clone3".to_owned(),
            falls_back_to: Some("clone".to_owned()),
            ..report.programs[0].calls[1].clone()
        };
        report.programs[0].calls.push(clone3);
        let attempts = [
            attempt("clone3", &server, None),
            attempt("clone3", "/usr/bin/other", None),
        ];
        let found = denied(&attempts, Some(&report));
        let told: Vec<(&str, &str)> = found
            .iter()
            .map(|denied| (denied.call.as_str(), denied.program.as_str()))
            .collect();
        assert_eq!(told, [("clone3", "/usr/bin/other")]);
    }
}
