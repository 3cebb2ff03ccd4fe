//! The published evaluation again: its images, each profiled, counted and checked on an engine, beside the published
//! figures. What was found is kept by image and by program, so that a run goes on where the last one stopped.

pub mod published;
mod row;
mod shortfall;
mod table;
mod taken;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use confine_engine::{Docker, Interrupt, Invocation};
use serde_json::Value;

use crate::counts::Counts;
use crate::images::build;
use crate::images::recipe::{self, Target};
use crate::report;

use row::{Checked, Row};
use shortfall::Group;
use taken::Taken;

/// What the workload of an image is for `confine check`: every step of its recipe, each under its name.
const STEPS: &str = "traffic failure reload shell";

/// What to evaluate, and how.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The images; all of the published table that there are recipes for when none is named
    names: Vec<String>,
    /// Evaluate anew what was evaluated before
    #[arg(long)]
    again: bool,
    /// Use this program instead of building confine
    #[arg(long, value_name = "FILE")]
    confine: Option<PathBuf>,
    /// How often each image lives without a policy and with it
    #[arg(long, default_value_t = 2)]
    runs: u8,
    /// Write the page anew from what is known, and evaluate nothing
    #[arg(long)]
    page: bool,
    /// Judge anew the reports of the rows that were evaluated on this machine, and evaluate nothing
    #[arg(long)]
    judge: bool,
}

/// The whole run; whether every image passed its check.
pub fn run(root: &Path, options: &Options) -> anyhow::Result<bool> {
    let interrupt = crate::interrupt()?;
    let data = root.join("docs/evaluation.json");
    let mut rows: Vec<Row> = crate::rows::read(&data)?;
    if !options.page {
        let confine = match &options.confine {
            Some(path) => path
                .canonicalize()
                .with_context(|| format!("cannot find {}", path.display()))?,
            None => build::confine(root, &interrupt)?,
        };
        let evaluation = Evaluation {
            root,
            docker: Docker::new(&interrupt),
            program: recipe::digest(&confine)?,
            confine,
            interrupt,
            runs: options.runs,
        };
        for target in targets(root, &options.names)? {
            if options.judge {
                if let Some(row) = evaluation.judged(&target, &rows)? {
                    eprintln!("{}", row.line());
                    rows = crate::rows::add(&data, row)?;
                }
                continue;
            }
            let image = match evaluation.build(&target) {
                Ok(image) => image,
                Err(error) if evaluation.interrupt.is_raised() => return Err(error),
                // The other images still have something to tell.
                Err(error) => {
                    eprintln!("FAIL  {}\n      {error:#}", target.name);
                    continue;
                }
            };
            let known = rows.iter().any(|row| {
                row.name == target.name && row.image == image && row.program == evaluation.program
            });
            if known && !options.again {
                eprintln!("known {}", target.name);
                continue;
            }
            match evaluation.evaluate(&target, image) {
                Ok(row) => {
                    eprintln!("{}", row.line());
                    rows = crate::rows::add(&data, row)?;
                }
                Err(error) if evaluation.interrupt.is_raised() => return Err(error),
                Err(error) => eprintln!("FAIL  {}\n      {error:#}", target.name),
            }
        }
    }
    let text = table::render(&rows);
    crate::write_page(root, "evaluation.md", include_str!("evaluation/page.md"), &text)?;
    Ok(rows.iter().all(Row::passed))
}

/// The images of the published table, or those that are named, each on its first base.
fn targets(root: &Path, names: &[String]) -> anyhow::Result<Vec<Target>> {
    let folder = root.join("tests/images");
    if !names.is_empty() {
        return recipe::targets(&folder, names, false);
    }
    let mut targets = recipe::all(&folder)?;
    targets.retain(|target| {
        target.recipe.published.is_some() && target.recipe.bases.first() == Some(&target.base)
    });
    Ok(targets)
}

/// What every image of a run shares.
struct Evaluation<'a> {
    root: &'a Path,
    docker: Docker,
    confine: PathBuf,
    /// A digest of the program, so that another one's findings are not taken for this one's.
    program: String,
    interrupt: Interrupt,
    runs: u8,
}

impl Evaluation<'_> {
    /// The image's identity on the engine.
    fn build(&self, target: &Target) -> anyhow::Result<String> {
        let images = self.root.join("tests/images");
        let reference = target.reference();
        build::of_target(&self.docker, &self.interrupt, &images, target)
            .with_context(|| format!("cannot build {}", target.name))?;
        Ok(self.docker.image_id(&reference)?)
    }

    fn evaluate(&self, target: &Target, image: String) -> anyhow::Result<Row> {
        eprintln!("evaluating {}", target.name);
        let output = self.output(target);
        fs::create_dir_all(&output).with_context(|| format!("cannot create {}", output.display()))?;
        let report = output.join("report.json");
        // From an archive, so that the engine's time to hand the image over is not counted.
        let archive = output.join("image.tar");
        self.docker.save(&target.reference(), &archive)?;
        let mut analyse = self
            .call(
                "profile",
                &format!("docker-archive:{}", archive.display()),
                target,
            )
            .args(["--no-cache", "--quiet", "--stats=json", "--output"])
            .arg(output.join("profile.json"))
            .arg("--report")
            .arg(&report);
        analyse = analyse.limit(Duration::from_secs(900));
        let finished = analyse.run();
        fs::remove_file(&archive).with_context(|| format!("cannot remove {}", archive.display()))?;
        let finished = finished?;
        ensure!(
            finished.code == Some(0),
            "`{}` ended with {}: {}",
            analyse.line(),
            finished.outcome(),
            finished.stderr
        );
        let statistics = finished
            .stderr
            .lines()
            .find_map(|line| serde_json::from_str::<Value>(line).ok())
            .context("no statistics were told")?;
        let found = report::json(&report)?;
        let counts = crate::counts::count(&found, &target.recipe.main);
        let (taken, shortfall) = self.judge(target, &report, &found, &counts)?;
        let (checked, hardened) = self.check(target, &output)?;
        Ok(Row {
            name: target.name.clone(),
            published: target.recipe.published.clone(),
            stand_in: target.recipe.stand_in.clone(),
            image,
            program: self.program.clone(),
            counts,
            taken,
            shortfall,
            seconds: statistics["total_milliseconds"].as_f64().unwrap_or_default() / 1000.0,
            memory_mib: statistics["peak_memory_kib"].as_u64().unwrap_or_default() >> 10,
            decode_ratio: statistics["decode_once"]["ratio"].as_f64(),
            checked,
            hardened,
        })
    }

    /// The row of an image with its report judged anew, if the report that is there is the row's.
    fn judged(&self, target: &Target, rows: &[Row]) -> anyhow::Result<Option<Row>> {
        let report = self.output(target).join("report.json");
        let row = rows.iter().find(|row| row.name == target.name);
        let Some(row) = row.filter(|_| report.exists()) else {
            return Ok(None);
        };
        let found = report::json(&report)?;
        if crate::counts::count(&found, &target.recipe.main) != row.counts {
            return Ok(None);
        }
        let (taken, shortfall) = self.judge(target, &report, &found, &row.counts)?;
        Ok(Some(Row {
            taken,
            shortfall,
            ..row.clone()
        }))
    }

    /// The vulnerabilities that the policies of a report take away, and why it is below what was published, if it is. The
    /// report is given as its file and as what that holds; it has nothing to tell without its main program.
    fn judge(
        &self,
        target: &Target,
        report: &Path,
        found: &Value,
        counts: &Counts,
    ) -> anyhow::Result<(Option<Taken>, Vec<Group>)> {
        let main = report::program(found, &target.recipe.main).and_then(|program| program["path"].as_str());
        let Some(main) = main else {
            return Ok((None, Vec::new()));
        };
        let mut alone = tempfile::NamedTempFile::new()?;
        serde_json::to_writer(&mut alone, &taken::executing_nothing(found))?;
        let taken = Taken::count(
            main,
            |flags| self.exposure(report, flags),
            |flags| self.exposure(alone.path(), flags),
        )?;
        let theirs = target.recipe.published.as_deref().and_then(published::of);
        let shortfall = match theirs {
            Some(theirs) if theirs.is_missed_by(counts) => shortfall::of(report, main)?,
            _ => Vec::new(),
        };
        Ok((Some(taken), shortfall))
    }

    /// What `confine cve` tells of a report with some more flags.
    fn exposure(&self, report: &Path, flags: &[&str]) -> anyhow::Result<Value> {
        let cve = Invocation::new(&self.confine)
            .interrupt(&self.interrupt)
            .arg("cve")
            .arg(report)
            .args(["--format", "json"])
            .args(flags);
        Ok(serde_json::from_str(&cve.output()?)?)
    }

    /// Where what is found of an image is put.
    fn output(&self, target: &Target) -> PathBuf {
        self.root.join("target/evaluation").join(&target.name)
    }

    fn check(&self, target: &Target, output: &Path) -> anyhow::Result<(Checked, Option<Checked>)> {
        let images = self.root.join("tests/images");
        let step = |step: &str| format!("'{}/run-step' {} {step}", images.display(), target.workload());
        let workload = format!(
            "for step in {STEPS}; do echo \"== $step\"; {} || exit; done",
            step("$step")
        );
        let path = output.join("check.json");
        let check = self
            .call("check", &format!("docker-daemon:{}", target.reference()), target)
            .args(["--hardened", "--quiet", "--format", "json", "--output"])
            .arg(&path)
            .arg("--port")
            .arg(target.recipe.port.to_string())
            .args([
                "--ready-timeout",
                "90s",
                "--timeout",
                "300s",
                "--ready",
                &step("ready"),
            ])
            .args(["--workload", &workload, "--runs", &self.runs.to_string()])
            .limit(Duration::from_secs(7200));
        let finished = check.run()?;
        fs::write(output.join("check.err"), &finished.stderr)?;
        match finished.code {
            Some(0 | 4) => Ok(Checked::read(&report::json(&path)?)),
            // It could not be checked, which is told.
            Some(_) => {
                // Where the tree lies on this machine is nobody's business.
                let place = format!("{}/", self.root.display());
                let problem = finished.stderr.trim().replace(&place, "");
                let checked = Checked {
                    passed: false,
                    problems: vec![problem],
                };
                Ok((checked, None))
            }
            None => bail!("`{}` ended with {}", check.line(), finished.outcome()),
        }
    }

    /// A command on the image as its recipe runs it.
    fn call(&self, command: &str, image: &str, target: &Target) -> Invocation {
        let mut call = Invocation::new(&self.confine)
            .args([command, image])
            .interrupt(&self.interrupt);
        for variable in &target.recipe.environment {
            call = call.args(["--env", variable]);
        }
        for line in &target.recipe.also {
            call = call.args(["--also", line]);
        }
        call
    }
}
