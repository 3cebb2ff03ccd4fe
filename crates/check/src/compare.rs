//! Lives of one container with and without a policy, held against each other.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::interleaved;
use crate::lines::Lines;
use crate::normal::normalised;
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The step.
    pub step: String,
    /// In what it differs.
    pub kind: Kind,
    /// What there is without the policy; nothing if what was found is too much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What there is with it; nothing if what was expected is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// In how many lives under the policy.
    pub lives: usize,
}

/// In what lives differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A step ended in another way, or it never came to it.
    Outcome,
    /// A line of what a step printed.
    Output,
    /// A line of the container's log.
    Log,
}

/// Lives without a policy, as lives with one are held against them.
#[derive(Debug)]
pub struct Baseline {
    /// The steps of the longest life, each with what is known of it from all.
    steps: Vec<Expected>,
    /// The lines of each life's log.
    logs: Vec<Lines>,
    /// What is learned from these.
    patterns: Vec<Pattern>,
    /// The lines of all that each life printed.
    outputs: Vec<Lines>,
}

/// What is known of one step.
#[derive(Debug)]
struct Expected {
    /// Its name in the longest life.
    name: String,
    /// How it ended there.
    outcome: String,
    /// Its names and how it ended, normalised, in each life that came to it.
    outcomes: Vec<(String, String)>,
    /// What it printed in each of these.
    outputs: Vec<Lines>,
    /// What is learned from that.
    patterns: Vec<Pattern>,
}

impl Baseline {
    /// What these lives without a policy have in common, and what varies in them by itself.
    #[must_use]
    pub fn new(without: &[Life]) -> Self {
        let longest = without.iter().max_by_key(|life| life.steps.len());
        let steps = longest.into_iter().flat_map(|life| life.steps.iter().enumerate());
        let steps = steps.map(|(index, model)| {
            let came_to: Vec<&Step> = without.iter().filter_map(|life| life.steps.get(index)).collect();
            let outputs: Vec<Lines> = came_to.iter().map(|step| Lines::printed(&step.output)).collect();
            Expected {
                name: model.name.clone(),
                outcome: model.outcome.clone(),
                outcomes: came_to
                    .iter()
                    .map(|step| (step.name.clone(), normalised(&step.outcome)))
                    .collect(),
                patterns: learn_all(&outputs),
                outputs,
            }
        });
        let logs: Vec<Lines> = without.iter().map(|life| Lines::logged(&life.log)).collect();
        let printed = |life: &Life| {
            let lines = life.steps.iter().flat_map(|step| step.output.lines());
            Lines::new(lines.map(normalised))
        };
        Self {
            steps: steps.collect(),
            patterns: learn_all(&logs),
            logs,
            outputs: without.iter().map(printed).collect(),
        }
    }

    /// In what lives under a policy differ; empty if in nothing that matters.
    #[must_use]
    pub fn differences(&self, with: &[Life]) -> Vec<Difference> {
        let mut found: Vec<Difference> = Vec::new();
        for life in with {
            for difference in self.step_differences(life) {
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
        let mut of_log = self.log_differences(with);
        if found.iter().any(|difference| difference.kind == Kind::Outcome) {
            // What a life that went another way did not log follows from that.
            of_log.retain(|difference| difference.found.is_some());
        }
        found.extend(of_log);
        found
    }

    /// The lines that differ between the lives, and so are no difference: for the user to know.
    #[must_use]
    pub fn varying(&self) -> Vec<String> {
        let mut varying = BTreeSet::new();
        for lives in [&self.logs, &self.outputs] {
            for lines in lives {
                let only = lines
                    .list
                    .iter()
                    .filter(|line| lives.iter().any(|other| !other.contains(line)));
                varying.extend(only.cloned());
            }
        }
        varying.into_iter().collect()
    }

    fn step_differences(&self, life: &Life) -> Vec<Difference> {
        let mut differences = Vec::new();
        for (index, expected) in self.steps.iter().enumerate() {
            let Some(step) = life.steps.get(index) else {
                differences.push(Difference {
                    step: expected.name.clone(),
                    kind: Kind::Outcome,
                    expected: Some(expected.outcome.clone()),
                    found: Some("never came to it".to_owned()),
                    lives: 1,
                });
                break;
            };
            let outcome = normalised(&step.outcome);
            if !expected
                .outcomes
                .iter()
                .any(|(name, known)| *name == step.name && *known == outcome)
            {
                differences.push(Difference {
                    step: step.name.clone(),
                    kind: Kind::Outcome,
                    expected: Some(expected.outcome.clone()),
                    found: Some(step.outcome.clone()),
                    lives: 1,
                });
            }
            differences.extend(expected.output_difference(&step.name, &Lines::printed(&step.output)));
        }
        differences
    }

    /// Lines of the log that are there under the policy alone, or without it alone.
    ///
    /// A line that complains of a denied call counts wherever it comes up. Any other counts if it is so in every life:
    /// what a program logs now and then is no difference.
    fn log_differences(&self, with: &[Life]) -> Vec<Difference> {
        if with.is_empty() {
            return Vec::new();
        }
        let found: Vec<Lines> = with.iter().map(|life| Lines::logged(&life.log)).collect();
        let all: BTreeSet<&String> = found.iter().flat_map(|lines| &lines.list).collect();
        let lives = |line: &String| found.iter().filter(|lines| lines.contains(line)).count();
        let difference = |expected: Option<String>, found: Option<String>, lives| Difference {
            step: "log".to_owned(),
            kind: Kind::Log,
            expected,
            found,
            lives,
        };
        let unexpected = all
            .into_iter()
            .filter(|line| !is_known(line, &self.logs, &self.patterns))
            .filter(|line| lives(line) == with.len() || complains(line));
        let unexpected = interleaved::others(unexpected.cloned().collect(), &self.logs);
        let mut differences: Vec<Difference> = unexpected
            .into_iter()
            .map(|line| difference(None, Some(line.clone()), lives(&line)))
            .collect();
        let missing: BTreeSet<&String> = self
            .logs
            .first()
            .into_iter()
            .flat_map(|lines| &lines.list)
            .filter(|line| self.logs.iter().all(|lines| lines.contains(line)) && lives(line) == 0)
            .collect();
        let missing = interleaved::others(missing.into_iter().cloned().collect(), &found);
        differences.extend(
            missing
                .into_iter()
                .map(|line| difference(Some(line), None, with.len())),
        );
        differences
    }
}

impl Expected {
    /// The first line in which what the step printed differs from what it prints without a policy.
    fn output_difference(&self, step: &str, found: &Lines) -> Option<Difference> {
        let outputs = &self.outputs;
        if outputs.iter().any(|lines| lines.list == found.list) {
            return None;
        }
        let (first, rest) = outputs.split_first()?;
        let different = |expected: Option<&String>, found: Option<&String>| Difference {
            step: step.to_owned(),
            kind: Kind::Output,
            expected: expected.cloned(),
            found: found.cloned(),
            lives: 1,
        };
        let (expected, list) = (&first.list, &found.list);
        if rest.iter().all(|lines| lines.list == *expected) {
            // It prints the same every time, so order and number count.
            let differs = |index: &usize| expected.get(*index) != list.get(*index);
            let index = (0..expected.len().max(list.len())).find(differs)?;
            return Some(different(expected.get(index), list.get(index)));
        }
        let unexpected = list.iter().find(|line| !is_known(line, outputs, &self.patterns));
        let missing = || {
            let in_all = |line: &&String| outputs.iter().all(|lines| lines.contains(line));
            expected.iter().filter(in_all).find(|line| !found.contains(line))
        };
        unexpected
            .map(|line| different(None, Some(line)))
            .or_else(|| missing().map(|line| different(Some(line), None)))
    }
}

fn learn_all(texts: &[Lines]) -> Vec<Pattern> {
    let mut patterns = Vec::new();
    for (index, one) in texts.iter().enumerate() {
        for other in texts.iter().skip(index + 1) {
            patterns.extend(learn(&one.list, &other.list));
        }
    }
    patterns
}

fn is_known(line: &str, expected: &[Lines], patterns: &[Pattern]) -> bool {
    expected.iter().any(|lines| lines.contains(line)) || patterns.iter().any(|pattern| pattern.fits(line))
}

/// Whether a line tells that something was denied.
fn complains(line: &str) -> bool {
    let line = line.to_lowercase();
    COMPLAINTS.iter().any(|complaint| line.contains(complaint))
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
        let found: Vec<String> = Baseline::new(without)
            .differences(with)
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
        assert_eq!(Baseline::new(&[one.clone(), one]).varying(), Vec::<String>::new());
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
        assert_eq!(
            Baseline::new(&lives).varying(),
            ["node amber joined", "node violet joined"]
        );
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
