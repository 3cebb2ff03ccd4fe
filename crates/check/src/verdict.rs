//! What a check came to.

use serde::Serialize;

use crate::compare::Difference;
use crate::denied::Denied;

/// What the check of one image found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// The image, as it was named.
    pub image: String,
    /// What ran its containers, with its version.
    pub engine: String,
    /// How many lives there were without a policy, and with each.
    pub lives: usize,
    /// The steps of a life without a policy, each with how it ended.
    pub steps: Vec<(String, String)>,
    /// Lines that differ between lives without a policy: they are no difference.
    pub varying: Vec<String>,
    /// One for each policy.
    pub verdicts: Vec<Verdict>,
}

/// What one policy came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The policy, in words.
    pub policy: String,
    /// In what lives under it differ.
    pub differences: Vec<Difference>,
    /// Calls that it denied.
    pub denied: Vec<Denied>,
    /// Whether denied calls could be seen.
    pub observation: Observation,
}

/// Whether the calls that a policy denies could be seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Observation {
    /// They could, in a life of its own in which they are let through and logged.
    #[default]
    Complete,
    /// They could, without something.
    Without(String),
    /// They could not.
    Impossible(String),
}

impl Verdict {
    /// Whether the container behaves the same, and the policy denied nothing that it asked for; denied calls alone
    /// may be tolerated.
    #[must_use]
    pub fn passed(&self, tolerate_denied: bool) -> bool {
        self.differences.is_empty() && (tolerate_denied || self.denied.is_empty())
    }
}

impl Checked {
    /// Whether every policy passed.
    #[must_use]
    pub fn passed(&self, tolerate_denied: bool) -> bool {
        self.verdicts
            .iter()
            .all(|verdict| verdict.passed(tolerate_denied))
    }

    /// As JSON, with a line break at its end.
    ///
    /// # Errors
    /// When it cannot be written as JSON, which does not happen with what is in it.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}
