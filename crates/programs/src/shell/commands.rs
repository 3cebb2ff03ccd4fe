//! Simple commands: assignments, builtins, functions, and what is executed.

use confine_image::paths;
use std::collections::{BTreeMap, BTreeSet};

use brush_parser::ast::{
    Assignment, AssignmentName, CommandPrefixOrSuffixItem, IoRedirect, SimpleCommand, SourceLocation,
};

use super::output::{self, join_with_output};
use super::redirects;
use super::state::{Lists, State};
use super::walk::Walker;
use crate::builtins;
use crate::discovery::{Request, readable};
use crate::lookup;
use crate::pattern::{self, ANY};

/// Both ways on from a command.
pub(super) type Ways = (State, State);

impl Walker<'_, '_> {
    pub(super) fn simple(&mut self, command: &SimpleCommand, before: usize, mut state: State) -> Ways {
        let line = before + command.location().map_or(1, |span| span.start.line);
        let prefix = command
            .prefix
            .as_ref()
            .map(|prefix| prefix.0.as_slice())
            .unwrap_or_default();
        let suffix = command
            .suffix
            .as_ref()
            .map(|suffix| suffix.0.as_slice())
            .unwrap_or_default();
        let name = command.word_or_name.as_ref().map(|word| word.value.as_str());
        let (lines, input) = (state.lines.clone(), state.input.clone());

        let redirects: Vec<IoRedirect> = prefix.iter().chain(suffix).filter_map(redirect).collect();
        self.redirects(&redirects, before, &mut state);
        let Some(name) = name else {
            for assignment in prefix.iter().filter_map(assignment) {
                self.assign(assignment, line, &mut state);
            }
            self.remember(&state);
            state.output = output::nothing();
            let failed = state.clone();
            return (state, failed);
        };
        let saved = state.clone();
        let mut temporary = BTreeSet::new();
        for assignment in prefix.iter().filter_map(assignment) {
            self.assign(assignment, line, &mut state);
            if let AssignmentName::VariableName(name) = &assignment.name {
                temporary.insert(name.clone());
            }
        }
        let declares = matches!(name, "export" | "local" | "declare" | "typeset" | "readonly");
        let mut words = vec![name];
        let mut assigned = Vec::new();
        for item in suffix {
            match item {
                CommandPrefixOrSuffixItem::Word(word) => words.push(&word.value),
                CommandPrefixOrSuffixItem::AssignmentWord(assignment, word) => {
                    if declares {
                        self.assign(assignment, line, &mut state);
                        self.declare(name, assignment);
                        if let AssignmentName::VariableName(name) = &assignment.name {
                            assigned.push(name.as_str());
                        }
                    } else {
                        words.push(&word.value);
                    }
                }
                CommandPrefixOrSuffixItem::ProcessSubstitution(_, subshell) => {
                    self.subshell(subshell, before, &state);
                    words.push("/dev/fd/*");
                }
                CommandPrefixOrSuffixItem::IoRedirect(_) => {}
            }
        }
        if declares {
            self.make_local(&words, &assigned);
            self.remember(&state);
        }
        let may_vanish = name.starts_with(['$', '`']);
        let (mut held, mut failed) = self.each(&words, may_vanish, &temporary, line, &mut state);
        for end in [&mut held, &mut failed] {
            for name in &temporary {
                end.restore(name, &saved);
            }
            end.lines.clone_from(&lines);
            end.input.clone_from(&input);
            if redirects::to_file(&redirects) {
                end.output = output::nothing();
            }
        }
        (held, failed)
    }

    /// Runs a command for each list of positional parameters and each way that its words expand.
    fn each(
        &mut self,
        words: &[&str],
        may_vanish: bool,
        temporary: &BTreeSet<String>,
        line: usize,
        state: &mut State,
    ) -> Ways {
        let (mut held, mut failed) = (State::unreachable(), State::unreachable());
        // Each list of parameters by itself, where the words look at them: so a test can tell them apart.
        let lists: Vec<Lists> = if words.iter().any(|word| mentions_parameters(word)) {
            state
                .positional
                .iter()
                .map(|list| Lists::from([list.clone()]))
                .collect()
        } else {
            vec![state.positional.clone()]
        };
        let mut calls: BTreeMap<String, (Lists, State)> = BTreeMap::new();
        for lists in lists {
            let mut alone = state.with_positional(lists);
            let outside = std::mem::replace(&mut self.outside, false);
            let mut ways = self.expand_all(words, line, &mut alone);
            // An unknown word without quotes may be no word at all.
            let vanished: Vec<Vec<String>> = ways
                .iter()
                .filter(|fields| may_vanish && fields.first().is_some_and(|first| *first == ANY.to_string()))
                .filter_map(|fields| fields.get(1..))
                .filter(|rest| {
                    rest.first()
                        .is_some_and(|next| self.names_something(next, &alone))
                })
                .map(<[String]>::to_vec)
                .collect();
            ways.extend(vanished);
            for fields in ways {
                let Some((name, arguments)) = fields.split_first() else {
                    held.join(&alone);
                    failed.join(&alone);
                    continue;
                };
                // All calls of one function from here are walked as one.
                for function in self.functions_named(name) {
                    let (lists, from) = calls
                        .entry(function)
                        .or_insert_with(|| (Lists::new(), State::unreachable()));
                    lists.insert(arguments.to_vec());
                    from.join(&alone);
                }
                if self.is_function(name) {
                    continue;
                }
                let (one_held, one_failed) = self.dispatch(&fields, temporary, line, alone.clone());
                join_with_output(&mut held, &one_held);
                join_with_output(&mut failed, &one_failed);
            }
            self.outside = outside;
        }
        for (name, (lists, from)) in calls {
            let end = self.call(&name, lists, &from);
            held.join(&end);
            failed.join(&end);
        }
        (held, failed)
    }

    fn names_something(&self, name: &str, state: &State) -> bool {
        !pattern::is_open(name)
            && (builtins::is_builtin(self.unit.dialect, name)
                || self
                    .discovery
                    .look_up(name, &self.environment(state, &BTreeSet::new()))
                    .is_some())
    }

    pub(super) fn dispatch(
        &mut self,
        fields: &[String],
        temporary: &BTreeSet<String>,
        line: usize,
        mut state: State,
    ) -> Ways {
        state.output = None;
        let Some((name, arguments)) = fields.split_first() else {
            return both(state);
        };
        if builtins::is_builtin(self.unit.dialect, name) {
            state.output = output::nothing().filter(|_| output::is_silent(name, arguments));
            return self.builtin(name, arguments, temporary, line, state);
        }
        self.execute(fields, temporary, line, &mut state, "command");
        state.output = self.output_of(name, arguments, &state);
        both(state)
    }

    /// Hands a command line to the search.
    pub(super) fn execute(
        &mut self,
        fields: &[String],
        temporary: &BTreeSet<String>,
        line: usize,
        state: &mut State,
        what: &str,
    ) {
        let Some(name) = fields.first() else { return };
        let mut context = self.context(line);
        context.depth += 1;
        context.variables = self.environment(state, temporary);
        context.input.clone_from(&state.input);
        let relative = name.contains('/') && !name.starts_with('/') && !pattern::is_open(name);
        if relative {
            for folder in self.folders.clone() {
                let path = paths::absolute(name, &folder);
                if lookup::locate(self.discovery.files, &path, "", "/").is_some() {
                    let mut argv = fields.to_vec();
                    if let Some(first) = argv.first_mut() {
                        *first = path;
                    }
                    let how = format!("{what} `{name}` in {folder}");
                    self.discovery.run(Request { argv, how, context });
                    return;
                }
            }
        }
        let where_from = if name.contains('/') { "by path" } else { "on PATH" };
        let how = format!("{what} `{}` {where_from}", readable(name));
        let request = Request {
            argv: fields.to_vec(),
            how,
            context,
        };
        if self.unit.dialect == builtins::Dialect::Busybox
            && !pattern::is_open(name)
            && !name.contains('/')
            && self.discovery.look_up(name, &request.context.variables).is_none()
            && self.discovery.shell_applet(name, &request)
        {
            return;
        }
        self.discovery.run(request);
    }

    /// The environment of what is executed.
    pub(super) fn environment(
        &self,
        state: &State,
        temporary: &BTreeSet<String>,
    ) -> BTreeMap<String, String> {
        let mut environment = BTreeMap::new();
        for name in self.exported.union(temporary) {
            let Some(values) = state.known(name) else {
                continue;
            };
            let value = match (values.texts.first(), values.texts.len()) {
                (Some(text), 1) => text.clone(),
                // Lists of folders and objects can be joined without loss.
                _ if name == "PATH" || name.starts_with("LD_") => values
                    .texts
                    .iter()
                    .map(String::as_str)
                    .collect::<Vec<_>>()
                    .join(":"),
                _ => ANY.to_string(),
            };
            environment.insert(name.clone(), value);
        }
        if let Some(values) = state.known("PATH") {
            let folders: Vec<&str> = values.texts.iter().map(String::as_str).collect();
            environment.insert("PATH".to_owned(), folders.join(":"));
        }
        environment
    }
}

/// Whether a word looks at the positional parameters.
fn mentions_parameters(word: &str) -> bool {
    word.split('$').skip(1).any(|rest| {
        let rest = rest.trim_start_matches(['{', '#', '!']);
        rest.is_empty() || rest.starts_with(|first: char| first.is_ascii_digit() || "@*#}".contains(first))
    })
}

pub(super) fn both(state: State) -> Ways {
    let other = state.clone();
    (state, other)
}

fn redirect(item: &CommandPrefixOrSuffixItem) -> Option<IoRedirect> {
    match item {
        CommandPrefixOrSuffixItem::IoRedirect(redirect) => Some(redirect.clone()),
        _ => None,
    }
}

fn assignment(item: &CommandPrefixOrSuffixItem) -> Option<&Assignment> {
    match item {
        CommandPrefixOrSuffixItem::AssignmentWord(assignment, _) => Some(assignment),
        _ => None,
    }
}
