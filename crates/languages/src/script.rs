//! What calls execute in the scripting languages with C's or the shell's look.
//!
//! Misses: functions that are fetched by a text.

mod scanner;

pub use scanner::{Grammar, tokens};

use crate::tokens::{Kind, Token, Values, list, whole_list};
use crate::walk::{Source, Walk};
use crate::{HOLE, MORE};

/// How many tokens a call without brackets is looked at for.
const MOST_TOKENS: usize = 256;

/// Where a function has its command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The first argument is a text for a shell.
    Shell,
    /// One argument is a text for a shell, several are words; what begins as a table of variables is skipped.
    ShellOrWords,
    /// A program, and perhaps a list of its arguments.
    ProgramAndList,
    /// One list of words, or a text for a shell.
    ListOrShell,
}

/// A function that executes.
pub struct Function {
    pub name: &'static str,
    pub shape: Shape,
    /// Names of what it may be called on: none at all, or one of these.
    pub of: &'static [&'static str],
}

/// Follows everything that a source executes.
pub fn executions(
    walk: &mut Walk<'_>,
    source: &Source,
    tokens: &[Token],
    functions: &[Function],
    interpreter: &str,
) {
    for (index, token) in tokens.iter().enumerate() {
        if let Kind::Shell(text) = &token.kind {
            walk.command(vec![text.clone()], true, &source.path, token.line);
            continue;
        }
        let Some(word) = token.word() else { continue };
        let Some(function) = function(tokens, index, word, functions) else {
            continue;
        };
        let arguments = match tokens.get(index + 1) {
            Some(next) if next.is('(') => list(tokens, index + 1).0,
            // What a function makes of it is called at once: promisify(execFile)('program').
            Some(next) if next.is(')') && tokens.get(index + 2).is_some_and(|next| next.is('(')) => {
                list(tokens, index + 2).0
            }
            Some(next) if next.text().is_some() => without_brackets(tokens, index + 1),
            _ => {
                if !is_bound(tokens, index) {
                    walk.open_command(&source.path, token.line);
                }
                continue;
            }
        };
        for (words, shell) in commands(function.shape, &arguments, interpreter) {
            walk.command(words, shell, &source.path, token.line);
        }
    }
}

fn function<'f>(
    tokens: &[Token],
    index: usize,
    word: &str,
    functions: &'f [Function],
) -> Option<&'f Function> {
    let before = |back: usize| index.checked_sub(back).and_then(|at| tokens.get(at));
    let is_member = before(1).is_some_and(|mark| mark.is('.') || mark.is('>') || mark.is(':'));
    let defines =
        before(1).is_some_and(|word| word.is_word("def") || word.is_word("function") || word.is_word("sub"));
    let of = || {
        // NAME.f, NAME::f, NAME->f
        (2..=3).filter_map(before).find_map(Token::word)
    };
    functions.iter().filter(|_| !defines).find(|function| {
        function.name == word
            && match is_member {
                false => true,
                true => function.of.contains(&"") || of().is_some_and(|of| function.of.contains(&of)),
            }
    })
}

/// Whether a name stands where it is only made known: in an import or a pattern that takes it apart.
fn is_bound(tokens: &[Token], index: usize) -> bool {
    let near = |token: &&Token| !matches!(token.kind, Kind::Mark(';'));
    let after = tokens
        .get(index..)
        .unwrap_or_default()
        .iter()
        .take(48)
        .take_while(near);
    let mut opened = 0_usize;
    for token in after {
        match &token.kind {
            Kind::Mark('{') => opened += 1,
            Kind::Mark('}') if opened == 0 => return true,
            Kind::Mark('}') => opened -= 1,
            Kind::Mark('(') | Kind::Mark(')') => return false,
            _ => {}
        }
    }
    false
}

fn without_brackets(tokens: &[Token], from: usize) -> Vec<Vec<&Token>> {
    let mut parts = vec![Vec::new()];
    let mut depth = 0_usize;
    for token in tokens.get(from..).unwrap_or_default().iter().take(MOST_TOKENS) {
        match token.kind {
            Kind::Break | Kind::Mark(';' | '}') if depth == 0 => break,
            Kind::Mark(')' | ']') if depth == 0 => break,
            Kind::Mark('(' | '[' | '{') => depth += 1,
            Kind::Mark(')' | ']' | '}') => depth -= 1,
            Kind::Mark(',') if depth == 0 => {
                parts.push(Vec::new());
                continue;
            }
            Kind::Break => continue,
            _ if depth == 0
                && ["do", "if", "unless", "or", "and", "rescue"]
                    .iter()
                    .any(|word| token.is_word(word)) =>
            {
                break;
            }
            _ => {}
        }
        if let Some(last) = parts.last_mut() {
            last.push(token);
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

fn commands(shape: Shape, arguments: &[Vec<&Token>], interpreter: &str) -> Vec<(Vec<String>, bool)> {
    let arguments: Vec<&Vec<&Token>> = match shape {
        Shape::ShellOrWords => arguments
            .iter()
            .skip_while(|argument| argument.first().is_some_and(|first| first.is('{')))
            .collect(),
        _ => arguments.iter().collect(),
    };
    let Some(first) = arguments.first() else {
        return vec![(Vec::new(), false)];
    };
    let one = |argument: &[&Token]| text(argument, interpreter);
    let words = |list: &[Vec<&Token>]| -> Vec<String> { list.iter().map(|part| one(part)).collect() };
    let found = match shape {
        Shape::Shell => (vec![one(first)], true),
        Shape::ListOrShell => match whole_list(first) {
            Some(list) => (words(&list), false),
            None => (vec![one(first)], true),
        },
        Shape::ProgramAndList => {
            let mut command = vec![one(first)];
            match arguments.get(1).and_then(|second| whole_list(second)) {
                Some(list) => command.extend(words(&list)),
                None => command.push(MORE.to_owned()),
            }
            (command, false)
        }
        Shape::ShellOrWords => {
            // Options follow the words as names with values.
            let plain = arguments.iter().take_while(|argument| {
                !argument
                    .iter()
                    .skip(1)
                    .any(|token| token.is(':') || token.is('>'))
            });
            let command: Vec<String> = plain.map(|argument| one(argument)).collect();
            let shell = command.len() < 2;
            (
                if command.is_empty() {
                    vec![HOLE.to_string()]
                } else {
                    command
                },
                shell,
            )
        }
    };
    vec![found]
}

/// What an expression comes to, unknown parts as holes.
fn text(expression: &[&Token], interpreter: &str) -> String {
    let own = expression
        .iter()
        .any(|token| token.is_word("execPath") || token.is_word("PHP_BINARY"));
    if own {
        return interpreter.to_owned();
    }
    // A list whose elements are taken one by one.
    if expression
        .first()
        .is_some_and(|first| first.is('*') || first.is('.') || first.is('@'))
    {
        return MORE.to_owned();
    }
    let mut texts = Values::default().evaluate(expression);
    match texts.len() {
        1 => texts.remove(0),
        _ => HOLE.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRAMMAR: Grammar = Grammar {
        line_comments: &["#"],
        block_comments: true,
        interpolation: "#{",
        backticks_execute: true,
        more_letters: "$",
    };

    const FUNCTIONS: &[Function] = &[
        Function {
            name: "system",
            shape: Shape::ShellOrWords,
            of: &["Kernel"],
        },
        Function {
            name: "spawn",
            shape: Shape::ProgramAndList,
            of: &[""],
        },
    ];

    fn check(text: &str, expected: &[&str]) {
        let files = confine_image::MemoryFiles::new();
        let mut walk = Walk::new(&files);
        let source = Source {
            path: "/x".to_owned(),
            text: Vec::new(),
        };
        executions(
            &mut walk,
            &source,
            &tokens(&GRAMMAR, text.as_bytes()),
            FUNCTIONS,
            "/bin/self",
        );
        let open = walk.reached.assumptions.len();
        let mut found: Vec<String> = walk
            .reached
            .commands
            .iter()
            .map(|command| {
                let words = command.words.join(" ").replace(HOLE, "_").replace(MORE, "…");
                format!("{}{words}", if command.shell { "$ " } else { "" })
            })
            .collect();
        found.extend(std::iter::repeat_n("?".to_owned(), open));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn calls_with_and_without_brackets() {
        check("system('a b')", &["$ a b"]);
        check("system 'a', \"b#{c}\", x if d", &["a b_ _"]);
        check("Kernel.system({ 'A' => '1' }, 'a', 'b')", &["a b"]);
        check("thing.system('a')", &[]);
        check("def system(x)\nend", &[]);
        check("x = `a #{b} c`", &["$ a _ c"]);
        check(
            "p.spawn('a', ['b', c])\nspawn('d', args)\nspawn(process.execPath, ['e'])",
            &["/bin/self e", "a b _", "d …"],
        );
        check("wrap(spawn)('a', [])", &["a"]);
        check("const { spawn } = child", &[]);
        check("run = spawn;", &["?"]);
        check("spawn(x)", &["?"]);
    }

    #[test]
    fn what_is_no_code_does_not_hide_what_is() {
        check("# system('a')\nsystem('b')", &["$ b"]);
        check("/* system('a')\n*/ system('b')", &["$ b"]);
        check("x = /'/\nsystem('b')", &["$ b"]);
        check("text = 'over\nlines'\nsystem('b')", &["$ b"]);
        check("/* no end\nsystem('b')", &["$ b"]);
        check("\"a # b\"; system('c')", &["$ c"]);
    }

    #[test]
    fn expressions_within_texts_end_with_their_brace() {
        check("system(\"a #{b} c\")", &["$ a _ c"]);
        check("system(\"a #{b({c}, {})}#{d} e\")", &["$ a _ e"]);
        check("system(\"a #{b'}\"); system('c')", &["$ a _", "$ c"]);
        check("x \"a#{b\"; system('c')", &["$ c"]);
        check("x \"a#{{b}\"; system('c')", &["$ c"]);
    }
}
