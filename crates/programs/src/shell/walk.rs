//! Commands in the order that a shell meets them: sequences, branches, loops, functions, nested texts.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use brush_parser::ast::{
    AndOr, AndOrList, Command, CompoundList, FunctionBody, FunctionDefinition, Pipeline, SeparatorOperator,
    SourceLocation,
};

use super::conditions::Outcome;
use super::output::{self, joined};
use super::scan;
use super::state::{Lists, State, Values, unknown_list};
use super::syntax;
use crate::discovery::{Context, Discovery, Unit};
use crate::pattern::{self, ANY};

/// How many commands of one walk are followed, loops and calls unrolled.
const MAX_STEPS: usize = 50_000;
/// How many words of one text are expanded.
const MAX_WORDS: usize = 200_000;
/// How deeply functions, substitutions and sourced files may nest.
const MAX_NESTING: usize = 40;

/// Where a function was defined.
type Definition = (String, usize);

/// One text on its way through.
pub struct Walker<'d, 'a> {
    pub discovery: &'d mut Discovery<'a>,
    pub unit: Unit,
    /// Whether a value from outside was read since the flag was last cleared.
    pub outside: bool,
    /// Whether something was left early, with all that it had printed, since the flag was last cleared.
    pub left: bool,
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
    /// Variables that the calls under way declared as their own.
    pub locals: Vec<BTreeSet<String>>,
    /// A command by an unknown name may be any function.
    any_function: bool,
    /// Everything that was known at some point.
    ever: State,
    /// What is known where `break`, `continue` or `return` leaves.
    pub(super) escape: State,
    steps: usize,
    most_steps: usize,
    words: usize,
    nesting: usize,
}

/// Walks one text and reports what it executes.
pub fn walk(discovery: &mut Discovery<'_>, unit: Unit) {
    let Some(program) = syntax::parse(&unit.text) else {
        scan::scan(discovery, &unit, "the script cannot be parsed");
        return;
    };
    let state = initial(&unit);
    let most_steps = MAX_STEPS.min(discovery.walks.left());
    let mut walker = Walker {
        discovery,
        exported: unit.context.variables.keys().cloned().collect(),
        unit,
        outside: false,
        left: false,
        folders: BTreeSet::new(),
        later: Vec::new(),
        rejected: None,
        functions: BTreeMap::new(),
        called: BTreeSet::new(),
        calling: Vec::new(),
        locals: Vec::new(),
        any_function: false,
        ever: state.clone(),
        escape: State::unreachable(),
        steps: 0,
        most_steps,
        words: 0,
        nesting: 0,
    };
    let mut state = state;
    for list in &program.complete_commands {
        state = walker.list(list, 0, state);
    }
    walker.leftovers();
    let steps = walker.steps;
    walker.discovery.walks.spend(&walker.unit, steps);
    if let Some(reason) = walker.rejected.take() {
        let unit = walker.unit.clone();
        scan::scan(walker.discovery, &unit, &reason);
    }
}

fn initial(unit: &Unit) -> State {
    let mut state = State {
        positional: Lists::from([unit.argv.iter().skip(1).cloned().collect()]),
        ..State::default()
    };
    for (name, value) in &unit.context.variables {
        let mut values = Values::of([value.clone()]);
        values.outside = true;
        state.set(name, values);
    }
    set_source(unit.argv.first().map_or("", String::as_str), &mut state);
    state
}

/// bash tells a script where its text comes from.
fn set_source(path: &str, state: &mut State) {
    state.set_array("BASH_SOURCE", Lists::from([vec![path.to_owned()]]));
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

    /// Counts a word; false past the bound.
    pub fn may_expand(&mut self, word: &str, line: usize, state: &State) -> bool {
        self.words += 1;
        if self.words > MAX_WORDS {
            self.reject(word, line, state);
        }
        self.words <= MAX_WORDS
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
        let mut printed = output::nothing();
        for list in &program.complete_commands {
            state = self.list(list, before, state);
            printed = output::after(printed, state.output.take());
        }
        state.output = printed;
        self.nesting -= 1;
        state
    }

    /// What a command substitution can be.
    pub fn substitution(&mut self, text: &str, line: usize, state: &State) -> Values {
        let escape = std::mem::take(&mut self.escape);
        let outer = std::mem::take(&mut self.left);
        let inner = State {
            output: None,
            ..state.clone()
        };
        let end = self.nested_text(text, line.saturating_sub(1), inner);
        self.escape = escape;
        let mut printed = end.output.unwrap_or_else(output::anything);
        if std::mem::replace(&mut self.left, outer) {
            printed.extend(output::anything());
        }
        let values = Values::printed(printed);
        self.outside |= values.outside;
        values
    }

    /// Walks a sourced text: `return` leaves only it.
    pub fn sourced(&mut self, text: &str, path: &str, arguments: &[String], state: State) -> State {
        let outer_positional = state.positional.clone();
        let mut inner = if arguments.is_empty() {
            state
        } else {
            state.with_positional(Lists::from([arguments.to_vec()]))
        };
        let own = self.name().to_owned();
        set_source(path, &mut inner);
        let context = Context {
            place: path.to_owned(),
            line: Some(1),
            parent: Some(path.to_owned()),
            by: Some(path.to_owned()),
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
        if end.is_reachable() {
            set_source(&own, &mut end);
            if !arguments.is_empty() {
                end.set_positional(outer_positional);
            }
        }
        end
    }

    /// Whether the script defines a function of that name, so far.
    pub fn is_function(&self, name: &str) -> bool {
        self.functions.contains_key(name)
    }

    /// The functions that a name, which may be known in part, can stand for.
    pub fn functions_named(&mut self, name: &str) -> Vec<String> {
        if !pattern::is_open(name) {
            return self
                .functions
                .get_key_value(name)
                .map(|(name, _)| name.clone())
                .into_iter()
                .collect();
        }
        if name.chars().all(|character| character == ANY) {
            // Left for the end: any function, with any arguments.
            self.any_function |= !self.functions.is_empty();
            return Vec::new();
        }
        self.functions
            .keys()
            .filter(|function| pattern::matches(name, function))
            .cloned()
            .collect()
    }

    /// Calls a function, every definition of it.
    pub fn call(&mut self, name: &str, arguments: Lists, state: &State) -> State {
        let mut inner = state.clone();
        inner.set_positional(arguments);
        let mut result = State::unreachable();
        for (definition, body) in self.functions.get(name).cloned().unwrap_or_default() {
            self.called.insert(definition.clone());
            result.join(&self.call_one(definition, &body, inner.clone()));
        }
        if result.is_reachable() {
            result.positional.clone_from(&state.positional);
        }
        result
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
        self.locals.push(BTreeSet::new());
        let entry = state.clone();
        self.nesting += 1;
        let escape = std::mem::take(&mut self.escape);
        let redirects = body.1.as_ref().map(|list| list.0.as_slice()).unwrap_or_default();
        let (mut end, failed) = self.compound(&body.0, redirects, 0, state);
        end.join(&failed);
        end.join(&std::mem::replace(&mut self.escape, escape));
        self.nesting -= 1;
        self.calling.pop();
        for name in self.locals.pop().unwrap_or_default() {
            end.restore(&name, &entry);
        }
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
            if self.called.insert(definition.clone()) || self.any_function {
                let state = self.ever.with_positional(Lists::from([unknown_list()]));
                self.call_one(definition, &body, state);
            }
        }
    }

    pub(super) fn list(&mut self, list: &CompoundList, before: usize, mut state: State) -> State {
        let mut printed = output::nothing();
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
            printed = output::after(printed, state.output.take());
        }
        state.output = printed;
        state
    }

    pub(super) fn and_or(&mut self, list: &AndOrList, before: usize, state: State) -> (State, State) {
        let (mut held, mut failed) = self.pipeline(&list.first, before, state);
        for next in &list.additional {
            match next {
                AndOr::And(pipeline) => {
                    let (next_held, next_failed) = self.next(pipeline, before, held);
                    held = next_held;
                    failed = joined(failed, &next_failed);
                }
                AndOr::Or(pipeline) => {
                    let (next_held, next_failed) = self.next(pipeline, before, failed);
                    held = joined(held, &next_held);
                    failed = next_failed;
                }
            }
        }
        (held, failed)
    }

    /// What comes behind `&&` or `||`, with what was printed before.
    fn next(&mut self, pipeline: &Pipeline, before: usize, mut state: State) -> (State, State) {
        let printed = state.output.take();
        let (mut held, mut failed) = self.pipeline(pipeline, before, state);
        for end in [&mut held, &mut failed] {
            end.output = output::after(printed.clone(), end.output.take());
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
                inner.input = whole_text(inner.lines.as_ref());
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

    pub(super) fn command(&mut self, command: &Command, before: usize, mut state: State) -> (State, State) {
        self.steps += 1;
        if self.steps > self.most_steps || self.nesting > MAX_NESTING {
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
                state.output = output::nothing();
                (state.with_positional(held), state.with_positional(failed))
            }
        };
        self.nesting -= 1;
        result
    }

    pub(super) fn define(&mut self, definition: &FunctionDefinition, before: usize) {
        let line = before + definition.body.location().map_or(0, |span| span.start.line);
        let place = (self.unit.context.place.clone(), line);
        let bodies = self.functions.entry(definition.fname.value.clone()).or_default();
        bodies
            .entry(place)
            .or_insert_with(|| Rc::new(definition.body.clone()));
    }
}

/// What a command before prints, where that is one text and known: the next one may be an interpreter of it.
fn whole_text(lines: Option<&BTreeSet<String>>) -> Option<String> {
    let mut lines = lines?.iter();
    let text = lines.next().filter(|text| !pattern::is_open(text))?;
    lines.next().is_none().then(|| text.clone())
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
