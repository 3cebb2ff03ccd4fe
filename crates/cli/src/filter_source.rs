//! Where filters come from: an image, a report, a profile, or a filter itself.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use anyhow::{Context, bail};
use confine_bpf::{Action, Filter, Options, Weights};
use confine_kernel::DOCKER_CAPABILITIES;
use confine_profile::Reading;
use confine_report::Report;

use crate::arguments::{AnalysisArguments, CompilerArguments, FilterInput};
use crate::{analysis, policy, terminal};

/// What is read of a file that is no image, so that one without an end does not fill the memory.
const MAXIMUM_BYTES: u64 = 1 << 30;

/// How much of a file tells what it is.
const HEAD: u64 = 4096;

/// What is not spoken of says EPERM where a profile names no number (libseccomp's users do so).
const DEFAULT_ERRNO: u16 = 1;

/// How policies are compiled.
pub fn options(arguments: &CompilerArguments) -> anyhow::Result<Options> {
    let mut options = Options::default();
    if let Some(denied) = arguments.denied {
        options.denied = denied;
    }
    if let Some(path) = &arguments.weights {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        options.weights = text
            .parse::<Weights>()
            .with_context(|| path.display().to_string())?;
    }
    Ok(options)
}

/// The filters of what the arguments name.
pub fn filters(input: &FilterInput) -> anyhow::Result<Vec<Filter>> {
    let mut options = options(&input.compiler)?;
    let analysis = &input.analysis;
    let Some(content) = content(&analysis.image)? else {
        let report = analysis::run(analysis)?;
        return compile(&policy::whole(&report), &options);
    };
    let name = &analysis.image;
    if !content.trim_ascii_start().starts_with(b"{") {
        let filter = Filter::from_bytes(&content).with_context(|| format!("{name}: not a filter"))?;
        return Ok(vec![filter]);
    }
    let text = String::from_utf8(content).with_context(|| format!("{name}: not JSON"))?;
    let value: serde_json::Value =
        serde_json::from_str(&text).with_context(|| format!("{name}: not JSON"))?;
    if value.get("schema").is_some() {
        let report = Report::from_json(&text).with_context(|| name.clone())?;
        return compile(&of_report(&report, analysis)?, &options);
    }
    let reading = confine_profile::read_oci(&text, &DOCKER_CAPABILITIES).with_context(|| name.clone())?;
    if !analysis.quiet {
        reading
            .notes
            .iter()
            .for_each(|note| terminal::warning(&note.to_string()));
    }
    if reading.permissive {
        bail!("{name}: expected a profile that denies what it does not name: no filter of ours allows that");
    }
    if input.compiler.denied.is_none() {
        options.denied = default_action(&reading)?;
    }
    compile(&reading.policy, &options)
}

fn compile(policy: &confine_policy::Policy, options: &Options) -> anyhow::Result<Vec<Filter>> {
    confine_bpf::compile(policy, options).context("cannot compile the policy to a filter")
}

/// What is behind a name, if that is a file or the standard input and no image.
fn content(name: &str) -> anyhow::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    if name == "-" {
        io::stdin()
            .take(MAXIMUM_BYTES)
            .read_to_end(&mut bytes)
            .context("cannot read the standard input")?;
        return Ok(Some(bytes));
    }
    let path = Path::new(name);
    if !path.is_file() {
        return Ok(None);
    }
    let mut read = || -> io::Result<()> {
        let mut file = File::open(path)?;
        file.by_ref().take(HEAD).read_to_end(&mut bytes)?;
        if is_text(&bytes) || is_filter(&bytes) {
            file.take(MAXIMUM_BYTES).read_to_end(&mut bytes)?;
        }
        Ok(())
    };
    read().with_context(|| format!("cannot read {name}"))?;
    Ok((is_text(&bytes) || is_filter(&bytes)).then_some(bytes))
}

/// JSON as reports and profiles are; no archive begins like this.
fn is_text(head: &[u8]) -> bool {
    head.trim_ascii_start().starts_with(b"{")
}

/// A filter begins by loading a word or by its answer; archives begin with a file's name or the mark of a compression.
fn is_filter(head: &[u8]) -> bool {
    head.starts_with(&[0x20, 0, 0, 0]) || head.starts_with(&[0x06, 0, 0, 0])
}

/// The container's policy, or that of the program that is asked for.
fn of_report(report: &Report, arguments: &AnalysisArguments) -> anyhow::Result<confine_policy::Policy> {
    let Some(wanted) = &arguments.program else {
        return Ok(policy::whole(report));
    };
    let mut programs = report.programs.iter();
    let Some(index) =
        programs.position(|program| program.path == *wanted || program.invoked.contains(wanted))
    else {
        let paths: Vec<&str> = report
            .programs
            .iter()
            .map(|program| program.path.as_str())
            .collect();
        bail!(
            "the report has no program {wanted}: expected one of {}",
            paths.join(", ")
        );
    };
    Ok(policy::program(report, index))
}

fn default_action(reading: &Reading) -> anyhow::Result<Action> {
    Ok(match reading.default_action.as_str() {
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => Action::KillThread,
        "SCMP_ACT_KILL_PROCESS" => Action::KillProcess,
        "SCMP_ACT_TRAP" => Action::Trap(0),
        "SCMP_ACT_ERRNO" => Action::Errno(match reading.default_errno {
            None => DEFAULT_ERRNO,
            Some(number) => u16::try_from(number).context("expected an error number of at most 16 bits")?,
        }),
        other => {
            bail!("expected a default action that denies, as SCMP_ACT_ERRNO, found {other}: give --denied")
        }
    })
}
