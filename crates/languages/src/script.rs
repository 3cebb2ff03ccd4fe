//! What calls execute in the scripting languages with C's or the shell's look.
//!
//! Misses: functions that are fetched by a text.

mod candidates;
mod constants;
mod scanner;

pub use candidates::Candidates;
pub use constants::{Constants, statement};
pub use scanner::{Grammar, tokens};

use crate::tokens::{Kind, Token, list};
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
    constants: &Constants<'_>,
    interpreter: &str,
) {
    for (index, token) in tokens.iter().enumerate() {
        if let Kind::Shell(text) = &token.kind {
            walk.command(vec![text.clone()], true, &source.path, token.line);
            continue;
        }
        let Some(word) = token.word() else { continue };
        let Some(function) = function(tokens, index, word, functions, constants.dot_joins()) else {
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
        let expressions = Expressions {
            constants,
            interpreter,
        };
        for (words, shell) in expressions.commands(function.shape, &arguments) {
            walk.command(words, shell, &source.path, token.line);
        }
    }
}

fn function<'f>(
    tokens: &[Token],
    index: usize,
    word: &str,
    functions: &'f [Function],
    dot_joins: bool,
) -> Option<&'f Function> {
    let before = |back: usize| index.checked_sub(back).and_then(|at| tokens.get(at));
    let is_behind = |mark: char, other: char| {
        before(1).is_some_and(|before| before.is(mark)) && before(2).is_some_and(|before| before.is(other))
    };
    // A value of a table (`=>`, `:`) and the last part of a text that is joined are none.
    let is_member = before(1).is_some_and(|mark| mark.is('.') && !dot_joins)
        || is_behind('>', '-')
        || is_behind('>', '?')
        || is_behind(':', ':')
        || is_behind('.', '?')
        || is_behind('.', '&');
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

/// The arguments of a call that are not in brackets.
pub fn without_brackets(tokens: &[Token], from: usize) -> Vec<Vec<&Token>> {
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

/// What arguments that are words, or one text for a shell, execute.
pub fn words_or_shell(
    constants: &Constants<'_>,
    arguments: &[Vec<&Token>],
    interpreter: &str,
) -> Vec<(Vec<String>, bool)> {
    let expressions = Expressions {
        constants,
        interpreter,
    };
    expressions.commands(Shape::ShellOrWords, arguments)
}

/// What the arguments of calls come to.
struct Expressions<'c> {
    constants: &'c Constants<'c>,
    /// What a source names that starts its own interpreter.
    interpreter: &'c str,
}

impl Expressions<'_> {
    fn commands(&self, shape: Shape, arguments: &[Vec<&Token>]) -> Vec<(Vec<String>, bool)> {
        let arguments: Vec<&[&Token]> = match shape {
            Shape::ShellOrWords => arguments
                .iter()
                .skip_while(|argument| argument.first().is_some_and(|first| first.is('{')))
                .map(Vec::as_slice)
                .collect(),
            _ => arguments.iter().map(Vec::as_slice).collect(),
        };
        let Some(first) = arguments.first() else {
            return vec![(Vec::new(), false)];
        };
        let texts = || self.texts(first).into_iter();
        match shape {
            Shape::Shell => texts().map(|text| (vec![text], true)).collect(),
            Shape::ListOrShell => {
                let lists = self.lists(first);
                // A name may be given lists and texts.
                let is_list = lists.len() == 1 && first.len() > 1;
                let texts = texts().filter(|_| !is_list).map(|text| (vec![text], true));
                lists.into_iter().map(|list| (list, false)).chain(texts).collect()
            }
            Shape::ProgramAndList => {
                let lists = arguments.get(1).map(|second| self.lists(second));
                let rest = match lists.as_deref() {
                    Some([one]) => one.clone(),
                    _ => vec![MORE.to_owned()],
                };
                let command = |name: String| std::iter::once(name).chain(rest.iter().cloned()).collect();
                texts().map(|name| (command(name), false)).collect()
            }
            Shape::ShellOrWords => {
                // Options follow the words as names with values.
                let plain = arguments.iter().take_while(|argument| {
                    !argument
                        .iter()
                        .skip(1)
                        .any(|token| token.is(':') || token.is('>'))
                });
                let plain: Vec<&&[&Token]> = plain.collect();
                let shell = plain.len() < 2;
                let rest: Vec<String> = plain.iter().skip(1).map(|argument| self.one(argument)).collect();
                let command = |name: String| std::iter::once(name).chain(rest.iter().cloned()).collect();
                let lists = self.lists(first).into_iter();
                let lists = lists.map(|list| (list.into_iter().chain(rest.iter().cloned()).collect(), false));
                match plain.is_empty() {
                    true => vec![(vec![HOLE.to_string()], true)],
                    false => lists.chain(texts().map(|name| (command(name), shell))).collect(),
                }
            }
        }
    }

    /// What an expression comes to if that is no list whose elements are taken one by one, and not the interpreter.
    fn special(&self, expression: &[&Token]) -> Option<String> {
        let own = expression
            .iter()
            .any(|token| token.is_word("execPath") || token.is_word("PHP_BINARY"));
        if own {
            return Some(self.interpreter.to_owned());
        }
        let spread = expression.first().is_some_and(|first| {
            let is_list = first.word().is_some_and(|word| word.starts_with('@'));
            is_list || first.is('*') || first.is('.') || first.is('@')
        });
        spread.then(|| MORE.to_owned())
    }

    /// The texts that an expression may come to, unknown parts as holes.
    fn texts(&self, expression: &[&Token]) -> Vec<String> {
        match self.special(expression) {
            Some(text) => vec![text],
            None => self.constants.texts(expression),
        }
    }

    fn one(&self, expression: &[&Token]) -> String {
        self.special(expression)
            .unwrap_or_else(|| self.constants.one(expression))
    }

    /// The words of the lists that an expression may be; more may follow where a name is given them.
    fn lists(&self, expression: &[&Token]) -> Vec<Vec<String>> {
        let lists = self.constants.lists(expression).into_iter();
        lists
            .map(|(list, whole)| {
                let words = list.iter().map(|part| self.one(part));
                let more = (!whole).then(|| MORE.to_owned());
                words.chain(more).collect()
            })
            .collect()
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
        dot_joins: false,
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
        let tokens = tokens(&GRAMMAR, text.as_bytes());
        let constants = Constants::of(&GRAMMAR, &source.path, &tokens);
        executions(&mut walk, &source, &tokens, FUNCTIONS, &constants, "/bin/self");
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
    fn names_that_are_given_commands() {
        check("x = 'a b'\nsystem(x)", &["$ a b", "?"]);
        check("TOOL = 'a'\nspawn(TOOL, ['b'])", &["a b"]);
        check("words = ['b', c]\nspawn('a', words)", &["a b _ …"]);
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
