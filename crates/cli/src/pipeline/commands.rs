//! What is done about commands that stay open, as `--exec` says.

use confine_assumption::{Assumption, Effect, Kind};

use crate::options::Exec;

/// The assumptions with what was done about open commands, and which flag does more.
pub fn settled(assumptions: Vec<Assumption>, exec: Exec) -> Vec<Assumption> {
    let mut settled: Vec<Assumption> = assumptions
        .into_iter()
        .map(|assumption| match (assumption.kind, assumption.effect) {
            (Kind::OpenCommand, Effect::NotCovered) => settle(assumption, exec),
            _ => assumption,
        })
        .collect();
    settled.sort();
    settled.dedup();
    settled
}

fn settle(mut assumption: Assumption, exec: Exec) -> Assumption {
    let (effect, more) = match exec {
        Exec::None => (Effect::Trusted, "trusted to be nothing else by --exec none"),
        Exec::Found => (
            Effect::NotCovered,
            "name it with --also CMD, or take in every program with --exec all",
        ),
        Exec::All => (
            Effect::WidenedToCandidates,
            "every executable on PATH is taken in by --exec all",
        ),
    };
    assumption.effect = effect;
    assumption.detail = format!("{}: {more}", assumption.detail);
    assumption
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_commands_that_are_not_covered_are_settled() {
        let open = |kind, effect| Assumption {
            kind,
            place: "/x:1".to_owned(),
            detail: "open".to_owned(),
            effect,
        };
        for (kind, effect, exec, expected) in [
            (Kind::OpenCommand, Effect::NotCovered, Exec::None, Effect::Trusted),
            (
                Kind::OpenCommand,
                Effect::NotCovered,
                Exec::Found,
                Effect::NotCovered,
            ),
            (
                Kind::OpenCommand,
                Effect::NotCovered,
                Exec::All,
                Effect::WidenedToCandidates,
            ),
            (
                Kind::OpenCommand,
                Effect::WidenedToCandidates,
                Exec::None,
                Effect::WidenedToCandidates,
            ),
            (
                Kind::OpenCallNumber,
                Effect::NotCovered,
                Exec::None,
                Effect::NotCovered,
            ),
        ] {
            let settled = settled(vec![open(kind, effect), open(kind, effect)], exec);
            let effects: Vec<Effect> = settled.iter().map(|one| one.effect).collect();
            assert_eq!(effects, [expected], "{kind} {effect} {exec:?}");
        }
    }
}
