//! A report as JSON, and back.

use crate::Report;
use crate::document::{Error, Form, within};

/// What a report calls itself.
pub const SCHEMA: &str = "confine-report";

/// The version of the schema that this crate writes and reads.
pub const VERSION: u32 = 3;

const FORM: Form = Form {
    word: "report",
    schema: SCHEMA,
    version: VERSION,
};

impl Report {
    /// The report as JSON, indented, with a line feed at its end; the same bytes for the same report.
    ///
    /// # Errors
    /// None that a report can cause; JSON writers just may fail.
    pub fn to_json(&self) -> Result<String, Error> {
        FORM.write(self)
    }

    /// Reads a report that [`Report::to_json`] wrote.
    ///
    /// # Errors
    /// When the text is no report, is one of another version, or contradicts itself.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let report: Self = FORM.read(text)?;
        report.check_indices()?;
        Ok(report)
    }

    fn check_indices(&self) -> Result<(), Error> {
        let loaded = self
            .programs
            .iter()
            .flat_map(|program| program.objects.iter().map(|loaded| loaded.object));
        let calls = self.programs.iter().flat_map(|program| &program.calls);
        let steps = calls.flat_map(|call| {
            let combinations = call.arguments.iter().flat_map(|combination| &combination.chain);
            call.chain.iter().chain(combinations).map(|step| step.object)
        });
        within("objects", self.objects.len(), loaded.chain(steps))?;
        let by = self.allowed.iter().flat_map(|allowed| &allowed.by);
        let executed = self.programs.iter().flat_map(|program| &program.executes);
        within("programs", self.programs.len(), by.chain(executed).copied())
    }
}

/// The JSON schema of a report, as JSON with a line feed at its end.
///
/// # Errors
/// None that a caller can cause; JSON writers just may fail.
pub fn schema() -> Result<String, Error> {
    FORM.schema::<Report>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_report_survives_json() {
        let report = sample::report();
        let text = report.to_json().unwrap();
        assert!(text.ends_with("}\n"));
        assert_eq!(Report::from_json(&text).unwrap(), report);
    }

    #[test]
    fn what_is_no_report_is_named() {
        let text = sample::report().to_json().unwrap();
        let dangling = text.replace("\"by\": [\n        1\n      ]", "\"by\": [\n        9\n      ]");
        for (text, expected) in [
            ("", "not a report of confine: EOF while parsing"),
            ("{}", "not a report of confine: missing field `schema`"),
            (
                &text.replace(SCHEMA, "other"),
                "expected the schema \"confine-report\", found \"other\"",
            ),
            (
                &text.replace("\"version\": 3", "\"version\": 1"),
                "expected version 3 of the report's schema, found 1",
            ),
            (&text.replace("\"0x", "\"x"), "is no number like"),
            (&dangling, "it lists 2 programs, but points to the one of index 9"),
        ] {
            let error = Report::from_json(text).unwrap_err().to_string();
            assert!(
                error.contains(expected),
                "{error:?} does not contain {expected:?}"
            );
        }
    }
}
