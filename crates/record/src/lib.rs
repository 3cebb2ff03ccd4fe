//! The record: what a container was seen to do, as data, and what it says about a report.
//!
//! In: a [`Record`], filled in by whoever observed or read back from a file, and a [`Report`](confine_report::Report).
//! Out: the record's JSON ([`Record::to_json`], [`Record::from_json`], the schema in `docs/record.schema.json`), what was
//! observed and not foreseen, and foreseen and not observed ([`compare`]) with its text ([`text`]), and a report that
//! foresees what was observed ([`add`]). Must not know: how anything is observed or analysed, or where text is shown.
#![forbid(unsafe_code)]

mod add;
mod compare;
mod findings;
mod json;
mod model;
#[cfg(test)]
mod sample;
mod text;

pub use add::add;
pub use compare::compare;
pub use confine_report::Error;
pub use findings::{Comparison, Finding, Kind, Unseen};
pub use json::{SCHEMA, VERSION, schema};
pub use model::{Call, Ended, Executor, File, Image, Program, Record, Seen, Session, Value};
pub use text::text;
