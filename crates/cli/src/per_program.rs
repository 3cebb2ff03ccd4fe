//! A folder with the policy of every program, and its index.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use confine_image::hexadecimal;
use confine_policy::{Architecture, Policy};
use confine_report::{Coarser, Program, Report};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::arguments::Within;
use crate::output::Output;
use crate::policy;
use crate::written::{self, Format, Written};

/// What the index calls itself.
const SCHEMA: &str = "confine-policies";

/// The version of its schema; it grows whenever a reader of the older one could misunderstand it.
const VERSION: u32 = 1;

/// The index's name in the folder.
const INDEX: &str = "index.json";

/// How much of a program's name is in that of its file.
const NAME: usize = 64;

/// How many digits of a digest tell programs of one name apart.
const DIGITS: usize = 12;

/// Which file holds whose policy.
#[derive(Serialize)]
struct Index<'a> {
    schema: &'static str,
    version: u32,
    /// The version of confine that made it.
    confine: &'a str,
    /// The image that the programs are of.
    image: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'a str>,
    /// What the files are written as.
    format: &'static str,
    programs: Vec<Listed<'a>>,
}

#[derive(Serialize)]
struct Listed<'a> {
    /// The program's path in the image, every symbolic link followed.
    path: &'a str,
    /// SHA-256 of the program, in hexadecimal.
    sha256: &'a str,
    /// Files of the folder, all of which are needed.
    files: Vec<String>,
    /// How many calls the policy allows.
    calls: usize,
    /// How many of them with some arguments only.
    restricted: usize,
    /// The other programs whose calls are in the policy, as they can run under it.
    with: Vec<&'a str>,
    /// Calls of which the files allow more arguments than the policy does, as the form cannot say it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    coarser: Vec<String>,
}

/// Writes the folder. The index comes last: where it is, everything that it names is there.
///
/// What the form cannot express is returned, by program.
pub fn write(
    report: &Report,
    folder: &Path,
    format: Format<'_>,
    within: Option<Within>,
) -> anyhow::Result<Vec<(String, Coarser)>> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let mut losses = Vec::new();
    let mut programs = Vec::new();
    // Programs that the same can run under have one policy.
    let mut all: BTreeMap<BTreeSet<usize>, (Policy, Written)> = BTreeMap::new();
    for (index, program) in report.programs.iter().enumerate() {
        let members = policy::under(report, index);
        let (policy, written) = match all.entry(members.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let policy = policy::bounded(policy::of_all(report, &members), within);
                let written = written::write(&policy, format).with_context(|| program.path.clone())?;
                new.insert((policy, written))
            }
        };
        let files = names(&program.path, written.files.len(), format);
        for (name, content) in files.iter().zip(&written.files) {
            Output::prepare(&folder.join(name))?.write(content)?;
        }
        let coarser = written.coarser.iter().map(|loss| loss.name.clone()).collect();
        losses.extend(
            written
                .coarser
                .iter()
                .map(|loss| (program.path.clone(), loss.clone())),
        );
        let others = members.into_iter().filter(|other| *other != index);
        let others = others.filter_map(|other| report.programs.get(other));
        let with = others.map(|other| other.path.as_str()).collect();
        programs.push(entry(report, program, policy, with, files, coarser));
    }
    let index = Index {
        schema: SCHEMA,
        version: VERSION,
        confine: &report.confine,
        image: &report.image.reference,
        digest: report.image.digest.as_deref(),
        format: match format {
            Format::Oci => "oci",
            Format::Kubernetes(_) => "kubernetes",
            Format::Systemd => "systemd",
            Format::Podman => "podman",
            Format::Bpf(_) => "bpf",
        },
        programs,
    };
    let mut text = serde_json::to_string_pretty(&index).context("cannot write the index as JSON")?;
    text.push('\n');
    Output::prepare(&folder.join(INDEX))?.write(text)?;
    Ok(losses)
}

fn entry<'a>(
    report: &'a Report,
    program: &'a Program,
    policy: &Policy,
    with: Vec<&'a str>,
    files: Vec<String>,
    coarser: Vec<String>,
) -> Listed<'a> {
    let object = program
        .objects
        .first()
        .and_then(|loaded| report.objects.get(loaded.object));
    Listed {
        path: &program.path,
        sha256: object.map_or("", |object| &object.sha256),
        files,
        calls: policy.calls(Architecture::X86_64).count(),
        restricted: policy
            .calls(Architecture::X86_64)
            .filter(|(_, rule)| !rule.is_any())
            .count(),
        with,
        coarser,
    }
}

/// The names of a program's files. Paths of an image are untrusted and may be long: a name has nothing but letters, digits
/// and some signs of the last part, and digits of the path's digest, which tell it from others.
fn names(path: &str, count: usize, format: Format<'_>) -> Vec<String> {
    let last = path.rsplit('/').next().unwrap_or_default();
    let plain = |character: char| match character.is_ascii_alphanumeric() || "._+-".contains(character) {
        true => character,
        false => '_',
    };
    let name: String = last
        .trim_start_matches('.')
        .chars()
        .map(plain)
        .take(NAME)
        .collect();
    let mut digits = hexadecimal(&Sha256::digest(path.as_bytes()));
    digits.truncate(DIGITS);
    let extension = match format {
        Format::Oci => "json",
        Format::Kubernetes(_) => "yaml",
        Format::Systemd => "conf",
        Format::Podman => "Containerfile",
        Format::Bpf(_) => "bpf",
    };
    let first = PathBuf::from(format!("{name}-{digits}.{extension}"));
    let all = (0..count).map(|number| numbered(&first, number));
    all.map(|path| path.to_string_lossy().into_owned()).collect()
}

/// The name of one of several files: the first has the name itself, the others a number behind it.
pub fn numbered(first: &Path, number: usize) -> PathBuf {
    match number {
        0 => first.to_owned(),
        more => {
            let mut name = first.as_os_str().to_owned();
            name.push(format!(".{}", more + 1));
            PathBuf::from(name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_tell_paths_apart() {
        for (path, count, expected) in [
            ("/usr/sbin/nginx", 1, vec!["nginx-3046a7af6e8e.json"]),
            ("/usr/local/sbin/nginx", 1, vec!["nginx-182b7e8bb88a.json"]),
            (
                "/..\u{1f600}x y",
                2,
                vec!["_x_y-c36c76d7f14d.json", "_x_y-c36c76d7f14d.json.2"],
            ),
        ] {
            assert_eq!(names(path, count, Format::Oci), expected);
        }
        let long = format!("/{}", "x".repeat(5000));
        let names = names(&long, 1, Format::Bpf(&confine_bpf::Options::default()));
        assert!(
            names
                .iter()
                .all(|name| name.len() < 100 && name.ends_with(".bpf"))
        );
    }
}
