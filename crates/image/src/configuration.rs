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

#[cfg(test)]
mod tests {
    use oci_spec::image::ImageConfiguration;

    use super::*;

    fn parse(json: &str) -> Config {
        Configuration::parse("config", json.as_bytes())
            .unwrap()
            .into_config()
    }

    fn check_probe(test: &str, expected: Option<Healthcheck>) {
        let json = format!(r#"{{"config":{{"Healthcheck":{{"Test":{test}}}}}}}"#);
        assert_eq!(parse(&json).healthcheck, expected, "{test}");
    }

    #[test]
    fn probes() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        check_probe("null", None);
        check_probe("[]", None);
        check_probe(r#"["NONE"]"#, None);
        check_probe(r#"["CMD"]"#, None);
        check_probe(
            r#"["CMD","curl","-f"]"#,
            Some(Healthcheck::Command(words(&["curl", "-f"]))),
        );
        check_probe(
            r#"["CMD-SHELL","curl -f"]"#,
            Some(Healthcheck::Shell("curl -f".to_owned())),
        );
    }

    #[test]
    fn what_is_absent_or_null_is_the_default() {
        let expected = Config {
            workdir: "/".to_owned(),
            shell: default_shell(),
            ..Config::default()
        };
        for json in [
            "{}",
            r#"{"config":null,"rootfs":null,"architecture":null}"#,
            r#"{"config":{"Env":null,"Cmd":null,"Entrypoint":null,"WorkingDir":"","Healthcheck":null,"Shell":null,"User":null}}"#,
        ] {
            assert_eq!(parse(json), expected, "{json}");
        }
    }

    #[test]
    fn everything_is_taken_over() {
        let config = parse(
            r#"{"architecture":"arm64","os":"linux","config":{"User":"app:app","Env":["A=1=2","B","A=3"],
            "Entrypoint":["/entry"],"Cmd":"single","WorkingDir":"/srv","StopSignal":"SIGQUIT","Shell":["/bin/bash","-c"]}}"#,
        );
        assert_eq!(config.command_line(), ["/entry", "single"]);
        assert_eq!(config.variable("A"), Some("3"));
        assert_eq!(config.variable("B"), Some(""));
        assert_eq!(config.env.len(), 3);
        assert_eq!(
            (config.user.as_str(), config.workdir.as_str()),
            ("app:app", "/srv")
        );
        assert_eq!(
            (config.stop_signal.as_str(), config.architecture.as_str()),
            ("SIGQUIT", "arm64")
        );
        assert_eq!(config.shell, ["/bin/bash", "-c"]);
    }

    #[test]
    fn agrees_with_the_specification_s_own_reader() {
        let json = r#"{"architecture":"amd64","os":"linux","config":{"User":"nobody","Env":["PATH=/bin"],
            "Entrypoint":["/bin/a","b"],"Cmd":["c"],"WorkingDir":"/w","StopSignal":"SIGTERM"},
            "rootfs":{"type":"layers","diff_ids":["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]}}"#;
        let theirs = ImageConfiguration::from_reader(json.as_bytes()).unwrap();
        let theirs_config = theirs.config().as_ref().unwrap();
        let configuration = Configuration::parse("config", json.as_bytes()).unwrap();
        assert_eq!(configuration.diff_ids(), theirs.rootfs().diff_ids().as_slice());
        let ours = configuration.into_config();
        assert_eq!(Some(&ours.entrypoint), theirs_config.entrypoint().as_ref());
        assert_eq!(Some(&ours.cmd), theirs_config.cmd().as_ref());
        assert_eq!(Some(&ours.user), theirs_config.user().as_ref());
        assert_eq!(Some(&ours.workdir), theirs_config.working_dir().as_ref());
        assert_eq!(Some(&ours.stop_signal), theirs_config.stop_signal().as_ref());
        assert_eq!(ours.architecture, theirs.architecture().to_string());
    }

    #[test]
    fn errors_name_the_place() {
        let error = Configuration::parse("FILE: config.json", b"[")
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("FILE: config.json: not a valid image configuration: "),
            "{error}"
        );
    }
}
