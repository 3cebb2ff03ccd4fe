//! The policies that are checked: profiles that the user names, or the image's own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use confine_kernel::DOCKER_CAPABILITIES;
use confine_policy::{Architecture, Policy};
use confine_profile::{MAXIMUM_CONDITIONAL, read_oci};
use confine_report::Report;

use super::hardened::HardenedImages;
use crate::policy;

/// A policy to check.
pub struct Checked {
    /// What it is called.
    pub name: String,
    /// The profile that the engine is given.
    pub path: PathBuf,
    /// What it allows.
    pub policy: Policy,
    /// The images in place of the container's own, where each program has its own policy besides.
    pub hardened: Option<HardenedImages>,
}

impl Checked {
    /// Whether a program may not make a call.
    pub fn denies(&self, program: &str, number: u32, arguments: &[u64; 6]) -> bool {
        let own = self.hardened.as_ref().and_then(|images| images.own.get(program));
        let mut policies = std::iter::once(&self.policy).chain(own.map(|own| &**own));
        policies.any(|policy| !policy.allows(Architecture::X86_64, number, arguments))
    }
}

/// The profiles at `paths`, of which a folder stands for all its `.json` files; the image's own one, written into
/// `scratch`, where there are none.
pub fn policies(paths: &[PathBuf], report: Option<&Report>, scratch: &Path) -> anyhow::Result<Vec<Checked>> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = found.len();
            for file in profiles_in(path)? {
                found.push(read(&file)?);
            }
            ensure!(
                found.len() > before,
                "{} holds no profile: expected .json files",
                path.display()
            );
        } else {
            found.push(read(path)?);
        }
    }
    if let (true, Some(report)) = (found.is_empty(), report) {
        let policy = policy::container(report, MAXIMUM_CONDITIONAL);
        let path = scratch.join("profile.json");
        fs::write(&path, confine_profile::oci(&policy)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
        found.push(Checked {
            name: "the image's own profile".to_owned(),
            path,
            policy,
            hardened: None,
        });
    }
    Ok(found)
}

fn profiles_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry
            .with_context(|| format!("cannot list {}", folder.display()))?
            .path();
        if path.extension().is_some_and(|extension| extension == "json") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> anyhow::Result<Checked> {
    let context = || format!("cannot read the policy {}", path.display());
    let text = fs::read_to_string(path).with_context(context)?;
    let reading = read_oci(&text, &DOCKER_CAPABILITIES).with_context(context)?;
    Ok(Checked {
        name: path.display().to_string(),
        path: path.canonicalize().with_context(context)?,
        policy: reading.policy,
        hardened: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_stands_for_its_profiles() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        let profile = r#"{ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [] }"#;
        write("b.json", profile);
        write("a.json", profile);
        write("notes.txt", "none");
        let found = policies(&[folder.path().to_owned()], None, folder.path()).unwrap();
        let names: Vec<String> = found.into_iter().map(|checked| checked.name).collect();
        let expected = ["a.json", "b.json"].map(|name| folder.path().join(name).display().to_string());
        assert_eq!(names, expected);
        write("c.json", "{}");
        let error = policies(&[folder.path().to_owned()], None, folder.path())
            .err()
            .unwrap();
        assert!(
            format!("{error:#}").contains("c.json: not a seccomp profile"),
            "{error:#}"
        );
        let empty = tempfile::tempdir().unwrap();
        assert!(policies(&[empty.path().to_owned()], None, folder.path()).is_err());
    }
}
