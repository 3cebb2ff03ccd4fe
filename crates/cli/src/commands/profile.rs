//! `confine profile`: the policy as a file that engines read.

use anyhow::ensure;
use confine_profile::MAXIMUM_ENTRIES;
use confine_record::Record;

use crate::arguments::{ProfileArguments, ProfileFormat};
use crate::output::Output;
use crate::{Outcome, analysis, policy, recording, summary};

/// Writes the profile, and the report where one is wanted.
pub fn profile(arguments: &ProfileArguments) -> anyhow::Result<Outcome> {
    ensure!(
        arguments.report.as_ref() != Some(&arguments.output),
        "cannot write both the profile and the report to {}: give --output and --report different files",
        arguments.output.display(),
    );
    let output = Output::prepare(&arguments.output)?;
    let report_output = arguments.report.as_deref().map(Output::prepare).transpose()?;
    // Read first: what cannot be read costs no time then.
    let records: Vec<Record> = arguments
        .observed
        .iter()
        .map(|path| recording::read(path))
        .collect::<anyhow::Result<_>>()?;
    let mut report = analysis::run(&arguments.analysis)?;
    for record in &records {
        report = confine_record::add(report, record);
    }
    if let Some(output) = report_output {
        output.write(&report.to_json()?)?;
    }
    if arguments.strict && report.is_incomplete() {
        summary::show_incomplete(&report);
        return Ok(Outcome::Incomplete);
    }
    let policy = policy::container(&report, MAXIMUM_ENTRIES - 1);
    let text = match arguments.format {
        ProfileFormat::Oci => confine_profile::oci(&policy)?,
    };
    output.write(&text)?;
    if !arguments.analysis.quiet {
        summary::show(&report);
    }
    Ok(Outcome::Done)
}
