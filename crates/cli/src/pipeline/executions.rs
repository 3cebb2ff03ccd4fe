//! Which programs each program can execute, scripts resolved into what they lead to.

use std::collections::{BTreeMap, BTreeSet};

use confine_assumption::{Effect, Kind};
use confine_programs::{Executions, executes_only_arguments};
use confine_report::Program;

use crate::options::Exec;

/// Notes with each program what it can execute.
///
/// Links through scripts are followed to programs, and not beyond those: what they execute is with them. A program that
/// executes something that is not known says so, by an assumption of its own or by a script's; where there is such a one, so does
/// every shell and wrapper, which do what they are told: it may be what is executed. Commands that the user trusts to be
/// nothing else are no such thing.
pub fn fill(programs: &mut [Program], executions: &Executions, exec: Exec) {
    let paths = programs.iter().enumerate();
    let indices: BTreeMap<String, usize> = paths
        .map(|(index, program)| (program.path.clone(), index))
        .collect();
    for program in programs.iter_mut() {
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
            unknown |= executions.is_open(path);
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
        program.executes_unknown = unknown && exec != Exec::None;
    }
    if programs.iter().any(|program| program.executes_unknown) {
        for program in programs.iter_mut().filter(|program| obeys(program)) {
            program.executes_unknown = true;
        }
    }
}

/// Whether a program executes what it is told: by scripts or by its arguments.
fn obeys(program: &Program) -> bool {
    let names = program.invoked.iter().chain([&program.path]);
    let mut names = names.map(|path| path.rsplit('/').next().unwrap_or(path));
    names.any(executes_only_arguments)
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
            open: BTreeSet::from([Some("common".to_owned())]),
        };
        let mut programs: Vec<Program> = ["sh", "server", "helper", "tool", "env"].map(program).into();
        // The sh that starts the container runs a script that is open; env may be what that executes.
        for (exec, unknown) in [(Exec::Found, true), (Exec::None, false)] {
            fill(&mut programs, &executions, exec);
            let found: Vec<(&[usize], bool)> = programs
                .iter()
                .map(|program| (program.executes.as_slice(), program.executes_unknown))
                .collect();
            let expected: [(&[usize], bool); 5] = [
                (&[0, 1], unknown),
                (&[2], false),
                (&[3], false),
                (&[], false),
                (&[], unknown),
            ];
            assert_eq!(found, expected);
        }
    }
}
