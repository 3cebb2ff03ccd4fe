//! Backticks within PHP's texts of several lines, which execute nothing: SQL puts its names into them.
//!
//! The scanner keeps to single lines and takes what stands in such a text for code. Here its backticks become spaces before
//! it looks, each at its place. PHP's texts can be told apart from code exactly (PHP's language reference, "Strings"): there
//! are no patterns between slashes, and what stands outside of `<?php … ?>` is no code.
//!
//! Over-reports: in a text without an end, and what follows more nested expressions than any source has, all stays as it is.
//! Misses: a text that is handed to `eval`.

use std::borrow::Cow;
use std::ops::Range;

/// How deep expressions in texts may be nested.
const DEEPEST: usize = 64;

/// A source without the backticks in its texts of several lines.
pub fn blank_backticks(source: &[u8]) -> Cow<'_, [u8]> {
    if !source.contains(&b'`') {
        return Cow::Borrowed(source);
    }
    let mut blanked = Cow::Borrowed(source);
    for text in texts(source) {
        let content = source.get(text.clone()).unwrap_or_default();
        if content.contains(&b'\n')
            && content.contains(&b'`')
            && let Some(place) = blanked.to_mut().get_mut(text)
        {
            for byte in place.iter_mut().filter(|byte| **byte == b'`') {
                *byte = b' ';
            }
        }
    }
    blanked
}

/// What the reader is within.
enum Within {
    /// Code: of the source itself, or of an expression in a text, which ends with the brace that closes the one it begins
    /// with.
    Code { braces: usize, of_text: bool },
    /// A text with interpolation, which began there: in quotes, or a here-document with its name.
    Text { from: usize, ends: Ends },
}

enum Ends {
    Quote(u8),
    Name(Vec<u8>),
}

/// Where texts lie, as far as all is understood; commands in backticks are none.
fn texts(source: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let Some(mut at) = after_opening(source, 0) else {
        return found;
    };
    let mut within = vec![Within::Code {
        braces: 0,
        of_text: false,
    }];
    // Bounded: each turn moves on.
    while let Some(innermost) = within.last_mut() {
        let rest = source.get(at..).unwrap_or_default();
        let Some(byte) = rest.first().copied() else {
            break;
        };
        match innermost {
            Within::Text { from, ends } => {
                let end = match ends {
                    Ends::Quote(quote) => (byte == *quote).then_some(1),
                    Ends::Name(name) => (byte == b'\n').then(|| closing(rest, name)).flatten(),
                };
                match end {
                    Some(length) => {
                        if !matches!(ends, Ends::Quote(b'`')) {
                            found.push(*from..at);
                        }
                        at += length;
                        within.pop();
                    }
                    None if byte == b'\\' => at += 2,
                    None if rest.starts_with(b"{$") || rest.starts_with(b"${") => {
                        // The brace itself is counted by the code.
                        at += if byte == b'$' { 1 } else { 0 };
                        within.push(Within::Code {
                            braces: 0,
                            of_text: true,
                        });
                    }
                    None => at += 1,
                }
            }
            Within::Code { braces, of_text } => match byte {
                b'{' => {
                    *braces += 1;
                    at += 1;
                }
                b'}' => {
                    *braces = braces.saturating_sub(1);
                    at += 1;
                    if *of_text && *braces == 0 {
                        within.pop();
                    }
                }
                b'\'' => match single_quoted(rest) {
                    Some(length) => {
                        found.push(at..at + length);
                        at += length;
                    }
                    None => break,
                },
                b'"' | b'`' => {
                    at += 1;
                    within.push(Within::Text {
                        from: at,
                        ends: Ends::Quote(byte),
                    });
                }
                _ if rest.starts_with(b"<<<") => match here_document(rest) {
                    Some(Here::Plain(content)) => {
                        found.push(at + content.start..at + content.end);
                        at += content.end;
                    }
                    Some(Here::Interpolated { content, name }) => {
                        at += content;
                        within.push(Within::Text {
                            from: at,
                            ends: Ends::Name(name),
                        });
                    }
                    Some(Here::Endless) => break,
                    None => at += 3,
                },
                _ => match not_code(rest) {
                    Some(length) => at += length,
                    None if rest.starts_with(b"?>") => match after_opening(source, at) {
                        Some(next) => at = next,
                        None => break,
                    },
                    None => at += 1,
                },
            },
        }
        if within.len() > DEEPEST {
            break;
        }
    }
    found
}

/// Behind the next tag that opens code.
fn after_opening(source: &[u8], at: usize) -> Option<usize> {
    let mut at = at;
    // Bounded: each turn moves on.
    loop {
        at += find(source.get(at..)?, b"<?")? + 2;
        let rest = source.get(at..)?;
        if rest.starts_with(b"php") || rest.starts_with(b"=") {
            return Some(at);
        }
    }
}

/// The length of a comment that begins here. One to the end of the line ends before a tag that closes code, too.
fn not_code(rest: &[u8]) -> Option<usize> {
    if rest.starts_with(b"/*") {
        return Some(find(rest, b"*/").map_or(rest.len(), |end| end + 2));
    }
    let to_the_end_of_the_line =
        rest.starts_with(b"//") || rest.starts_with(b"#") && !rest.starts_with(b"#[");
    to_the_end_of_the_line.then(|| {
        let line = find(rest, b"\n").unwrap_or(rest.len());
        let closing = rest.get(..line).and_then(|line| find(line, b"?>"));
        closing.unwrap_or(line)
    })
}

/// The length of a text in single quotes that begins here, quotes included.
fn single_quoted(rest: &[u8]) -> Option<usize> {
    let mut at = 1;
    // Bounded: each turn moves on.
    loop {
        match rest.get(at)? {
            b'\\' => at += 2,
            b'\'' => return Some(at + 1),
            _ => at += 1,
        }
    }
}

enum Here {
    /// In single quotes: where its content lies.
    Plain(Range<usize>),
    /// Where its content begins, at the line's end, and its name.
    Interpolated { content: usize, name: Vec<u8> },
    /// In single quotes, and nothing closes it.
    Endless,
}

/// The here-document that begins with these three marks.
fn here_document(rest: &[u8]) -> Option<Here> {
    let line = find(rest, b"\n")?;
    let head = rest.get(3..line)?.trim_ascii();
    let (quote, name) = match head {
        [quote @ (b'\'' | b'"'), name @ .., last] if last == quote => (Some(*quote), name),
        _ => (None, head),
    };
    if name.is_empty() || !name.iter().copied().all(is_letter) {
        return None;
    }
    if quote != Some(b'\'') {
        return Some(Here::Interpolated {
            content: line,
            name: name.to_vec(),
        });
    }
    let mut at = line;
    // Bounded: each turn moves to the next line.
    loop {
        let from = rest.get(at..)?;
        if closing(from, name).is_some() {
            return Some(Here::Plain(line..at));
        }
        match from.get(1..).and_then(|next| find(next, b"\n")) {
            Some(next) => at += 1 + next,
            None => return Some(Here::Endless),
        }
    }
}

/// The length of the line's end that this is, and of the name that closes a here-document on the next line.
fn closing(rest: &[u8], name: &[u8]) -> Option<usize> {
    let line = rest.get(1..)?;
    let indentation = line.iter().take_while(|byte| b" \t".contains(byte)).count();
    let after = line.get(indentation..)?.strip_prefix(name)?;
    let ends = after.first().is_none_or(|byte| !is_letter(*byte));
    ends.then_some(1 + indentation + name.len())
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, expected: &str) {
        let blanked = blank_backticks(source.as_bytes());
        assert_eq!(String::from_utf8_lossy(&blanked), expected);
    }

    fn unchanged(source: &str) {
        check(source, source);
    }

    #[test]
    fn texts_of_several_lines_execute_nothing() {
        check(
            "<?php $a = \"CREATE\n `login` x\";",
            "<?php $a = \"CREATE\n  login  x\";",
        );
        check(
            "<?php $a = 'CREATE\n `login` x';",
            "<?php $a = 'CREATE\n  login  x';",
        );
        check(
            "<?php $a = <<<SQL\n `login`\n  SQLX\n  SQL; `ls`;",
            "<?php $a = <<<SQL\n  login \n  SQLX\n  SQL; `ls`;",
        );
        check(
            "<?php $a = <<<'SQL'\n {$ `login`\nSQL . `ls`;",
            "<?php $a = <<<'SQL'\n {$  login \nSQL . `ls`;",
        );
        check(
            "<?php $a = \"{$b[\"c\"]}\n `login` ${d} \\\" `x`\"; `ls`;",
            "<?php $a = \"{$b[\"c\"]}\n  login  ${d} \\\"  x \"; `ls`;",
        );
    }

    #[test]
    fn commands_stay() {
        unchanged("<?php $a = `ls\n -l`;");
        unchanged("it's\n<?php `ls`; // don't\n `ls`; # can't ?> it's <?= `ls\n`;");
        unchanged("<?php /* it's */ `ls`; #[It('s', \"\")]\n `ls`;");
        unchanged("<?php `echo 'a'\n\"b\"`; function f() { return `ls\n`; }");
        unchanged("<?php $a = 1 <<<3; `ls\n`;");
    }

    /// Each of these took time in the square of its length.
    #[test]
    fn what_has_no_end_is_looked_for_once() {
        for text in ["<?php ?>", "<<<'X'\n", "/*", "//?>", "<?", "\"{$a}"] {
            let source = format!("<?php `\n{}", text.repeat(1 << 17));
            assert_eq!(blank_backticks(source.as_bytes()).len(), source.len());
        }
    }

    #[test]
    fn what_has_no_end_stays() {
        unchanged("<?php $a = \"x\n `ls`;");
        unchanged("<?php $a = 'x\n `ls`;");
        unchanged("<?php $a = <<<X\n `ls`;");
        unchanged("$a = 'no\n `tag`';");
        unchanged("<?php $a = <<<'X'\n `ls`;");
        let deep = format!("<?php {} `x\n`", "\"{$".repeat(DEEPEST + 1));
        unchanged(&deep);
    }
}
