//! The third-party parser, kept behind a guard: bounded nesting, and its panics end here.

use std::panic::{AssertUnwindSafe, catch_unwind};

use brush_parser::ast::Program;
use brush_parser::word::{self, WordPieceWithSource};
use brush_parser::{ParserOptions, Token, parse_tokens, uncached_tokenize_str, unquote_str};

/// How many constructs that can nest a text may have. The parser is recursive and its stack has 256 MiB; a text
/// that nests more deeply than this many levels cannot exist below the bound.
const MAX_NESTING: usize = 4000;
/// The same for one word, which takes time by the square of it.
const MAX_NESTING_OF_WORD: usize = 1000;
/// How deeply brackets may nest.
const MAX_DEPTH: usize = 10;

/// Parses a whole script; `None` if it is none that the parser understands.
pub fn parse(text: &str) -> Option<Program> {
    guarded(text, MAX_NESTING, || {
        let options = options();
        let tokens = uncached_tokenize_str(text, &options.tokenizer_options()).ok()?;
        if depth(&tokens) > MAX_DEPTH {
            return None;
        }
        parse_tokens(&tokens, &options).ok()
    })
}

/// How deeply a text nests in brackets, at most.
///
/// The parser tries a bracket as several things and, where nothing closes it, all of them again for each
/// bracket inside: its time doubles with each level.
fn depth(tokens: &[Token]) -> usize {
    let mut open: Vec<bool> = Vec::new();
    let mut brackets = 0_usize;
    let mut deepest = 0;
    let mut command_may_start = true;
    for token in tokens {
        let is_operator = matches!(token, Token::Operator(..));
        match token.to_str() {
            "(" if is_operator => {
                open.push(true);
                brackets += 1;
                deepest = deepest.max(brackets);
            }
            // What closes a pattern of a `case` closes no bracket.
            ")" if is_operator && open.last() == Some(&true) => {
                open.pop();
                brackets -= 1;
            }
            "case" => open.push(false),
            "esac" if command_may_start && open.last() == Some(&false) => {
                open.pop();
            }
            _ => {}
        }
        command_may_start = is_operator || token.to_str() == "in";
    }
    deepest
}

/// Parses a word into its pieces.
pub fn pieces(text: &str) -> Option<Vec<WordPieceWithSource>> {
    guarded(text, MAX_NESTING_OF_WORD, || word::parse(text, &options()).ok())
}

/// Parses a here-document's text into its pieces.
pub fn document_pieces(text: &str) -> Option<Vec<WordPieceWithSource>> {
    guarded(text, MAX_NESTING_OF_WORD, || {
        word::parse_heredoc(text, &options()).ok()
    })
}

/// The words of one line, quotes removed.
pub fn split(text: &str) -> Option<Vec<String>> {
    guarded(text, MAX_NESTING, || {
        let tokens = uncached_tokenize_str(text, &options().tokenizer_options()).ok()?;
        Some(tokens.iter().map(|token| unquote_str(token.to_str())).collect())
    })
}

fn options() -> ParserOptions {
    ParserOptions::default()
}

/// Runs the parser on untrusted text. Unwinding is safe: it shares nothing with the walk but the text.
fn guarded<T>(text: &str, most: usize, parse: impl FnOnce() -> Option<T>) -> Option<T> {
    if nesting(text) > most {
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
