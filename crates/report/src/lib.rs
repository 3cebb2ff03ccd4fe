//! The report: everything that an analysis found, as data, and the views that people read.
//!
//! In: a [`Report`], filled in by whoever ran the analysis or read back from a file. Out: its JSON, which later
//! tools build on ([`Report::to_json`], [`Report::from_json`], the schema in `docs/report.schema.json`), and text
//! ([`inspect`], [`why`]). Nothing in a report depends on when or where it was made: no times, no paths of the
//! host, every list in a fixed order. Must not know: how anything is analysed, or where text is shown; the views
//! return text with ANSI styles, and whoever prints it takes them out where they don't belong.
#![forbid(unsafe_code)]

mod canonical;
mod combination;
pub mod document;
mod inspect;
mod json;
mod model;
mod programs;
#[cfg(test)]
mod sample;
pub mod sarif;
pub mod text;
mod values;
mod ways;
mod why;
mod word;

pub use document::Error;
pub use inspect::inspect;
pub use json::{SCHEMA, VERSION, schema};
pub use model::{
    Allowed, Call, Coarser, Combination, Found, Image, LoadedObject, Object, ObjectKind, Observed, Program,
    Report, Restriction, RuntimeCall, Script, Step, Widened,
};
pub use values::asked as values_in_words;
pub use why::why;
pub use word::Word;
