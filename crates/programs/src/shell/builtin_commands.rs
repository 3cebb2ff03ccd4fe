//! What a shell does by itself: the builtins that lead to commands or change what is known.

use std::collections::BTreeSet;

use confine_assumption::Kind;

use super::commands::{Ways, both};
use super::conditions::{self, Outcome};
use super::output;
use super::scan;
use super::state::{Lists, State, Values, unknown_list};
use super::walk::{Walker, sort_in};
use crate::discovery::readable;
use crate::pattern::{self, ANY, REST};
use crate::wrappers::skip_options;

impl Walker<'_, '_> {
    pub(super) fn builtin(
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
            "exit" | "logout" => {
                self.left = true;
                return both(State::unreachable());
            }
            "break" | "continue" | "return" => {
                self.left = true;
                self.leave(&state);
                return both(State::unreachable());
            }
            "exec" => {
                let rest = skip_options(arguments, &["-a"]);
                if rest.is_empty() {
                    return both(state);
                }
                let how = if self.is_image_command(rest) {
                    "exec of the image's command,"
                } else {
                    "exec of"
                };
                self.execute(rest, temporary, line, &mut state, how);
                self.left = true;
                self.remember(&state);
                return both(State::unreachable());
            }
            "command" => return self.command_builtin(arguments, temporary, line, state),
            "builtin" => {
                if let Some((name, rest)) = arguments.split_first() {
                    return self.builtin(name, rest, temporary, line, state);
                }
            }
            "eval" => return both(self.eval(&arguments.join(" "), line, state)),
            "." | "source" => return both(self.source(arguments, line, state)),
            "trap" => {
                if let Some(text) = skip_options(arguments, &[]).first()
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
                let failed = state.clone();
                state.set("PWD", output::folder_after(name, arguments, &state));
                return (state, failed);
            }
            "echo" | "pwd" | "type" => state.output = self.output_of(name, arguments, &state),
            _ => {}
        }
        both(state)
    }

    /// Runs a text in this shell; what is not known of it may give any value to any variable.
    fn eval(&mut self, text: &str, line: usize, mut state: State) -> State {
        let open = pattern::is_open(text) || text.contains(REST);
        if open {
            let context = self.context(line);
            self.discovery.assume(
                Kind::OpenCommand,
                &context,
                "eval of a text that is not known as a whole".to_owned(),
            );
            scan::try_words(self.discovery, self.unit.dialect, text, &context);
            state.loosen();
        }
        let known = with_plain_names(text);
        if known.chars().any(char::is_alphanumeric) {
            state = self.nested_text(&known, line.saturating_sub(1), state);
        }
        if open {
            state.loosen();
        }
        state
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
        let rest = skip_options(arguments, &[]).to_vec();
        self.dispatch(&rest, temporary, line, state)
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
                "a shell reads commands from a file that is not known".to_owned(),
            );
            return state;
        };
        if paths.is_empty() && !pattern::is_open(name) && !name.is_empty() {
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

    fn is_image_command(&self, argv: &[String]) -> bool {
        !argv.is_empty()
            && self
                .unit
                .argv
                .get(1..)
                .is_some_and(|own| own.ends_with(argv) || argv.ends_with(own) && !own.is_empty())
    }
}

/// A text for `eval` with its holes: what they stand for may be several words, which is said. In the name of an
/// assignment, a hole stands for a name that nobody asks for.
fn with_plain_names(text: &str) -> String {
    let text = text.replace(REST, &ANY.to_string());
    let mut plain = String::with_capacity(text.len());
    for word in text.split_inclusive([' ', '\t', '\n', ';', '&', '|', '(']) {
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ANY;
        match word.split_once('=') {
            Some((name, value)) if name.chars().all(is_part) => {
                plain.extend([&name.replace(ANY, "_"), "=", value]);
            }
            _ => plain.push_str(word),
        }
    }
    plain
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
    let names: Vec<&String> = skip_options(arguments, &["-p", "-d", "-n", "-N", "-t", "-u", "-i", "-a"])
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
            let texts = lines.iter().flat_map(|text| text.split('\n')).map(str::to_owned);
            state.set(name, Values::printed(texts.chain([String::new()])));
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
