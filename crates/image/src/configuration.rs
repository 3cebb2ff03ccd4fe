//! Reads the configuration of an image, as OCI and Docker write it, into a [`Config`].

use serde::Deserialize;

use crate::open::default_shell;
use crate::{Config, Error, Healthcheck};

/// A configuration as it is written, with what is needed to check it against the image.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Configuration {
    #[serde(deserialize_with = "null_as_default")]
    architecture: String,
    #[serde(deserialize_with = "null_as_default")]
    os: String,
    #[serde(deserialize_with = "null_as_default")]
    variant: String,
    #[serde(deserialize_with = "null_as_default")]
    config: Execution,
    #[serde(deserialize_with = "null_as_default")]
    rootfs: RootFs,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RootFs {
    #[serde(deserialize_with = "null_as_default")]
    diff_ids: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Execution {
    #[serde(deserialize_with = "null_as_default")]
    user: String,
    #[serde(deserialize_with = "null_as_default")]
    env: Vec<String>,
    #[serde(deserialize_with = "null_as_default")]
    entrypoint: Words,
    #[serde(deserialize_with = "null_as_default")]
    cmd: Words,
    #[serde(deserialize_with = "null_as_default")]
    working_dir: String,
    #[serde(deserialize_with = "null_as_default")]
    stop_signal: String,
    #[serde(deserialize_with = "null_as_default")]
    shell: Words,
    healthcheck: Option<Probe>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Probe {
    #[serde(deserialize_with = "null_as_default")]
    test: Words,
}

/// A command: a list, or in images of the first engines a single word.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Words {
    List(Vec<String>),
    One(String),
}

impl Configuration {
    /// Parses `json`; `place` is named in errors.
    pub(crate) fn parse(place: &str, json: &[u8]) -> Result<Self, Error> {
        let error = |source| Error::Json {
            place: place.to_owned(),
            what: "image configuration",
            source,
        };
        serde_json::from_slice(json).map_err(error)
    }

    /// The digests of the uncompressed layers.
    pub(crate) fn diff_ids(&self) -> &[String] {
        &self.rootfs.diff_ids
    }

    /// Operating system, architecture and variant; empty where it does not say.
    pub(crate) fn platform(&self) -> (&str, &str, &str) {
        (&self.os, &self.architecture, &self.variant)
    }

    /// The part that decides what runs.
    pub(crate) fn into_config(self) -> Config {
        let Execution {
            user,
            env,
            entrypoint,
            cmd,
            working_dir,
            stop_signal,
            shell,
            healthcheck,
        } = self.config;
        let shell = shell.into_list();
        Config {
            entrypoint: entrypoint.into_list(),
            cmd: cmd.into_list(),
            env: env.iter().map(|variable| split_variable(variable)).collect(),
            user,
            workdir: if working_dir.is_empty() {
                "/".to_owned()
            } else {
                working_dir
            },
            healthcheck: healthcheck.and_then(|probe| probe_command(&probe.test.into_list())),
            shell: if shell.is_empty() { default_shell() } else { shell },
            stop_signal,
            architecture: self.architecture,
        }
    }
}

impl Words {
    fn into_list(self) -> Vec<String> {
        match self {
            Self::List(words) => words,
            Self::One(word) => vec![word],
        }
    }
}

impl Default for Words {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

fn split_variable(variable: &str) -> (String, String) {
    let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
    (name.to_owned(), value.to_owned())
}

/// An empty test inherits from a base image that was already folded in, and `NONE` switches probing off.
fn probe_command(test: &[String]) -> Option<Healthcheck> {
    match test.split_first() {
        Some((kind, command)) if kind == "CMD" && !command.is_empty() => {
            Some(Healthcheck::Command(command.to_vec()))
        }
        Some((kind, [command, ..])) if kind == "CMD-SHELL" => Some(Healthcheck::Shell(command.clone())),
        _ => None,
    }
}

/// Engines write `null` for every empty list, text and object.
fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
