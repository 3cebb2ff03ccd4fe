//! A container's whole life as a check leads it: all that a user and an engine do to it, with what came of each.
//!
//! In: a container that was made and a [`Life`]. Out: what happened, as [`Lived`]; whatever goes wrong is part of that, and
//! only an interrupt is an error. Two lives are compared by others.

use crate::command::{Finished, Interrupt, Invocation};
use crate::container::Container;
use crate::error::Error;
use crate::session::Session;

/// A program that no image has: executing it leads the engine through all that it does under the container's filter,
/// and nothing of the image.
const NO_PROGRAM: &str = "/confine-no-such-program";

/// What the step is named in which a container does its workload.
pub const WORKLOAD: &str = "workload";

/// What a container is led through.
#[derive(Debug, Clone)]
pub struct Life {
    /// How it gets ready, its workload, and its patience.
    pub session: Session,
    /// Commands that are executed in it.
    pub executed: Vec<Vec<String>>,
}

/// What happened in one life.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lived {
    /// Each step with what came of it, in order, up to the last that could be taken.
    pub steps: Vec<Taken>,
    /// What the container wrote to both its outputs.
    pub log: String,
    /// Whether it got as far as its end, whatever its workload came to.
    pub complete: bool,
}

/// One step that was taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// What was done.
    pub name: String,
    /// How it ended: `exit code 0`.
    pub outcome: String,
    /// What was printed.
    pub output: String,
}

impl Life {
    /// Leads a container that was made through its life.
    ///
    /// # Errors
    /// When it is interrupted; everything else is part of the life.
    pub fn lead(&self, container: &mut dyn Container, interrupt: &Interrupt) -> Result<Lived, Error> {
        let mut lived = Lived::default();
        let end = self.take_steps(container, interrupt, &mut lived.steps);
        lived.log = container.logs();
        match end {
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => lived
                .steps
                .push(Taken::new("engine", format!("failed: {}", error.in_full()))),
            Ok(complete) => lived.complete = complete,
        }
        Ok(lived)
    }

    /// Whether it came to its end.
    fn take_steps(
        &self,
        container: &mut dyn Container,
        interrupt: &Interrupt,
        steps: &mut Vec<Taken>,
    ) -> Result<bool, Error> {
        if let Err(error) = container.start() {
            if matches!(error, Error::Interrupted) {
                return Err(error);
            }
            steps.push(Taken::new("start", format!("failed: {}", error.in_full())));
            return Ok(false);
        }
        if let Some(complete) = self.live(None, container, interrupt, steps)? {
            return Ok(complete);
        }
        for words in &self.executed {
            let finished = self.execute(container.inside(), words, interrupt);
            steps.push(Taken::came_to(&format!("exec {}", words.join(" ")), finished)?);
        }
        let nothing = self.execute(container.inside(), &[NO_PROGRAM.to_owned()], interrupt);
        // What an engine says of a missing program is its own affair, and names the container.
        steps.push(Taken::new("exec", Taken::came_to("exec", nothing)?.outcome));

        let written = container.logs();
        container.restart(self.session.patience)?;
        if let Some(complete) = self.live(Some(&written), container, interrupt, steps)? {
            return Ok(complete);
        }
        let stopped = container.stop(self.session.patience)?;
        let how = match stopped.forced {
            true => ", killed as it did not heed its stop signal",
            false => "",
        };
        steps.push(Taken::new("stop", format!("exit code {}{how}", stopped.code)));
        Ok(true)
    }

    /// Waits until it is ready and runs the workload, for the second time if it is told what was `written` before; if
    /// it goes no further, whether that is the end of its life.
    fn live(
        &self,
        written: Option<&str>,
        container: &mut dyn Container,
        interrupt: &Interrupt,
        steps: &mut Vec<Taken>,
    ) -> Result<Option<bool>, Error> {
        let again = if written.is_some() { " after restart" } else { "" };
        match self
            .session
            .get_ready(container, written.unwrap_or_default(), interrupt)
        {
            Ok(healthy) => {
                let outcome = match healthy {
                    Some(true) => "healthy",
                    Some(false) => "not healthy",
                    None => "ready",
                };
                if let Some(code) = container.ended()? {
                    steps.push(Taken::new(&format!("end{again}"), format!("exit code {code}")));
                    return Ok(Some(true));
                }
                steps.push(Taken::new(&format!("ready{again}"), outcome.to_owned()));
            }
            Err(Error::NotReady { why }) => {
                steps.push(Taken::new(&format!("ready{again}"), why));
                return Ok(Some(false));
            }
            Err(error) => return Err(error),
        }
        let Some(line) = &self.session.workload else {
            return Ok(None);
        };
        let name = format!("{WORKLOAD}{again}");
        match Taken::came_to(&name, self.session.visit(container, line, interrupt)) {
            Ok(taken) => steps.push(taken),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            // One that has ended meanwhile answers nowhere.
            Err(_) if container.ended()?.is_some() => {}
            Err(error) => return Err(error),
        }
        if let Some(code) = container.ended()? {
            steps.push(Taken::new(
                &format!("end{again}"),
                format!("by itself, exit code {code}"),
            ));
            return Ok(Some(true));
        }
        Ok(None)
    }

    /// Executes a command in a container, by the command that does so. It may take as long as the workload.
    fn execute(
        &self,
        inside: Vec<String>,
        words: &[String],
        interrupt: &Interrupt,
    ) -> Result<Finished, Error> {
        Invocation::of(inside)
            .args(words)
            .limit(self.session.workload_limit)
            .interrupt(interrupt)
            .run()
    }
}

impl Taken {
    fn new(name: &str, outcome: String) -> Self {
        Self {
            name: name.to_owned(),
            outcome,
            output: String::new(),
        }
    }

    /// What a program came to, which may be that it took too long.
    fn came_to(name: &str, outcome: Result<Finished, Error>) -> Result<Self, Error> {
        match outcome {
            Ok(finished) => Ok(Self::finished(name, finished)),
            Err(Error::TimedOut { limit, .. }) => {
                Ok(Self::new(name, format!("did not end within {limit:?}")))
            }
            Err(error) => Err(error),
        }
    }

    /// What a program that ended came to: of one that failed, what it complained of belongs to what it printed.
    fn finished(name: &str, finished: Finished) -> Self {
        let outcome = finished.outcome();
        let mut output = finished.stdout;
        if finished.code != Some(0) {
            output.push_str(&finished.stderr);
        }
        Self {
            name: name.to_owned(),
            outcome,
            output,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_executed_may_take_as_long_as_the_workload() {
        let life = Life {
            session: Session {
                ready: None,
                ready_limit: Duration::ZERO,
                workload: None,
                workload_limit: Duration::from_millis(200),
                duration: None,
                patience: Duration::ZERO,
            },
            executed: Vec::new(),
        };
        let execute = |time: &str| {
            let words = ["sleep", time].map(str::to_owned);
            let finished = life.execute(vec!["env".to_owned()], &words, &Interrupt::default());
            Taken::came_to("exec", finished).map(|taken| taken.outcome)
        };
        assert_eq!(execute("0").unwrap(), "exit code 0");
        assert_eq!(execute("5").unwrap(), "did not end within 200ms");
    }
}
