//! Seen against said, at scale: some hundred executables of Debian run under strace in a container of their own, and
//! whatever each is seen to call must be among the calls that confine says it can make. A miss is a bug of the
//! analysis and no entry for a list.
//!
//! What runs is data: tests/corpus/packages.txt is installed, every executable is run with `--version` and `--help`,
//! and tests/corpus/jobs.txt holds small real jobs. With `--sample` nothing runs: the calls of so many executables,
//! picked by a seed, are counted.

mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use confine_assumption::Effect;
use confine_engine::{Docker, Interrupt, Invocation, strace};
use confine_image::{Files, OpenOptions};
use confine_report::{Call, Report};
use sha2::{Digest, Sha256};

use crate::images::{build, build_confine};
use table::Row;

/// What to run.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The Debian release whose executables run
    #[arg(long, default_value = "bookworm")]
    suite: String,
    /// How many jobs run at the same time
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: u8,
    /// Run nothing: count the calls of so many executables
    #[arg(long, value_name = "COUNT")]
    sample: Option<usize>,
    /// What picks the sample
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the table to docs/corpus.md
    #[arg(long, conflicts_with = "sample")]
    write: bool,
}

/// Folders with executables.
const FOLDERS: [&str; 2] = ["/usr/bin", "/usr/sbin"];

/// How many programs one run of confine analyses: all at once would keep every object of the corpus in memory.
const AT_ONCE: usize = 24;

/// Calls that the kernel makes a program make: a policy has them from its base set.
const BY_THE_KERNEL: [&str; 1] = ["restart_syscall"];

/// What each program was seen to call.
type Seen = BTreeMap<String, strace::Calls>;

/// What confine says that one program calls.
struct Said {
    /// The calls that a policy for it allows.
    names: BTreeSet<String>,
    /// Those that it can reach; none if a policy for it is wider, as it is where a number stays open.
    calls: Vec<Call>,
}

/// The whole run; whether nothing was seen that confine does not say.
pub fn run(root: &Path, options: &Options) -> anyhow::Result<bool> {
    let interrupt = Interrupt::default();
    let raised = interrupt.clone();
    ctrlc::set_handler(move || raised.raise()).context("cannot handle interrupts")?;
    let docker = Docker::new(&interrupt);
    docker
        .version()
        .context("no Docker engine answers; run scripts/setup first")?;
    let confine = build_confine(root, &interrupt)?;

    let reference = format!("confine-test/corpus:{}", options.suite);
    let recipe = root.join("tests/corpus");
    build::image(
        &docker,
        &interrupt,
        &root.join("tests/images"),
        &options.suite,
        &recipe,
        &reference,
    )?;
    let output = root.join("target/corpus").join(&options.suite);
    build::unpacked(&docker, &reference, &output, || Ok(()))?;
    let rootfs = output.join("rootfs");
    let image = confine_image::open(&format!("dir:{}", rootfs.display()), &OpenOptions::default())?;
    let files = &*image.files;
    let executables = executables(files);

    if let Some(count) = options.sample {
        let chosen = sample(&executables, count, options.seed);
        let said = said(&confine, &interrupt, &rootfs, &output, &chosen)?;
        println!("{}", table::sample(&said, options.seed));
        return Ok(true);
    }
    let jobs = jobs(&executables, &std::fs::read_to_string(recipe.join("jobs.txt"))?);
    let seen = seen(
        &interrupt,
        &recipe,
        &reference,
        &output,
        &jobs,
        options.jobs,
        files,
    )?;
    let ran: Vec<String> = seen
        .keys()
        .filter(|path| executables.contains(path))
        .cloned()
        .collect();
    let said = said(&confine, &interrupt, &rootfs, &output, &ran)?;
    let rows: Vec<Row> = ran
        .iter()
        .filter_map(|path| Some(Row::new(path, seen.get(path)?, said.get(path)?, &BY_THE_KERNEL)))
        .collect();
    let text = table::render(&rows, jobs.len());
    println!("{text}");
    if options.write {
        let path = root.join("docs/corpus.md");
        let page = format!("{}\n{text}", include_str!("corpus/page.md"));
        std::fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
    }
    ensure!(rows.len() > 100, "only {} executables could be run", rows.len());
    Ok(rows.iter().all(|row| row.missing.is_empty()))
}

/// The ELF executables of a root file system, by canonical path.
fn executables(files: &dyn Files) -> Vec<String> {
    let paths = FOLDERS.iter().flat_map(|folder| {
        let names = files.list(folder).into_iter();
        names.map(move |name| format!("{folder}/{name}"))
    });
    let canonical: BTreeSet<String> = paths
        .filter_map(|path| files.resolve(&path))
        .map(|found| found.path)
        .collect();
    let is_elf = |path: &String| files.read(path).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF"));
    canonical.into_iter().filter(is_elf).collect()
}

/// So many executables, the same ones for the same seed.
fn sample(executables: &[String], count: usize, seed: u64) -> Vec<String> {
    let mut order: Vec<_> = executables
        .iter()
        .map(|path| (Sha256::digest(format!("{seed} {path}")).to_vec(), path.clone()))
        .collect();
    order.sort();
    let mut chosen: Vec<String> = order.into_iter().take(count).map(|(_, path)| path).collect();
    chosen.sort();
    chosen
}

/// Every command line that is run.
fn jobs(executables: &[String], text: &str) -> Vec<String> {
    let usual = executables
        .iter()
        .flat_map(|path| ["--version", "--help"].map(|flag| format!("{path} {flag}")));
    let own = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    usual.chain(own.map(str::to_owned)).collect()
}

/// What each program was seen to call.
fn seen(
    interrupt: &Interrupt,
    recipe: &Path,
    reference: &str,
    output: &Path,
    jobs: &[String],
    parallel: u8,
    files: &dyn Files,
) -> anyhow::Result<Seen> {
    let folder = output.join("logs");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let lines = jobs
        .iter()
        .enumerate()
        .map(|(number, job)| format!("{number}\t{job}\n"));
    std::fs::write(folder.join("jobs"), lines.collect::<String>())?;
    eprintln!("running {} jobs", jobs.len());
    Invocation::new("docker")
        .args([
            "run",
            "--rm",
            "--init",
            "--network",
            "none",
            "--cap-add",
            "SYS_PTRACE",
        ])
        .args(["--security-opt", "seccomp=unconfined"])
        .arg("--volume")
        .arg(format!("{}:/corpus", folder.display()))
        .arg("--volume")
        .arg(format!("{}:/run-jobs:ro", recipe.join("run-jobs").display()))
        .args([reference, "/run-jobs", "/corpus"])
        .arg(parallel.to_string())
        .limit(Duration::from_secs(3600))
        .interrupt(interrupt)
        .output()?;
    let resolve = |path: &str| {
        files
            .resolve(path)
            .map_or_else(|| path.to_owned(), |found| found.path)
    };
    let mut all = Seen::new();
    for number in 0..jobs.len() {
        let log = std::fs::read(folder.join(format!("{number}.strace"))).unwrap_or_default();
        for (program, calls) in strace::calls_by_program(&String::from_utf8_lossy(&log), resolve) {
            let known = all.entry(program).or_default();
            for (call, values) in calls {
                known.entry(call).or_default().extend(values);
            }
        }
    }
    Ok(all)
}

/// What confine says that each of these programs calls.
fn said(
    confine: &Path,
    interrupt: &Interrupt,
    rootfs: &Path,
    output: &Path,
    programs: &[String],
) -> anyhow::Result<BTreeMap<String, Said>> {
    let path: PathBuf = output.join("report.json");
    let mut all = BTreeMap::new();
    for (index, some) in programs.chunks(AT_ONCE).enumerate() {
        eprintln!(
            "analysing {} to {} of {}",
            index * AT_ONCE + 1,
            index * AT_ONCE + some.len(),
            programs.len()
        );
        let mut analysis = Invocation::new(confine)
            .args(["profile", "--quiet", "--output", "/dev/null", "--report"])
            .arg(&path)
            .args(["--entrypoint", ""]);
        for program in some {
            analysis = analysis.args(["--also", program]);
        }
        let analysis = analysis.arg(format!("dir:{}", rootfs.display()));
        analysis
            .limit(Duration::from_secs(1800))
            .interrupt(interrupt)
            .output()?;
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let report = Report::from_json(&text)?;
        for program in report
            .programs
            .iter()
            .filter(|program| some.contains(&program.path))
        {
            let mut said = Said {
                names: program.calls.iter().map(|call| call.name.clone()).collect(),
                calls: program.calls.clone(),
            };
            // Where a number stayed open, the policy has all that the engine's default allows.
            let mut assumptions = program.assumptions.iter();
            if assumptions.any(|assumption| assumption.effect == Effect::WidenedToDefault) {
                let widened = report.widened.iter().map(|widened| widened.name.clone());
                said.names.extend(widened);
                said.calls.clear();
            }
            all.insert(program.path.clone(), said);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
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
    fn a_sample_depends_on_its_seed_alone() {
        let executables: Vec<String> = (0..100).map(|number| format!("/usr/bin/{number}")).collect();
        let first = sample(&executables, 10, 1);
        assert_eq!(first.len(), 10);
        assert_eq!(first, sample(&executables, 10, 1));
        assert_ne!(first, sample(&executables, 10, 2));
        assert_eq!(sample(&executables, 1000, 1).len(), 100);
    }
}
