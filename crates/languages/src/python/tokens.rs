//! Python's text cut into tokens, after its reference's chapter on lexical analysis.
//!
//! Misses: nothing but texts that are no Python. What stands in the replacement fields of formatted texts is a hole in
//! the text, and its own tokens come after the whole text's.

use crate::HOLE;
use crate::tokens::{Kind, Token};

/// How deep fields in texts are looked into.
const DEEPEST_FIELD: usize = 4;

/// Cuts a text into tokens.
pub fn tokens(text: &[u8]) -> Vec<Token> {
    let mut scanner = Scanner {
        text,
        at: 0,
        line: 1,
        tokens: Vec::new(),
        fields: Vec::new(),
    };
    scanner.scan();
    let mut tokens = scanner.tokens;
    let mut fields = scanner.fields;
    // Bounded: fields are pieces of the text, each of a depth less than that of the piece around it.
    for _ in 0..DEEPEST_FIELD {
        let mut deeper = Vec::new();
        for (field, line) in fields {
            let mut scanner = Scanner {
                text: field,
                at: 0,
                line,
                tokens: Vec::new(),
                fields: Vec::new(),
            };
            scanner.scan();
            tokens.push(Token {
                kind: Kind::Break,
                line,
            });
            tokens.append(&mut scanner.tokens);
            deeper.append(&mut scanner.fields);
        }
        fields = deeper;
    }
    tokens
}

struct Scanner<'t> {
    text: &'t [u8],
    at: usize,
    line: usize,
    tokens: Vec<Token>,
    /// The replacement fields of formatted texts, with their lines.
    fields: Vec<(&'t [u8], usize)>,
}

impl<'t> Scanner<'t> {
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    fn push(&mut self, kind: Kind) {
        self.tokens.push(Token {
            kind,
            line: self.line,
        });
    }

    fn scan(&mut self) {
        // Bounded: each turn moves on.
        while let Some(byte) = self.peek(0) {
            match byte {
                b'#' => self.skip_line(),
                b'\n' => {
                    self.push(Kind::Break);
                    self.line += 1;
                    self.at += 1;
                }
                b'\\' if self.peek(1) == Some(b'\n') => {
                    self.line += 1;
                    self.at += 2;
                }
                b' ' | b'\t' | b'\r' | 12 => self.at += 1,
                b'"' | b'\'' => self.quoted(false, false),
                _ if is_word(byte) => self.word(),
                _ => {
                    self.push(Kind::Mark(char::from(byte)));
                    self.at += 1;
                }
            }
        }
    }

    fn skip_line(&mut self) {
        while self.peek(0).is_some_and(|byte| byte != b'\n') {
            self.at += 1;
        }
    }

    fn word(&mut self) {
        let start = self.at;
        while self.peek(0).is_some_and(is_word) {
            self.at += 1;
        }
        let word = self.text.get(start..self.at).unwrap_or_default();
        let is_prefix = word.len() <= 2 && word.iter().all(|byte| b"rRbBuUfFtT".contains(byte));
        if is_prefix && matches!(self.peek(0), Some(b'"' | b'\'')) {
            let has = |letters: &[u8]| word.iter().any(|byte| letters.contains(byte));
            self.quoted(has(b"rR"), has(b"fFtT"));
            return;
        }
        self.push(Kind::Word(String::from_utf8_lossy(word).into_owned()));
    }

    /// A text that begins here with its quotes.
    fn quoted(&mut self, raw: bool, formatted: bool) {
        let Some(quote) = self.peek(0) else { return };
        let line = self.line;
        let tripled = self.peek(1) == Some(quote) && self.peek(2) == Some(quote);
        self.at += if tripled { 3 } else { 1 };
        let mut content: Vec<u8> = Vec::new();
        // Bounded: each turn moves on.
        while let Some(byte) = self.peek(0) {
            if byte == quote && (!tripled || (self.peek(1) == Some(quote) && self.peek(2) == Some(quote))) {
                self.at += if tripled { 3 } else { 1 };
                break;
            }
            match byte {
                b'\n' if !tripled => break,
                b'\\' => {
                    self.escape(raw, &mut content);
                    continue;
                }
                b'{' if formatted && self.peek(1) != Some(b'{') => {
                    self.field(quote, tripled);
                    content.extend(HOLE.to_string().bytes());
                    continue;
                }
                b'{' | b'}' if formatted => self.at += 1,
                b'\n' => self.line += 1,
                _ => {}
            }
            content.push(byte);
            self.at += 1;
        }
        let text = String::from_utf8_lossy(&content).into_owned();
        self.tokens.push(Token {
            kind: Kind::Text(text),
            line,
        });
    }

    fn escape(&mut self, raw: bool, content: &mut Vec<u8>) {
        let next = self.peek(1);
        if next == Some(b'\n') {
            self.line += 1;
        }
        match next {
            Some(byte) if raw => content.extend([b'\\', byte]),
            Some(b'n') => content.push(b'\n'),
            Some(b't') => content.push(b'\t'),
            Some(b'\n') | None => {}
            Some(byte @ (b'\\' | b'\'' | b'"')) => content.push(byte),
            Some(_) => content.extend(HOLE.to_string().bytes()),
        }
        self.at += 2;
    }

    /// The field of a formatted text: up to its brace, or, where that is missing, to the text's end.
    fn field(&mut self, quote: u8, tripled: bool) {
        self.at += 1;
        let start = self.at;
        let line = self.line;
        let mut depth = 0_usize;
        // Bounded: each turn moves on.
        while let Some(byte) = self.peek(0) {
            match byte {
                b'{' | b'[' | b'(' => depth += 1,
                b'}' if depth == 0 => break,
                b'}' | b']' | b')' => depth = depth.saturating_sub(1),
                b'\n' if !tripled => break,
                b'\n' => self.line += 1,
                b'"' | b'\'' => {
                    let ends = byte == quote && !self.closes_on_this_line(byte);
                    if ends {
                        break;
                    }
                    self.skip_text(byte);
                    continue;
                }
                _ => {}
            }
            self.at += 1;
        }
        if let Some(field) = self.text.get(start..self.at) {
            self.fields.push((field, line));
        }
        if self.peek(0) == Some(b'}') {
            self.at += 1;
        }
    }

    /// Whether a quote in a field has a partner before the line ends, which is a text within the field.
    fn closes_on_this_line(&self, quote: u8) -> bool {
        let rest = self.text.get(self.at + 1..).unwrap_or_default();
        let line = rest.iter().take(1024).take_while(|byte| **byte != b'\n');
        line.copied().any(|byte| byte == quote)
    }

    fn skip_text(&mut self, quote: u8) {
        self.at += 1;
        while let Some(byte) = self.peek(0).filter(|byte| *byte != b'\n') {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == quote {
                break;
            }
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let shown: Vec<String> = tokens(text.as_bytes())
            .into_iter()
            .map(|token| match token.kind {
                Kind::Word(word) => word,
                Kind::Text(text) => format!("<{}>", text.replace(HOLE, "_")),
                Kind::Shell(text) => format!("`{text}`"),
                Kind::Mark(mark) => mark.to_string(),
                Kind::Break => "/".to_owned(),
            })
            .collect();
        assert_eq!(shown.join(" "), expected, "{text}");
    }

    #[test]
    fn texts_of_every_kind() {
        check("a = 'b' # c 'd'", "a = <b>");
        check("x('''a\n'b'\n''', r'\\d')", "x ( <a\n'b'\n> , <\\d> )");
        check("b'a' rb\"c\" u'd'", "<a> <c> <d>");
        check("'a\\'b' 'c\\x41'", "<a'b> <c_41>");
        check("'open\nnext", "<open> / next");
        check("f'a{b}c' d", "<a_c> d / b");
        check("f'{{a}}'", "<{a}>");
        check("f\"{x['a']}-{y}\"", "<_-_> / x [ <a> ] / y");
        check("f\"{x[\"a\"]}\" z", "<_> z / x [ <a> ]");
        check("a \\\n b\nc", "a b / c");
    }
}
