//! `confine profile`: the policy as a file that engines or the kernel read.

use std::path::Path;

use anyhow::ensure;
use confine_policy::Architecture;
use confine_record::Record;
use confine_report::{Coarser, Report};

use crate::arguments::{ProfileArguments, ProfileFormat};
use crate::output::Output;
use crate::per_program::{self, numbered};
use crate::written::{self, Format, Written};
use crate::{Outcome, analysis, filter_source, policy, recording, remembered, summary, terminal};

/// Writes the profile, those of the programs and the report where they are wanted.
pub fn profile(arguments: &ProfileArguments) -> anyhow::Result<Outcome> {
    let standard = arguments.per_program.is_none().then(|| Path::new("-"));
    let path = arguments.output.as_deref().or(standard);
    ensure!(
        arguments.report.is_none() || arguments.report.as_deref() != path,
        "cannot write both the profile and the report to {}: give --output and --report different files",
        path.unwrap_or(Path::new("-")).display(),
    );
    let options = filter_source::options(&arguments.compiler)?;
    ensure!(
        arguments.format == ProfileFormat::Bpf
            || arguments.compiler.denied.is_none() && arguments.compiler.weights.is_none(),
        "--denied and --weights are about filters: give --format bpf as well",
    );
    let output = path.map(Output::prepare).transpose()?;
    let report_output = arguments.report.as_deref().map(Output::prepare).transpose()?;
    // Read first: what cannot be read costs no time then.
    let records: Vec<Record> = arguments
        .observed
        .iter()
        .map(|path| recording::read(path))
        .collect::<anyhow::Result<_>>()?;
    let mut report = analysis::run(&remembered::recall(&arguments.analysis)?)?;
    for record in &records {
        report = confine_record::add(report, record);
    }
    let label = label(&report.image.reference);
    let format = match arguments.format {
        ProfileFormat::Oci => Format::Oci,
        ProfileFormat::Kubernetes => Format::Kubernetes(&label),
        ProfileFormat::Systemd => Format::Systemd,
        ProfileFormat::Podman => Format::Podman,
        ProfileFormat::Bpf => Format::Bpf(&options),
    };
    let policy = policy::bounded(policy::whole(&report), arguments.within);
    let container = written::write(&policy, format)?;
    report.coarser = container.coarser.clone();
    if let Some(output) = report_output {
        output.write(&report.to_json()?)?;
    }
    if arguments.strict && report.is_incomplete() {
        summary::show_incomplete(&report);
        return Ok(Outcome::Incomplete);
    }
    if let Some((output, path)) = output.zip(path) {
        write_all(&container.files, output, path)?;
    }
    let losses = match &arguments.per_program {
        Some(folder) => per_program::write(&report, folder, format, arguments.within)?,
        None => Vec::new(),
    };
    if !arguments.analysis.quiet {
        show(&report, path.map(|_| &container), &losses);
        if arguments.within.is_some() {
            let kept = policy.calls(Architecture::X86_64).count();
            terminal::note(&format!("{kept} of them are within the bound"));
        }
    }
    Ok(Outcome::Done)
}

/// Writes the first file to the output and the others beside it.
fn write_all(files: &[Vec<u8>], output: Output, path: &Path) -> anyhow::Result<()> {
    ensure!(
        files.len() == 1 || matches!(output, Output::File { .. }),
        "the policy takes {} filters, which cannot all go to {}: give --output a file's name",
        files.len(),
        path.display(),
    );
    for (number, content) in files.iter().enumerate().skip(1) {
        Output::prepare(&numbered(path, number))?.write(content)?;
    }
    match files.first() {
        Some(content) => output.write(content),
        None => Ok(()),
    }
}

fn show(report: &Report, container: Option<&Written>, programs: &[(String, Coarser)]) {
    summary::show(report);
    if let Some(container) = container {
        for loss in &container.coarser {
            summary::show_coarser(None, loss);
        }
        container.losses.iter().for_each(|loss| terminal::warning(loss));
    }
    for (program, loss) in programs {
        summary::show_coarser(Some(program), loss);
    }
}

/// How long a label of Kubernetes may be.
const LONGEST_LABEL: usize = 63;

/// A reference as Kubernetes takes names: lower-case letters, digits and single dashes between.
fn label(reference: &str) -> String {
    let words = reference.split(|character: char| !character.is_ascii_alphanumeric());
    let words: Vec<String> = words
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let joined: String = words.join("-").chars().take(LONGEST_LABEL).collect();
    match joined.trim_matches('-') {
        "" => "confine".to_owned(),
        label => label.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_become_labels() {
        for (reference, expected) in [
            ("nginx", "nginx"),
            (
                "docker-archive:/tmp/My_Server.tar:v1",
                "docker-archive-tmp-my-server-tar-v1",
            ),
            ("-", "confine"),
            (&"ab-".repeat(30), &"ab-".repeat(21)[..62]),
        ] {
            assert_eq!(label(reference), expected);
        }
    }
}
