//! runc and crun driven directly, without an engine above them.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bundle::{Bundle, ImageConfig, Rootfs};
use crate::command::{Finished, Interrupt, Invocation, Running};
use crate::container::{Container, Endpoint, Health, StartOptions, Stopped};
use crate::error::Error;

/// Where hosts that mount both cgroup hierarchies keep the second one.
const SECOND_HIERARCHY: &str = "/sys/fs/cgroup/unified";

/// How long a runtime may take from its start to a running first process.
const START_LIMIT: Duration = Duration::from_secs(20);

/// How long an image's own check may take, as Docker has it where the image does not say.
const HEALTH_LIMIT: Duration = Duration::from_secs(30);

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

    /// Its version, which also tells whether it is there at all.
    pub fn version(self, interrupt: &Interrupt) -> Result<String, Error> {
        let call = Invocation::new(self.name()).arg("--version").interrupt(interrupt);
        let answer = call.output()?;
        let first = answer.lines().next().unwrap_or_default();
        Ok(first
            .trim_start_matches(self.name())
            .replace("version", "")
            .trim()
            .to_owned())
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

    /// Makes a container, and starts it in the foreground of a child process; `folder` is scratch space of its own.
    pub fn start(
        self,
        folder: &Path,
        rootfs: &Rootfs,
        image: &ImageConfig,
        options: &StartOptions,
        interrupt: &Interrupt,
    ) -> Result<RuntimeContainer, Error> {
        let mut container = self.create(folder, rootfs, image, options, interrupt)?;
        container.start()?;
        Ok(container)
    }

    /// Makes a container's bundle; `folder` is scratch space of its own.
    pub fn create(
        self,
        folder: &Path,
        rootfs: &Rootfs,
        image: &ImageConfig,
        options: &StartOptions,
        interrupt: &Interrupt,
    ) -> Result<RuntimeContainer, Error> {
        Ok(RuntimeContainer {
            running: None,
            runtime: self,
            base: self.base(&folder.join("state")),
            bundle: Bundle::create(&folder.join("bundle"), rootfs, image, options)?,
            name: options.name.clone(),
            ports: options.ports.clone(),
            stop_signal: image.stop_signal_name().to_owned(),
            healthcheck: image.healthcheck.clone(),
            interrupt: interrupt.clone(),
            earlier_logs: String::new(),
        })
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
            Invocation::of(base)
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
    running: Option<Running>,
    runtime: Runtime,
    bundle: Bundle,
    base: Vec<String>,
    name: String,
    ports: Vec<u16>,
    stop_signal: String,
    healthcheck: Vec<String>,
    interrupt: Interrupt,
    earlier_logs: String,
}

impl RuntimeContainer {
    fn call(&self, subcommand: &str) -> Invocation {
        Invocation::of(&self.base)
            .arg(subcommand)
            .interrupt(&self.interrupt)
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

    fn running(&mut self) -> Result<&mut Running, Error> {
        let command = format!("{} run", self.runtime.name());
        self.running.as_mut().ok_or(Error::Answer {
            command,
            expected: "a container that was started".to_owned(),
        })
    }

    fn wait_until_running(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + START_LIMIT;
        // Bounded by the deadline.
        while Instant::now() < deadline {
            if let Some(ended) = self.running()?.poll(Duration::from_millis(50))? {
                // A quick one that ended well has had its life; else nothing tells its failure from the runtime's.
                return match ended.code {
                    Some(0) => Ok(()),
                    _ => Err(self.failed(&ended)),
                };
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

    fn exit_code(&self, ended: Option<Finished>) -> Result<i32, Error> {
        ended.and_then(|ended| ended.code).ok_or_else(|| Error::Answer {
            command: self.call("run").line(),
            expected: "the container's exit code".to_owned(),
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
        let _ = Invocation::of(&self.base)
            .args(["delete", "--force", &self.name])
            .run();
    }
}

impl Container for RuntimeContainer {
    fn name(&self) -> &str {
        &self.name
    }

    fn host_name(&self) -> Result<String, Error> {
        // As its bundle says.
        Ok(self.name.clone())
    }

    fn start(&mut self) -> Result<(), Error> {
        let running = self
            .runtime
            .launch(&self.base, self.bundle.folder(), &self.name, &self.interrupt)?;
        self.running = Some(running);
        self.wait_until_running()
    }

    fn ports(&self) -> &[u16] {
        &self.ports
    }

    fn endpoint(&self, port: u16) -> Result<Endpoint, Error> {
        Ok(Endpoint {
            host: "127.0.0.1".to_owned(),
            port,
        })
    }

    fn network_of(&self) -> Result<Option<u32>, Error> {
        let (_, process) = self.state()?.ok_or_else(|| Error::Answer {
            command: self.call("state").line(),
            expected: "a running container".to_owned(),
        })?;
        Ok(Some(process))
    }

    fn health(&self) -> Result<Health, Error> {
        if self.healthcheck.is_empty() {
            return Ok(Health::Unchecked);
        }
        let check = Invocation::of(self.inside()).args(&self.healthcheck);
        health_by(&check.limit(HEALTH_LIMIT).interrupt(&self.interrupt))
    }

    fn is_running(&mut self) -> Result<bool, Error> {
        Ok(self.running()?.poll(Duration::ZERO)?.is_none())
    }

    fn ended(&mut self) -> Result<Option<i32>, Error> {
        let ended = self.running()?.poll(Duration::ZERO)?;
        ended.map(|ended| self.exit_code(Some(ended))).transpose()
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
        self.start()
    }

    fn stop(&mut self, patience: Duration) -> Result<Stopped, Error> {
        let mut forced = false;
        let mut ended = self.running()?.poll(Duration::ZERO)?;
        if ended.is_none() {
            self.call("kill").args([&self.name, &self.stop_signal]).output()?;
            ended = self.running()?.poll(patience)?;
        }
        if ended.is_none() {
            forced = true;
            self.call("kill").args([&self.name, "KILL"]).output()?;
            ended = Some(self.running()?.wait(Duration::from_secs(10))?);
        }
        Ok(Stopped {
            code: self.exit_code(ended)?,
            forced,
        })
    }

    fn logs(&self) -> String {
        let Some(running) = &self.running else {
            return self.earlier_logs.clone();
        };
        format!(
            "{}{}{}",
            self.earlier_logs,
            running.stdout_so_far(),
            running.stderr_so_far()
        )
    }
}

impl Drop for RuntimeContainer {
    fn drop(&mut self) {
        self.delete();
    }
}

/// What a check says. One that does not end is not passed, as an engine takes it, and may be the next time.
fn health_by(check: &Invocation) -> Result<Health, Error> {
    match check.run() {
        Ok(finished) if finished.code == Some(0) => Ok(Health::Healthy),
        Ok(_) | Err(Error::TimedOut { .. }) => Ok(Health::Starting),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_that_does_not_end_is_not_passed() {
        let health = |program: &str, argument: &str| {
            let check = Invocation::new(program).arg(argument);
            health_by(&check.limit(Duration::from_millis(200)))
        };
        assert!(matches!(health("sleep", "5"), Ok(Health::Starting)));
        assert!(matches!(health("sleep", "never"), Ok(Health::Starting)));
        assert!(matches!(health("sleep", "0"), Ok(Health::Healthy)));
        assert!(health("/no/such/program", "").is_err());
    }
}
