//! What an analysis could not resolve, said once and in one shape.
//!
//! Every room that reads an image (`programs`, `link`, `code`, `solve`) meets things that it cannot close: a
//! call number, a jump, a library name, a command. Each becomes an [`Assumption`]: a recorded fact with the
//! place that owns it and what was done about it. There is no silent third way.
//!
//! In: nothing. Out: the type. Must not know: how anything is analysed or shown.
#![forbid(unsafe_code)]

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing that the analysis could not resolve, and what it did about it.
///
/// Ordered by kind, place and detail, so that lists of assumptions come out the same on every run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Assumption {
    /// What was left open.
    pub kind: Kind,
    /// Where: `object:function+offset`, `script:line`, or a file's path, all as inside the image.
    pub place: String,
    /// What was expected and what was found instead, in one line for a person.
    pub detail: String,
    /// What the analysis did about it.
    pub effect: Effect,
}

/// What kind of thing was left open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A system call whose number is not a known constant.
    OpenCallNumber,
    /// An indirect jump whose targets are not known.
    OpenJump,
    /// A library that is loaded by a name which is not known.
    OpenLibrary,
    /// A function that is looked up by a name which is not known.
    OpenSymbol,
    /// A command or program that is executed by a name which is not known.
    OpenCommand,
    /// A program or script that is named but is not in the image.
    MissingProgram,
    /// An interpreter or library that is named but is not in the image.
    MissingObject,
    /// An imported symbol that no loaded object defines.
    MissingSymbol,
    /// A file that is there but could not be read or is not what its name says.
    UnreadableFile,
}

/// What the analysis did about an open thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// The policy now allows everything that the engine's default profile allows.
    WidenedToDefault,
    /// Every candidate that the image holds was taken in, which is more than is used.
    WidenedToCandidates,
    /// The user says that nothing comes of it: what the open thing would bring is trusted never to be used.
    Trusted,
    /// The policy was not widened: what the open thing would bring is not covered unless the user names it.
    NotCovered,
}

impl fmt::Display for Kind {
    /// The same word as in JSON, so that text and data speak of the same thing.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(formatter)
    }
}

impl fmt::Display for Effect {
    /// The same word as in JSON.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_data() {
        assert_eq!(Kind::OpenCallNumber.to_string(), "open-call-number");
        assert_eq!(Effect::WidenedToDefault.to_string(), "widened-to-default");
    }
}
