//! `confine check`: lives of a container without and with its policies, held against each other.

use std::cell::LazyCell;

use anyhow::{Context, bail, ensure};
use confine_check::{Baseline, Checked, Verdict, denied};
use confine_engine::{Interrupt, Lived, WORKLOAD};
use confine_image::{Image, OpenOptions};
use confine_report::Report;

use crate::arguments::{AnalysisArguments, CheckArguments, CheckFormat};
use crate::check::{self, CheckedPolicy, Lives, Making, Premises, Watch, comparable, policies};
use crate::output::Output;
use crate::{Outcome, analysis, remembered, terminal};

/// Checks the image, and writes what was found.
pub fn check(arguments: &CheckArguments) -> anyhow::Result<Outcome> {
    ensure!(
        arguments.analysis.program.is_none(),
        "--program is about one program's policy, and a check runs the whole container"
    );
    let output = Output::prepare(&arguments.output)?;
    let interrupt = Interrupt::default();
    let raised = interrupt.clone();
    ctrlc::set_handler(move || raised.raise()).context("cannot handle interrupts")?;
    let checked = run(arguments, &interrupt)?;
    let tolerated = arguments.tolerate_denied;
    let text = match arguments.format {
        CheckFormat::Text => confine_check::text(&checked),
        CheckFormat::Json => checked.to_json()?,
        CheckFormat::Junit => confine_check::junit(&checked, tolerated),
        CheckFormat::Sarif => confine_check::sarif(&checked, env!("CARGO_PKG_VERSION"), tolerated)?,
    };
    output.write(&text)?;
    Ok(match checked.passed(tolerated) {
        true => Outcome::Done,
        false => Outcome::Failed,
    })
}

/// Everything that was made for it is gone when this returns.
fn run(arguments: &CheckArguments, interrupt: &Interrupt) -> anyhow::Result<Checked> {
    let running = &arguments.running;
    // What a project remembers holds for the container as it does for the analysis.
    let analysis = &remembered::recall(&arguments.analysis)?;
    let quiet = analysis.quiet;
    let prefix = format!("confine-check-{}-", std::process::id());
    let scratch = tempfile::Builder::new()
        .prefix(&prefix)
        .tempdir()
        .context("cannot create a temporary folder")?;
    let premises = Premises::new(&analysis.image, running.engine, &prefix, interrupt)?;
    let mut ports = running.ports.clone();
    ports.extend(
        premises
            .installed
            .config
            .ports
            .iter()
            .filter(|port| !running.ports.contains(port)),
    );
    let lives = Lives::new(
        &premises,
        running,
        check::options(analysis, &ports)?,
        interrupt,
        quiet,
    )?;

    let (image, report) = analysed(arguments, analysis, &premises)?.unzip();
    // Only what is denied needs it where there was no analysis.
    let image = LazyCell::new(|| image.or_else(|| self::image(analysis, &premises)));
    let mut policies = policies(&arguments.policy, report.as_ref(), scratch.path())?;
    if arguments.hardened {
        let making = Making {
            premises: &premises,
            prefix: &prefix,
            scratch: scratch.path(),
            interrupt,
            quiet,
        };
        policies.push(hardened(&making, image.as_ref(), report.as_ref())?);
    }
    let mut without = Vec::new();
    for turn in 1..=arguments.runs {
        let what = format!("without a policy, {turn} of {}", arguments.runs);
        let lived = lives.lead_free(&what)?;
        ensure_complete(&lived, lives.has_workload())?;
        without.push(comparable(&lived, &prefix));
    }
    let baseline = Baseline::new(&without);
    let files = || image.as_ref().map(|image| image.files.as_ref());
    let mut watch = Watch::new(&lives, scratch.path(), &files);
    let mut verdicts = Vec::new();
    for policy in &policies {
        let mut with = Vec::new();
        for turn in 1..=arguments.runs {
            let what = format!("{}, {turn} of {}", policy.name, arguments.runs);
            let lived = lives.lead_under(&what, policy)?;
            with.push(comparable(&lived, &prefix));
        }
        let (attempts, observation) = watch.denied(policy)?;
        verdicts.push(Verdict {
            policy: policy.name.clone(),
            differences: baseline.differences(&with),
            denied: denied(&attempts, report.as_ref()),
            observation,
        });
    }
    let steps = without.first().into_iter().flat_map(|life| &life.steps);
    Ok(Checked {
        image: analysis.image.clone(),
        engine: premises.engine.clone(),
        lives: usize::from(arguments.runs),
        steps: steps
            .map(|step| (step.name.clone(), step.outcome.clone()))
            .collect(),
        varying: baseline.varying(),
        verdicts,
    })
}

/// The image with a policy for each program.
fn hardened(
    making: &Making<'_>,
    image: Option<&Image>,
    report: Option<&Report>,
) -> anyhow::Result<CheckedPolicy> {
    let analysed = image.zip(report);
    let (image, report) = analysed.context("--hardened needs the analysis of the image")?;
    making.make(image, report).context("cannot harden the image")
}

/// The image and what the analysis says of it. Where there are policies to check, it is only asked what it knows of
/// denied calls, and may fail.
fn analysed(
    arguments: &CheckArguments,
    analysis: &AnalysisArguments,
    premises: &Premises,
) -> anyhow::Result<Option<(Image, Report)>> {
    let mut analysis = analysis.clone();
    analysis.also.extend(arguments.running.executed.iter().cloned());
    analysis.image = premises.place(&analysis.image);
    match analysis::run_on_image(&analysis) {
        Ok(analysed) => Ok(Some(analysed)),
        Err(error) if !arguments.policy.is_empty() && !arguments.hardened => {
            terminal::warning(&format!("what the analysis knows is not told: {error:#}"));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The image, for names of functions.
fn image(analysis: &AnalysisArguments, premises: &Premises) -> Option<Image> {
    let open = OpenOptions {
        platform: analysis.platform.clone(),
        ..OpenOptions::default()
    };
    confine_image::open(&premises.place(&analysis.image), &open).ok()
}

/// A container that does not live without a policy, or never comes to its workload, tells nothing about one.
fn ensure_complete(lived: &Lived, has_workload: bool) -> anyhow::Result<()> {
    let worked = lived.steps.iter().any(|step| step.name == WORKLOAD);
    if lived.complete && (worked || !has_workload) {
        return Ok(());
    }
    let last = lived.steps.last();
    let (name, outcome) = last.map_or(("start", "nothing came of it"), |step| {
        (step.name.as_str(), step.outcome.as_str())
    });
    let lines: Vec<&str> = lived.log.lines().collect();
    let end = lines
        .get(lines.len().saturating_sub(10)..)
        .unwrap_or_default()
        .join("\n");
    bail!("the container does not get through its life without a policy: {name}: {outcome}\n{end}");
}
