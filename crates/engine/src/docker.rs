//! Docker through its own command line, which is the interface that it keeps stable; and podman, which has the same.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::bundle::ImageConfig;
use crate::command::{Interrupt, Invocation};
use crate::container::{Container, Endpoint, Health, Seccomp, StartOptions, Stopped};
use crate::error::Error;

/// The label that marks every container that was started here.
const LABEL: &str = "confine.engine";

/// How long an engine may take to make a container; some copy the image's files for it.
const CREATE_LIMIT: Duration = Duration::from_secs(120);

/// How long an engine may take to end a container, beside what that is given to end by itself.
const ENDING_LIMIT: Duration = Duration::from_secs(60);

/// An engine's client on this host: Docker's, or podman's.
#[derive(Debug, Clone)]
pub struct Docker {
    program: &'static str,
    interrupt: Interrupt,
}

impl Docker {
    /// A client whose waits end when `interrupt` is raised.
    #[must_use]
    pub fn new(interrupt: &Interrupt) -> Self {
        Self {
            program: "docker",
            interrupt: interrupt.clone(),
        }
    }

    /// podman's client, which is spoken to in the same way.
    #[must_use]
    pub fn podman(interrupt: &Interrupt) -> Self {
        Self {
            program: "podman",
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
        self.remove(&id)?;
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

    /// Whether it has an image of that name.
    pub fn has(&self, reference: &str) -> Result<bool, Error> {
        let finished = self
            .call(["image", "inspect", "--format", "-", reference])
            .run()?;
        Ok(finished.code == Some(0))
    }

    /// Takes in an archive of images; the names or identities of what it held.
    pub fn load(&self, archive: &Path) -> Result<Vec<String>, Error> {
        let load = self.call(["load", "--input"]).arg(archive);
        let answer = load.limit(Duration::from_secs(600)).output()?;
        let names = answer.lines().filter_map(|line| {
            let name = line.strip_prefix("Loaded image")?;
            name.split_once(": ")
                .map(|(_, name)| name.trim().trim_end_matches('.').to_owned())
        });
        Ok(names.collect())
    }

    /// Every name that an image has here, with the image's identity.
    pub fn names(&self) -> Result<Vec<(String, String)>, Error> {
        let format = "{{.Repository}}:{{.Tag}} {{.ID}}";
        let answer = self
            .call(["images", "--all", "--no-trunc", "--format", format])
            .output()?;
        let names = answer.lines().filter_map(|line| line.split_once(' '));
        Ok(names.map(|(name, id)| (name.to_owned(), id.to_owned())).collect())
    }

    /// Gives an image a name, which another may lose by it.
    pub fn tag(&self, image: &str, name: &str) -> Result<(), Error> {
        self.uninterrupted(["tag", image, name]).output().map(|_| ())
    }

    /// Takes a name away, and the image with its last one.
    pub fn untag(&self, name: &str) -> Result<(), Error> {
        self.uninterrupted(["rmi", name]).output().map(|_| ())
    }

    /// Removes every container that was made here and whose name begins so: for what was still being made when
    /// somebody interrupted.
    pub fn sweep(&self, prefix: &str) -> Result<(), Error> {
        let list = self
            .uninterrupted(["ps", "--all", "--quiet", "--filter"])
            .arg(format!("label={LABEL}"))
            .arg("--filter")
            .arg(format!("name=^/?{prefix}"));
        let found = list.output()?;
        for container in found.lines() {
            self.remove(container)?;
        }
        Ok(())
    }

    /// Makes a container, and starts it in the background.
    pub fn start(&self, reference: &str, options: &StartOptions) -> Result<DockerContainer, Error> {
        let mut container = self.create(reference, options)?;
        container.start()?;
        Ok(container)
    }

    /// Makes a container whose ports will be published on free ports of the loopback interface.
    pub fn create(&self, reference: &str, options: &StartOptions) -> Result<DockerContainer, Error> {
        let mut create = self
            .call(["create", "--label", LABEL, "--name", options.name.as_str()])
            .limit(CREATE_LIMIT);
        match &options.seccomp {
            Seccomp::Default => {}
            Seccomp::Unconfined => create = create.args(["--security-opt", "seccomp=unconfined"]),
            Seccomp::Profile(path) => {
                create = create
                    .arg("--security-opt")
                    .arg(format!("seccomp={}", path.display()));
            }
        }
        for port in &options.ports {
            create = create.arg("--publish").arg(format!("127.0.0.1::{port}"));
        }
        if options.no_new_privileges {
            create = create.args(["--security-opt", "no-new-privileges"]);
        }
        if let Some(user) = &options.user {
            create = create.args(["--user", user]);
        }
        if let Some(entrypoint) = &options.entrypoint {
            create = create.args(["--entrypoint", entrypoint]);
        }
        if let Some(folder) = &options.folder {
            create = create.args(["--workdir", folder]);
        }
        for variable in &options.environment {
            create = create.args(["--env", variable]);
        }
        // Made first, so that a container whose creation fails half-way is removed as well.
        let container = DockerContainer {
            docker: self.clone(),
            name: options.name.clone(),
            ports: options.ports.clone(),
        };
        create.arg(reference).args(&options.command).output()?;
        Ok(container)
    }

    /// Removes a container, also after an interrupt.
    fn remove(&self, container: &str) -> Result<(), Error> {
        let remove = self.uninterrupted(["rm", "--force", "--volumes", container]);
        remove.output().map(|_| ())
    }

    /// What ends a container, which is given `patience` to end by itself, and a minute is left for the engine's part.
    fn ending(&self, subcommand: &str, container: &str, patience: Duration) -> Invocation {
        let seconds = patience.as_secs().to_string();
        let call = self.call([subcommand, "--time", seconds.as_str(), container]);
        call.limit(ENDING_LIMIT.saturating_add(patience))
    }

    /// What must still happen after an interrupt.
    fn uninterrupted<const COUNT: usize>(&self, arguments: [&str; COUNT]) -> Invocation {
        Invocation::new(self.program).args(arguments)
    }

    fn call<const COUNT: usize>(&self, arguments: [&str; COUNT]) -> Invocation {
        Invocation::new(self.program)
            .args(arguments)
            .interrupt(&self.interrupt)
    }
}

/// A container of Docker or podman.
#[derive(Debug)]
pub struct DockerContainer {
    docker: Docker,
    name: String,
    ports: Vec<u16>,
}

impl DockerContainer {
    fn state(&self, field: &str) -> Result<String, Error> {
        self.inspect(&format!("{{{{.State.{field}}}}}"))
    }

    fn inspect(&self, format: &str) -> Result<String, Error> {
        let words = ["container", "inspect", "--format", format, self.name.as_str()];
        self.docker.call(words).output()
    }

    fn exit_code(&self) -> Result<i32, Error> {
        self.parse_exit_code(&self.state("ExitCode")?)
    }

    fn parse_exit_code(&self, code: &str) -> Result<i32, Error> {
        code.parse().map_err(|_| Error::Answer {
            command: format!("{} container inspect", self.docker.program),
            expected: "an exit code".to_owned(),
        })
    }
}

impl Container for DockerContainer {
    fn name(&self) -> &str {
        &self.name
    }

    fn host_name(&self) -> Result<String, Error> {
        self.inspect("{{.Config.Hostname}}")
    }

    fn start(&mut self) -> Result<(), Error> {
        self.docker
            .call(["start", self.name.as_str()])
            .output()
            .map(|_| ())
    }

    fn ports(&self) -> &[u16] {
        &self.ports
    }

    fn endpoint(&self, port: u16) -> Result<Endpoint, Error> {
        let query = self
            .docker
            .call(["port", self.name.as_str()])
            .arg(port.to_string());
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
        })
    }

    fn network_of(&self) -> Result<Option<u32>, Error> {
        Ok(None)
    }

    fn health(&self) -> Result<Health, Error> {
        let status = self.inspect("{{if .State.Health}}{{.State.Health.Status}}{{end}}")?;
        Ok(match status.as_str() {
            "healthy" => Health::Healthy,
            "unhealthy" => Health::Unhealthy,
            "starting" => Health::Starting,
            // podman says that it has no check by an empty status, Docker by `none` or by leaving the field out.
            _ => Health::Unchecked,
        })
    }

    fn is_running(&mut self) -> Result<bool, Error> {
        Ok(self.state("Running")? == "true")
    }

    fn ended(&mut self) -> Result<Option<i32>, Error> {
        let state = self.inspect("{{.State.Running}} {{.State.ExitCode}}")?;
        match state.strip_prefix("false ") {
            None => Ok(None),
            Some(code) => self.parse_exit_code(code).map(Some),
        }
    }

    fn inside(&self) -> Vec<String> {
        [self.docker.program, "exec", &self.name]
            .map(str::to_owned)
            .to_vec()
    }

    fn signaller(&self) -> Vec<String> {
        [self.docker.program, "kill", &self.name, "--signal"]
            .map(str::to_owned)
            .to_vec()
    }

    fn restart(&mut self, patience: Duration) -> Result<(), Error> {
        let restart = self.docker.ending("restart", &self.name, patience);
        restart.output().map(|_| ())
    }

    fn stop(&mut self, patience: Duration) -> Result<Stopped, Error> {
        let started = std::time::Instant::now();
        self.docker.ending("stop", &self.name, patience).output()?;
        let forced = started.elapsed() >= patience;
        Ok(Stopped {
            code: self.exit_code()?,
            forced,
        })
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
        // It may never have been created.
        let _ = self.docker.remove(&self.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_container_may_take_to_end_is_on_top_of_what_the_engine_may() {
        let docker = Docker::new(&Interrupt::default());
        for seconds in [10, 90, 600] {
            let patience = Duration::from_secs(seconds);
            let stop = docker.ending("stop", "name", patience);
            assert_eq!(stop.line(), format!("docker stop --time {seconds} name"));
            assert_eq!(stop.limit, patience + ENDING_LIMIT);
        }
    }
}
