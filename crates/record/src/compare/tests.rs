//! What is a finding and what is not, as changes to one record and one report.

use super::*;
use crate::sample::{call, file, record, report};
use crate::{Executor, Program};

/// What is not foreseen of a changed record, one line each.
fn check(change: impl FnOnce(&mut Record, &mut Report), expected: &[&str]) {
    let (mut record, mut report) = (record(), report());
    change(&mut record, &mut report);
    let comparison = compare(&report, &record);
    let lines: Vec<String> = comparison
        .unforeseen
        .iter()
        .map(|finding| {
            let what = finding.object.as_deref().or(finding.call.as_deref());
            let values = finding.values.iter().map(|value| format!(" {}", value.value.0));
            let denied = match finding.denied {
                Some(true) => " denied",
                Some(false) => " allowed",
                None => "",
            };
            let kind = format!("{:?}", finding.kind).to_lowercase();
            let values: String = values.collect();
            format!(
                "{kind} {} {}{values}{denied}",
                finding.program,
                what.unwrap_or("-")
            )
        })
        .collect();
    assert_eq!(lines, expected);
}

#[test]
fn what_was_foreseen_is_no_finding() {
    check(|_, _| {}, &[]);
    let comparison = compare(&report(), &record());
    assert!(comparison.holds() && comparison.warnings.is_empty());
    assert_eq!(comparison.unseen.objects, ["/usr/lib/late.so"]);
    assert_eq!(comparison.unseen.calls, ["execve"]);
    assert!(comparison.unseen.programs.is_empty());
}

#[test]
fn calls_count_for_their_own_program() {
    check(
        |record, _| record.programs[0].calls.push(call("socket", 1, &[&[(0, 2)]])),
        &["call /bin/sh socket allowed"],
    );
    check(
        |record, _| record.programs[1].calls.push(call("reboot", 1, &[])),
        &["call /usr/sbin/server reboot denied"],
    );
    // A policy that allows a call with some values denies it with others.
    check(
        |record, _| record.programs[0].calls.push(call("socket", 1, &[&[(0, 16)]])),
        &["call /bin/sh socket denied"],
    );
    check(
        |record, _| {
            let both = call("socket", 2, &[&[(0, 2)], &[(0, 16)]]);
            record.programs[0].calls.push(both);
        },
        &["call /bin/sh socket denied"],
    );
    // What a policy allows because something stayed open is foreseen.
    check(
        |record, report| {
            record.programs[1].calls.push(call("reboot", 1, &[]));
            report.widened.push(confine_report::Widened {
                name: "reboot".to_owned(),
                because: "an open number".to_owned(),
            });
        },
        &[],
    );
}

#[test]
fn values_count_as_whole_combinations() {
    check(
        |record, _| {
            record.programs[1].calls[1] = call("socket", 2, &[&[(0, 2), (1, 1)], &[(0, 16), (1, 3)]]);
        },
        &["value /usr/sbin/server socket 16 3 denied"],
    );
    // Another program's policy may allow it: it was not foreseen of this one all the same.
    check(
        |record, report| {
            record.programs[1].calls[1] = call("socket", 1, &[&[(0, 16)]]);
            report.allowed.retain(|allowed| allowed.name != "socket");
            let mut any = report.allowed[0].clone();
            any.name = "socket".to_owned();
            report.allowed.push(any);
        },
        &["value /usr/sbin/server socket 16 allowed"],
    );
}

#[test]
fn an_unknown_program_is_a_finding_and_what_is_denied_of_it() {
    check(
        |record, _| {
            record.files.push(file("/bin/new", None));
            record.programs.push(Program {
                file: 5,
                executions: 2,
                executed_by: vec![Executor { file: None, times: 2 }],
                objects: vec![1, 2],
                calls: vec![call("write", 1, &[]), call("reboot", 1, &[])],
            });
        },
        &["program /bin/new -", "call /bin/new reboot denied"],
    );
}

#[test]
fn what_is_open_where_it_was_executed_is_told() {
    let (mut record, mut report) = (record(), report());
    let assumption = |kind, place: &str| Assumption {
        kind,
        place: place.to_owned(),
        detail: "is open".to_owned(),
        effect: confine_assumption::Effect::NotCovered,
    };
    report.programs[0].assumptions = vec![
        assumption(Open::OpenCommand, "/bin/sh:+0x10"),
        assumption(Open::OpenLibrary, "/bin/sh:+0x20"),
    ];
    report.programs[1].assumptions = vec![assumption(Open::OpenCommand, "/usr/sbin/server:+0x1")];
    report.scripts = vec![confine_report::Script {
        path: "/entry.sh".to_owned(),
        interpreter: "sh".to_owned(),
        found: vec![],
    }];
    report.assumptions = vec![
        assumption(Open::OpenCommand, "/entry.sh:3"),
        assumption(Open::OpenCommand, "/other.py:1"),
    ];
    record.files.push(file("/bin/new", None));
    record.programs.push(Program {
        file: 5,
        executions: 1,
        executed_by: vec![Executor {
            file: Some(0),
            times: 1,
        }],
        objects: vec![],
        calls: vec![],
    });
    let found = compare(&report, &record).unforeseen;
    let places: Vec<&str> = found[0].open.iter().map(|open| open.place.as_str()).collect();
    assert_eq!(places, ["/bin/sh:+0x10", "/entry.sh:3"]);
}

#[test]
fn objects_have_a_place_and_a_content() {
    check(
        |record, _| {
            record.files.push(file("/usr/lib/other.so", None));
            record.programs[1].objects.extend([4, 5]);
        },
        &["object /usr/sbin/server /usr/lib/other.so"],
    );
    check(
        |record, _| record.files[2].sha256 = Some("other".to_owned()),
        &["changed /lib/libc.so -"],
    );
    check(
        |record, _| record.files[3].sha256 = None,
        &["changed /usr/sbin/server -"],
    );
}

#[test]
fn what_the_runtime_calls_is_not_compared() {
    check(|record, _| record.runtime.push(call("mount", 1, &[])), &[]);
}

#[test]
fn calls_of_other_tables_are_never_foreseen() {
    check(
        |record, _| {
            let mut odd = call("write", 1, &[]);
            odd.name = "call 4 of the 32-bit table".to_owned();
            record.programs[1].calls.push(odd);
            let mut nothing = call("write", 1, &[]);
            (nothing.number, nothing.name) = (u32::MAX, format!("call {}", u32::MAX));
            record.programs[1].calls.push(nothing);
        },
        &["call /usr/sbin/server call 4 of the 32-bit table denied"],
    );
}

#[test]
fn another_image_and_a_failed_workload_are_warned_of() {
    let mut record = record();
    record.image.digest = Some("sha256:cd".to_owned());
    record.session.workload_exit = Some(1);
    let warnings = compare(&report(), &record).warnings;
    assert_eq!(
        warnings,
        [
            "the report is of the image sha256:ab, the record of sha256:cd",
            "the workload of the record failed",
        ]
    );
}
