//! A report that foresees what was observed, for a user who wants both.

use confine_report::{Allowed, Observed, Report, Restriction};

use crate::compare::is_nothing;
use crate::{Call, Record, Seen};

/// Allows what was observed in `record` and the report's policy denies; each such call, with its arguments, is marked as
/// observed in the evidence. What was foreseen stays as it is. What the container runtime called is left out: most of it
/// comes before the filter is installed, and for the rest the report has a table.
#[must_use]
pub fn add(mut report: Report, record: &Record) -> Report {
    let path = |file: usize| record.files.get(file).map_or("?", |file| file.path.as_str());
    let programs = record
        .programs
        .iter()
        .map(|program| (path(program.file), &program.calls));
    for (by, calls) in programs {
        for call in calls.iter().filter(|call| call.is_known() && !is_nothing(call)) {
            add_call(&mut report, by, call);
        }
    }
    report.canonical()
}

fn add_call(report: &mut Report, by: &str, call: &Call) {
    if call.arguments.is_empty() {
        if !report.allowed.iter().any(|allowed| allowed.name == call.name) {
            allow(report, by, call, Vec::new());
        }
        return;
    }
    for seen in &call.arguments {
        if !report.allows(&call.name, &seen.pairs()) {
            allow(report, by, call, restrictions(call.number, seen));
        }
    }
}

fn allow(report: &mut Report, by: &str, call: &Call, arguments: Vec<Restriction>) {
    report.observed.push(Observed {
        name: call.name.clone(),
        by: by.to_owned(),
        arguments: arguments.clone(),
    });
    let combination = Some(arguments).filter(|arguments| !arguments.is_empty());
    match report
        .allowed
        .iter_mut()
        .find(|allowed| allowed.name == call.name)
    {
        Some(allowed) => {
            allowed.observed = true;
            allowed.arguments.extend(combination);
        }
        None => report.allowed.push(Allowed {
            number: call.number,
            name: call.name.clone(),
            by: Vec::new(),
            runtime: false,
            widened: false,
            observed: true,
            arguments: combination.into_iter().collect(),
        }),
    }
}

fn restrictions(number: u32, seen: &Seen) -> Vec<Restriction> {
    let facts = confine_kernel::arguments(number);
    let values = seen.values.iter().filter_map(|value| {
        let fact = facts.get(usize::try_from(value.index).ok()?)?;
        Some(Restriction {
            index: value.index,
            name: value.name.clone(),
            mask: confine_report::Word(fact.mask()),
            values: vec![value.value],
        })
    });
    values.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare;
    use crate::sample::{call, record, report};

    #[test]
    fn what_was_foreseen_stays_as_it_is() {
        assert_eq!(add(report(), &record()), report());
    }

    #[test]
    fn what_was_observed_is_allowed_and_marked() {
        let mut record = record();
        record.programs[1].calls.push(call("reboot", 1, &[]));
        record.programs[1].calls[1] = call("socket", 2, &[&[(0, 2), (1, 1)], &[(0, 16), (1, 3)]]);
        record.programs[0].calls.push(call("keyctl", 1, &[&[(0, 1)]]));
        record.runtime.push(call("mount", 1, &[]));
        let report = add(report(), &record);
        let observed: Vec<(&str, &str)> = report
            .observed
            .iter()
            .map(|observed| (observed.name.as_str(), observed.by.as_str()))
            .collect();
        assert_eq!(
            observed,
            [
                ("keyctl", "/bin/sh"),
                ("reboot", "/usr/sbin/server"),
                ("socket", "/usr/sbin/server")
            ]
        );
        let named = |name: &str| {
            report
                .allowed
                .iter()
                .find(|allowed| allowed.name == name)
                .unwrap()
        };
        assert_eq!(named("socket").arguments.len(), 2);
        assert!(named("socket").observed && !named("socket").by.is_empty());
        assert!(named("keyctl").observed && named("keyctl").by.is_empty());
        assert!(!named("write").observed);
        // Nothing of it is denied any more; that it was not foreseen of its program stays true.
        let denied = compare(&report, &record).unforeseen;
        assert!(
            denied.iter().all(|finding| finding.denied == Some(false)),
            "{denied:?}"
        );
    }
}
