//! `confine profile`: the policy as a file that engines read.

use anyhow::ensure;
use confine_policy::{Architecture, Policy};
use confine_profile::MAXIMUM_CONDITIONAL;
use confine_record::Record;

use crate::arguments::{ProfileArguments, ProfileFormat};
use crate::output::Output;
use crate::{Outcome, analysis, policy, recording, summary, terminal};

/// Writes the profile, and the report where one is wanted.
pub fn profile(arguments: &ProfileArguments) -> anyhow::Result<Outcome> {
    ensure!(
        arguments.report.as_ref() != Some(&arguments.output),
        "cannot write both the profile and the report to {}: give --output and --report different files",
        arguments.output.display(),
    );
    let output = Output::prepare(&arguments.output)?;
    let report_output = arguments.report.as_deref().map(Output::prepare).transpose()?;
    // Read first: what cannot be read costs no time then.
    let records: Vec<Record> = arguments
        .observed
        .iter()
        .map(|path| recording::read(path))
        .collect::<anyhow::Result<_>>()?;
    let mut report = analysis::run(&arguments.analysis)?;
    for record in &records {
        report = confine_record::add(report, record);
    }
    if let Some(output) = report_output {
        output.write(&report.to_json()?)?;
    }
    if arguments.strict && report.is_incomplete() {
        summary::show_incomplete(&report);
        return Ok(Outcome::Incomplete);
    }
    let policy = policy::wanted(&report, None, arguments.within, MAXIMUM_CONDITIONAL);
    let (text, losses) = write(&policy, arguments.format, &report.image.reference)?;
    output.write(&text)?;
    if !arguments.analysis.quiet {
        summary::show(&report);
        if arguments.within.is_some() {
            let kept = policy.calls(Architecture::X86_64).count();
            terminal::note(&format!("{kept} of them are within the bound"));
        }
        losses.iter().for_each(|loss| terminal::warning(loss));
    }
    Ok(Outcome::Done)
}

/// The profile, and what could not be said in it.
fn write(
    policy: &Policy,
    format: ProfileFormat,
    image: &str,
) -> Result<(String, Vec<String>), confine_profile::Error> {
    let lost = |calls: &[&str], what: &str| match calls {
        [] => Vec::new(),
        calls => vec![format!("{what}: {}", calls.join(", "))],
    };
    Ok(match format {
        ProfileFormat::Oci => (confine_profile::oci(policy)?, Vec::new()),
        ProfileFormat::Podman => (confine_profile::podman(policy)?, Vec::new()),
        ProfileFormat::Kubernetes => {
            let resource = confine_profile::kubernetes(policy, &label(image))?;
            let what = "the resource cannot say conditions on an argument's highest bit, which it allows to be set in";
            (resource.text, lost(&resource.weakened, what))
        }
        ProfileFormat::Systemd => {
            let drop_in = confine_profile::systemd(policy)?;
            let what = "systemd cannot say conditions on arguments, so that any are allowed of";
            (drop_in.text, lost(&drop_in.loosened, what))
        }
    })
}

/// How long a label of Kubernetes may be.
const LONGEST_LABEL: usize = 63;

/// A reference as Kubernetes takes names: lower-case letters, digits and single dashes between.
fn label(reference: &str) -> String {
    let words = reference.split(|character: char| !character.is_ascii_alphanumeric());
    let words: Vec<String> = words
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let joined: String = words.join("-").chars().take(LONGEST_LABEL).collect();
    match joined.trim_matches('-') {
        "" => "confine".to_owned(),
        label => label.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_become_labels() {
        for (reference, expected) in [
            ("nginx", "nginx"),
            (
                "docker-archive:/tmp/My_Server.tar:v1",
                "docker-archive-tmp-my-server-tar-v1",
            ),
            ("-", "confine"),
            (&"ab-".repeat(30), &"ab-".repeat(21)[..62]),
        ] {
            assert_eq!(label(reference), expected);
        }
    }
}
