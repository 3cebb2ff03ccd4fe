//! Docker through its own command line, which is the interface that it keeps stable.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::bundle::ImageConfig;
use crate::command::{Interrupt, Invocation};
use crate::container::{Container, Endpoint, Seccomp, StartOptions, Stopped};
use crate::error::Error;

/// The label that marks every container that was started here.
const LABEL: &str = "confine.engine";

/// Docker's client on this host.
#[derive(Debug, Clone, Default)]
pub struct Docker {
    interrupt: Interrupt,
}

impl Docker {
    /// A client whose waits end when `interrupt` is raised.
    #[must_use]
    pub fn new(interrupt: &Interrupt) -> Self {
        Self {
            interrupt: interrupt.clone(),
        }
    }

    /// The engine's version, which also tells whether it answers at all.
    pub fn version(&self) -> Result<String, Error> {
        self.call(["version", "--format", "{{.Server.Version}}"]).output()
    }

    /// Builds an image from a folder with a Dockerfile, on the host's network, with build arguments and a label.
    pub fn build(
        &self,
        folder: &Path,
        reference: &str,
        arguments: &[(String, String)],
        label: &str,
    ) -> Result<(), Error> {
        let mut build = self
            .call([
                "build",
                "--quiet",
                "--force-rm",
                "--network",
                "host",
                "--tag",
                reference,
            ])
            .args(["--label", label])
            // The classic builder: BuildKit wants a second plug-in that distributions do not ship with the engine.
            .env("DOCKER_BUILDKIT", "0")
            .limit(Duration::from_secs(900));
        for (name, value) in arguments {
            build = build.arg("--build-arg").arg(format!("{name}={value}"));
        }
        build.arg(folder).output().map(|_| ())
    }

    /// A label of an image; nothing when the engine has no such image or the image no such label.
    pub fn label(&self, reference: &str, label: &str) -> Result<Option<String>, Error> {
        let format = format!("{{{{index .Config.Labels \"{label}\"}}}}");
        let finished = self
            .call(["image", "inspect", "--format", format.as_str(), reference])
            .run()?;
        Ok((finished.code == Some(0)).then(|| finished.stdout.trim().to_owned()))
    }

    /// The identity of an image.
    pub fn image_id(&self, reference: &str) -> Result<String, Error> {
        self.call(["image", "inspect", "--format", "{{.Id}}", reference])
            .output()
    }

    /// Writes an image as a `docker save` archive.
    pub fn save(&self, reference: &str, archive: &Path) -> Result<(), Error> {
        let save = self.call(["save", "--output"]).arg(archive).arg(reference);
        save.limit(Duration::from_secs(300)).output().map(|_| ())
    }

    /// Writes the file system that a container of the image starts with, as one flat archive.
    pub fn export(&self, reference: &str, archive: &Path) -> Result<(), Error> {
        // It is never started, but without a command of its image or ours it would not be made.
        let created = self.call(["create", "--label", LABEL, reference, "never-started"]);
        let id = created.output()?;
        let exported = self
            .call(["export", "--output"])
            .arg(archive)
            .arg(&id)
            .limit(Duration::from_secs(300))
            .output();
        self.call(["rm", "--force", "--volumes", id.as_str()]).output()?;
        exported.map(|_| ())
    }

    /// The part of the image's configuration that decides how it starts and stops.
    pub fn config(&self, reference: &str) -> Result<ImageConfig, Error> {
        let inspect = self.call(["image", "inspect", "--format", "{{json .Config}}", reference]);
        let text = inspect.output()?;
        let config: Value = serde_json::from_str(&text).map_err(|_| Error::Answer {
            command: inspect.line(),
            expected: "JSON".to_owned(),
        })?;
        Ok(ImageConfig::from_docker(&config))
    }

    /// Starts a container in the background with its port published on a free port of the loopback interface.
    pub fn start(&self, reference: &str, options: &StartOptions) -> Result<DockerContainer, Error> {
        let seccomp = match &options.seccomp {
            Seccomp::Unconfined => "seccomp=unconfined".to_owned(),
            Seccomp::Profile(path) => format!("seccomp={}", path.display()),
        };
        let mut run = self
            .call([
                "run",
                "--detach",
                "--label",
                LABEL,
                "--name",
                options.name.as_str(),
            ])
            .args(["--security-opt", seccomp.as_str()])
            .arg("--publish")
            .arg(format!("127.0.0.1::{}", options.port));
        if options.no_new_privileges {
            run = run.args(["--security-opt", "no-new-privileges"]);
        }
        if let Some(user) = &options.user {
            run = run.args(["--user", user]);
        }
        for variable in &options.environment {
            run = run.args(["--env", variable]);
        }
        // Made first, so that a container whose start fails half-way is removed as well.
        let container = DockerContainer {
            docker: self.clone(),
            name: options.name.clone(),
            port: options.port,
        };
        run.arg(reference).output()?;
        Ok(container)
    }

    fn call<const COUNT: usize>(&self, arguments: [&str; COUNT]) -> Invocation {
        Invocation::new("docker")
            .args(arguments)
            .interrupt(&self.interrupt)
    }
}

/// A container that Docker runs.
#[derive(Debug)]
pub struct DockerContainer {
    docker: Docker,
    name: String,
    port: u16,
}

impl DockerContainer {
    fn state(&self, field: &str) -> Result<String, Error> {
        let format = format!("{{{{.State.{field}}}}}");
        self.docker
            .call([
                "container",
                "inspect",
                "--format",
                format.as_str(),
                self.name.as_str(),
            ])
            .output()
    }
}

impl Container for DockerContainer {
    fn endpoint(&self) -> Result<Endpoint, Error> {
        let query = self
            .docker
            .call(["port", self.name.as_str()])
            .arg(self.port.to_string());
        let answer = query.output()?;
        let port = answer
            .lines()
            .find_map(|line| line.strip_prefix("127.0.0.1:"))
            .and_then(|port| port.parse().ok())
            .ok_or_else(|| Error::Answer {
                command: query.line(),
                expected: "a published port".to_owned(),
            })?;
        Ok(Endpoint {
            host: "127.0.0.1".to_owned(),
            port,
            network_of: None,
        })
    }

    fn is_running(&mut self) -> Result<bool, Error> {
        Ok(self.state("Running")? == "true")
    }

    fn inside(&self) -> Vec<String> {
        ["docker", "exec", &self.name].map(str::to_owned).to_vec()
    }

    fn signaller(&self) -> Vec<String> {
        ["docker", "kill", &self.name, "--signal"]
            .map(str::to_owned)
            .to_vec()
    }

    fn restart(&mut self, patience: Duration) -> Result<(), Error> {
        let seconds = patience.as_secs().to_string();
        self.docker
            .call(["restart", "--time", seconds.as_str(), self.name.as_str()])
            .output()
            .map(|_| ())
    }

    fn stop(&mut self, patience: Duration) -> Result<Stopped, Error> {
        let seconds = patience.as_secs().to_string();
        let started = std::time::Instant::now();
        self.docker
            .call(["stop", "--time", seconds.as_str(), self.name.as_str()])
            .output()?;
        let forced = started.elapsed() >= patience;
        let code = self.state("ExitCode")?;
        let code = code.parse().map_err(|_| Error::Answer {
            command: "docker container inspect".to_owned(),
            expected: "an exit code".to_owned(),
        })?;
        Ok(Stopped { code, forced })
    }

    fn logs(&self) -> String {
        match self.docker.call(["logs", self.name.as_str()]).run() {
            Ok(finished) => finished.stdout + &finished.stderr,
            Err(error) => format!("(no logs: {error})"),
        }
    }
}

impl Drop for DockerContainer {
    fn drop(&mut self) {
        // Without the interrupt: this is what must still happen after one. It may never have been created.
        let _ = Invocation::new("docker")
            .args(["rm", "--force", "--volumes", &self.name])
            .run();
    }
}
