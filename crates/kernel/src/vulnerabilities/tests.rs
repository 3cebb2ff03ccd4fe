//! The table of vulnerabilities as data.

use std::collections::BTreeSet;

use super::*;

fn named(id: &str) -> &'static Vulnerability {
    let mut found = vulnerabilities().iter().filter(|one| one.id == id);
    found.next().unwrap()
}

#[test]
fn the_published_list_is_whole() {
    assert_eq!(
        vulnerabilities().iter().filter(|one| one.published).count(),
        42,
        "Computers & Security 132, 103325, counts 42"
    );
    assert_eq!(vulnerabilities().len(), COUNT);
}

#[test]
fn rows_mean_what_they_say() {
    let one = named("CVE-2022-0185");
    assert_eq!(one.class, VulnerabilityClass::Escape);
    assert_eq!(
        one.first.map(|version| version.to_string()).as_deref(),
        Some("5.1")
    );
    assert_eq!(one.fixed.to_string(), "5.17");
    let capability = one.capability.unwrap();
    assert_eq!((capability.name, capability.host), ("CAP_SYS_ADMIN", false));
    let steps: Vec<String> = one.ways[0].steps.iter().map(ToString::to_string).collect();
    assert_eq!(steps, ["fsopen or fspick", "fsconfig"]);
    assert_eq!(named("CVE-2019-11599").ways.len(), 3);
    assert_eq!(named("CVE-2010-4077").fixed.to_string(), "2.6.37");
}

#[test]
fn conditions_are_those_of_the_text() {
    let condition = |index, mask, value, equal| ArgumentCondition {
        index,
        mask,
        value,
        equal,
    };
    let whole = 0xffff_ffff;
    for (id, step, access, entry, expected) in [
        (
            "CVE-2016-3134",
            0,
            0,
            Entry::Native,
            vec![condition(1, whole, 0, true), condition(2, whole, 0x40, true)],
        ),
        ("CVE-2010-3081", 0, 0, Entry::X86, vec![]),
        ("CVE-2014-0038", 0, 0, Entry::X32, vec![]),
        (
            "CVE-2013-1858",
            0,
            0,
            Entry::Native,
            vec![condition(0, 0x1000_0200, 0x1000_0200, true)],
        ),
        (
            "CVE-2009-1337",
            0,
            0,
            Entry::Native,
            vec![condition(0, 0xff, 0, false), condition(0, 0xff, 17, false)],
        ),
        (
            "CVE-2020-14381",
            0,
            0,
            Entry::Native,
            vec![condition(1, 0x80, 0, true)],
        ),
        (
            "CVE-2014-4014",
            1,
            2,
            Entry::Native,
            vec![condition(2, 0x400, 0x400, true)],
        ),
        (
            "CVE-2022-0995",
            1,
            0,
            Entry::Native,
            vec![condition(1, whole, 0x5761, true)],
        ),
    ] {
        let found = &named(id).ways[0].steps[step].accesses[access];
        assert_eq!((found.entry, &found.conditions), (entry, &expected), "{id}");
    }
}

#[test]
fn every_row_is_complete() {
    for one in vulnerabilities() {
        let Vulnerability { id, ways, source, .. } = one;
        assert!(!ways.is_empty(), "{id}");
        for step in ways.iter().flat_map(|way| &way.steps) {
            assert!(!step.accesses.is_empty(), "{id}");
            for access in &step.accesses {
                let prefix = match access.entry {
                    Entry::Native => "",
                    Entry::X86 => "x86:",
                    Entry::X32 => "x32:",
                };
                assert!(
                    access.text.starts_with(&format!("{prefix}{}", access.call.name)),
                    "{id}"
                );
            }
        }
        assert!(one.first.is_none_or(|first| first < one.fixed), "{id}");
        let source = source.split("; ").next().unwrap_or_default();
        let hash = source.strip_prefix("commit ").unwrap_or("000000000000");
        let is_hash = hash.len() == 12 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(
            is_hash && (source == "NVD" || source.starts_with("commit ")),
            "{id}"
        );
    }
}

#[test]
fn equivalents_are_known_calls() {
    for [name, by, since, _] in EQUIVALENTS {
        let call = call_named(name).unwrap();
        let by = call_named(by).unwrap();
        let version = KernelVersion::parse(since);
        // The table of calls knows no version older than its oldest.
        assert!(by.since <= version, "{name}");
        assert!(equivalents(call).any(|one| one.by == by));
    }
    let pairs: BTreeSet<_> = EQUIVALENTS.iter().map(|[name, by, ..]| (name, by)).collect();
    assert_eq!(pairs.len(), EQUIVALENTS.len());
}

#[test]
fn a_user_name_space_is_made_by_two_calls() {
    assert_eq!(
        user_name_space().to_string(),
        "unshare(unshare_flags&CLONE_NEWUSER) or clone(clone_flags&CLONE_NEWUSER)"
    );
    for access in user_name_space().accesses {
        assert_eq!(access.conditions[0].value, 0x1000_0000);
    }
}
