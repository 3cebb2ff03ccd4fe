//! The image where containers are made of it, and how they run.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use confine_engine::{
    Docker, Engine, ImageConfig, Installed, Interrupt, Life, Ready, Runtime, Seccomp, Session, Source,
    StartOptions,
};
use confine_image::Location;

use crate::arguments::{AnalysisArguments, EngineName, RunningArguments};
use crate::overrides::words;

/// How long a container is left alone where nothing tells when it is ready.
const SETTLED: Duration = Duration::from_secs(3);

/// An image that an engine makes containers of, and a name for that engine.
pub struct Premises {
    /// The image.
    pub installed: Installed,
    /// The engine with its version, in words.
    pub engine: String,
    /// A file that the engine wrote the image to for the analysis, where that cannot ask the engine itself.
    pub archive: Option<tempfile::NamedTempFile>,
}

impl Premises {
    /// Finds the engine and hands it the image.
    pub fn new(image: &str, name: EngineName, prefix: &str, interrupt: &Interrupt) -> anyhow::Result<Self> {
        let (engine, version) = engine(name, interrupt)?;
        let source = source(image, name)?;
        let mut archive = None;
        if let (EngineName::Podman, Engine::Docker(podman), Source::Held(held)) = (name, &engine, &source) {
            let file = tempfile::Builder::new()
                .prefix(prefix)
                .suffix(".tar")
                .tempfile()
                .context("cannot create a temporary file")?;
            // podman writes no file that is there already.
            fs::remove_file(file.path()).context("cannot remove a temporary file")?;
            podman.save(held, file.path())?;
            archive = Some(file);
        }
        let installed = Installed::new(engine, source, prefix, interrupt)?;
        Ok(Self {
            installed,
            engine: version,
            archive,
        })
    }

    /// What the image is read by, which the user has called so.
    pub fn place(&self, image: &str) -> String {
        match &self.archive {
            Some(archive) => format!("docker-archive:{}", archive.path().display()),
            None => image.to_owned(),
        }
    }
}

/// The engine, if it answers, with its name and version.
fn engine(name: EngineName, interrupt: &Interrupt) -> anyhow::Result<(Engine, String)> {
    let word = name.name();
    let docker = |docker: Docker| {
        let version = docker.version();
        (Engine::Docker(docker), version)
    };
    let runtime = |runtime: Runtime| (Engine::Runtime(runtime), runtime.version(interrupt));
    let (engine, version) = match name {
        EngineName::Docker => docker(Docker::new(interrupt)),
        EngineName::Podman => docker(Docker::podman(interrupt)),
        EngineName::Runc => runtime(Runtime::Runc),
        EngineName::Crun => runtime(Runtime::Crun),
    };
    let version = version.with_context(|| {
        format!(
            "containers are run by {word}, which does not answer: start it, or choose another by --engine"
        )
    })?;
    Ok((engine, format!("{word} {version}")))
}

/// What the engine is handed.
fn source(image: &str, engine: EngineName) -> anyhow::Result<Source> {
    Ok(match confine_image::locate(image)? {
        Location::Engine(name) => Source::Held(name),
        Location::Archive(path, name) => Source::Archive(path, name),
        Location::Folder(path) => {
            let path = path
                .canonicalize()
                .with_context(|| format!("cannot find {}", path.display()))?;
            Source::Folder(path, ImageConfig::default())
        }
        Location::Layout(path, _) => bail!(
            "{}: an OCI layout is nothing that {} starts: give the image's name or an archive",
            path.display(),
            engine.name()
        ),
        Location::Input => {
            bail!("the image is needed more than once: give its name or a file instead of `-`")
        }
    })
}

/// How each container is led through its life.
pub fn life(running: &RunningArguments, ports: &[u16]) -> anyhow::Result<Life> {
    let workload = match &running.workload_file {
        None => running.workload.clone(),
        Some(path) => Some(script(path)?),
    };
    let ready = match (&running.ready, ports.first()) {
        (Some(ready), _) => ready.clone(),
        (None, Some(port)) => Ready::Port(*port),
        (None, None) => Ready::Time(SETTLED),
    };
    let ready_limit = match &ready {
        Ready::Time(time) => running.ready_timeout.max(*time + SETTLED),
        _ => running.ready_timeout,
    };
    let executed = running
        .executed
        .iter()
        .map(|line| words("--inside", line))
        .collect::<anyhow::Result<_>>()?;
    Ok(Life {
        session: Session {
            ready: Some(ready),
            ready_limit,
            workload,
            workload_limit: running.timeout,
            duration: None,
            patience: running.stop_timeout,
        },
        executed,
    })
}

/// What the user set in place of the image's configuration, for the engine; `ports` are all that are published.
pub fn options(analysis: &AnalysisArguments, ports: &[u16]) -> anyhow::Result<StartOptions> {
    let command = match &analysis.command {
        Some(line) => words("--command", line)?,
        None => Vec::new(),
    };
    let environment = analysis.environment.iter();
    Ok(StartOptions {
        user: analysis.user.clone(),
        environment: environment
            .map(|(name, value)| format!("{name}={value}"))
            .collect(),
        entrypoint: analysis.entrypoint.clone(),
        command,
        folder: analysis.workdir.clone(),
        ports: ports.to_vec(),
        ..StartOptions::new("", Seccomp::Unconfined)
    })
}

/// A script's text: read once, so that every life has the same.
fn script(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
