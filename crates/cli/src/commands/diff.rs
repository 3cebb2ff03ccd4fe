//! `confine diff`: what changes between two images, reports or profiles, and a gate on it.

mod compare;
mod describe;
mod sarif;
mod show;

use confine_kernel::call_named;

use crate::arguments::{DiffArguments, DiffFormat};
use crate::output::Output;
use crate::subject::{self, Subject};
use crate::{Outcome, terminal};

use compare::{Difference, Side};

/// What fails the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// A call is allowed that was not.
    Added,
    /// A call is allowed with arguments that it was not allowed with, or is allowed at all.
    Values,
    /// There is another program.
    Program,
    /// There is another object, or one that is not what it was.
    Object,
    /// Something is unresolved that was not.
    Assumption,
    /// Anything is not what it was, removed or added.
    Any,
    /// This call is allowed that was not.
    Call(&'static str),
}

impl Gate {
    /// As the flag has it.
    fn word(&self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Values => "values",
            Self::Program => "program",
            Self::Object => "object",
            Self::Assumption => "assumption",
            Self::Any => "any",
            Self::Call(name) => name,
        }
    }

    fn fails(&self, difference: &Difference) -> bool {
        let added = |name: &str| difference.calls.added.iter().any(|call| call.name == name);
        match self {
            Self::Added => !difference.calls.added.is_empty(),
            Self::Values => {
                !difference.calls.added.is_empty()
                    || difference.calls.changed.iter().any(|call| !call.added.is_empty())
            }
            Self::Program => !difference.programs.added.is_empty(),
            Self::Object => !difference.objects.added.is_empty() || !difference.objects.changed.is_empty(),
            Self::Assumption => !difference.assumptions.added.is_empty(),
            Self::Any => !difference.is_empty(),
            Self::Call(name) => added(name),
        }
    }
}

/// What fails the run, beside single calls.
const GENERAL: [Gate; 6] = [
    Gate::Added,
    Gate::Values,
    Gate::Program,
    Gate::Object,
    Gate::Assumption,
    Gate::Any,
];

/// Reads what fails the run.
pub fn gate(text: &str) -> Result<Gate, String> {
    if let Some(gate) = GENERAL.into_iter().find(|gate| gate.word() == text) {
        return Ok(gate);
    }
    let call = call_named(text).ok_or_else(|| {
        let words = GENERAL.map(|gate| gate.word()).join(", ");
        format!("expected {words}, or the name of a system call")
    })?;
    Ok(Gate::Call(call.name))
}

/// Shows the difference, and ends with 1 if a gate is not passed.
pub fn diff(arguments: &DiffArguments) -> anyhow::Result<Outcome> {
    let output = Output::prepare(&arguments.output)?;
    anyhow::ensure!(
        arguments.analysis.image != "-" || arguments.new != "-",
        "only one of both can be read from the standard input"
    );
    let load = |reference: &str| -> anyhow::Result<Subject> {
        let subject = subject::load(reference, &arguments.analysis, &[])?;
        if !arguments.analysis.quiet {
            let notes = subject.notes();
            notes
                .iter()
                .for_each(|note| terminal::note(&format!("{reference}: {note}")));
        }
        Ok(subject)
    };
    let old = load(&arguments.analysis.image)?;
    let new = load(&arguments.new)?;
    let program = arguments.analysis.program.as_deref();
    // One that is held against a program's policy is taken for that program's.
    let one_is_a_profile = old.is_profile() != new.is_profile();
    let side = |reference: &str, subject: Subject| {
        let program = program.filter(|_| !(one_is_a_profile && subject.is_profile()));
        Side::new(reference, subject, program)
    };
    let old = side(&arguments.analysis.image, old)?;
    let new = side(&arguments.new, new)?;
    let difference = compare::compare(&old, &new);
    let text = match arguments.format {
        DiffFormat::Text => show::text(&difference),
        DiffFormat::Markdown => show::markdown(&difference),
        DiffFormat::Json => serde_json::to_string_pretty(&difference)? + "\n",
        DiffFormat::Sarif => sarif::sarif(&difference)?,
    };
    match output {
        Output::Standard if arguments.format == DiffFormat::Text => terminal::print(&text)?,
        output => output.write(terminal::plain_text(&text))?,
    }
    let failed: Vec<&Gate> = arguments
        .fail_on
        .iter()
        .filter(|gate| gate.fails(&difference))
        .collect();
    if failed.is_empty() {
        return Ok(Outcome::Done);
    }
    if !arguments.analysis.quiet {
        let names: Vec<&str> = failed.iter().map(|gate| gate.word()).collect();
        terminal::warning(&format!("not passed: {}", names.join(", ")));
    }
    Ok(Outcome::Different)
}

#[cfg(test)]
mod tests;
