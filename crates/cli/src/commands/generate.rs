//! `confine completions` and `confine man`: what is generated from the flags.

use anyhow::Context;
use clap::CommandFactory;

use crate::arguments::{Arguments, CompletionsArguments, ManArguments};
use crate::{Outcome, output};

/// Writes a completion script.
pub fn completions(arguments: &CompletionsArguments) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "confine", &mut script);
    output::print(script)?;
    Ok(Outcome::Done)
}

/// Writes a manual page.
pub fn man(arguments: &ManArguments) -> anyhow::Result<Outcome> {
    let mut command = Arguments::command();
    command.build();
    if let Some(name) = &arguments.subcommand {
        let subcommand = command.find_subcommand(name);
        command = subcommand
            .cloned()
            .with_context(|| format!("confine has no subcommand {name}"))?;
        // Pages are found by the words of the command line, joined.
        let joined: &'static str = format!("confine-{name}").leak();
        command = command.name(joined);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut page)
        .context("cannot render the manual page")?;
    output::print(page)?;
    Ok(Outcome::Done)
}
