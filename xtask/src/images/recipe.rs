//! What tests/images says about each image: how it is built, reached and judged.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use confine_image::hexadecimal;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// The `recipe.toml` of an image's folder.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Recipe {
    /// The Debian releases that it is built on; the first gives the image its plain name.
    pub bases: Vec<String>,
    /// Another recipe, or a folder of what several share, which has the files that the own folder lacks.
    pub like: Option<String>,
    /// The port on which its server listens.
    pub port: u16,
    /// Another user than the image's own that it can run as.
    pub user: String,
    /// The name of its main program, as called.
    pub main: String,
    /// What its workload executes in the container besides, as `--also` is told it.
    #[serde(default)]
    pub also: Vec<String>,
    /// Another recipe, whose image its workload starts beside it.
    pub beside: Option<String>,
    /// Variables that it needs, as `NAME=value`.
    #[serde(default)]
    pub environment: Vec<String>,
    /// Its name in the published table.
    pub published: Option<String>,
    /// What it is, where the published product is not to be had from Debian's archive.
    #[serde(rename = "stand-in")]
    pub stand_in: Option<String>,
    /// Whether it is for the evaluation alone: `cargo xtask images` leaves it out unless it is named.
    #[serde(default)]
    pub evaluation: bool,
    /// Programs, by file name, that its workload has executed and that the report does not name, only an assumption about
    /// the place that executes them.
    #[serde(default)]
    pub assumed_programs: Vec<String>,
    /// Folders in which it makes objects while it runs, as a server that compiles its configuration does.
    #[serde(default)]
    pub made_objects: Vec<String>,
    /// A call without which it cannot work: the runner takes it away to see itself fail.
    pub needed_call: String,
    /// Whether it belongs to the quick subset.
    #[serde(default)]
    pub quick: bool,
}

impl Recipe {
    /// The flags that tell confine what the workload executes besides.
    pub fn also_arguments(&self) -> impl Iterator<Item = &str> {
        self.also.iter().flat_map(|command| ["--also", command])
    }
}

/// One image to build and try: a recipe on one base.
#[derive(Debug, Clone)]
pub struct Target {
    /// What it is called here, e.g. `nginx` or `nginx-trixie`.
    pub name: String,
    /// The recipe's folder below tests/images.
    pub recipe_name: String,
    /// The Debian release under it.
    pub base: String,
    /// What tests/images says about it.
    pub recipe: Recipe,
    /// The recipe's folder.
    pub folder: PathBuf,
    /// The folder of the recipe that has what the own folder lacks.
    pub like: Option<PathBuf>,
}

/// What leads the container through its life, in a recipe's folder.
const WORKLOAD: &str = "workload.bash";

impl Target {
    /// The image's reference on the engine.
    pub fn reference(&self) -> String {
        format!("confine-test/{}:{}", self.recipe_name, self.base)
    }

    /// The recipe that has the workload, as `run-step` is told it.
    pub fn workload(&self) -> &str {
        match &self.recipe.like {
            Some(other) if !self.folder.join(WORKLOAD).is_file() => other,
            _ => &self.recipe_name,
        }
    }
}

/// Every recipe on each of its bases, in the order of their names.
pub fn all(images: &Path) -> anyhow::Result<Vec<Target>> {
    let mut targets = Vec::new();
    for entry in std::fs::read_dir(images).with_context(|| format!("cannot list {}", images.display()))? {
        let folder = entry?.path();
        let path = folder.join("recipe.toml");
        let (true, Some(recipe_name)) = (path.is_file(), folder.file_name().and_then(|name| name.to_str()))
        else {
            continue;
        };
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let recipe: Recipe =
            toml::from_str(&text).with_context(|| format!("malformed {}", path.display()))?;
        for (index, base) in recipe.bases.iter().enumerate() {
            let name = if index == 0 {
                recipe_name.to_owned()
            } else {
                format!("{recipe_name}-{base}")
            };
            targets.push(Target {
                name,
                recipe_name: recipe_name.to_owned(),
                base: base.clone(),
                like: recipe.like.as_ref().map(|other| images.join(other)),
                recipe: recipe.clone(),
                folder: folder.clone(),
            });
        }
    }
    targets.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(targets)
}

/// The targets asked for by name, or all, or the quick ones, in the order of their names.
pub fn targets(images: &Path, names: &[String], quick: bool) -> anyhow::Result<Vec<Target>> {
    let mut targets = all(images)?;
    if let Some(unknown) = names
        .iter()
        .find(|name| !targets.iter().any(|target| target.name == **name))
    {
        let known: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
        bail!("no image is called `{unknown}`; there are {}", known.join(", "));
    }
    targets.retain(|target| {
        if names.is_empty() {
            !target.recipe.evaluation && !quick
                || (target.recipe.quick && target.recipe.bases.first() == Some(&target.base))
        } else {
            names.contains(&target.name)
        }
    });
    Ok(targets)
}

/// How many bytes of a digest tell one thing from another here.
const SHORT: usize = 8;

/// A digest, short.
pub fn short(digest: &[u8]) -> String {
    hexadecimal(digest.get(..SHORT).unwrap_or(digest))
}

/// A digest of a file, short.
pub fn digest(path: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(short(&Sha256::digest(&bytes)))
}

/// A hash over the names and contents of the files that go into an image, and `more`.
///
/// What only the runner reads does not count, so that a changed workload does not cause a rebuild.
pub fn hash(folder: &Path, more: &str) -> anyhow::Result<String> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    let only_read_by_the_runner = ["recipe.toml", WORKLOAD, "suites", "archive"];
    paths.retain(|path| !only_read_by_the_runner.iter().any(|name| path.ends_with(name)));
    paths.sort();
    let mut hasher = Sha256::new();
    hasher.update(more);
    for path in paths {
        let content = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        hasher.update(path.file_name().unwrap_or_default().as_encoded_bytes());
        hasher.update(content.len().to_le_bytes());
        hasher.update(&content);
    }
    Ok(short(&hasher.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(quick: bool, wanted: &[&str]) -> Vec<String> {
        let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/images");
        let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
        targets(&images, &wanted, quick)
            .unwrap()
            .into_iter()
            .map(|target| target.name)
            .collect()
    }

    #[test]
    fn every_recipe_is_well_formed_and_the_quick_ones_are_few() {
        assert_eq!(names(true, &[]), ["nginx", "node-exporter", "redis", "static"]);
        assert!(names(false, &[]).contains(&"postgres-trixie".to_owned()));
        assert_eq!(names(true, &["postgres"]), ["postgres"]);
    }

    #[test]
    fn what_a_recipe_lacks_another_one_has() {
        let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/images");
        for target in all(&images).unwrap() {
            let has = |folder: &Path, name: &str| folder.join(name).is_file();
            for name in ["Dockerfile", WORKLOAD] {
                let other = target.like.as_deref().is_some_and(|like| has(like, name));
                assert!(has(&target.folder, name) || other, "{}: {name}", target.name);
            }
            assert!(
                images.join(target.workload()).join(WORKLOAD).is_file(),
                "{}",
                target.name
            );
        }
    }

    #[test]
    fn a_recipe_is_built_again_when_an_input_of_it_changes_and_only_then() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let now = || hash(folder.path(), "base").unwrap();
        write("Dockerfile", "FROM scratch");
        let first = now();
        write("workload.bash", "ready() { :; }");
        assert_eq!(now(), first);
        write("Dockerfile", "FROM other");
        assert_ne!(now(), first);
    }
}
