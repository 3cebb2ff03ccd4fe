//! The `confine` program: flags in, files, text and exit codes out.
//!
//! Wires the other crates together and is the only place that prints. What it must not do: analyse anything
//! itself.
#![forbid(unsafe_code)]

mod analysis;
mod arguments;
mod asked;
mod audit;
mod check;
mod commands;
mod filter_source;
mod harden;
mod input;
mod options;
mod output;
mod overrides;
mod per_program;
mod pipeline;
mod policy;
mod progress;
mod recording;
mod remembered;
mod sites;
mod statistics;
mod subject;
mod summary;
mod terminal;
mod written;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Profile(arguments) => commands::profile(&arguments),
        Command::Inspect(arguments) => commands::inspect(&arguments),
        Command::Why(arguments) => commands::why(&arguments),
        Command::Harden(arguments) => commands::harden(&arguments),
        Command::Mount(arguments) => commands::mount(&arguments),
        Command::Run(arguments) => commands::run(&arguments),
        Command::Filter(arguments) => commands::filter(&arguments),
        Command::Check(arguments) => commands::check(&arguments),
        Command::Cve(arguments) => commands::cve(&arguments),
        Command::Diff(arguments) => commands::diff(&arguments),
        Command::Observe(arguments) => commands::observe(&arguments),
        Command::Compare(arguments) => commands::compare(&arguments),
        Command::Cache(arguments) => commands::cache(&arguments),
        Command::Completions(arguments) => commands::completions(&arguments),
        Command::Man(arguments) => commands::man(&arguments),
    };
    match result {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            terminal::error(&error);
            ExitCode::from(BAD_INPUT)
        }
    }
}

/// The exit code for anything that went wrong; clap ends with the same one when it does not understand the flags.
const BAD_INPUT: u8 = 2;

/// How a command ended that did what it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// All is well.
    Done,
    /// A gate was not passed.
    Different,
    /// Something could not be resolved, and `--strict` was given.
    Incomplete,
    /// A check failed.
    Failed,
    /// A program that was run ended with this code.
    Ended(u8),
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::SUCCESS,
            Outcome::Different => Self::from(1),
            Outcome::Incomplete => Self::from(3),
            Outcome::Failed => Self::from(4),
            Outcome::Ended(code) => Self::from(code),
        }
    }
}
