//! Documents of confine as JSON, and back: what reports and records have in common.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A kind of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// What people call it.
    pub word: &'static str,
    /// What it calls itself.
    pub schema: &'static str,
    /// The version of its schema that is written and read; it grows whenever a reader of the older one could misunderstand a
    /// file.
    pub version: u32,
}

/// Why a text is no such document.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not JSON, or not of a document's shape.
    #[error("not a {word} of confine: {source}")]
    Malformed {
        /// What was expected.
        word: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// It calls itself something else.
    #[error("expected the schema \"{expected}\", found \"{found}\"")]
    Schema {
        /// What it would call itself.
        expected: &'static str,
        /// What it does.
        found: String,
    },
    /// It is of another version.
    #[error(
        "expected version {} of the {}'s schema, found {found}: read it with the confine that wrote it",
        form.version,
        form.word
    )]
    Version {
        /// What was expected.
        form: Form,
        /// Its version.
        found: u32,
    },
    /// It points to something that it does not list.
    #[error("it lists {count} {what}, but points to the one of index {index}")]
    Dangling {
        /// What is pointed to, in the plural.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// The index that is too large.
        index: usize,
    },
}

impl Form {
    /// A value as JSON, indented, with a line feed at its end; the same bytes for the same value.
    ///
    /// # Errors
    /// None that a document can cause; JSON writers just may fail.
    pub fn write(&self, value: &impl Serialize) -> Result<String, Error> {
        let mut text = serde_json::to_string_pretty(value).map_err(|source| self.malformed(source))?;
        text.push('\n');
        Ok(text)
    }

    /// Reads what [`Form::write`] wrote; indices in it are not looked at.
    ///
    /// # Errors
    /// When the text is no such document, or one of another version.
    pub fn read<T: DeserializeOwned>(&self, text: &str) -> Result<T, Error> {
        /// What is looked at first, so that another version is named as such whatever else has changed.
        #[derive(Deserialize)]
        struct Header {
            schema: String,
            version: u32,
        }
        let header: Header = serde_json::from_str(text).map_err(|source| self.malformed(source))?;
        if header.schema != self.schema {
            return Err(Error::Schema {
                expected: self.schema,
                found: header.schema,
            });
        }
        if header.version != self.version {
            return Err(Error::Version {
                form: *self,
                found: header.version,
            });
        }
        serde_json::from_str(text).map_err(|source| self.malformed(source))
    }

    /// The JSON schema of a type, as JSON with a line feed at its end.
    ///
    /// # Errors
    /// None that a caller can cause; JSON writers just may fail.
    pub fn schema<T: JsonSchema>(&self) -> Result<String, Error> {
        let settings = SchemaSettings::draft2020_12();
        self.write(&settings.into_generator().into_root_schema_for::<T>())
    }

    fn malformed(&self, source: serde_json::Error) -> Error {
        Error::Malformed {
            word: self.word,
            source,
        }
    }
}

/// Fails unless every index is below `count`; `what` is what they point to, in the plural.
///
/// # Errors
/// [`Error::Dangling`] with the first one that is not.
pub fn within(
    what: &'static str,
    count: usize,
    mut indices: impl Iterator<Item = usize>,
) -> Result<(), Error> {
    match indices.find(|index| *index >= count) {
        Some(index) => Err(Error::Dangling { what, count, index }),
        None => Ok(()),
    }
}
