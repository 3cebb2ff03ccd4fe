//! What every analysing command begins with: open the image, settle its configuration, analyse.

use confine_image::OpenOptions;
use confine_kernel::Runtime;
use confine_report::Report;

use crate::arguments::{AnalysisArguments, Switch};
use crate::options::Options;
use crate::progress::{Bar, Statistics};
use crate::{overrides, pipeline, summary, terminal};

/// Analyses what the arguments name and says what they ask for about it.
pub fn run(arguments: &AnalysisArguments) -> anyhow::Result<Report> {
    let bar = Bar::new(arguments.quiet);
    let result = analyse(arguments, &bar);
    bar.clear();
    let (report, problems, statistics) = result?;
    if !arguments.quiet {
        problems.iter().for_each(|problem| terminal::warning(problem));
    }
    if arguments.verbose {
        summary::show_assumptions(&report);
    }
    if arguments.stats {
        summary::show_statistics(&statistics);
    }
    Ok(report)
}

fn analyse(arguments: &AnalysisArguments, bar: &Bar) -> anyhow::Result<(Report, Vec<String>, Statistics)> {
    let open = OpenOptions {
        platform: arguments.platform.clone(),
        progress: Some(bar.opening()),
    };
    let mut statistics = Statistics::default();
    let image = statistics.time("open the image", || confine_image::open(&arguments.image, &open))?;
    let config = overrides::configuration(&image, arguments)?;
    let options = Options {
        also: arguments.also.clone(),
        runtime: match arguments.program {
            Some(_) => Runtime::None,
            None => arguments.runtime.into(),
        },
        program: arguments.program.clone(),
        address_taken: arguments.address_taken,
        arguments: arguments.arguments == Switch::On,
        compare: arguments.stats,
    };
    let (report, mut analysis) = pipeline::analyse(&image, &config, &options, bar)?;
    statistics.parts.append(&mut analysis.parts);
    statistics.counts.append(&mut analysis.counts);
    Ok((report, image.problems, statistics))
}
