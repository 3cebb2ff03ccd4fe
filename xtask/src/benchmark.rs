//! What confine costs, in terms of what it cannot do without: decoding the code once. Time with and without a cache,
//! memory, threads, for each image of tests/images or for programs of a folder.
//!
//! Times are told and never judged: a machine that does something else meanwhile makes any of them wrong. What fails
//! is `--gate`, which counts instructions.

mod gate;
mod measure;
mod table;

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use confine_engine::{Docker, Interrupt};

use crate::images::recipe::Target;
use crate::images::{build, recipe};
use measure::Case;

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The images of tests/images; all when none is named
    #[arg(value_name = "IMAGE", conflicts_with_all = ["root", "gate"])]
    names: Vec<String>,
    /// How often each is measured without a cache, and how often with a filled one
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=100))]
    runs: u8,
    /// Programs of this folder, a root file system, instead of images
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// A program of that folder (repeatable)
    #[arg(long = "program", value_name = "PATH", requires = "root")]
    programs: Vec<String>,
    /// Write the tables to docs/benchmark.md
    #[arg(long, conflicts_with_all = ["root", "gate"])]
    write: bool,
    /// Count instructions with callgrind instead and fail if they became too many
    #[arg(long)]
    gate: bool,
}

/// The whole run; whether everything could be measured, and whether the gate was passed.
pub fn run(root: &Path, options: &Options) -> anyhow::Result<bool> {
    let interrupt = crate::interrupt()?;
    ensure!(
        options.gate || options.root.is_none() || !options.programs.is_empty(),
        "--root: expected a program of it, by --program"
    );
    let confine = build::confine(root, &interrupt)?;
    if options.gate {
        let program = options.programs.first().map_or(gate::PROGRAM, String::as_str);
        let folder = options.root.as_deref().unwrap_or(Path::new("/"));
        return gate::run(&confine, &interrupt, folder, program);
    }
    let load = measure::load();
    let mut complete = true;
    let mut rows = Vec::new();
    for case in cases(root, options, &interrupt)? {
        let measured = case.and_then(|case| {
            eprintln!("measuring {}", case.name);
            measure::measure(&confine, &interrupt, &case, options.runs)
        });
        match measured {
            Ok(row) => {
                row.keep(&root.join("target/benchmark"))?;
                rows.push(row);
            }
            Err(error) if interrupt.is_raised() => return Err(error),
            // The others still have something to tell.
            Err(error) => {
                eprintln!("error: {error:#}");
                complete = false;
            }
        }
    }
    let text = table::render(&rows, options.runs, load.as_deref());
    println!("{text}");
    if options.write {
        crate::write_page(root, "benchmark.md", include_str!("benchmark/page.md"), &text)?;
    }
    Ok(complete)
}

/// What is to be measured; an image that cannot be had is an error of its own.
fn cases(root: &Path, options: &Options, interrupt: &Interrupt) -> anyhow::Result<Vec<anyhow::Result<Case>>> {
    if let Some(folder) = &options.root {
        let programs = options.programs.iter();
        return Ok(programs
            .map(|program| Ok(Case::of_program(folder, program)))
            .collect());
    }
    let images = root.join("tests/images");
    let targets = recipe::targets(&images, &options.names, false)?;
    let archive = |target: &Target| archive(root, &images, interrupt, target);
    Ok(targets
        .iter()
        .map(|target| {
            let archive = archive(target).with_context(|| format!("no archive of {}", target.name))?;
            Ok(Case::of_archive(&target.name, &archive))
        })
        .collect())
}

/// The archive that `cargo xtask images` left, or would leave.
fn archive(root: &Path, images: &Path, interrupt: &Interrupt, target: &Target) -> anyhow::Result<PathBuf> {
    let output = root.join("target/images").join(&target.name).join("image");
    let kept = output.join("image.tar");
    if kept.is_file() {
        return Ok(kept);
    }
    let docker = Docker::new(interrupt);
    docker
        .version()
        .with_context(|| format!("{} is not there and no Docker engine answers", kept.display()))?;
    Ok(build::build(&docker, interrupt, images, target, &output)?.archive)
}
