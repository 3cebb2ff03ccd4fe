//! What the expressions of a source come to: constants, names that are given constants, and what joins them.
//!
//! Over-reports: a constant that a name is given anywhere in a source may be its value everywhere in it. A name that may
//! be given something else, too, is both: its constants and anything.

use std::collections::BTreeMap;

use super::Grammar;
use crate::tokens::{Kind, Token, Values, list, whole_list};
use crate::{HOLE, folders};

/// How long an expression may be that a name is given, in tokens.
const LONGEST_EXPRESSION: usize = 96;

/// How many lists that names are given are kept of one source.
const MOST_LISTS: usize = 1024;

/// How deep calls within calls are evaluated.
const DEEPEST: usize = 4;

/// Functions whose result is a word of a command line like their argument (PHP's manual, Ruby's Shellwords).
const KEEPING: &[&str] = &[
    "escapeshellarg",
    "escapeshellcmd",
    "shellescape",
    "realpath",
    "trim",
    "strval",
];

/// Words that stand for the folder of the source itself, and functions of [`FILES`] that do.
const OWN_FOLDER: &[&str] = &["__DIR__", "__dirname", "__dir__"];
const FILES: &[&str] = &["__FILE__", "__filename"];

/// One source, to ask what its expressions come to.
pub struct Constants<'g> {
    grammar: &'g Grammar,
    values: Values,
    lists: BTreeMap<String, Vec<Vec<Token>>>,
    /// The source's own path.
    file: String,
}

impl<'g> Constants<'g> {
    /// Collects what a source gives to names.
    pub fn of(grammar: &'g Grammar, file: &str, tokens: &[Token]) -> Self {
        let mut this = Self {
            grammar,
            values: Values::default(),
            lists: BTreeMap::new(),
            file: file.to_owned(),
        };
        let mut kept = 0;
        for (index, token) in tokens.iter().enumerate() {
            let Some(word) = token.word() else { continue };
            let (name, at, appends) = match (defined(tokens, index), assignment(tokens, index)) {
                (Some((name, at)), _) => (name, at, false),
                (None, Some((at, appends))) => (word, at, appends),
                (None, None) => continue,
            };
            let expression = statement(tokens, at);
            let array = without_array(&expression);
            if array.first().is_some_and(|first| first.is('[') || first.is('(')) && kept < MOST_LISTS {
                kept += 1;
                let expression = expression.iter().map(|token| (*token).clone()).collect();
                this.lists.entry(name.to_owned()).or_default().push(expression);
            }
            if !this.is_known(&expression) {
                continue;
            }
            if appends {
                let known = this.values.get(name).filter(|text| !text.contains(HOLE));
                let longer: Vec<String> = known.map(|text| format!("{text} {HOLE}")).collect();
                longer.into_iter().for_each(|text| this.values.set(name, text));
                continue;
            }
            for value in this.texts(&expression) {
                this.values.set(name, value);
            }
            if !is_constant(tokens, index, name) {
                this.values.set(name, HOLE.to_string());
            }
        }
        this
    }

    /// Whether a dot joins texts in the source's language.
    pub fn dot_joins(&self) -> bool {
        self.grammar.dot_joins
    }

    /// Whether an expression holds a constant at all.
    fn is_known(&self, expression: &[&Token]) -> bool {
        expression.iter().any(|token| match &token.kind {
            Kind::Text(_) => true,
            Kind::Word(word) => self.values.get(word).next().is_some(),
            _ => false,
        })
    }

    /// The texts that an expression may come to, with holes.
    pub fn texts(&self, expression: &[&Token]) -> Vec<String> {
        self.texts_within(expression, DEEPEST)
    }

    /// The one text that an expression comes to; a hole if it may be several.
    pub fn one(&self, expression: &[&Token]) -> String {
        let mut texts = self.texts(expression);
        match texts.len() {
            1 => texts.remove(0),
            _ => HOLE.to_string(),
        }
    }

    /// The lists of words that an expression may be, each with whether it is known as a whole.
    pub fn lists<'t>(&'t self, expression: &[&'t Token]) -> Vec<(Vec<Vec<&'t Token>>, bool)> {
        if let Some(list) = whole_list(without_array(expression)) {
            return vec![(list, true)];
        }
        let name = match expression {
            [one] => one.word(),
            _ => None,
        };
        let lists = name.and_then(|name| self.lists.get(name)).into_iter().flatten();
        lists
            .filter_map(|list| {
                let tokens: Vec<&Token> = list.iter().collect();
                Some((whole_list(without_array(&tokens))?, false))
            })
            .collect()
    }

    fn texts_within(&self, expression: &[&Token], depth: usize) -> Vec<String> {
        let folded = self.fold(expression, depth);
        self.values.evaluate(&folded.iter().collect::<Vec<_>>())
    }

    /// Puts what calls, members and elements come to in their places.
    fn fold(&self, expression: &[&Token], depth: usize) -> Vec<Token> {
        let tokens: Vec<Token> = expression.iter().map(|token| (*token).clone()).collect();
        let mut folded = Vec::new();
        let mut at = 0;
        // Bounded: each turn moves on.
        while let Some(token) = tokens.get(at) {
            let Some(word) = token.word() else {
                folded.push(token.clone());
                at += 1;
                continue;
            };
            let mut name = word;
            at += 1;
            while let Some((member, after)) = self.member(&tokens, at) {
                name = member;
                at = after;
            }
            let mut text = self.own(name);
            while let Some(open) = tokens.get(at).filter(|next| next.is('(') || next.is('[')) {
                let (arguments, end) = list(&tokens, at);
                text = Some(match open.is('(') && text.is_none() && depth > 0 {
                    true => self.call(name, &arguments, depth - 1),
                    false => HOLE.to_string(),
                });
                at = end + 1;
                while let Some((_, after)) = self.member(&tokens, at) {
                    at = after;
                }
            }
            folded.push(Token {
                kind: text.map_or_else(|| Kind::Word(name.to_owned()), Kind::Text),
                line: token.line,
            });
        }
        folded
    }

    /// The member that is named here of what stands before.
    fn member<'t>(&self, tokens: &'t [Token], at: usize) -> Option<(&'t str, usize)> {
        let is = |ahead: usize, mark: char| tokens.get(at + ahead).is_some_and(|token| token.is(mark));
        let length = if is(0, '-') && is(1, '>') || is(0, ':') && is(1, ':') {
            2
        } else if is(0, '.') && !self.grammar.dot_joins {
            1
        } else {
            return None;
        };
        Some((tokens.get(at + length)?.word()?, at + length + 1))
    }

    /// What a name comes to that stands for a part of the source's own path.
    fn own(&self, name: &str) -> Option<String> {
        if OWN_FOLDER.contains(&name) {
            return Some(folders::parent(&self.file).to_owned());
        }
        FILES.contains(&name).then(|| self.file.clone())
    }

    fn call(&self, name: &str, arguments: &[Vec<&Token>], depth: usize) -> String {
        let argument = || {
            let first = arguments.first().map(|first| self.texts_within(first, depth));
            let mut texts = first.unwrap_or_default();
            match texts.len() {
                1 => texts.remove(0),
                _ => HOLE.to_string(),
            }
        };
        if KEEPING.contains(&name) {
            return argument();
        }
        match name {
            "dirname" => match argument() {
                path if path.starts_with('/') && !path.contains(HOLE) => folders::parent(&path).to_owned(),
                _ => HOLE.to_string(),
            },
            "sprintf" => formatted(&argument()),
            _ => HOLE.to_string(),
        }
    }
}

/// Where the expression begins that a name is given here, and whether it is put behind what the name was before.
fn assignment(tokens: &[Token], index: usize) -> Option<(usize, bool)> {
    let is = |ahead: usize, mark: char| tokens.get(index + ahead).is_some_and(|token| token.is(mark));
    if is(1, '=') && !is(2, '=') && !is(2, '>') && !is(2, '~') {
        return Some((index + 2, false));
    }
    if (is(1, '.') || is(1, '+')) && is(2, '=') {
        return Some((index + 3, true));
    }
    None
}

/// The name that PHP's `define('NAME', …)` gives a value, and where that begins.
fn defined(tokens: &[Token], index: usize) -> Option<(&str, usize)> {
    let is = |ahead: usize, mark: char| tokens.get(index + ahead).is_some_and(|token| token.is(mark));
    let name = tokens.get(index + 2)?.text()?;
    let defines = tokens.get(index)?.is_word("define") && is(1, '(') && is(3, ',');
    defines.then_some((name, index + 4))
}

/// Whether a name is given a value once: a constant by the way that it is made known or written.
fn is_constant(tokens: &[Token], index: usize, name: &str) -> bool {
    let before = index.checked_sub(1).and_then(|before| tokens.get(before));
    before.is_some_and(|before| before.is_word("const"))
        || name.starts_with(|first: char| first.is_ascii_uppercase())
}

/// The list that PHP's `array(…)` is.
fn without_array<'s, 't>(expression: &'s [&'t Token]) -> &'s [&'t Token] {
    match expression.split_first() {
        Some((first, rest)) if first.is_word("array") => rest,
        _ => expression,
    }
}

/// The tokens of an expression from here on: over the end of a line where something joins the next to it.
pub fn statement(tokens: &[Token], from: usize) -> Vec<&Token> {
    let joins = |token: Option<&Token>| {
        token.is_some_and(|token| matches!(token.kind, Kind::Mark('.' | '+' | '=' | '?' | ':' | '|')))
    };
    let mut depth = 0_usize;
    let mut found: Vec<&Token> = Vec::new();
    let rest = tokens.get(from..).unwrap_or_default();
    for (index, token) in rest.iter().enumerate().take(LONGEST_EXPRESSION) {
        match token.kind {
            Kind::Break => {
                let before = found.last().copied();
                if depth == 0 && !found.is_empty() && !joins(before) && !joins(rest.get(index + 1)) {
                    break;
                }
                continue;
            }
            Kind::Mark(';' | ',') if depth == 0 => break,
            Kind::Mark('(' | '[' | '{') => depth += 1,
            Kind::Mark(')' | ']' | '}') if depth == 0 => break,
            Kind::Mark(')' | ']' | '}') => depth -= 1,
            _ => {}
        }
        found.push(token);
    }
    found
}

/// A text for `sprintf`, the places that are filled as holes.
fn formatted(text: &str) -> String {
    let mut formatted = String::new();
    let mut letters = text.chars();
    // Bounded: each turn moves on.
    while let Some(letter) = letters.next() {
        if letter != '%' {
            formatted.push(letter);
            continue;
        }
        // Position, flags, width and precision up to the conversion.
        let conversion = letters
            .by_ref()
            .find(|letter| letter.is_alphabetic() || *letter == '%');
        formatted.push(match conversion {
            Some('%') => '%',
            _ => HOLE,
        });
    }
    formatted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::tokens;

    const PHP: Grammar = Grammar {
        line_comments: &["//", "#"],
        block_comments: true,
        interpolation: "$",
        backticks_execute: true,
        more_letters: "$",
        dot_joins: true,
    };

    /// What the last expression of a text comes to, holes as `_`.
    fn check(text: &str, expected: &[&str]) {
        let tokens = tokens(&PHP, text.as_bytes());
        let constants = Constants::of(&PHP, "/srv/a/x.php", &tokens);
        let last = tokens.iter().rposition(|token| token.is_word("echo"));
        let expression = statement(&tokens, last.map_or(0, |at| at + 1));
        let found: Vec<String> = constants
            .texts(&expression)
            .iter()
            .map(|text| text.replace(HOLE, "_"))
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn expressions_come_to_what_names_are_given() {
        check("$a = 'ls -l'; echo $a;", &["ls -l", "_"]);
        check(
            "const TOOL = '/bin/ls'; echo self::TOOL . ' -l';",
            &["/bin/ls -l"],
        );
        check("define('TOOL', '/bin/ls'); echo TOOL . ' -l';", &["/bin/ls -l"]);
        check("$this->tool = 'ls'; echo $this->tool;", &["ls", "_"]);
        check("$a = 'ls'; $a .= ' -l'; echo $a;", &["ls", "ls _", "_"]);
        check("echo 'ls ' . escapeshellarg($b) . ' -l';", &["ls _ -l"]);
        check("echo 'ls ' . strange($b)['c']->d . ' -l';", &["ls _ -l"]);
        check("echo __DIR__ . '/tool';", &["/srv/a/tool"]);
        check("echo dirname(__FILE__) . '/tool';", &["/srv/a/tool"]);
        check("echo dirname(__DIR__) . '/tool';", &["/srv/tool"]);
        check("echo sprintf('ls %s 5%%', $b);", &["ls _ 5%"]);
        check("$a = 'ls'\n  . ' -l'\n  . ' -a';\necho $a;", &["ls -l -a", "_"]);
        check("echo $b;", &["_"]);
    }
}
