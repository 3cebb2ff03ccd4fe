//! Verdicts as a table, in detail, and as JSON.

use confine_exposure::{Capabilities, State, Verdict};
use confine_kernel::{Vulnerability, Way};
use confine_report::text::{heading, strong, table as columns};
use serde::Serialize;

use super::Exposure;

/// One line for each vulnerability, and figures.
pub fn table(exposure: &Exposure, width: Option<u16>) -> String {
    let rows = exposure.verdicts.iter().map(|(own, default)| {
        let Vulnerability { id, class, what, .. } = own.vulnerability;
        vec![
            (*id).to_owned(),
            class.to_string(),
            versions(own.vulnerability),
            state(&own.state),
            state(&default.state),
            (*what).to_owned(),
        ]
    });
    let headers = [
        "vulnerability",
        "class",
        "kernels",
        "this policy",
        "Docker's default",
        "what goes wrong",
    ];
    let mut text = columns(&headers, rows, width);
    text += "\n";
    text += &heading("taken away");
    text += "\n";
    for (name, published) in [("of all", false), ("of the published 42", true)] {
        let counted: Vec<&(Verdict, Verdict)> = exposure
            .verdicts
            .iter()
            .filter(|(own, _)| own.vulnerability.published || !published)
            .collect();
        let own = counted
            .iter()
            .filter(|(own, _)| own.state.is_taken_away())
            .count();
        let default = counted
            .iter()
            .filter(|(_, default)| default.state.is_taken_away())
            .count();
        text += &format!(
            "{own} of {} {name}; by Docker's default profile {default}\n",
            counted.len()
        );
    }
    text += &premises(exposure);
    text + "`confine cve ... CVE-ID` shows the ways to one and the step of each that is denied.\n"
}

/// Everything about each vulnerability.
pub fn details(exposure: &Exposure) -> String {
    let sections = exposure.verdicts.iter().map(|(own, default)| {
        let vulnerability = own.vulnerability;
        let mut text = format!("{}: {}\n", strong(vulnerability.id), vulnerability.what);
        text += &format!(
            "  class {}, kernels {}, source: {}\n",
            vulnerability.class,
            versions(vulnerability),
            vulnerability.source
        );
        text += &format!("  this policy: {}\n", state(&own.state));
        text += &format!("  Docker's default profile: {}\n", state(&default.state));
        if let Some(needed) = vulnerability.capability {
            let how = match needed.host {
                true => "",
                false => ", or a user name space of one's own",
            };
            text += &format!("  every way needs {}{how}\n", needed.name);
        }
        let denied = match &own.state {
            State::TakenAway(steps) => steps.as_slice(),
            _ => &[],
        };
        for (at, way) in vulnerability.ways.iter().enumerate() {
            text += &format!("  way {}: {}\n", at + 1, steps(way).join(" + "));
            if let Some(step) = denied.get(at) {
                text += &format!("    denied: {step}\n");
            }
        }
        text
    });
    sections.collect::<Vec<_>>().join("\n") + &premises(exposure)
}

/// What the verdicts are for, and what a reader should know.
fn premises(exposure: &Exposure) -> String {
    let capabilities = capabilities(&exposure.capabilities);
    let mut text = format!("\nFor a container with {capabilities}.\n");
    for note in &exposure.notes {
        text += &format!("Note: {note}.\n");
    }
    text
}

#[derive(Serialize)]
struct Json<'a> {
    schema: &'static str,
    version: u32,
    subject: &'a str,
    kind: &'a str,
    /// All of them if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    capabilities: Option<Vec<&'a str>>,
    notes: &'a [String],
    vulnerabilities: Vec<JsonVerdict<'a>>,
}

#[derive(Serialize)]
struct JsonVerdict<'a> {
    id: &'a str,
    published: bool,
    class: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<String>,
    fixed: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    capability: Option<&'a str>,
    what: &'a str,
    source: &'a str,
    /// Ways, each of steps.
    ways: Vec<Vec<String>>,
    state: &'a str,
    /// The denied step of each way.
    denied: Vec<String>,
    docker_default: &'a str,
}

/// The same for machines.
pub fn json(exposure: &Exposure) -> anyhow::Result<String> {
    let verdicts = exposure.verdicts.iter().map(|(own, default)| {
        let vulnerability = own.vulnerability;
        JsonVerdict {
            id: vulnerability.id,
            published: vulnerability.published,
            class: vulnerability.class.to_string(),
            first: vulnerability.first.map(|version| version.to_string()),
            fixed: vulnerability.fixed.to_string(),
            capability: vulnerability.capability.map(|needed| needed.name),
            what: vulnerability.what,
            source: vulnerability.source,
            ways: vulnerability.ways.iter().map(steps).collect(),
            state: word(&own.state),
            denied: match &own.state {
                State::TakenAway(steps) => steps.iter().map(ToString::to_string).collect(),
                _ => Vec::new(),
            },
            docker_default: word(&default.state),
        }
    });
    let json = Json {
        schema: "confine-cves",
        version: 1,
        subject: &exposure.subject,
        kind: exposure.kind,
        capabilities: match &exposure.capabilities {
            Capabilities::All => None,
            Capabilities::Some(names) => Some(names.iter().map(String::as_str).collect()),
        },
        notes: &exposure.notes,
        vulnerabilities: verdicts.collect(),
    };
    Ok(serde_json::to_string_pretty(&json)? + "\n")
}

fn steps(way: &Way) -> Vec<String> {
    way.steps.iter().map(ToString::to_string).collect()
}

fn versions(vulnerability: &Vulnerability) -> String {
    match vulnerability.first {
        Some(first) => format!("{first} to before {}", vulnerability.fixed),
        None => format!("before {}", vulnerability.fixed),
    }
}

fn word(state: &State) -> &'static str {
    match state {
        State::TakenAway(_) => "taken-away",
        State::NeedsCapability(_) => "needs-capability",
        State::OpenToOthers => "open-to-other-architectures",
        State::Open => "open",
    }
}

fn state(state: &State) -> String {
    match state {
        State::TakenAway(_) => "taken away".to_owned(),
        State::NeedsCapability(name) => format!("needs {name}"),
        State::OpenToOthers => "open to 32-bit calls".to_owned(),
        State::Open => "open".to_owned(),
    }
}

fn capabilities(capabilities: &Capabilities) -> String {
    let Capabilities::Some(names) = capabilities else {
        return "every capability".to_owned();
    };
    let docker = confine_kernel::DOCKER_CAPABILITIES;
    let added: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| !docker.contains(name))
        .collect();
    match added.as_slice() {
        [] => "the capabilities that Docker gives".to_owned(),
        added => format!("the capabilities that Docker gives and {}", added.join(", ")),
    }
}
