//! What every analysing command begins with: open the image, settle its configuration, analyse.

use confine_cache::Cache;
use confine_image::OpenOptions;
use confine_kernel::Runtime;
use confine_report::Report;

use crate::arguments::{AnalysisArguments, StatisticsFormat};
use crate::options::Options;
use crate::progress::Bar;
use crate::statistics::{Statistics, show};
use crate::{overrides, pipeline, summary, terminal};

/// The user's cache.
pub fn cache() -> Result<Cache, confine_cache::Error> {
    Cache::open(&confine_cache::user_folder()?, confine_cache::DEFAULT_LIMIT)
}

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
    match arguments.stats {
        Some(StatisticsFormat::Text) => show::lines(&statistics)
            .iter()
            .for_each(|line| terminal::note(line)),
        Some(StatisticsFormat::Json) => terminal::plain(&show::json(&statistics)?),
        None => (),
    }
    Ok(report)
}

fn analyse(arguments: &AnalysisArguments, bar: &Bar) -> anyhow::Result<(Report, Vec<String>, Statistics)> {
    let open = OpenOptions {
        platform: arguments.platform.clone(),
        progress: Some(bar.opening()),
    };
    let mut statistics = Statistics::begin();
    let image = statistics.time("open the image", || confine_image::open(&arguments.image, &open))?;
    let config = overrides::configuration(&image, arguments)?;
    let mut problems = image.problems.clone();
    let cache = match arguments.no_cache {
        true => None,
        false => match cache() {
            Ok(cache) => Some(cache),
            Err(error) => {
                problems.push(format!("nothing is kept for the next time: {error}"));
                None
            }
        },
    };
    let options = Options {
        also: arguments.also.clone(),
        runtime: match arguments.program {
            Some(_) => Runtime::None,
            None => arguments.runtime.into(),
        },
        program: arguments.program.clone(),
        address_taken: arguments.address_taken,
        arguments: arguments.args.into(),
        cache,
        compare: arguments.stats.is_some(),
    };
    let report = pipeline::analyse(&image, &config, &options, bar, &mut statistics)?;
    Ok((report, problems, statistics))
}
