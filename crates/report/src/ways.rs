//! How the container comes to each program: from what starts it, over scripts and programs, to the command.
//!
//! In: the reasons that a report has for each program and script, each of which names the one before. Out: the
//! shortest chain of reasons, found breadth first; what nothing leads to has the first of its own reasons alone.

use std::collections::{BTreeMap, VecDeque};

use confine_assumption::Kind;

use crate::{Found, Report};

/// The shortest chain to every program and script, by path.
pub(crate) struct Ways<'r>(BTreeMap<&'r str, Vec<&'r Found>>);

impl<'r> Ways<'r> {
    pub(crate) fn find(report: &'r Report) -> Self {
        let programs = report.programs.iter();
        let programs = programs.map(|program| (program.path.as_str(), program.found.as_slice()));
        let scripts = report.scripts.iter();
        let scripts = scripts.map(|script| (script.path.as_str(), script.found.as_slice()));
        let found: Vec<(&str, &[Found])> = programs.chain(scripts).collect();
        let mut led: BTreeMap<&str, Vec<(&str, &Found)>> = BTreeMap::new();
        let mut ways: BTreeMap<&str, Vec<&Found>> = BTreeMap::new();
        let mut pending = VecDeque::new();
        for (path, reasons) in &found {
            for reason in *reasons {
                match &reason.parent {
                    Some(parent) => led.entry(parent).or_default().push((path, reason)),
                    None if !ways.contains_key(path) => {
                        ways.insert(path, vec![reason]);
                        pending.push_back(*path);
                    }
                    None => {}
                }
            }
        }
        // Each path is taken once.
        while let Some(path) = pending.pop_front() {
            let way = ways.get(path).cloned().unwrap_or_default();
            for (next, reason) in led.get(path).into_iter().flatten() {
                if !ways.contains_key(next) {
                    ways.insert(next, way.iter().copied().chain([*reason]).collect());
                    pending.push_back(next);
                }
            }
        }
        for (path, reasons) in found {
            if let Some(first) = reasons.first() {
                ways.entry(path).or_insert_with(|| vec![first]);
            }
        }
        Self(ways)
    }

    /// The chain to a program or script, one reason a line.
    pub(crate) fn text(&self, path: &str) -> String {
        let reasons = self.0.get(path).into_iter().flatten();
        let lines: Vec<String> = reasons
            .map(|reason| format!("{}: {}", reason.place, reason.how))
            .collect();
        lines.join("\n")
    }

    /// The program or script that a place of an assumption is in.
    fn owner(&self, place: &str) -> Option<&'r str> {
        let owners = self.0.keys().copied();
        owners
            .filter(|path| {
                place
                    .strip_prefix(path)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
            })
            .max_by_key(|path| path.len())
    }
}

/// Rows of what is executed and how the container comes to it: every program, then every command that stays open.
pub(crate) fn rows(report: &Report) -> Vec<Vec<String>> {
    let ways = Ways::find(report);
    let programs = report.programs.iter();
    let mut rows: Vec<Vec<String>> = programs
        .map(|program| vec![program.path.clone(), ways.text(&program.path)])
        .collect();
    let open = report.assumptions.iter();
    rows.extend(open.filter(|one| one.kind == Kind::OpenCommand).map(|open| {
        let mut lines = ways
            .owner(&open.place)
            .map(|path| ways.text(path))
            .unwrap_or_default();
        if !lines.is_empty() {
            lines.push('\n');
        }
        lines.push_str(&format!("{}: {}", open.place, open.detail));
        vec![format!("? ({})", open.effect), lines]
    }));
    rows
}

#[cfg(test)]
mod tests {
    use confine_assumption::{Assumption, Effect};

    use super::*;
    use crate::sample;

    #[test]
    fn chains_begin_where_the_container_starts() {
        let mut report = sample::report();
        report.scripts[0].found.insert(
            0,
            Found {
                place: "/usr/bin/tool:+0x1".to_owned(),
                how: "executes /entry.sh".to_owned(),
                parent: Some("/usr/bin/tool".to_owned()),
            },
        );
        report.assumptions = vec![Assumption {
            kind: Kind::OpenCommand,
            place: "/usr/bin/tool:run+0x2".to_owned(),
            detail: "a path".to_owned(),
            effect: Effect::NotCovered,
        }];
        let rows = rows(&report);
        let expected = [
            [
                "/usr/bin/tool",
                "Entrypoint: first word\n/entry.sh:3: command `tool` on PATH",
            ],
            [
                "/usr/sbin/server",
                "Entrypoint: first word\n/entry.sh:9: exec \"$@\" with the image's command",
            ],
            [
                "? (not-covered)",
                "Entrypoint: first word\n/entry.sh:3: command `tool` on PATH\n/usr/bin/tool:run+0x2: a path",
            ],
        ];
        assert_eq!(rows, expected);
    }
}
