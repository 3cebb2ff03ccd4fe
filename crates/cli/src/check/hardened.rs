//! The image with a policy for each of its programs, on the engine for the time of a check: once with policies that deny, and
//! once with the same ones that let through and log, for the life in which denied calls are watched.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::rc::Rc;

use anyhow::Context;
use confine_engine::{Installed, Interrupt, Source};
use confine_image::{Image, Target};
use confine_policy::Policy;
use confine_profile::MAXIMUM_CONDITIONAL;
use confine_report::Report;
use confine_report::text::count;

use super::policies::Checked;
use super::premises::Premises;
use crate::harden::{self, Hardened, Wishes};
use crate::{policy, terminal};

/// The hardened images.
pub struct HardenedImages {
    /// The one whose policies deny.
    pub denying: Installed,
    /// The one whose policies let through and log.
    pub logging: Installed,
    /// The policies by the paths of their programs. Others run under the container's.
    pub own: BTreeMap<String, Rc<Policy>>,
}

/// What a hardened image is made for.
pub struct Making<'a> {
    /// Where the image is on the engine.
    pub premises: &'a Premises,
    /// What every name of a container and of an image begins with.
    pub prefix: &'a str,
    /// Where files go.
    pub scratch: &'a Path,
    /// What ends every wait.
    pub interrupt: &'a Interrupt,
    /// Whether nothing is said.
    pub quiet: bool,
}

impl Making<'_> {
    /// Hardens the image as `confine harden` does, with the profile that it writes.
    pub fn make(&self, image: &Image, report: &Report) -> anyhow::Result<Checked> {
        let (denying, hardened) = self.install(image, report, false)?;
        let (logging, _) = self.install(image, report, true)?;
        if !self.quiet {
            for (path, reason) in &hardened.without {
                terminal::warning(&format!("{path} has no policy of its own: {reason}"));
            }
        }
        let mut with_loader = report.clone();
        harden::add_loader_calls(&mut with_loader);
        let policy = policy::container(&with_loader, MAXIMUM_CONDITIONAL);
        let path = self.scratch.join("hardened.json");
        fs::write(&path, confine_profile::oci(&policy)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
        let number = hardened.programs.len();
        let own = hardened
            .programs
            .into_iter()
            .map(|program| (program.path, program.policy));
        Ok(Checked {
            name: format!(
                "hardened, {} of their own",
                count(number, "program with a policy", "programs with policies")
            ),
            path,
            policy,
            hardened: Some(HardenedImages {
                denying,
                logging,
                own: own.collect(),
            }),
        })
    }

    fn install(
        &self,
        image: &Image,
        report: &Report,
        logging: bool,
    ) -> anyhow::Result<(Installed, Hardened)> {
        let parts = image.parts.as_ref().with_context(|| {
            format!(
                "{}: expected an image with layers to harden, which a folder is not",
                image.reference
            )
        })?;
        let wishes = Wishes {
            only: &[],
            deny_unknown: false,
            no_new_privileges: false,
            logging,
        };
        let hardened = harden::harden(image, report, &wishes)?;
        let word = if logging { "logging" } else { "denying" };
        let name = format!("{}hardened:{word}", self.prefix);
        let archive = self.scratch.join(format!("{word}.tar"));
        let target = Target::DockerArchive(archive.clone(), Some(name.clone()));
        confine_image::write(parts, &hardened.addition, &target)?;
        let engine = self.premises.installed.engine.clone();
        let source = Source::Archive(archive.clone(), Some(name));
        let installed = Installed::new(engine, source, self.prefix, self.interrupt)?;
        fs::remove_file(&archive).with_context(|| format!("cannot remove {}", archive.display()))?;
        Ok((installed, hardened))
    }
}
