//! The Docker engine as a source: its socket is found as the `docker` command finds it, and it is asked for the
//! archive that `docker save` would write.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::pin::Pin;

use bollard::query_parameters::ImportImageOptions;
use bollard::{API_DEFAULT_VERSION, Docker};
use bytes::{Buf, Bytes};
use futures_util::{Stream, StreamExt};
use serde::Deserialize;
use tokio::runtime::Runtime;

use crate::Error;
use crate::digest::Digest;

/// Where the engine listens if nothing else is said.
const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";
/// Seconds that the engine may take to answer: it prepares a large archive before it sends its first byte.
const TIMEOUT: u64 = 900;

/// An archive as it comes from the engine.
pub(crate) struct Export {
    runtime: Runtime,
    stream: Pin<Box<dyn Stream<Item = Result<Bytes, bollard::errors::Error>>>>,
    current: Bytes,
}

/// Asks the engine for an image.
pub(crate) fn export(name: &str) -> Result<Export, Error> {
    let failed = |reason: String| Error::Engine {
        place: name.to_owned(),
        reason,
    };
    if !may_be_a_name(name) {
        return Err(failed(
            "no such file or folder, and no image may be called so".to_owned(),
        ));
    }
    let Connection {
        runtime,
        docker,
        host,
    } = Connection::open().map_err(|reason| failed(format!("no such file or folder, and {reason}")))?;
    // Asked for by its id, an image comes alone; asked for by a name without a tag, every tag would come.
    let inspected = runtime
        .block_on(docker.inspect_image(name))
        .map_err(|error| match error {
            bollard::errors::Error::DockerResponseServerError { status_code: 404, .. } => failed(format!(
                "no such file or folder, and the Docker engine at {host} has no such image"
            )),
            error => failed(format!(
                "no such file or folder, and the Docker engine at {host} does not answer: {error}"
            )),
        })?;
    let id = inspected.id.unwrap_or_else(|| name.to_owned());
    let stream = Box::pin(docker.export_image(&id));
    Ok(Export {
        runtime,
        stream,
        current: Bytes::new(),
    })
}

/// Gives the engine what `docker load` would give it.
pub(crate) fn import(name: &str, archive: Bytes) -> Result<(), Error> {
    let failed = |reason: String| Error::Engine {
        place: name.to_owned(),
        reason,
    };
    if !may_be_a_name(name) {
        return Err(failed("no image may be called so".to_owned()));
    }
    let Connection {
        runtime,
        docker,
        host,
    } = Connection::open().map_err(failed)?;
    let refused = |reason: String| failed(format!("the Docker engine at {host} does not take it: {reason}"));
    let mut answers =
        Box::pin(docker.import_image(ImportImageOptions::default(), bollard::body_full(archive), None));
    // Bounded: the engine closes its answer when it is done, and says nothing for longer than the limit only if it
    // has gone.
    while let Some(answer) = runtime.block_on(answers.next()) {
        let answer = answer.map_err(|error| refused(error.to_string()))?;
        if let Some(error) = answer.error_detail.and_then(|detail| detail.message) {
            return Err(refused(error));
        }
    }
    Ok(())
}

fn may_be_a_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:@".contains(&byte);
    !name.is_empty() && !name.contains("..") && name.bytes().all(is_plain)
}

/// An engine that answers.
struct Connection {
    runtime: Runtime,
    docker: Docker,
    host: String,
}

impl Connection {
    fn open() -> Result<Self, String> {
        let host = host(&Environment::of_process())?;
        let Some(socket) = host.strip_prefix("unix://") else {
            return Err(format!(
                "the Docker engine is at {host}, and only unix sockets are spoken to"
            ));
        };
        let silent =
            |error: bollard::errors::Error| format!("the Docker engine at {host} does not answer: {error}");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("the Docker engine cannot be asked: {error}"))?;
        let docker = Docker::connect_with_unix(socket, TIMEOUT, API_DEFAULT_VERSION).map_err(silent)?;
        let docker = runtime.block_on(docker.negotiate_version()).map_err(silent)?;
        Ok(Self {
            runtime,
            docker,
            host,
        })
    }
}

impl Read for Export {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Bounded: each turn takes a piece of the stream, whose reader bounds it.
        while self.current.is_empty() {
            match self.runtime.block_on(self.stream.next()) {
                Some(next) => self.current = next.map_err(io::Error::other)?,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.current.len());
        if let Some(buffer) = buffer.get_mut(..length) {
            self.current.copy_to_slice(buffer);
        }
        Ok(length)
    }
}

/// What decides where the engine is.
struct Environment {
    host: Option<String>,
    context: Option<String>,
    /// Docker's own configuration folder.
    configuration: Option<PathBuf>,
}

impl Environment {
    fn of_process() -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let home = || variable("HOME").map(|home| Path::new(&home).join(".docker"));
        Self {
            host: variable("DOCKER_HOST"),
            context: variable("DOCKER_CONTEXT"),
            configuration: variable("DOCKER_CONFIG").map(PathBuf::from).or_else(home),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ClientConfiguration {
    current_context: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Context {
    endpoints: Endpoints,
}

#[derive(Debug, Deserialize)]
struct Endpoints {
    docker: Endpoint,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Endpoint {
    host: String,
}

/// The engine's address: DOCKER_HOST, else the context by DOCKER_CONTEXT or by the client's configuration.
fn host(environment: &Environment) -> Result<String, String> {
    if let Some(host) = &environment.host {
        return Ok(host.clone());
    }
    let default = || Ok(DEFAULT_HOST.to_owned());
    let Some(folder) = &environment.configuration else {
        return default();
    };
    let context = match &environment.context {
        Some(context) => context.clone(),
        None => match std::fs::read(folder.join("config.json")) {
            Ok(json) => {
                let configuration: ClientConfiguration = serde_json::from_slice(&json)
                    .map_err(|error| format!("{}: {error}", folder.join("config.json").display()))?;
                configuration.current_context
            }
            Err(_) => String::new(),
        },
    };
    if context.is_empty() || context == "default" {
        return default();
    }
    let digest = Digest::of(context.as_bytes());
    let file = folder
        .join("contexts/meta")
        .join(&digest.digits)
        .join("meta.json");
    let wrong = |error: String| format!("Docker context {context:?}: {}: {error}", file.display());
    let json = std::fs::read(&file).map_err(|error| wrong(error.to_string()))?;
    let context: Context = serde_json::from_slice(&json).map_err(|error| wrong(error.to_string()))?;
    Ok(context.endpoints.docker.host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(environment: &Environment, expected: &Result<&str, &str>) {
        let found = host(environment);
        match (&found, expected) {
            (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
            _ => assert_eq!(
                found.as_deref().map_err(String::as_str),
                expected.as_ref().copied().map_err(|e| *e)
            ),
        }
    }

    #[test]
    fn the_engine_is_found_as_the_docker_command_finds_it() {
        let folder = tempfile::tempdir().unwrap();
        let meta = folder
            .path()
            .join("contexts/meta")
            .join(Digest::of(b"other").digits);
        std::fs::create_dir_all(&meta).unwrap();
        let endpoint = r#"{"Name":"other","Endpoints":{"docker":{"Host":"unix:///other.sock"}}}"#;
        std::fs::write(meta.join("meta.json"), endpoint).unwrap();
        let environment = |host: Option<&str>, context: Option<&str>| Environment {
            host: host.map(str::to_owned),
            context: context.map(str::to_owned),
            configuration: Some(folder.path().to_owned()),
        };
        check(&environment(None, None), &Ok(DEFAULT_HOST));
        check(
            &environment(Some("unix:///mine.sock"), Some("other")),
            &Ok("unix:///mine.sock"),
        );
        check(&environment(None, Some("other")), &Ok("unix:///other.sock"));
        check(&environment(None, Some("default")), &Ok(DEFAULT_HOST));
        check(
            &environment(None, Some("absent")),
            &Err("Docker context \"absent\""),
        );
        std::fs::write(folder.path().join("config.json"), r#"{"currentContext":"other"}"#).unwrap();
        check(&environment(None, None), &Ok("unix:///other.sock"));
        std::fs::write(folder.path().join("config.json"), "{").unwrap();
        check(&environment(None, None), &Err("config.json"));
    }

    #[test]
    fn names_that_cannot_be_an_image_are_not_sent() {
        let error = export("a b").map(drop).unwrap_err().to_string();
        assert_eq!(
            error,
            "a b: no such file or folder, and no image may be called so"
        );
    }
}
