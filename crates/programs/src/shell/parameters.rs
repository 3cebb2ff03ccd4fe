//! Parameters: what `$name`, `$1`, `$@` and their forms in braces expand to.
//!
//! Forms that are not modelled expand to anything; what their parts substitute is walked all the same.

use std::collections::BTreeSet;

use brush_parser::word::{Parameter, ParameterExpr, SpecialParameter};

use super::state::{Lists, State, Values, unknown_list};
use super::walk::Walker;
use crate::pattern::{self, ANY, REST};

impl Walker<'_, '_> {
    /// What a parameter expands to, as lists: one word each, but for `$@` and its like.
    pub(super) fn parameter(
        &mut self,
        expression: &ParameterExpr,
        joined: bool,
        line: usize,
        state: &mut State,
    ) -> Lists {
        match expression {
            ParameterExpr::Parameter {
                parameter,
                indirect: false,
            } => {
                let lists = self.lists(parameter, state);
                if joined {
                    one_each(lists.into_iter().map(|list| list.join(" ")).collect())
                } else {
                    lists
                }
            }
            ParameterExpr::UseDefaultValues {
                parameter,
                indirect: false,
                default_value,
                ..
            } => {
                let default = self.optional(default_value.as_deref(), line, state);
                with_default(self.lists(parameter, state), default)
            }
            ParameterExpr::AssignDefaultValues {
                parameter,
                indirect: false,
                default_value,
                ..
            } => {
                let default = self.optional(default_value.as_deref(), line, state);
                let lists = with_default(self.lists(parameter, state), default);
                if let Parameter::Named(name) = parameter {
                    let mut values = Values::of(lists.iter().map(|list| list.join(" ")));
                    values.outside = self.outside;
                    state.set(name, values);
                }
                lists
            }
            ParameterExpr::IndicateErrorIfNullOrUnset {
                parameter,
                indirect: false,
                ..
            } => self.lists(parameter, state),
            ParameterExpr::UseAlternativeValue {
                parameter,
                alternative_value,
                ..
            } => {
                let set = self.lists(parameter, state);
                let mut lists = self.optional(alternative_value.as_deref(), line, state);
                if set.iter().any(|list| {
                    list.is_empty() || list.iter().any(|word| word.is_empty() || pattern::is_open(word))
                }) {
                    lists.insert(Vec::new());
                }
                lists
            }
            ParameterExpr::RemoveSmallestPrefixPattern {
                parameter,
                indirect: false,
                pattern,
            } => self.trimmed(parameter, pattern.as_deref(), line, state, |text, pattern| {
                cut_prefix(text, pattern, false)
            }),
            ParameterExpr::RemoveLargestPrefixPattern {
                parameter,
                indirect: false,
                pattern,
            } => self.trimmed(parameter, pattern.as_deref(), line, state, |text, pattern| {
                cut_prefix(text, pattern, true)
            }),
            ParameterExpr::RemoveSmallestSuffixPattern {
                parameter,
                indirect: false,
                pattern,
            } => self.trimmed(parameter, pattern.as_deref(), line, state, |text, pattern| {
                cut_suffix(text, pattern, false)
            }),
            ParameterExpr::RemoveLargestSuffixPattern {
                parameter,
                indirect: false,
                pattern,
            } => self.trimmed(parameter, pattern.as_deref(), line, state, |text, pattern| {
                cut_suffix(text, pattern, true)
            }),
            ParameterExpr::Substring {
                parameter,
                indirect: false,
                offset,
                length,
            } => {
                let lists = self.lists(parameter, state);
                let offset = offset.value.trim().parse().ok();
                let length = length.as_ref().map(|length| length.value.trim().parse().ok());
                lists
                    .into_iter()
                    .map(|list| substring(parameter, list, offset, length))
                    .collect()
            }
            ParameterExpr::ReplaceSubstring {
                pattern, replacement, ..
            } => {
                self.optional(Some(pattern), line, state);
                self.optional(replacement.as_deref(), line, state);
                unknown_word()
            }
            _ => {
                self.outside = true;
                unknown_word()
            }
        }
    }

    fn optional(&mut self, word: Option<&str>, line: usize, state: &mut State) -> Lists {
        match word {
            Some(word) if !word.is_empty() => self.expand(word, line, state).into_iter().collect(),
            _ => Lists::from([Vec::new()]),
        }
    }

    fn trimmed(
        &mut self,
        parameter: &Parameter,
        pattern: Option<&str>,
        line: usize,
        state: &mut State,
        cut: impl Fn(&str, &str) -> String,
    ) -> Lists {
        let lists = self.lists(parameter, state);
        let patterns = self.optional(pattern, line, state);
        let mut trimmed = Lists::new();
        for list in &lists {
            for pattern in &patterns {
                let pattern = pattern.join(" ");
                let unknown = pattern.contains(ANY) || list.iter().any(|word| pattern::is_open(word));
                trimmed.insert(if unknown {
                    list.iter().map(|_| ANY.to_string()).collect()
                } else {
                    list.iter().map(|word| cut(word, &pattern)).collect()
                });
            }
        }
        trimmed
    }

    /// What a parameter stands for.
    fn lists(&mut self, parameter: &Parameter, state: &State) -> Lists {
        match parameter {
            Parameter::Positional(0) => one_each(BTreeSet::from([self.name().to_owned()])),
            Parameter::Positional(number) => {
                let index = usize::try_from(*number).unwrap_or(usize::MAX).saturating_sub(1);
                one_each(state.positional.iter().map(|list| element(list, index)).collect())
            }
            Parameter::Special(SpecialParameter::AllPositionalParameters { .. }) => state.positional.clone(),
            Parameter::Special(SpecialParameter::ShellName) => {
                one_each(BTreeSet::from([self.name().to_owned()]))
            }
            Parameter::Special(SpecialParameter::PositionalParameterCount) => one_each(
                state
                    .positional
                    .iter()
                    .map(|list| {
                        if list.iter().any(|word| word == REST) {
                            ANY.to_string()
                        } else {
                            list.len().to_string()
                        }
                    })
                    .collect(),
            ),
            Parameter::Special(_) => unknown_word(),
            Parameter::Named(name) => {
                let values = state.variable(name);
                self.outside |= values.outside;
                one_each(values.texts)
            }
            Parameter::NamedWithIndex { name, .. } => match state.arrays.get(name) {
                Some(lists) => one_each(
                    lists
                        .iter()
                        .flatten()
                        .map(|word| {
                            if word == REST {
                                ANY.to_string()
                            } else {
                                word.clone()
                            }
                        })
                        .collect(),
                ),
                None => unknown_word(),
            },
            Parameter::NamedWithAllIndices { name, .. } => match state.arrays.get(name) {
                Some(lists) => lists.clone(),
                None => Lists::from([unknown_list()]),
            },
        }
    }
}

fn with_default(lists: Lists, default: Lists) -> Lists {
    let missing = |list: &Vec<String>| list.is_empty() || list.iter().all(String::is_empty);
    let open = lists
        .iter()
        .any(|list| missing(list) || list.iter().any(|word| pattern::is_open(word)));
    let mut result: Lists = lists.into_iter().filter(|list| !missing(list)).collect();
    if open {
        result.extend(default);
    }
    result
}

pub(super) fn one_each(words: BTreeSet<String>) -> Lists {
    words.into_iter().map(|word| vec![word]).collect()
}

fn unknown_word() -> Lists {
    Lists::from([vec![ANY.to_string()]])
}

fn element(list: &[String], index: usize) -> String {
    let known = list.iter().position(|word| word == REST).unwrap_or(usize::MAX);
    if index >= known {
        return ANY.to_string();
    }
    list.get(index).cloned().unwrap_or_default()
}

fn substring(
    parameter: &Parameter,
    list: Vec<String>,
    offset: Option<usize>,
    length: Option<Option<usize>>,
) -> Vec<String> {
    let all = matches!(
        parameter,
        Parameter::Special(SpecialParameter::AllPositionalParameters { .. })
            | Parameter::NamedWithAllIndices { .. }
    );
    let (Some(offset), Some(length)) = (offset, length.unwrap_or(Some(usize::MAX))) else {
        return if all {
            unknown_list()
        } else {
            vec![ANY.to_string()]
        };
    };
    if list.iter().any(|word| pattern::is_open(word)) {
        return if all {
            unknown_list()
        } else {
            vec![ANY.to_string()]
        };
    }
    if all {
        // `${@:1}` counts from 1, `${array[@]:0}` from 0; `${@:0}` begins with `$0`, which is left unknown.
        let positional = matches!(parameter, Parameter::Special(_));
        return match (positional, offset) {
            (true, 0) => unknown_list(),
            _ => list
                .into_iter()
                .skip(offset - usize::from(positional))
                .take(length)
                .collect(),
        };
    }
    list.into_iter()
        .map(|word| word.chars().skip(offset).take(length).collect())
        .collect()
}

fn cut_prefix(text: &str, pattern: &str, longest: bool) -> String {
    let mut cuts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    let fits = |at: &usize| {
        text.get(..*at)
            .is_some_and(|start| pattern::matches(pattern, start))
    };
    let at = if longest {
        cuts.rfind(fits)
    } else {
        cuts.find(fits)
    };
    at.and_then(|at| text.get(at..)).unwrap_or(text).to_owned()
}

fn cut_suffix(text: &str, pattern: &str, longest: bool) -> String {
    let mut cuts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    let fits = |at: &usize| text.get(*at..).is_some_and(|end| pattern::matches(pattern, end));
    let at = if longest {
        cuts.find(fits)
    } else {
        cuts.rfind(fits)
    };
    at.and_then(|at| text.get(..at)).unwrap_or(text).to_owned()
}
