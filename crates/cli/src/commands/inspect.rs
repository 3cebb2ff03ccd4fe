//! `confine inspect`: everything that was found.

use crate::arguments::{InspectArguments, InspectFormat};
use crate::{Outcome, analysis, output, remembered, summary, terminal};

/// Shows the report.
pub fn inspect(arguments: &InspectArguments) -> anyhow::Result<Outcome> {
    let report = analysis::run(&remembered::recall(&arguments.analysis)?)?;
    match arguments.format {
        InspectFormat::Table => terminal::print(&confine_report::inspect(&report, terminal::width()))?,
        InspectFormat::Json => output::print(&report.to_json()?)?,
    }
    if arguments.strict && report.is_incomplete() {
        summary::show_incomplete(&report);
        return Ok(Outcome::Incomplete);
    }
    Ok(Outcome::Done)
}
