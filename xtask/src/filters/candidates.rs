//! Filters for the same policy.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use confine_bpf::{Filter, Options, compile, linear};
use confine_policy::{Architecture, Policy};

use super::trace::{Trace, Traces};

/// One way to make filters.
pub struct Candidate {
    pub name: &'static str,
    pub filters: Vec<Filter>,
}

/// The names, in the order of [`all`].
pub const OURS: &str = "confine";
pub const OURS_BY_TRACE: &str = "confine, weights of the trace";
pub const LIST: &str = "list";
pub const LIBSECCOMP: &str = "libseccomp";
pub const LIBSECCOMP_TREE: &str = "libseccomp, binary tree";

/// Builds the program of crates/bpf's tests that asks libseccomp.
pub fn oracle(root: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    let program = folder.join("libseccomp");
    build(
        &root.join("crates/bpf/tests/oracle/libseccomp.c"),
        &program,
        &["-lseccomp"],
    )?;
    Ok(program)
}

/// Compiles a program of one file.
pub fn build(source: &Path, program: &Path, libraries: &[&str]) -> anyhow::Result<()> {
    let status = Command::new("gcc")
        .args(["-O2", "-o"])
        .arg(program)
        .arg(source)
        .args(libraries)
        .status()
        .context("gcc does not start (package gcc)")?;
    ensure!(
        status.success(),
        "{} cannot be compiled (package libseccomp-dev)",
        source.display()
    );
    Ok(())
}

/// Every candidate for a policy of what was traced. The weights that come with confine are those of all traces: so that they are no
/// measure of themselves, ours stand here with those of the other traces.
pub fn all(oracle: &Path, trace: &Trace, policy: &Policy, traces: &Traces) -> anyhow::Result<Vec<Candidate>> {
    let ours = Options {
        weights: traces.weights(Some(trace)).parse()?,
        ..Options::default()
    };
    let by_trace = Options {
        weights: trace.weights(),
        ..Options::default()
    };
    Ok(vec![
        Candidate {
            name: OURS,
            filters: compile(policy, &ours)?,
        },
        Candidate {
            name: OURS_BY_TRACE,
            filters: compile(policy, &by_trace)?,
        },
        Candidate {
            name: LIBSECCOMP_TREE,
            filters: vec![libseccomp(oracle, policy, 2)?],
        },
        Candidate {
            name: LIBSECCOMP,
            filters: vec![libseccomp(oracle, policy, 1)?],
        },
        Candidate {
            name: LIST,
            filters: vec![linear(policy, &Options::default())?],
        },
    ])
}

/// What libseccomp makes of a policy.
pub fn libseccomp(oracle: &Path, policy: &Policy, optimize: u32) -> anyhow::Result<Filter> {
    let mut rules = format!("optimize {optimize}\nerrno 38\n");
    for (number, rule) in policy.calls(Architecture::X86_64) {
        for alternative in rule.alternatives() {
            // Writing to a string cannot fail.
            let _ = write!(rules, "allow {number}");
            for (index, condition) in alternative.conditions() {
                let _ = write!(rules, " {index} {} {}", condition.mask(), condition.value());
            }
            rules.push('\n');
        }
    }
    let mut child = Command::new(oracle)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("the program that asks libseccomp does not start")?;
    let mut input = child.stdin.take().context("it was asked for")?;
    input
        .write_all(rules.as_bytes())
        .context("libseccomp does not read")?;
    drop(input);
    let output = child.wait_with_output().context("libseccomp does not end")?;
    ensure!(output.status.success(), "libseccomp refuses the policy");
    Filter::from_bytes(&output.stdout).context("libseccomp's filter")
}
