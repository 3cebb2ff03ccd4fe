//! The third-party parser, kept behind a guard: bounded nesting, and its panics end here.

use std::panic::{AssertUnwindSafe, catch_unwind};

use brush_parser::ast::Program;
use brush_parser::word::{self, WordPieceWithSource};
use brush_parser::{Parser, ParserOptions, uncached_tokenize_str, unquote_str};

/// How many constructs that can nest a text may have. The parser is recursive and its stack has 256 MiB; a text
/// that nests more deeply than this many levels cannot exist below the bound.
const MAX_NESTING: usize = 4000;

/// Parses a whole script; `None` if it is none that the parser understands.
pub fn parse(text: &str) -> Option<Program> {
    // A file may come from elsewhere: shells take a carriage return for a part of the word.
    let options = options();
    guarded(text, || {
        Parser::new(text.as_bytes(), &options).parse_program().ok()
    })
}

/// Parses a word into its pieces.
pub fn pieces(text: &str) -> Option<Vec<WordPieceWithSource>> {
    guarded(text, || word::parse(text, &options()).ok())
}

/// Parses a here-document's text into its pieces.
pub fn document_pieces(text: &str) -> Option<Vec<WordPieceWithSource>> {
    guarded(text, || word::parse_heredoc(text, &options()).ok())
}

/// The words of one line, quotes removed.
pub fn split(text: &str) -> Option<Vec<String>> {
    guarded(text, || {
        let tokens = uncached_tokenize_str(text, &options().tokenizer_options()).ok()?;
        Some(tokens.iter().map(|token| unquote_str(token.to_str())).collect())
    })
}

fn options() -> ParserOptions {
    ParserOptions::default()
}

/// Runs the parser on untrusted text. Unwinding is safe: it shares nothing with the walk but the text.
fn guarded<T>(text: &str, parse: impl FnOnce() -> Option<T>) -> Option<T> {
    if nesting(text) > MAX_NESTING {
        return None;
    }
    catch_unwind(AssertUnwindSafe(parse)).ok().flatten()
}

/// An upper bound of how deeply a text can nest: how many constructs it opens at all.
fn nesting(text: &str) -> usize {
    let brackets = text
        .bytes()
        .filter(|byte| matches!(byte, b'(' | b'{' | b'`' | b'['))
        .count();
    let words = text
        .split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|word| {
            matches!(
                *word,
                "if" | "for" | "while" | "until" | "case" | "select" | "elif"
            )
        })
        .count();
    brackets.saturating_add(words)
}
