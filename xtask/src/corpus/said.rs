//! What confine says of programs of a root file system.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use confine_assumption::Effect;
use confine_engine::{Interrupt, Invocation};
use confine_report::{Call, Program, Report};

/// How many programs one run of confine analyses. Many share what they execute, which is analysed in each run; all at once
/// would keep every object of the corpus in memory.
const AT_ONCE: usize = 240;

/// What confine says that one program calls.
pub struct Said {
    /// The calls that a policy for it allows.
    pub names: BTreeSet<String>,
    /// Those that it can reach; none if a policy for it is wider, as it is where a number stays open.
    pub calls: Vec<Call>,
}

impl Said {
    /// What a report says of one of its programs.
    pub fn new(report: &Report, program: &Program) -> Self {
        let mut said = Self {
            names: program.calls.iter().map(|call| call.name.clone()).collect(),
            calls: program.calls.clone(),
        };
        // Where a number stayed open, the policy has all that the engine's default allows.
        if is_widened(program) {
            let widened = report.widened.iter().map(|widened| widened.name.clone());
            said.names.extend(widened);
            said.calls.clear();
        }
        said
    }
}

/// Whether a number stayed open in a program.
pub fn is_widened(program: &Program) -> bool {
    let mut assumptions = program.assumptions.iter();
    assumptions.any(|assumption| assumption.effect == Effect::WidenedToDefault)
}

/// Runs confine on programs of one root file system.
pub struct Analysis<'a> {
    /// The program confine.
    pub confine: &'a Path,
    /// The root file system.
    pub rootfs: &'a Path,
    /// Where reports lie for a moment.
    pub output: &'a Path,
    /// What ends it early.
    pub interrupt: &'a Interrupt,
}

impl Analysis<'_> {
    /// What confine says of each of these programs.
    pub fn said(&self, programs: &[String]) -> anyhow::Result<BTreeMap<String, Said>> {
        let mut all = BTreeMap::new();
        self.each(programs, |report, program| {
            all.insert(program.path.clone(), Said::new(report, program));
        })?;
        Ok(all)
    }

    /// Hands on each program with the report that it is in.
    pub fn each(
        &self,
        programs: &[String],
        mut hand_on: impl FnMut(&Report, &Program),
    ) -> anyhow::Result<()> {
        for (index, some) in programs.chunks(AT_ONCE).enumerate() {
            eprintln!(
                "analysing {} to {} of {}",
                index * AT_ONCE + 1,
                index * AT_ONCE + some.len(),
                programs.len()
            );
            let report = self.report(some)?;
            let wanted = report.programs.iter();
            for program in wanted.filter(|program| some.contains(&program.path)) {
                hand_on(&report, program);
            }
        }
        Ok(())
    }

    fn report(&self, programs: &[String]) -> anyhow::Result<Report> {
        // Several runs may share the folder.
        let path: PathBuf = self.output.join(format!("report-{}.json", std::process::id()));
        let mut analysis = Invocation::new(self.confine)
            .args(["profile", "--quiet", "--output", "/dev/null", "--report"])
            .arg(&path)
            .args(["--entrypoint", ""]);
        for program in programs {
            analysis = analysis.args(["--also", program]);
        }
        analysis
            .arg(format!("dir:{}", self.rootfs.display()))
            .limit(Duration::from_secs(3600))
            .interrupt(self.interrupt)
            .output()?;
        let report = crate::report::whole(&path);
        std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        report
    }
}
