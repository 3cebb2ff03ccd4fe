//! Programs that execute their own arguments, and where in their arguments the command is.
//!
//! Until a binary's own code tells (a later room's work), this table does. Reading a command line wrongly would
//! lose a program, so where the first word of the rest names nothing, [`Inner::Command`] lets the next be tried.

mod execline;
mod table;

use std::collections::BTreeMap;

use crate::pattern::{ANY, REST};
use table::{Shape, TABLE};

/// What a wrapper executes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inner {
    /// An argument list.
    Command(Vec<String>),
    /// An argument list with variables of its environment.
    With(Vec<(String, String)>, Vec<String>),
    /// A text for `/bin/sh -c`.
    ShellText(String),
    /// Every executable in a folder, with these arguments.
    Folder(String, Vec<String>),
}

/// What `name` executes when it is called with `arguments` (its own name left out), and why that is known.
pub fn inner(
    name: &str,
    arguments: &[String],
    variables: &BTreeMap<String, String>,
) -> Option<(Vec<Inner>, &'static str)> {
    if let Some(found) = execline::inner(name, arguments, variables) {
        return Some(found);
    }
    let row = TABLE.iter().find(|row| row.names.contains(&name))?;
    let found = match row.shape {
        Shape::AfterOperands(operands) => command(skip_options(arguments, row.valued), operands),
        Shape::AfterAssignments => after_assignments(arguments, row.valued),
        Shape::Find => find_commands(arguments),
        Shape::TextOption(operands) => text_option(name, arguments, row.valued, operands),
        Shape::Text => text(skip_options(arguments, row.valued)),
        Shape::StartStopDaemon => start_stop_daemon(arguments),
        Shape::Folder => folder(arguments, row.valued),
        Shape::AfterDashes => after_dashes(arguments),
    };
    // Where the arguments are not known, neither is the command.
    let unknown = arguments
        .iter()
        .position(|word| word == REST)
        .filter(|_| found.is_empty());
    match unknown.and_then(|at| arguments.get(at..)) {
        Some(rest) => Some((vec![Inner::Command(rest.to_vec())], row.reason)),
        None => Some((found, row.reason)),
    }
}

/// Whether `name` is among the wrappers that are known.
pub fn is_wrapper(name: &str) -> bool {
    execline::is_command(name) || TABLE.iter().any(|row| row.names.contains(&name))
}

fn command(rest: &[String], operands: usize) -> Vec<Inner> {
    match rest.first() {
        // What is behind an unknown number of words is unknown itself.
        Some(word) if word == REST => vec![Inner::Command(rest.to_vec())],
        _ => match rest.get(operands..) {
            Some(command) if !command.is_empty() => vec![Inner::Command(command.to_vec())],
            _ => Vec::new(),
        },
    }
}

/// What follows the options, of which those in `valued` take the next word as well.
pub(crate) fn skip_options<'a>(arguments: &'a [String], valued: &[&str]) -> &'a [String] {
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

fn after_assignments(arguments: &[String], valued: &[&str]) -> Vec<Inner> {
    // `env -S 'text'` splits one word as a shell would, and goes on with what follows.
    for (index, argument) in arguments.iter().enumerate() {
        let text = match argument.as_str() {
            "-S" | "--split-string" | "-vS" => {
                arguments.get(index + 1).map(|text| (text.as_str(), index + 2))
            }
            other => other
                .strip_prefix("-S")
                .or_else(|| other.strip_prefix("--split-string="))
                .map(|text| (text, index + 1)),
        };
        if let Some((text, next)) = text {
            let mut words: Vec<String> = text
                .split_whitespace()
                .map(|word| word.trim_matches(['"', '\'']).to_owned())
                .collect();
            words.extend(arguments.get(next..).unwrap_or_default().iter().cloned());
            return after_assignments(&words, valued);
        }
        if !argument.starts_with('-') {
            break;
        }
    }
    let mut rest = skip_options(arguments, valued);
    let mut variables = Vec::new();
    while let Some((first, more)) = rest.split_first()
        && let Some((name, value)) = first.split_once('=').filter(|(name, _)| !name.contains('/'))
    {
        variables.push((name.to_owned(), value.to_owned()));
        rest = more;
    }
    let inner = command(rest, 0).into_iter();
    inner
        .map(|inner| match inner {
            Inner::Command(words) if !variables.is_empty() => Inner::With(variables.clone(), words),
            other => other,
        })
        .collect()
}

fn find_commands(arguments: &[String]) -> Vec<Inner> {
    let mut found = Vec::new();
    let mut rest = arguments;
    while let Some(at) = rest
        .iter()
        .position(|word| matches!(word.as_str(), "-exec" | "-execdir" | "-ok" | "-okdir"))
    {
        let Some(after) = rest.get(at + 1..) else { break };
        let end = after
            .iter()
            .position(|word| word == ";" || word == "+")
            .unwrap_or(after.len());
        let (words, more) = after.split_at(end);
        let words: Vec<String> = words
            .iter()
            .map(|word| word.replace("{}", &ANY.to_string()))
            .collect();
        found.extend(command(&words, 0));
        rest = more;
    }
    found
}

fn text_option(name: &str, arguments: &[String], valued: &[&str], operands: usize) -> Vec<Inner> {
    for (index, argument) in arguments.iter().enumerate() {
        if let Some(text) = argument.strip_prefix("--command=") {
            return vec![Inner::ShellText(text.to_owned())];
        }
        let letters = argument.starts_with('-') && !argument.starts_with("--") && argument.ends_with('c');
        if letters || argument == "--command" || argument == "--session-command" {
            return arguments
                .get(index + 1)
                .map(|text| Inner::ShellText(text.clone()))
                .into_iter()
                .collect();
        }
        if argument == "--" {
            break;
        }
    }
    let named_user = arguments
        .iter()
        .any(|argument| argument == "-u" || argument.starts_with("--user"));
    let operands = if name == "runuser" && named_user {
        0
    } else {
        operands
    };
    let mut rest = skip_options(arguments, valued);
    if rest.first().is_some_and(|word| word == "-") {
        rest = rest.get(1..).unwrap_or_default();
    }
    let inner = command(rest, operands);
    // `su USER ARGUMENTS…` hands its rest to the user's shell.
    if name == "su" || (name == "runuser" && !named_user) {
        return inner
            .into_iter()
            .map(|inner| match inner {
                Inner::Command(mut words) => {
                    words.insert(0, "/bin/sh".to_owned());
                    Inner::Command(words)
                }
                other => other,
            })
            .collect();
    }
    inner
}

fn text(rest: &[String]) -> Vec<Inner> {
    if rest.is_empty() {
        Vec::new()
    } else {
        vec![Inner::ShellText(rest.join(" "))]
    }
}

fn start_stop_daemon(arguments: &[String]) -> Vec<Inner> {
    let given = arguments.iter().position(|argument| argument == "--");
    let rest: Vec<String> = given
        .and_then(|at| arguments.get(at + 1..))
        .unwrap_or_default()
        .to_vec();
    let options = arguments
        .get(..given.unwrap_or(arguments.len()))
        .unwrap_or_default();
    let mut found = Vec::new();
    for (index, argument) in options.iter().enumerate() {
        let long = ["--exec=", "--startas="]
            .iter()
            .find_map(|option| argument.strip_prefix(option));
        let program = match argument.as_str() {
            "-x" | "--exec" | "-a" | "--startas" => options.get(index + 1).cloned(),
            other => {
                // Letters may be joined: `-Sbx PROGRAM`.
                let joined =
                    other.starts_with('-') && !other.starts_with("--") && other.ends_with(['x', 'a']);
                if joined {
                    options.get(index + 1).cloned()
                } else {
                    long.map(str::to_owned)
                }
            }
        };
        if let Some(program) = program {
            let mut words = vec![program];
            words.extend(rest.iter().cloned());
            found.push(Inner::Command(words));
        }
    }
    found
}

fn folder(arguments: &[String], valued: &[&str]) -> Vec<Inner> {
    let mut given = Vec::new();
    for (index, argument) in arguments.iter().enumerate() {
        match argument.as_str() {
            "-a" | "--arg" => given.extend(arguments.get(index + 1).cloned()),
            other => given.extend(other.strip_prefix("--arg=").map(str::to_owned)),
        }
    }
    skip_options(arguments, valued)
        .first()
        .map(|folder| Inner::Folder(folder.clone(), given))
        .into_iter()
        .collect()
}

fn after_dashes(arguments: &[String]) -> Vec<Inner> {
    let Some(at) = arguments.iter().position(|argument| argument == "--") else {
        return Vec::new();
    };
    let mut words = vec!["/bin/bash".to_owned()];
    words.extend(arguments.get(at + 1..).unwrap_or_default().iter().cloned());
    vec![Inner::Command(words)]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Inner, REST, inner};

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn commands_are_found_in_arguments() {
        let check = |line: &str, expected: &[&str]| {
            let line = words(line);
            let (name, arguments) = line.split_first().expect("a line has a name");
            let expected: Vec<Inner> = expected.iter().map(|text| Inner::Command(words(text))).collect();
            assert_eq!(
                inner(name, arguments, &BTreeMap::new()).expect("in the table").0,
                expected,
                "{line:?}"
            );
        };
        check("env -i sh x", &["sh x"]);
        check("env -S bash -e x", &["bash -e x"]);
        check("env -u HOME sh", &["sh"]);
        check("gosu redis redis-server --port 1", &["redis-server --port 1"]);
        check("timeout -s KILL 5 curl x", &["curl x"]);
        check("tini -g -- nginx -g x", &["nginx -g x"]);
        check("dumb-init --rewrite 15:3 nginx", &["nginx"]);
        check("setpriv --reuid=1 --clear-groups sh", &["sh"]);
        check("setpriv --reuid 1 sh", &["sh"]);
        check(
            "find . -exec chown redis x ; -execdir rm x +",
            &["chown redis x", "rm x"],
        );
        check("xargs -0 -n 1 rm -f", &["rm -f"]);
        check("xargs", &[]);
        check(
            "start-stop-daemon --start -x /usr/sbin/x -- -d",
            &["/usr/sbin/x -d"],
        );
        check("runuser -u www -- php x", &["php x"]);
        check("su www x.sh", &["/bin/sh x.sh"]);
        check("chroot / ls", &["ls"]);
        check("nice -n 5 ls", &["ls"]);
    }

    #[test]
    fn assignments_are_the_command_s_environment() {
        let found = inner("env", &words("-i A=1 B=2 sh x"), &BTreeMap::new());
        let variables = [("A", "1"), ("B", "2")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(
            found.map(|(found, _)| found),
            Some(vec![Inner::With(variables.to_vec(), words("sh x"))])
        );
    }

    #[test]
    fn unknown_arguments_are_an_unknown_command() {
        for name in [
            "env",
            "find",
            "run-parts",
            "start-stop-daemon",
            "capsh",
            "su",
            "gosu",
            "xargs",
            "foreground",
        ] {
            let arguments = [REST.to_owned()];
            let (found, _) = inner(name, &arguments, &BTreeMap::new()).expect("in the table");
            let open = found.iter().any(|inner| match inner {
                Inner::Command(words) | Inner::With(_, words) => words.iter().any(|word| word == REST),
                Inner::ShellText(text) => text.contains(REST),
                Inner::Folder(folder, _) => folder == REST,
            });
            assert!(open, "{name}: {found:?}");
        }
    }

    #[test]
    fn texts_are_found_in_arguments() {
        let check = |line: &[&str], expected: &str| {
            let arguments: Vec<String> = line.iter().skip(1).map(|&word| word.to_owned()).collect();
            let name = line.first().expect("a line has a name");
            assert_eq!(
                inner(name, &arguments, &BTreeMap::new()).expect("in the table").0,
                vec![Inner::ShellText(expected.to_owned())]
            );
        };
        check(&["su", "-", "www", "-c", "id -u"], "id -u");
        check(&["runuser", "www", "-c", "id"], "id");
        check(&["flock", "/x", "-c", "id"], "id");
        check(&["watch", "-n", "1", "id"], "id");
    }
}
