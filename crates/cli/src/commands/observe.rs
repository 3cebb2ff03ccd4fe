//! `confine observe`: what an image's container does, without loss.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use confine_engine::{
    Container, Docker, ImageConfig, Interrupt, Rootfs, Runtime, Seccomp, Session, StartOptions, Visit,
};
use confine_image::OpenOptions;
use confine_observe::Observer;
use confine_record::Record;

use crate::arguments::{EngineName, ObserveArguments, SeccompChoice};
use crate::output::Output;
use crate::progress::Bar;
use crate::recording::{self, About};
use crate::{Outcome, terminal};

/// How long a container may take to heed its stop signal.
const PATIENCE: Duration = Duration::from_secs(30);

/// How much of the end of a failed workload's output is shown, in lines.
const SHOWN_LINES: usize = 15;

/// The form of a reference to a folder that is a root file system.
const FOLDER: &str = "dir:";

/// Runs the container and writes the record.
pub fn observe(arguments: &ObserveArguments) -> anyhow::Result<Outcome> {
    let output = Output::prepare(&arguments.output)?;
    let interrupt = Interrupt::default();
    let raised = interrupt.clone();
    ctrlc::set_handler(move || raised.raise()).context("cannot handle interrupts")?;
    let say = |text: &str| {
        if !arguments.quiet {
            terminal::note(text);
        }
    };

    say("reading the image");
    let source = Source::find(arguments, &interrupt)?;
    let bar = Bar::new(arguments.quiet);
    let open = OpenOptions {
        progress: Some(bar.opening()),
        ..OpenOptions::default()
    };
    let opened = confine_image::open(&source.reference, &open);
    bar.clear();
    let image = opened?;

    let session = Session {
        ready: arguments.ready.clone(),
        ready_limit: arguments.ready_timeout,
        workload: arguments.workload.clone(),
        workload_limit: arguments.workload_timeout,
        duration: arguments.duration,
        patience: PATIENCE,
    };
    let options = start_options(arguments, &source.config)?;
    let mut container = source.create(arguments.engine, &options, &interrupt)?;
    let observer = Observer::attach(&container.host_name()?)?;
    say("observing; the container is removed in the end");
    let visit = session.lead(container.as_mut(), &interrupt)?;
    // Its processes are gone: nothing counts any more.
    let observation = observer.finish()?;
    drop(container);

    let about = About {
        image: confine_record::Image {
            reference: arguments.image.clone(),
            digest: image.digest.clone(),
        },
        files: image.files.as_ref(),
        engine: arguments.engine.name(),
        session: &session,
        visit: &visit,
    };
    let record = recording::record(&observation, &about);
    output.write(&record.to_json()?)?;
    say(&summary(&record));
    Ok(judge(&visit))
}

/// A workload that fails has not led the container to where the user wanted it.
fn judge(visit: &Visit) -> Outcome {
    let Some(workload) = &visit.workload else {
        return Outcome::Done;
    };
    if workload.code == Some(0) {
        return Outcome::Done;
    }
    let said: Vec<&str> = workload.stdout.lines().chain(workload.stderr.lines()).collect();
    let from = said.len().saturating_sub(SHOWN_LINES);
    let end = said.get(from..).unwrap_or_default().join("\n");
    terminal::warning(&format!("the workload ended with {}\n{end}", workload.outcome()));
    Outcome::Failed
}

fn summary(record: &Record) -> String {
    let calls: usize = record.programs.iter().map(|program| program.calls.len()).sum();
    let times = record.programs.iter().flat_map(|program| &program.calls);
    let times: u64 = times.map(|call| call.times).sum();
    format!(
        "{} programs executed, {} files mapped, {calls} different calls by program, made {times} times",
        record.programs.len(),
        record.files.len(),
    )
}

/// An image as an engine or a runtime starts it.
struct Source {
    /// What opens it for reading.
    reference: String,
    /// The name that the engine has for it; empty where there is none.
    name: String,
    /// Its configuration.
    config: ImageConfig,
    /// Its unpacked files, where a runtime is to start it.
    rootfs: Option<Rootfs>,
    /// Where all that lies; removed in the end.
    scratch: tempfile::TempDir,
}

impl Source {
    fn find(arguments: &ObserveArguments, interrupt: &Interrupt) -> anyhow::Result<Self> {
        let scratch = tempfile::Builder::new().prefix("confine-observe-").tempdir();
        let scratch = scratch.context("cannot create a temporary folder")?;
        let is_runtime = matches!(arguments.engine, EngineName::Runc | EngineName::Crun);
        if let Some(folder) = arguments.image.strip_prefix(FOLDER) {
            ensure!(
                is_runtime,
                "{}: only runc and crun start a folder: choose one by --engine",
                arguments.image
            );
            ensure!(
                arguments.command.is_some() || arguments.entrypoint.is_some(),
                "{}: it has no configuration: tell what it runs by --command 'CMD ARGS' or --entrypoint PROGRAM",
                arguments.image
            );
            let folder = std::fs::canonicalize(folder).with_context(|| format!("cannot open {folder}"))?;
            return Ok(Self {
                reference: arguments.image.clone(),
                name: String::new(),
                config: ImageConfig::default(),
                rootfs: Some(Rootfs::existing(&folder)),
                scratch,
            });
        }
        let engine = match arguments.engine {
            EngineName::Podman => Docker::podman(interrupt),
            _ => Docker::new(interrupt),
        };
        let engine_name = match arguments.engine {
            EngineName::Podman => "podman",
            _ => "docker",
        };
        engine
            .version()
            .with_context(|| format!("no engine answers to `{engine_name}`"))?;
        let name = arguments.image.strip_prefix("docker-daemon:");
        let name = name.unwrap_or(&arguments.image).to_owned();
        let config = engine.config(&name).with_context(|| {
            format!(
                "{engine_name} has no image {name}: `{engine_name} pull` or `{engine_name} load` it first"
            )
        })?;
        let reference = match arguments.engine {
            EngineName::Podman => {
                let archive = scratch.path().join("image.tar");
                engine.save(&name, &archive)?;
                format!("docker-archive:{}", archive.display())
            }
            _ => format!("docker-daemon:{name}"),
        };
        let rootfs = match is_runtime {
            false => None,
            true => {
                let archive = scratch.path().join("flat.tar");
                engine.export(&name, &archive)?;
                let rootfs = Rootfs::unpack(&archive, &scratch.path().join("rootfs"))?;
                std::fs::remove_file(&archive).context("cannot remove an archive of our own")?;
                Some(rootfs)
            }
        };
        Ok(Self {
            reference,
            name,
            config,
            rootfs,
            scratch,
        })
    }

    fn create(
        &self,
        engine: EngineName,
        options: &StartOptions,
        interrupt: &Interrupt,
    ) -> anyhow::Result<Box<dyn Container>> {
        let runtime = match engine {
            EngineName::Docker => {
                return Ok(Box::new(Docker::new(interrupt).create(&self.name, options)?));
            }
            EngineName::Podman => {
                return Ok(Box::new(Docker::podman(interrupt).create(&self.name, options)?));
            }
            EngineName::Runc => Runtime::Runc,
            EngineName::Crun => Runtime::Crun,
        };
        let Some(rootfs) = &self.rootfs else {
            bail!("{}: its files were not unpacked", self.name);
        };
        let folder = self.scratch.path().join("container");
        Ok(Box::new(runtime.create(
            &folder,
            rootfs,
            &self.config,
            options,
            interrupt,
        )?))
    }
}

fn start_options(arguments: &ObserveArguments, config: &ImageConfig) -> anyhow::Result<StartOptions> {
    let seccomp = match &arguments.seccomp {
        SeccompChoice::None => Seccomp::Unconfined,
        SeccompChoice::Default => Seccomp::Default,
        SeccompChoice::File(path) => Seccomp::Profile(absolute(path)?),
    };
    let command = match &arguments.command {
        None => Vec::new(),
        Some(line) => shlex::split(line).with_context(|| {
            format!("--command: expected words as a shell reads them, found an open quote: {line}")
        })?,
    };
    let environment = arguments.environment.iter();
    let name = format!("confine-observe-{}", std::process::id());
    Ok(StartOptions {
        user: arguments.user.clone(),
        environment: environment
            .map(|(name, value)| format!("{name}={value}"))
            .collect(),
        entrypoint: arguments.entrypoint.clone(),
        command,
        ports: match arguments.port.as_slice() {
            [] => config.ports.clone(),
            given => given.to_vec(),
        },
        ..StartOptions::new(&name, seccomp)
    })
}

fn absolute(path: &PathBuf) -> anyhow::Result<PathBuf> {
    std::fs::canonicalize(path).with_context(|| format!("cannot read the profile {}", path.display()))
}
