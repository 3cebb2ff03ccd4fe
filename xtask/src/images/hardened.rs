//! An image in which every program starts under a policy of its own, and a probe in the place of its main program.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use confine_bpf::{Action, CallData, Filter, evaluate};
use confine_engine::{Docker, Interrupt, Invocation};
use confine_harden::{Confined, Kind, Program, graft, grafted_filters, identify, only};
use confine_image::{Files, OpenOptions};

use super::recipe::Target;
use crate::report::{json, program};

/// What the probe can try: the letter that asks for it, what it is, and the call that it makes.
const ATTEMPTS: [(&str, &str, u32, [u64; 2]); 8] = [
    ("e", "execve of a shell", 59, [1 << 40, 1 << 40]),
    ("p", "ptrace", 101, [0, 0]),
    ("u", "unshare of a user namespace", 272, [0x1000_0000, 0]),
    ("i", "an ioctl that no server makes", 16, [0, 0x5412]),
    ("s", "a socket of the kernel's cryptography", 41, [38, 5]),
    ("r", "io_uring_setup", 425, [1, 1 << 40]),
    ("8", "a call through int 0x80", 0, [0, 0]),
    ("x", "a call of x32", 0, [0, 0]),
];
/// These go by other numbers, which no policy has.
const FOREIGN: [&str; 2] = ["8", "x"];
/// The probe's word for it, and what the engine makes of SIGSYS.
const REFUSED: [i32; 2] = [10, 128 + 31];
/// What the engine calls the tag of a hardened image.
const TAG: &str = "hardened";

/// A hardened image.
pub struct Hardened {
    /// How it is found on the engine.
    pub target: Target,
    /// The container's profile.
    pub profile: PathBuf,
    /// The filters of its main program; none if that starts as it is.
    filters: Vec<Vec<u8>>,
    output: PathBuf,
    docker: Docker,
}

/// Has confine harden an image, and gives it to the engine.
pub fn make(
    confine: &Path,
    interrupt: &Interrupt,
    archive: &Path,
    target: &Target,
    output: &Path,
) -> anyhow::Result<Hardened> {
    let hardened = Target {
        base: format!("{}-{TAG}", target.base),
        ..target.clone()
    };
    let profile = output.join("hardened.json");
    let written = output.join("hardened.tar");
    let report = output.join("report.json");
    Invocation::new(confine)
        .arg("harden")
        .arg(format!("docker-archive:{}", archive.display()))
        .arg("--output")
        .arg(format!(
            "docker-archive:{}:{}",
            written.display(),
            hardened.reference()
        ))
        .arg("--profile")
        .arg(&profile)
        .args(target.recipe.also_arguments())
        .limit(Duration::from_secs(300))
        .interrupt(interrupt)
        .output()?;
    let docker = Docker::new(interrupt);
    docker.load(&written)?;
    let image = confine_image::open(
        &format!("docker-archive:{}", written.display()),
        &OpenOptions::default(),
    )?;
    let report = json(&report)?;
    let main = program(&report, &target.recipe.main)
        .and_then(|program| program["path"].as_str())
        .with_context(|| format!("{} is not in the report", target.recipe.main))?;
    let filters = filters(&*image.files, main).with_context(|| format!("{main} has no policy of its own"))?;
    std::fs::remove_file(&written)?;
    Ok(Hardened {
        target: hardened,
        profile,
        filters,
        output: output.to_owned(),
        docker,
    })
}

fn filters(files: &dyn Files, main: &str) -> Option<Vec<Vec<u8>>> {
    let program = files.read(main).ok()?;
    match identify(&program)? {
        Program::Dynamic {
            interpreter,
            fingerprint,
        } => grafted_filters(&files.read(&interpreter).ok()?, fingerprint.as_ref()),
        Program::Static => grafted_filters(&program, None),
    }
}

impl Drop for Hardened {
    fn drop(&mut self) {
        // What it shares with the image that it was made from stays; the rest is made anew each time.
        let _ = self.docker.untag(&self.target.reference());
    }
}

impl Hardened {
    /// Runs the probe under the main program's policy, in a container of the image: what it was not refused.
    pub fn probe(&self, interrupt: &Interrupt) -> anyhow::Result<Vec<String>> {
        // A policy would take away the privileges of a program that the main one can execute.
        if self.filters.is_empty() {
            eprintln!(
                "      {}: its main program has no policy of its own",
                self.target.name
            );
            return Ok(Vec::new());
        }
        let folder = self.output.join("probe");
        std::fs::create_dir_all(&folder)?;
        let plain = folder.join("plain");
        Invocation::new("cc")
            .args([
                "-O1",
                "-static",
                "-nostdlib",
                "-fno-stack-protector",
                "-fno-pie",
                "-no-pie",
                "-o",
            ])
            .arg(&plain)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/images/probe.c"))
            .output()?;
        let confined = folder.join("confined");
        let policy = Confined {
            filters: self.filters.clone(),
            mark: 0,
        };
        let bundle = only(policy).context("the main program's policy is no policy")?;
        std::fs::copy(&plain, &confined)?;
        std::fs::write(&confined, graft(&std::fs::read(&plain)?, Kind::Program, &bundle)?)?;

        let run = |program: &Path, seccomp: &str, attempt: &str| {
            Invocation::new("docker")
                .args([
                    "run",
                    "--rm",
                    "--label",
                    "confine.engine",
                    "--security-opt",
                    seccomp,
                ])
                .args(["--user", "0", "--entrypoint", "/probe", "--volume"])
                .arg(format!("{}:/probe:ro", program.display()))
                .arg(self.target.reference())
                .arg(attempt)
                .interrupt(interrupt)
                .run()
        };
        // Without anything around it, it has to get through, or its word is worth nothing.
        let free = run(&plain, "seccomp=unconfined", "p")?;
        ensure!(
            free.code == Some(20),
            "the probe is refused without a policy: {}",
            free.stderr
        );
        let filters: Result<Vec<Filter>, _> = self
            .filters
            .iter()
            .map(|bytes| Filter::from_bytes(bytes))
            .collect();
        let filters = filters?;
        let mut problems = Vec::new();
        for (letter, what, number, [first, second]) in ATTEMPTS {
            let call = CallData::new(number, [first, second, 0, 0, 0, 0]);
            let answer = evaluate(&filters, &call).map(|outcome| outcome.action);
            if answer == Some(Action::Allow) && !FOREIGN.contains(&letter) {
                eprintln!("      {}: its policy allows {what}", self.target.name);
                continue;
            }
            let finished = run(&confined, &format!("seccomp={}", self.profile.display()), letter)?;
            if !finished.code.is_some_and(|code| REFUSED.contains(&code)) {
                problems.push(format!(
                    "{what} was not refused: {} {}",
                    finished.outcome(),
                    finished.stderr
                ));
            }
        }
        Ok(problems)
    }
}
