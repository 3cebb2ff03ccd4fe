//! What a source of Python executes: the functions that start programs, and what their arguments come to.
//!
//! Misses: functions that are fetched by a text (`getattr(os, name)`); what a mention of such a function without a call
//! hands on is an open command.

use super::dynamic::meanings;
use super::executors::{self, METHODS, Shape};
use super::imports::{Imports, dotted};
use super::statements::{changed, statement};
use crate::tokens::{Kind, Token, Values, list, whole_list};
use crate::{HOLE, MORE};

/// What a call executes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// Nothing: not known at all.
    pub words: Vec<String>,
    pub shell: bool,
    pub line: usize,
}

/// One source, to ask what its expressions come to.
pub struct Expressions<'t> {
    tokens: &'t [Token],
    imports: &'t Imports,
    values: Values,
    /// The lists that names are given.
    lists: Vec<(String, Vec<Token>)>,
    /// The source's own path.
    file: &'t str,
    interpreter: &'t str,
}

/// How deep functions of paths are evaluated within each other.
const DEEPEST: usize = 4;

/// How many lists that names are given are kept of one source.
const MOST_LISTS: usize = 1024;

impl<'t> Expressions<'t> {
    /// Collects what the source gives to names.
    pub fn new(tokens: &'t [Token], imports: &'t Imports, file: &'t str, interpreter: &'t str) -> Self {
        let mut this = Self {
            tokens,
            imports,
            values: Values::default(),
            lists: Vec::new(),
            file,
            interpreter,
        };
        for name in changed(tokens) {
            this.values.set(name, HOLE.to_string());
        }
        for (index, token) in tokens.iter().enumerate() {
            let Some(name) = token.word() else { continue };
            let assigns = tokens.get(index + 1).is_some_and(|next| next.is('='))
                && !tokens.get(index + 2).is_some_and(|next| next.is('='));
            if !assigns {
                continue;
            }
            let expression = statement(tokens, index + 2);
            if expression.first().is_some_and(|first| first.is('[')) {
                if this.lists.len() < MOST_LISTS {
                    let expression = expression.into_iter().cloned().collect();
                    this.lists.push((name.to_owned(), expression));
                }
            } else {
                for value in this.texts(&expression) {
                    this.values.set(name, value);
                }
            }
        }
        this
    }

    /// The texts that an expression may come to, with holes.
    pub fn texts(&self, expression: &[&Token]) -> Vec<String> {
        self.texts_within(expression, DEEPEST)
    }

    fn texts_within(&self, expression: &[&Token], depth: usize) -> Vec<String> {
        let folded = self.fold(expression, depth);
        self.values.evaluate(&folded.iter().collect::<Vec<_>>())
    }

    /// Replaces names, calls of functions of paths and formatted texts by what they come to.
    fn fold(&self, expression: &[&Token], depth: usize) -> Vec<Token> {
        let owned: Vec<Token> = expression.iter().map(|token| (*token).clone()).collect();
        let mut folded = Vec::new();
        let mut at = 0;
        // Bounded: each turn moves on.
        while let Some(token) = owned.get(at) {
            let line = token.line;
            match &token.kind {
                Kind::Word(_) => {
                    let (name, after) = dotted(&owned, at);
                    let after = after.max(at + 1);
                    let calls = owned.get(after).is_some_and(|next| next.is('('));
                    if calls && depth > 0 {
                        let (arguments, end) = list(&owned, after);
                        let text = self.function(&name, &arguments, depth - 1);
                        folded.push(Token {
                            kind: Kind::Text(text),
                            line,
                        });
                        at = end + 1;
                    } else {
                        folded.push(Token {
                            kind: self.name(&name),
                            line,
                        });
                        at = after;
                    }
                }
                Kind::Text(text) => {
                    let formats = owned.get(at + 1).is_some_and(|next| next.is('%'))
                        || (owned.get(at + 1).is_some_and(|next| next.is('.'))
                            && owned.get(at + 2).is_some_and(|next| next.is_word("format")));
                    let method = owned.get(at + 1).is_some_and(|next| next.is('.'));
                    let kind = match (formats, method) {
                        (true, _) => Kind::Text(formatted(text)),
                        (false, true) => Kind::Text(HOLE.to_string()),
                        (false, false) => token.kind.clone(),
                    };
                    folded.push(Token { kind, line });
                    if formats || method {
                        // What is put in, and what else is done to it.
                        break;
                    }
                    at += 1;
                }
                _ => {
                    folded.push(token.clone());
                    at += 1;
                }
            }
        }
        folded
    }

    fn name(&self, name: &str) -> Kind {
        match name {
            "__file__" => Kind::Text(self.file.to_owned()),
            "os.sep" => Kind::Text("/".to_owned()),
            _ if self
                .imports
                .meanings(name.split('.').next().unwrap_or_default())
                .contains(&"sys".to_owned())
                && name.ends_with(".executable") =>
            {
                Kind::Text(self.interpreter.to_owned())
            }
            _ if name.contains('.') => Kind::Text(HOLE.to_string()),
            _ => Kind::Word(name.to_owned()),
        }
    }

    /// What a call comes to.
    fn function(&self, name: &str, arguments: &[Vec<&Token>], depth: usize) -> String {
        let first = || arguments.first().map(|argument| self.one(argument, depth));
        let last = name.rsplit('.').next().unwrap_or(name);
        let unknown = || HOLE.to_string();
        match last {
            "join" if name != "join" => arguments
                .iter()
                .map(|argument| self.one(argument, depth))
                .reduce(|one, other| match other.starts_with('/') {
                    true => other,
                    false => format!("{}/{other}", one.trim_end_matches('/')),
                })
                .unwrap_or_else(unknown),
            "dirname" => first().map_or_else(unknown, |path| crate::folders::parent(&path).to_owned()),
            "abspath" | "realpath" | "normpath" | "str" | "Path" | "PurePath" | "fspath" => {
                first().unwrap_or_else(unknown)
            }
            _ => unknown(),
        }
    }

    fn one(&self, expression: &[&Token], depth: usize) -> String {
        let mut texts = self.texts_within(expression, depth);
        match texts.len() {
            1 => texts.remove(0),
            _ => HOLE.to_string(),
        }
    }

    /// The words that a list comes to; nothing if it is none that is known.
    fn words(&self, expression: &[&Token]) -> Vec<Vec<String>> {
        if let Some(parts) = whole_list(expression) {
            return self.combinations(&parts, false);
        }
        let is_list = expression.first().is_some_and(|first| first.is('['));
        if is_list {
            // A list, and something that is added to it.
            let owned: Vec<Token> = expression.iter().map(|token| (*token).clone()).collect();
            let (parts, _) = list(&owned, 0);
            return self.combinations(&parts, true);
        }
        let [
            Token {
                kind: Kind::Word(name),
                ..
            },
        ] = expression
        else {
            return Vec::new();
        };
        let lists = self.lists.iter().filter(|(known, _)| known == name);
        lists
            .flat_map(|(_, tokens)| {
                let (parts, _) = list(tokens, 0);
                // More may have been added since.
                self.combinations(&parts, true)
            })
            .collect()
    }

    /// One list of words for each text that the first may be.
    fn combinations(&self, parts: &[Vec<&Token>], more: bool) -> Vec<Vec<String>> {
        let Some((first, rest)) = parts.split_first() else {
            return Vec::new();
        };
        let mut rest: Vec<String> = rest
            .iter()
            .map(|part| match part.first().is_some_and(|first| first.is('*')) {
                true => MORE.to_owned(),
                false => self.one(part, DEEPEST),
            })
            .collect();
        if more {
            rest.push(MORE.to_owned());
        }
        let names = match first.first().is_some_and(|first| first.is('*')) {
            true => vec![HOLE.to_string()],
            false => self.texts(first),
        };
        names
            .into_iter()
            .map(|name| std::iter::once(name).chain(rest.iter().cloned()).collect())
            .collect()
    }

    /// Everything that the source executes.
    pub fn executions(&self) -> Vec<Execution> {
        let mut found = Vec::new();
        for (index, token) in self.tokens.iter().enumerate() {
            let Some(word) = token.word() else { continue };
            let before = index.checked_sub(1).and_then(|before| self.tokens.get(before));
            let after_dot = before.is_some_and(|before| before.is('.'));
            let method = METHODS.iter().find(|(name, _)| *name == word && after_dot);
            let (shape, after) = match method {
                Some((_, shape)) => (Some(*shape), index + 1),
                None if after_dot || !self.imports.binds(word) => continue,
                None => {
                    let (name, after) = dotted(self.tokens, index);
                    (self.shape(&name), after)
                }
            };
            let Some(shape) = shape else { continue };
            if self.is_in_import(index) || before.is_some_and(|before| before.is_word("def")) {
                continue;
            }
            let called = self.tokens.get(after).is_some_and(|next| next.is('('));
            if !called {
                found.push(Execution {
                    words: Vec::new(),
                    shell: false,
                    line: token.line,
                });
                continue;
            }
            let (arguments, _) = list(self.tokens, after);
            found.extend(self.call(shape, &arguments, token.line));
        }
        found
    }

    fn shape(&self, name: &str) -> Option<Shape> {
        meanings(self.imports, name)
            .into_iter()
            .filter_map(|meaning| {
                meaning
                    .rsplit_once('.')
                    .map(|(module, name)| (module.to_owned(), name.to_owned()))
            })
            .find_map(|(module, name)| executors::function(module.rsplit('.').next()?, &name))
    }

    /// Whether a name stands in an import statement, on the same line.
    fn is_in_import(&self, index: usize) -> bool {
        let before = self.tokens.get(..index).unwrap_or_default().iter().rev().take(64);
        let mut line = before.take_while(|token| !matches!(token.kind, Kind::Break | Kind::Mark(';' | '=')));
        line.any(|token| token.is_word("import"))
    }

    fn call(&self, shape: Shape, arguments: &[Vec<&Token>], line: usize) -> Vec<Execution> {
        let keyword = |name: &str| {
            let argument = arguments.iter().find(|argument| {
                argument.first().is_some_and(|first| first.is_word(name))
                    && argument.get(1).is_some_and(|second| second.is('='))
            });
            argument.and_then(|argument| argument.get(2..))
        };
        let positional = |index: usize| {
            let plain = arguments.get(index)?;
            let named = plain.get(1).is_some_and(|second| second.is('='))
                && !plain.get(2).is_some_and(|third| third.is('='));
            (!named).then_some(plain.as_slice())
        };
        let unknown = || vec![HOLE.to_string()];
        let commands: Vec<(Vec<String>, bool)> = match shape {
            Shape::Process => {
                let Some(command) = positional(0).or_else(|| keyword("args")) else {
                    return vec![Execution {
                        words: Vec::new(),
                        shell: false,
                        line,
                    }];
                };
                let shell =
                    keyword("shell").is_some_and(|value| !value.iter().any(|token| token.is_word("False")));
                let mut lists: Vec<(Vec<String>, bool)> = self
                    .words(command)
                    .into_iter()
                    .map(|words| (words, false))
                    .collect();
                if shell {
                    // The first of a list is the text then.
                    lists = lists
                        .into_iter()
                        .map(|(words, _)| (words.into_iter().take(1).collect(), true))
                        .collect();
                }
                if lists.is_empty() {
                    lists = self
                        .texts(command)
                        .into_iter()
                        .map(|text| (vec![text], shell))
                        .collect();
                }
                lists
            }
            Shape::Shell => {
                let texts = positional(0).map_or_else(unknown, |command| self.texts(command));
                texts.into_iter().map(|text| (vec![text], true)).collect()
            }
            Shape::Words(skipped) => {
                let words: Vec<String> = arguments
                    .iter()
                    .skip(skipped)
                    .take_while(|argument| !argument.get(1).is_some_and(|second| second.is('=')))
                    .map(
                        |argument| match argument.first().is_some_and(|first| first.is('*')) {
                            true => MORE.to_owned(),
                            false => self.one(argument, DEEPEST),
                        },
                    )
                    .collect();
                vec![(words, false)]
            }
            Shape::PathAndWords(skipped) => {
                let names = positional(skipped).map_or_else(unknown, |path| self.texts(path));
                let rest = arguments
                    .iter()
                    .skip(skipped + 2)
                    .map(|argument| self.one(argument, DEEPEST));
                let rest: Vec<String> = rest.collect();
                names
                    .into_iter()
                    .map(|name| (std::iter::once(name).chain(rest.iter().cloned()).collect(), false))
                    .collect()
            }
            Shape::PathAndList(skipped) => {
                let names = positional(skipped).map_or_else(unknown, |path| self.texts(path));
                let lists = positional(skipped + 1)
                    .map(|list| self.words(list))
                    .unwrap_or_default();
                let rest = match lists.as_slice() {
                    [one] => one.get(1..).unwrap_or_default().to_vec(),
                    _ => vec![MORE.to_owned()],
                };
                names
                    .into_iter()
                    .map(|name| (std::iter::once(name).chain(rest.iter().cloned()).collect(), false))
                    .collect()
            }
        };
        commands
            .into_iter()
            .map(|(words, shell)| Execution { words, shell, line })
            .collect()
    }
}

/// A text for `%` or `format`, the places that are filled as holes.
fn formatted(text: &str) -> String {
    let mut formatted = String::new();
    let mut letters = text.chars().peekable();
    // Bounded: each turn moves on.
    while let Some(letter) = letters.next() {
        match letter {
            '%' => {
                // Flags, width and precision up to the conversion; the name of a value in brackets.
                for letter in letters.by_ref() {
                    if letter.is_alphabetic() || letter == '%' {
                        break;
                    }
                }
                formatted.push(HOLE);
            }
            '{' => {
                for letter in letters.by_ref() {
                    if letter == '}' {
                        break;
                    }
                }
                formatted.push(HOLE);
            }
            _ => formatted.push(letter),
        }
    }
    formatted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::python::tokens::tokens;

    fn check(text: &str, expected: &[&str]) {
        let tokens = tokens(text.as_bytes());
        let imports = Imports::of(&tokens);
        let expressions = Expressions::new(&tokens, &imports, "/srv/app/x.py", "/usr/bin/python3");
        let found: Vec<String> = expressions
            .executions()
            .into_iter()
            .map(|execution| {
                let words = execution.words.join(" ").replace(HOLE, "_").replace(MORE, "…");
                format!("{}{words}", if execution.shell { "$ " } else { "" })
            })
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn functions_that_execute() {
        check(
            "import subprocess\nsubprocess.run(['ls', '-l', x], check=True)",
            &["ls -l _"],
        );
        check(
            "import subprocess as s\ns.run('ls -l | wc', shell=True)",
            &["$ ls -l | wc"],
        );
        check("from subprocess import Popen as P\nP(args=['a'])", &["a"]);
        check("import os\nos.system('a; ' + b)", &["$ a; _"]);
        check("import os\nos.execvp('a', ['a', 'b'])", &["a b"]);
        check("import os\nos.spawnlp(os.P_WAIT, 'a', 'a', 'b')", &["a b"]);
        check(
            "import asyncio\nawait asyncio.create_subprocess_exec('a', *b)",
            &["a …"],
        );
        check("loop.subprocess_exec(P, 'a', 'b', stdin=None)", &["a b"]);
    }

    #[test]
    fn commands_that_are_put_together() {
        check(
            "import subprocess, sys\nsubprocess.run([sys.executable, '-m', 'x'])",
            &["/usr/bin/python3 -m x"],
        );
        check(
            "import subprocess\nTOOL = 'ls'\nsubprocess.run([TOOL] + more)",
            &["ls …"],
        );
        check(
            "import subprocess\ncmd = ['a', 'b']\ncmd.append(c)\nsubprocess.run(cmd)",
            &["a b …"],
        );
        check(
            "import os, subprocess\nsubprocess.run(os.path.join(os.path.dirname(__file__), 'tool'))",
            &["/srv/app/tool"],
        );
        check("import os\nos.system('a %s b' % c)", &["$ a _ b"]);
        check("import os\nos.system('a {} b'.format(c))", &["$ a _ b"]);
        check("import os\nos.system(f'a {c} b')", &["$ a _ b"]);
    }

    #[test]
    fn parameters_count_once() {
        let tokens = tokens("def f(x, ".repeat(1000).as_bytes());
        assert!(changed(&tokens).len() <= tokens.len());
    }

    #[test]
    fn what_is_not_known_is_open() {
        check("import subprocess\nsubprocess.run(x)", &["_"]);
        check(
            "import subprocess\nrun = subprocess.run\nsubprocess.run()",
            &["", ""],
        );
        check("import os\nx = 'a'\ndef f(x):\n  os.system(x)", &["$ a", "$ _"]);
        check("import os\nx = 'a'\nfor x in y: os.system(x)", &["$ a", "$ _"]);
        check("import os\nx, y = 'a', 'b'\nos.system(y)", &["$ a", "$ _"]);
        check("run(['a'])", &[]);
        check("from subprocess import run\ndef run(x): pass", &[]);
    }
}
