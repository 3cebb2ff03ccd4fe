//! Simple commands: assignments, builtins, functions, and what is executed.

use std::collections::{BTreeMap, BTreeSet};

use brush_parser::ast::{
    Assignment, AssignmentName, AssignmentValue, CommandPrefixOrSuffixItem, IoRedirect, SimpleCommand,
    SourceLocation,
};
use confine_assumption::Kind;

use super::conditions::{self, Outcome};
use super::state::{Lists, State, Values, unknown_list};
use super::walk::{Walker, sort_in};
use crate::builtins;
use crate::discovery::{Request, readable};
use crate::lookup;
use crate::pattern::{self, ANY, REST};

/// Both ways on from a command.
type Ways = (State, State);

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
            state.output = None;
            let failed = state.clone();
            return (state, failed);
        };
        let saved = state.variables.clone();
        let mut temporary = BTreeSet::new();
        for assignment in prefix.iter().filter_map(assignment) {
            self.assign(assignment, line, &mut state);
            if let AssignmentName::VariableName(name) = &assignment.name {
                temporary.insert(name.clone());
            }
        }
        let declares = matches!(name, "export" | "local" | "declare" | "typeset" | "readonly");
        let mut words = vec![name];
        for item in suffix {
            match item {
                CommandPrefixOrSuffixItem::Word(word) => words.push(&word.value),
                CommandPrefixOrSuffixItem::AssignmentWord(assignment, word) => {
                    if declares {
                        self.assign(assignment, line, &mut state);
                        self.declare(name, assignment);
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
            self.remember(&state);
        }
        let may_vanish = name.starts_with(['$', '`']);
        let (mut held, mut failed) = self.each(&words, may_vanish, &temporary, line, &mut state);
        for end in [&mut held, &mut failed] {
            for name in &temporary {
                match saved.get(name) {
                    Some(values) => end.variables.insert(name.clone(), values.clone()),
                    None => end.variables.remove(name),
                };
            }
            end.lines.clone_from(&lines);
            end.input.clone_from(&input);
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
        for list in state.positional.clone() {
            let mut alone = state.with_positional(Lists::from([list]));
            let outside = std::mem::replace(&mut self.outside, false);
            for fields in self.expand_all(words, line, &mut alone) {
                let (one_held, one_failed) = self.dispatch(&fields, temporary, line, alone.clone(), true);
                join_output(&mut held, &one_held);
                join_output(&mut failed, &one_failed);
                // An unknown word without quotes may be no word at all.
                if may_vanish
                    && fields.first().is_some_and(|first| first == &ANY.to_string())
                    && let Some(rest) = fields.get(1..)
                    && rest
                        .first()
                        .is_some_and(|next| self.names_something(next, &alone))
                {
                    let (one_held, one_failed) = self.dispatch(rest, temporary, line, alone.clone(), true);
                    join_output(&mut held, &one_held);
                    join_output(&mut failed, &one_failed);
                }
            }
            self.outside = outside;
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

    fn dispatch(
        &mut self,
        fields: &[String],
        temporary: &BTreeSet<String>,
        line: usize,
        mut state: State,
        functions: bool,
    ) -> Ways {
        state.output = None;
        let Some((name, arguments)) = fields.split_first() else {
            return both(state);
        };
        if functions && let Some(end) = self.call(name, arguments, &state) {
            return both(end);
        }
        if builtins::is_builtin(self.unit.dialect, name) {
            return self.builtin(name, arguments, temporary, line, state);
        }
        self.execute(fields, temporary, line, &mut state, "command");
        state.output = self.output_of(name, arguments, &state);
        both(state)
    }

    /// Hands a command line to the search.
    fn execute(
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
                let path = lookup::absolute(name, &folder);
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
    fn environment(&self, state: &State, temporary: &BTreeSet<String>) -> BTreeMap<String, String> {
        let mut environment = BTreeMap::new();
        for name in self.exported.union(temporary) {
            let Some(values) = state.variables.get(name) else {
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
        if let Some(values) = state.variables.get("PATH") {
            let folders: Vec<&str> = values.texts.iter().map(String::as_str).collect();
            environment.insert("PATH".to_owned(), folders.join(":"));
        }
        environment
    }

    fn builtin(
        &mut self,
        name: &str,
        arguments: &[String],
        temporary: &BTreeSet<String>,
        line: usize,
        mut state: State,
    ) -> Ways {
        match name {
            "[" | "test" | "[[" => return self.test(name, arguments, state),
            "true" | ":" => return (state, State::unreachable()),
            "false" => return (State::unreachable(), state),
            "exit" | "logout" => return both(State::unreachable()),
            "break" | "continue" | "return" => {
                self.leave(&state);
                return both(State::unreachable());
            }
            "exec" => {
                let rest = skip_letters(arguments, &["-a"]);
                if rest.is_empty() {
                    return both(state);
                }
                let how = if self.is_image_command(rest) {
                    "exec of the image's command,"
                } else {
                    "exec of"
                };
                self.execute(rest, temporary, line, &mut state, how);
                self.remember(&state);
                return both(State::unreachable());
            }
            "command" => return self.command_builtin(arguments, temporary, line, state),
            "builtin" => {
                if let Some((name, rest)) = arguments.split_first() {
                    return self.builtin(name, rest, temporary, line, state);
                }
            }
            "eval" => {
                let text = arguments.join(" ");
                if pattern::is_open(&text) || text.contains(REST) {
                    let context = self.context(line);
                    self.discovery.assume(
                        Kind::OpenCommand,
                        &context,
                        format!("eval of a text that is not known as a whole: {}", readable(&text)),
                    );
                }
                let readable = text.replace([ANY, pattern::STAR], "_").replace(REST, "_");
                return both(self.nested_text(&readable, line.saturating_sub(1), state));
            }
            "." | "source" => return both(self.source(arguments, line, state)),
            "trap" => {
                if let Some(text) = skip_letters(arguments, &[]).first()
                    && arguments.len() > 1
                    && text != "-"
                {
                    self.later.push((text.clone(), line));
                    self.remember(&state);
                }
            }
            "alias" => self.later.extend(
                arguments
                    .iter()
                    .filter_map(|argument| argument.split_once('='))
                    .map(|(_, text)| (text.to_owned(), line)),
            ),
            "set" => set(arguments, &mut state),
            "shift" => shift(arguments, &mut state),
            "read" => read(arguments, &mut state),
            "mapfile" | "readarray" => {
                let array = arguments
                    .last()
                    .filter(|name| !name.starts_with('-'))
                    .map_or("MAPFILE", String::as_str);
                state.set_array(array, Lists::from([unknown_list()]));
            }
            "getopts" => {
                for name in arguments
                    .iter()
                    .skip(1)
                    .take(1)
                    .map(String::as_str)
                    .chain(["OPTARG", "OPTIND"])
                {
                    state.set(name, Values::unknown());
                }
            }
            "printf" => {
                if let [flag, variable, ..] = arguments
                    && flag == "-v"
                {
                    state.set(variable, Values::unknown());
                } else {
                    state.output = self.output_of(name, arguments, &state);
                }
            }
            "let" => {
                for argument in arguments {
                    let name: String = argument
                        .chars()
                        .take_while(|character| character.is_alphanumeric() || *character == '_')
                        .collect();
                    state.set(&name, Values::unknown());
                }
            }
            "export" | "local" | "declare" | "typeset" | "readonly" => {
                self.declare_names(name, arguments, &mut state)
            }
            "unset" => {
                for argument in arguments.iter().filter(|argument| !argument.starts_with('-')) {
                    state.set(argument, Values::of([String::new()]));
                }
            }
            "cd" | "chdir" | "pushd" => {
                if let Some(folder) = arguments
                    .iter()
                    .find(|argument| argument.starts_with('/') && !pattern::is_open(argument))
                {
                    self.folders.insert(folder.clone());
                }
                state.set("PWD", Values::unknown());
            }
            "echo" | "pwd" | "type" => state.output = self.output_of(name, arguments, &state),
            _ => {}
        }
        both(state)
    }

    fn test(&mut self, name: &str, arguments: &[String], state: State) -> Ways {
        let words = match name {
            "[" => arguments.strip_suffix(&["]".to_owned()]).unwrap_or(arguments),
            "[[" => arguments.strip_suffix(&["]]".to_owned()]).unwrap_or(arguments),
            _ => arguments,
        };
        let outcome = if self.outside || words.iter().any(|word| word == REST) {
            Outcome::OPEN
        } else {
            conditions::test(words)
        };
        let (mut held, mut failed) = (Lists::new(), Lists::new());
        for list in state.positional.clone() {
            sort_in(list, outcome, &mut held, &mut failed);
        }
        (state.with_positional(held), state.with_positional(failed))
    }

    fn command_builtin(
        &mut self,
        arguments: &[String],
        temporary: &BTreeSet<String>,
        line: usize,
        mut state: State,
    ) -> Ways {
        let asks = arguments
            .iter()
            .take_while(|argument| argument.starts_with('-'))
            .any(|argument| argument.contains(['v', 'V']));
        if asks {
            state.output = self.output_of("which", arguments, &state);
            return both(state);
        }
        let rest = skip_letters(arguments, &[]).to_vec();
        self.dispatch(&rest, temporary, line, state, false)
    }

    fn source(&mut self, arguments: &[String], line: usize, mut state: State) -> State {
        let Some((name, arguments)) = arguments.split_first() else {
            return state;
        };
        let context = self.context(line);
        let Some(paths) =
            self.discovery
                .sourced_files(name, &self.environment(&state, &BTreeSet::new()), &self.folders)
        else {
            self.discovery.assume(
                Kind::OpenCommand,
                &context,
                format!("a sourced file that is not known: {}", readable(name)),
            );
            return state;
        };
        if paths.is_empty() {
            self.discovery.assume(
                Kind::MissingProgram,
                &context,
                format!("the sourced file {} is not in the image", readable(name)),
            );
        }
        for path in paths {
            let Some(text) = self.discovery.script_text(&path, &context) else {
                continue;
            };
            self.discovery.keep_sourced(&path, &context);
            let end = self.sourced(&text, &path, arguments, state.clone());
            state.join(&end);
        }
        state
    }

    fn assign(&mut self, assignment: &Assignment, line: usize, state: &mut State) {
        match (&assignment.name, &assignment.value) {
            (AssignmentName::VariableName(name), AssignmentValue::Scalar(word)) => {
                let mut values = self.text(&word.value, line, state);
                if assignment.append {
                    let before = state.variable(name);
                    let outside = values.outside || before.outside;
                    values = Values::of(
                        before
                            .texts
                            .iter()
                            .flat_map(|start| values.texts.iter().map(move |end| format!("{start}{end}"))),
                    );
                    values.outside = outside;
                }
                state.set(name, values);
            }
            (AssignmentName::VariableName(name), AssignmentValue::Array(elements)) => {
                let words: Vec<&str> = elements.iter().map(|(_, word)| word.value.as_str()).collect();
                let added = self.expand_all(&words, line, state);
                let before = match state.arrays.get(name) {
                    Some(lists) if assignment.append => lists.clone(),
                    None if assignment.append => Lists::from([vec![], unknown_list()]),
                    _ => Lists::from([vec![]]),
                };
                let lists = before
                    .iter()
                    .flat_map(|start| {
                        added
                            .iter()
                            .map(move |end| start.iter().chain(end).cloned().collect())
                    })
                    .collect();
                state.set_array(name, lists);
            }
            (AssignmentName::ArrayElementName(name, index), AssignmentValue::Scalar(word)) => {
                self.text(index, line, state);
                let values = self.text(&word.value, line, state);
                let mut lists = state
                    .arrays
                    .get(name)
                    .cloned()
                    .unwrap_or_else(|| Lists::from([vec![]]));
                let longer: Vec<Vec<String>> = lists
                    .iter()
                    .flat_map(|list| {
                        values
                            .texts
                            .iter()
                            .map(move |text| list.iter().cloned().chain([text.clone()]).collect())
                    })
                    .collect();
                lists.extend(longer);
                lists.insert(unknown_list());
                state.set_array(name, lists);
            }
            (AssignmentName::ArrayElementName(name, _), AssignmentValue::Array(_)) => {
                state.set_array(name, Lists::from([unknown_list()]));
            }
        }
    }

    fn declare(&mut self, builtin: &str, assignment: &Assignment) {
        if let AssignmentName::VariableName(name) = &assignment.name
            && builtin != "local"
            && builtin != "readonly"
        {
            self.exported.insert(name.clone());
        }
    }

    fn declare_names(&mut self, builtin: &str, arguments: &[String], state: &mut State) {
        let indirect = arguments
            .iter()
            .any(|argument| argument.starts_with('-') && argument.contains('n'));
        for argument in arguments.iter().filter(|argument| !argument.starts_with('-')) {
            match argument.split_once('=') {
                Some((name, value)) => {
                    state.set(name, Values::of([value.to_owned()]));
                    self.exported.insert(name.to_owned());
                }
                None if builtin == "local" && !pattern::is_open(argument) => {
                    state.set(argument, Values::of([String::new()]))
                }
                None if builtin == "export" => {
                    self.exported.insert(argument.clone());
                }
                None => {}
            }
            if indirect {
                let name = argument.split('=').next().unwrap_or(argument);
                state.set(name, Values::unknown());
                state.set_array(name, Lists::from([unknown_list()]));
            }
        }
    }

    fn is_image_command(&self, argv: &[String]) -> bool {
        !argv.is_empty()
            && self
                .unit
                .argv
                .get(1..)
                .is_some_and(|own| own.ends_with(argv) || argv.ends_with(own) && !own.is_empty())
    }

    /// What a command prints, where that says which command comes next.
    fn output_of(&self, name: &str, arguments: &[String], state: &State) -> Option<BTreeSet<String>> {
        let operands: Vec<&String> = arguments
            .iter()
            .filter(|argument| !argument.starts_with('-'))
            .collect();
        let open = arguments.iter().any(|argument| argument == REST);
        let first = operands.first().map(|operand| operand.as_str());
        let one = |text: String| Some(BTreeSet::from([text]));
        match lookup::base_name(name) {
            _ if open => None,
            "echo" if arguments.first().is_none_or(|first| !first.starts_with('-')) => {
                one(arguments.join(" "))
            }
            "printf" => match arguments {
                [format, text] if format == "%s" || format == "%s\\n" => one(text.clone()),
                _ => None,
            },
            "which" => {
                let environment = self.environment(state, &BTreeSet::new());
                let found = first
                    .filter(|name| !pattern::is_open(name))
                    .map(|name| self.discovery.look_up(name, &environment));
                found.and_then(|found| one(found.map(|located| located.named).unwrap_or_default()))
            }
            "dirname" => first
                .filter(|path| !pattern::is_open(path))
                .and_then(|path| one(path.rsplit_once('/').map_or(".", |(folder, _)| folder).to_owned())),
            "basename" if operands.len() == 1 => first
                .filter(|path| !pattern::is_open(path))
                .and_then(|path| one(lookup::base_name(path).to_owned())),
            "find" => {
                let places: BTreeSet<String> = arguments
                    .iter()
                    .skip_while(|argument| matches!(argument.as_str(), "-L" | "-H" | "-P"))
                    .take_while(|argument| !argument.starts_with(['-', '(', '!']))
                    .map(|folder| format!("{}/{ANY}", folder.trim_end_matches('/')))
                    .collect();
                (!places.is_empty() && !arguments.iter().any(|argument| argument.contains("printf")))
                    .then_some(places)
            }
            "sort" | "grep" | "egrep" | "head" | "tail" | "uniq" | "cat" | "tac" | "shuf" => {
                state.lines.clone()
            }
            _ => None,
        }
    }
}

fn both(state: State) -> Ways {
    let other = state.clone();
    (state, other)
}

fn join_output(all: &mut State, one: &State) {
    if !one.is_reachable() {
        return;
    }
    let output = match (all.is_reachable(), all.output.take(), &one.output) {
        (false, _, output) => output.clone(),
        (true, Some(mut texts), Some(more)) => {
            texts.extend(more.iter().cloned());
            Some(texts)
        }
        _ => None,
    };
    all.join(one);
    all.output = output;
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

fn skip_letters<'a>(arguments: &'a [String], valued: &[&str]) -> &'a [String] {
    let mut rest = arguments;
    while let Some((first, more)) = rest.split_first() {
        if first == "--" {
            return more;
        }
        if !first.starts_with('-') || first == "-" {
            break;
        }
        rest = if valued.contains(&first.as_str()) {
            more.get(1..).unwrap_or_default()
        } else {
            more
        };
    }
    rest
}

fn set(arguments: &[String], state: &mut State) {
    let mut rest = arguments;
    while let Some((first, more)) = rest.split_first() {
        if first == "--" || first == "-" {
            if first == "--" || !more.is_empty() {
                state.set_positional(Lists::from([more.to_vec()]));
            }
            return;
        }
        if !first.starts_with(['-', '+']) {
            state.set_positional(Lists::from([rest.to_vec()]));
            return;
        }
        rest = if first.ends_with('o') {
            more.get(1..).unwrap_or_default()
        } else {
            more
        };
    }
}

fn shift(arguments: &[String], state: &mut State) {
    let count = arguments.first().map_or(Ok(1), |count| count.parse::<usize>());
    let shifted = state
        .positional
        .iter()
        .map(|list| match &count {
            Ok(count) => {
                let known = list.iter().position(|word| word == REST).unwrap_or(usize::MAX);
                if *count > known {
                    unknown_list()
                } else {
                    list.iter().skip(*count).cloned().collect()
                }
            }
            Err(_) => unknown_list(),
        })
        .collect();
    state.set_positional(shifted);
}

fn read(arguments: &[String], state: &mut State) {
    let names: Vec<&String> = skip_letters(arguments, &["-p", "-d", "-n", "-N", "-t", "-u", "-i", "-a"])
        .iter()
        .collect();
    let array = arguments
        .iter()
        .position(|argument| argument.starts_with('-') && argument.ends_with('a'));
    if let Some(name) = array.and_then(|at| arguments.get(at + 1)) {
        state.set_array(name, Lists::from([unknown_list()]));
    }
    let lines = state.lines.clone();
    match (names.as_slice(), lines) {
        ([name], Some(lines)) => {
            let mut texts = lines;
            texts.insert(String::new());
            state.set(name, Values::of(texts));
        }
        (names, _) => {
            for name in names {
                state.set(name, Values::unknown());
            }
            if names.is_empty() {
                state.set("REPLY", Values::unknown());
            }
        }
    }
}
