//! What every engine's running container can do, whichever engine it is.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::Error;

/// The filter that a container is started under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seccomp {
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
    /// The port on which its server listens.
    pub port: u16,
}

/// Where a client reaches the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// An address of the loopback interface.
    pub host: String,
    /// The port to connect to.
    pub port: u16,
    /// The process whose network namespace that address is in, where it isn't ours.
    pub network_of: Option<u32>,
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// The exit code as the engine tells it: 128 and the signal's number for a signal.
    pub code: i32,
    /// Whether it had to be killed because it did not heed its stop signal.
    pub forced: bool,
}

/// A container that was started; it is removed when dropped.
pub trait Container {
    /// Where its server answers; changes when it is restarted.
    fn endpoint(&self) -> Result<Endpoint, Error>;

    /// Whether its first process is still there.
    fn is_running(&mut self) -> Result<bool, Error>;

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
