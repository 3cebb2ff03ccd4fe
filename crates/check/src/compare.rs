//! Lives of one container with and without a policy, held against each other.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::normal::{normalised, without_numbers};
use crate::patterns::{Pattern, learn};

/// What a program writes when a call was denied to it.
const COMPLAINTS: [&str; 6] = [
    "function not implemented",
    "operation not permitted",
    "permission denied",
    "bad system call",
    "sigsys",
    "seccomp",
];

/// What happened in one life of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Life {
    /// Its steps in order, up to the last that was taken.
    pub steps: Vec<Step>,
    /// Everything that the container wrote.
    pub log: String,
}

/// One step of a life: a start, a workload, a stop.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// Its name, the same in every life.
    pub name: String,
    /// How it ended, in words that are the same whenever it ends the same way: `exit code 0`.
    pub outcome: String,
    /// What was printed.
    pub output: String,
}

/// Something that is another thing under the policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The step.
    pub step: String,
    /// In what it differs.
    pub kind: Kind,
    /// What there is without the policy; nothing if what was found is too much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What there is with it; nothing if what was expected is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// In how many lives under the policy.
    pub lives: usize,
}

/// In what lives differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A step ended in another way, or it never came to it.
    Outcome,
    /// A line of what a step printed.
    Output,
    /// A line of the container's log.
    Log,
}

/// In what lives under a policy differ from lives without one; empty if in nothing that matters.
#[must_use]
pub fn differences(without: &[Life], with: &[Life]) -> Vec<Difference> {
    let mut found: Vec<Difference> = Vec::new();
    for life in with {
        for difference in step_differences(without, life) {
            // The same in several lives is one difference.
            let known = found.iter_mut().find(|known| {
                (&known.step, known.kind, &known.expected, &known.found)
                    == (
                        &difference.step,
                        difference.kind,
                        &difference.expected,
                        &difference.found,
                    )
            });
            match known {
                Some(known) => known.lives += 1,
                None => found.push(difference),
            }
        }
    }
    let mut of_log = log_differences(without, with);
    if found.iter().any(|difference| difference.kind == Kind::Outcome) {
        // What a life that went another way did not log follows from that.
        of_log.retain(|difference| difference.found.is_some());
    }
    found.extend(of_log);
    found
}

/// The lines that differ between lives without a policy, and so are no difference: for the user to know.
#[must_use]
pub fn varying(without: &[Life]) -> Vec<String> {
    let logs: Vec<Vec<String>> = without.iter().map(log_lines).collect();
    let mut outputs: Vec<Vec<String>> = without.iter().map(|_| Vec::new()).collect();
    for (life, lines) in without.iter().zip(&mut outputs) {
        lines.extend(life.steps.iter().flat_map(|step| lines_of(&step.output)));
    }
    let mut varying = BTreeSet::new();
    for lives in [&logs, &outputs] {
        for lines in lives {
            let only = lines
                .iter()
                .filter(|line| lives.iter().any(|other| !other.contains(line)));
            varying.extend(only.cloned());
        }
    }
    varying.into_iter().collect()
}

fn step_differences(without: &[Life], life: &Life) -> Vec<Difference> {
    let mut differences = Vec::new();
    let longest = without.iter().max_by_key(|life| life.steps.len());
    for (index, model) in longest.into_iter().flat_map(|life| life.steps.iter().enumerate()) {
        let expected: Vec<&Step> = without.iter().filter_map(|life| life.steps.get(index)).collect();
        let Some(step) = life.steps.get(index) else {
            differences.push(Difference {
                step: model.name.clone(),
                kind: Kind::Outcome,
                expected: Some(model.outcome.clone()),
                found: Some("never came to it".to_owned()),
                lives: 1,
            });
            break;
        };
        let outcome = normalised(&step.outcome);
        if !expected
            .iter()
            .any(|one| one.name == step.name && normalised(&one.outcome) == outcome)
        {
            differences.push(Difference {
                step: step.name.clone(),
                kind: Kind::Outcome,
                expected: Some(model.outcome.clone()),
                found: Some(step.outcome.clone()),
                lives: 1,
            });
        }
        let texts: Vec<Vec<String>> = expected.iter().map(|one| lines_of(&one.output)).collect();
        differences.extend(output_difference(&step.name, &texts, &lines_of(&step.output)));
    }
    differences
}

/// The first line in which what a step printed differs from what it prints without a policy.
fn output_difference(step: &str, expected: &[Vec<String>], found: &[String]) -> Option<Difference> {
    if expected.iter().any(|lines| lines == found) {
        return None;
    }
    let (first, rest) = expected.split_first()?;
    let different = |expected: Option<&String>, found: Option<&String>| Difference {
        step: step.to_owned(),
        kind: Kind::Output,
        expected: expected.cloned(),
        found: found.cloned(),
        lives: 1,
    };
    if rest.iter().all(|lines| lines == first) {
        // It prints the same every time, so order and number count.
        let differs = |index: &usize| first.get(*index) != found.get(*index);
        let index = (0..first.len().max(found.len())).find(differs)?;
        return Some(different(first.get(index), found.get(index)));
    }
    let patterns = learn_all(expected);
    let unexpected = found.iter().find(|line| !is_known(line, expected, &patterns));
    let missing = || {
        let in_all = |line: &&String| expected.iter().all(|lines| lines.contains(line));
        first.iter().filter(in_all).find(|line| !found.contains(line))
    };
    unexpected
        .map(|line| different(None, Some(line)))
        .or_else(|| missing().map(|line| different(Some(line), None)))
}

/// Lines of the log that are there under the policy alone, or without it alone.
///
/// A line that complains of a denied call counts wherever it comes up. Any other counts if it is so in every life: what
/// a program logs now and then is no difference.
fn log_differences(without: &[Life], with: &[Life]) -> Vec<Difference> {
    if with.is_empty() {
        return Vec::new();
    }
    let expected: Vec<Vec<String>> = without.iter().map(log_lines).collect();
    let found: Vec<Vec<String>> = with.iter().map(log_lines).collect();
    let patterns = learn_all(&expected);
    let all: BTreeSet<&String> = found.iter().flatten().collect();
    let lives = |line: &String| found.iter().filter(|lines| lines.contains(line)).count();
    let difference = |expected: Option<String>, found: Option<String>, lives| Difference {
        step: "log".to_owned(),
        kind: Kind::Log,
        expected,
        found,
        lives,
    };
    let mut differences: Vec<Difference> = all
        .into_iter()
        .filter(|line| !is_known(line, &expected, &patterns))
        .map(|line| (line, lives(line)))
        .filter(|(line, lives)| *lives == with.len() || complains(line))
        .map(|(line, lives)| difference(None, Some(line.clone()), lives))
        .collect();
    let missing: BTreeSet<&String> = expected
        .first()
        .into_iter()
        .flatten()
        .filter(|line| expected.iter().all(|lines| lines.contains(line)) && lives(line) == 0)
        .collect();
    let missing = missing.into_iter().cloned();
    differences.extend(missing.map(|line| difference(Some(line), None, with.len())));
    differences
}

fn learn_all(texts: &[Vec<String>]) -> Vec<Pattern> {
    let mut patterns = Vec::new();
    for (index, one) in texts.iter().enumerate() {
        for other in texts.iter().skip(index + 1) {
            patterns.extend(learn(one, other));
        }
    }
    patterns
}

fn is_known(line: &String, expected: &[Vec<String>], patterns: &[Pattern]) -> bool {
    expected.iter().any(|lines| lines.contains(line)) || patterns.iter().any(|pattern| pattern.fits(line))
}

/// Whether a line tells that something was denied.
fn complains(line: &str) -> bool {
    let line = line.to_lowercase();
    COMPLAINTS.iter().any(|complaint| line.contains(complaint))
}

fn lines_of(text: &str) -> Vec<String> {
    text.lines().map(normalised).collect()
}

/// The lines of a log, without their order and number, which follow the clock as their numbers do.
fn log_lines(life: &Life) -> Vec<String> {
    let lines = life.log.lines().map(|line| without_numbers(&normalised(line)));
    let lines: BTreeSet<String> = lines.filter(|line| !line.is_empty()).collect();
    lines.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;

    fn life(steps: &[(&str, &str, &str)], log: &str) -> Life {
        let steps = steps.iter().map(|(name, outcome, output)| Step {
            name: (*name).to_owned(),
            outcome: (*outcome).to_owned(),
            output: (*output).to_owned(),
        });
        Life {
            steps: steps.collect(),
            log: log.to_owned(),
        }
    }

    /// Differences as `step: expected -> found (lives)`.
    fn check(without: &[Life], with: &[Life], expected: &[&str]) {
        let found: Vec<String> = differences(without, with)
            .into_iter()
            .map(|difference| {
                let side = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
                format!(
                    "{}: {} -> {} ({})",
                    difference.step,
                    side(difference.expected),
                    side(difference.found),
                    difference.lives
                )
            })
            .collect();
        assert_eq!(found, expected);
    }

    fn printing(output: &str) -> Life {
        life(&[("workload", "exit code 0", output)], "")
    }

    fn logging(log: &str) -> Life {
        life(&[("stop", "exit code 0", "")], log)
    }

    #[test]
    fn a_life_that_is_the_same_has_no_differences() {
        let one = life(
            &[("ready", "healthy", ""), ("stop", "exit code 0", "bye")],
            "at 12:00:01 up",
        );
        let other = life(
            &[("ready", "healthy", ""), ("stop", "exit code 0", "bye")],
            "at 13:10:11 up",
        );
        check(&[one.clone(), one.clone()], &[other], &[]);
        assert_eq!(varying(&[one.clone(), one]), Vec::<String>::new());
    }

    #[test]
    fn outcomes_are_compared_step_by_step() {
        let whole = life(
            &[
                ("ready", "healthy", ""),
                ("workload", "exit code 0", ""),
                ("stop", "exit code 0", ""),
            ],
            "",
        );
        let broken = life(&[("ready", "healthy", ""), ("workload", "exit code 1", "")], "");
        check(
            from_ref(&whole),
            &[broken.clone(), broken],
            &[
                "workload: exit code 0 -> exit code 1 (2)",
                "stop: exit code 0 -> never came to it (2)",
            ],
        );
        let sometimes = life(
            &[
                ("ready", "healthy", ""),
                ("workload", "exit code 1", ""),
                ("stop", "exit code 0", ""),
            ],
            "",
        );
        check(&[whole, sometimes.clone()], &[sometimes], &[]);
    }

    #[test]
    fn a_number_of_the_workload_counts_unless_it_varies_by_itself() {
        let (sixty, other) = (printing("keys 60\nok"), printing("keys 61\nok"));
        check(
            &[sixty.clone(), sixty.clone()],
            from_ref(&other),
            &["workload: keys 60 -> keys 61 (1)"],
        );
        check(&[sixty.clone(), other], &[printing("keys 62\nok")], &[]);
        check(
            from_ref(&sixty),
            &[printing("keys 60")],
            &["workload: ok -> - (1)"],
        );
    }

    #[test]
    fn order_counts_only_where_it_is_always_the_same() {
        let (ab, ba) = (printing("a\nb"), printing("b\na"));
        check(
            &[ab.clone(), ab.clone()],
            from_ref(&ba),
            &["workload: a -> b (1)"],
        );
        check(&[ab.clone(), ba.clone()], from_ref(&ba), &[]);
        check(
            &[ab.clone(), ba.clone()],
            &[printing("b\na\nc")],
            &["workload: - -> c (1)"],
        );
        check(&[ab, ba], &[printing("b")], &["workload: a -> - (1)"]);
    }

    #[test]
    fn a_flaky_log_passes_and_a_complaint_does_not() {
        let quiet = logging("up\nserved 12 requests");
        let now_and_then = logging("up\nserved 13 requests\nslow disk");
        check(
            &[quiet.clone(), quiet.clone()],
            &[now_and_then.clone(), quiet.clone()],
            &[],
        );
        check(
            &[quiet.clone(), quiet.clone()],
            &[now_and_then.clone(), now_and_then.clone()],
            &["log: - -> slow disk (2)"],
        );
        check(&[quiet.clone(), now_and_then.clone()], &[now_and_then], &[]);
        let complaining = logging("up\nserved 9 requests\nbind: Function not implemented");
        check(
            &[quiet.clone(), quiet.clone()],
            &[complaining.clone(), quiet.clone()],
            &["log: - -> bind: Function not implemented (1)"],
        );
        check(from_ref(&complaining), from_ref(&complaining), &[]);
        check(
            from_ref(&quiet),
            &[logging("up")],
            &["log: served # requests -> - (1)"],
        );
    }

    #[test]
    fn words_that_vary_are_told_and_are_no_difference() {
        let lives = [logging("node amber joined"), logging("node violet joined")];
        check(&lives, &[logging("node green joined")], &[]);
        assert_eq!(varying(&lives), ["node amber joined", "node violet joined"]);
        check(
            &lives,
            &[logging("node green failed")],
            &["log: - -> node green failed (1)"],
        );
    }

    #[test]
    fn without_lives_there_is_nothing_to_compare() {
        check(&[], &[printing("a")], &[]);
        check(&[printing("a")], &[], &[]);
    }
}
