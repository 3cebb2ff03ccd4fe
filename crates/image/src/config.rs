//! What the image's configuration says about how its container starts.

/// What the engines give a container whose configuration sets no `PATH`.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The part of an OCI image configuration that decides what runs, defaults filled in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// `Entrypoint`: empty if the image has none.
    pub entrypoint: Vec<String>,
    /// `Cmd`: empty if the image has none.
    pub cmd: Vec<String>,
    /// `Env` as name and value, in the image's order.
    pub env: Vec<(String, String)>,
    /// `User`: empty means root.
    pub user: String,
    /// `WorkingDir`: `/` if the image has none.
    pub workdir: String,
    /// `Healthcheck`, an extension of Docker's to the OCI configuration.
    pub healthcheck: Option<Healthcheck>,
    /// `Shell`, used by the shell forms: `["/bin/sh", "-c"]` if the image has none.
    pub shell: Vec<String>,
    /// `StopSignal`: empty if the image has none.
    pub stop_signal: String,
    /// `architecture` as OCI spells it, e.g. `amd64`.
    pub architecture: String,
}

/// How the engine probes a running container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Healthcheck {
    /// `["CMD", …]`: executed as it is.
    Command(Vec<String>),
    /// `["CMD-SHELL", …]`: given to the image's shell.
    Shell(String),
}

impl Config {
    /// The value of an environment variable; the last one set wins, as in a real environment.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.env
            .iter()
            .rev()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The command line that starts the container: entry point, then command.
    #[must_use]
    pub fn command_line(&self) -> Vec<String> {
        self.entrypoint.iter().chain(&self.cmd).cloned().collect()
    }
}
