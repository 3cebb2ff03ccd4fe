//! What every analysing command begins with: open the image, settle its configuration, analyse.

use confine_cache::Cache;
use confine_image::{Image, OpenOptions};
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
    run_on_image(arguments).map(|(_, report)| report)
}

/// As [`run`], with the image.
pub fn run_on_image(arguments: &AnalysisArguments) -> anyhow::Result<(Image, Report)> {
    let bar = Bar::new(arguments.quiet);
    let result = analyse(arguments, &bar);
    bar.clear();
    let (image, report, problems, statistics) = result?;
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
    Ok((image, report))
}

/// What an analysis comes to: the image, the report, what was odd, where the time went.
type Analysed = (Image, Report, Vec<String>, Statistics);

fn analyse(arguments: &AnalysisArguments, bar: &Bar) -> anyhow::Result<Analysed> {
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
    Ok((image, report, problems, statistics))
}
