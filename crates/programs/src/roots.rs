//! Where execution starts: what the configuration and the user name.

use confine_assumption::{Assumption, Effect, Kind};
use confine_image::{Config, Files, Healthcheck};

use crate::Programs;
use crate::discovery::{Context, Discovery, Request};
use crate::shell;

/// Finds everything that the roots lead to.
pub fn discover(files: &dyn Files, config: &Config, also: &[String]) -> Programs {
    let mut discovery = Discovery::new(files, config);
    let command = config.command_line();
    let without_command = command.is_empty() && also.is_empty();
    let place = if config.entrypoint.is_empty() {
        "Cmd"
    } else {
        "Entrypoint"
    };
    root(&mut discovery, config, command, place, "the image's command");
    match &config.healthcheck {
        Some(Healthcheck::Command(argv)) => {
            root(
                &mut discovery,
                config,
                argv.clone(),
                "Healthcheck",
                "the image's health check",
            );
        }
        Some(Healthcheck::Shell(text)) => {
            let mut argv = config.shell.clone();
            if argv.is_empty() {
                argv = vec!["/bin/sh".to_owned(), "-c".to_owned()];
            }
            argv.push(text.clone());
            root(
                &mut discovery,
                config,
                argv,
                "Healthcheck",
                "the image's health check",
            );
        }
        None => {}
    }
    for text in also {
        root(
            &mut discovery,
            config,
            shell::split_words(text),
            "--also",
            "named by the user",
        );
    }
    shell::drain(&mut discovery);
    let mut programs = discovery.finish();
    programs.without_command = without_command;
    programs
}

/// What is said when the search itself broke down.
pub fn nothing() -> Programs {
    Programs {
        assumptions: vec![Assumption {
            kind: Kind::OpenCommand,
            place: "image configuration".to_owned(),
            detail: "the search for programs failed, so that none is known".to_owned(),
            effect: Effect::NotCovered,
        }],
        ..Programs::default()
    }
}

fn root(discovery: &mut Discovery<'_>, config: &Config, argv: Vec<String>, place: &str, how: &str) {
    if argv.is_empty() {
        return;
    }
    let context = Context {
        place: place.to_owned(),
        line: None,
        parent: None,
        by: None,
        interprets: None,
        depth: 0,
        variables: config.env.iter().cloned().collect(),
        input: None,
    };
    discovery.run(Request {
        argv,
        how: how.to_owned(),
        context,
    });
}
