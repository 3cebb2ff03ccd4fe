//! What is counted in a report.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::report::{list, program};

/// The figures of one image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Calls that are allowed container-wide, of today's table.
    pub allowed: usize,
    /// Calls of the published table that are denied container-wide.
    pub denied: usize,
    /// Calls that the main program can make, of today's table.
    pub main_allowed: usize,
    /// Calls of the published table that the main program cannot make; 0 if the program was not found.
    pub main_denied: usize,
    /// Calls that are restricted by argument container-wide.
    pub restricted: usize,
    /// Calls that are restricted by argument for the main program.
    pub main_restricted: usize,
    /// Values of arguments that are allowed, where they are restricted.
    pub values: usize,
    /// Things that could not be resolved.
    pub assumptions: usize,
    /// Calls that are allowed for such a thing alone.
    pub widened: usize,
    /// Programs that the container can run.
    pub programs: usize,
    /// Objects that they load.
    pub objects: usize,
}

/// Counts a report, in which the main program is called so.
pub fn count(report: &Value, main: &str) -> Counts {
    let allowed = list(report, "allowed");
    let programs = list(report, "programs");
    let main_program = program(report, main);
    let main_calls = main_program
        .map(|program| list(program, "calls"))
        .unwrap_or_default();
    // No policy allows what another call is made in place of.
    let main_calls: Vec<&Value> = main_calls
        .iter()
        .filter(|call| call.get("falls_back_to").is_none())
        .collect();
    let restricts = |call: &Value| {
        let combinations = list(call, "arguments");
        let bound = |one: &Value| one["restrictions"].as_array().is_some_and(|all| !all.is_empty());
        !combinations.is_empty() && combinations.iter().all(bound)
    };
    Counts {
        allowed: allowed.len(),
        denied: denied(allowed.iter()),
        main_allowed: main_calls.len(),
        main_denied: match main_calls.as_slice() {
            [] => 0,
            calls => denied(calls.iter().copied()),
        },
        restricted: allowed
            .iter()
            .filter(|call| !list(call, "arguments").is_empty())
            .count(),
        main_restricted: main_calls.iter().filter(|call| restricts(call)).count(),
        values: values(allowed),
        assumptions: list(report, "assumptions").len(),
        widened: list(report, "widened").len(),
        programs: programs.len(),
        objects: list(report, "objects").len(),
    }
}

/// How many calls of the published table are not among these.
fn denied<'a>(calls: impl Iterator<Item = &'a Value>) -> usize {
    let allowed: BTreeSet<&str> = calls.filter_map(|call| call["name"].as_str()).collect();
    confine_kernel::published_table()
        .filter(|call| !allowed.contains(call.name))
        .count()
}

/// Distinct values by call and argument.
fn values(allowed: &[Value]) -> usize {
    let mut distinct = BTreeSet::new();
    for call in allowed {
        let restrictions = list(call, "arguments").iter().filter_map(Value::as_array);
        for restriction in restrictions.flatten() {
            for value in list(restriction, "values") {
                distinct.insert((
                    call["name"].as_str(),
                    restriction["index"].as_u64(),
                    restriction["mask"].to_string(),
                    value.to_string(),
                ));
            }
        }
    }
    distinct.len()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_is_counted() {
        let restriction = json!({ "index": 1, "mask": 255, "values": [1, 2] });
        let report = json!({
            "allowed": [
                { "name": "read" },
                { "name": "ioctl", "arguments": [[restriction], [restriction]] },
            ],
            "programs": [
                { "path": "/bin/sh", "calls": [{ "name": "read" }] },
                { "path": "/usr/lib/server-2", "invoked": ["/usr/bin/server"], "calls": [
                    { "name": "read" },
                    { "name": "ioctl", "arguments": [{ "restrictions": [restriction] }] },
                    { "name": "fcntl", "arguments": [{ "restrictions": [] }] },
                ] },
            ],
            "objects": [1, 2],
            "assumptions": [1],
            "widened": [],
        });
        let expected = Counts {
            allowed: 2,
            denied: 333,
            main_allowed: 3,
            main_denied: 332,
            restricted: 1,
            main_restricted: 1,
            values: 2,
            assumptions: 1,
            widened: 0,
            programs: 2,
            objects: 2,
        };
        assert_eq!(count(&report, "server"), expected);
        assert_eq!(count(&json!({}), "server").denied, 335);
    }
}
