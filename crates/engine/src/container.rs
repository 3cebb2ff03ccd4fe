//! What every engine's running container can do, whichever engine it is.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::Error;

/// The filter that a container is started under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seccomp {
    /// The engine's own; none where there is no engine above the runtime.
    Default,
    /// None at all.
    Unconfined,
    /// The profile in this file, as OCI JSON.
    Profile(PathBuf),
}

/// How a container is started.
#[derive(Debug, Clone)]
pub struct StartOptions {
    /// Its name, unique on this host.
    pub name: String,
    /// The filter.
    pub seccomp: Seccomp,
    /// Whether the kernel's no_new_privs goes on before the filter.
    pub no_new_privileges: bool,
    /// Another user than the image's, as `docker run --user` takes it.
    pub user: Option<String>,
    /// Variables on top of the image's, as `NAME=value`.
    pub environment: Vec<String>,
    /// The entry point in place of the image's, whose command is dropped, too.
    pub entrypoint: Option<String>,
    /// The command in place of the image's; empty means the image's.
    pub command: Vec<String>,
    /// The folder that its command starts in, in place of the image's.
    pub folder: Option<String>,
    /// The ports on which its servers listen; the first is the one that most is about.
    pub ports: Vec<u16>,
}

impl StartOptions {
    /// As the image says, under a name and a filter.
    #[must_use]
    pub fn new(name: &str, seccomp: Seccomp) -> Self {
        Self {
            name: name.to_owned(),
            seccomp,
            no_new_privileges: false,
            user: None,
            environment: Vec::new(),
            entrypoint: None,
            command: Vec::new(),
            folder: None,
            ports: Vec::new(),
        }
    }
}

/// What an engine knows of a container's health from the check that its image brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// The image brings none.
    Unchecked,
    /// None was passed yet.
    Starting,
    /// The last one was passed.
    Healthy,
    /// So many were not passed that the engine gave it up.
    Unhealthy,
}

/// Where a client reaches the server, in the network namespace that [`Container::network_of`] tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// An address of the loopback interface.
    pub host: String,
    /// The port to connect to.
    pub port: u16,
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// The exit code as the engine tells it: 128 and the signal's number for a signal.
    pub code: i32,
    /// Whether it had to be killed because it did not heed its stop signal.
    pub forced: bool,
}

/// A container that was made; it is removed when dropped.
pub trait Container {
    /// Its name, unique on this host.
    fn name(&self) -> &str;

    /// The host name that its processes see, and no others do: known before it is started.
    fn host_name(&self) -> Result<String, Error>;

    /// Starts what was made.
    fn start(&mut self) -> Result<(), Error>;

    /// The ports that it was made with.
    fn ports(&self) -> &[u16];

    /// Where one of its ports answers; changes when it is restarted.
    fn endpoint(&self, port: u16) -> Result<Endpoint, Error>;

    /// The process whose network namespace its servers listen in, where they can't be reached from ours.
    fn network_of(&self) -> Result<Option<u32>, Error>;

    /// What the image's own check says.
    fn health(&self) -> Result<Health, Error>;

    /// Whether its first process is still there.
    fn is_running(&mut self) -> Result<bool, Error>;

    /// How its first process ended; nothing while it is still there.
    fn ended(&mut self) -> Result<Option<i32>, Error>;

    /// The command to which the words of a command to execute in the container are appended.
    fn inside(&self) -> Vec<String>;

    /// The command to which the name of a signal for the container's first process is appended.
    fn signaller(&self) -> Vec<String>;

    /// Stops it and starts it again on what it left behind.
    fn restart(&mut self, patience: Duration) -> Result<(), Error>;

    /// Asks it to stop as its image says, and kills it after `patience`.
    fn stop(&mut self, patience: Duration) -> Result<Stopped, Error>;

    /// What it wrote to both its outputs until now.
    fn logs(&self) -> String;
}
