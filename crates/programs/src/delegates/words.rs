//! Words of a configuration's line, with quotes, as most of these programs split them, and values that are put into them.

use std::borrow::Cow;

use crate::pattern::ANY;

/// How much longer a text may get by what is put in, and how long a name in brackets may be, in bytes.
pub const MOST_ADDED: usize = 4096;
const LONGEST_NAME: usize = 1024;

/// A text with values put in: `value` is given what follows a `mark`, and tells what stands there and what goes on after
/// that; where it tells nothing, the mark stays. A text that grows past the bound is a hole: values that consist of values
/// would double with each line.
pub fn filled<'t, 'v>(
    text: &'t str,
    mark: char,
    value: impl Fn(&'t str) -> Option<(Cow<'v, str>, &'t str)>,
) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    // Bounded: each turn takes a mark.
    while let Some((before, after)) = rest.split_once(mark) {
        filled.push_str(before);
        match value(after) {
            Some((value, more)) => {
                filled.push_str(&value);
                rest = more;
            }
            None => {
                filled.push(mark);
                rest = after;
            }
        }
        if filled.len() > text.len() + MOST_ADDED {
            return ANY.to_string();
        }
    }
    filled.push_str(rest);
    filled
}

/// The name in brackets that a text begins with, and what follows these.
pub fn bracketed(text: &str, open: u8, close: u8) -> Option<(&str, &str)> {
    let inner = text.strip_prefix(char::from(open))?;
    let end = inner.bytes().take(LONGEST_NAME).position(|byte| byte == close)?;
    Some((inner.get(..end)?, inner.get(end + 1..)?))
}

/// What a letter after a mark stands for, and what follows it.
pub fn letter<'t, 'v>(
    text: &'t str,
    value: impl Fn(Option<char>) -> Cow<'v, str>,
) -> Option<(Cow<'v, str>, &'t str)> {
    let mut letters = text.chars();
    let letter = letters.next();
    Some((value(letter), letters.as_str()))
}

/// A value of which nothing is known.
pub fn hole<'v>() -> Cow<'v, str> {
    Cow::Owned(ANY.to_string())
}

/// Splits at blanks; single and double quotes and backslashes protect. An open quote ends with the line.
pub fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (Some('\''), _) => word.get_or_insert_default().push(character),
            (_, '\\') => word.get_or_insert_default().extend(characters.next()),
            (Some(_), _) => word.get_or_insert_default().push(character),
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, _) if character.is_whitespace() => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

/// The first `count` words that blanks separate, and what follows them.
pub fn fields(text: &str, count: usize) -> Option<(Vec<&str>, &str)> {
    let mut rest = text.trim_start();
    let mut fields = Vec::new();
    for _ in 0..count {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (field, more) = rest.split_at_checked(end)?;
        if field.is_empty() {
            return None;
        }
        fields.push(field);
        rest = more.trim_start();
    }
    Some((fields, rest))
}

/// A word or a quoted text: its line, the text, whether it was quoted.
pub type Token = (usize, String, bool);

/// The first token that is quoted or none of these words, which are in lower case.
pub fn next<'t>(tokens: &'t [Token], skipped: &[&str]) -> Option<&'t Token> {
    let mut tokens = tokens.iter();
    tokens.find(|(_, word, quoted)| *quoted || !skipped.contains(&word.to_ascii_lowercase().as_str()))
}

/// Words and quoted texts with their lines, and whether they were quoted; comments are left out.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut line = 1;
    let mut open: Option<(char, usize, String)> = None;
    let mut word: Option<(usize, String)> = None;
    let mut comment = false;
    for character in text.chars() {
        if character == '\n' {
            line += 1;
            comment = false;
        }
        if comment {
            continue;
        }
        if let Some((quote, start, inner)) = &mut open {
            if character == *quote {
                tokens.push((*start, std::mem::take(inner), true));
                open = None;
            } else {
                inner.push(character);
            }
            continue;
        }
        let ends_word = character.is_whitespace() || "\"'#=".contains(character);
        if ends_word && let Some((start, word)) = word.take() {
            tokens.push((start, word, false));
        }
        match character {
            '"' | '\'' => open = Some((character, line, String::new())),
            '#' => comment = true,
            '=' => tokens.push((line, "=".to_owned(), false)),
            _ if character.is_whitespace() => {}
            _ => word
                .get_or_insert_with(|| (line, String::new()))
                .1
                .push(character),
        }
    }
    tokens.extend(word.map(|(start, word)| (start, word, false)));
    tokens
}

#[cfg(test)]
mod tests {
    use super::{ANY, MOST_ADDED, bracketed, fields, filled, split};

    #[test]
    fn quotes_protect() {
        let check = |text: &str, expected: &[&str]| assert_eq!(split(text), expected, "{text}");
        check("a  b\tc", &["a", "b", "c"]);
        check("a 'b c' \"d 'e'\" f\\ g ''", &["a", "b c", "d 'e'", "f g", ""]);
        check("-g \"daemon off;\"", &["-g", "daemon off;"]);
        check("a'b", &["ab"]);
        check("", &[]);
    }

    #[test]
    fn fields_come_before_the_rest() {
        assert_eq!(fields("a b  c d", 2), Some((vec!["a", "b"], "c d")));
        assert_eq!(fields("a", 2), None);
        assert_eq!(fields("a b", 2), Some((vec!["a", "b"], "")));
    }
    #[test]
    fn values_are_put_in_up_to_a_bound() {
        let put_in = |text: &str, value: &str| {
            filled(text, '$', |after| {
                let (name, more) = bracketed(after, b'{', b'}')?;
                (name == "A").then(|| (value.to_owned().into(), more))
            })
        };
        assert_eq!(put_in("x${A}${B}$$${A", "y"), "xy${B}$$${A");
        let long = "y".repeat(MOST_ADDED);
        assert_eq!(put_in("x${A}", &long), format!("x{long}"));
        assert_eq!(put_in("x${A}${A}", &long), ANY.to_string());
    }
}
