//! `confine run`: a program of this host under a policy of its own.
//!
//! The policy goes in as in a container: a dynamically linked program is run by a copy of its loader that holds it, as
//! `ld.so PROGRAM`; a static one is run from a copy that holds it. Nothing is executed after the policy is in force, so that
//! it need not allow that. With `--audit` nothing is denied, and what would be is told in the end ([`crate::audit`]).

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, anyhow, bail};
use confine_harden::{Confined, Kind, Program, compile, graft, identify, only, write_bundle};
use confine_image::{Image, hexadecimal};
use confine_policy::Policy;
use confine_report::Report;
use sha2::{Digest as _, Sha256};

use crate::arguments::{AnalysisArguments, RunArguments};
use crate::{Outcome, analysis, audit, input, output, policy, summary, terminal, written};

/// Variables that decide which libraries a program loads.
const LOADER_VARIABLES: [&str; 3] = ["LD_LIBRARY_PATH", "LD_PRELOAD", "PATH"];

/// How many digits of a digest are the name of what holds a policy.
const NAME: usize = 32;

/// Becomes the program, and only returns if that fails; an audited one is run to its end.
pub fn run(arguments: &RunArguments) -> anyhow::Result<Outcome> {
    let Some((name, rest)) = arguments.command.split_first() else {
        bail!("expected a command");
    };
    let program = find(name)?;
    let bytes = fs::read(&program).with_context(|| format!("cannot read {}", program.display()))?;
    let kind = identify(&bytes).with_context(|| {
        format!(
            "{}: expected a program; run a script by its interpreter",
            program.display()
        )
    })?;
    if fs::metadata(&program)?.permissions().mode() & 0o6000 != 0 {
        bail!(
            "{}: it is a set-user-ID program, and would have none of its privileges",
            program.display()
        );
    }
    let (policy, analysed) = match &arguments.profile {
        Some(path) => (read(path)?, None),
        None => {
            let analysed = analyse(&program, arguments)?;
            (own(&program, &analysed.1)?, Some(analysed))
        }
    };
    if arguments.audit {
        let mut command = Command::new(&program);
        command.arg0(name).args(rest);
        let analysed = || analysed.or_else(|| known(&program, arguments));
        return audit::audit(command, &policy, analysed, arguments.quiet);
    }
    let compiled = compile(&policy, 0)?;
    if !arguments.quiet {
        for loss in written::loosened(&policy, &compiled.loosened) {
            summary::show_loosened(&program.display().to_string(), &loss);
        }
    }
    Err(start(name, &program, &bytes, &kind, compiled.confined, rest)?)
        .with_context(|| format!("cannot execute {}", program.display()))
}

/// The program that a name on the command line means, every symbolic link followed.
fn find(name: &OsString) -> anyhow::Result<PathBuf> {
    let has_folder = name.as_bytes().contains(&b'/');
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates = std::env::split_paths(&path).map(|folder| folder.join(name));
    let is_program = |path: &PathBuf| {
        fs::metadata(path)
            .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    };
    let found = match has_folder {
        true => Some(PathBuf::from(name)).filter(is_program),
        false => candidates.find(is_program),
    };
    let found = found.with_context(|| format!("{}: expected a program", name.display()))?;
    Ok(found.canonicalize()?)
}

fn read(path: &Path) -> anyhow::Result<Policy> {
    let text = input::text(path)?;
    let reading = confine_profile::read_oci(&text, &[]).with_context(|| path.display().to_string())?;
    Ok(reading.policy)
}

/// This host analysed as if it were an image that runs the program.
fn analyse(program: &Path, arguments: &RunArguments) -> anyhow::Result<(Image, Report)> {
    let path = program.to_str().context("the program's path is not UTF-8")?;
    let mut environment = Vec::new();
    for name in LOADER_VARIABLES {
        if let Some(value) = std::env::var_os(name) {
            let value = value.into_string();
            let value = value.map_err(|_| anyhow!("{name} is not UTF-8, and the analysis cannot read it"))?;
            environment.push((name.to_owned(), value));
        }
    }
    analysis::run_on_image(&AnalysisArguments {
        image: "dir:/".to_owned(),
        program: Some(path.to_owned()),
        environment,
        quiet: arguments.quiet,
        no_cache: arguments.no_cache,
        ..AnalysisArguments::default()
    })
}

/// The program's policy.
fn own(program: &Path, report: &Report) -> anyhow::Result<Policy> {
    let index = report
        .programs
        .iter()
        .position(|known| Path::new(&known.path) == program);
    Ok(policy::starting(
        report,
        index.context("the analysis lost the program")?,
    ))
}

/// What the analysis knows of the program, if it knows anything.
fn known(program: &Path, arguments: &RunArguments) -> Option<(Image, Report)> {
    let analysed = analyse(program, arguments);
    if let Err(error) = &analysed {
        terminal::warning(&format!("what the analysis knows is not told: {error:#}"));
    }
    analysed.ok()
}

/// Executes the program through what holds its policy; the error if that fails.
fn start(
    name: &OsString,
    program: &Path,
    bytes: &[u8],
    kind: &Program,
    confined: Confined,
    rest: &[OsString],
) -> anyhow::Result<std::io::Error> {
    let too_large = "the policy is too large";
    match kind {
        Program::Static => {
            let bundle = only(confined).context(too_large)?;
            let holder = keep(&graft(bytes, Kind::Program, &bundle)?)?;
            Ok(Command::new(holder).arg0(name).args(rest).exec())
        }
        Program::Dynamic {
            interpreter,
            fingerprint,
        } => {
            let fingerprint = fingerprint.context("the program cannot be told from others in memory")?;
            let loader = fs::read(interpreter).with_context(|| format!("cannot read {interpreter}"))?;
            let bundle = write_bundle(&BTreeMap::from([(fingerprint, confined)]), false);
            let bundle = bundle.context(too_large)?;
            let holder = keep(&graft(&loader, Kind::Interpreter, &bundle)?)?;
            let mut command = Command::new(holder);
            if name.as_os_str() != program.as_os_str() {
                command.arg("--argv0").arg(name);
            }
            Ok(command.arg(program).args(rest).exec())
        }
    }
}

/// Where a file of these bytes is that can be executed: in the user's cache folder, where the next run finds it and nobody
/// else can put another in its place.
fn keep(bytes: &[u8]) -> anyhow::Result<PathBuf> {
    let mut name = hexadecimal(&Sha256::digest(bytes));
    name.truncate(NAME);
    let path = analysis::cache()?.root().join("run").join(name);
    if fs::read(&path).is_ok_and(|known| known == bytes) {
        return Ok(path);
    }
    output::write_with_mode(&path, bytes, 0o700)?;
    Ok(path)
}
