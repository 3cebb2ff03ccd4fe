//! Proves profiles on real engines: builds real images, has confine write their profiles, and leads each image
//! through its workload without a profile and with it, in every way that it can be started.
//!
//! What is compared: the answers that clients get, exit codes, whether the container stops by itself, and whether
//! its log tells of denied calls. Beside that, one life under the same list with everything else logged by the
//! kernel: each logged call is one that the analysis missed; and one in which everything is counted that the container
//! does and held against what was foreseen of each program. Before anything is believed, the runner takes a needed call
//! away from a profile and must see that fail.

pub mod build;
mod hardened;
mod missed;
mod mode;
mod observed;
mod profile;
pub mod recipe;
mod table;
mod trial;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use anyhow::{Context, bail, ensure};
use confine_engine::{AuditLog, Docker, Error, Interrupt, Seccomp};
use confine_report::Report;
use serde::{Deserialize, Serialize};

use build::Built;
use hardened::Hardened;
use mode::{Engine, Mode};
use profile::{Figures, Profile};
use recipe::Target;
use table::Row;
use trial::{Outcome, Place};

/// What to prove, and how.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The images; all when none is named
    names: Vec<String>,
    /// Only the images and modes that a change is checked with
    #[arg(long)]
    quick: bool,
    /// How many images to lead through their workloads at the same time
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=16))]
    jobs: u8,
    /// Keep the scratch folders
    #[arg(long)]
    keep: bool,
    /// Try this profile on every image instead of having confine make one
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// Keep what is found in docs/images.json, image by image, and write docs/images.md and the README's table from it
    #[arg(long, conflicts_with = "profile")]
    write: bool,
    /// Only make the profiles and count: start nothing
    #[arg(long)]
    no_run: bool,
    /// Only the life in which everything that the container does is counted and held against what was foreseen
    #[arg(long, conflicts_with_all = ["no_run", "profile", "write"])]
    observed: bool,
}

/// What one mode came to.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// What went wrong; empty when nothing did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

impl Verdict {
    /// Whether nothing went wrong.
    pub fn passed(&self) -> bool {
        self.problems.is_empty()
    }
}

/// An image with its profile, ready to be tried.
struct Prepared {
    target: Target,
    built: Built,
    profile: Profile,
    /// With a policy for each program; none where the profile is somebody else's.
    hardened: Option<Hardened>,
    output: PathBuf,
}

impl Prepared {
    /// What the profile was made from; none where it is somebody else's.
    fn report(&self) -> anyhow::Result<Option<Report>> {
        if self.hardened.is_none() {
            return Ok(None);
        }
        Ok(Some(crate::report::whole(&self.output.join("report.json"))?))
    }
}

/// The whole run; whether everything passed.
pub fn run(root: &Path, options: &Options) -> anyhow::Result<bool> {
    let interrupt = crate::interrupt()?;
    let docker = Docker::new(&interrupt);
    docker
        .version()
        .context("no Docker engine answers; run scripts/setup first")?;
    let runner = Runner {
        images: root.join("tests/images"),
        output: root.join("target/images"),
        modes: match options.observed {
            true => Vec::new(),
            false => Mode::all(options.quick),
        },
        keep: options.keep,
        data: options.write.then(|| root.join("docs/images.json")),
        source: match &options.profile {
            Some(path) => Source::StandIn(path.clone()),
            None => {
                let program = build::confine(root, &interrupt)?;
                let digest = recipe::digest(&program)?;
                Source::Confine { program, digest }
            }
        },
        interrupt,
        audit: Mutex::new(()),
        kept: Mutex::new(()),
    };
    // One after the other, so that the times in the table are those of an idle machine.
    let mut prepared = Vec::new();
    let mut rows = Vec::new();
    for target in recipe::targets(&runner.images, &options.names, options.quick)? {
        match runner.prepare(&docker, &target) {
            Ok(image) => prepared.push(image),
            Err(error) if runner.interrupt.is_raised() => return Err(error),
            // The other images still have something to tell.
            Err(error) => {
                eprintln!("FAIL  {}, profile\n      {error:#}", target.name);
                let verdict = Verdict {
                    problems: vec![format!("{error:#}")],
                };
                rows.push(runner.row(&target, None, vec![("profile".to_owned(), verdict)])?);
            }
        }
    }

    if let Some(first) = prepared.first().filter(|_| !options.no_run && !options.observed) {
        runner.see_itself_fail(first)?;
    }
    rows.extend(runner.prove_all(&prepared, options)?);
    rows.sort_by(|one, other| one.name.cmp(&other.name));
    println!("{}", table::render(&rows));
    if let Some(data) = &runner.data {
        write_pages(root, &crate::rows::read(data)?)?;
    }
    Ok(rows
        .iter()
        .all(|row| row.verdicts.iter().all(|(_, verdict)| verdict.passed())))
}

/// What the README has of the table lies between these.
const MARKS: [&str; 2] = ["<!-- images:begin -->\n", "<!-- images:end -->"];

/// The page of all rows that are known, and the README's table.
fn write_pages(root: &Path, rows: &[Row]) -> anyhow::Result<()> {
    let text = table::render(rows);
    crate::write_page(root, "images.md", include_str!("images/page.md"), &text)?;
    let path = root.join("README.md");
    let readme = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let [begin, end] = MARKS;
    let parts = readme
        .split_once(begin)
        .and_then(|(before, rest)| Some((before, rest.split_once(end)?.1)));
    let (before, after) = parts.with_context(|| format!("{} has no place for a table", path.display()))?;
    let table = text.split("\n\n").next().unwrap_or_default().trim_end();
    fs::write(&path, format!("{before}{begin}{table}\n{end}{after}"))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// What is wrong where a profile is as wide as the engine's default: under such a one everything passes, and none of
/// these images needs one.
fn not_widened(figures: &Figures) -> Option<(String, Verdict)> {
    let widened = figures.counts.widened;
    let problem = format!("{widened} calls are allowed only because the number of some call stays open");
    let verdict = Verdict {
        problems: vec![problem],
    };
    (widened > 0).then(|| ("profile".to_owned(), verdict))
}

/// Where profiles come from.
enum Source {
    /// The program as users get it makes one for each image; the digest of it goes into the rows.
    Confine { program: PathBuf, digest: String },
    /// Somebody else's stands in for all.
    StandIn(PathBuf),
}

/// What every image of a run shares.
struct Runner {
    images: PathBuf,
    output: PathBuf,
    modes: Vec<Mode>,
    keep: bool,
    /// Where rows are kept, if they are.
    data: Option<PathBuf>,
    source: Source,
    interrupt: Interrupt,
    /// Held while a row is kept.
    kept: Mutex<()>,
    /// Held while the kernel's log is read: a record does not tell whose container it is from.
    audit: Mutex<()>,
}

impl Runner {
    fn prepare(&self, docker: &Docker, target: &Target) -> anyhow::Result<Prepared> {
        let output = self.output.join(&target.name);
        let built = build::build(
            docker,
            &self.interrupt,
            &self.images,
            target,
            &output.join("image"),
        )
        .with_context(|| format!("cannot build {}", target.name))?;
        let profile = match &self.source {
            Source::StandIn(path) => profile::read(path),
            Source::Confine { program: confine, .. } => {
                profile::make(confine, &self.interrupt, &built.archive, &target.recipe, &output)
            }
        };
        let profile = profile.with_context(|| format!("no profile for {}", target.name))?;
        eprintln!("{}: {} calls allowed", target.name, profile.allowed);
        let hardened = match &self.source {
            Source::StandIn(_) => None,
            Source::Confine { program: confine, .. } => Some(
                hardened::make(confine, &self.interrupt, &built.archive, target, &output)
                    .with_context(|| format!("cannot harden {}", target.name))?,
            ),
        };
        Ok(Prepared {
            target: target.clone(),
            built,
            profile,
            hardened,
            output,
        })
    }

    /// A needed call is taken away: the comparison must tell, and the kernel's log must name it.
    fn see_itself_fail(&self, image: &Prepared) -> anyhow::Result<()> {
        let call = &image.target.recipe.needed_call;
        let crippled = image.output.join("crippled.json");
        profile::without_call(&image.profile.path, call, &crippled)?;
        let baseline = self.life(image, Mode::PLAIN, &Seccomp::Unconfined, "check-baseline")?;
        ensure!(
            baseline.is_complete(),
            "the workload of {} fails without a profile: {baseline:?}",
            image.target.name
        );
        let broken = self.life(
            image,
            Mode::PLAIN,
            &Seccomp::Profile(crippled.clone()),
            "check-crippled",
        )?;
        if broken.differences(&baseline).is_empty() {
            bail!(
                "{} passed without `{call}`: the runner cannot be trusted",
                image.target.name
            );
        }
        let (_, missed) = self.audited_life(image, &crippled, Mode::PLAIN, "check-audit")?;
        if !missed.iter().any(|miss| miss.starts_with(&format!("{call} "))) {
            bail!(
                "the kernel's log does not tell that `{call}` was not allowed: the audit cannot be trusted here"
            );
        }
        eprintln!("without `{call}`, {} fails as it must", image.target.name);
        Ok(())
    }

    fn prove_all(&self, prepared: &[Prepared], options: &Options) -> anyhow::Result<Vec<Row>> {
        let queue = Mutex::new(prepared.iter().enumerate());
        let results = Mutex::new(BTreeMap::new());
        let worker = || -> anyhow::Result<()> {
            // Bounded by the number of images.
            loop {
                let next = queue.lock().ok().and_then(|mut queue| queue.next());
                let Some((index, image)) = next else { return Ok(()) };
                let verdicts = match options.no_run {
                    true => Vec::new(),
                    false => self.prove(image)?,
                };
                let row = self.row(&image.target, image.profile.figures.clone(), verdicts)?;
                if let Ok(mut results) = results.lock() {
                    results.insert(index, row);
                }
            }
        };
        std::thread::scope(|scope| -> anyhow::Result<()> {
            let workers: Vec<_> = (0..options.jobs).map(|_| scope.spawn(worker)).collect();
            for worker in workers {
                match worker.join() {
                    Ok(outcome) => outcome?,
                    Err(_) => bail!("a worker gave up"),
                }
            }
            Ok(())
        })?;
        let results = results
            .into_inner()
            .map_err(|_| anyhow::anyhow!("a worker gave up"))?;
        Ok(results.into_values().collect())
    }

    /// What is told of an image, and kept.
    fn row(
        &self,
        target: &Target,
        figures: Option<Figures>,
        mut verdicts: Vec<(String, Verdict)>,
    ) -> anyhow::Result<Row> {
        if let Some((what, verdict)) = figures.as_ref().and_then(not_widened) {
            eprintln!(
                "FAIL  {}, {what}\n      {}",
                target.name,
                verdict.problems.join("; ")
            );
            verdicts.push((what, verdict));
        }
        let row = Row {
            name: target.name.clone(),
            published: target.recipe.published.clone(),
            program: match &self.source {
                Source::Confine { digest, .. } => digest.clone(),
                Source::StandIn(_) => String::new(),
            },
            figures,
            verdicts,
        };
        if let Some(data) = &self.data {
            let _alone = self.kept.lock();
            crate::rows::add(data, row.clone())?;
        }
        Ok(row)
    }

    /// Every mode of one image.
    fn prove(&self, image: &Prepared) -> anyhow::Result<Vec<(String, Verdict)>> {
        let mut baselines: BTreeMap<Mode, Outcome> = BTreeMap::new();
        let mut verdicts = Vec::new();
        for (index, mode) in self.modes.iter().enumerate() {
            let baseline = match baselines.get(&mode.baseline()) {
                Some(baseline) => baseline.clone(),
                None => self.life(
                    image,
                    mode.baseline(),
                    &Seccomp::Unconfined,
                    &format!("{index}-baseline"),
                )?,
            };
            baselines.insert(mode.baseline(), baseline.clone());
            let confined = Seccomp::Profile(image.profile.path.clone());
            let outcome = self.life(image, *mode, &confined, &index.to_string())?;
            let mut problems = outcome.differences(&baseline);
            if !baseline.is_complete() {
                let last = baseline.steps.last().cloned().unwrap_or_default();
                problems = vec![format!(
                    "the workload fails without a profile, in {}: {}\n{}",
                    last.0, last.1, baseline.log
                )];
            } else if !problems.is_empty() && !outcome.log.is_empty() {
                problems.push(format!("the end of its log:\n\n```\n{}\n```", outcome.log));
            }
            verdicts.push(self.tell(image, mode.to_string(), problems));
        }
        let audits = [
            Mode::PLAIN,
            Mode {
                engine: Engine::Crun,
                ..Mode::PLAIN
            },
        ];
        if let Some(hardened) = &image.hardened {
            verdicts.extend(self.prove_hardened(image, hardened, &baselines)?);
        }
        for mode in audits.into_iter().filter(|mode| self.modes.contains(mode)) {
            let (_, missed) = self.audited_life(image, &image.profile.path, mode, "audit")?;
            verdicts.push(self.tell(image, format!("audit, {mode}"), missed));
        }
        if let Source::Confine { program: confine, .. } = &self.source {
            let unforeseen = observed::life(
                confine,
                &self.interrupt,
                &self.images,
                &image.target,
                &image.output,
            )?;
            verdicts.push(self.tell(image, "observed".to_owned(), unforeseen));
        }
        Ok(verdicts)
    }

    /// The engine's modes again, with a policy for each program beside the container's, and a probe under the main
    /// program's.
    fn prove_hardened(
        &self,
        image: &Prepared,
        hardened: &Hardened,
        baselines: &BTreeMap<Mode, Outcome>,
    ) -> anyhow::Result<Vec<(String, Verdict)>> {
        let mut verdicts = Vec::new();
        let confined = Seccomp::Profile(hardened.profile.clone());
        let modes = self.modes.iter().filter(|mode| mode.engine == Engine::Docker);
        for (index, mode) in modes.enumerate() {
            let Some(baseline) = baselines
                .get(&mode.baseline())
                .filter(|baseline| baseline.is_complete())
            else {
                continue;
            };
            let outcome = self.life_of(
                image,
                &hardened.target,
                *mode,
                &confined,
                &format!("hardened-{index}"),
            )?;
            let mut problems = outcome.differences(baseline);
            if !problems.is_empty() && !outcome.log.is_empty() {
                problems.push(format!("the end of its log:\n\n```\n{}\n```", outcome.log));
            }
            verdicts.push(self.tell(image, format!("hardened, {mode}"), problems));
        }
        // What a probe is killed for is logged, too.
        let _alone = self.alone()?;
        let problems = hardened.probe(&self.interrupt)?;
        verdicts.push(self.tell(image, "hardened, probe".to_owned(), problems));
        Ok(verdicts)
    }

    fn tell(&self, image: &Prepared, mode: String, problems: Vec<String>) -> (String, Verdict) {
        let word = if problems.is_empty() { "pass" } else { "FAIL" };
        eprintln!("{word}  {}, {mode}", image.target.name);
        for problem in &problems {
            eprintln!("      {}", problem.replace('\n', "\n      "));
        }
        (mode, Verdict { problems })
    }

    /// Waits until nobody else of this run reads the kernel's log or makes it grow.
    fn alone(&self) -> anyhow::Result<MutexGuard<'_, ()>> {
        let audit = self.audit.lock();
        audit.map_err(|_| anyhow::anyhow!("a worker gave up"))
    }

    /// One container's life in one mode.
    fn life(&self, image: &Prepared, mode: Mode, seccomp: &Seccomp, label: &str) -> Result<Outcome, Error> {
        self.life_of(image, &image.target, mode, seccomp, label)
    }

    /// As [`Runner::life`], of an image that stands for it on the engine.
    fn life_of(
        &self,
        image: &Prepared,
        target: &Target,
        mode: Mode,
        seccomp: &Seccomp,
        label: &str,
    ) -> Result<Outcome, Error> {
        let name = format!("confine-{}-{}-{label}", std::process::id(), image.target.name);
        let folder = image.output.join("scratch").join(label);
        let place = Place {
            images: &self.images,
            recipe: image.target.workload(),
            interrupt: &self.interrupt,
        };
        let outcome = trial::lead(&place, || {
            mode.start(target, &image.built, seccomp, &name, &folder, &self.interrupt)
        });
        if !self.keep {
            let _ = fs::remove_dir_all(&folder);
        }
        outcome
    }

    /// One life under the list of a profile with everything else logged: the calls that were logged.
    fn audited_life(
        &self,
        image: &Prepared,
        profile: &Path,
        mode: Mode,
        label: &str,
    ) -> anyhow::Result<(Outcome, Vec<String>)> {
        let audit = image.output.join("audit.json");
        profile::auditing(profile, &audit)?;
        let _alone = self.alone()?;
        let log = AuditLog::open(&self.interrupt)?;
        let outcome = self.life(image, mode, &Seccomp::Profile(audit), label)?;
        let report = image.report()?;
        Ok((outcome, missed::missed(&log.finish()?, report.as_ref())))
    }
}
