//! `confine compare`: what was observed and not foreseen, and the other way round.

use std::path::Path;

use anyhow::ensure;

use crate::arguments::{CompareArguments, CompareFormat};
use crate::{Outcome, output, recording, terminal};

/// Shows the comparison; anything that was not foreseen is a failed check.
pub fn compare(arguments: &CompareArguments) -> anyhow::Result<Outcome> {
    let standard = Path::new("-");
    ensure!(
        arguments.report != standard || arguments.record != standard,
        "cannot read both the report and the record from the standard input",
    );
    let report = recording::read_report(&arguments.report)?;
    let record = recording::read(&arguments.record)?;
    let comparison = confine_record::compare(&report, &record);
    match arguments.format {
        CompareFormat::Text => terminal::print(&confine_record::text(&comparison, arguments.unseen))?,
        CompareFormat::Json => {
            let mut text = serde_json::to_string_pretty(&comparison)?;
            text.push('\n');
            output::print(&text)?;
        }
    }
    Ok(match comparison.holds() {
        true => Outcome::Done,
        false => Outcome::Failed,
    })
}
