//! The ways in which an image is started.

use std::fmt;
use std::path::Path;

use confine_engine::{Container, Docker, Error, Interrupt, Runtime, Seccomp, StartOptions};

use super::build::Built;
use super::recipe::Target;

/// Who starts the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Engine {
    /// Docker, with whatever runtime it uses.
    Docker,
    /// runc on a bundle.
    Runc,
    /// crun on a bundle.
    Crun,
}

/// One way to start an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mode {
    /// Who starts it.
    pub engine: Engine,
    /// Whether it runs as the recipe's other user.
    pub other_user: bool,
    /// Whether no_new_privs is set before the filter.
    pub no_new_privileges: bool,
}

impl Mode {
    /// Docker's plain way, in which the most of the engine's own work happens under the filter.
    pub const PLAIN: Self = Self {
        engine: Engine::Docker,
        other_user: false,
        no_new_privileges: false,
    };

    /// Every way, or those of the quick subset.
    pub fn all(quick: bool) -> Vec<Self> {
        let mut modes = Vec::new();
        for engine in [Engine::Docker, Engine::Runc, Engine::Crun] {
            for other_user in [false, true] {
                for no_new_privileges in [false, true] {
                    modes.push(Self {
                        engine,
                        other_user,
                        no_new_privileges,
                    });
                }
            }
        }
        if quick {
            modes.retain(|mode| {
                !mode.other_user
                    && (mode.engine == Engine::Docker
                        || mode.no_new_privileges == (mode.engine == Engine::Crun))
            });
        }
        modes
    }

    /// The way whose outcome without a profile this one is compared with: no_new_privs changes nothing in these
    /// images, which have no set-user-id program to run.
    pub fn baseline(self) -> Self {
        Self {
            no_new_privileges: false,
            ..self
        }
    }

    /// Starts the image this way. `folder` is scratch space for this container alone.
    pub fn start(
        self,
        target: &Target,
        built: &Built,
        seccomp: &Seccomp,
        name: &str,
        folder: &Path,
        interrupt: &Interrupt,
    ) -> Result<Box<dyn Container>, Error> {
        let options = StartOptions {
            name: name.to_owned(),
            seccomp: seccomp.clone(),
            no_new_privileges: self.no_new_privileges,
            user: self.other_user.then(|| target.recipe.user.clone()),
            environment: target.recipe.environment.clone(),
            entrypoint: None,
            command: Vec::new(),
            folder: None,
            ports: vec![target.recipe.port],
        };
        let runtime = match self.engine {
            Engine::Docker => {
                return Ok(Box::new(
                    Docker::new(interrupt).start(&target.reference(), &options)?,
                ));
            }
            Engine::Runc => Runtime::Runc,
            Engine::Crun => Runtime::Crun,
        };
        let container = runtime.start(folder, &built.rootfs, &built.config, &options, interrupt)?;
        Ok(Box::new(container))
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.engine {
            Engine::Docker => "docker",
            Engine::Runc => "runc",
            Engine::Crun => "crun",
        })?;
        if self.other_user {
            formatter.write_str(", other user")?;
        }
        if self.no_new_privileges {
            formatter.write_str(", no-new-privileges")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_subset_meets_every_engine_and_both_settings() {
        let quick: Vec<String> = Mode::all(true).iter().map(Mode::to_string).collect();
        assert_eq!(
            quick,
            [
                "docker",
                "docker, no-new-privileges",
                "runc",
                "crun, no-new-privileges"
            ]
        );
        assert_eq!(Mode::all(false).len(), 12);
    }
}
