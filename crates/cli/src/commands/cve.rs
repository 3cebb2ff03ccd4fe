//! `confine cve`: which vulnerabilities of the kernel a policy takes away, and which stay open.

mod show;

use std::collections::BTreeSet;

use anyhow::ensure;
use confine_exposure::{Capabilities, Guard, Verdict, judge};
use confine_kernel::{DOCKER_CAPABILITIES, vulnerabilities};
use confine_policy::Policy;
use confine_profile::{MAXIMUM_CONDITIONAL, Reading};

use crate::arguments::{CveArguments, CveFormat, RestrictedArguments};
use crate::output::Output;
use crate::subject::{self, Subject};
use crate::{Outcome, terminal};

/// What is shown.
struct Exposure {
    /// What was judged, as the user named it.
    subject: String,
    /// `image`, `report` or `profile`.
    kind: &'static str,
    /// The capabilities that a container is taken to have.
    capabilities: Capabilities,
    /// What a reader should know, in the order of importance.
    notes: Vec<String>,
    /// For each vulnerability that was asked about: under the policy, and under Docker's default profile.
    verdicts: Vec<(Verdict, Verdict)>,
}

/// Shows what is taken away and what stays open.
pub fn cve(arguments: &CveArguments) -> anyhow::Result<Outcome> {
    for id in &arguments.ids {
        ensure!(
            vulnerabilities()
                .iter()
                .any(|known| known.id.eq_ignore_ascii_case(id)),
            "{id} is not among the {} vulnerabilities that are known: `confine cve IMAGE` lists them",
            vulnerabilities().len(),
        );
    }
    let output = Output::prepare(&arguments.output)?;
    let capabilities = capabilities(&arguments.capabilities)?;
    let subject = subject::load(
        &arguments.analysis.image,
        &arguments.analysis,
        &arguments.capabilities,
    )?;
    let kind = subject.kind();
    let mut notes = subject.notes();
    let program = arguments.analysis.program.as_deref();
    let mut policy = subject.policy(program, arguments.within)?;
    if arguments.analysis.args == Some(RestrictedArguments::Off) {
        policy = policy.coarsened(0);
    }
    let guard = match &subject {
        Subject::Profile(reading) => of_profile(reading, policy, capabilities.clone()),
        // As a profile of it says it.
        _ => Guard::new(policy.coarsened(MAXIMUM_CONDITIONAL), capabilities.clone()),
    };
    if guard.socketcall {
        notes.insert(
            0,
            "calls of 32-bit x86 come in, and socketcall among them, whose arguments no profile sees"
                .to_owned(),
        );
    }
    let asked = |id: &str| {
        arguments.ids.is_empty() || arguments.ids.iter().any(|asked| asked.eq_ignore_ascii_case(id))
    };
    let verdicts = judge(&guard)
        .into_iter()
        .zip(judge(&Guard::docker_default(capabilities.clone())));
    let exposure = Exposure {
        subject: arguments.analysis.image.clone(),
        kind,
        capabilities,
        notes,
        verdicts: verdicts.filter(|(own, _)| asked(own.vulnerability.id)).collect(),
    };
    let text = match arguments.format {
        CveFormat::Table if arguments.ids.is_empty() => show::table(&exposure, terminal::width()),
        CveFormat::Table => show::details(&exposure),
        CveFormat::Json => show::json(&exposure)?,
    };
    match output {
        Output::Standard if arguments.format == CveFormat::Table => terminal::print(&text)?,
        output => output.write(terminal::plain_text(&text))?,
    }
    Ok(Outcome::Done)
}

/// Docker's own and those that were added; `ALL` is every one.
fn capabilities(added: &[String]) -> anyhow::Result<Capabilities> {
    let mut names: BTreeSet<String> = DOCKER_CAPABILITIES.map(str::to_owned).into();
    for name in added {
        if name == "ALL" {
            return Ok(Capabilities::All);
        }
        ensure!(
            name.starts_with("CAP_") && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'),
            "expected a capability like CAP_NET_ADMIN, or ALL, found {name:?}"
        );
        names.insert(name.clone());
    }
    Ok(Capabilities::Some(names))
}

/// What a profile lets in, of which this is the policy for the calls of x86-64.
fn of_profile(reading: &Reading, policy: Policy, capabilities: Capabilities) -> Guard {
    let x86 = reading.others.contains("SCMP_ARCH_X86");
    Guard {
        x86,
        x32: reading.others.contains("SCMP_ARCH_X32"),
        socketcall: x86 && (reading.permissive || reading.foreign.contains("socketcall")),
        policy,
        capabilities,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_dockers_and_added_ones() {
        let names = |added: &[&str]| {
            let added: Vec<String> = added.iter().map(|name| (*name).to_owned()).collect();
            capabilities(&added)
        };
        assert_eq!(names(&[]).unwrap(), Capabilities::default());
        let Capabilities::Some(more) = names(&["CAP_NET_ADMIN"]).unwrap() else {
            panic!("not all of them")
        };
        assert_eq!(more.len(), DOCKER_CAPABILITIES.len() + 1);
        assert_eq!(names(&["ALL"]).unwrap(), Capabilities::All);
        let error = names(&["net_admin"]).unwrap_err().to_string();
        assert_eq!(
            error,
            "expected a capability like CAP_NET_ADMIN, or ALL, found \"net_admin\""
        );
    }
}
