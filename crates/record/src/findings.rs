//! What a comparison of a report and a record comes to.

use serde::Serialize;

use crate::Value;

/// What was observed and not foreseen, and foreseen and not observed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// What makes the comparison worth less, in words.
    pub warnings: Vec<String>,
    /// What was observed and not foreseen.
    pub unforeseen: Vec<Finding>,
    /// What was foreseen and not observed.
    pub unseen: Unseen,
    /// How many programs, objects and calls of programs were observed.
    pub observed: Observed,
}

/// How much was observed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Observed {
    /// Programs.
    pub programs: usize,
    /// Objects that programs mapped executable.
    pub objects: usize,
    /// Calls, each counted once for each program.
    pub calls: usize,
    /// Combinations of values of arguments, each counted once for each program.
    pub values: usize,
}

/// Something that was observed and not foreseen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is.
    pub kind: Kind,
    /// The program that is it, or that did it: a path.
    pub program: String,
    /// The object, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The call, where it is one, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// The values that the call was made with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Value>,
    /// How often it was observed; 0 where that was not counted.
    pub times: u64,
    /// Who executed the program, where it is the program that was not foreseen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub executed_by: Vec<String>,
    /// Whether the container's policy denies what was observed; absent where it has no say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denied: Option<bool>,
    /// What it would take to foresee or allow it.
    pub remedy: String,
}

/// What was not foreseen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A program that the report has not.
    Program,
    /// A file that is not the one that was analysed.
    Changed,
    /// An object that the report's program does not load.
    Object,
    /// A call that the report's program does not make.
    Call,
    /// Values that the report's program does not make the call with.
    Value,
}

/// What was foreseen and not observed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Unseen {
    /// Programs, by path.
    pub programs: Vec<String>,
    /// Objects that no program mapped, by path.
    pub objects: Vec<String>,
    /// Calls that the policy allows and nobody made, by name.
    pub calls: Vec<String>,
    /// Of how many programs, objects and calls these are.
    pub of: Foreseen,
}

/// How much was foreseen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Foreseen {
    /// Programs.
    pub programs: usize,
    /// Objects.
    pub objects: usize,
    /// Calls that the policy allows.
    pub calls: usize,
}

impl Comparison {
    /// Whether everything that was observed was foreseen.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.unforeseen.is_empty()
    }
}
