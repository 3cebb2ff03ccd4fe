//! Tokens, as far as languages have them in common, and what call arguments come to.
//!
//! A scanner of a language cuts its text into these. Nothing here recurses into the text, and what one question looks
//! at is bounded, so that time stays proportional to the text whatever it holds.
//!
//! Over-reports: a constant that is given to a name anywhere in a source may be that name's value everywhere in it.

use std::collections::{BTreeMap, BTreeSet};

use crate::HOLE;

/// How many tokens the arguments of one call are looked at for.
const MOST_TOKENS: usize = 4096;

/// How many constants one name is followed to.
const MOST_VALUES: usize = 16;

/// How long a text that is put together may become, in bytes.
const LONGEST_TEXT: usize = 1 << 16;

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A name, keyword or number.
    Word(String),
    /// A text, its escapes resolved, unknown parts as holes.
    Text(String),
    /// A text that the language hands to a shell.
    Shell(String),
    /// Anything else, one character each.
    Mark(char),
    /// The end of a line.
    Break,
}

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    /// Its line, from 1.
    pub line: usize,
}

impl Token {
    pub fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }

    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn is_word(&self, word: &str) -> bool {
        self.word() == Some(word)
    }

    pub fn is(&self, mark: char) -> bool {
        self.kind == Kind::Mark(mark)
    }

    fn opens(&self) -> bool {
        matches!(self.kind, Kind::Mark('(' | '[' | '{'))
    }

    fn closes(&self) -> bool {
        matches!(self.kind, Kind::Mark(')' | ']' | '}'))
    }
}

/// The parts between commas of a list whose opening bracket stands at `open`, without line ends, and where the list
/// ends.
pub fn list(tokens: &[Token], open: usize) -> (Vec<Vec<&Token>>, usize) {
    let mut parts = vec![Vec::new()];
    let mut depth = 0_usize;
    let end = tokens.len().min(open.saturating_add(MOST_TOKENS));
    for (index, token) in tokens.iter().enumerate().take(end).skip(open) {
        if token.opens() {
            depth += 1;
            if depth == 1 {
                continue;
            }
        } else if token.closes() {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                parts.retain(|part| !part.is_empty());
                return (parts, index);
            }
        }
        match &token.kind {
            Kind::Break => {}
            Kind::Mark(',') if depth == 1 => parts.push(Vec::new()),
            _ => {
                if let Some(last) = parts.last_mut() {
                    last.push(token);
                }
            }
        }
    }
    parts.retain(|part| !part.is_empty());
    (parts, end)
}

/// The parts of a bracketed list that an expression consists of as a whole.
pub fn whole_list<'t>(expression: &[&'t Token]) -> Option<Vec<Vec<&'t Token>>> {
    let (first, last) = (expression.first()?, expression.last()?);
    if !first.opens() || !last.closes() || expression.len() < 2 {
        return None;
    }
    let mut parts = vec![Vec::new()];
    let mut depth = 0_usize;
    for token in expression.get(1..expression.len() - 1)? {
        if token.opens() {
            depth += 1;
        } else if token.closes() {
            // The first bracket is closed before the end: this is more than a list.
            depth = depth.checked_sub(1)?;
        }
        if depth == 0 && token.is(',') {
            parts.push(Vec::new());
        } else if let Some(last) = parts.last_mut() {
            last.push(*token);
        }
    }
    parts.retain(|part| !part.is_empty());
    Some(parts)
}

/// Constants that names of a source are given, and what else its expressions may mention.
#[derive(Debug, Default)]
pub struct Values {
    names: BTreeMap<String, BTreeSet<String>>,
}

impl Values {
    /// What a name may be from here on, besides what it may be already.
    pub fn set(&mut self, name: &str, value: String) {
        let values = self.names.entry(name.to_owned()).or_default();
        if values.len() < MOST_VALUES {
            values.insert(value);
        } else {
            values.insert(HOLE.to_string());
        }
    }

    /// The constants that a name is given.
    pub fn get(&self, name: &str) -> impl Iterator<Item = &str> {
        self.names.get(name).into_iter().flatten().map(String::as_str)
    }

    /// The texts that an expression may come to: constants that are joined by `+` or `.`, and names of constants.
    /// Everything else in it is a hole.
    pub fn evaluate(&self, expression: &[&Token]) -> Vec<String> {
        let mut texts = vec![String::new()];
        let mut depth = 0_usize;
        let mut previous_joins = true;
        for token in expression {
            if token.opens() {
                if depth == 0 && !previous_joins {
                    // A call or subscript of what came before: that was not its value.
                    texts = vec![HOLE.to_string()];
                }
                if depth == 0 && previous_joins {
                    append(&mut texts, &[HOLE.to_string()]);
                }
                depth += 1;
                previous_joins = false;
                continue;
            }
            if token.closes() {
                depth = depth.saturating_sub(1);
                continue;
            }
            if depth > 0 {
                continue;
            }
            match &token.kind {
                Kind::Text(text) => append(&mut texts, std::slice::from_ref(text)),
                Kind::Word(name) => {
                    let known: Vec<String> = self.get(name).map(str::to_owned).collect();
                    if known.is_empty() {
                        append(&mut texts, &[HOLE.to_string()]);
                    } else {
                        append(&mut texts, &known);
                    }
                }
                Kind::Mark('+' | '.') => {
                    previous_joins = true;
                    continue;
                }
                // What follows decides which of several it is, or changes it.
                _ => append(&mut texts, &[HOLE.to_string()]),
            }
            previous_joins = false;
        }
        for text in &mut texts {
            while text.contains("\u{FDD0}\u{FDD0}") {
                *text = text.replace("\u{FDD0}\u{FDD0}", "\u{FDD0}");
            }
        }
        texts.sort();
        texts.dedup();
        texts
    }
}

fn append(texts: &mut Vec<String>, more: &[String]) {
    if texts.len() * more.len() > MOST_VALUES || texts.iter().any(|text| text.len() > LONGEST_TEXT) {
        for text in texts {
            if text.len() <= LONGEST_TEXT {
                text.push(HOLE);
            }
        }
        return;
    }
    *texts = texts
        .iter()
        .flat_map(|text| more.iter().map(move |part| format!("{text}{part}")))
        .collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(kind: Kind) -> Token {
        Token { kind, line: 1 }
    }

    /// `'x'` is a text, a letter or more a name, everything else a mark.
    fn tokens(text: &str) -> Vec<Token> {
        text.split_whitespace()
            .map(|part| {
                token(match part.strip_prefix('\'') {
                    Some(text) => Kind::Text(text.trim_end_matches('\'').to_owned()),
                    None if part.chars().all(char::is_alphanumeric) => Kind::Word(part.to_owned()),
                    None => Kind::Mark(part.chars().next().unwrap_or(' ')),
                })
            })
            .collect()
    }

    fn check(text: &str, expected: &[&str]) {
        let mut values = Values::default();
        values.set("tool", "ls".to_owned());
        values.set("either", "a".to_owned());
        values.set("either", "b".to_owned());
        let tokens = tokens(text);
        let found = values.evaluate(&tokens.iter().collect::<Vec<_>>());
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn expressions_come_to_texts_with_holes() {
        check("'ls'", &["ls"]);
        check("'a' 'b'", &["ab"]);
        check("'/bin/' + tool", &["/bin/ls"]);
        check("either + 'x'", &["ax", "bx"]);
        check("'a' + other", &["a\u{FDD0}"]);
        check("other ( 'a' )", &["\u{FDD0}"]);
        check("tool ( )", &["\u{FDD0}"]);
        check("'a' + other ( tool ) + 'b'", &["\u{FDD0}b"]);
    }

    #[test]
    fn lists_end_where_their_bracket_does() {
        let tokens = tokens("run ( [ 'a' , 'b' ] , x = ( 1 ) ) more");
        let (parts, end) = list(&tokens, 1);
        assert_eq!((parts.len(), end), (2, 13));
        let words = whole_list(&parts[0]).unwrap_or_default();
        assert_eq!(words.len(), 2);
        assert!(whole_list(&parts[1]).is_none());
        let (parts, end) = list(&tokens[..6], 1);
        assert_eq!((parts.len(), end), (1, 6));
    }
}
