//! What is kept of each image.

use confine_engine::WORKLOAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::counts::Counts;
use crate::rows::Named;

use super::shortfall::Group;
use super::taken::Taken;

/// One image.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What it is called here.
    pub name: String,
    /// Its name in the published table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<String>,
    /// What it is, where it stands in for the published product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stand_in: Option<String>,
    /// The image's identity.
    pub image: String,
    /// A digest of the program that it was evaluated with.
    pub program: String,
    /// The figures.
    #[serde(flatten)]
    pub counts: Counts,
    /// The vulnerabilities that are out of reach, where they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<Taken>,
    /// What is allowed, by cause, where that is more than what was published.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shortfall: Vec<Group>,
    /// How long the analysis took, without a cache.
    pub seconds: f64,
    /// Its largest resident set.
    pub memory_mib: u64,
    /// How many times as long as decoding the same code once.
    pub decode_ratio: Option<f64>,
    /// What its check came to.
    pub checked: Checked,
    /// The same of the image hardened, where that was checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardened: Option<Checked>,
}

/// What a check came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// Whether the container is the same under its policy.
    pub passed: bool,
    /// What differs, what is denied, or why it could not be checked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// How `confine check` begins the name of the policies of a hardened image.
const HARDENED: &str = "hardened";

impl Checked {
    /// From what `confine check --hardened` writes: of the image as it is, and of the hardened one.
    pub fn read(checked: &Value) -> (Self, Option<Self>) {
        let verdicts = checked["verdicts"].as_array().map_or(&[][..], Vec::as_slice);
        let is_hardened = |verdict: &&Value| {
            let policy = verdict["policy"].as_str();
            policy.is_some_and(|policy| policy.starts_with(HARDENED))
        };
        let (hardened, own): (Vec<&Value>, Vec<&Value>) = verdicts.iter().partition(is_hardened);
        let without = failures(&checked["steps"]);
        let of = |verdicts: &[&Value]| Self::of(verdicts, &without);
        (of(&own), (!hardened.is_empty()).then(|| of(&hardened)))
    }

    /// From some of the verdicts, and what is wrong with lives without a policy.
    fn of(verdicts: &[&Value], without: &[String]) -> Self {
        let list = |owner: &Value, field: &str| owner[field].as_array().cloned().unwrap_or_default();
        let text = |owner: &Value, field: &str| owner[field].as_str().unwrap_or("nothing").to_owned();
        let mut problems = without.to_vec();
        for verdict in verdicts {
            problems.extend(list(verdict, "denied").iter().map(|denied| {
                let arguments: Vec<String> = list(denied, "arguments")
                    .iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect();
                format!(
                    "{}({}) by {} denied, foreseen: {}",
                    text(denied, "call"),
                    arguments.join("; "),
                    text(denied, "program"),
                    text(denied, "foreseen")
                )
            }));
            problems.extend(list(verdict, "differences").iter().map(|difference| {
                format!(
                    "{}: `{}` in place of `{}`",
                    text(difference, "step"),
                    text(difference, "found"),
                    text(difference, "expected")
                )
            }));
            let observation = &verdict["observation"];
            if observation != "complete" {
                problems.push(format!("denied calls could not all be seen: {observation}"));
            }
        }
        Self {
            passed: problems.is_empty(),
            problems,
        }
    }
}

/// Steps of a life without a policy in which an image does not do what its recipe asks of it: that proves nothing of a
/// policy.
fn failures(steps: &Value) -> Vec<String> {
    let steps = steps.as_array().map_or(&[][..], Vec::as_slice);
    let failed = steps.iter().filter_map(|step| {
        let (name, outcome) = (step[0].as_str()?, step[1].as_str()?);
        let fails = name.starts_with(WORKLOAD) && outcome != "exit code 0";
        fails.then(|| format!("without a policy, {name}: {outcome}"))
    });
    failed.collect()
}

impl Named for Row {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Row {
    /// Whether every check passed that was made.
    pub fn passed(&self) -> bool {
        self.checked.passed && self.hardened.as_ref().is_none_or(|checked| checked.passed)
    }

    /// The row in one line, for whoever waits.
    pub fn line(&self) -> String {
        let word = if self.passed() { "pass" } else { "FAIL" };
        let mut line = format!(
            "{word}  {}: {} of 335 denied, {} for the main program",
            self.name, self.counts.denied, self.counts.main_denied
        );
        let hardened = self.hardened.iter().flat_map(|checked| &checked.problems);
        for problem in self.checked.problems.iter().chain(hardened) {
            line.push_str("\n      ");
            line.push_str(&problem.replace('\n', "\n      "));
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_check_finds_is_kept_in_words() {
        let verdict = json!({
            "policy": "the image's own profile",
            "differences": [{ "step": "workload", "kind": "output", "found": "61", "expected": "60" }],
            "denied": [{ "call": "bind", "program": "/a", "arguments": ["fd=3"], "foreseen": "no" }],
            "observation": "complete",
        });
        let passed = json!({ "policy": "hardened, 2 programs with policies of their own",
            "differences": [], "denied": [], "observation": "complete" });
        let (checked, hardened) = Checked::read(&json!({ "verdicts": [verdict, passed] }));
        assert!(!checked.passed);
        assert_eq!(
            checked.problems,
            [
                "bind(fd=3) by /a denied, foreseen: no",
                "workload: `61` in place of `60`"
            ]
        );
        assert!(hardened.unwrap().passed);
        assert_eq!(Checked::read(&json!({ "verdicts": [] })).1, None);
    }
}
