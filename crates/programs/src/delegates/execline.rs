//! Scripts of execline: one command line, in which commands take commands as their arguments.
//!
//! The syntax as execline's manual, "The execlineb program and the execline language syntax", tells it: words,
//! strings in double quotes, blocks in braces. A block reaches the command that it belongs to as words with a
//! blank before each, and an empty word that ends it; [`rest`](super::super::wrappers) and this file read that
//! form, so that a command of execline that is called from anywhere else is followed as well.

use std::collections::BTreeMap;

use super::words;
use super::{Call, Reader, from_workdir};
use crate::pattern::{self, ANY};

/// How deeply blocks may nest.
const MAX_DEPTH: usize = 64;

/// execlineb: the command line of its script.
pub fn script(call: &Call<'_>, reader: &mut Reader<'_>) {
    let mut rest = call.arguments;
    let mut text = None;
    while let Some((first, more)) = rest.split_first() {
        let Some(letters) = first.strip_prefix('-') else {
            break;
        };
        rest = more;
        if letters == "-" {
            break;
        }
        if let Some(at) = letters.find(['c', 's', 'S']) {
            let joined = letters.get(at + 1..).unwrap_or_default();
            let value = match joined.is_empty() {
                true => {
                    let value = more.first().cloned();
                    rest = more.get(1..).unwrap_or_default();
                    value
                }
                false => Some(joined.to_owned()),
            };
            if letters.get(at..).is_some_and(|rest| rest.starts_with('c')) {
                text = value;
            }
        }
    }
    let (text, name) = match text {
        Some(text) => (Some(text), None),
        None => {
            let Some((path, more)) = rest.split_first() else {
                return;
            };
            rest = more;
            if pattern::is_open(path) {
                reader.open("a script of execline that is not known".to_owned());
                return;
            }
            let path = from_workdir(call, path);
            (reader.named_text(&path), Some(path))
        }
    };
    let Some(text) = text else { return };
    match &name {
        Some(path) => reader.at(path, 1),
        None => reader.line = None,
    }
    let Some(argv) = parse(&text) else {
        reader.open("a script of execline that cannot be parsed".to_owned());
        return;
    };
    let mut values = BTreeMap::from([("0".to_owned(), name.unwrap_or_else(|| "execlineb".to_owned()))]);
    for (index, word) in (1..).zip(rest) {
        values.insert(format!("{index}"), word.clone());
    }
    values.insert("#".to_owned(), rest.len().to_string());
    let words = argv.into_iter().flat_map(|word| {
        if word.trim_start_matches(' ') == "$@" || word.trim_start_matches(' ') == "${@}" {
            let depth = word.len() - word.trim_start_matches(' ').len();
            let blanks = " ".repeat(depth);
            return rest.iter().map(|word| format!("{blanks}{word}")).collect();
        }
        vec![substitute(&word, &values)]
    });
    reader.command(words.collect());
}

/// Replaces `$NAME` and `${NAME}` where the name is among `values`.
pub fn substitute(word: &str, values: &BTreeMap<String, String>) -> String {
    words::filled(word, '$', |after| {
        let (name, more) = words::bracketed(after, b'{', b'}').or_else(|| {
            let end = after.find(|character: char| {
                !(character.is_ascii_alphanumeric() || character == '_' || character == '#')
            });
            after.split_at_checked(end.unwrap_or(after.len()))
        })?;
        Some((values.get(name)?.into(), more))
    })
}

/// A script as the words of one command line, blocks as commands receive them; `None` if it is not well formed.
pub fn parse(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut depth = 0_usize;
    let mut characters = text.chars().peekable();
    while let Some(&character) = characters.peek() {
        match character {
            _ if character.is_whitespace() => {
                characters.next();
            }
            '#' => while characters.next_if(|&character| character != '\n').is_some() {},
            _ => {
                let (word, quoted) = word(&mut characters)?;
                match (word.as_str(), quoted) {
                    ("{", false) => {
                        depth += 1;
                        if depth > MAX_DEPTH {
                            return None;
                        }
                    }
                    ("}", false) => {
                        depth = depth.checked_sub(1)?;
                        words.push(" ".repeat(depth));
                    }
                    _ => words.push(format!("{}{word}", " ".repeat(depth))),
                }
            }
        }
    }
    (depth == 0).then_some(words)
}

/// One word, and whether any of it was quoted.
fn word(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<(String, bool)> {
    let mut word = String::new();
    let (mut quoted, mut open) = (false, false);
    loop {
        let Some(&character) = characters.peek() else {
            return (!open).then_some((word, quoted));
        };
        if !open && character.is_whitespace() {
            return Some((word, quoted));
        }
        characters.next();
        match character {
            '"' => {
                open = !open;
                quoted = true;
            }
            '\\' => {
                quoted = true;
                match characters.next()? {
                    '\n' if open => {}
                    'n' if open => word.push('\n'),
                    't' if open => word.push('\t'),
                    // A character by its number.
                    digit if open && digit.is_ascii_digit() => word.push(ANY),
                    other => word.push(other),
                }
            }
            other => word.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_become_words_with_blanks() {
        let check = |text: &str, expected: Option<&[&str]>| {
            let expected =
                expected.map(|words| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
            assert_eq!(parse(text), expected, "{text}");
        };
        check("a b", Some(&["a", "b"]));
        check(
            "#!/bin/execlineb -P\nforeground { echo \"a b\" # no\n { c } } d",
            Some(&["foreground", " echo", " a b", "  c", " ", "", "d"]),
        );
        check("a \"{\" \\}", Some(&["a", "{", "}"]));
        check("{", None);
        check("}", None);
        check("\"", None);
    }

    #[test]
    fn names_are_replaced_where_they_are_known() {
        let values = BTreeMap::from([("A".to_owned(), "b".to_owned())]);
        for (word, expected) in [("$A", "b"), ("x${A}y", "xby"), ("$AA", "$AA"), ("${B}$", "${B}$")] {
            assert_eq!(substitute(word, &values), expected);
        }
    }
}
