//! Commands in the order that a shell meets them: sequences, branches, loops, functions, nested texts.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use brush_parser::ast::{
    AndOr, AndOrList, CaseClauseCommand, Command, CompoundCommand, CompoundList, FunctionBody,
    FunctionDefinition, IfClauseCommand, IoFileRedirectTarget, IoRedirect, Pipeline, SeparatorOperator,
    SourceLocation, SubshellCommand,
};

use super::conditions::{self, Outcome};
use super::scan;
use super::state::{Lists, State, Values, unknown_list};
use super::syntax;
use crate::discovery::{Context, Discovery, Unit};
use crate::pattern::ANY;

/// How many commands of one text are walked, loops and calls unrolled.
const MAX_STEPS: usize = 50_000;
/// How deeply functions, substitutions and sourced files may nest.
const MAX_NESTING: usize = 40;
/// How often a loop's body is walked before what still changes becomes unknown, and at most.
const WIDEN_AFTER: usize = 8;
const MAX_ROUNDS: usize = 24;

/// Where a function was defined.
type Definition = (String, usize);

/// One text on its way through.
pub struct Walker<'d, 'a> {
    pub discovery: &'d mut Discovery<'a>,
    pub unit: Unit,
    /// Whether a value from outside was read since the flag was last cleared.
    pub outside: bool,
    /// Names that were exported.
    pub exported: BTreeSet<String>,
    /// Folders that the script changes to.
    pub folders: BTreeSet<String>,
    /// Texts that run later, at a signal or by another name.
    pub later: Vec<(String, usize)>,
    /// The part of the text that was not understood, if any.
    rejected: Option<String>,
    functions: BTreeMap<String, BTreeMap<Definition, Rc<FunctionBody>>>,
    called: BTreeSet<Definition>,
    calling: Vec<Definition>,
    /// Everything that was known at some point.
    ever: State,
    /// What is known where `break`, `continue` or `return` leaves.
    escape: State,
    steps: usize,
    nesting: usize,
}

/// Walks one text and reports what it executes.
pub fn walk(discovery: &mut Discovery<'_>, unit: Unit) {
    let Some(program) = syntax::parse(&unit.text) else {
        scan::scan(discovery, &unit, "the script cannot be parsed");
        return;
    };
    let state = initial(&unit);
    let mut walker = Walker {
        discovery,
        exported: unit.context.variables.keys().cloned().collect(),
        unit,
        outside: false,
        folders: BTreeSet::new(),
        later: Vec::new(),
        rejected: None,
        functions: BTreeMap::new(),
        called: BTreeSet::new(),
        calling: Vec::new(),
        ever: state.clone(),
        escape: State::unreachable(),
        steps: 0,
        nesting: 0,
    };
    let mut state = state;
    for list in &program.complete_commands {
        state = walker.list(list, 0, state);
    }
    walker.leftovers();
    if let Some(reason) = walker.rejected.take() {
        let unit = walker.unit.clone();
        scan::scan(walker.discovery, &unit, &reason);
    }
}

fn initial(unit: &Unit) -> State {
    let variables = unit.context.variables.iter().map(|(name, value)| {
        let mut values = Values::of([value.clone()]);
        values.outside = true;
        (name.clone(), values)
    });
    State {
        variables: variables.collect(),
        positional: Lists::from([unit.argv.iter().skip(1).cloned().collect()]),
        ..State::default()
    }
}

impl Walker<'_, '_> {
    /// `$0`.
    pub fn name(&self) -> &str {
        self.unit.argv.first().map_or("", String::as_str)
    }

    /// Where a command of a line stands.
    pub fn context(&self, line: usize) -> Context {
        let mut context = self.unit.context.clone();
        context.line = context
            .line
            .map(|first| first.saturating_add(line.saturating_sub(1)));
        context
    }

    /// Something was not understood: the whole text is scanned as well.
    pub fn reject(&mut self, text: &str, line: usize, _state: &State) {
        let start: String = text.chars().take(40).collect();
        self.rejected.get_or_insert_with(|| {
            format!(
                "line {line} cannot be followed, at `{}`",
                start.replace('\n', " ")
            )
        });
    }

    /// Walks a text inside another: a substitution, `eval`, a sourced file. `before` lines come before it.
    pub fn nested_text(&mut self, text: &str, before: usize, mut state: State) -> State {
        if self.nesting >= MAX_NESTING {
            self.reject(text, before + 1, &state);
            return state;
        }
        let Some(program) = syntax::parse(text) else {
            self.reject(text, before + 1, &state);
            return state;
        };
        self.nesting += 1;
        for list in &program.complete_commands {
            state = self.list(list, before, state);
        }
        if program.complete_commands.len() != 1
            || program.complete_commands.iter().any(|list| list.0.len() != 1)
        {
            state.output = None;
        }
        self.nesting -= 1;
        state
    }

    /// What a command substitution can be.
    pub fn substitution(&mut self, text: &str, line: usize, state: &State) -> Values {
        let escape = std::mem::take(&mut self.escape);
        let inner = State {
            output: None,
            ..state.clone()
        };
        let end = self.nested_text(text, line.saturating_sub(1), inner);
        self.escape = escape;
        match end.output {
            Some(texts) => Values::of(texts),
            None => {
                self.outside = true;
                Values::unknown()
            }
        }
    }

    /// Walks a sourced text: `return` leaves only it.
    pub fn sourced(&mut self, text: &str, path: &str, arguments: &[String], state: State) -> State {
        let outer_positional = state.positional.clone();
        let inner = if arguments.is_empty() {
            state
        } else {
            state.with_positional(Lists::from([arguments.to_vec()]))
        };
        let context = Context {
            place: path.to_owned(),
            line: Some(1),
            parent: Some(path.to_owned()),
            ..self.unit.context.clone()
        };
        let outer = std::mem::replace(&mut self.unit.context, context);
        let text = std::mem::replace(&mut self.unit.text, text.to_owned());
        let rejected = self.rejected.take();
        let escape = std::mem::take(&mut self.escape);
        let mut end = self.nested_text(&self.unit.text.clone(), 0, inner);
        end.join(&std::mem::replace(&mut self.escape, escape));
        if let Some(reason) = std::mem::replace(&mut self.rejected, rejected) {
            let unit = self.unit.clone();
            scan::scan(self.discovery, &unit, &reason);
        }
        self.unit.text = text;
        self.unit.context = outer;
        if !arguments.is_empty() && end.is_reachable() {
            end.set_positional(outer_positional);
        }
        end
    }

    /// Calls a function, every definition of it; `None` if there is none of that name.
    pub fn call(&mut self, name: &str, arguments: &[String], state: &State) -> Option<State> {
        let definitions = self.functions.get(name)?.clone();
        let mut result = State::unreachable();
        for (definition, body) in definitions {
            self.called.insert(definition.clone());
            let inner = state.with_positional(Lists::from([arguments.to_vec()]));
            result.join(&self.call_one(definition, &body, inner));
        }
        if result.is_reachable() {
            result.set_positional(state.positional.clone());
        }
        Some(result)
    }

    /// Remembers everything that was known at some point.
    pub fn remember(&mut self, state: &State) {
        self.ever.join(state);
    }

    /// Leaves a loop, function or sourced file.
    pub fn leave(&mut self, state: &State) {
        self.escape.join(state);
    }

    fn call_one(&mut self, definition: Definition, body: &FunctionBody, mut state: State) -> State {
        if self.calling.contains(&definition) || self.nesting >= MAX_NESTING {
            // What a recursive call changes is unknown, within what is ever known.
            state.join(&self.ever.with_positional(state.positional.clone()));
            return state;
        }
        let place = std::mem::replace(&mut self.unit.context.place, definition.0.clone());
        self.calling.push(definition);
        self.nesting += 1;
        let escape = std::mem::take(&mut self.escape);
        let redirects = body.1.as_ref().map(|list| list.0.as_slice()).unwrap_or_default();
        let (mut end, failed) = self.compound(&body.0, redirects, 0, state);
        end.join(&failed);
        end.join(&std::mem::replace(&mut self.escape, escape));
        self.nesting -= 1;
        self.calling.pop();
        self.unit.context.place = place;
        end
    }

    /// Functions that nobody was seen to call, and texts for later, with all that was ever known.
    fn leftovers(&mut self) {
        // Each function and text is taken once, and both are bounded by the steps.
        for (text, line) in std::mem::take(&mut self.later) {
            let state = self.ever.clone();
            self.nested_text(&text, line.saturating_sub(1), state);
        }
        let functions: Vec<(Definition, Rc<FunctionBody>)> = self
            .functions
            .values()
            .flatten()
            .map(|(definition, body)| (definition.clone(), Rc::clone(body)))
            .collect();
        for (definition, body) in functions {
            if self.called.insert(definition.clone()) {
                let state = self.ever.with_positional(Lists::from([unknown_list()]));
                self.call_one(definition, &body, state);
            }
        }
    }

    pub(super) fn list(&mut self, list: &CompoundList, before: usize, mut state: State) -> State {
        for item in &list.0 {
            if !state.is_reachable() {
                break;
            }
            state.output = None;
            if matches!(item.1, SeparatorOperator::Async) {
                let escape = std::mem::take(&mut self.escape);
                self.and_or(&item.0, before, state.clone());
                self.escape = escape;
            } else {
                let (held, failed) = self.and_or(&item.0, before, state);
                state = joined(held, &failed);
            }
        }
        state
    }

    fn and_or(&mut self, list: &AndOrList, before: usize, state: State) -> (State, State) {
        let (mut held, mut failed) = self.pipeline(&list.first, before, state);
        for next in &list.additional {
            match next {
                AndOr::And(pipeline) => {
                    let (next_held, next_failed) = self.pipeline(pipeline, before, held);
                    held = next_held;
                    failed = joined(failed, &next_failed);
                }
                AndOr::Or(pipeline) => {
                    let (next_held, next_failed) = self.pipeline(pipeline, before, failed);
                    held = joined(held, &next_held);
                    failed = next_failed;
                }
            }
        }
        (held, failed)
    }

    fn pipeline(&mut self, pipeline: &Pipeline, before: usize, state: State) -> (State, State) {
        if !state.is_reachable() {
            return (State::unreachable(), State::unreachable());
        }
        if let [command] = pipeline.seq.as_slice() {
            let (held, failed) = self.command(command, before, state);
            return if pipeline.bang {
                (failed, held)
            } else {
                (held, failed)
            };
        }
        let mut after = state.clone();
        let mut lines = state.lines.clone();
        for (index, command) in pipeline.seq.iter().enumerate() {
            let mut inner = State {
                lines: lines.take(),
                output: None,
                ..state.clone()
            };
            if index > 0 {
                inner.input = None;
            }
            let escape = std::mem::take(&mut self.escape);
            let (held, failed) = self.command(command, before, inner);
            let output = held.output.clone();
            let mut end = joined(held, &failed);
            end.join(&std::mem::replace(&mut self.escape, escape));
            lines = output;
            // Some shells run the last command in the shell itself.
            if end.is_reachable() {
                end.positional.clone_from(&state.positional);
                end.lines.clone_from(&state.lines);
                after.join(&end);
            }
        }
        after.output = lines;
        let failed = after.clone();
        (after, failed)
    }

    fn command(&mut self, command: &Command, before: usize, mut state: State) -> (State, State) {
        self.steps += 1;
        if self.steps > MAX_STEPS || self.nesting > MAX_NESTING {
            self.reject(
                "more commands, or deeper ones, than are followed",
                before + 1,
                &state,
            );
            return (state.clone(), state);
        }
        self.nesting += 1;
        let result = match command {
            Command::Simple(simple) => self.simple(simple, before, state),
            Command::Compound(compound, redirects) => {
                let redirects = redirects
                    .as_ref()
                    .map(|list| list.0.as_slice())
                    .unwrap_or_default();
                self.compound(compound, redirects, before, state)
            }
            Command::Function(definition) => {
                self.define(definition, before);
                (state, State::unreachable())
            }
            Command::ExtendedTest(test, _) => {
                let line = before + test.loc.start.line;
                let outside = std::mem::replace(&mut self.outside, false);
                let (mut held, mut failed) = (Lists::new(), Lists::new());
                for list in state.positional.clone() {
                    let mut alone = state.with_positional(Lists::from([list.clone()]));
                    self.outside = false;
                    let outcome = self.extended_test(&test.expr, line, &mut alone);
                    let outcome = if self.outside { Outcome::OPEN } else { outcome };
                    sort_in(list, outcome, &mut held, &mut failed);
                }
                self.outside = outside;
                state.output = None;
                (state.with_positional(held), state.with_positional(failed))
            }
        };
        self.nesting -= 1;
        result
    }

    fn compound(
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
                self.subshell(subshell, before, &state);
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
                    .map(|text| text.replace(crate::pattern::REST, &ANY.to_string()));
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
                .filter(|name| state.variables.contains_key(*name))
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
    fn condition(&mut self, list: &CompoundList, before: usize, mut state: State) -> (State, State) {
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
                    .any(|pattern| *pattern == crate::pattern::STAR.to_string());
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
                brush_parser::ast::CaseItemPostAction::ExitCase => State::unreachable(),
                _ => branch.clone(),
            };
            if matches!(
                item.post_action,
                brush_parser::ast::CaseItemPostAction::ContinueEvaluatingCases
            ) {
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
            next.join(&after);
            next.output = None;
            if next == entry {
                break;
            }
            if round >= WIDEN_AFTER {
                next.widen(&entry);
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

    fn define(&mut self, definition: &FunctionDefinition, before: usize) {
        let line = before + definition.body.location().map_or(0, |span| span.start.line);
        let place = (self.unit.context.place.clone(), line);
        let bodies = self.functions.entry(definition.fname.value.clone()).or_default();
        bodies
            .entry(place)
            .or_insert_with(|| Rc::new(definition.body.clone()));
    }

    /// What redirections substitute and bring on standard input.
    pub(super) fn redirects(&mut self, redirects: &[IoRedirect], before: usize, state: &mut State) {
        for redirect in redirects {
            match redirect {
                IoRedirect::File(_, kind, target) => {
                    let reads = matches!(kind, brush_parser::ast::IoFileRedirectKind::Read);
                    let mut lines = None;
                    match target {
                        IoFileRedirectTarget::Filename(word) | IoFileRedirectTarget::Duplicate(word) => {
                            let line = word.loc.as_ref().map_or(1, |span| span.start.line);
                            self.text(&word.value, before + line, state);
                        }
                        IoFileRedirectTarget::ProcessSubstitution(_, subshell) => {
                            let end = self.subshell(subshell, before, state);
                            lines = end.output.filter(|_| subshell.list.0.len() == 1);
                        }
                        IoFileRedirectTarget::Fd(_) => {}
                    }
                    if reads {
                        state.lines = lines;
                        state.input = None;
                    }
                }
                IoRedirect::HereDocument(_, document) => {
                    let line = before + document.here_end.loc.as_ref().map_or(1, |span| span.start.line) + 1;
                    let values = if document.requires_expansion {
                        self.document(&document.doc.value, line, state)
                    } else {
                        Values::of([document.doc.value.clone()])
                    };
                    state.input = values.texts.first().filter(|_| values.texts.len() == 1).cloned();
                    state.lines = None;
                }
                IoRedirect::HereString(_, word) => {
                    let line = before + word.loc.as_ref().map_or(1, |span| span.start.line);
                    let values = self.text(&word.value, line, state);
                    state.input = values.texts.first().filter(|_| values.texts.len() == 1).cloned();
                    state.lines = None;
                }
                IoRedirect::OutputAndError(word, _) => {
                    let line = before + word.loc.as_ref().map_or(1, |span| span.start.line);
                    self.text(&word.value, line, state);
                }
            }
        }
    }
}

/// The join of two ways to one point; the output stays known if both know the same.
fn joined(mut held: State, failed: &State) -> State {
    let output = held
        .output
        .take()
        .filter(|output| !failed.is_reachable() || failed.output.as_ref() == Some(output));
    held.join(failed);
    held.output = output;
    held
}

/// Puts a list of positional parameters where a test can send it.
pub fn sort_in(list: Vec<String>, outcome: Outcome, held: &mut Lists, failed: &mut Lists) {
    if outcome.may_hold {
        held.insert(list.clone());
    }
    if outcome.may_fail {
        failed.insert(list);
    }
}

/// Inside `case "$name" in *.sh)`, a name of which only the start is known ends in `.sh`.
fn narrow(word: &str, patterns: &BTreeSet<String>, state: &mut State) {
    let name = word
        .trim_matches('"')
        .trim_start_matches(['$', '{'])
        .trim_end_matches('}');
    let Some(values) = state.variables.get(name) else {
        return;
    };
    let star = crate::pattern::STAR;
    let suffixes: Option<Vec<&str>> = patterns
        .iter()
        .map(|pattern| {
            pattern
                .strip_prefix(star)
                .filter(|end| !end.is_empty() && !crate::pattern::is_open(end))
        })
        .collect();
    let Some(suffixes) = suffixes else { return };
    let mut texts = BTreeSet::new();
    for text in &values.texts {
        match text.strip_suffix(ANY) {
            Some(_) => texts.extend(suffixes.iter().map(|end| format!("{text}{end}"))),
            None => {
                texts.insert(text.clone());
            }
        }
    }
    let outside = values.outside;
    state.set(name, Values { texts, outside });
}
