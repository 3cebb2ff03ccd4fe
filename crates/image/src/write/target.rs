//! Where an image is written to.

use std::path::PathBuf;
use std::str::FromStr;

use crate::Error;

/// Where an image goes, and under which name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `docker-archive:FILE[:NAME]`: what `docker load` takes.
    DockerArchive(PathBuf, Option<String>),
    /// `oci-archive:FILE[:NAME]`: an OCI layout in an archive.
    OciArchive(PathBuf, Option<String>),
    /// `oci:DIR[:NAME]`: an OCI layout.
    OciLayout(PathBuf, Option<String>),
    /// `docker-daemon:NAME`: the Docker engine.
    Daemon(String),
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |reason: &str| Error::Reference {
            reference: text.to_owned(),
            reason: reason.to_owned(),
        };
        let expected = "expected docker-archive:FILE, oci-archive:FILE, oci:DIR or docker-daemon:NAME";
        let (transport, rest) = text.split_once(':').ok_or_else(|| wrong(expected))?;
        if rest.is_empty() {
            return Err(wrong("something is expected after the colon"));
        }
        let (path, name) = match rest.split_once(':') {
            Some((path, name)) if !name.is_empty() => (path, Some(name.to_owned())),
            _ => (rest, None),
        };
        match transport {
            "docker-archive" => Ok(Self::DockerArchive(path.into(), name)),
            "oci-archive" => Ok(Self::OciArchive(path.into(), name)),
            "oci" => Ok(Self::OciLayout(path.into(), name)),
            "docker-daemon" => Ok(Self::Daemon(rest.to_owned())),
            _ => Err(wrong(expected)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_say_what_they_mean() {
        let name = |name: &str| Some(name.to_owned());
        for (text, expected) in [
            (
                "docker-archive:a.tar",
                Some(Target::DockerArchive("a.tar".into(), None)),
            ),
            (
                "docker-archive:a.tar:x:1",
                Some(Target::DockerArchive("a.tar".into(), name("x:1"))),
            ),
            (
                "oci-archive:a.tar:x",
                Some(Target::OciArchive("a.tar".into(), name("x"))),
            ),
            (
                "oci:folder:x",
                Some(Target::OciLayout("folder".into(), name("x"))),
            ),
            ("docker-daemon:x:1", Some(Target::Daemon("x:1".to_owned()))),
            ("oci:", None),
            ("dir:folder", None),
            ("x:1", None),
            ("a.tar", None),
        ] {
            assert_eq!(text.parse().ok(), expected, "{text}");
        }
    }
}
