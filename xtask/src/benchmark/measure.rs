//! Runs confine as a user would and reads the statistics that it shows.

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
    /// Without a cache: the fastest run, with the fastest pass over the code, and over each object, of all.
    pub cold: Stats,
    /// The line that the fastest run wrote.
    pub line: String,
    /// With a new cache, which is filled.
    pub filling: Stats,
    /// With the filled cache: the fastest run.
    pub warm: Stats,
    /// With the filled cache and another environment in the configuration: the fastest run.
    pub changed: Stats,
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

/// What confine has from earlier runs.
#[derive(Debug, Clone, Copy)]
enum With {
    Nothing,
    Cache,
    /// A cache, but not for this configuration.
    CacheOfAnother(u8),
}

/// Measures one case.
pub fn measure(confine: &Path, interrupt: &Interrupt, case: &Case, runs: u8) -> anyhow::Result<Row> {
    let cache = tempfile::tempdir().context("cannot create a folder for a cache")?;
    let run = |with: With| {
        let invocation = case.invocation(confine, interrupt).arg("--stats=json");
        let invocation = match with {
            With::Nothing => invocation.arg("--no-cache"),
            With::Cache => invocation.env("XDG_CACHE_HOME", cache.path()),
            With::CacheOfAnother(run) => invocation
                .env("XDG_CACHE_HOME", cache.path())
                .args(["--env", &format!("NOBODY_ASKS={run}")]),
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
    run(With::Nothing)?;
    let all = |with: fn(u8) -> With| -> anyhow::Result<Vec<(String, Stats)>> {
        (0..runs).map(|turn| run(with(turn))).collect()
    };
    let cold = all(|_| With::Nothing)?;
    let (_, filling) = run(With::Cache)?;
    let warm = all(|_| With::Cache)?;
    // Each of these is kept, too, and must not find the one before.
    let changed = all(With::CacheOfAnother)?;
    let peak = |runs: &[(String, Stats)]| runs.iter().filter_map(|(_, stats)| stats.peak_memory_kib).max();
    let (peak_cold, peak_warm) = (peak(&cold), peak(&warm));
    let (line, cold) = fastest(cold).context("nothing was run")?;
    let (_, warm) = fastest(warm).context("nothing was run")?;
    let (_, changed) = fastest(changed).context("nothing was run")?;
    Ok(Row {
        name: case.name.clone(),
        cold,
        line,
        filling,
        warm,
        changed,
        peak_cold,
        peak_warm,
    })
}

/// The fastest run, with the least time of all for decoding and for each object.
///
/// Decoding takes so short that another process which is let in meanwhile doubles it. The run with the smallest ratio
/// would be the one in which that happened.
fn fastest(runs: Vec<(String, Stats)>) -> Option<(String, Stats)> {
    let mut all = runs.into_iter();
    let (mut line, mut fastest) = all.next()?;
    for (other_line, mut other) in all {
        if other.total_milliseconds < fastest.total_milliseconds {
            std::mem::swap(&mut fastest, &mut other);
            line = other_line;
        }
        if let (Some(once), Some(other)) = (&mut fastest.decode_once, &other.decode_once) {
            once.milliseconds = once.milliseconds.min(other.milliseconds);
        }
        // Every run has the same objects in the same order.
        for (object, other) in fastest.objects.iter_mut().zip(&other.objects) {
            object.decode_once_milliseconds = object
                .decode_once_milliseconds
                .min(other.decode_once_milliseconds);
            let facts = object.facts_milliseconds.zip(other.facts_milliseconds);
            object.facts_milliseconds = facts.map(|(one, other)| one.min(other));
        }
    }
    Some((line, fastest))
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
        assert_eq!(stats.decode_once, Some(DecodeOnce { milliseconds: 2.0 }));
        assert_eq!(stats.objects[0].code_bytes, 7);
        for bad in ["", "confine: 3 objects", "{}", "{\"threads\":"] {
            assert!(super::stats(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_fastest_run_counts_with_the_fastest_pass_of_all() {
        let run = |total: f64, once: f64, facts: f64| {
            let object = ObjectStats {
                decode_once_milliseconds: once,
                facts_milliseconds: Some(facts),
                ..ObjectStats::default()
            };
            let stats = Stats {
                total_milliseconds: total,
                decode_once: Some(DecodeOnce { milliseconds: once }),
                objects: vec![object],
                ..Stats::default()
            };
            (total.to_string(), stats)
        };
        let (_, expected) = run(7.0, 1.5, 3.0);
        let runs = vec![run(9.0, 2.0, 3.0), run(7.0, 4.0, 5.0), run(8.0, 1.5, 4.0)];
        assert_eq!(fastest(runs), Some(("7".to_owned(), expected)));
        assert_eq!(fastest(Vec::new()), None);
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
