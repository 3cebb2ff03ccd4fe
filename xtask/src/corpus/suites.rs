//! The test suites of source packages, run against the binaries that Debian installs: the same check as that of the
//! corpus' own jobs, with what the authors of those programs thought worth testing.
//!
//! A suite is a folder of tests/corpus/suites: `suite.toml` names the source package, what else its tests need and how
//! long they may take; `prepare`, where there is one, builds what the tests need beside the program itself, in the
//! image; `run` runs the tests in the source's folder and prints `pass NAME`, `fail NAME` or `skip NAME` for each.
//! Whether a test passes is told and decides nothing: under strace, in a container, some cannot.

mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use confine_engine::{Invocation, strace};
use serde::{Deserialize, Serialize};

use super::seen::{self, Seen};
use super::{BY_THE_KERNEL, Corpus, table::Row};
use crate::images::build;

/// Where the results of a suite's tests are kept, beside what its programs were seen to call.
const KEPT_RESULTS: &str = "results.json";

/// What is to be known of a suite before it runs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recipe {
    /// The source package.
    source: String,
    /// Debian packages that its tests need beside those of the corpus.
    #[serde(default)]
    packages: Vec<String>,
    /// Who runs the tests, where that is not root.
    user: Option<String>,
    /// How long they may take under strace; what is not done then is left out.
    minutes: u8,
}

/// A suite by its name.
#[derive(Debug, PartialEq, Eq)]
struct Suite {
    name: String,
    folder: PathBuf,
    recipe: Recipe,
}

/// What the tests of a suite came to.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Results {
    passed: usize,
    failed: usize,
    skipped: usize,
    /// From the first to the last.
    seconds: u64,
}

impl Results {
    /// Counts the lines that a suite printed.
    fn read(text: &str, seconds: u64) -> Self {
        let count = |word: &str| {
            let lines = text.lines();
            lines.filter(|line| line.split(' ').next() == Some(word)).count()
        };
        Self {
            passed: count("pass"),
            failed: count("fail"),
            skipped: count("skip"),
            seconds,
        }
    }
}

/// One suite's results, and its executables against what confine says.
struct Outcome {
    name: String,
    results: Results,
    rows: Vec<Row>,
}

/// Runs suites; whether nothing was seen that confine does not say.
pub fn run(root: &Path, corpus: &Corpus, names: &[String], write: bool) -> anyhow::Result<bool> {
    let suites = suites(&corpus.recipe.join("suites"), names)?;
    let (named, others): (Vec<Suite>, Vec<Suite>) = suites
        .into_iter()
        .partition(|suite| names.is_empty() || names.contains(&suite.name));
    for suite in &named {
        build(corpus, suite)?;
    }
    let mut ran = Vec::new();
    for suite in named {
        let shown = observe(corpus, &suite)?;
        ran.push((suite, shown));
    }
    // A page is about all of them: those that are not named are as their last run left them.
    if write {
        for suite in others {
            let shown = last(corpus, &suite)?;
            ran.push((suite, shown));
        }
        ran.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
    }
    let executables: BTreeSet<String> = ran
        .iter()
        .flat_map(|(_, (_, seen))| seen.keys())
        .filter(|path| corpus.is_elf(path) && !is_loader(path))
        .cloned()
        .collect();
    let executables: Vec<String> = executables.into_iter().collect();
    let said = corpus.analysis().said(&executables)?;
    let outcomes: Vec<Outcome> = ran
        .into_iter()
        .map(|(suite, (results, seen))| Outcome {
            name: suite.name,
            results,
            rows: seen
                .iter()
                .filter_map(|(path, calls)| Some(Row::new(path, calls, said.get(path)?, &BY_THE_KERNEL)))
                .collect(),
        })
        .collect();
    let text = table::render(&outcomes);
    println!("{text}");
    if write {
        crate::write_page(root, "corpus-tests.md", include_str!("suites/page.md"), &text)?;
    }
    let idle = outcomes.iter().find(|outcome| outcome.rows.is_empty());
    if let Some(outcome) = idle {
        bail!("the suite {} ran nothing", outcome.name);
    }
    let mut rows = outcomes.iter().flat_map(|outcome| &outcome.rows);
    Ok(rows.all(|row| row.missing.is_empty()))
}

/// A loader that is executed runs the program that it is given, which is not seen.
fn is_loader(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.contains(".so"))
}

/// The suites of a folder, and an error if a name is none of them.
fn suites(folder: &Path, names: &[String]) -> anyhow::Result<Vec<Suite>> {
    let mut suites = BTreeMap::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let folder = entry?.path();
        let path = folder.join("suite.toml");
        let (true, Some(name)) = (path.is_file(), folder.file_name().and_then(|name| name.to_str())) else {
            continue;
        };
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let recipe = toml::from_str(&text).with_context(|| format!("malformed {}", path.display()))?;
        let name = name.to_owned();
        suites.insert(name.clone(), Suite { name, folder, recipe });
    }
    if let Some(unknown) = names.iter().find(|name| !suites.contains_key(*name)) {
        let known: Vec<&str> = suites.keys().map(String::as_str).collect();
        bail!("no suite is called `{unknown}`; there are {}", known.join(", "));
    }
    Ok(suites.into_values().collect())
}

fn reference(suite: &Suite) -> String {
    format!("confine-test/corpus-tests:{}", suite.name)
}

/// The image of the corpus with the suite's sources and what its tests need.
fn build(corpus: &Corpus, suite: &Suite) -> anyhow::Result<()> {
    let context = kept(corpus, suite)?.join("context");
    let _ = std::fs::remove_dir_all(&context);
    std::fs::create_dir_all(&context).with_context(|| format!("cannot create {}", context.display()))?;
    let copy = |from: PathBuf| -> anyhow::Result<()> {
        let name = from.file_name().unwrap_or_default();
        let copied = std::fs::copy(&from, context.join(name));
        copied
            .map(|_| ())
            .with_context(|| format!("cannot copy {}", from.display()))
    };
    let suites = corpus.recipe.join("suites");
    copy(suites.join("Dockerfile"))?;
    copy(suites.join("fetch"))?;
    let prepare = suite.folder.join("prepare");
    if prepare.is_file() {
        copy(prepare)?;
    } else {
        std::fs::write(context.join("prepare"), "")?;
    }
    let packages = suite.recipe.packages.join(" ");
    let more = [
        ("SOURCE", suite.recipe.source.as_str()),
        ("PACKAGES", &packages),
        ("OWNER", suite.recipe.user.as_deref().unwrap_or("root")),
    ];
    build::derived(
        &corpus.docker,
        corpus.reference.clone(),
        &context,
        &reference(suite),
        &more,
    )
    .with_context(|| format!("the suite {}", suite.name))
}

/// Where what is kept of a suite lies.
fn kept(corpus: &Corpus, suite: &Suite) -> anyhow::Result<PathBuf> {
    let folder = corpus.output.join(seen::KEPT_SUITES).join(&suite.name);
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

/// Runs a suite under strace; what its tests came to, and what its programs were seen to call.
fn observe(corpus: &Corpus, suite: &Suite) -> anyhow::Result<(Results, Seen)> {
    eprintln!(
        "running the tests of {}, at most {} minutes",
        suite.name, suite.recipe.minutes
    );
    let folder = kept(corpus, suite)?;
    let shared = folder.join("shared");
    let _ = std::fs::remove_dir_all(&shared);
    std::fs::create_dir_all(&shared).with_context(|| format!("cannot create {}", shared.display()))?;
    // Logs of whole suites would fill a disk: they are read while they are written.
    let log = shared.join("log");
    Invocation::new("mkfifo").arg(&log).output()?;
    let suites = corpus.recipe.join("suites");
    let seconds = u64::from(suite.recipe.minutes) * 60;
    let started = Instant::now();
    let container = seen::traced(&shared, &suites.join("run-suite"))
        .arg("--volume")
        .arg(format!("{}:/suites:ro", suites.display()))
        .args([&reference(suite), "/corpus-run", &suite.name])
        .arg(seconds.to_string())
        .arg(suite.recipe.user.as_deref().unwrap_or("root"))
        .limit(Duration::from_secs(seconds + 120))
        .interrupt(&corpus.interrupt);
    let (finished, seen) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| read(&log, |path| corpus.resolve(path)));
        let finished = container.output();
        // The reader waits for a writer: where the container never came to be one, this is it.
        let writer = OpenOptions::new().read(true).write(true).open(&log);
        drop(writer);
        let seen = reader.join();
        (finished, seen)
    });
    finished.with_context(|| format!("the suite {}", suite.name))?;
    let Ok(seen) = seen else {
        bail!("the log of the suite {} could not be followed", suite.name);
    };
    let seen = seen?;
    let text = std::fs::read(shared.join("results")).unwrap_or_default();
    let results = Results::read(&String::from_utf8_lossy(&text), started.elapsed().as_secs());
    seen::save(&folder.join(seen::KEPT), &seen)?;
    let path = folder.join(KEPT_RESULTS);
    std::fs::write(&path, serde_json::to_string(&results)?)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok((results, seen))
}

/// What the last run of a suite left.
fn last(corpus: &Corpus, suite: &Suite) -> anyhow::Result<(Results, Seen)> {
    let folder = kept(corpus, suite)?;
    let path = folder.join(KEPT_RESULTS);
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!(
            "the suite {} has not run yet: there is no {}",
            suite.name,
            path.display()
        )
    })?;
    let results = serde_json::from_str(&text).with_context(|| format!("malformed {}", path.display()))?;
    Ok((results, seen::load(&folder.join(seen::KEPT))?))
}

/// Reads a log while it is written, and leaves the first line for each program and call beside it.
fn read(path: &Path, resolve: impl Fn(&str) -> String) -> anyhow::Result<Seen> {
    let unreadable = || format!("cannot read {}", path.display());
    let mut reader = BufReader::new(File::open(path).with_context(unreadable)?);
    let mut log = strace::Log::new(resolve);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).with_context(unreadable)? == 0 {
            // The log is gone: of what turns out to be a miss, this is what remains to be looked at.
            let examples = path.with_file_name("examples.json");
            std::fs::write(&examples, serde_json::to_string_pretty(&log.examples())?)
                .with_context(|| format!("cannot write {}", examples.display()))?;
            return Ok(log.finish());
        }
        log.line(String::from_utf8_lossy(&line).trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_is_well_formed_and_an_unknown_one_is_told() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus/suites");
        let all = suites(&folder, &[]).unwrap();
        assert!(all.len() >= 8, "{all:?}");
        for suite in &all {
            assert!(suite.folder.join("run").is_file(), "{}", suite.name);
        }
        let unknown = suites(&folder, &["nothing".to_owned()]).unwrap_err();
        assert!(unknown.to_string().contains("there are"), "{unknown}");
    }

    #[test]
    fn results_are_the_first_words_of_lines() {
        let results = Results::read("pass one\nfail two three\nskip\nnoise pass\npass\n", 7);
        let expected = Results {
            passed: 2,
            failed: 1,
            skipped: 1,
            seconds: 7,
        };
        assert_eq!(results, expected);
    }

    #[test]
    fn a_log_is_read_while_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        Invocation::new("mkfifo").arg(&path).output().unwrap();
        let seen = std::thread::scope(|scope| {
            let reader = scope.spawn(|| read(&path, str::to_owned));
            std::fs::write(&path, "1 execve(\"/bin/x\", [\"x\"], 0x1) = 0\n1 getpid() = 1\n").unwrap();
            reader.join().unwrap().unwrap()
        });
        assert!(seen["/bin/x"].contains_key("getpid"), "{seen:?}");
    }
}
