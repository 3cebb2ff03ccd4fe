//! Which operating system and processor an image is for.

use std::str::FromStr;

use crate::Error;

/// A platform as OCI spells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// Operating system, e.g. `linux`.
    pub os: String,
    /// Processor, e.g. `amd64`.
    pub architecture: String,
    /// Variant of the processor, e.g. `v8`; empty for any.
    pub variant: String,
}

impl Platform {
    /// Whether a described platform is this one; what it does not say is no obstacle.
    pub(crate) fn fits(&self, (os, architecture, variant): (&str, &str, &str)) -> bool {
        let same = |wanted: &str, there: &str| wanted.is_empty() || there.is_empty() || wanted == there;
        same(&self.os, os) && same(&self.architecture, architecture) && same(&self.variant, variant)
    }

    /// Fails unless it fits.
    pub(crate) fn check(&self, place: &str, there: (&str, &str, &str)) -> Result<(), Error> {
        if self.fits(there) {
            return Ok(());
        }
        Err(Error::Platform {
            place: place.to_owned(),
            wanted: self.to_string(),
            found: vec![Self::show(there)],
        })
    }

    /// As people write it.
    pub(crate) fn show((os, architecture, variant): (&str, &str, &str)) -> String {
        let parts: Vec<&str> = [os, architecture, variant]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect();
        parts.join("/")
    }
}

impl Default for Platform {
    fn default() -> Self {
        Self {
            os: "linux".to_owned(),
            architecture: "amd64".to_owned(),
            variant: String::new(),
        }
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&Self::show((&self.os, &self.architecture, &self.variant)))
    }
}

/// A text that is not `OS/ARCHITECTURE[/VARIANT]`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no platform, expected OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT")]
pub struct InvalidPlatform(String);

impl FromStr for Platform {
    type Err = InvalidPlatform;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('/').collect();
        let (os, architecture, variant) = match parts.as_slice() {
            [os, architecture] => (*os, *architecture, ""),
            [os, architecture, variant] => (*os, *architecture, *variant),
            _ => return Err(InvalidPlatform(text.to_owned())),
        };
        if os.is_empty() || architecture.is_empty() {
            return Err(InvalidPlatform(text.to_owned()));
        }
        Ok(Self {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            variant: variant.to_owned(),
        })
    }
}
