//! Lives of containers of one image under one policy after the other.

use std::path::Path;

use confine_check::{Life, Step};
use confine_engine::{Error, Installed, Interrupt, Lived, Seccomp, StartOptions};

use super::policies::Checked;
use super::premises::{Premises, life};
use crate::arguments::RunningArguments;
use crate::terminal;

/// What every life of a check shares.
pub struct Lives<'a> {
    premises: &'a Premises,
    life: confine_engine::Life,
    options: StartOptions,
    interrupt: &'a Interrupt,
    quiet: bool,
    count: std::cell::Cell<usize>,
}

impl<'a> Lives<'a> {
    /// Lives that are led as the arguments say.
    pub fn new(
        premises: &'a Premises,
        running: &RunningArguments,
        options: StartOptions,
        interrupt: &'a Interrupt,
        quiet: bool,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            premises,
            life: life(running, &options.ports)?,
            options,
            interrupt,
            quiet,
            count: std::cell::Cell::new(0),
        })
    }

    /// Whether there is something that a container has to do.
    pub fn has_workload(&self) -> bool {
        self.life.session.workload.is_some()
    }

    /// What ends every wait.
    pub fn interrupt(&self) -> &Interrupt {
        self.interrupt
    }

    /// One life without a policy.
    pub fn lead_free(&self, what: &str) -> Result<Lived, Error> {
        let (lived, _) = self.lead(what, &self.premises.installed, Seccomp::Unconfined)?;
        Ok(lived)
    }

    /// One life under a policy.
    pub fn lead_under(&self, what: &str, policy: &Checked) -> Result<Lived, Error> {
        let hardened = policy.hardened.as_ref().map(|images| &images.denying);
        let (lived, _) = self.lead(
            what,
            hardened.unwrap_or(&self.premises.installed),
            Seccomp::Profile(policy.path.clone()),
        )?;
        Ok(lived)
    }

    /// One life in which what a policy denies is let through and logged, by a profile that does so for the whole container,
    /// with the host name of the container, if one was made.
    pub fn lead_logged(
        &self,
        what: &str,
        policy: &Checked,
        profile: &Path,
    ) -> Result<(Lived, Option<String>), Error> {
        let hardened = policy.hardened.as_ref().map(|images| &images.logging);
        self.lead(
            what,
            hardened.unwrap_or(&self.premises.installed),
            Seccomp::Profile(profile.to_owned()),
        )
    }

    fn lead(
        &self,
        what: &str,
        image: &Installed,
        seccomp: Seccomp,
    ) -> Result<(Lived, Option<String>), Error> {
        if !self.quiet {
            terminal::note(what);
        }
        self.count.set(self.count.get() + 1);
        let options = StartOptions {
            name: self.count.get().to_string(),
            seccomp,
            ..self.options.clone()
        };
        let mut container = match image.create(&options) {
            Ok(container) => container,
            Err(error @ (Error::Interrupted | Error::Spawn { .. } | Error::File { .. })) => {
                return Err(error);
            }
            // What the engine says no to is the first step of a life.
            Err(error) => {
                let lived = Lived {
                    steps: vec![confine_engine::Taken {
                        name: "create".to_owned(),
                        outcome: format!("failed: {error}"),
                        output: String::new(),
                    }],
                    ..Lived::default()
                };
                return Ok((lived, None));
            }
        };
        let host_name = container.host_name()?;
        let lived = self.life.lead(container.as_mut(), self.interrupt)?;
        Ok((lived, Some(host_name)))
    }
}

/// A life as the comparison takes it: the name of its container, which begins so and ends in a number, is taken out.
pub fn comparable(lived: &Lived, prefix: &str) -> Life {
    let steps = lived.steps.iter().map(|step| Step {
        name: step.name.clone(),
        outcome: without_name(&step.outcome, prefix),
        output: without_name(&step.output, prefix),
    });
    Life {
        steps: steps.collect(),
        log: without_name(&lived.log, prefix),
    }
}

fn without_name(text: &str, prefix: &str) -> String {
    let mut parts = text.split(prefix);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str("<container>");
        out.push_str(part.trim_start_matches(|character: char| character.is_ascii_digit()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_container_are_taken_out() {
        let lived = Lived {
            log: "confine-check-7-12: up as confine-check-7-\n".to_owned(),
            ..Lived::default()
        };
        let expected = "<container>: up as <container>\n";
        assert_eq!(comparable(&lived, "confine-check-7-").log, expected);
    }
}
