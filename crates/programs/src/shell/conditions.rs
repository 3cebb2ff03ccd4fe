//! Tests whose outcome is plain: comparisons of texts that are known, for one list of positional parameters.
//!
//! "Cannot tell" is always a right answer. Values that are given from outside are never plain.

use brush_parser::ast::{BinaryPredicate, ExtendedTestExpr, UnaryPredicate};

use super::state::State;
use super::walk::Walker;
use crate::pattern;

/// What a test may come out as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    pub may_hold: bool,
    pub may_fail: bool,
}

impl Outcome {
    /// Nothing is plain.
    pub const OPEN: Self = Self {
        may_hold: true,
        may_fail: true,
    };

    fn of(holds: bool) -> Self {
        Self {
            may_hold: holds,
            may_fail: !holds,
        }
    }

    /// The opposite.
    pub fn not(self) -> Self {
        Self {
            may_hold: self.may_fail,
            may_fail: self.may_hold,
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            may_hold: self.may_hold && other.may_hold,
            may_fail: self.may_fail || other.may_fail,
        }
    }

    /// Either of two ways.
    pub fn or_way(self, other: Self) -> Self {
        Self {
            may_hold: self.may_hold || other.may_hold,
            may_fail: self.may_fail || other.may_fail,
        }
    }
}

/// The outcome of `test` or `[` for its expanded arguments.
pub fn test(words: &[String]) -> Outcome {
    if let Some(at) = words.iter().position(|word| word == "-o")
        && words.len() > 3
    {
        let (left, right) = words.split_at(at);
        return test(left)
            .not()
            .and(test(right.get(1..).unwrap_or_default()).not())
            .not();
    }
    if let Some(at) = words.iter().position(|word| word == "-a")
        && words.len() > 3
    {
        let (left, right) = words.split_at(at);
        return test(left).and(test(right.get(1..).unwrap_or_default()));
    }
    match words {
        [negation, rest @ ..] if negation == "!" && !rest.is_empty() => test(rest).not(),
        [operator, word] if operator == "-n" => is_empty(word).not(),
        [operator, word] if operator == "-z" => is_empty(word),
        [left, operator, right] => match operator.as_str() {
            "=" | "==" => equal(left, right),
            "!=" => equal(left, right).not(),
            _ => number(left, operator, right),
        },
        _ => Outcome::OPEN,
    }
}

impl Walker<'_, '_> {
    /// The outcome of `[[ … ]]`.
    pub fn extended_test(
        &mut self,
        expression: &ExtendedTestExpr,
        line: usize,
        state: &mut State,
    ) -> Outcome {
        match expression {
            ExtendedTestExpr::And(left, right) => {
                let left = self.extended_test(left, line, state);
                left.and(self.extended_test(right, line, state))
            }
            ExtendedTestExpr::Or(left, right) => {
                let left = self.extended_test(left, line, state).not();
                left.and(self.extended_test(right, line, state).not()).not()
            }
            ExtendedTestExpr::Not(inner) => self.extended_test(inner, line, state).not(),
            ExtendedTestExpr::Parenthesized(inner) => self.extended_test(inner, line, state),
            ExtendedTestExpr::UnaryTest(predicate, word) => {
                let values = self.text(&word.value, line, state);
                let outcome = |word: &String| match predicate {
                    UnaryPredicate::StringHasZeroLength => is_empty(word),
                    UnaryPredicate::StringHasNonZeroLength => is_empty(word).not(),
                    _ => Outcome::OPEN,
                };
                if values.outside {
                    Outcome::OPEN
                } else {
                    any(values.texts.iter().map(outcome))
                }
            }
            ExtendedTestExpr::BinaryTest(predicate, left, right) => {
                let lefts = self.text(&left.value, line, state);
                let rights = self.expand(&right.value, line, state);
                let negated = match predicate {
                    BinaryPredicate::StringExactlyMatchesPattern
                    | BinaryPredicate::StringExactlyMatchesString => false,
                    BinaryPredicate::StringDoesNotExactlyMatchPattern
                    | BinaryPredicate::StringDoesNotExactlyMatchString => true,
                    _ => return Outcome::OPEN,
                };
                if lefts.outside || self.outside {
                    return Outcome::OPEN;
                }
                let outcome = any(lefts
                    .texts
                    .iter()
                    .flat_map(|left| rights.iter().map(|right| fits(left, &right.join(" ")))));
                if negated { outcome.not() } else { outcome }
            }
        }
    }
}

/// Whether a text fits a pattern of a `case` or of `[[ … == … ]]`.
pub fn fits(text: &str, pattern: &str) -> Outcome {
    if pattern == pattern::STAR.to_string() {
        return Outcome::of(true);
    }
    // Extended patterns, and what stands for one character only, are not told apart from any text.
    if pattern::is_open(text) || pattern.contains(pattern::ANY) || pattern.contains(['(', '|']) {
        return Outcome::OPEN;
    }
    Outcome::of(pattern::matches(pattern, text))
}

fn any(outcomes: impl Iterator<Item = Outcome>) -> Outcome {
    outcomes.reduce(Outcome::or_way).unwrap_or(Outcome::OPEN)
}

fn is_empty(word: &str) -> Outcome {
    if word.is_empty() {
        return Outcome::of(true);
    }
    let constant = word.replace([pattern::ANY, pattern::STAR], "");
    if constant.is_empty() || word == pattern::REST {
        Outcome::OPEN
    } else {
        Outcome::of(false)
    }
}

fn equal(left: &str, right: &str) -> Outcome {
    if pattern::is_open(left) || pattern::is_open(right) {
        Outcome::OPEN
    } else {
        Outcome::of(left == right)
    }
}

fn number(left: &str, operator: &str, right: &str) -> Outcome {
    let (Ok(left), Ok(right)) = (left.parse::<i64>(), right.parse::<i64>()) else {
        return Outcome::OPEN;
    };
    Outcome::of(match operator {
        "-eq" => left == right,
        "-ne" => left != right,
        "-lt" => left < right,
        "-le" => left <= right,
        "-gt" => left > right,
        "-ge" => left >= right,
        _ => return Outcome::OPEN,
    })
}
