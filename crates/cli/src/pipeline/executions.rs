//! Which programs each program can execute, scripts resolved into what they lead to.

use std::collections::{BTreeMap, BTreeSet};

use confine_assumption::{Effect, Kind};
use confine_programs::Executions;
use confine_report::Program;

/// Notes with each program what it can execute.
///
/// Links through scripts are followed to programs, and not beyond those: what they execute is with them. A program that
/// executes something that is not known says so, by an assumption of its own or by a script's.
pub fn fill(programs: &mut [Program], executions: &Executions) {
    let paths = programs.iter().enumerate();
    let indices: BTreeMap<String, usize> = paths
        .map(|(index, program)| (program.path.clone(), index))
        .collect();
    for program in programs {
        let own = program.assumptions.iter();
        let mut unknown = own.clone().any(|assumption| {
            assumption.kind == Kind::OpenCommand && assumption.effect == Effect::NotCovered
        });
        let mut executed = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut open = vec![program.path.as_str()];
        while let Some(path) = open.pop() {
            if !seen.insert(path) {
                continue;
            }
            unknown |= executions.open.contains(path);
            for next in executions.by(path) {
                match indices.get(next) {
                    Some(index) => {
                        executed.insert(*index);
                    }
                    None => open.push(next),
                }
            }
        }
        program.executes = executed.into_iter().collect();
        program.executes_unknown = unknown;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(path: &str) -> Program {
        Program {
            path: path.to_owned(),
            invoked: Vec::new(),
            arguments: Vec::new(),
            found: Vec::new(),
            objects: Vec::new(),
            calls: Vec::new(),
            executes: Vec::new(),
            executes_unknown: false,
            assumptions: Vec::new(),
        }
    }

    #[test]
    fn scripts_are_followed_to_programs() {
        let link = |by: &str, what: &str| (Some(by.to_owned()), what.to_owned());
        let executions = Executions {
            links: BTreeSet::from([
                (None, "start".to_owned()),
                link("start", "sh"),
                link("sh", "start"),
                link("start", "common"),
                link("common", "server"),
                link("server", "helper"),
                link("helper", "tool"),
            ]),
            open: BTreeSet::from(["common".to_owned()]),
        };
        let mut programs: Vec<Program> = ["sh", "server", "helper", "tool"].map(program).into();
        fill(&mut programs, &executions);
        let found: Vec<(&[usize], bool)> = programs
            .iter()
            .map(|program| (program.executes.as_slice(), program.executes_unknown))
            .collect();
        let expected: [(&[usize], bool); 4] = [(&[0, 1], true), (&[2], false), (&[3], false), (&[], false)];
        assert_eq!(found, expected);
    }
}
