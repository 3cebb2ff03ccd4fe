//! What `confine profile` says on standard error when it is done.

use std::collections::{BTreeMap, BTreeSet};

use confine_assumption::Assumption;
use confine_kernel::published_table;
use confine_profile::MAXIMUM_ENTRIES;
use confine_report::text::count;
use confine_report::{Coarser, Report};

use crate::terminal;

/// Says what was found, in a few lines.
pub fn show(report: &Report) {
    for line in lines(report) {
        terminal::note(&line);
    }
}

/// Names every assumption.
pub fn show_assumptions(report: &Report) {
    for assumption in &report.assumptions {
        terminal::warning(&format!(
            "{}: {} ({})",
            assumption.place, assumption.detail, assumption.effect
        ));
    }
}

/// Says that `--strict` was not satisfied.
pub fn show_incomplete(report: &Report) {
    terminal::warning(&format!(
        "{}, which --strict does not accept: `confine inspect` lists them",
        assumptions(&report.assumptions),
    ));
}

/// Says that a profile allows more of a call than the policy does.
pub fn show_coarser(program: Option<&str>, loss: &Coarser) {
    let whose = program.map_or_else(String::new, |program| format!("{program}: "));
    terminal::warning(&format!(
        "{whose}{}, as a profile of this format holds {MAXIMUM_ENTRIES} entries: --format bpf holds all",
        coarser(loss)
    ));
}

/// Says that the filters of a program's own policy allow more of a call than the policy does.
pub fn show_loosened(program: &str, loss: &Coarser) {
    terminal::warning(&format!(
        "{program}: {}, as the kernel takes no larger filters",
        coarser(loss)
    ));
}

fn coarser(loss: &Coarser) -> String {
    let what = match loss.left {
        0 => "is allowed with any arguments".to_owned(),
        left => format!("has {left} combinations of conditions"),
    };
    format!("{} {what} in place of {}", loss.name, loss.combinations)
}

fn lines(report: &Report) -> Vec<String> {
    let all = confine_kernel::calls().len();
    let allowed: BTreeSet<u32> = report.allowed.iter().map(|allowed| allowed.number).collect();
    let denied = published_table().filter(|call| !allowed.contains(&call.number));
    let mut lines = vec![
        format!(
            "{} of {all} system calls allowed ({} of Linux 5.4's {} denied)",
            report.allowed.len(),
            denied.count(),
            published_table().count(),
        ),
        format!(
            "{}, {}, {}",
            count(report.programs.len(), "program", "programs"),
            count(report.scripts.len(), "script", "scripts"),
            count(report.objects.len(), "object", "objects"),
        ),
    ];
    let widened = report.allowed.iter().filter(|call| call.widened).count();
    if widened > 0 {
        lines.push(format!(
            "{} allowed only because something is unresolved",
            count(widened, "call", "calls")
        ));
    }
    let observed = report.allowed.iter().filter(|call| call.observed).count();
    if observed > 0 {
        lines.push(format!(
            "{} allowed, or with more arguments, only because it was observed",
            count(observed, "call", "calls")
        ));
    }
    if !report.assumptions.is_empty() {
        lines.push(assumptions(&report.assumptions));
    }
    lines.push("`confine inspect` shows them all, `confine why` the reason for a call".to_owned());
    lines
}

fn assumptions(assumptions: &[Assumption]) -> String {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for assumption in assumptions {
        *kinds.entry(assumption.kind.to_string()).or_default() += 1;
    }
    let kinds: Vec<String> = kinds
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    format!(
        "{}: {}",
        count(assumptions.len(), "assumption", "assumptions"),
        kinds.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use confine_assumption::{Effect, Kind};

    use super::*;

    #[test]
    fn assumptions_are_counted_by_kind() {
        let assumption = |kind| Assumption {
            kind,
            place: "/bin/x".to_owned(),
            detail: "open".to_owned(),
            effect: Effect::NotCovered,
        };
        for (kinds, expected) in [
            (vec![Kind::OpenCommand], "1 assumption: 1 open-command"),
            (
                vec![Kind::OpenJump, Kind::MissingProgram, Kind::OpenJump],
                "3 assumptions: 1 missing-program, 2 open-jump",
            ),
        ] {
            let list: Vec<Assumption> = kinds.into_iter().map(assumption).collect();
            assert_eq!(assumptions(&list), expected);
        }
    }
}
