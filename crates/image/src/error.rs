//! Why an image could not be opened: every variant names the place and the offence.

use std::io;

/// Why an image could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The reference is not written as any that confine knows.
    #[error("{reference}: {reason}")]
    Reference {
        /// What was given.
        reference: String,
        /// What was expected.
        reason: String,
    },
    /// A file of the host could not be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// The system's answer.
        source: io::Error,
    },
    /// It is there, but it is no container image.
    #[error("{place}: not a container image: {reason}")]
    NotAnImage {
        /// The file or folder.
        place: String,
        /// What was looked for.
        reason: String,
    },
    /// A tar archive that is cut off or broken.
    #[error("{place}: broken tar archive: {reason}")]
    Archive {
        /// The archive or the layer.
        place: String,
        /// The offence and where it is.
        reason: String,
    },
    /// Compressed data that is cut off or broken, or in a compression that confine does not read.
    #[error("{place}: {reason}")]
    Compression {
        /// The archive or the layer.
        place: String,
        /// What the decoder said.
        reason: String,
    },
    /// A manifest, index or configuration that is not the JSON it has to be.
    #[error("{place}: not a valid {what}: {source}")]
    Json {
        /// The file.
        place: String,
        /// Which document was expected.
        what: &'static str,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// A document whose parts contradict each other.
    #[error("{place}: {reason}")]
    Inconsistent {
        /// The document.
        place: String,
        /// The contradiction.
        reason: String,
    },
    /// Something is larger than an honest image's would be.
    #[error("{place}: {what} exceeds the limit of {limit}")]
    TooLarge {
        /// The file or the layer.
        place: String,
        /// What is too large.
        what: &'static str,
        /// The limit, in bytes or pieces.
        limit: u64,
    },
    /// A blob or file that the image names is not there.
    #[error("{place}: {name} is missing (is the image cut off?)")]
    MissingBlob {
        /// The image.
        place: String,
        /// What is missing.
        name: String,
    },
    /// Content that does not have the digest by which it is named.
    #[error("{place}: digest mismatch: expected {expected}, found {found}")]
    DigestMismatch {
        /// The blob or the layer.
        place: String,
        /// What the image promises.
        expected: String,
        /// What the content has.
        found: String,
    },
    /// A digest that is not `sha256:` or `sha512:` with the right number of hexadecimal digits.
    #[error("{place}: {digest:?} is not a sha256 or sha512 digest")]
    Digest {
        /// The document that holds it.
        place: String,
        /// The text.
        digest: String,
    },
    /// A media type that confine does not know how to read.
    #[error("{place}: unknown media type {media_type:?} of {what}")]
    MediaType {
        /// The image.
        place: String,
        /// Which part has it.
        what: &'static str,
        /// The media type.
        media_type: String,
    },
    /// The image is not there for the wanted platform.
    #[error("{place}: no image for {wanted}; there is {}", found.join(", "))]
    Platform {
        /// The image.
        place: String,
        /// What was asked for.
        wanted: String,
        /// What there is.
        found: Vec<String>,
    },
    /// Several images, or none of the wanted name: one has to be named.
    #[error("{place}: {reason}; there is {}", found.join(", "))]
    Choice {
        /// The archive or layout.
        place: String,
        /// Why none could be chosen.
        reason: String,
        /// The names that may be given.
        found: Vec<String>,
    },
    /// The Docker engine could not be asked.
    #[error("{place}: {reason}")]
    Engine {
        /// The reference.
        place: String,
        /// What went wrong.
        reason: String,
    },
}

impl Error {
    pub(crate) fn io(path: impl ToString, source: io::Error) -> Self {
        Self::Io {
            path: path.to_string(),
            source,
        }
    }
}
