//! Compound commands: groups, branches, loops.
//!
//! A branch is left out only where its test is plain for every list of positional parameters; a loop runs
//! until its state holds still, which widening brings about.

use std::collections::BTreeSet;

use brush_parser::ast::{
    CaseClauseCommand, CaseItemPostAction, CompoundCommand, CompoundList, IfClauseCommand, IoRedirect,
    SubshellCommand,
};

use super::conditions::{self, Outcome};
use super::state::{Lists, State, Values};
use super::walk::{Walker, sort_in};
use crate::pattern::{self, ANY};

/// How often a loop's body is walked at most; widening ends nearly all of them long before.
const MAX_ROUNDS: usize = 40;

impl Walker<'_, '_> {
    pub(super) fn compound(
        &mut self,
        command: &CompoundCommand,
        redirects: &[IoRedirect],
        before: usize,
        state: State,
    ) -> (State, State) {
        let (lines, input) = (state.lines.clone(), state.input.clone());
        let mut state = state;
        self.redirects(redirects, before, &mut state);
        let (mut held, mut failed) = self.compound_inner(command, before, state);
        for end in [&mut held, &mut failed] {
            end.lines.clone_from(&lines);
            end.input.clone_from(&input);
        }
        (held, failed)
    }

    fn compound_inner(
        &mut self,
        command: &CompoundCommand,
        before: usize,
        mut state: State,
    ) -> (State, State) {
        let end = match command {
            CompoundCommand::BraceGroup(group) => self.list(&group.list, before, state),
            CompoundCommand::Subshell(subshell) => {
                state.output = self.subshell(subshell, before, &state).output;
                state
            }
            CompoundCommand::IfClause(clause) => self.if_clause(clause, before, state),
            CompoundCommand::CaseClause(clause) => self.case_clause(clause, before, state),
            CompoundCommand::WhileClause(clause) => {
                self.rounds(before, state, Some((&clause.0, false)), None, &clause.1.list)
            }
            CompoundCommand::UntilClause(clause) => {
                self.rounds(before, state, Some((&clause.0, true)), None, &clause.1.list)
            }
            CompoundCommand::ForClause(clause) => {
                let line = before + clause.loc.start.line;
                let mut texts = BTreeSet::new();
                match &clause.values {
                    Some(words) => {
                        // Word by word: a loop's words are alternatives, not a list.
                        for word in words {
                            texts.extend(self.expand(&word.value, line, &mut state).into_iter().flatten());
                        }
                    }
                    None => texts.extend(state.positional.iter().flatten().cloned()),
                }
                let texts = texts
                    .into_iter()
                    .map(|text| text.replace(pattern::REST, &ANY.to_string()));
                let variable = (clause.variable_name.as_str(), Values::of(texts));
                self.rounds(before, state, None, Some(variable), &clause.body.list)
            }
            CompoundCommand::ArithmeticForClause(clause) => {
                let line = before + clause.loc.start.line;
                for expression in [&clause.initializer, &clause.condition, &clause.updater]
                    .into_iter()
                    .flatten()
                {
                    self.arithmetic(&expression.value, line, &mut state);
                }
                self.rounds(before, state, None, None, &clause.body.list)
            }
            CompoundCommand::Arithmetic(arithmetic) => {
                self.arithmetic(
                    &arithmetic.expr.value,
                    before + arithmetic.loc.start.line,
                    &mut state,
                );
                state
            }
            CompoundCommand::Coprocess(coprocess) => {
                let escape = std::mem::take(&mut self.escape);
                self.command(&coprocess.body, before, state.clone());
                self.escape = escape;
                state
            }
        };
        let failed = end.clone();
        (end, failed)
    }

    /// Walks what an arithmetic expression substitutes; each name that it may assign becomes unknown.
    fn arithmetic(&mut self, text: &str, line: usize, state: &mut State) {
        self.text(text, line, state);
        let names = text.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'));
        if text.contains('=') || text.contains("++") || text.contains("--") {
            for name in names
                .filter(|name| state.known(name).is_some())
                .collect::<Vec<_>>()
            {
                state.set(name, Values::unknown());
            }
        }
    }

    /// A subshell changes nothing outside.
    pub(super) fn subshell(&mut self, subshell: &SubshellCommand, before: usize, state: &State) -> State {
        let escape = std::mem::take(&mut self.escape);
        let end = self.list(&subshell.list, before, state.clone());
        self.escape = escape;
        end
    }

    fn if_clause(&mut self, clause: &IfClauseCommand, before: usize, state: State) -> State {
        let (held, mut failed) = self.condition(&clause.condition, before, state);
        let mut end = self.list(&clause.then, before, held);
        for branch in clause.elses.iter().flatten() {
            let held = match &branch.condition {
                Some(condition) => {
                    let (held, next) = self.condition(condition, before, failed);
                    failed = next;
                    held
                }
                None => std::mem::replace(&mut failed, State::unreachable()),
            };
            end.join(&self.list(&branch.body, before, held));
        }
        end.join(&failed);
        end
    }

    /// A list whose last command decides.
    pub(super) fn condition(
        &mut self,
        list: &CompoundList,
        before: usize,
        mut state: State,
    ) -> (State, State) {
        let Some((last, first)) = list.0.split_last() else {
            return (state.clone(), state);
        };
        state = self.list(&CompoundList(first.to_vec()), before, state);
        if !state.is_reachable() {
            return (State::unreachable(), State::unreachable());
        }
        self.and_or(&last.0, before, state)
    }

    fn case_clause(&mut self, clause: &CaseClauseCommand, before: usize, state: State) -> State {
        let line = before + clause.loc.start.line;
        let mut end = State::unreachable();
        let mut rest = state;
        let mut through = State::unreachable();
        for item in &clause.cases {
            let (mut held, mut failed) = (Lists::new(), Lists::new());
            let mut suffixes = BTreeSet::new();
            for list in rest.positional.clone() {
                let mut alone = rest.with_positional(Lists::from([list.clone()]));
                let outside = std::mem::replace(&mut self.outside, false);
                let values = self.text(&clause.value.value, line, &mut alone);
                let mut outcome = Outcome {
                    may_hold: false,
                    may_fail: true,
                };
                for pattern in &item.patterns {
                    let patterns = self.expand(&pattern.value, line, &mut alone);
                    for pattern in patterns {
                        let pattern = pattern.join(" ");
                        for text in &values.texts {
                            let one = conditions::fits(text, &pattern);
                            outcome.may_hold |= one.may_hold;
                            outcome.may_fail &= one.may_fail;
                        }
                        suffixes.insert(pattern);
                    }
                }
                // More than one text: that one of them fits does not mean that the others do.
                outcome.may_fail |= values.texts.len() > 1;
                let everything = suffixes
                    .iter()
                    .any(|pattern| *pattern == pattern::STAR.to_string());
                let outcome = if everything {
                    Outcome {
                        may_hold: true,
                        may_fail: false,
                    }
                } else if self.outside || values.outside {
                    Outcome::OPEN
                } else {
                    outcome
                };
                self.outside = outside;
                sort_in(list, outcome, &mut held, &mut failed);
            }
            let mut branch = rest.with_positional(held);
            narrow(&clause.value.value, &suffixes, &mut branch);
            rest = rest.with_positional(failed);
            branch.join(&through);
            if let Some(commands) = &item.cmd {
                branch = self.list(commands, before, branch);
            }
            through = match item.post_action {
                CaseItemPostAction::ExitCase => State::unreachable(),
                _ => branch.clone(),
            };
            if matches!(item.post_action, CaseItemPostAction::ContinueEvaluatingCases) {
                rest.join(&branch);
            }
            end.join(&branch);
        }
        end.join(&rest);
        end
    }

    /// A loop: until nothing is new.
    fn rounds(
        &mut self,
        before: usize,
        state: State,
        condition: Option<(&CompoundList, bool)>,
        variable: Option<(&str, Values)>,
        body: &CompoundList,
    ) -> State {
        let outer = std::mem::take(&mut self.escape);
        let mut entry = state;
        let mut end = entry.clone();
        for round in 0..MAX_ROUNDS {
            let mut start = entry.clone();
            if let Some((name, values)) = &variable {
                start.set(name, values.clone());
            }
            if let Some((list, until)) = condition {
                let (held, failed) = self.condition(list, before, start);
                let (held, failed) = if until { (failed, held) } else { (held, failed) };
                if round == 0 {
                    end = failed;
                } else {
                    end.join(&failed);
                }
                start = held;
            }
            let mut after = self.list(body, before, start);
            after.join(&self.escape.clone());
            end.join(&after);
            let mut next = entry.clone();
            next.widen(&after, round);
            next.output = None;
            if next == entry {
                break;
            }
            entry = next;
            if round + 1 == MAX_ROUNDS {
                self.reject("a loop that does not settle", before + 1, &entry);
            }
        }
        // `break 2` and `return` leave what is around as well.
        let inner = std::mem::replace(&mut self.escape, outer);
        self.escape.join(&inner);
        self.remember(&end);
        end
    }
}

/// Inside `case "$name" in *.sh)`, a name of which only the start is known ends in `.sh`.
fn narrow(word: &str, patterns: &BTreeSet<String>, state: &mut State) {
    let name = word
        .trim_matches('"')
        .trim_start_matches(['$', '{'])
        .trim_end_matches('}');
    let Some(values) = state.known(name) else { return };
    let star = pattern::STAR;
    let suffixes: Option<Vec<&str>> = patterns
        .iter()
        .map(|pattern| {
            pattern
                .strip_prefix(star)
                .filter(|end| !end.is_empty() && !pattern::is_open(end))
        })
        .collect();
    let Some(suffixes) = suffixes else { return };
    let mut texts = BTreeSet::new();
    for text in &values.texts {
        match text.strip_suffix(ANY) {
            Some(_) => texts.extend(suffixes.iter().map(|end| format!("{text}{end}"))),
            None if patterns
                .iter()
                .any(|pattern| conditions::fits(text, pattern).may_hold) =>
            {
                texts.insert(text.clone());
            }
            None => {}
        }
    }
    let outside = values.outside;
    state.set(name, Values { texts, outside });
}
