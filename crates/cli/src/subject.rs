//! What a command that compares or judges policies is given: an image, a report of `confine profile --report`, or a
//! seccomp profile. Which one is told by the content.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, bail};
use confine_kernel::DOCKER_CAPABILITIES;
use confine_policy::Policy;
use confine_profile::{Note, Reading};
use confine_report::Report;
use serde::Deserialize;
use tempfile::NamedTempFile;

use crate::arguments::{AnalysisArguments, Within};
use crate::{analysis, input, policy, remembered};

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

    /// The policy, just as it is said: for the container, or for one program of a report from its start on; within a bound
    /// where there is one. A program of an image is the only one that was analysed.
    pub fn policy(&self, program: Option<&str>, within: Option<Within>) -> anyhow::Result<Policy> {
        let policy = match (self, program) {
            (Self::Profile(reading), None) if within.is_none() => return Ok(reading.policy.clone()),
            (Self::Profile(_), _) => {
                bail!("a profile is judged as it is: --program and --within are for images and reports")
            }
            (Self::Report(report), Some(name)) => {
                policy::starting(report, policy::named_program(report, name)?)
            }
            (Self::Image(report) | Self::Report(report), _) => policy::whole(report),
        };
        Ok(policy::bounded(policy, within))
    }

    /// Whether it says what is allowed and nothing else.
    pub fn is_profile(&self) -> bool {
        matches!(self, Self::Profile(_))
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

/// Where a subject lies. The standard input is put aside, so that it can be looked at more than once.
pub struct Place {
    /// What the user wrote.
    named: String,
    /// What is opened for it.
    opened: String,
    _spool: Option<NamedTempFile>,
}

impl Place {
    /// The place that a reference names; `-` is the standard input.
    pub fn of(reference: &str) -> anyhow::Result<Self> {
        let spool = (reference == STANDARD).then(spool).transpose();
        let spool = spool.context("cannot read the standard input")?;
        let opened = spool
            .as_ref()
            .map(|file| file.path().to_string_lossy().into_owned());
        Ok(Self {
            named: reference.to_owned(),
            opened: opened.unwrap_or_else(|| reference.to_owned()),
            _spool: spool,
        })
    }

    /// The file there, if it is one.
    pub fn file(&self) -> Option<&Path> {
        Some(Path::new(&self.opened)).filter(|path| path.is_file())
    }

    /// Reads a report or a profile, or analyses an image. Profiles count as for a container with these capabilities besides
    /// those that Docker gives.
    pub fn load(&self, arguments: &AnalysisArguments, capabilities: &[String]) -> anyhow::Result<Subject> {
        let Self { named, opened, .. } = self;
        if let Some(path) = self.file()
            && begins_as_json(path).with_context(|| named.clone())?
        {
            let text = input::text(path)?;
            return parse(&text, capabilities).with_context(|| named.clone());
        }
        let mut arguments = remembered::recall(&AnalysisArguments {
            image: named.clone(),
            ..arguments.clone()
        })?;
        arguments.image.clone_from(opened);
        let mut report = analysis::run(&arguments)?;
        if named == STANDARD {
            named.clone_into(&mut report.image.reference);
        }
        Ok(Subject::Image(Box::new(report)))
    }
}

/// The reference of the standard input.
const STANDARD: &str = "-";

/// Reads a report or a profile, or analyses an image; `-` is any of them on the standard input. Capabilities as for
/// [`Place::load`].
pub fn load(
    reference: &str,
    arguments: &AnalysisArguments,
    capabilities: &[String],
) -> anyhow::Result<Subject> {
    Place::of(reference)?.load(arguments, capabilities)
}

fn parse(text: &str, capabilities: &[String]) -> anyhow::Result<Subject> {
    #[derive(Deserialize)]
    struct Known {
        schema: Option<serde_json::Value>,
        #[serde(rename = "defaultAction")]
        default_action: Option<serde_json::Value>,
    }
    let known: Known =
        serde_json::from_str(text).context("neither a report of confine nor a seccomp profile: not JSON")?;
    if known.schema.is_some() {
        return Ok(Subject::Report(Box::new(Report::from_json(text)?)));
    }
    let capabilities: Vec<&str> = DOCKER_CAPABILITIES
        .into_iter()
        .chain(capabilities.iter().map(String::as_str))
        .collect();
    let reading = confine_profile::read_oci(text, &capabilities);
    if known.default_action.is_some() {
        return Ok(Subject::Profile(Box::new(reading?)));
    }
    let reading = reading.context(
        "neither a report of confine, which has a member \"schema\", nor a seccomp profile, which has \"defaultAction\"",
    )?;
    Ok(Subject::Profile(Box::new(reading)))
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
