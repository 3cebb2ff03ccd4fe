//! Runs confine as a user would and reads the statistics that it shows.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use confine_engine::{Interrupt, Invocation};
use serde::Deserialize;

/// How long one run may take.
const LIMIT: Duration = Duration::from_secs(600);

/// What is analysed.
pub struct Case {
    /// What the tables call it.
    pub name: String,
    /// What follows `confine profile`.
    arguments: Vec<OsString>,
}

impl Case {
    /// An image's archive.
    pub fn of_archive(name: &str, archive: &Path) -> Self {
        Self {
            name: name.to_owned(),
            arguments: vec![prefixed("docker-archive:", archive)],
        }
    }

    /// One program of a root file system.
    pub fn of_program(folder: &Path, program: &str) -> Self {
        Self {
            name: program.to_owned(),
            arguments: vec![prefixed("dir:", folder), "--program".into(), program.into()],
        }
    }

    /// The invocation of confine, without anything that says how it is measured.
    pub fn invocation(&self, confine: &Path, interrupt: &Interrupt) -> Invocation {
        Invocation::new(confine)
            .args(self.flags())
            .limit(LIMIT)
            .interrupt(interrupt)
    }

    /// What confine is given.
    pub fn flags(&self) -> Vec<OsString> {
        let before = ["profile", "--quiet", "--output", "/dev/null"].map(OsString::from);
        before.into_iter().chain(self.arguments.iter().cloned()).collect()
    }
}

fn prefixed(prefix: &str, path: &Path) -> OsString {
    let mut text = OsString::from(prefix);
    text.push(path);
    text
}

/// What `confine --stats=json` says, as far as it is of interest here.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct Stats {
    /// From the beginning to the finished report.
    pub total_milliseconds: f64,
    /// Counts, by what is counted.
    pub counts: BTreeMap<String, u64>,
    /// How many threads there were.
    pub threads: usize,
    /// The largest resident set until the report was there.
    pub peak_memory_kib: Option<u64>,
    /// All code decoded once.
    pub decode_once: Option<DecodeOnce>,
    /// What each object costs.
    pub objects: Vec<ObjectStats>,
}

/// What decoding all code once costs.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct DecodeOnce {
    /// By the clock.
    pub milliseconds: f64,
    /// The total in terms of it.
    pub ratio: Option<f64>,
}

/// What one object costs.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct ObjectStats {
    /// Its path in the image.
    pub path: String,
    /// How much machine code it has.
    pub code_bytes: u64,
    /// Decoding that once, on one thread.
    pub decode_once_milliseconds: f64,
    /// Computing its facts; nothing where the cache had them.
    pub facts_milliseconds: Option<f64>,
}

/// What was measured of one case.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// What it is called.
    pub name: String,
    /// Without a cache: the run with the smallest ratio.
    pub cold: Stats,
    /// The line that it was read from.
    pub line: String,
    /// With a new cache, which is filled.
    pub filling: Stats,
    /// With the filled cache: the run with the smallest total.
    pub warm: Stats,
    /// The largest peak of the runs without a cache.
    pub peak_cold: Option<u64>,
    /// The largest peak of the runs with a filled cache.
    pub peak_warm: Option<u64>,
}

impl Row {
    /// Keeps everything that confine said about the run, every object included.
    pub fn keep(&self, folder: &Path) -> anyhow::Result<()> {
        let path: PathBuf = folder.join(format!("{}.json", self.name.trim_matches('/').replace('/', "-")));
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        std::fs::write(&path, format!("{}\n", self.line))
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Measures one case.
pub fn measure(confine: &Path, interrupt: &Interrupt, case: &Case, runs: u8) -> anyhow::Result<Row> {
    let cache = tempfile::tempdir().context("cannot create a folder for a cache")?;
    let run = |cached: bool| {
        let invocation = case.invocation(confine, interrupt).arg("--stats=json");
        let invocation = match cached {
            true => invocation.env("XDG_CACHE_HOME", cache.path()),
            false => invocation.arg("--no-cache"),
        };
        let finished = invocation.run()?;
        ensure!(
            finished.code == Some(0),
            "`{}` ended with {}: {}",
            invocation.line(),
            finished.outcome(),
            finished.stderr
        );
        stats(&finished.stderr).with_context(|| format!("`{}`", invocation.line()))
    };
    // The first run brings the files into memory, where all others find them.
    run(false)?;
    let cold: Vec<(String, Stats)> = (0..runs).map(|_| run(false)).collect::<Result<_, _>>()?;
    let (_, filling) = run(true)?;
    let warm: Vec<(String, Stats)> = (0..runs).map(|_| run(true)).collect::<Result<_, _>>()?;
    let peak = |runs: &[(String, Stats)]| runs.iter().filter_map(|(_, stats)| stats.peak_memory_kib).max();
    let (peak_cold, peak_warm) = (peak(&cold), peak(&warm));
    let ratio = |stats: &Stats| {
        stats
            .decode_once
            .as_ref()
            .and_then(|once| once.ratio)
            .unwrap_or(f64::MAX)
    };
    let (line, cold) = least(cold, ratio).context("nothing was run")?;
    let (_, warm) = least(warm, |stats| stats.total_milliseconds).context("nothing was run")?;
    Ok(Row {
        name: case.name.clone(),
        cold,
        line,
        filling,
        warm,
        peak_cold,
        peak_warm,
    })
}

/// The run of which `by` is least.
fn least(runs: Vec<(String, Stats)>, by: impl Fn(&Stats) -> f64) -> Option<(String, Stats)> {
    runs.into_iter()
        .min_by(|(_, one), (_, other)| by(one).total_cmp(&by(other)))
}

/// The statistics in what confine wrote to standard error, with their line.
fn stats(stderr: &str) -> anyhow::Result<(String, Stats)> {
    let line = stderr.lines().find(|line| line.starts_with('{'));
    let line = line.context("expected a line of JSON on standard error")?;
    let stats = serde_json::from_str(line).context("the statistics are not as expected")?;
    Ok((line.to_owned(), stats))
}

/// The machine's average load of the last minute, where the system tells it.
pub fn load() -> Option<String> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_the_line_of_json() {
        let line = concat!(
            r#"{"parts":[],"total_milliseconds":9.5,"counts":{"objects":2},"threads":2,"peak_memory_kib":null,"#,
            r#""decode_once":{"milliseconds":2.0,"instructions":3,"ratio":4.75},"objects":["#,
            r#"{"path":"/lib/x","code_bytes":7,"decode_once_milliseconds":0.5,"facts_milliseconds":null}]}"#,
        );
        let (kept, stats) = stats(&format!("confine: warning: odd\n{line}\n")).unwrap();
        assert_eq!(kept, line);
        assert_eq!(stats.decode_once.unwrap().ratio, Some(4.75));
        assert_eq!(stats.objects[0].code_bytes, 7);
        for bad in ["", "confine: 3 objects", "{}", "{\"threads\":"] {
            assert!(super::stats(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_least_run_counts() {
        let runs = [3.0, 1.0, 2.0].map(|total| {
            let stats = Stats {
                total_milliseconds: total,
                ..Stats::default()
            };
            (total.to_string(), stats)
        });
        let (line, _) = least(runs.to_vec(), |stats| stats.total_milliseconds).unwrap();
        assert_eq!(line, "1");
        assert!(least(Vec::new(), |stats| stats.total_milliseconds).is_none());
    }

    #[test]
    fn programs_and_archives_are_named_as_users_name_them() {
        let program = Case::of_program(Path::new("/srv"), "/usr/bin/true");
        let archive = Case::of_archive("nginx", Path::new("nginx.tar"));
        for (case, expected) in [
            (program, &["dir:/srv", "--program", "/usr/bin/true"][..]),
            (archive, &["docker-archive:nginx.tar"]),
        ] {
            assert_eq!(case.flags()[4..], *expected, "{}", case.name);
        }
    }
}
