//! Words of a configuration's line, with quotes, as most of these programs split them.

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

#[cfg(test)]
mod tests {
    use super::{fields, split};

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
}
