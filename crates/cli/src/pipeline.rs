//! From an opened image to its report.

use anyhow::bail;
use confine_image::{Config, Image};
use confine_report::Report;

use crate::options::Options;
use crate::progress::{Progress, Statistics};

/// Analyses an image with the configuration that it would run with.
pub fn analyse(
    image: &Image,
    config: &Config,
    options: &Options,
    progress: &dyn Progress,
) -> anyhow::Result<(Report, Statistics)> {
    let mut statistics = Statistics::default();
    statistics.time("analyse", || progress.begin("analysing", 1));
    progress.step();
    statistics.count("commands", options.also.len() as u64);
    bail!(
        "{}: this build cannot analyse {:?} ({:?})",
        image.reference,
        config.command_line(),
        options
    )
}
