//! What a command that compares or judges policies is given: an image, a report of `confine profile --report`, or a
//! seccomp profile. Which one is told by the content.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, bail, ensure};
use confine_kernel::DOCKER_CAPABILITIES;
use confine_profile::{Note, Reading};
use confine_report::Report;
use serde::Deserialize;
use tempfile::NamedTempFile;

use crate::analysis;
use crate::arguments::AnalysisArguments;

/// What was given, read.
pub enum Subject {
    /// An image that was just analysed.
    Image(Box<Report>),
    /// A report from a file.
    Report(Box<Report>),
    /// A profile from a file.
    Profile(Box<Reading>),
}

impl Subject {
    /// What a reader of the policy should know, in lines.
    pub fn notes(&self) -> Vec<String> {
        match self {
            Self::Profile(reading) => profile_notes(reading),
            Self::Image(report) | Self::Report(report) => {
                let widened = report.allowed.iter().filter(|call| call.widened).count();
                match widened {
                    0 => Vec::new(),
                    widened => vec![format!(
                        "{widened} calls are allowed only because something is unresolved: `confine inspect` names it"
                    )],
                }
            }
        }
    }

    /// What it is, in one word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Image(_) => "image",
            Self::Report(_) => "report",
            Self::Profile(_) => "profile",
        }
    }
}

/// What a profile leaves to others, one line for what is the same of many calls.
fn profile_notes(reading: &Reading) -> Vec<String> {
    let depending = |wanted: bool| -> Vec<&str> {
        let notes = reading.notes.iter();
        let calls = notes.filter_map(|note| match note {
            Note::Conditional { call, taken } if *taken == wanted => Some(*call),
            _ => None,
        });
        calls.collect()
    };
    let others = reading.notes.iter();
    let mut notes: Vec<String> = others
        .filter(|note| !matches!(note, Note::Conditional { .. }))
        .map(ToString::to_string)
        .collect();
    for (calls, done) in [(depending(true), "taken"), (depending(false), "left out")] {
        if !calls.is_empty() {
            notes.push(format!(
                "entries that depend on capabilities, architecture or kernel version were {done} for {}",
                calls.join(" ")
            ));
        }
    }
    notes
}

/// How large a file of JSON may be: reports of the largest images have some tens of megabytes.
const MAXIMUM_BYTES: u64 = 1 << 30;

/// Reads a report or a profile, or analyses an image; `-` is any of them on the standard input. Profiles count as for a
/// container with these capabilities besides those that Docker gives.
pub fn load(
    reference: &str,
    arguments: &AnalysisArguments,
    capabilities: &[String],
) -> anyhow::Result<Subject> {
    if reference == "-" {
        let spool = spool().context("cannot read the standard input")?;
        let path = spool.path().to_string_lossy().into_owned();
        let mut subject = load_file(&path, arguments, capabilities).context("-")?;
        if let Subject::Image(report) = &mut subject {
            "-".clone_into(&mut report.image.reference);
        }
        return Ok(subject);
    }
    load_file(reference, arguments, capabilities)
}

fn load_file(
    reference: &str,
    arguments: &AnalysisArguments,
    capabilities: &[String],
) -> anyhow::Result<Subject> {
    let path = Path::new(reference);
    if path.is_file() && begins_as_json(path).with_context(|| reference.to_owned())? {
        let text = read(path).with_context(|| format!("cannot read {reference}"))?;
        return parse(&text, capabilities).with_context(|| reference.to_owned());
    }
    let arguments = AnalysisArguments {
        image: reference.to_owned(),
        ..arguments.clone()
    };
    Ok(Subject::Image(Box::new(analysis::run(&arguments)?)))
}

fn parse(text: &str, capabilities: &[String]) -> anyhow::Result<Subject> {
    #[derive(Deserialize)]
    struct Known {
        schema: Option<serde_json::Value>,
        #[serde(rename = "defaultAction")]
        default_action: Option<serde_json::Value>,
    }
    let known: Known =
        serde_json::from_str(text).context("neither a report of confine nor a seccomp profile")?;
    if known.schema.is_some() {
        return Ok(Subject::Report(Box::new(Report::from_json(text)?)));
    }
    if known.default_action.is_none() {
        bail!(
            "neither a report of confine, which has a member \"schema\", nor a seccomp profile, which has \"defaultAction\""
        );
    }
    let capabilities: Vec<&str> = DOCKER_CAPABILITIES
        .into_iter()
        .chain(capabilities.iter().map(String::as_str))
        .collect();
    Ok(Subject::Profile(Box::new(confine_profile::read_oci(
        text,
        &capabilities,
    )?)))
}

/// No image begins with a brace, whatever white space before it.
fn begins_as_json(path: &Path) -> io::Result<bool> {
    let mut start = [0; 512];
    let count = File::open(path)?.read(&mut start)?;
    let mut bytes = start
        .iter()
        .take(count)
        .skip_while(|byte| byte.is_ascii_whitespace());
    Ok(bytes.next() == Some(&b'{'))
}

fn read(path: &Path) -> anyhow::Result<String> {
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    ensure!(
        bytes <= MAXIMUM_BYTES,
        "it has {bytes} bytes, expected at most {MAXIMUM_BYTES}"
    );
    let mut text = String::new();
    file.take(MAXIMUM_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

fn spool() -> io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new()?;
    io::copy(&mut io::stdin().lock(), &mut file)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_tells_what_a_file_is() {
        let profile = r#" {"defaultAction": "SCMP_ACT_ERRNO"}"#;
        assert_eq!(
            parse(profile, &[]).map(|subject| subject.kind()).ok(),
            Some("profile")
        );
        for (text, expected) in [
            ("{", "neither a report of confine nor a seccomp profile"),
            ("{}", "which has \"defaultAction\""),
            (r#"{"schema": "other", "version": 1}"#, "expected the schema"),
            (r#"{"defaultAction": "none"}"#, "expected an action"),
        ] {
            let Err(error) = parse(text, &[]) else {
                panic!("{text} is read")
            };
            assert!(format!("{error:#}").contains(expected), "{error:#}");
        }
    }

    #[test]
    fn only_json_begins_with_a_brace() {
        let folder = tempfile::tempdir().unwrap();
        for (content, expected) in [
            ("{", true),
            (" \n\t{}", true),
            ("", false),
            ("[", false),
            ("PK", false),
        ] {
            let path = folder.path().join("file");
            std::fs::write(&path, content).unwrap();
            assert_eq!(begins_as_json(&path).unwrap(), expected, "{content:?}");
        }
    }
}
