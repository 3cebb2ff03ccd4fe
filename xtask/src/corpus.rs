//! Seen against said, at scale: some hundred executables of Debian run under strace in a container of their own, and
//! whatever each is seen to call must be among the calls that confine says it can make. A miss is a bug of the
//! analysis and no entry for a list.
//!
//! What runs is data: tests/corpus/packages.txt is installed, every executable is run with `--version` and `--help`,
//! and tests/corpus/jobs.txt holds small real jobs. With `--tests` the test suites of source packages run instead
//! (tests/corpus/suites). With `--sample` nothing runs: the calls of so many executables, picked by a seed, are
//! counted.

mod archive;
mod excess;
mod said;
mod seen;
mod suites;
mod table;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use confine_engine::{Docker, Interrupt};
use confine_image::{Files, OpenOptions};
use sha2::{Digest, Sha256};

pub use self::seen::traced;
use crate::images::build;
use said::Analysis;
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
    /// Run the test suites of source packages instead; all of tests/corpus/suites when none is named
    #[arg(long, value_name = "NAME", num_args = 0.., conflicts_with_all = ["sample", "jobs"])]
    tests: Option<Vec<String>>,
    /// Run nothing: print what is said of these programs and was never seen, and why; all that ever ran, summed up,
    /// when none is named
    #[arg(long, value_name = "PROGRAM", num_args = 0.., conflicts_with_all = ["sample", "tests"])]
    excess: Option<Vec<String>>,
    /// Run nothing: count the calls of so many executables
    #[arg(long, value_name = "COUNT")]
    sample: Option<usize>,
    /// Pick them from all of the release's archive, and not from the corpus' image
    #[arg(long, requires = "sample")]
    archive: bool,
    /// What picks the sample
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the table to its page in docs; a sample has one only with --archive. Suites that are not named are in
    /// it as their last run left them
    #[arg(long)]
    write: bool,
}

/// Folders with executables.
const FOLDERS: [&str; 2] = ["/usr/bin", "/usr/sbin"];

/// Calls that the kernel makes a program make: a policy has them from its base set.
const BY_THE_KERNEL: [&str; 1] = ["restart_syscall"];

/// The image with the corpus, its files, and what is needed to run and to analyse it.
struct Corpus {
    docker: Docker,
    interrupt: Interrupt,
    confine: PathBuf,
    /// tests/corpus.
    recipe: PathBuf,
    reference: String,
    /// Where what is kept lies.
    output: PathBuf,
    rootfs: PathBuf,
    files: Box<dyn Files>,
}

impl Corpus {
    fn prepare(root: &Path, release: &str) -> anyhow::Result<Self> {
        let interrupt = crate::interrupt()?;
        let docker = Docker::new(&interrupt);
        docker
            .version()
            .context("no Docker engine answers; run scripts/setup first")?;
        let confine = build::confine(root, &interrupt)?;
        let reference = format!("confine-test/corpus:{release}");
        let recipe = root.join("tests/corpus");
        let images = root.join("tests/images");
        build::image(&docker, &interrupt, &images, release, &recipe, &reference)?;
        let output = root.join("target/corpus").join(release);
        build::unpacked(&docker, &reference, &output, || Ok(()))?;
        let rootfs = output.join("rootfs");
        let image = confine_image::open(&format!("dir:{}", rootfs.display()), &OpenOptions::default())?;
        Ok(Self {
            docker,
            interrupt,
            confine,
            recipe,
            reference,
            output,
            rootfs,
            files: image.files,
        })
    }

    fn analysis(&self) -> Analysis<'_> {
        Analysis {
            confine: &self.confine,
            rootfs: &self.rootfs,
            output: &self.output,
            interrupt: &self.interrupt,
        }
    }

    /// What runs when a path is executed, links and scripts' first lines followed; the path itself if nothing is there.
    fn resolve(&self, path: &str) -> String {
        let mut path = path.to_owned();
        // An interpreter may be a script itself, as deep as the kernel follows.
        for _ in 0..5 {
            // What is relative depends on a folder that is not known.
            if !path.starts_with('/') {
                break;
            }
            let Some(found) = self.files.resolve(&path) else {
                break;
            };
            path = found.path;
            match self.files.read(&path).ok().and_then(|bytes| interpreter(&bytes)) {
                Some(next) => path = next,
                None => break,
            }
        }
        path
    }

    /// A program by its path or by its name in a usual folder.
    fn named(&self, name: &str) -> String {
        let paths = FOLDERS.iter().map(|folder| format!("{folder}/{name}"));
        let mut paths = std::iter::once(name.to_owned()).chain(paths);
        let found = paths.find_map(|path| self.files.resolve(&path));
        found.map_or_else(|| name.to_owned(), |found| found.path)
    }

    fn is_elf(&self, path: &str) -> bool {
        is_elf(&*self.files, path)
    }

    /// The ELF executables, by canonical path.
    fn executables(&self) -> Vec<String> {
        let paths = FOLDERS.iter().flat_map(|folder| {
            let names = self.files.list(folder).into_iter();
            names.map(move |name| format!("{folder}/{name}"))
        });
        let canonical: BTreeSet<String> = paths
            .filter_map(|path| self.files.resolve(&path))
            .map(|found| found.path)
            .collect();
        canonical.into_iter().filter(|path| self.is_elf(path)).collect()
    }
}

/// The whole run; whether nothing was seen that confine does not say.
pub fn run(root: &Path, options: &Options) -> anyhow::Result<bool> {
    if let (true, Some(count)) = (options.archive, options.sample) {
        return archive::run(root, &options.suite, count, options.seed, options.write);
    }
    ensure!(
        !options.write || options.sample.is_none(),
        "a sample of the corpus' image has no page: add --archive or leave out --write"
    );
    let corpus = Corpus::prepare(root, &options.suite)?;
    if let Some(names) = &options.tests {
        return suites::run(root, &corpus, names, options.write);
    }
    if let Some(names) = &options.excess {
        return excess::run(root, &corpus, names, options.write);
    }
    let executables = corpus.executables();
    if let Some(count) = options.sample {
        let chosen = sample(&executables, count, options.seed);
        let said = corpus.analysis().said(&chosen)?;
        println!("{}", table::sample(&said, options.seed));
        return Ok(true);
    }
    let text = std::fs::read_to_string(corpus.recipe.join("jobs.txt"))?;
    let jobs = seen::jobs(&executables, &text);
    let seen = seen::run(&corpus, &jobs, options.jobs)?;
    let ran: Vec<String> = seen
        .keys()
        .filter(|path| executables.contains(path))
        .cloned()
        .collect();
    let said = corpus.analysis().said(&ran)?;
    let rows: Vec<Row> = ran
        .iter()
        .filter_map(|path| Some(Row::new(path, seen.get(path)?, said.get(path)?, &BY_THE_KERNEL)))
        .collect();
    let text = table::render(&rows, jobs.len());
    println!("{text}");
    if options.write {
        crate::write_page(root, "corpus.md", include_str!("corpus/page.md"), &text)?;
    }
    ensure!(rows.len() > 100, "only {} executables could be run", rows.len());
    Ok(rows.iter().all(|row| row.missing.is_empty()))
}

fn is_elf(files: &dyn Files, path: &str) -> bool {
    let bytes = files.read(path);
    bytes.is_ok_and(|bytes| bytes.starts_with(b"\x7fELF"))
}

/// What the kernel runs for a script.
fn interpreter(bytes: &[u8]) -> Option<String> {
    let line = bytes.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    line.split_whitespace().next().map(str::to_owned)
}

/// So many executables, the same ones for the same seed, sorted.
fn sample(executables: &[String], count: usize, seed: u64) -> Vec<String> {
    let mut chosen = order(executables, seed);
    chosen.truncate(count);
    chosen.sort();
    chosen
}

/// All of them in an order that the seed decides.
fn order(executables: &[String], seed: u64) -> Vec<String> {
    let mut order: Vec<_> = executables
        .iter()
        .map(|path| (Sha256::digest(format!("{seed} {path}")).to_vec(), path.clone()))
        .collect();
    order.sort();
    order.into_iter().map(|(_, path)| path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_run_by_what_its_first_line_names() {
        for (text, expected) in [
            ("#!/bin/sh\necho", Some("/bin/sh")),
            ("#! /usr/bin/env python3\n", Some("/usr/bin/env")),
            ("#!/bin/sh", Some("/bin/sh")),
            ("#!\n/bin/sh", None),
            ("\x7fELF", None),
        ] {
            assert_eq!(interpreter(text.as_bytes()).as_deref(), expected, "{text:?}");
        }
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
