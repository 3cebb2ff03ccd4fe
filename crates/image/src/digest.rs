//! Content digests as images write them: `sha256:` or `sha512:` and hexadecimal digits.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256, Sha512};

use crate::Error;

/// A digest that is known to be well-formed, so that it may become part of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Digest {
    pub(crate) algorithm: Algorithm,
    pub(crate) digits: String,
}

/// The hash functions that OCI registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Sha256,
    Sha512,
}

/// A hash being computed.
pub(crate) enum Hasher {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Digest {
    /// Parses `ALGORITHM:DIGITS`; `place` is the document that holds it.
    pub(crate) fn parse(place: &str, text: &str) -> Result<Self, Error> {
        let parts = text
            .split_once(':')
            .and_then(|(algorithm, digits)| match algorithm {
                "sha256" if digits.len() == 64 => Some((Algorithm::Sha256, digits)),
                "sha512" if digits.len() == 128 => Some((Algorithm::Sha512, digits)),
                _ => None,
            });
        let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        match parts {
            Some((algorithm, digits)) if digits.bytes().all(lower) => Ok(Self {
                algorithm,
                digits: digits.to_owned(),
            }),
            _ => Err(Error::Digest {
                place: place.to_owned(),
                digest: text.chars().take(160).collect(),
            }),
        }
    }

    /// The SHA-256 of some bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(bytes);
        hasher.finish()
    }

    /// Hashes `bytes` and compares.
    pub(crate) fn verify(&self, place: &str, bytes: &[u8]) -> Result<(), Error> {
        let mut hasher = Hasher::new(self.algorithm);
        hasher.update(bytes);
        self.compare(place, &hasher.finish())
    }

    /// Fails unless `found` is this digest.
    pub(crate) fn compare(&self, place: &str, found: &Self) -> Result<(), Error> {
        if self == found {
            return Ok(());
        }
        Err(Error::DigestMismatch {
            place: place.to_owned(),
            expected: self.to_string(),
            found: found.to_string(),
        })
    }

    /// Where an OCI layout keeps the blob.
    pub(crate) fn path(&self) -> String {
        format!("blobs/{}/{}", self.algorithm.name(), self.digits)
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}", self.algorithm.name(), self.digits)
    }
}

impl Algorithm {
    fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }
}

impl Hasher {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Digest {
        match self {
            Self::Sha256(hasher) => Digest {
                algorithm: Algorithm::Sha256,
                digits: hexadecimal(&hasher.finalize()),
            },
            Self::Sha512(hasher) => Digest {
                algorithm: Algorithm::Sha512,
                digits: hexadecimal(&hasher.finalize()),
            },
        }
    }
}

/// The bytes of a digest as they are written.
#[must_use]
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
