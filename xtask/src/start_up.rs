//! What it costs a program to start under a policy of its own: the same program, side by side, without anything, with a
//! loader that does not know it, and with one that installs a policy as large as the engine's default.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use confine_harden::{Kind, Program, compile, graft, identify, write_bundle};
use confine_kernel::docker_default;
use confine_policy::{Architecture, Policy, Rule};

/// The loader of the host, by which it is measured.
const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// How to measure.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// How often each program is started
    #[arg(long, default_value_t = 2000)]
    starts: usize,
}

/// A program that ends at once, in three ways to start it.
struct Case {
    what: &'static str,
    program: std::path::PathBuf,
    times: Vec<Duration>,
}

/// Measures and prints; always passes.
pub fn run(options: &Options) -> anyhow::Result<bool> {
    ensure!(options.starts > 0, "expected at least one start");
    let folder = tempfile::tempdir().context("cannot make a folder")?;
    let mut policy = Policy::new();
    for call in docker_default() {
        policy.allow(Architecture::X86_64, call.call.number, &Rule::any());
    }
    let confined = compile(&policy, 0)?.confined;
    let instructions: usize = confined.filters.iter().map(|filter| filter.len() / 8).sum();
    let loader = std::fs::read(LOADER).with_context(|| format!("cannot read {LOADER}"))?;
    let mut cases = Vec::new();
    for (what, name) in [
        ("plain", "plain"),
        ("a loader that does not know it", "unknown"),
        ("with a policy", "confined"),
    ] {
        let interpreter = folder.path().join(format!("{name}.so"));
        let program = build(folder.path(), name, &interpreter)?;
        let known = match name {
            "confined" => match identify(&std::fs::read(&program)?) {
                Some(Program::Dynamic {
                    fingerprint: Some(fingerprint),
                    ..
                }) => BTreeMap::from([(fingerprint, confined.clone())]),
                other => anyhow::bail!("expected a dynamic program, found {other:?}"),
            },
            _ => BTreeMap::new(),
        };
        let bytes = match name {
            "plain" => loader.clone(),
            _ => {
                let bundle = write_bundle(&known, false).context("expected a policy that fits")?;
                graft(&loader, Kind::Interpreter, &bundle)?
            }
        };
        std::fs::write(&interpreter, bytes)?;
        std::fs::set_permissions(&interpreter, std::fs::metadata(&program)?.permissions())?;
        cases.push(Case {
            what,
            program,
            times: Vec::new(),
        });
    }
    // In turn, so that whatever else the machine does concerns all of them.
    for _ in 0..options.starts {
        for case in &mut cases {
            let begin = Instant::now();
            let status = Command::new(&case.program).stdin(Stdio::null()).status()?;
            case.times.push(begin.elapsed());
            ensure!(status.success(), "{} ended with {status}", case.program.display());
        }
    }
    let medians: Vec<(&str, f64)> = cases.iter_mut().map(median).collect();
    let plain = medians.first().map_or(1.0, |(_, micros)| *micros);
    println!("| start | median, µs | more, µs | ratio |\n|---|--:|--:|--:|");
    for (what, micros) in medians {
        println!(
            "| {what} | {micros:.0} | {:.0} | {:.2} |",
            micros - plain,
            micros / plain
        );
    }
    println!(
        "\n{} starts each; the policy has {instructions} instructions",
        options.starts
    );
    Ok(true)
}

fn median(case: &mut Case) -> (&'static str, f64) {
    case.times.sort();
    let middle = case.times.get(case.times.len() / 2).copied().unwrap_or_default();
    (case.what, middle.as_secs_f64() * 1e6)
}

/// Compiles the program with an interpreter of its own.
fn build(folder: &Path, name: &str, interpreter: &Path) -> anyhow::Result<std::path::PathBuf> {
    let source = folder.join("program.c");
    std::fs::write(&source, "int main(void) { return 0; }\n")?;
    let program = folder.join(name);
    let status = Command::new("cc")
        .arg(&source)
        .arg("-o")
        .arg(&program)
        .arg(format!("-Wl,--dynamic-linker={}", interpreter.display()))
        .status()
        .context("cannot run cc")?;
    ensure!(status.success(), "cc ended with {status}");
    Ok(program)
}
