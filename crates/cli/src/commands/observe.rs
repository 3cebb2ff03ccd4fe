//! `confine observe`: what an image's container does, without loss.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use confine_engine::{ImageConfig, Interrupt, Seccomp, Session, StartOptions, Visit};
use confine_image::OpenOptions;
use confine_observe::Observer;
use confine_record::Record;

use crate::arguments::{ObserveArguments, SeccompChoice};
use crate::check::Premises;
use crate::output::Output;
use crate::overrides::words;
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
    ensure_command(arguments)?;
    let prefix = format!("confine-observe-{}-", std::process::id());
    let premises = Premises::new(&arguments.image, arguments.engine, &prefix, &interrupt)?;
    let bar = Bar::new(arguments.quiet);
    let open = OpenOptions {
        progress: Some(bar.opening()),
        ..OpenOptions::default()
    };
    let opened = confine_image::open(&premises.place(&arguments.image), &open);
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
    let options = start_options(arguments, &premises.installed.config)?;
    let mut container = premises.installed.create(&options)?;
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

/// A folder has no configuration that would say what it runs.
fn ensure_command(arguments: &ObserveArguments) -> anyhow::Result<()> {
    ensure!(
        !arguments.image.starts_with(FOLDER) || arguments.command.is_some() || arguments.entrypoint.is_some(),
        "{}: it has no configuration: tell what it runs by --command 'CMD ARGS' or --entrypoint PROGRAM",
        arguments.image
    );
    Ok(())
}

fn start_options(arguments: &ObserveArguments, config: &ImageConfig) -> anyhow::Result<StartOptions> {
    let seccomp = match &arguments.seccomp {
        SeccompChoice::None => Seccomp::Unconfined,
        SeccompChoice::Default => Seccomp::Default,
        SeccompChoice::File(path) => Seccomp::Profile(absolute(path)?),
    };
    let command = match &arguments.command {
        None => Vec::new(),
        Some(line) => words("--command", line)?,
    };
    let environment = arguments.environment.iter();
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
        ..StartOptions::new("observed", seccomp)
    })
}

fn absolute(path: &PathBuf) -> anyhow::Result<PathBuf> {
    std::fs::canonicalize(path).with_context(|| format!("cannot read the profile {}", path.display()))
}
