//! What differs by itself, learned from lives without a policy.
//!
//! Two lives tell much the same in other words: lines of which only some words differ become a pattern, in which those
//! words may be anything. A pattern is made of two lines of as many words that share at least half of them, so that it
//! still says something.

use std::collections::HashSet;

/// The most lines of a life that patterns are learned from; a log that differs in more is compared as it is.
const LINES: usize = 400;

/// A line, some of whose words may be anything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pattern(Vec<Option<String>>);

impl Pattern {
    /// What two lines have in common, if that is enough.
    fn of(one: &str, other: &str) -> Option<Self> {
        let (one, other) = (words(one), words(other));
        if one.len() != other.len() {
            return None;
        }
        let common: Vec<Option<String>> = one
            .iter()
            .zip(&other)
            .map(|(word, same)| (word == same).then(|| (*word).to_owned()))
            .collect();
        let shared = common.iter().flatten().count();
        (shared > 0 && 2 * shared >= common.len()).then_some(Self(common))
    }

    /// Whether a line is one of those that the pattern stands for.
    pub(crate) fn fits(&self, line: &str) -> bool {
        let words = words(line);
        words.len() == self.0.len()
            && self
                .0
                .iter()
                .zip(words)
                .all(|(expected, word)| expected.as_deref().is_none_or(|expected| expected == word))
    }
}

/// The patterns of what differs between two texts: each line that only one of them has, with the first line of the
/// other that it shares enough with.
pub(crate) fn learn(one: &[String], other: &[String]) -> Vec<Pattern> {
    let only = |lines: &[String], elsewhere: &[String]| -> Vec<String> {
        let elsewhere: HashSet<&String> = elsewhere.iter().collect();
        let lines = lines.iter().filter(|line| !elsewhere.contains(line));
        lines.take(LINES).cloned().collect()
    };
    let (ours, theirs) = (only(one, other), only(other, one));
    let mut patterns: Vec<Pattern> = ours
        .iter()
        .filter_map(|line| theirs.iter().find_map(|other| Pattern::of(line, other)))
        .collect();
    patterns.sort();
    patterns.dedup();
    patterns
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    fn check(one: &str, other: &str, line: &str, expected: bool) {
        let patterns = learn(&lines(one), &lines(other));
        assert_eq!(
            patterns.iter().any(|pattern| pattern.fits(line)),
            expected,
            "{patterns:?} {line}"
        );
    }

    #[test]
    fn words_that_differ_may_be_anything() {
        let (one, other) = ("up\nnode amber ready\n", "up\nnode violet ready\n");
        check(one, other, "node green ready", true);
        check(one, other, "node green failed", false);
        check(one, other, "node green", false);
        check(one, other, "up", false);
    }

    #[test]
    fn lines_that_share_too_little_are_no_pattern() {
        check("red one", "blue two", "anything else", false);
        check("a b c d", "a x y z", "a 1 2 3", false);
        check("same", "same", "same", false);
    }
}
