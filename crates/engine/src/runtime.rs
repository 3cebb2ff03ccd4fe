//! runc and crun driven directly, without an engine above them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bundle::{Bundle, ImageConfig, Rootfs};
use crate::command::{Finished, Interrupt, Invocation, Running};
use crate::container::{Container, Endpoint, StartOptions, Stopped};
use crate::error::Error;

/// Where hosts that mount both cgroup hierarchies keep the second one.
const SECOND_HIERARCHY: &str = "/sys/fs/cgroup/unified";

/// How long a runtime may take from its start to a running first process.
const START_LIMIT: Duration = Duration::from_secs(20);

/// An OCI runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    /// runc, the Go reference.
    Runc,
    /// crun, in C.
    Crun,
}

impl Runtime {
    /// The program's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Runc => "runc",
            Self::Crun => "crun",
        }
    }

    /// The command line up to the subcommand; `state` is the folder where it keeps its records.
    fn base(self, state: &Path) -> Vec<String> {
        let mut words = vec![
            self.name().to_owned(),
            "--root".to_owned(),
            state.display().to_string(),
        ];
        if self == Self::Crun {
            // What is tried here is the filter; the limits of cgroups are not, and on some hosts they are in the way.
            words.push("--cgroup-manager=disabled".to_owned());
        }
        words
    }

    /// Starts a container in the foreground of a child process; `folder` is scratch space of its own.
    pub fn start(
        self,
        folder: &Path,
        rootfs: &Rootfs,
        image: &ImageConfig,
        options: &StartOptions,
        interrupt: &Interrupt,
    ) -> Result<RuntimeContainer, Error> {
        let bundle = Bundle::create(&folder.join("bundle"), rootfs, image, options)?;
        let base = self.base(&folder.join("state"));
        let mut container = RuntimeContainer {
            running: self.launch(&base, bundle.folder(), &options.name, interrupt)?,
            runtime: self,
            base,
            bundle,
            name: options.name.clone(),
            port: options.port,
            stop_signal: image.stop_signal_name().to_owned(),
            interrupt: interrupt.clone(),
            earlier_logs: String::new(),
        };
        container.wait_until_running()?;
        Ok(container)
    }
}

impl Runtime {
    fn launch(
        self,
        base: &[String],
        bundle: &Path,
        name: &str,
        interrupt: &Interrupt,
    ) -> Result<Running, Error> {
        let run = if self == Self::Crun && Path::new(SECOND_HIERARCHY).is_dir() {
            // crun refuses hosts with both hierarchies, even when told to leave them alone: it is shown one.
            let hide = format!("umount {SECOND_HIERARCHY} && exec \"$@\"");
            Invocation::new("unshare")
                .args(["--mount", "sh", "-c", &hide, "sh"])
                .args(base)
        } else {
            invocation(base)
        };
        run.args(["run", "--bundle"])
            .arg(bundle)
            .arg(name)
            .interrupt(interrupt)
            .start()
    }
}

/// A container that a runtime runs.
#[derive(Debug)]
pub struct RuntimeContainer {
    // Dropped in this order: the process first, then the files under it.
    running: Running,
    runtime: Runtime,
    bundle: Bundle,
    base: Vec<String>,
    name: String,
    port: u16,
    stop_signal: String,
    interrupt: Interrupt,
    earlier_logs: String,
}

impl RuntimeContainer {
    fn call(&self, subcommand: &str) -> Invocation {
        invocation(&self.base).arg(subcommand).interrupt(&self.interrupt)
    }

    /// The runtime's record of the container: its status and its first process.
    fn state(&self) -> Result<Option<(String, u32)>, Error> {
        let query = self.call("state").arg(&self.name);
        let finished = query.run()?;
        if finished.code != Some(0) {
            return Ok(None);
        }
        let unexpected = || Error::Answer {
            command: query.line(),
            expected: "status and pid".to_owned(),
        };
        let state: Value = serde_json::from_str(&finished.stdout).map_err(|_| unexpected())?;
        let status = state
            .get("status")
            .and_then(Value::as_str)
            .ok_or_else(unexpected)?;
        let process = state
            .get("pid")
            .and_then(Value::as_u64)
            .and_then(|id| u32::try_from(id).ok());
        Ok(Some((status.to_owned(), process.ok_or_else(unexpected)?)))
    }

    fn wait_until_running(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + START_LIMIT;
        // Bounded by the deadline.
        while Instant::now() < deadline {
            if let Some(ended) = self.running.poll(Duration::from_millis(50))? {
                return Err(self.failed(&ended));
            }
            if matches!(self.state()?, Some((status, _)) if status == "running") {
                return Ok(());
            }
        }
        Err(Error::TimedOut {
            command: self.call("run").line(),
            limit: START_LIMIT,
        })
    }

    fn failed(&self, ended: &Finished) -> Error {
        Error::Failed {
            command: self.call("run").line(),
            outcome: ended.outcome(),
            message: format!("{}{}", ended.stdout, ended.stderr).trim().to_owned(),
        }
    }

    fn delete(&self) {
        // Without the interrupt: this is what must still happen after one.
        let _ = invocation(&self.base)
            .args(["delete", "--force", &self.name])
            .run();
    }
}

impl Container for RuntimeContainer {
    fn endpoint(&self) -> Result<Endpoint, Error> {
        let (_, process) = self.state()?.ok_or_else(|| Error::Answer {
            command: self.call("state").line(),
            expected: "a running container".to_owned(),
        })?;
        Ok(Endpoint {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            network_of: Some(process),
        })
    }

    fn is_running(&mut self) -> Result<bool, Error> {
        Ok(self.running.poll(Duration::ZERO)?.is_none())
    }

    fn inside(&self) -> Vec<String> {
        let words = ["exec".to_owned(), self.name.clone()];
        self.base.iter().cloned().chain(words).collect()
    }

    fn signaller(&self) -> Vec<String> {
        let words = ["kill".to_owned(), self.name.clone()];
        self.base.iter().cloned().chain(words).collect()
    }

    fn restart(&mut self, patience: Duration) -> Result<(), Error> {
        self.stop(patience)?;
        self.earlier_logs = self.logs();
        self.delete();
        self.running = self
            .runtime
            .launch(&self.base, self.bundle.folder(), &self.name, &self.interrupt)?;
        self.wait_until_running()
    }

    fn stop(&mut self, patience: Duration) -> Result<Stopped, Error> {
        self.call("kill").args([&self.name, &self.stop_signal]).output()?;
        let mut forced = false;
        let mut ended = self.running.poll(patience)?;
        if ended.is_none() {
            forced = true;
            self.call("kill").args([&self.name, "KILL"]).output()?;
            ended = Some(self.running.wait(Duration::from_secs(10))?);
        }
        let code = ended.and_then(|ended| ended.code);
        let code = code.ok_or_else(|| Error::Answer {
            command: self.call("run").line(),
            expected: "the container's exit code".to_owned(),
        })?;
        Ok(Stopped { code, forced })
    }

    fn logs(&self) -> String {
        format!(
            "{}{}{}",
            self.earlier_logs,
            self.running.stdout_so_far(),
            self.running.stderr_so_far()
        )
    }
}

impl Drop for RuntimeContainer {
    fn drop(&mut self) {
        self.delete();
    }
}

/// An invocation of a command line that is never empty.
fn invocation(words: &[String]) -> Invocation {
    let program = words.first().map_or("", String::as_str);
    Invocation::new(PathBuf::from(program)).args(words.iter().skip(1))
}
