//! Commands of execline and s6, which execute what follows their own arguments and what their blocks hold.
//!
//! A block is a run of words with a blank before each and an empty word at its end. Names that a command gives
//! values to are put in for `$NAME` and `${NAME}` in what follows; values that come from the running system are
//! holes. As the manuals of execline and s6 tell each command's arguments.

use std::collections::BTreeMap;

use super::{Inner, skip_options};
use crate::delegates::substitute;
use crate::pattern::{ANY, REST};

/// One of a command's own arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// A word.
    Word,
    /// A word that names what gets a value.
    Name,
    /// A block that is executed.
    Commands,
    /// A block of words.
    Words,
    /// A block of words that names what gets values.
    Names,
    /// A block of words each followed by a block that is executed.
    Cases,
}

struct Row {
    names: &'static [&'static str],
    /// Options that take the next word as their value.
    valued: &'static [&'static str],
    parts: &'static [Part],
}

const fn row(names: &'static [&'static str], valued: &'static [&'static str], parts: &'static [Part]) -> Row {
    Row { names, valued, parts }
}

use Part::{Cases, Commands, Name, Names, Word, Words};

const TABLE: &[Row] = &[
    row(&["exec"], &["-a"], &[]),
    row(&["background"], &[], &[Commands]),
    row(&["foreground"], &[], &[Commands]),
    row(
        &["backtick", "forbacktickx"],
        &["-D", "-o", "-x", "-d"],
        &[Name, Commands],
    ),
    row(&["case"], &[], &[Word, Cases]),
    row(&["define"], &["-d"], &[Name, Word]),
    row(&["multidefine"], &["-d"], &[Word, Names]),
    row(&["importas"], &["-D", "-d"], &[Name, Word]),
    row(&["multisubstitute"], &[], &[Names]),
    row(&["export"], &[], &[Word, Word]),
    row(&["elglob"], &[], &[Name, Word]),
    row(&["forx"], &["-o", "-x"], &[Name, Words]),
    row(&["forstdin", "withstdinas"], &["-o", "-x", "-d", "-D"], &[Name]),
    row(&["getcwd", "getpid"], &[], &[Name]),
    row(&["homeof"], &[], &[Word, Word]),
    row(&["heredoc"], &[], &[Word, Word]),
    row(&["redirfd", "fdmove", "fdswap", "piperw"], &[], &[Word, Word]),
    row(
        &[
            "unexport",
            "envfile",
            "fdblock",
            "fdclose",
            "fdreserve",
            "posix-cd",
            "posix-umask",
            "s6-envdir",
            "s6-setuidgid",
            "s6-envuidgid",
            "s6-setlock",
            "s6-ipcserver",
            "s6-ipcclient",
        ],
        &[
            "-l", "-t", "-w", "-c", "-C", "-b", "-G", "-g", "-u", "-U", "-a", "-i", "-x",
        ],
        &[Word],
    ),
    row(&["if"], &["-x"], &[Commands]),
    row(&["ifelse", "ifte"], &["-t"], &[Commands, Commands]),
    row(&["ifthenelse"], &[], &[Commands, Commands, Commands]),
    row(&["pipeline"], &[], &[Commands]),
    row(&["tryexec"], &["-a"], &[Commands]),
    row(&["trap"], &["-t"], &[Cases]),
    row(&["wait"], &["-t"], &[Words]),
    row(
        &[
            "loopwhilex",
            "emptyenv",
            "dollarat",
            "elgetpositionals",
            "runblock",
            "s6-fghack",
            "s6-softlimit",
            "s6-applyuidgid",
            "s6-notifyoncheck",
            "s6-sudo",
            "s6-tcpserver",
            "s6-tcpserver4",
            "with-contenv",
            "s6-svwait",
        ],
        &[
            "-x", "-u", "-g", "-G", "-d", "-c", "-s", "-T", "-n", "-t", "-w", "-a", "-f", "-l", "-m", "-o",
            "-p",
        ],
        &[],
    ),
];

/// Whether `name` is such a command.
pub fn is_command(name: &str) -> bool {
    name == "s6-log" || TABLE.iter().any(|row| row.names.contains(&name))
}

/// What a command of execline or s6 executes; `None` if `name` is no such command.
pub fn inner(
    name: &str,
    arguments: &[String],
    variables: &BTreeMap<String, String>,
) -> Option<(Vec<Inner>, &'static str)> {
    const REASON: &str = "goes on with what follows its own arguments";
    if name == "s6-log" {
        return Some((processors(arguments), "has lines processed"));
    }
    let row = TABLE.iter().find(|row| row.names.contains(&name))?;
    let mut found = Vec::new();
    let mut values: BTreeMap<String, String> = BTreeMap::new();
    let mut rest = skip_options(arguments, row.valued);
    for (index, part) in row.parts.iter().enumerate() {
        match part {
            Word | Name => {
                let (Some(word), more) = (rest.first(), rest.get(1..).unwrap_or_default()) else {
                    return Some((found, REASON));
                };
                if word == REST {
                    break;
                }
                if *part == Name && !(name == "withstdinas" && index > 0) {
                    let value = given(name, arguments, more, variables);
                    values.insert(word.clone(), value);
                }
                rest = more;
            }
            Commands => {
                let (block, more) = block(rest);
                found.extend(command(&block));
                rest = more;
            }
            Words => rest = block(rest).1,
            Names => {
                let (block, more) = block(rest);
                values.extend(
                    block
                        .into_iter()
                        .map(|name| (name.trim().to_owned(), ANY.to_string())),
                );
                rest = more;
            }
            Cases => {
                let (cases, more) = block(rest);
                found.extend(case_commands(&cases));
                rest = more;
            }
        }
    }
    let rest: Vec<String> = rest.iter().map(|word| substitute(word, &values)).collect();
    let exported = skip_options(arguments, row.valued)
        .get(..2)
        .filter(|_| name == "export");
    found.extend(command(&rest).map(|inner| match (inner, exported) {
        (Inner::Command(words), Some([variable, value])) => {
            Inner::With(vec![(variable.clone(), value.clone())], words)
        }
        (inner, _) => inner,
    }));
    Some((found, REASON))
}

/// What a name gets: what the command says, or what the environment holds, or what nobody knows.
fn given(name: &str, arguments: &[String], more: &[String], variables: &BTreeMap<String, String>) -> String {
    let word = more.first();
    match name {
        "define" => word.cloned(),
        "importas" => {
            let default = arguments.iter().position(|argument| argument == "-D");
            let default = default.and_then(|at| arguments.get(at + 1));
            word.and_then(|variable| variables.get(variable))
                .or(default)
                .cloned()
        }
        _ => None,
    }
    .unwrap_or_else(|| ANY.to_string())
}

/// A block's words, one blank taken off each, and what follows it.
fn block(arguments: &[String]) -> (Vec<String>, &[String]) {
    let end = arguments.iter().position(|word| !word.starts_with(' '));
    let end = end.unwrap_or(arguments.len());
    let words = arguments.iter().take(end);
    let words = words.map(|word| word.strip_prefix(' ').unwrap_or(word).to_owned());
    let after = match arguments.get(end) {
        Some(word) if word.is_empty() => end + 1,
        _ => end,
    };
    (words.collect(), arguments.get(after..).unwrap_or_default())
}

/// The blocks that follow the words of a block.
fn case_commands(cases: &[String]) -> Vec<Inner> {
    let mut found = Vec::new();
    let mut rest = cases;
    while let Some((first, more)) = rest.split_first() {
        if first.starts_with(' ') {
            let (words, after) = block(rest);
            found.extend(command(&words));
            rest = after;
        } else {
            rest = more;
        }
    }
    found
}

fn command(words: &[String]) -> Option<Inner> {
    let first = words.first()?;
    (!first.is_empty()).then(|| Inner::Command(words.to_vec()))
}

/// `!processor` among the directives of a logger.
fn processors(arguments: &[String]) -> Vec<Inner> {
    let directives = arguments.iter().filter_map(|word| word.strip_prefix('!'));
    directives
        .filter(|text| !text.is_empty())
        .map(|text| Inner::ShellText(text.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &[&str], expected: &[&[&str]]) {
        let words: Vec<String> = line.iter().skip(1).map(|&word| word.to_owned()).collect();
        let variables = BTreeMap::from([("HOME".to_owned(), "/root".to_owned())]);
        let expected: Vec<Inner> = expected
            .iter()
            .map(|words| Inner::Command(words.iter().map(|&word| word.to_owned()).collect()))
            .collect();
        let found = inner(line.first().copied().unwrap_or_default(), &words, &variables);
        assert_eq!(found.map(|(found, _)| found), Some(expected), "{line:?}");
    }

    #[test]
    fn blocks_and_the_rest_are_commands() {
        check(
            &["foreground", " echo", " a", "", "b", "c"],
            &[&["echo", "a"], &["b", "c"]],
        );
        check(
            &["ifelse", " a", "", " b", " c", "", "d"],
            &[&["a"], &["b", "c"], &["d"]],
        );
        check(
            &["case", "x", " y", "  a", "  b", " ", "", "d"],
            &[&["a", "b"], &["d"]],
        );
        check(&["wait", " 1", "", "d"], &[&["d"]]);
        check(&["foreground", "  foreground"], &[&[" foreground"]]);
    }

    #[test]
    fn an_exported_variable_is_in_the_environment() {
        let words: Vec<String> = ["PATH", "/x", "run"]
            .iter()
            .map(|&word| word.to_owned())
            .collect();
        let found = inner("export", &words, &BTreeMap::new());
        let variables = vec![("PATH".to_owned(), "/x".to_owned())];
        let expected = vec![Inner::With(variables, vec!["run".to_owned()])];
        assert_eq!(found.map(|(found, _)| found), Some(expected));
    }

    #[test]
    fn values_are_put_in() {
        check(
            &["define", "X", "y", "run", "$X", "${X}z"],
            &[&["run", "y", "yz"]],
        );
        check(
            &["importas", "-D", "d", "X", "HOME", "run", "$X"],
            &[&["run", "/root"]],
        );
        check(
            &["importas", "-D", "d", "X", "NONE", "run", "$X"],
            &[&["run", "d"]],
        );
        let hole = format!("{ANY}");
        check(
            &["backtick", "X", " a", "", "run", "$X"],
            &[&["a"], &["run", &hole]],
        );
    }
}
