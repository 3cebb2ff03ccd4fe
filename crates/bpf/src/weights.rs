//! How often calls are made, so that frequent ones are decided first.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::LazyLock;

/// How often each call is made, relative to the others. What it does not name is rare.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Weights {
    counts: BTreeMap<u32, u64>,
    /// Of all counts.
    total: u128,
}

/// What all counts together become, so that sums of them cannot overflow.
const SCALE: u128 = 1 << 24;

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

    /// How much one call counts beside others: in proportion to its count, and a little if it has none.
    pub(crate) fn of(&self, number: u32) -> u64 {
        let count = self.counts.get(&number).copied().unwrap_or_default();
        let scaled = (u128::from(count) * SCALE).checked_div(self.total);
        let scaled = scaled.unwrap_or_default();
        u64::try_from(scaled).unwrap_or_default() + 1
    }
}

/// A line that does not say how often a call is made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: expected the name of a system call and a count, found {found:?}")]
pub struct MalformedWeights {
    line: usize,
    found: String,
}

impl FromStr for Weights {
    type Err = MalformedWeights;

    /// Reads lines of a call's name and a count; what follows `#` is a comment.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lines = (1..).zip(text.lines());
        let lines = lines.map(|(number, line)| (number, line.split('#').next().unwrap_or_default().trim()));
        lines
            .filter(|(_, line)| !line.is_empty())
            .map(|(number, line)| {
                counted(line).ok_or_else(|| MalformedWeights {
                    line: number,
                    found: line.to_owned(),
                })
            })
            .collect()
    }
}

fn counted(line: &str) -> Option<(u32, u64)> {
    let (name, count) = line.split_once(char::is_whitespace)?;
    let call = confine_kernel::call_named(name)?;
    Some((call.number, count.trim().parse().ok()?))
}

impl FromIterator<(u32, u64)> for Weights {
    /// From numbers of calls and how often each was made; what is there twice is added up.
    fn from_iter<I: IntoIterator<Item = (u32, u64)>>(counts: I) -> Self {
        let mut sums: BTreeMap<u32, u64> = BTreeMap::new();
        for (number, count) in counts {
            let known = sums.entry(number).or_default();
            *known = known.saturating_add(count);
        }
        Self {
            total: sums.values().copied().map(u128::from).sum(),
            counts: sums,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_proportions() {
        let weights: Weights = [(0, 1), (1, 2), (0, 1), (2, u64::MAX)].into_iter().collect();
        assert!(weights.of(0) == weights.of(1) && weights.of(2) > weights.of(1));
        assert_eq!(weights.of(3), 1);
        assert_eq!(Weights::even().of(7), 1);
        let even: Weights = [(0, 1), (1, 1)].into_iter().collect();
        assert_eq!(even.of(1), (1 << 23) + 1);
    }

    #[test]
    fn typical_counts_are_there() {
        let typical: Weights = TYPICAL.parse().unwrap();
        assert_eq!(typical, Weights::typical());
        assert!(typical.of(0) > 1000 * typical.of(101));
    }

    #[test]
    fn counts_are_read_from_lines() {
        let read: Weights = "# a trace\nread\t5\n\nwrite 7 # often\n".parse().unwrap();
        assert_eq!(read, [(0, 5), (1, 7)].into_iter().collect());
        for (text, expected) in [
            ("read", "line 1"),
            ("read 1\nno_such_call 2", "line 2"),
            ("read -1", "line 1"),
        ] {
            let error = text.parse::<Weights>().unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
