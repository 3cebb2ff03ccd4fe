//! `confine profile`: the policy as a file that engines or the kernel read.

use std::path::Path;

use anyhow::ensure;
use confine_report::Report;

use crate::arguments::{ProfileArguments, ProfileFormat};
use crate::output::Output;
use crate::per_program::{self, numbered};
use crate::written::{self, Coarser, Format};
use crate::{Outcome, analysis, filter_source, policy, summary};

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
    let format = match arguments.format {
        ProfileFormat::Oci => Format::Oci,
        ProfileFormat::Bpf => Format::Bpf(&options),
    };
    ensure!(
        arguments.format == ProfileFormat::Bpf
            || arguments.compiler.denied.is_none() && arguments.compiler.weights.is_none(),
        "--denied and --weights are about filters: give --format bpf as well",
    );
    let output = path.map(Output::prepare).transpose()?;
    let report_output = arguments.report.as_deref().map(Output::prepare).transpose()?;
    let mut report = analysis::run(&arguments.analysis)?;
    let container = written::write(&policy::whole(&report), format)?;
    report.coarser = container.coarser.iter().map(Coarser::reported).collect();
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
        Some(folder) => per_program::write(&report, folder, format)?,
        None => Vec::new(),
    };
    if !arguments.analysis.quiet {
        show(&report, path.map_or(&[], |_| &container.coarser), &losses);
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

fn show(report: &Report, container: &[Coarser], programs: &[(String, Coarser)]) {
    summary::show(report);
    for loss in container {
        summary::show_coarser(None, loss);
    }
    for (program, loss) in programs {
        summary::show_coarser(Some(program), loss);
    }
}
