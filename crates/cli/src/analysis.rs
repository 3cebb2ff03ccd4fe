//! What every analysing command begins with: open the image, settle its configuration, analyse.

use std::sync::Arc;

use confine_cache::{Cache, Key, KeyBuilder};
use confine_image::{Image, Memory, OpenOptions};
use confine_kernel::Runtime;
use confine_report::Report;

use crate::arguments::{AnalysisArguments, RestrictedArguments, RuntimeName, StatisticsFormat};
use crate::options::{AddressTaken, Exec, Options};
use crate::progress::Bar;
use crate::statistics::{Statistics, show};
use crate::{overrides, pipeline, summary, terminal};

/// The user's cache.
pub fn cache() -> Result<Cache, confine_cache::Error> {
    Cache::open(&confine_cache::user_folder()?, confine_cache::DEFAULT_LIMIT)
}

/// The cache as the memory of which layers were verified: an entry that is there says so, whatever it holds.
struct Verified(Cache);

impl Verified {
    fn key(statement: &str) -> Key {
        let mut key = KeyBuilder::new("verified");
        key.add(statement.as_bytes());
        key.finish()
    }
}

impl Memory for Verified {
    fn recalls(&self, statement: &str) -> bool {
        self.0.get(&Self::key(statement)).is_some()
    }

    fn remember(&self, statement: &str) {
        // What cannot be kept is verified again.
        let _ = self.0.put(&Self::key(statement), &[]);
    }
}

/// Analyses what the arguments name and says what they ask for about it. Where the image is the user's, what a project
/// remembers of it is in them already ([`crate::remembered`]).
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
    let mut problems = Vec::new();
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
    let open = OpenOptions {
        platform: arguments.platform.clone(),
        progress: Some(bar.opening()),
        verified: cache
            .clone()
            .map(|cache| Arc::new(Verified(cache)) as Arc<dyn Memory>),
    };
    let mut statistics = Statistics::begin();
    let image = statistics.time("open the image", || confine_image::open(&arguments.image, &open))?;
    let config = overrides::configuration(&image, arguments)?;
    problems.extend(image.problems.iter().cloned());
    let options = Options {
        also: arguments.also.clone(),
        exec: arguments.exec.unwrap_or(Exec::Found),
        runtime: match arguments.program {
            Some(_) => Runtime::None,
            None => arguments.runtime.unwrap_or(RuntimeName::Any).into(),
        },
        program: arguments.program.clone(),
        address_taken: arguments.address_taken.unwrap_or(AddressTaken::Reached),
        arguments: arguments.args.unwrap_or(RestrictedArguments::Safe).into(),
        cache,
        compare: arguments.stats.is_some(),
    };
    let report = pipeline::report(&image, &config, &options, bar, &mut statistics)?;
    Ok((image, report, problems, statistics))
}
