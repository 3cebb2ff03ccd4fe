//! Words: what they expand to, as far as that is known.

use std::collections::BTreeSet;

use brush_parser::word::{Parameter, ParameterExpr, SpecialParameter, WordPiece, WordPieceWithSource};

use super::parameters::one_each;
use super::state::{Lists, State, Values};
use super::syntax;
use super::walk::Walker;
use crate::pattern::{ANY, REST, STAR};

/// How many different expansions of one word are kept.
const MAX_ALTERNATIVES: usize = 24;

/// One way that a word can expand: its fields, the last still growing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Partial {
    done: Vec<String>,
    current: Option<String>,
}

impl Partial {
    fn push(&mut self, text: &str) {
        self.current.get_or_insert_default().push_str(text);
    }

    fn split(&mut self) {
        self.done.extend(self.current.take());
    }

    fn finish(mut self) -> Vec<String> {
        self.split();
        self.done
    }
}

impl Walker<'_, '_> {
    /// Every way that some words can expand to fields.
    pub fn expand_all(&mut self, words: &[&str], line: usize, state: &mut State) -> Vec<Vec<String>> {
        let mut all: Vec<Vec<String>> = vec![Vec::new()];
        for word in words {
            let mut expansions = self.expand(word, line, state);
            // The command's name is worth more than its arguments.
            let named = all.iter().all(|fields| !fields.is_empty());
            let most = MAX_ALTERNATIVES * if named { 1 } else { 4 };
            if all.len().saturating_mul(expansions.len()) > most {
                expansions = vec![merged(&expansions)];
            }
            if let [expansion] = expansions.as_slice() {
                all.iter_mut()
                    .for_each(|fields| fields.extend(expansion.iter().cloned()));
                continue;
            }
            let mut next = BTreeSet::new();
            for before in &all {
                for expansion in &expansions {
                    next.insert(before.iter().chain(expansion).cloned().collect());
                }
            }
            all = next.into_iter().collect();
        }
        all
    }

    /// Every way that one word can expand to fields.
    pub fn expand(&mut self, word: &str, line: usize, state: &mut State) -> Vec<Vec<String>> {
        if !self.may_expand(word, line, state) {
            return vec![vec![ANY.to_string()]];
        }
        // Most words are plain, and the parser is slow.
        if word
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_./:=,@%+".contains(&byte))
        {
            return vec![vec![word.to_owned()]];
        }
        match syntax::pieces(word) {
            Some(pieces) => self.fields(&pieces, line, state),
            None => {
                self.reject(word, line, state);
                vec![vec![ANY.to_string()]]
            }
        }
    }

    /// What a word can be where it is not split: the value of an assignment, the word of a `case`.
    pub fn text(&mut self, word: &str, line: usize, state: &mut State) -> Values {
        match syntax::pieces(word) {
            Some(pieces) => self.unsplit(&pieces, line, state),
            None => {
                self.reject(word, line, state);
                Values::unknown()
            }
        }
    }

    /// What a here-document can be.
    pub fn document(&mut self, text: &str, line: usize, state: &mut State) -> Values {
        match syntax::document_pieces(text) {
            Some(pieces) => self.unsplit(&pieces, line, state),
            None => {
                self.reject(text, line, state);
                Values::unknown()
            }
        }
    }

    fn unsplit(&mut self, pieces: &[WordPieceWithSource], line: usize, state: &mut State) -> Values {
        let outside = std::mem::replace(&mut self.outside, false);
        let mut partials = vec![Partial::default()];
        for piece in pieces {
            self.piece(&piece.piece, true, line, state, &mut partials);
        }
        let mut values = Values::of(
            partials
                .into_iter()
                .map(|partial| partial.finish().join(" ").replace(REST, &ANY.to_string())),
        );
        values.outside = self.outside;
        self.outside |= outside;
        values
    }

    fn fields(&mut self, pieces: &[WordPieceWithSource], line: usize, state: &mut State) -> Vec<Vec<String>> {
        let mut partials = vec![Partial::default()];
        for piece in pieces {
            self.piece(&piece.piece, false, line, state, &mut partials);
        }
        partials.into_iter().map(Partial::finish).collect()
    }

    fn piece(
        &mut self,
        piece: &WordPiece,
        quoted: bool,
        line: usize,
        state: &mut State,
        partials: &mut Vec<Partial>,
    ) {
        match piece {
            WordPiece::Text(text) if quoted => push(partials, text),
            WordPiece::Text(text) => push(partials, &with_stars(text)),
            WordPiece::SingleQuotedText(text) => push(partials, text),
            WordPiece::AnsiCQuotedText(text) if text.contains('\\') => push(partials, &ANY.to_string()),
            WordPiece::AnsiCQuotedText(text) => push(partials, text),
            WordPiece::DoubleQuotedSequence(inner) | WordPiece::GettextDoubleQuotedSequence(inner) => {
                // Quotes make a field even of nothing, except around an empty `$@`.
                if !is_all_arguments(inner) {
                    push(partials, "");
                }
                for piece in inner {
                    self.quoted(&piece.piece, line, state, partials);
                }
            }
            WordPiece::TildeExpansion(_) => push(partials, &ANY.to_string()),
            WordPiece::ParameterExpansion(expression) => {
                let lists = self.parameter(expression, quoted, line, state);
                append(partials, &lists, quoted);
            }
            WordPiece::CommandSubstitution(text) | WordPiece::BackquotedCommandSubstitution(text) => {
                let values = self.substitution(text, line, state);
                append(partials, &one_each(values.texts), quoted);
            }
            WordPiece::EscapeSequence(text) => {
                let text = text.strip_prefix('\\').unwrap_or(text);
                push(partials, text.strip_prefix('\n').unwrap_or(text));
            }
            WordPiece::ArithmeticExpression(expression) => {
                self.text(&expression.value, line, state);
                push(partials, &ANY.to_string());
            }
        }
    }

    fn quoted(&mut self, piece: &WordPiece, line: usize, state: &mut State, partials: &mut Vec<Partial>) {
        if let WordPiece::ParameterExpansion(expression) = piece {
            let lists = self.parameter(expression, false, line, state);
            append(partials, &lists, true);
        } else {
            self.piece(piece, true, line, state, partials);
        }
    }
}

/// What stands for every one of some expansions: their fields with holes where they differ.
fn merged(expansions: &[Vec<String>]) -> Vec<String> {
    let Some((first, others)) = expansions.split_first() else {
        return Vec::new();
    };
    let alike = others.iter().all(|other| other.len() == first.len());
    let rest = expansions.iter().flatten().any(|word| word == REST);
    if !alike || rest {
        return vec![REST.to_owned()];
    }
    let mut fields = first.clone();
    for other in others {
        for (field, text) in fields.iter_mut().zip(other).filter(|(field, text)| field != text) {
            *field = with_hole(field, text);
        }
    }
    fields
}

/// Two texts as one: what they begin and end with alike, and a hole between.
fn with_hole(one: &str, other: &str) -> String {
    let start: String = one
        .chars()
        .zip(other.chars())
        .take_while(|(one, other)| one == other)
        .map(|(one, _)| one)
        .collect();
    let rests = [one, other].map(|text| text.get(start.len()..).unwrap_or_default());
    let [one, other] = rests.map(|rest| rest.chars().rev());
    let end: Vec<char> = one
        .zip(other)
        .take_while(|(one, other)| one == other)
        .map(|(one, _)| one)
        .collect();
    start.chars().chain([ANY]).chain(end.into_iter().rev()).collect()
}

fn push(partials: &mut [Partial], text: &str) {
    for partial in partials {
        partial.push(text);
    }
}

/// Appends each of the lists to each partial word, and keeps the number of combinations bounded.
fn append(partials: &mut Vec<Partial>, lists: &Lists, quoted: bool) {
    let mut next = BTreeSet::new();
    for partial in partials.iter() {
        for list in lists {
            let mut longer = partial.clone();
            for (index, word) in list.iter().enumerate() {
                if index > 0 {
                    longer.split();
                }
                if quoted {
                    longer.push(word);
                } else {
                    append_split(&mut longer, word);
                }
            }
            next.insert(longer);
        }
    }
    if next.len() > MAX_ALTERNATIVES {
        push(partials, &ANY.to_string());
        return;
    }
    *partials = next.into_iter().collect();
}

/// Splits at blanks as an unquoted expansion is split; an empty one leaves nothing.
fn append_split(partial: &mut Partial, text: &str) {
    let blank = |character: char| character == ' ' || character == '\t' || character == '\n';
    if text.starts_with(blank) {
        partial.split();
    }
    for (index, word) in text.split(blank).filter(|word| !word.is_empty()).enumerate() {
        if index > 0 {
            partial.split();
        }
        partial.push(&with_stars(word));
    }
    if text.ends_with(blank) {
        partial.split();
    }
}

/// Turns what a file name pattern leaves open into holes.
fn with_stars(text: &str) -> String {
    if text == "[" || text == "[[" || text == "?" {
        return text.to_owned();
    }
    let braces = text.contains('{') && (text.contains(',') || text.contains("..")) && text.contains('}');
    let mut result = String::with_capacity(text.len());
    let mut bracket = false;
    for character in text.chars() {
        match character {
            '*' => result.push(STAR),
            '?' => result.push(ANY),
            '[' | '{' if character == '[' || braces => {
                bracket = true;
                result.push(ANY);
            }
            ']' | '}' if bracket => bracket = false,
            _ if bracket => {}
            other => result.push(other),
        }
    }
    // An opening without an end is a plain character.
    if bracket {
        text.replace(['*', '?', '[', '{'], &ANY.to_string())
    } else {
        result
    }
}

fn is_all_arguments(pieces: &[WordPieceWithSource]) -> bool {
    matches!(
        pieces,
        [WordPieceWithSource {
            piece: WordPiece::ParameterExpansion(
                ParameterExpr::Parameter {
                    parameter: Parameter::Special(SpecialParameter::AllPositionalParameters {
                        concatenate: false
                    }) | Parameter::NamedWithAllIndices {
                        concatenate: false,
                        ..
                    },
                    ..
                } | ParameterExpr::UseAlternativeValue { .. }
            ),
            ..
        }]
    )
}
