//! How often programs make calls and with which arguments, so that frequent ones are decided first.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::LazyLock;

use confine_policy::ARGUMENTS;

use crate::CallData;

/// How often calls were seen. What it does not name is rare.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Weights {
    counts: BTreeMap<Call, u64>,
}

/// A call by its number, and by its arguments where they are known. What tells nothing of a call, as a descriptor, is 0 among
/// them.
type Call = (u32, Option<[u64; ARGUMENTS]>);

/// Counts of programs under load.
const TYPICAL: &str = include_str!("../data/weights.tsv");

impl Weights {
    /// As servers and scripts under load were seen to make them; the file says where.
    #[must_use]
    pub fn typical() -> Self {
        // A test reads the file: without it all calls would be alike, which is slower and no less right.
        static READ: LazyLock<Weights> = LazyLock::new(|| TYPICAL.parse().unwrap_or_default());
        READ.clone()
    }

    /// All calls alike.
    #[must_use]
    pub fn even() -> Self {
        Self::default()
    }

    /// How often each call was seen.
    pub(crate) fn counts(&self) -> &BTreeMap<Call, u64> {
        &self.counts
    }

    fn add(&mut self, call: Call, count: u64) {
        let known = self.counts.entry(call).or_default();
        *known = known.saturating_add(count);
    }
}

/// A line that does not say how often a call is made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line}: expected the name of a system call, maybe its six arguments, and a count, found {found:?}"
)]
pub struct MalformedWeights {
    line: usize,
    found: String,
}

impl FromStr for Weights {
    type Err = MalformedWeights;

    /// Reads lines of a call's name, its six arguments or none of them, and a count; what follows `#` is a comment.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut weights = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            let said = line.split('#').next().unwrap_or_default().trim();
            if said.is_empty() {
                continue;
            }
            let (call, count) = counted(said).ok_or_else(|| MalformedWeights {
                line: number,
                found: said.to_owned(),
            })?;
            weights.add(call, count);
        }
        Ok(weights)
    }
}

fn counted(line: &str) -> Option<(Call, u64)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (name, words) = words.split_first()?;
    let (count, words) = words.split_last()?;
    let call = confine_kernel::call_named(name)?;
    let arguments = match words {
        [] => None,
        words => {
            let arguments = words.iter().map(|word| argument(word));
            Some(arguments.collect::<Option<Vec<u64>>>()?.try_into().ok()?)
        }
    };
    Some(((call.number, arguments), count.parse().ok()?))
}

fn argument(word: &str) -> Option<u64> {
    match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    }
}

impl FromIterator<(u32, u64)> for Weights {
    /// From numbers of calls and how often each was made; what is there twice is added up.
    fn from_iter<I: IntoIterator<Item = (u32, u64)>>(counts: I) -> Self {
        let mut weights = Self::default();
        for (number, count) in counts {
            weights.add((number, None), count);
        }
        weights
    }
}

impl FromIterator<(CallData, u64)> for Weights {
    /// From calls with their arguments and how often each was made; what is there twice is added up.
    fn from_iter<I: IntoIterator<Item = (CallData, u64)>>(counts: I) -> Self {
        let mut weights = Self::default();
        for (call, count) in counts {
            weights.add((call.number, Some(call.arguments)), count);
        }
        weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typical_counts_are_there() {
        let typical: Weights = TYPICAL.parse().unwrap();
        assert_eq!(typical, Weights::typical());
        let mapped = typical.counts().keys().filter(|(number, _)| *number == 9);
        assert!(mapped.count() > 10, "arguments of mmap are known");
    }

    #[test]
    fn counts_are_read_from_lines() {
        let read: Weights = "# a trace\nread\t5\n\nwrite 7 # often\nread 1\n".parse().unwrap();
        assert_eq!(read, [(0, 6), (1, 7)].into_iter().collect());
        let read: Weights = "lseek 0 0 0x10 1 0 0 3\nlseek 0 0 16 1 0 0 1".parse().unwrap();
        let call = CallData::new(8, [0, 0, 16, 1, 0, 0]);
        assert_eq!(read, [(call, 4)].into_iter().collect());
        for (text, expected) in [
            ("read", "line 1"),
            ("read 1\nno_such_call 2", "line 2"),
            ("read -1", "line 1"),
            ("read 0 0 0 0 0 1", "line 1"),
            ("read 0 0 0 0 0 x 1", "line 1"),
        ] {
            let error = text.parse::<Weights>().unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
