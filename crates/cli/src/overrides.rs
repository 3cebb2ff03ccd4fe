//! What the user sets in place of the image's configuration, with the meaning that `docker run` gives it.

use anyhow::{Context, bail};
use confine_image::{Config, Image};

use crate::arguments::AnalysisArguments;

/// The configuration that the container is analysed with.
///
/// As `docker run` has it: a given entry point drops the image's command, a given command replaces it, variables
/// are added to the image's.
pub fn configuration(image: &Image, arguments: &AnalysisArguments) -> anyhow::Result<Config> {
    let config = apply(image.config.clone(), arguments)?;
    if config.command_line().is_empty() && arguments.also.is_empty() {
        let reason = if image.has_config {
            "its configuration names no command"
        } else {
            "it has no configuration"
        };
        bail!(
            "{}: {reason}: tell what it runs by --command 'CMD ARGS' or --entrypoint PROGRAM",
            image.reference
        );
    }
    Ok(config)
}

/// The words of a flag's value, as a shell reads them.
pub fn words(flag: &str, line: &str) -> anyhow::Result<Vec<String>> {
    shlex::split(line)
        .with_context(|| format!("{flag}: expected words as a shell reads them, found an open quote: {line}"))
}

fn apply(mut config: Config, arguments: &AnalysisArguments) -> anyhow::Result<Config> {
    if let Some(program) = &arguments.program {
        config.entrypoint = vec![program.clone()];
        config.cmd.clear();
        config.healthcheck = None;
    }
    if let Some(entrypoint) = &arguments.entrypoint {
        config.entrypoint = Some(entrypoint.clone())
            .filter(|word| !word.is_empty())
            .into_iter()
            .collect();
        config.cmd.clear();
    }
    if let Some(command) = &arguments.command {
        config.cmd = words("--command", command)?;
    }
    config.env.extend(arguments.environment.iter().cloned());
    if let Some(user) = &arguments.user {
        config.user.clone_from(user);
    }
    if let Some(workdir) = &arguments.workdir {
        config.workdir.clone_from(workdir);
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::arguments::{Arguments, Command};

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn image_configuration() -> Config {
        Config {
            entrypoint: words("/entry.sh"),
            cmd: words("server --flag"),
            env: vec![("PATH".to_owned(), "/bin".to_owned())],
            user: "app".to_owned(),
            workdir: "/srv".to_owned(),
            ..Config::default()
        }
    }

    fn check(flags: &[&str], expected: &Config) {
        let line = ["confine", "inspect", "image"].iter().chain(flags);
        let Command::Inspect(arguments) = Arguments::try_parse_from(line).unwrap().command else {
            unreachable!()
        };
        assert_eq!(
            &apply(image_configuration(), &arguments.analysis).unwrap(),
            expected,
            "{flags:?}"
        );
    }

    #[test]
    fn flags_mean_what_docker_run_means_by_them() {
        let image = image_configuration;
        let path = ("PATH".to_owned(), "/bin".to_owned());
        check(&[], &image());
        check(
            &["--command", "other 'a b'"],
            &Config {
                cmd: vec!["other".to_owned(), "a b".to_owned()],
                ..image()
            },
        );
        check(
            &["--command", ""],
            &Config {
                cmd: vec![],
                ..image()
            },
        );
        check(
            &["--entrypoint", "/bin/x y"],
            &Config {
                entrypoint: vec!["/bin/x y".to_owned()],
                cmd: vec![],
                ..image()
            },
        );
        check(
            &["--entrypoint", ""],
            &Config {
                entrypoint: vec![],
                cmd: vec![],
                ..image()
            },
        );
        check(
            &["--entrypoint", "sh", "--command", "-c true"],
            &Config {
                entrypoint: words("sh"),
                cmd: words("-c true"),
                ..image()
            },
        );
        check(
            &["--program", "/bin/tool"],
            &Config {
                entrypoint: words("/bin/tool"),
                cmd: vec![],
                ..image()
            },
        );
        check(
            &["-e", "A=b"],
            &Config {
                env: vec![path.clone(), ("A".to_owned(), "b".to_owned())],
                ..image()
            },
        );
        check(
            &["--user", "0", "--workdir", "/"],
            &Config {
                user: "0".to_owned(),
                workdir: "/".to_owned(),
                ..image()
            },
        );
    }

    #[test]
    fn the_last_value_of_a_variable_wins() {
        let line = ["confine", "inspect", "image", "--env", "PATH=/sbin"];
        let Command::Inspect(arguments) = Arguments::try_parse_from(line).unwrap().command else {
            unreachable!()
        };
        let config = apply(image_configuration(), &arguments.analysis).unwrap();
        assert_eq!(config.variable("PATH"), Some("/sbin"));
    }
}
