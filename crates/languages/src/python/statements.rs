//! Statements of Python: where one ends, and which names get values by statements that are not looked at.

use crate::tokens::{Kind, Token, list};

/// The names that get values which are not looked at: parameters, variables of loops, several at once, by an operator.
pub fn changed(tokens: &[Token]) -> Vec<&str> {
    let mut names = Vec::new();
    let mut parameters_end = 0;
    for (index, token) in tokens.iter().enumerate() {
        let next = |ahead: usize| tokens.get(index + ahead);
        let Some(word) = token.word() else { continue };
        match word {
            "def" => {
                let (_, end) = list(tokens, index + 2);
                // One within those of another: each counts once.
                let parameters = tokens.get(parameters_end.max(index + 2)..end);
                names.extend(parameters.unwrap_or_default().iter().filter_map(Token::word));
                parameters_end = parameters_end.max(end);
            }
            "for" | "lambda" | "as" => {
                let until =
                    |token: &&Token| !(token.is_word("in") || token.is(':') || token.kind == Kind::Break);
                let rest = tokens
                    .get(index + 1..)
                    .unwrap_or_default()
                    .iter()
                    .take(32)
                    .take_while(until);
                names.extend(rest.filter_map(Token::word));
            }
            _ => {
                let operates = next(2).is_some_and(|token| token.is('='))
                    && next(1).is_some_and(|token| {
                        matches!(
                            token.kind,
                            Kind::Mark('+' | '-' | '*' | '/' | '%' | '|' | '&' | '^' | ':')
                        )
                    });
                let with_others = next(1).is_some_and(|token| token.is(','))
                    || index
                        .checked_sub(1)
                        .and_then(|before| tokens.get(before))
                        .is_some_and(|token| token.is(','));
                let line = || tokens.get(index + 1..).unwrap_or_default().iter().take(16);
                let assigned = || {
                    line()
                        .take_while(|token| token.word().is_some() || token.is(',') || token.is('='))
                        .any(|token| token.is('='))
                };
                if operates || (with_others && assigned()) {
                    names.push(word);
                }
            }
        }
    }
    names
}

/// The tokens of a statement from here on.
pub fn statement(tokens: &[Token], from: usize) -> Vec<&Token> {
    let mut depth = 0_usize;
    let mut found = Vec::new();
    // No constant that matters is longer.
    for token in tokens.get(from..).unwrap_or_default().iter().take(256) {
        match token.kind {
            Kind::Break | Kind::Mark(';') if depth == 0 => break,
            Kind::Break => continue,
            Kind::Mark('(' | '[' | '{') => depth += 1,
            // The end of what the whole stands in: a keyword argument.
            Kind::Mark(')' | ']' | '}') if depth == 0 => break,
            Kind::Mark(')' | ']' | '}') => depth -= 1,
            Kind::Mark(',') if depth == 0 => break,
            _ => {}
        }
        found.push(token);
    }
    found
}
