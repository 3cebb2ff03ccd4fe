//! The gate against becoming slower: instructions of an analysis in terms of those that decoding the same code once
//! takes, both counted by callgrind on one thread.
//!
//! Counts do not depend on what else the machine does. Their ratio depends little on which version of the C library
//! the machine has, since more code is more of both. Misses: whatever costs time and no instructions, as memory that
//! is far away, and threads that wait for one another; the benchmark shows these.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use confine_engine::{Interrupt, Invocation};

use super::measure::Case;

/// What is analysed: every Debian has it; with the C library and the modules that it loads by itself.
pub const PROGRAM: &str = "/usr/bin/true";

/// How long one run may take; some fifty times the time that it takes without being counted.
const LIMIT: Duration = Duration::from_secs(600);

/// What the ratio may be: some 15 % more than the 17.0 of November 2026 on Debian bookworm. A third of it is SHA-256 of
/// the objects, for which valgrind's processor has no instructions of its own. Two installations differed by 0.07,
/// repeated counts by less than 0.01. It was 14.2 before addresses of functions and of the stack were followed through
/// everything that a function does with them, without which calls were missed. Larger programs have less, so has a C
/// library without its 250 modules for character sets: a machine that has fewer of them can only pass.
///
/// Whoever makes the analysis cheaper brings this down; whoever needs more for the sake of a sound answer says why here.
const BOUND: f64 = 19.6;

/// Counts, and says how far the bound is; whether it holds.
pub fn run(confine: &Path, interrupt: &Interrupt, folder: &Path, program: &str) -> anyhow::Result<bool> {
    let valgrind = Invocation::new("valgrind").arg("--version").output();
    valgrind.context("the gate counts with valgrind; run scripts/setup first")?;
    let case = Case::of_program(folder, program);
    let analysis = count(confine, interrupt, &case, false)?;
    let with_comparison = count(confine, interrupt, &case, true)?;
    let once = with_comparison.saturating_sub(analysis);
    let ratio = ratio(analysis, once)
        .with_context(|| format!("{program}: {once} instructions to decode once cannot be"))?;
    let holds = ratio <= BOUND;
    println!(
        "{program}: {} million instructions, {} million to decode once: {ratio:.2} times that, {} the bound of {BOUND}",
        analysis / 1_000_000,
        once / 1_000_000,
        if holds { "within" } else { "BEYOND" }
    );
    Ok(holds)
}

/// How many instructions an analysis takes, with or without decoding all code once more at its end.
fn count(confine: &Path, interrupt: &Interrupt, case: &Case, compare: bool) -> anyhow::Result<u64> {
    let folder = tempfile::tempdir().context("cannot create a folder for counts")?;
    let counts = folder.path().join("counts");
    let mut output = std::ffi::OsString::from("--callgrind-out-file=");
    output.push(&counts);
    let run = Invocation::new("valgrind")
        .args(["--tool=callgrind", "--dump-line=no"])
        .arg(output)
        .arg(confine)
        .args(case.flags())
        .arg("--no-cache")
        .args(compare.then_some("--stats=json"))
        .env("RAYON_NUM_THREADS", "1")
        .limit(LIMIT)
        .interrupt(interrupt);
    let finished = run.run()?;
    ensure!(
        finished.code == Some(0),
        "`{}` ended with {}: {}",
        run.line(),
        finished.outcome(),
        finished.stderr
    );
    let text =
        std::fs::read_to_string(&counts).with_context(|| format!("cannot read {}", counts.display()))?;
    total(&text).context("callgrind's file has no total")
}

/// The instructions of all threads, by callgrind's file.
fn total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("totals:"))?;
    line.trim().parse().ok()
}

/// The one in terms of the other; nothing where the other is too small to mean anything.
fn ratio(analysis: u64, once: u64) -> Option<f64> {
    (once > 1_000_000).then(|| analysis as f64 / once as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_read() {
        for (text, expected) in [
            ("events: Ir\nfn=(1)\n0 5\ntotals: 1234\n", Some(1234)),
            ("summary: 3\n", None),
            ("totals: many\n", None),
            ("", None),
        ] {
            assert_eq!(total(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_ratio_needs_something_to_compare_with() {
        assert_eq!(ratio(8_000_000, 2_000_000), Some(4.0));
        assert_eq!(ratio(8_000_000, 0), None);
    }
}
