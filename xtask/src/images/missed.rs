//! What the kernel logged of a life in which everything is let through.

use std::collections::BTreeMap;

use confine_bpf::AUDIT_ARCH_X86_64;
use confine_engine::AuditRecord;
use confine_report::Report;

/// Each missed call with its program and how often it was logged, the most frequent first; but for those that a report says
/// another call is made in place of.
pub fn missed(records: &[AuditRecord], report: Option<&Report>) -> Vec<String> {
    let mut counts: BTreeMap<(u32, u32, &str), usize> = BTreeMap::new();
    let is_replaced = |record: &&AuditRecord| {
        let name = confine_kernel::name(record.call).filter(|_| record.architecture == AUDIT_ARCH_X86_64);
        let known = report.zip(name);
        known.is_some_and(|(report, name)| report.falls_back(&record.program, name))
    };
    for record in records.iter().filter(|record| !is_replaced(record)) {
        let call = (record.call, record.architecture, record.program.as_str());
        *counts.entry(call).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let told = counts.into_iter().map(|((call, architecture, program), count)| {
        let name = (architecture == AUDIT_ARCH_X86_64)
            .then(|| confine_kernel::name(call))
            .flatten();
        let name = name.map_or_else(|| format!("call {call} of {architecture:#x}"), str::to_owned);
        format!("{name} by {program} was not foreseen, {count} times")
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(call: u32, program: &str) -> AuditRecord {
        AuditRecord {
            call,
            architecture: AUDIT_ARCH_X86_64,
            program: program.to_owned(),
            process: 1,
            instruction: 0,
            origin: None,
            mapped: None,
        }
    }

    #[test]
    fn missed_calls_are_counted_by_call_and_program() {
        let records = [record(49, "/bin/a"), record(41, "/bin/a"), record(49, "/bin/a")];
        let expected = [
            "bind by /bin/a was not foreseen, 2 times",
            "socket by /bin/a was not foreseen, 1 times",
        ];
        assert_eq!(missed(&records, None), expected);
    }

    #[test]
    fn what_another_call_is_made_in_place_of_is_not_missed() {
        let clone3 =
            json!({ "number": 435, "name": "clone3", "sites": 1, "chain": [], "falls_back_to": "clone" });
        let report = json!({
            "schema": confine_report::SCHEMA, "version": confine_report::VERSION, "confine": "", "kernel_table": "",
            "image": { "reference": "", "architecture": "", "command_line": [], "user": "", "workdir": "",
                "environment": [] },
            "runtime": "", "scripts": [], "runtime_calls": [], "widened": [], "assumptions": [], "objects": [],
            "allowed": [],
            "programs": [{ "path": "/bin/a", "invoked": [], "arguments": [], "found": [], "executes": [],
                "assumptions": [], "executes_unknown": false, "objects": [], "calls": [clone3] }],
        });
        let report = Report::from_json(&report.to_string()).unwrap();
        let records = [record(435, "/bin/a"), record(435, "/bin/b"), record(49, "/bin/a")];
        let expected = [
            "bind by /bin/a was not foreseen, 1 times",
            "clone3 by /bin/b was not foreseen, 1 times",
        ];
        assert_eq!(missed(&records, Some(&report)), expected);
    }
}
