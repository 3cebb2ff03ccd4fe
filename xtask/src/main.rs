//! The project's own chores, as `cargo xtask CHORE`: proving profiles on real engines (`images`), holding the analysis
//! against what some hundred real programs are seen to call (`corpus`), repeating the published evaluation
//! (`evaluation`), measuring what it costs (`benchmark`) and what its filters cost (`filters`), reading the names of
//! constants out of the kernel's headers (`constants`), compiling what counts in the kernel (`observer`), and keeping the tree as its style says (`tidy`).
//!
//! In: the working tree, for `images` and `corpus` a Docker engine, for `images` also runc and crun, for `benchmark`
//! the archives that `images` builds, or valgrind, for `constants` a C compiler and Debian's headers. Out: what is printed,
//! an exit code that is not zero when something is wrong, pages of docs with `--write`, and the kernel crate's table of
//! constants. Must not know: how confine analyses; it is run as a user would run it.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "chores talk to the person at the terminal"
)]

mod benchmark;
mod cause;
mod constants;
mod corpus;
mod counts;
mod evaluation;
mod filters;
mod images;
mod observer;
mod report;
mod rows;
mod start_up;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use confine_engine::Interrupt;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own chores")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Builds real images and proves on real engines that they work under their profiles
    Images(images::Options),
    /// Runs some hundred real programs and holds what they call against what confine says of them
    Corpus(corpus::Options),
    /// Repeats the published evaluation: profiles, counts and checks its images
    Evaluation(evaluation::Options),
    /// Measures what confine costs in terms of decoding the code once, or counts its instructions
    Benchmark(benchmark::Options),
    /// Counts the instructions that filters execute for recorded traces, and takes the time of calls under them
    Filters(filters::Options),
    /// Writes the table of named constants anew from the kernel's user headers
    Constants(constants::Options),
    /// Compiles the program that counts in the kernel
    Observer(observer::Options),
    /// Measures what it costs a program to start under a policy of its own
    StartUp(start_up::Options),
    /// Checks what the compiler does not: file lengths, top docs, paths of this machine
    Tidy,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = root().and_then(|root| match arguments.chore {
        Chore::Images(options) => images::run(&root, &options),
        Chore::Corpus(options) => corpus::run(&root, &options),
        Chore::Evaluation(options) => evaluation::run(&root, &options),
        Chore::Benchmark(options) => benchmark::run(&root, &options),
        Chore::Filters(options) => filters::run(&root, &options),
        Chore::Constants(options) => constants::run(&root, &options),
        Chore::Observer(options) => observer::run(&root, &options),
        Chore::StartUp(options) => start_up::run(&options),
        Chore::Tidy => tidy::run(&root),
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What ends every wait when the person at the terminal asks for it.
fn interrupt() -> anyhow::Result<Interrupt> {
    let interrupt = Interrupt::default();
    let raised = interrupt.clone();
    ctrlc::set_handler(move || raised.raise()).context("cannot handle interrupts")?;
    Ok(interrupt)
}

/// Writes a page of docs: its fixed beginning and what a run found.
fn write_page(root: &Path, name: &str, head: &str, text: &str) -> anyhow::Result<()> {
    let path = root.join("docs").join(name);
    std::fs::write(&path, format!("{head}\n{text}"))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// The workspace's root: the parent of this crate.
fn root() -> anyhow::Result<PathBuf> {
    let parent = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    parent
        .map(Path::to_owned)
        .context("the crate's folder has a parent")
}
