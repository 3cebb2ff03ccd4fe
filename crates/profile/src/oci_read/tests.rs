//! Profiles and what they allow.

use confine_kernel::DOCKER_CAPABILITIES;
use confine_policy::{ARGUMENTS, Masked};
use serde_json::{Value, json};

use super::*;

fn read(default: &str, syscalls: &Value) -> Reading {
    let profile =
        json!({"defaultAction": default, "architectures": ["SCMP_ARCH_X86_64"], "syscalls": syscalls});
    read_oci(&profile.to_string(), &DOCKER_CAPABILITIES).unwrap()
}

fn allows(reading: &Reading, call: &str, arguments: &[u64]) -> bool {
    let mut all = [0; ARGUMENTS];
    all[..arguments.len()].copy_from_slice(arguments);
    let number = confine_kernel::call_named(call).unwrap().number;
    reading.policy.allows(Architecture::X86_64, number, &all)
}

fn condition(index: u64, op: &str, value: u64, value_two: u64) -> Value {
    json!({"index": index, "op": format!("SCMP_CMP_{op}"), "value": value, "valueTwo": value_two})
}

/// What an entry of `ioctl` with these conditions allows, if nothing else is, of values of the first two arguments.
fn check_conditions(conditions: &[Value], expected: &[(u64, u64, bool)]) {
    let entry = json!([{"names": ["ioctl"], "action": "SCMP_ACT_ALLOW", "args": conditions}]);
    let denying = json!([{"names": ["ioctl"], "action": "SCMP_ACT_ERRNO", "args": conditions}]);
    let reading = read("SCMP_ACT_ERRNO", &entry);
    let opposite = read("SCMP_ACT_ALLOW", &denying);
    for (first, second, allowed) in expected {
        let arguments = [*first, *second];
        assert_eq!(
            allows(&reading, "ioctl", &arguments),
            *allowed,
            "{conditions:?} {arguments:x?}"
        );
        assert_ne!(
            allows(&opposite, "ioctl", &arguments),
            *allowed,
            "{conditions:?} {arguments:x?}"
        );
    }
    assert!(reading.notes.is_empty() && opposite.notes.is_empty());
    assert!(!allows(&reading, "read", &[]) && allows(&opposite, "read", &[]));
}

#[test]
fn comparisons_are_those_of_libseccomp() {
    let high = 1 << 32;
    for (op, value, value_two, expected) in [
        ("EQ", 7, 0, [(6, false), (7, true), (high | 7, false)]),
        ("NE", 7, 0, [(6, true), (7, false), (high | 7, true)]),
        ("LT", 7, 0, [(6, true), (7, false), (high | 6, false)]),
        ("LE", 7, 0, [(7, true), (8, false), (high | 6, false)]),
        ("GT", 7, 0, [(7, false), (8, true), (high | 6, true)]),
        ("GE", 7, 0, [(6, false), (7, true), (high | 6, true)]),
        ("MASKED_EQ", 0xf, 7, [(7, true), (0x17, true), (high | 6, false)]),
        ("MASKED_EQ", 0xf0, 0, [(7, true), (0x17, false), (high | 6, true)]),
    ] {
        let expected = expected.map(|(first, allowed)| (first, 0, allowed));
        check_conditions(&[condition(0, op, value, value_two)], &expected);
    }
}

#[test]
fn conditions_of_an_entry_hold_together_unless_an_argument_repeats() {
    check_conditions(
        &[condition(0, "EQ", 1, 0), condition(1, "NE", 2, 0)],
        &[(1, 3, true), (1, 2, false), (0, 3, false)],
    );
    check_conditions(
        &[
            condition(0, "MASKED_EQ", 0xf, 1),
            condition(1, "MASKED_EQ", 0xf, 2),
            condition(0, "MASKED_EQ", 0xf0, 0x30),
        ],
        &[(1, 3, true), (0, 2, true), (0x30, 3, true), (0x40, 3, false)],
    );
    // What is meant as a range is none: every value is above one bound or below the other.
    check_conditions(
        &[condition(0, "GT", 5, 0), condition(0, "LT", 9, 0)],
        &[(1, 0, true), (7, 0, true), (11, 0, true)],
    );
}

#[test]
fn entries_of_a_call_are_alternatives() {
    let entry = |action: &str, conditions: &[Value]| json!({"names": ["ioctl", "no_such_call"], "action": format!("SCMP_ACT_{action}"), "args": conditions});
    let one = || condition(1, "EQ", 1, 0);
    let contradicting = BTreeSet::from([Note::Contradicting("ioctl")]);
    let elsewhere = BTreeSet::from([Note::DecidedElsewhere("ioctl")]);
    let none = BTreeSet::new();
    for (default, entries, allowed, notes) in [
        ("ERRNO", json!([]), [false, false], &none),
        ("ERRNO", json!([entry("ALLOW", &[one()])]), [true, false], &none),
        ("ERRNO", json!([entry("LOG", &[one()])]), [true, false], &none),
        (
            "KILL_PROCESS",
            json!([entry("ALLOW", &[one()]), entry("ALLOW", &[])]),
            [true, true],
            &none,
        ),
        ("ERRNO", json!([entry("ERRNO", &[])]), [false, false], &none),
        (
            "ERRNO",
            json!([entry("ALLOW", &[]), entry("KILL", &[one()])]),
            [true, true],
            &contradicting,
        ),
        (
            "ERRNO",
            json!([entry("NOTIFY", &[one()])]),
            [true, false],
            &elsewhere,
        ),
        ("ALLOW", json!([entry("ERRNO", &[one()])]), [false, true], &none),
        ("ALLOW", json!([entry("TRAP", &[])]), [false, false], &none),
        (
            "ALLOW",
            json!([entry("ERRNO", &[one()]), entry("ALLOW", &[])]),
            [false, true],
            &none,
        ),
        (
            "LOG",
            json!([entry("KILL_THREAD", &[one()])]),
            [false, true],
            &none,
        ),
    ] {
        let reading = read(&format!("SCMP_ACT_{default}"), &entries);
        let found = [1, 2].map(|request| allows(&reading, "ioctl", &[0, request]));
        assert_eq!(found, allowed, "{default} {entries}");
        assert_eq!(&reading.notes, notes, "{default} {entries}");
        let named = entries.to_string().contains("ACT_ALLOW") || entries.to_string().contains("ACT_LOG");
        let elsewhere = entries.to_string().contains("ACT_NOTIFY");
        assert_eq!(reading.foreign.contains("no_such_call"), named || elsewhere);
        assert_eq!(reading.permissive, ["ALLOW", "LOG"].contains(&default));
    }
}

#[test]
fn what_docker_adds_is_applied_and_noted() {
    let entry =
        |key: &str, filter: &Value| json!([{"names": ["bpf"], "action": "SCMP_ACT_ALLOW", key: filter}]);
    for (key, filter, taken) in [
        ("includes", json!({"caps": ["CAP_CHOWN"]}), true),
        ("includes", json!({"caps": ["CAP_CHOWN", "CAP_BPF"]}), false),
        ("excludes", json!({"caps": ["CAP_BPF"]}), true),
        ("excludes", json!({"caps": ["CAP_CHOWN", "CAP_BPF"]}), false),
        ("includes", json!({"arches": ["amd64", "x32"]}), true),
        ("includes", json!({"arches": ["s390x"]}), false),
        ("excludes", json!({"arches": ["amd64"]}), false),
        ("includes", json!({"minKernel": "4.8"}), true),
        ("excludes", json!({"minKernel": "4.8"}), false),
    ] {
        let reading = read("SCMP_ACT_ERRNO", &entry(key, &filter));
        assert_eq!(allows(&reading, "bpf", &[]), taken, "{key} {filter}");
        let call = "bpf";
        assert_eq!(
            reading.notes,
            BTreeSet::from([Note::Conditional { call, taken }]),
            "{key} {filter}"
        );
    }
    for filter in [json!({}), json!({"caps": null, "arches": []})] {
        let reading = read("SCMP_ACT_ERRNO", &entry("includes", &filter));
        assert!(
            allows(&reading, "bpf", &[]) && reading.notes.is_empty(),
            "{filter}"
        );
    }
    let older =
        json!([{"name": "read", "action": "SCMP_ACT_ALLOW", "args": null, "includes": {}, "excludes": {}}]);
    assert!(allows(&read("SCMP_ACT_ERRNO", &older), "read", &[]));
}

#[test]
fn other_architectures_are_told() {
    let map = json!([
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
    ]);
    for (key, value, expected) in [
        ("archMap", map, vec!["SCMP_ARCH_X32", "SCMP_ARCH_X86"]),
        (
            "architectures",
            json!(["SCMP_ARCH_X86", "SCMP_ARCH_ARM"]),
            vec!["SCMP_ARCH_X86"],
        ),
        ("architectures", json!(["SCMP_ARCH_X86_64"]), vec![]),
        ("architectures", json!(null), vec![]),
    ] {
        let profile = json!({"defaultAction": "SCMP_ACT_ERRNO", key: value, "syscalls": null});
        let reading = read_oci(&profile.to_string(), &[]).unwrap();
        assert_eq!(reading.others.iter().collect::<Vec<_>>(), expected, "{profile}");
    }
}

#[test]
fn too_many_conditions_deny_nothing() {
    let excluding: Vec<Value> = (0..6).map(|index| condition(index, "NE", 5, 0)).collect();
    let denied: Vec<Value> = (0..6).map(|index| condition(index, "EQ", u64::MAX, 0)).collect();
    let many = (0..200).map(|value| {
        let conditions = [0, 1].map(|index| condition(index, "MASKED_EQ", 1 << (value % 64), value));
        json!({"names": ["ioctl"], "action": "SCMP_ACT_ERRNO", "args": conditions})
    });
    for (default, entries) in [
        (
            "ERRNO",
            json!([{"names": ["ioctl"], "action": "SCMP_ACT_ALLOW", "args": excluding}]),
        ),
        (
            "ALLOW",
            json!([{"names": ["ioctl"], "action": "SCMP_ACT_ERRNO", "args": excluding}]),
        ),
        ("ALLOW", Value::from_iter(many)),
    ] {
        let reading = read(&format!("SCMP_ACT_{default}"), &entries);
        assert!(allows(&reading, "ioctl", &[5, 5]), "{default}");
        assert_eq!(
            reading.notes,
            BTreeSet::from([Note::TooManyConditions("ioctl")]),
            "{default}"
        );
    }
    let one = read(
        "SCMP_ACT_ALLOW",
        &json!([{"names": ["ioctl"], "action": "SCMP_ACT_ERRNO", "args": denied}]),
    );
    assert!(!allows(&one, "ioctl", &[u64::MAX; ARGUMENTS]) && one.notes.is_empty());
}

/// As many alternatives as a call may have.
fn excluding_two() -> Vec<Value> {
    [0, 1].map(|index| condition(index, "NE", 5, 0)).into()
}

/// Values that differ in their highest bits leave few pieces behind, and those in the lowest some fifty each.
#[test]
fn thousands_of_entries_are_worked_out() {
    let many = 4000;
    let high = |value: u64| vec![condition(1, "EQ", value << 52, 0)];
    let entry = |action: &str, conditions: Vec<Value>| json!({"names": ["ioctl"], "action": action, "args": conditions});
    let entries =
        |action: &str| -> Vec<Value> { (0..many).map(|value| entry(action, high(value))).collect() };
    let allowing = read("SCMP_ACT_ERRNO", &entries("SCMP_ACT_ALLOW").into());
    let denying = read("SCMP_ACT_ALLOW", &entries("SCMP_ACT_ERRNO").into());
    let together = (0..many).flat_map(high).collect();
    let together = read("SCMP_ACT_ERRNO", &json!([entry("SCMP_ACT_ALLOW", together)]));
    let low = (1..=20).map(|value| entry("SCMP_ACT_ERRNO", vec![condition(1, "EQ", value, 0)]));
    let both = low.chain(entries("SCMP_ACT_ERRNO")).collect();
    let both = read("SCMP_ACT_ALLOW", &both);
    for (value, named) in [
        (0, true),
        ((many - 1) << 52, true),
        (many << 52, false),
        (41, false),
    ] {
        assert_eq!(allows(&allowing, "ioctl", &[0, value]), named, "{value:#x}");
        assert_eq!(allows(&together, "ioctl", &[0, value]), named, "{value:#x}");
        assert_eq!(allows(&denying, "ioctl", &[0, value]), !named, "{value:#x}");
        assert_eq!(allows(&both, "ioctl", &[0, value]), !named, "{value:#x}");
    }
    assert!(!allows(&both, "ioctl", &[0, 20]));
    assert_eq!(allowing.policy, together.policy);
    let all = [
        entry("SCMP_ACT_ERRNO", Vec::new()),
        entry("SCMP_ACT_ERRNO", excluding_two()),
    ];
    let none = read(
        "SCMP_ACT_ALLOW",
        &all.into_iter().chain(entries("SCMP_ACT_ERRNO")).collect(),
    );
    assert!(!allows(&none, "ioctl", &[0, 21]));
    for reading in [allowing, together, denying, both, none] {
        assert!(reading.notes.is_empty(), "{:?}", reading.notes);
    }
}

#[test]
fn what_is_no_profile_is_named() {
    let entry = |entry: Value| json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [entry]});
    for (profile, expected) in [
        (json!([]), "not a seccomp profile: "),
        (json!({}), "missing field `defaultAction`"),
        (
            json!({"defaultAction": "ALLOW"}),
            "expected an action like \"SCMP_ACT_ALLOW\", found \"ALLOW\"",
        ),
        (
            entry(json!({"action": "SCMP_ACT_ALLOW"})),
            "entry 0 of the profile's syscalls names no call",
        ),
        (
            entry(json!({"names": [""], "action": "SCMP_ACT_ALLOW"})),
            "names no call",
        ),
        (
            entry(
                json!({"names": ["ioctl"], "action": "SCMP_ACT_ALLOW", "args": [condition(6, "EQ", 0, 0)]}),
            ),
            "ioctl: expected the index of an argument, 0 to 5, found 6",
        ),
        (
            entry(
                json!({"names": ["ioctl"], "action": "SCMP_ACT_ALLOW", "args": [condition(1, "IN", 0, 0)]}),
            ),
            "ioctl: expected a comparison like \"SCMP_CMP_EQ\", found \"SCMP_CMP_IN\"",
        ),
        (
            entry(json!({"names": ["bpf"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "new"}})),
            "expected a kernel version like \"4.8\", found \"new\"",
        ),
    ] {
        let error = read_oci(&profile.to_string(), &[]).unwrap_err().to_string();
        assert!(
            error.contains(expected),
            "{error:?} does not contain {expected:?}"
        );
    }
}

#[test]
fn what_is_written_is_read_back() {
    let mut policy = Policy::new();
    let mut arguments = [Masked::default(); ARGUMENTS];
    arguments[1] = Masked::new(0xffff_ffff, 0x5413);
    let conditional = Rule::from(Conjunction::new(arguments));
    arguments[2] = Masked::new(u64::MAX << 63, u64::MAX);
    let other = Rule::from(Conjunction::new(arguments));
    for (number, rule) in [
        (0, Rule::any()),
        (1, Rule::any()),
        (16, conditional.union(&other)),
        (9, other),
    ] {
        policy.allow(Architecture::X86_64, number, &rule);
    }
    let reading = read_oci(&crate::oci(&policy).unwrap(), &[]).unwrap();
    assert_eq!(reading.policy, policy);
    assert!(reading.others.is_empty() && reading.foreign.is_empty() && reading.notes.is_empty());
}
