//! What commands print, where a script uses that to name the next command.
//!
//! Only commands whose output follows from their arguments or from what they read; all else prints anything.

use confine_image::paths;
use std::collections::BTreeSet;

use super::state::{State, Values};
use super::walk::Walker;
use crate::pattern::{self, ANY, REST};

/// What a command may print; none where that is not known.
pub(super) type Output = Option<BTreeSet<String>>;

/// How many texts are kept of what may be printed.
const MAX_TEXTS: usize = 48;

/// What prints nothing prints.
pub(super) fn nothing() -> Output {
    Some(BTreeSet::from([String::new()]))
}

/// What may be printed where nothing is known.
pub(super) fn anything() -> BTreeSet<String> {
    BTreeSet::from([ANY.to_string()])
}

/// What two commands print one after the other: known where one of them prints nothing.
pub(super) fn after(first: Output, second: Output) -> Output {
    if first == nothing() {
        second
    } else if second == nothing() {
        first
    } else {
        None
    }
}

/// What is printed on one of two ways.
pub(super) fn either(one: Output, other: Option<&BTreeSet<String>>) -> Output {
    if one.is_none() && other.is_none() {
        return None;
    }
    let mut texts = one.unwrap_or_else(anything);
    match other {
        Some(other) => texts.extend(other.iter().cloned()),
        None => texts.extend(anything()),
    }
    (texts.len() <= MAX_TEXTS).then_some(texts)
}

/// The join of two ways to one point.
pub(super) fn joined(mut held: State, failed: &State) -> State {
    join_with_output(&mut held, failed);
    held
}

/// Takes in another way to the same point, and what was printed on it.
pub(super) fn join_with_output(all: &mut State, one: &State) {
    if !one.is_reachable() {
        return;
    }
    let printed = match all.is_reachable() {
        true => either(all.output.take(), one.output.as_ref()),
        false => one.output.clone(),
    };
    all.join(one);
    all.output = printed;
}

/// Whether a builtin prints nothing, whatever comes of it.
pub(super) fn is_silent(name: &str, arguments: &[String]) -> bool {
    match name {
        "[" | "test" | "[[" | "true" | "false" | ":" | "shift" | "unset" | "let" => true,
        "export" | "local" | "declare" | "typeset" | "readonly" | "set" => arguments
            .first()
            .is_some_and(|first| !first.starts_with(['-', '+'])),
        // Where it looks for a name in folders of CDPATH, it tells the one that it found.
        "cd" => destination(arguments).is_some_and(|folder| folder.starts_with(['/', '.'])),
        _ => false,
    }
}

/// The folder that a shell is in after it changed there.
pub(super) fn folder_after(name: &str, arguments: &[String], state: &State) -> Values {
    let told = destination(arguments).filter(|folder| name != "pushd" && !pattern::is_open(folder));
    match told {
        Some(folder) if folder.starts_with('/') => Values::of([normal(folder)]),
        // Where another is looked for, its name may lie in folders of CDPATH as well.
        Some(folder) if folder.starts_with('.') => {
            let before = state.variable("PWD");
            Values::printed(before.texts.iter().map(|from| match from.starts_with('/') {
                true if !pattern::is_open(from) => normal(&paths::absolute(folder, from)),
                _ => ANY.to_string(),
            }))
        }
        _ => Values::unknown(),
    }
}

/// Where `cd` goes to, if it is told.
fn destination(arguments: &[String]) -> Option<&str> {
    let is_option = |argument: &&String| matches!(argument.as_str(), "-L" | "-P" | "-e" | "--");
    let folder = arguments.iter().find(|argument| !is_option(argument))?;
    (folder != "-").then_some(folder.as_str())
}

/// A path without `.` and `..`, as a shell counts its folders.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

impl Walker<'_, '_> {
    /// What a command prints, where that says which command comes next.
    pub(super) fn output_of(
        &self,
        name: &str,
        arguments: &[String],
        state: &State,
    ) -> Option<BTreeSet<String>> {
        let operands: Vec<&String> = arguments
            .iter()
            .filter(|argument| !argument.starts_with('-'))
            .collect();
        let open = arguments.iter().any(|argument| argument == REST);
        let first = operands.first().map(|operand| operand.as_str());
        let one = |text: String| Some(BTreeSet::from([text]));
        match paths::base_name(name) {
            _ if open => None,
            // No test on what is given from outside is plain, whichever way it takes.
            "echo" | "printf" if self.outside => None,
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
            "pwd" => {
                let folders = state.known("PWD").map(|values| values.texts.iter())?;
                let physical = arguments.iter().any(|argument| argument == "-P");
                Some(
                    folders
                        .map(|folder| {
                            self.real_path(folder)
                                .filter(|_| physical)
                                .unwrap_or_else(|| folder.clone())
                        })
                        .collect(),
                )
            }
            "readlink"
                if arguments
                    .first()
                    .is_some_and(|option| matches!(option.as_str(), "-f" | "-e" | "-m")) =>
            {
                one(self.real_path(first?)?)
            }
            "realpath" if arguments.len() == 1 => one(self.real_path(first?)?),
            "basename" if arguments.len() == operands.len() && operands.len() <= 2 => {
                let name = first
                    .filter(|_| !arguments.iter().any(|word| pattern::is_open(word)))
                    .map(paths::base_name);
                let suffix = operands.get(1).map_or("", |suffix| suffix.as_str());
                name.and_then(|name| {
                    one(name
                        .strip_suffix(suffix)
                        .filter(|rest| !rest.is_empty())
                        .unwrap_or(name)
                        .to_owned())
                })
            }
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
            "cat" if operands.is_empty() && state.input.is_some() => {
                state.input.clone().map(|text| BTreeSet::from([text]))
            }
            "sort" | "grep" | "egrep" | "head" | "tail" | "uniq" | "cat" | "tac" | "shuf" => {
                state.lines.clone()
            }
            _ => None,
        }
    }

    /// An absolute path with every link followed, where it is in the image.
    fn real_path(&self, path: &str) -> Option<String> {
        let file = self.discovery.files.resolve(path)?;
        (path.starts_with('/') && !pattern::is_open(path)).then_some(file.path)
    }
}
