//! From a recipe to an image on the engine, its archive and its unpacked files, and from the sources to the program; nothing
//! is done twice.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use confine_engine::{Docker, ImageConfig, Interrupt, Invocation, Rootfs};
use tempfile::TempDir;

use super::recipe::{self, Target, hash};

const HASH_LABEL: &str = "confine.recipe";

/// Builds the program as users get it.
pub fn confine(root: &Path, interrupt: &Interrupt) -> anyhow::Result<PathBuf> {
    eprintln!("building confine");
    let build = Invocation::new("cargo")
        .args(["build", "--release", "--package", "confine"])
        .folder(root);
    build
        .limit(Duration::from_secs(1800))
        .interrupt(interrupt)
        .output()?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let program = target.join("release/confine");
    ensure!(program.is_file(), "the build left no {}", program.display());
    Ok(program)
}

/// An image that is ready to be analysed and started.
pub struct Built {
    /// The archive that `docker save` wrote.
    pub archive: PathBuf,
    /// Its files, for the runtimes.
    pub rootfs: Rootfs,
    /// How it starts and stops.
    pub config: ImageConfig,
}

/// Builds what is missing; `output` is the image's own folder for what is kept.
pub fn build(
    docker: &Docker,
    interrupt: &Interrupt,
    images: &Path,
    target: &Target,
    output: &Path,
) -> anyhow::Result<Built> {
    of_target(docker, interrupt, images, target)?;
    let reference = target.reference();
    let archive = output.join("image.tar");
    let rootfs = unpacked(docker, &reference, output, || {
        Ok(docker.save(&reference, &archive)?)
    })?;
    Ok(Built {
        archive,
        rootfs,
        config: docker.config(&reference)?,
    })
}

/// Builds a target's image, and that of the recipe beside it, unless they are there already.
pub fn of_target(
    docker: &Docker,
    interrupt: &Interrupt,
    images: &Path,
    target: &Target,
) -> anyhow::Result<()> {
    if let Some(beside) = &target.recipe.beside {
        let mut targets = recipe::all(images)?.into_iter();
        let other = targets
            .find(|other| other.name == *beside && other.recipe.beside.is_none())
            .with_context(|| {
                let name = &target.name;
                format!(
                    "{name} wants `{beside}` beside it: expected a recipe of that name that needs none itself"
                )
            })?;
        of_target(docker, interrupt, images, &other)?;
    }
    let gathered = target.like.as_deref().map(|like| gather(&[like, &target.folder]));
    let gathered = gathered.transpose()?;
    let folder = gathered.as_ref().map_or(target.folder.as_path(), TempDir::path);
    image(
        docker,
        interrupt,
        images,
        &target.base,
        folder,
        &target.reference(),
    )
}

/// The files of several folders in one; of files of one name, that of the last folder.
fn gather(folders: &[&Path]) -> anyhow::Result<TempDir> {
    let all = tempfile::tempdir().context("cannot create a temporary folder")?;
    for folder in folders {
        let entries =
            std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            std::fs::copy(entry.path(), all.path().join(entry.file_name()))
                .with_context(|| format!("cannot copy {}", entry.path().display()))?;
        }
    }
    Ok(all)
}

/// Builds the image of a folder with a Dockerfile on a Debian release's base image, unless it is there already.
pub fn image(
    docker: &Docker,
    interrupt: &Interrupt,
    images: &Path,
    codename: &str,
    folder: &Path,
    reference: &str,
) -> anyhow::Result<()> {
    let base = base_image(docker, interrupt, images, codename)?;
    derived(docker, base, folder, reference, &[])
}

/// Builds the image of a folder with a Dockerfile on another image, with more build arguments, unless it is there
/// already.
pub fn derived(
    docker: &Docker,
    base: String,
    folder: &Path,
    reference: &str,
    more: &[(&str, &str)],
) -> anyhow::Result<()> {
    let mut inputs = docker.image_id(&base)?;
    inputs.extend(more.iter().map(|(name, value)| format!(" {name}={value}")));
    let hash = hash(folder, &inputs)?;
    if docker.label(reference, HASH_LABEL)?.as_deref() == Some(&hash) {
        return Ok(());
    }
    eprintln!("building {reference}");
    let mut arguments = vec![("BASE".to_owned(), base)];
    let more = more.iter();
    arguments.extend(more.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    for name in ["http_proxy", "https_proxy", "no_proxy"] {
        arguments.extend(std::env::var(name).ok().map(|value| (name.to_owned(), value)));
    }
    docker.build(folder, reference, &arguments, &format!("{HASH_LABEL}={hash}"))?;
    Ok(())
}

/// An image's files below `output`, unpacked anew if the image changed; then `more` is done, too.
pub fn unpacked(
    docker: &Docker,
    reference: &str,
    output: &Path,
    more: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<Rootfs> {
    let id = docker.image_id(reference)?;
    let files = output.join("rootfs");
    let stamp = output.join("image-id");
    if std::fs::read_to_string(&stamp).ok().as_deref() != Some(&id) {
        let _ = std::fs::remove_dir_all(output);
        std::fs::create_dir_all(output).with_context(|| format!("cannot create {}", output.display()))?;
        more()?;
        let flat = output.join("flat.tar");
        docker.export(reference, &flat)?;
        Rootfs::unpack(&flat, &files)?;
        std::fs::remove_file(&flat)?;
        std::fs::write(&stamp, &id)?;
    }
    Ok(Rootfs::existing(&files))
}

/// The local base image of a Debian release.
pub fn base_image(
    docker: &Docker,
    interrupt: &Interrupt,
    images: &Path,
    codename: &str,
) -> anyhow::Result<String> {
    let reference = format!("confine-test/base:{codename}");
    let folder = images.join("base");
    let hash = hash(&folder, codename)?;
    if docker.label(&reference, HASH_LABEL)?.as_deref() != Some(&hash) {
        eprintln!("building {reference}");
        let build = Invocation::new(folder.join("build")).args([codename, &reference, &hash]);
        build
            .limit(Duration::from_secs(900))
            .interrupt(interrupt)
            .output()?;
    }
    Ok(reference)
}
