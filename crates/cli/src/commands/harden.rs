//! `confine harden` and `confine mount`: every program its own policy, in an image or beside one.

use std::fs;

use anyhow::Context;
use confine_image::Image;
use confine_report::Report;

use crate::arguments::{AnalysisArguments, HardenArguments, MountArguments, WishArguments};
use crate::harden::{self, Hardened, Own, Wishes};
use crate::output::{self, Output};
use crate::written::{self, Format};
use crate::{Outcome, analysis, policy, remembered, summary, terminal};

/// Writes the image with a layer more, and the container's profile.
pub fn harden(arguments: &HardenArguments) -> anyhow::Result<Outcome> {
    let profile = arguments.profile.as_deref().map(Output::prepare).transpose()?;
    let Some((image, report, hardened)) = prepare(&arguments.analysis, &arguments.wishes)? else {
        return Ok(Outcome::Incomplete);
    };
    let parts = image.parts.as_ref().with_context(|| {
        format!(
            "{}: expected an image with layers: `confine mount` prepares files beside a folder",
            image.reference
        )
    })?;
    let digest = confine_image::write(parts, &hardened.addition, &arguments.output)?;
    if let Some(profile) = profile {
        profile.write(&container_profile(&report, arguments.analysis.quiet)?)?;
    }
    output::print(format!("{digest}\n"))?;
    tell(&hardened, arguments.analysis.quiet);
    Ok(Outcome::Done)
}

/// Writes the files that belong into a container, and its profile, to a folder, and says how to use them.
pub fn mount(arguments: &MountArguments) -> anyhow::Result<Outcome> {
    let folder = &arguments.output;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let folder = folder
        .canonicalize()
        .with_context(|| format!("cannot find {}", folder.display()))?;
    let Some((_, report, hardened)) = prepare(&arguments.analysis, &arguments.wishes)? else {
        return Ok(Outcome::Incomplete);
    };
    for (path, file) in hardened.addition.files() {
        let target = folder.join(path.trim_start_matches('/'));
        output::write_with_mode(&target, &file.bytes, file.mode & 0o777)?;
    }
    output::write_with_mode(
        &folder.join(harden::PROFILE),
        &container_profile(&report, arguments.analysis.quiet)?,
        0o644,
    )?;
    output::print(harden::snippets(
        &arguments.analysis.image,
        &folder,
        &hardened.addition,
    ))?;
    tell(&hardened, arguments.analysis.quiet);
    Ok(Outcome::Done)
}

/// The analysis and what comes of it; nothing if `--strict` was not satisfied.
fn prepare(
    arguments: &AnalysisArguments,
    wishes: &WishArguments,
) -> anyhow::Result<Option<(Image, Report, Hardened)>> {
    let (image, mut report) = analysis::run_on_image(&remembered::recall(arguments)?)?;
    if wishes.strict && report.is_incomplete() {
        summary::show_incomplete(&report);
        return Ok(None);
    }
    let wanted = Wishes {
        only: &wishes.only,
        deny_unknown: wishes.deny_unknown,
        no_new_privileges: wishes.no_new_privileges,
        logging: false,
    };
    let hardened = harden::harden(&image, &report, &wanted)?;
    harden::add_loader_calls(&mut report);
    Ok(Some((image, report, hardened)))
}

/// The profile that the container runs under, and a word about what it cannot say.
fn container_profile(report: &Report, quiet: bool) -> anyhow::Result<Vec<u8>> {
    let written = written::write(&policy::whole(report), Format::Oci)?;
    for loss in written.coarser.iter().filter(|_| !quiet) {
        summary::show_coarser(None, loss);
    }
    Ok(written.files.concat())
}

fn tell(hardened: &Hardened, quiet: bool) {
    if quiet {
        return;
    }
    for Own {
        path,
        calls,
        conditional,
        coarser,
        ..
    } in &hardened.programs
    {
        terminal::note(&format!(
            "{path}: {calls} calls, {conditional} of them by argument"
        ));
        for loss in coarser {
            summary::show_loosened(path, loss);
        }
    }
    for (path, reason) in &hardened.without {
        terminal::warning(&format!("{path} has no policy of its own: {reason}"));
    }
}
