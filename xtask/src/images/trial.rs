//! One container's whole life under the workload, and the comparison of two such lives.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use confine_engine::{Container, Error, Interrupt};

/// What the host's shell makes of a program and its arguments.
const STEP: &str = "PORT=$HOST_PORT exec \"$0\" \"$@\"";

/// How long one step of a workload may take.
const STEP_LIMIT: Duration = Duration::from_secs(120);

/// How long a container may take to heed its stop signal.
const STOP_PATIENCE: Duration = Duration::from_secs(20);

/// What a program writes when a call was denied to it.
const COMPLAINTS: [&str; 4] = [
    "Function not implemented",
    "Operation not permitted",
    "Bad system call",
    "function not implemented",
];

/// What happened in one container's life, in a form in which two lives are compared.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Each step with what came of it, in order, up to the first that could not be taken.
    pub steps: Vec<(String, String)>,
    /// Lines of the container's log that tell of a denied call, without their digits.
    pub complaints: BTreeSet<String>,
    /// The end of the container's log, for a person.
    pub log: String,
}

/// The place of a trial.
pub struct Place<'a> {
    /// The folder tests/images.
    pub images: &'a Path,
    /// The recipe's name.
    pub recipe: &'a str,
    /// Ends the trial early.
    pub interrupt: &'a Interrupt,
}

/// Leads a container through the workload, a restart and a stop. Only an interrupt is an error; everything else that
/// goes wrong is part of the outcome.
pub fn lead(
    place: &Place<'_>,
    start: impl FnOnce() -> Result<Box<dyn Container>, Error>,
) -> Result<Outcome, Error> {
    let mut outcome = Outcome::default();
    let container = start();
    let mut container = match container {
        Ok(container) => container,
        Err(Error::Interrupted) => return Err(Error::Interrupted),
        Err(error) => {
            outcome
                .steps
                .push(("start".to_owned(), format!("failed: {error}")));
            return Ok(outcome);
        }
    };
    let ended = take_steps(place, container.as_mut(), &mut outcome.steps);
    let log = container.logs();
    outcome.complaints = complaints(&log);
    let lines: Vec<&str> = log.lines().collect();
    outcome.log = lines
        .get(lines.len().saturating_sub(15)..)
        .unwrap_or_default()
        .join("\n");
    match ended {
        Err(Error::Interrupted) => Err(Error::Interrupted),
        Err(error) => {
            outcome
                .steps
                .push(("engine".to_owned(), format!("failed: {error}")));
            Ok(outcome)
        }
        Ok(()) => Ok(outcome),
    }
}

fn take_steps(
    place: &Place<'_>,
    container: &mut dyn Container,
    steps: &mut Vec<(String, String)>,
) -> Result<(), Error> {
    for step in ["ready", "traffic", "failure", "reload", "shell"] {
        if !take_step(place, container, step, step, steps)? {
            return Ok(());
        }
    }
    container.restart(STOP_PATIENCE)?;
    for (step, label) in [
        ("ready", "ready after restart"),
        ("traffic", "traffic after restart"),
    ] {
        if !take_step(place, container, step, label, steps)? {
            return Ok(());
        }
    }
    let stopped = container.stop(STOP_PATIENCE)?;
    let how = if stopped.forced {
        " after it was killed"
    } else {
        ""
    };
    steps.push(("stop".to_owned(), format!("exit code {}{how}", stopped.code)));
    Ok(())
}

/// Takes one step of the workload; whether to go on with the next.
fn take_step(
    place: &Place<'_>,
    container: &mut dyn Container,
    step: &str,
    label: &str,
    steps: &mut Vec<(String, String)>,
) -> Result<bool, Error> {
    let shell = match confine_engine::shell(container, STEP) {
        Ok(shell) => shell,
        Err(Error::Interrupted) => return Err(Error::Interrupted),
        Err(_) => {
            steps.push((label.to_owned(), "the container had ended".to_owned()));
            return Ok(false);
        }
    };
    let script = place.images.join("run-step");
    let mut running = shell
        .arg(script)
        .args([place.recipe, step])
        .env("LC_ALL", "C.UTF-8")
        .interrupt(place.interrupt)
        .start()?;
    let deadline = Instant::now() + STEP_LIMIT;
    // Bounded by the deadline.
    let came_of_it = loop {
        if let Some(finished) = running.poll(Duration::from_millis(200))? {
            let mut text = finished.stdout.clone();
            if finished.code != Some(0) {
                text.push_str(&format!("{} {}", finished.outcome(), finished.stderr.trim()));
            }
            steps.push((label.to_owned(), text));
            break finished.code == Some(0);
        }
        if place.interrupt.is_raised() {
            return Err(Error::Interrupted);
        }
        if !container.is_running()? {
            steps.push((label.to_owned(), "the container ended".to_owned()));
            break false;
        }
        if Instant::now() >= deadline {
            steps.push((label.to_owned(), format!("did not end within {STEP_LIMIT:?}")));
            break false;
        }
    };
    Ok(came_of_it)
}

impl Outcome {
    /// Whether the workload itself got through: without a profile, anything else is the workload's fault.
    pub fn is_complete(&self) -> bool {
        self.steps
            .last()
            .is_some_and(|(step, text)| step == "stop" && !text.contains("killed"))
    }

    /// In what this life differs from the one without a profile; empty when in nothing that matters.
    pub fn differences(&self, baseline: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        for (index, (step, expected)) in baseline.steps.iter().enumerate() {
            match self.steps.get(index) {
                Some((label, text)) if label == step => {
                    if text != expected {
                        differences.push(format!("{step}: {}", first_difference(expected, text)));
                    }
                }
                Some((label, text)) => {
                    differences.push(format!("{label} in place of {step}: {}", text.trim()));
                    break;
                }
                None => {
                    differences.push(format!("{step}: never came to it"));
                    break;
                }
            }
        }
        differences.extend(
            self.complaints
                .difference(&baseline.complaints)
                .map(|line| format!("log: {line}")),
        );
        differences
    }
}

/// The first line in which two texts differ.
fn first_difference(expected: &str, found: &str) -> String {
    let mut expected = expected.lines();
    for line in found.lines() {
        match expected.next() {
            Some(other) if other == line => {}
            Some(other) => return format!("expected `{other}`, found `{line}`"),
            None => return format!("unexpected `{line}`"),
        }
    }
    format!("`{}` is missing", expected.next().unwrap_or_default())
}

fn complaints(log: &str) -> BTreeSet<String> {
    let telling = log
        .lines()
        .filter(|line| COMPLAINTS.iter().any(|complaint| line.contains(complaint)));
    telling
        .map(|line| {
            line.chars()
                .filter(|character| !character.is_ascii_digit())
                .collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(steps: &[(&str, &str)], log: &str) -> Outcome {
        Outcome {
            steps: steps
                .iter()
                .map(|(step, text)| ((*step).to_owned(), (*text).to_owned()))
                .collect(),
            complaints: complaints(log),
            log: String::new(),
        }
    }

    fn check(baseline: &Outcome, other: &Outcome, expected: &[&str]) {
        assert_eq!(other.differences(baseline), expected);
    }

    #[test]
    fn differences_are_named() {
        let whole = life(
            &[("ready", ""), ("traffic", "200\n60\n"), ("stop", "exit code 0")],
            "",
        );
        check(&whole, &whole, &[]);
        check(
            &whole,
            &life(
                &[
                    ("ready", ""),
                    ("traffic", "200\n61\n"),
                    ("stop", "exit code 137 after it was killed"),
                ],
                "",
            ),
            &[
                "traffic: expected `60`, found `61`",
                "stop: expected `exit code 0`, found `exit code 137 after it was killed`",
            ],
        );
        check(
            &whole,
            &life(&[("start", "failed: no")], ""),
            &["start in place of ready: failed: no"],
        );
        check(
            &whole,
            &life(&[("ready", "")], ""),
            &["traffic: never came to it"],
        );
    }

    #[test]
    fn a_log_that_tells_of_a_denied_call_is_a_difference_unless_it_always_did() {
        let steps = [("stop", "exit code 0")];
        let quiet = life(&steps, "started 1");
        let complaining = life(&steps, "12: bind: Function not implemented");
        check(&quiet, &complaining, &["log: : bind: Function not implemented"]);
        check(
            &complaining,
            &life(&steps, "99: bind: Function not implemented"),
            &[],
        );
    }

    #[test]
    fn a_life_is_complete_when_it_was_stopped_without_force() {
        assert!(life(&[("ready", ""), ("stop", "exit code 2")], "").is_complete());
        assert!(!life(&[("ready", "exit code 1")], "").is_complete());
        assert!(!life(&[("stop", "exit code 137 after it was killed")], "").is_complete());
    }
}
