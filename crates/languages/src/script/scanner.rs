//! The tokens of the scripting languages with C's or the shell's look.
//!
//! The scanner keeps to single lines: a text that does not end on its line is read as if it were code, and a comment
//! that has no end is none. So whatever is taken for something else (a quote within a pattern, a text over several
//! lines), what follows on the next lines is read, and nothing is swallowed but the rest of one line.
//!
//! Over-reports: what stands in texts over several lines. Misses: what follows a quote of a pattern on the same line.

use memchr::memmem;

use crate::HOLE;
use crate::tokens::{Kind, Token};

/// How a language writes comments and texts.
pub struct Grammar {
    /// What begins a comment to the end of the line.
    pub line_comments: &'static [&'static str],
    /// Whether `/*` begins a comment up to `*/`.
    pub block_comments: bool,
    /// What begins an expression in a text with double quotes or backticks; it ends with a brace, or with the name where
    /// this is a `$`.
    pub interpolation: &'static str,
    /// Whether backticks hold a command for a shell.
    pub backticks_execute: bool,
    /// Characters that names may hold besides letters, digits and `_`.
    pub more_letters: &'static str,
    /// Whether a dot joins texts; otherwise it names members.
    pub dot_joins: bool,
}

/// Cuts a text into tokens.
pub fn tokens(grammar: &Grammar, text: &[u8]) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut block = false;
    let ends = comment_ends(grammar, text);
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let mut scanner = Line {
            grammar,
            text: line,
            at: 0,
            line: index + 1,
            tokens: &mut tokens,
            seen: Vec::new(),
            expression_ends: Vec::new(),
        };
        if block {
            let Some(end) = memmem::find(line, b"*/") else {
                continue;
            };
            scanner.at = end + 2;
        }
        block = scanner.scan();
        let next = || ends.get(ends.partition_point(|end| *end <= index));
        block = block && next().is_some_and(|end| *end <= index + MOST_COMMENT_LINES);
        tokens.push(Token {
            kind: Kind::Break,
            line: index + 1,
        });
    }
    tokens
}

/// The lines, counted from 0, that hold the end of a comment.
fn comment_ends(grammar: &Grammar, text: &[u8]) -> Vec<usize> {
    if !grammar.block_comments {
        return Vec::new();
    }
    let lines = text.split(|byte| *byte == b'\n').enumerate();
    lines
        .filter(|(_, line)| memmem::find(line, b"*/").is_some())
        .map(|(index, _)| index)
        .collect()
}

/// How many lines a comment may have.
const MOST_COMMENT_LINES: usize = 2000;

struct Line<'t> {
    grammar: &'t Grammar,
    text: &'t [u8],
    at: usize,
    line: usize,
    tokens: &'t mut Vec<Token>,
    /// Where which quotes were looked at without an end of theirs, a bit each: what follows is the same from there on,
    /// wherever the text begins.
    seen: Vec<u8>,
    /// Where an expression ends that begins at a byte, once that is asked.
    expression_ends: Vec<usize>,
}

impl Line<'_> {
    fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn push(&mut self, kind: Kind) {
        let line = self.line;
        self.tokens.push(Token { kind, line });
    }

    /// Reads the line; whether it ends within a comment.
    fn scan(&mut self) -> bool {
        // Bounded: each turn moves on.
        while let Some(byte) = self.rest().first().copied() {
            let before = self.at.checked_sub(1).and_then(|at| self.text.get(at)).copied();
            let apart =
                before.is_none_or(|before| before.is_ascii_whitespace() || b";{}(),".contains(&before));
            if apart
                && self
                    .grammar
                    .line_comments
                    .iter()
                    .any(|mark| self.rest().starts_with(mark.as_bytes()))
            {
                return false;
            }
            if apart && self.grammar.block_comments && self.rest().starts_with(b"/*") {
                match memmem::find(self.text.get(self.at + 2..).unwrap_or_default(), b"*/") {
                    Some(end) => {
                        self.at += end + 4;
                        continue;
                    }
                    None => return true,
                }
            }
            match byte {
                b'\'' | b'"' | b'`' => self.quoted(byte),
                _ if byte.is_ascii_whitespace() => self.at += 1,
                _ if self.is_letter(byte) => {
                    let length = self
                        .rest()
                        .iter()
                        .take_while(|byte| self.is_letter(**byte))
                        .count();
                    let word =
                        String::from_utf8_lossy(self.rest().get(..length).unwrap_or_default()).into_owned();
                    self.at += length;
                    self.push(Kind::Word(word));
                }
                _ => {
                    self.push(Kind::Mark(char::from(byte)));
                    self.at += 1;
                }
            }
        }
        false
    }

    fn is_letter(&self, byte: u8) -> bool {
        byte.is_ascii_alphanumeric()
            || byte == b'_'
            || byte >= 0x80
            || self.grammar.more_letters.as_bytes().contains(&byte)
    }

    /// A text that ends on this line; a quote alone is a mark.
    fn quoted(&mut self, quote: u8) {
        let text = self.text;
        let mut content: Vec<u8> = Vec::new();
        let mut at = self.at + 1;
        let bit = match quote {
            b'\'' => 1,
            b'"' => 2,
            _ => 4,
        };
        self.seen.resize(text.len(), 0);
        // Bounded: each turn moves on, and comes to a byte once for each kind of quotes.
        while let Some(byte) = text.get(at).copied() {
            match self.seen.get_mut(at) {
                Some(seen) if *seen & bit == 0 => *seen |= bit,
                _ => break,
            }
            let rest = text.get(at..).unwrap_or_default();
            let interpolation = self.grammar.interpolation.as_bytes();
            if byte == quote {
                self.at = at + 1;
                let text = String::from_utf8_lossy(&content).into_owned();
                let executes = quote == b'`' && self.grammar.backticks_execute;
                self.push(if executes {
                    Kind::Shell(text)
                } else {
                    Kind::Text(text)
                });
                return;
            }
            if byte == b'\\' {
                match rest.get(1) {
                    Some(b'n') => content.push(b'\n'),
                    Some(b't') => content.push(b'\t'),
                    Some(next) if next.is_ascii_alphanumeric() => content.extend(HOLE.to_string().bytes()),
                    Some(next) => content.push(*next),
                    None => break,
                }
                at += 2;
            } else if quote != b'\'' && !interpolation.is_empty() && rest.starts_with(interpolation) {
                content.extend(HOLE.to_string().bytes());
                at += interpolation.len();
                at += match interpolation {
                    b"$" => rest
                        .iter()
                        .skip(1)
                        .take_while(|byte| byte.is_ascii_alphanumeric() || b"_{}[]>-:'".contains(byte))
                        .count(),
                    _ => self.expression_end(at) - at,
                };
            } else {
                content.push(byte);
                at += 1;
            }
        }
        self.at += 1;
        self.push(Kind::Mark(char::from(quote)));
    }

    /// Where an expression that begins here ends, its closing brace included; the line's end if it has none.
    fn expression_end(&mut self, at: usize) -> usize {
        let length = self.text.len();
        if self.expression_ends.is_empty() {
            let mut ends = vec![length; length + 1];
            // From behind: what an opening brace begins ends within what it stands in.
            for (index, byte) in self.text.iter().enumerate().rev() {
                let after = |index: usize| ends.get(index).copied().unwrap_or(length);
                let end = match byte {
                    b'}' => index + 1,
                    b'{' => after(after(index + 1)),
                    _ => after(index + 1),
                };
                if let Some(place) = ends.get_mut(index) {
                    *place = end;
                }
            }
            self.expression_ends = ends;
        }
        self.expression_ends.get(at).copied().unwrap_or(length).max(at)
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

    /// Each of these took time in the square of its length.
    #[test]
    fn what_has_no_end_is_looked_for_once() {
        for text in ["/*\n", "\\'", "\\\"#{", "\"#{ ", "\"#{ }", "`#{'\""] {
            let found = tokens(&GRAMMAR, format!("'{}", text.repeat(1 << 18)).as_bytes());
            assert!(found.len() > 1 << 10);
        }
    }
}
