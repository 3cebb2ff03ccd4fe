//! Differences between small reports and profiles, and what they look like.

use confine_assumption::{Assumption, Effect, Kind};
use confine_report::{
    Allowed, Call, Combination, Image, LoadedObject, Object, ObjectKind, Program, Report, Restriction,
    SCHEMA, Step, VERSION, Word,
};
use serde_json::Value;

use super::compare::Difference;
use super::*;
use crate::subject::Subject;

/// A call, and the argument by index with its values, where some are ruled out.
type Made<'a> = (&'a str, Option<(u32, &'a [u64])>);

/// A report of one program that makes these calls.
fn report(path: &str, hash: &str, calls: &[Made<'_>]) -> Report {
    let step = Step {
        object: 0,
        function: "main".to_owned(),
        address: Word(0x1000),
        how: "entry point".to_owned(),
    };
    let restriction = |(index, values): (u32, &[u64])| Restriction {
        index,
        name: "any".to_owned(),
        mask: Word(0xffff_ffff),
        values: values.iter().copied().map(Word).collect(),
    };
    let number = |name: &str| call_named(name).unwrap().number;
    let made = calls.iter().map(|(name, values)| Call {
        number: number(name),
        name: (*name).to_owned(),
        sites: 1,
        chain: vec![step.clone()],
        arguments: values
            .map(|values| Combination {
                restrictions: vec![restriction(values)],
                chain: vec![step.clone()],
            })
            .into_iter()
            .collect(),
        falls_back_to: None,
    });
    let allowed = calls.iter().map(|(name, values)| Allowed {
        number: number(name),
        name: (*name).to_owned(),
        by: vec![0],
        runtime: false,
        widened: false,
        observed: false,
        arguments: values
            .map(|values| vec![restriction(values)])
            .into_iter()
            .collect(),
    });
    Report {
        schema: SCHEMA.to_owned(),
        version: VERSION,
        confine: "0.1.0".to_owned(),
        kernel_table: "7.3.4".to_owned(),
        image: Image::default(),
        program: None,
        runtime: "none".to_owned(),
        objects: vec![Object {
            path: path.to_owned(),
            sha256: hash.to_owned(),
            bytes: 1,
            code_bytes: 1,
            kind: ObjectKind::StaticProgram,
        }],
        scripts: vec![],
        programs: vec![Program {
            path: path.to_owned(),
            invoked: vec!["server".to_owned()],
            arguments: vec![],
            found: vec![],
            objects: vec![],
            calls: made.collect(),
            executes: vec![],
            executes_unknown: false,
            assumptions: vec![],
        }],
        runtime_calls: vec![],
        widened: vec![],
        observed: vec![],
        coarser: vec![],
        allowed: allowed.collect(),
        assumptions: vec![],
    }
}

fn side(name: &str, report: Report) -> Side {
    Side::new(name, Subject::Report(Box::new(report)), None).unwrap()
}

fn open(place: &str) -> Assumption {
    Assumption {
        kind: Kind::OpenCommand,
        place: place.to_owned(),
        detail: "from | a `file`".to_owned(),
        effect: Effect::NotCovered,
    }
}

/// A new release adds a call, a value, a program in place of another, and an assumption.
fn upgrade() -> Difference {
    let old = report(
        "/bin/old",
        "aa",
        &[("read", None), ("ioctl", Some((1, &[0x5401]))), ("chown", None)],
    );
    let mut new = report(
        "/bin/new",
        "bb",
        &[
            ("read", None),
            ("ioctl", Some((1, &[0x5401, 0x5413]))),
            ("io_uring_setup", None),
        ],
    );
    new.assumptions.push(open("/bin/new:run+0x4"));
    compare::compare(&side("old.json", old), &side("new.json", new))
}

#[test]
fn everything_that_differs_is_told() {
    let difference = upgrade();
    let expected = "old.json → new.json\n\n\
        SYSTEM CALLS\n\
        + io_uring_setup\n    /bin/new: main\n\
        - chown\n\
        ~ ioctl\n    + cmd=TIOCGWINSZ\n    /bin/new: main\n\n\
        PROGRAMS\n+ /bin/new\n- /bin/old\n\n\
        OBJECTS\n+ /bin/new\n- /bin/old\n\n\
        ASSUMPTIONS\n+ open-command: /bin/new:run: from | a `file` (not-covered)\n";
    assert_eq!(terminal::plain_text(&show::text(&difference)), expected);
    let json: Value = serde_json::from_str(&serde_json::to_string(&difference).unwrap()).unwrap();
    assert_eq!(json["calls"]["added"][0]["name"], "io_uring_setup");
    assert_eq!(json["calls"]["changed"][0]["added"][0], "cmd=TIOCGWINSZ");
}

#[test]
fn reasons_name_objects_where_they_change() {
    for (who, how, expected) in [
        (
            "/bin/a",
            &[
                "/bin/a:main at 0x1",
                "/lib/libc.so.6:write at 0x2",
                "/lib/libc.so.6:+0x3 at 0x4",
            ][..],
            "/bin/a: main → libc.so.6:write → +0x3",
        ),
        ("runc", &["reports: it is ready"], "runc: reports: it is ready"),
    ] {
        let how = how.iter().map(|step| (*step).to_owned()).collect();
        let who = who.to_owned();
        assert_eq!(show::reason(&compare::Reason { who, how }), expected);
    }
}

#[test]
fn markdown_keeps_its_tables() {
    let text = show::markdown(&upgrade());
    assert!(text.contains("| `io_uring_setup` | `/bin/new: main` |\n"));
    assert!(text.contains("| `ioctl` | `cmd=TIOCGWINSZ` |  |\n"));
    assert!(text.contains("<summary>system calls: 0 added, 1 removed, 0 changed</summary>\n\n- - `chown`\n"));
    assert!(text.contains("- + `open-command: /bin/new:run: from \\| a 'file' (not-covered)`\n"));
}

#[test]
fn sarif_has_a_result_for_all_that_came() {
    let log: Value = serde_json::from_str(&sarif::sarif(&upgrade()).unwrap()).unwrap();
    let results = log["runs"][0]["results"].as_array().unwrap();
    let rules: Vec<&str> = results
        .iter()
        .filter_map(|result| result["ruleId"].as_str())
        .collect();
    assert_eq!(
        rules,
        [
            "call-added",
            "values-added",
            "program-added",
            "object-added",
            "assumption-added"
        ]
    );
    for result in results {
        let uri = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
        assert_eq!(uri, "bin/new", "{result}");
    }
    assert_eq!(
        log["runs"][0]["tool"]["driver"]["rules"]
            .as_array()
            .unwrap()
            .len(),
        5
    );
}

#[test]
fn gates_fail_on_what_they_name() {
    let difference = upgrade();
    let same = report("/bin/old", "aa", &[("read", None)]);
    let none = compare::compare(&side("a", same.clone()), &side("b", same.clone()));
    let less = compare::compare(
        &side("a", report("/bin/old", "aa", &[("read", None), ("write", None)])),
        &side("b", same.clone()),
    );
    let rebuilt = report("/bin/old", "cc", &[("read", None)]);
    let rebuilt = compare::compare(&side("a", same), &side("b", rebuilt));
    for (name, upgraded, fewer, other) in [
        ("added", true, false, false),
        ("values", true, false, false),
        ("program", true, false, false),
        ("object", true, false, true),
        ("assumption", true, false, false),
        ("any", true, true, true),
        ("io_uring_setup", true, false, false),
        ("write", false, false, false),
    ] {
        let gate = gate(name).unwrap();
        assert_eq!(gate.word(), name);
        let found = [&difference, &less, &rebuilt].map(|difference| gate.fails(difference));
        assert_eq!(found, [upgraded, fewer, other], "{name}");
        assert!(!gate.fails(&none), "{name}");
    }
    assert!(gate("everything").is_err());
    assert_eq!(show::text(&none).lines().last(), Some("no difference"));
}

#[test]
fn addresses_that_moved_are_no_new_assumption() {
    let with = |place: &str| {
        let mut report = report("/bin/x", "aa", &[]);
        report.assumptions.push(open(place));
        side("x", report)
    };
    let moved = compare::compare(&with("/bin/x:run+0x4"), &with("/bin/x:run+0x8"));
    assert!(moved.is_empty());
    let other = compare::compare(&with("/bin/x:run+0x4"), &with("/bin/x:stop+0x4"));
    assert_eq!(
        (other.assumptions.added.len(), other.assumptions.removed.len()),
        (1, 1)
    );
}

#[test]
fn profiles_compare_by_what_they_allow() {
    let profile = |entries: Value| {
        let text = serde_json::json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": entries}).to_string();
        let reading = confine_profile::read_oci(&text, &[]).unwrap();
        Side::new("x", Subject::Profile(Box::new(reading)), None).unwrap()
    };
    let allow = |names: &[&str], arguments: Value| serde_json::json!({"names": names, "action": "SCMP_ACT_ALLOW", "args": arguments});
    let equal = |value: u64| serde_json::json!([{"index": 0, "value": value, "op": "SCMP_CMP_EQ"}]);
    let old = profile(serde_json::json!([
        allow(&["read", "write"], Value::Null),
        allow(&["socket"], equal(1))
    ]));
    let rearranged = profile(serde_json::json!([
        allow(&["socket"], equal(1)),
        allow(&["write"], Value::Null),
        allow(&["read"], Value::Null),
    ]));
    let wider = profile(serde_json::json!([allow(
        &["read", "write", "socket", "bpf"],
        Value::Null
    )]));
    assert!(compare::compare(&old, &rearranged).is_empty());
    let difference = compare::compare(&old, &wider);
    assert_eq!(difference.calls.added[0].name, "bpf");
    assert!(difference.calls.added[0].reasons.is_empty());
    assert_eq!(difference.calls.changed[0].added, ["anything"]);
    assert!(difference.calls.changed[0].removed.is_empty());
}

#[test]
fn one_program_of_a_report_is_compared_alone() {
    let loaded = |object| LoadedObject {
        object,
        reason: "the program".to_owned(),
    };
    let mut both = report("/bin/a", "aa", &[("read", None)]);
    let mut other = report("/bin/b", "bb", &[("bpf", None)]);
    for program in &mut other.programs {
        program.assumptions.push(open("/bin/b"));
        program.objects = vec![loaded(1)];
    }
    for program in &mut both.programs {
        program.objects = vec![loaded(0)];
    }
    both.assumptions.push(open("/bin/b"));
    both.objects.extend(other.objects);
    both.programs.extend(other.programs);
    both.allowed.extend(other.allowed);
    let alone = |name: &str| Side::new("x", Subject::Report(Box::new(both.clone())), Some(name));
    let difference = compare::compare(&alone("/bin/a").unwrap(), &alone("/bin/b").unwrap());
    assert_eq!(difference.calls.added.len(), 1);
    assert_eq!(difference.calls.removed, ["read"]);
    assert_eq!(difference.programs.added, ["/bin/b"]);
    assert_eq!(difference.objects.added, ["/bin/b"]);
    assert_eq!(difference.objects.removed, ["/bin/a"]);
    assert_eq!(
        difference.assumptions.added,
        ["open-command: /bin/b: from | a `file` (not-covered)"]
    );
    let Err(error) = alone("/bin/c") else {
        panic!("there is no such program")
    };
    assert!(
        format!("{error:#}")
            .contains("expected a program of the report, found \"/bin/c\": it has /bin/a, /bin/b")
    );
}

#[test]
fn a_program_of_a_report_comes_with_what_it_executes() {
    let mut both = report("/bin/a", "aa", &[("read", None)]);
    let other = report("/bin/b", "bb", &[("bpf", None)]);
    both.programs.extend(other.programs);
    both.programs[0].executes.push(1);
    let side = |name: &str| Side::new("x", Subject::Report(Box::new(both.clone())), Some(name)).unwrap();
    let difference = compare::compare(&side("/bin/a"), &side("/bin/b"));
    assert!(difference.calls.added.is_empty(), "{:?}", difference.calls.added);
    assert_eq!(difference.calls.removed, ["read"]);
    assert_eq!(difference.programs.removed, ["/bin/a"]);
    assert!(difference.programs.added.is_empty());
}
