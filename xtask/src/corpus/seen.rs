//! What programs were seen to call: jobs that run under strace in a container, and what they showed, kept in files.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use confine_engine::{Invocation, strace};

use super::Corpus;

/// What each program was seen to call.
pub type Seen = BTreeMap<String, strace::Calls>;

/// Where the corpus' own jobs leave what they showed, below the corpus' folder.
pub const KEPT: &str = "seen.json";

/// Where each source package's tests leave it.
pub const KEPT_SUITES: &str = "tests";

/// Every command line that is run.
pub fn jobs(executables: &[String], text: &str) -> Vec<String> {
    let usual = executables
        .iter()
        .flat_map(|path| ["--version", "--help"].map(|flag| format!("{path} {flag}")));
    let own = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    usual.chain(own.map(str::to_owned)).collect()
}

/// Runs jobs, and keeps what they showed.
pub fn run(corpus: &Corpus, jobs: &[String], parallel: u8) -> anyhow::Result<Seen> {
    let folder = corpus.output.join("logs");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let lines = jobs
        .iter()
        .enumerate()
        .map(|(number, job)| format!("{number}\t{job}\n"));
    std::fs::write(folder.join("jobs"), lines.collect::<String>())?;
    eprintln!("running {} jobs", jobs.len());
    let script = corpus.recipe.join("run-jobs");
    traced(&folder, &script)
        .args([&corpus.reference, "/corpus-run", "/corpus"])
        .arg(parallel.to_string())
        .limit(Duration::from_secs(3600))
        .interrupt(&corpus.interrupt)
        .output()?;
    let mut all = Seen::new();
    for number in 0..jobs.len() {
        let log = std::fs::read(folder.join(format!("{number}.strace"))).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        merge(
            &mut all,
            strace::calls_by_program(&log, |path| corpus.resolve(path)),
        );
    }
    save(&corpus.output.join(KEPT), &all)?;
    Ok(all)
}

/// `docker run` of a container whose programs may be traced, with a folder at /corpus and a script at /corpus-run.
pub fn traced(folder: &Path, script: &Path) -> Invocation {
    Invocation::new("docker")
        .args(["run", "--rm", "--init", "--network", "none"])
        .args(["--cap-add", "SYS_PTRACE", "--security-opt", "seccomp=unconfined"])
        .arg("--volume")
        .arg(format!("{}:/corpus", folder.display()))
        .arg("--volume")
        .arg(format!("{}:/corpus-run:ro", script.display()))
}

/// Adds what else was seen.
pub fn merge(all: &mut Seen, more: Seen) {
    for (program, calls) in more {
        let known = all.entry(program).or_default();
        for (call, values) in calls {
            known.entry(call).or_default().extend(values);
        }
    }
}

/// Keeps what was seen.
pub fn save(path: &Path, seen: &Seen) -> anyhow::Result<()> {
    std::fs::write(path, serde_json::to_string(seen)?)
        .with_context(|| format!("cannot write {}", path.display()))
}

/// All that earlier runs have seen: jobs, and tests of source packages.
pub fn kept(output: &Path) -> anyhow::Result<Seen> {
    let own = output.join(KEPT);
    anyhow::ensure!(
        own.is_file(),
        "there is no {}; run `cargo xtask corpus` first",
        own.display()
    );
    let mut all = load(&own)?;
    let suites = std::fs::read_dir(output.join(KEPT_SUITES)).into_iter().flatten();
    for suite in suites.filter_map(Result::ok) {
        let path = suite.path().join(KEPT);
        if path.is_file() {
            merge(&mut all, load(&path)?);
        }
    }
    Ok(all)
}

/// What was kept.
pub fn load(path: &Path) -> anyhow::Result<Seen> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("malformed {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn jobs_are_the_usual_ones_and_the_lines_of_the_file() {
        let executables = ["/usr/bin/ls".to_owned()];
        let jobs = jobs(&executables, "# small\n\nls -l; cat x\n");
        assert_eq!(
            jobs,
            ["/usr/bin/ls --version", "/usr/bin/ls --help", "ls -l; cat x"]
        );
    }

    #[test]
    fn what_runs_have_seen_is_kept_and_added_up() {
        let folder = tempfile::tempdir().unwrap();
        let seen = |call: &str, value: u64| -> Seen {
            let calls = [(call.to_owned(), BTreeSet::from([vec![(1, value)]]))];
            [("/usr/bin/ls".to_owned(), calls.into())].into()
        };
        let suite = folder.path().join(KEPT_SUITES).join("coreutils");
        std::fs::create_dir_all(&suite).unwrap();
        save(&folder.path().join(KEPT), &seen("ioctl", 1)).unwrap();
        save(&suite.join(KEPT), &seen("ioctl", 2)).unwrap();
        let all = kept(folder.path()).unwrap();
        assert_eq!(all["/usr/bin/ls"]["ioctl"].len(), 2);
    }
}
