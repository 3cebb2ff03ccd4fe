//! Where execution starts: what the configuration and the user name.

use confine_assumption::{Assumption, Effect, Kind};
use confine_image::{Config, DEFAULT_PATH, Healthcheck, paths};

use crate::discovery::{Context, Discovery, Request};
use crate::lookup;
use crate::pattern::REST;
use crate::{Asked, Executed, Programs, multicall, shell};

/// Finds everything that the roots lead to.
pub fn discover(discovery: &mut Discovery<'_>, asked: Asked<'_>) -> Programs {
    let config = discovery.config;
    let command = config.command_line();
    let without_command = command.is_empty() && asked.also.is_empty() && !asked.everything;
    let place = if config.entrypoint.is_empty() {
        "Cmd"
    } else {
        "Entrypoint"
    };
    root(discovery, config, command, place, "the image's command");
    match &config.healthcheck {
        Some(Healthcheck::Command(argv)) => {
            root(
                discovery,
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
            root(discovery, config, argv, "Healthcheck", "the image's health check");
        }
        None => {}
    }
    for text in asked.also {
        root(
            discovery,
            config,
            shell::split_words(text),
            "--also",
            "named by the user",
        );
    }
    if asked.everything {
        everything(discovery, config);
    }
    shell::drain(discovery);
    let mut programs = discovery.take();
    programs.without_command = without_command;
    programs
}

/// Finds everything that one execution leads to.
pub fn discover_executed(discovery: &mut Discovery<'_>, executed: &Executed) -> Programs {
    let mut argv = executed.argv.clone();
    // A binary of many programs goes by what it is told as its name.
    if let (Some(path), Some(name)) = (argv.first(), &executed.called)
        && multicall::is_multicall(path)
        && !multicall::is_multicall(name)
    {
        argv.insert(1, paths::base_name(name).to_owned());
    }
    discovery.run(Request {
        argv,
        how: executed.how.clone(),
        context: Context {
            place: executed.place.clone(),
            parent: Some(executed.parent.clone()),
            ..environment(discovery.config)
        },
    });
    shell::drain(discovery);
    discovery.take()
}

/// Every executable in the folders of `PATH`, with arguments of which nothing is known.
fn everything(discovery: &mut Discovery<'_>, config: &Config) {
    let path = config.variable("PATH").unwrap_or(DEFAULT_PATH);
    for folder in path.split(':').filter(|folder| folder.starts_with('/')) {
        for name in discovery.files.list(folder) {
            let path = format!("{}/{name}", folder.trim_end_matches('/'));
            if lookup::locate(discovery.files, &path, "", "/").is_some() {
                let argv = vec![path, REST.to_owned()];
                root(discovery, config, argv, "--exec all", "an executable on PATH");
            }
        }
    }
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
        ..environment(config)
    };
    discovery.run(Request {
        argv,
        how: how.to_owned(),
        context,
    });
}

/// What every command starts with.
fn environment(config: &Config) -> Context {
    Context {
        place: String::new(),
        line: None,
        parent: None,
        by: None,
        interprets: None,
        depth: 0,
        variables: config.env.iter().cloned().collect(),
        input: None,
    }
}
