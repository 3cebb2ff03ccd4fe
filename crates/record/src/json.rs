//! A record as JSON, and back.

use schemars::generate::SchemaSettings;

use crate::Record;

/// What a record calls itself.
pub const SCHEMA: &str = "confine-record";

/// The version of the schema that this crate writes and reads.
pub const VERSION: u32 = 1;

/// Why a text is no record.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not JSON, or not of a record's shape.
    #[error("not a record of confine: {0}")]
    Malformed(#[from] serde_json::Error),
    /// It calls itself something else.
    #[error("expected the schema \"{SCHEMA}\", found \"{0}\"")]
    Schema(String),
    /// It is of another version.
    #[error(
        "expected version {VERSION} of the record's schema, found {0}: read it with the confine that wrote it"
    )]
    Version(u32),
    /// It points to a file that it does not list.
    #[error("it lists {count} files, but points to the one of index {index}")]
    Dangling {
        /// How many there are.
        count: usize,
        /// The index that is too large.
        index: usize,
    },
}

impl Record {
    /// The record as JSON, indented, with a line feed at its end.
    ///
    /// # Errors
    /// None that a record can cause; JSON writers just may fail.
    pub fn to_json(&self) -> Result<String, Error> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        Ok(text)
    }

    /// Reads a record that [`Record::to_json`] wrote.
    ///
    /// # Errors
    /// When the text is no record, is one of another version, or contradicts itself.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        /// What is looked at first, so that another version is named as such whatever else has changed.
        #[derive(serde::Deserialize)]
        struct Header {
            schema: String,
            version: u32,
        }
        let header: Header = serde_json::from_str(text)?;
        if header.schema != SCHEMA {
            return Err(Error::Schema(header.schema));
        }
        if header.version != VERSION {
            return Err(Error::Version(header.version));
        }
        let record: Self = serde_json::from_str(text)?;
        record.check_indices()?;
        Ok(record)
    }

    fn check_indices(&self) -> Result<(), Error> {
        let count = self.files.len();
        let mut indices = self.programs.iter().flat_map(|program| {
            let executors = program.executed_by.iter().filter_map(|executor| executor.file);
            std::iter::once(program.file)
                .chain(executors)
                .chain(program.objects.iter().copied())
        });
        match indices.find(|index| *index >= count) {
            Some(index) => Err(Error::Dangling { count, index }),
            None => Ok(()),
        }
    }
}

/// The JSON schema of a record, as JSON with a line feed at its end.
///
/// # Errors
/// None that a caller can cause; JSON writers just may fail.
pub fn schema() -> Result<String, Error> {
    let schema = SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<Record>();
    let mut text = serde_json::to_string_pretty(&schema)?;
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_record_survives_json() {
        let record = sample::record();
        let text = record.to_json().unwrap();
        assert!(text.ends_with("}\n"));
        assert_eq!(Record::from_json(&text).unwrap(), record);
    }

    #[test]
    fn what_is_no_record_is_named() {
        let text = sample::record().to_json().unwrap();
        let mut dangling = sample::record();
        dangling.programs[0].objects.push(99);
        for (text, expected) in [
            ("", "not a record of confine: EOF while parsing"),
            ("{}", "not a record of confine: missing field `schema`"),
            (
                &text.replace(SCHEMA, "confine-report"),
                "expected the schema \"confine-record\", found \"confine-report\"",
            ),
            (
                &text.replace("\"version\": 1", "\"version\": 7"),
                "expected version 1 of the record's schema, found 7",
            ),
            (
                &dangling.to_json().unwrap(),
                "it lists 5 files, but points to the one of index 99",
            ),
        ] {
            let error = Record::from_json(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
