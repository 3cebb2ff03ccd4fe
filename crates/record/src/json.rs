//! A record as JSON, and back.

use confine_report::document::{Error, Form, within};

use crate::Record;

/// What a record calls itself.
pub const SCHEMA: &str = "confine-record";

/// The version of the schema that this crate writes and reads.
pub const VERSION: u32 = 1;

const FORM: Form = Form {
    word: "record",
    schema: SCHEMA,
    version: VERSION,
};

impl Record {
    /// The record as JSON, indented, with a line feed at its end.
    ///
    /// # Errors
    /// None that a record can cause; JSON writers just may fail.
    pub fn to_json(&self) -> Result<String, Error> {
        FORM.write(self)
    }

    /// Reads a record that [`Record::to_json`] wrote.
    ///
    /// # Errors
    /// When the text is no record, is one of another version, or contradicts itself.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let record: Self = FORM.read(text)?;
        record.check_indices()?;
        Ok(record)
    }

    fn check_indices(&self) -> Result<(), Error> {
        let indices = self.programs.iter().flat_map(|program| {
            let executors = program.executed_by.iter().filter_map(|executor| executor.file);
            std::iter::once(program.file)
                .chain(executors)
                .chain(program.objects.iter().copied())
        });
        within("files", self.files.len(), indices)
    }
}

/// The JSON schema of a record, as JSON with a line feed at its end.
///
/// # Errors
/// None that a caller can cause; JSON writers just may fail.
pub fn schema() -> Result<String, Error> {
    FORM.schema::<Record>()
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
