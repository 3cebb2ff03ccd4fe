//! Programs of awk: what they have a shell execute.
//!
//! awk executes by `system(COMMAND)` and by pipes: `COMMAND | getline`, `print | COMMAND` (POSIX, "awk"; gawk adds `|&`).
//! Where the command is a string that stands there, it is one; anything else stays open. A bar between slashes that
//! begin where no operand ends is a regular expression's. Over-reports: slashes behind a parenthesis count as
//! divisions, so that a bar in such a regular expression stays open.

use confine_image::{Files, paths};

use crate::discovery::MAX_SCRIPT;
use crate::pattern::is_open;

/// What a program of awk executes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Executes {
    /// A text for a shell.
    Text(String),
    /// Something that is not known, and why.
    Open(String),
}

/// Whether a program of that name is awk.
pub fn is_awk(name: &str) -> bool {
    ["awk", "gawk", "mawk", "nawk", "original-awk"].contains(&name)
}

/// What awk executes when it is called with these arguments.
pub fn executes(files: &dyn Files, arguments: &[String], workdir: &str) -> Vec<Executes> {
    let mut found = Vec::new();
    let mut text = None;
    let mut named = false;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let file = match argument.as_str() {
            "-f" | "--file" | "-E" | "--exec" | "-i" | "--include" => rest.next().cloned(),
            "-v" | "-F" | "--assign" | "--field-separator" | "-W" => {
                rest.next();
                continue;
            }
            "-e" | "--source" => {
                named = true;
                found.extend(rest.next().map_or_else(Vec::new, |text| program(text)));
                continue;
            }
            "--" => {
                text = rest.next();
                break;
            }
            other => {
                let joined = other.strip_prefix("--file=").or_else(|| other.strip_prefix("-f"));
                if joined.is_none() && (!other.starts_with('-') || other == "-") {
                    text = Some(argument);
                    break;
                }
                match joined {
                    Some(file) => Some(file.to_owned()),
                    None => continue,
                }
            }
        };
        named = true;
        found.extend(file.map_or_else(Vec::new, |file| program_file(files, &file, workdir)));
    }
    if let Some(text) = text.filter(|_| !named) {
        found.extend(program(text));
    }
    found
}

fn program_file(files: &dyn Files, file: &str, workdir: &str) -> Vec<Executes> {
    let path = paths::absolute(file, workdir);
    match files.read(&path) {
        Ok(bytes) if bytes.len() <= MAX_SCRIPT && !is_open(file) => program(&String::from_utf8_lossy(&bytes)),
        _ => vec![Executes::Open(format!(
            "a program of awk that is not known: {file}"
        ))],
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Text(String),
    Word(String),
    Sign(char),
    Pipe,
}

fn program(text: &str) -> Vec<Executes> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let at = |offset: usize| tokens.get(index + offset);
        match token {
            Token::Word(word) if word == "system" => match (at(1), at(2), at(3)) {
                (Some(Token::Sign('(')), Some(Token::Text(command)), Some(Token::Sign(')'))) => {
                    found.push(Executes::Text(command.clone()));
                }
                _ => found.push(Executes::Open(
                    "system of a text that awk puts together".to_owned(),
                )),
            },
            Token::Pipe => {
                let reads = matches!(at(1), Some(Token::Word(word)) if word == "getline");
                let command = match reads {
                    true => index.checked_sub(1).and_then(|before| tokens.get(before)),
                    false => at(1),
                };
                // What goes on behind or before the string belongs to the command.
                let alone = match reads {
                    true => !matches!(
                        index.checked_sub(2).and_then(|before| tokens.get(before)),
                        Some(Token::Text(_) | Token::Word(_) | Token::Sign(')' | '$'))
                    ),
                    false => !matches!(
                        at(2),
                        Some(Token::Text(_) | Token::Word(_) | Token::Sign('(' | '$'))
                    ),
                };
                match command {
                    Some(Token::Text(command)) if alone => found.push(Executes::Text(command.clone())),
                    _ => found.push(Executes::Open(
                        "a pipe with a text that awk puts together".to_owned(),
                    )),
                }
            }
            _ => {}
        }
    }
    if is_open(text) {
        found.push(Executes::Open(
            "a program of awk that is not known as a whole".to_owned(),
        ));
    }
    found
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut characters = text.chars().peekable();
    // Each turn takes a character at least.
    while let Some(character) = characters.next() {
        let after_operand = matches!(
            tokens.last(),
            Some(Token::Text(_) | Token::Word(_) | Token::Sign(')' | ']' | '$'))
        );
        match character {
            '"' => tokens.push(Token::Text(quoted(&mut characters, '"'))),
            '/' if !after_operand => {
                quoted(&mut characters, '/');
                tokens.push(Token::Word(String::new()));
            }
            '#' => while characters.next_if(|&character| character != '\n').is_some() {},
            '|' if characters.next_if_eq(&'|').is_some() => tokens.push(Token::Sign('|')),
            '|' => {
                characters.next_if_eq(&'&');
                tokens.push(Token::Pipe);
            }
            '\n' | ';' => tokens.push(Token::Sign(';')),
            _ if character.is_whitespace() => {}
            _ if character.is_alphanumeric() || character == '_' => {
                let mut word = String::from(character);
                while let Some(more) =
                    characters.next_if(|&character| character.is_alphanumeric() || character == '_')
                {
                    word.push(more);
                }
                tokens.push(Token::Word(word));
            }
            other => tokens.push(Token::Sign(other)),
        }
    }
    tokens
}

/// What stands up to a delimiter, escapes taken off.
fn quoted(characters: &mut impl Iterator<Item = char>, end: char) -> String {
    let mut text = String::new();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                other => text.extend(other),
            },
            _ if character == end => break,
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Executes, program};

    #[test]
    fn commands_are_strings_or_open() {
        let check = |text: &str, expected: &[&str]| {
            let found: Vec<String> = program(text)
                .into_iter()
                .map(|one| match one {
                    Executes::Text(text) => text,
                    Executes::Open(_) => "?".to_owned(),
                })
                .collect();
            assert_eq!(found, expected, "{text}");
        };
        check("{ print $1 }", &[]);
        check("/a|b/ { print }  $1 ~ /c|d/", &[]);
        check("a || b { x = 1 / 2 }", &[]);
        check("BEGIN { system(\"date +%s\") }", &["date +%s"]);
        check("{ system(\"rm \" $1) }", &["?"]);
        check(
            "{ \"date\" | getline now; print | \"sort -n\" }",
            &["date", "sort -n"],
        );
        check("{ cmd | getline; print |& cmd }", &["?", "?"]);
        check("{ (\"a\" x) | getline; print | \"b\" x }", &["?", "?"]);
        check("# system(\"x\")\n{ y = \"a | b\" }", &[]);
        check("x { print a / b | \"c / d\" }", &["c / d"]);
    }
}
