//! How a user names an image, and what that means.

use std::path::{Path, PathBuf};

use crate::Error;

/// An image reference, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reference {
    DockerArchive(Input, Option<String>),
    OciArchive(Input, Option<String>),
    OciLayout(PathBuf, Option<String>),
    RootFs(PathBuf),
    /// A file or the standard input, to be recognised by what is inside.
    Archive(Input),
    Daemon(String),
}

/// Where an image lies, for those who hand it to an engine and do not read it themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// In the Docker engine, under this name.
    Engine(String),
    /// In an archive, which may hold several, with the name in it where one was given.
    Archive(PathBuf, Option<String>),
    /// In an OCI layout, with the tag where one was given.
    Layout(PathBuf, Option<String>),
    /// A folder that is a root file system.
    Folder(PathBuf),
    /// It comes from the standard input.
    Input,
}

/// Where the image lies that a user names.
///
/// # Errors
/// When the text is no reference.
pub fn locate(text: &str) -> Result<Location, Error> {
    let archive = |input, name| match input {
        Input::File(path) => Location::Archive(path, name),
        Input::Stdin => Location::Input,
    };
    Ok(match Reference::parse(text)? {
        Reference::DockerArchive(input, name) | Reference::OciArchive(input, name) => archive(input, name),
        Reference::Archive(input) => archive(input, None),
        Reference::OciLayout(path, tag) => Location::Layout(path, tag),
        Reference::RootFs(path) => Location::Folder(path),
        Reference::Daemon(name) => Location::Engine(name),
    })
}

/// Where an archive comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Input {
    File(PathBuf),
    Stdin,
}

impl Reference {
    /// Parses a reference; a bare name is looked up among the host's files first.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let (transport, rest) = text.split_once(':').unwrap_or((text, ""));
        let named = |path: &str| -> (PathBuf, Option<String>) { split_name(path) };
        let wrong = |reason: &str| Error::Reference {
            reference: text.to_owned(),
            reason: reason.to_owned(),
        };
        let reference = match transport {
            "docker-archive" => {
                let (path, name) = named(rest);
                Self::DockerArchive(Input::of(path), name)
            }
            "oci-archive" => {
                let (path, name) = named(rest);
                Self::OciArchive(Input::of(path), name)
            }
            "oci" => {
                let (path, name) = named(rest);
                Self::OciLayout(path, name)
            }
            "dir" => Self::RootFs(rest.into()),
            "docker-daemon" => Self::Daemon(rest.to_owned()),
            "docker" if rest.starts_with("//") => {
                return Err(wrong(
                    "registries are not read, pull it and give its name or an archive",
                ));
            }
            "containers-storage" => {
                return Err(wrong(
                    "containers-storage is not read, save it as a docker-archive or oci-archive",
                ));
            }
            _ if text.is_empty() => return Err(wrong("an image is expected: a file, a folder or a name")),
            _ => return Self::recognise(text),
        };
        if rest.is_empty() {
            return Err(wrong("something is expected after the colon"));
        }
        Ok(reference)
    }

    fn recognise(text: &str) -> Result<Self, Error> {
        if text == "-" {
            return Ok(Self::Archive(Input::Stdin));
        }
        let path = Path::new(text);
        match path.metadata() {
            Ok(metadata) if metadata.is_dir() => {
                let is_layout = path.join("oci-layout").exists() || path.join("index.json").exists();
                Ok(if is_layout {
                    Self::OciLayout(path.into(), None)
                } else {
                    Self::RootFs(path.into())
                })
            }
            Ok(_) => Ok(Self::Archive(Input::File(path.into()))),
            Err(error) if text.starts_with(['/', '.', '~']) => Err(Error::io(text, error)),
            Err(_) => Ok(Self::Daemon(text.to_owned())),
        }
    }
}

impl Input {
    fn of(path: PathBuf) -> Self {
        if path.as_os_str() == "-" {
            Self::Stdin
        } else {
            Self::File(path)
        }
    }
}

impl std::fmt::Display for Input {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(formatter),
            Self::Stdin => formatter.write_str("-"),
        }
    }
}

/// Splits `PATH[:NAME]`: at the first colon, unless a file is called so as a whole.
fn split_name(text: &str) -> (PathBuf, Option<String>) {
    match text.split_once(':') {
        Some((path, name)) if !name.is_empty() && !Path::new(text).exists() => {
            (path.into(), Some(name.to_owned()))
        }
        _ => (text.into(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &Result<Reference, &str>) {
        let found = Reference::parse(text).map_err(|error| error.to_string());
        assert_eq!(
            found.as_ref().map_err(String::as_str),
            expected.as_ref().map_err(|text| *text),
            "{text}"
        );
    }

    #[test]
    fn an_image_lies_where_its_reference_says() {
        let path = |text: &str| PathBuf::from(text);
        for (text, expected) in [
            (
                "docker-archive:a.tar:x:1",
                Location::Archive(path("a.tar"), Some("x:1".to_owned())),
            ),
            ("oci-archive:-", Location::Input),
            ("-", Location::Input),
            (
                "oci:layout:v1",
                Location::Layout(path("layout"), Some("v1".to_owned())),
            ),
            ("dir:/srv", Location::Folder(path("/srv"))),
            ("nginx:1", Location::Engine("nginx:1".to_owned())),
        ] {
            assert_eq!(locate(text).unwrap(), expected, "{text}");
        }
        assert!(locate("docker://x").is_err());
    }

    #[test]
    fn references_say_what_they_mean() {
        let file = |path: &str| Input::File(path.into());
        check(
            "docker-archive:a.tar",
            &Ok(Reference::DockerArchive(file("a.tar"), None)),
        );
        check(
            "docker-archive:a.tar:nginx:1.25",
            &Ok(Reference::DockerArchive(
                file("a.tar"),
                Some("nginx:1.25".to_owned()),
            )),
        );
        check(
            "docker-archive:-",
            &Ok(Reference::DockerArchive(Input::Stdin, None)),
        );
        check(
            "oci-archive:a.tar:v1",
            &Ok(Reference::OciArchive(file("a.tar"), Some("v1".to_owned()))),
        );
        check(
            "oci:layout:v1",
            &Ok(Reference::OciLayout("layout".into(), Some("v1".to_owned()))),
        );
        check("dir:/srv/root", &Ok(Reference::RootFs("/srv/root".into())));
        check(
            "docker-daemon:nginx:1.25",
            &Ok(Reference::Daemon("nginx:1.25".to_owned())),
        );
        check("nginx:1.25", &Ok(Reference::Daemon("nginx:1.25".to_owned())));
        check("-", &Ok(Reference::Archive(Input::Stdin)));
        check(
            env!("CARGO_MANIFEST_DIR"),
            &Ok(Reference::RootFs(env!("CARGO_MANIFEST_DIR").into())),
        );
        check("oci:", &Err("oci:: something is expected after the colon"));
        check("", &Err(": an image is expected: a file, a folder or a name"));
        check(
            "./absent.tar",
            &Err("./absent.tar: No such file or directory (os error 2)"),
        );
        check(
            "docker://nginx",
            &Err("docker://nginx: registries are not read, pull it and give its name or an archive"),
        );
    }
}
