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

use memchr::memmem;

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
    let Some(at) = after_opening(source, 0) else {
        return Vec::new();
    };
    let mut reader = Reader {
        source,
        at,
        within: vec![Within::Code {
            braces: 0,
            of_text: false,
        }],
        found: Vec::new(),
    };
    // Bounded: each turn moves on, or goes into an expression, where the next one does.
    while reader.within.len() <= DEEPEST && reader.step().is_some() {}
    reader.found
}

struct Reader<'s> {
    source: &'s [u8],
    at: usize,
    /// What it is within, from the outside.
    within: Vec<Within>,
    found: Vec<Range<usize>>,
}

impl Reader<'_> {
    /// Moves on; `None` where the source ends or is not understood any more.
    fn step(&mut self) -> Option<()> {
        let rest = self.source.get(self.at..)?;
        let byte = *rest.first()?;
        match self.within.last()? {
            Within::Text { .. } => self.step_in_text(rest, byte),
            Within::Code { .. } => self.step_in_code(rest, byte)?,
        }
        Some(())
    }

    fn step_in_text(&mut self, rest: &[u8], byte: u8) {
        let Some(Within::Text { from, ends }) = self.within.last() else {
            return;
        };
        let end = match ends {
            Ends::Quote(quote) => (byte == *quote).then_some(1),
            Ends::Name(name) => (byte == b'\n').then(|| closing(rest, name)).flatten(),
        };
        if let Some(length) = end {
            if !matches!(ends, Ends::Quote(b'`')) {
                self.found.push(*from..self.at);
            }
            self.at += length;
            self.within.pop();
        } else if byte == b'\\' {
            self.at += 2;
        } else if rest.starts_with(b"{$") || rest.starts_with(b"${") {
            // The brace itself is counted by the code.
            self.at += usize::from(byte == b'$');
            self.within.push(Within::Code {
                braces: 0,
                of_text: true,
            });
        } else {
            self.at += 1;
        }
    }

    fn step_in_code(&mut self, rest: &[u8], byte: u8) -> Option<()> {
        match byte {
            b'{' | b'}' => self.brace(byte),
            b'\'' => {
                let length = single_quoted(rest)?;
                self.found.push(self.at..self.at + length);
                self.at += length;
            }
            b'"' | b'`' => self.begin_text(1, Ends::Quote(byte)),
            _ if rest.starts_with(b"<<<") => match here_document(rest) {
                Some(Here::Plain(content)) => {
                    self.found.push(self.at + content.start..self.at + content.end);
                    self.at += content.end;
                }
                Some(Here::Interpolated { content, name }) => self.begin_text(content, Ends::Name(name)),
                Some(Here::Endless) => return None,
                None => self.at += 3,
            },
            _ => match not_code(rest) {
                Some(length) => self.at += length,
                None if rest.starts_with(b"?>") => self.at = after_opening(self.source, self.at)?,
                None => self.at += 1,
            },
        }
        Some(())
    }

    fn brace(&mut self, byte: u8) {
        self.at += 1;
        let Some(Within::Code { braces, of_text }) = self.within.last_mut() else {
            return;
        };
        if byte == b'{' {
            *braces += 1;
            return;
        }
        *braces = braces.saturating_sub(1);
        if *of_text && *braces == 0 {
            self.within.pop();
        }
    }

    /// A text whose content begins so many bytes further on.
    fn begin_text(&mut self, ahead: usize, ends: Ends) {
        self.at += ahead;
        self.within.push(Within::Text { from: self.at, ends });
    }
}

/// Behind the next tag that opens code.
fn after_opening(source: &[u8], at: usize) -> Option<usize> {
    let mut at = at;
    // Bounded: each turn moves on.
    loop {
        at += memmem::find(source.get(at..)?, b"<?")? + 2;
        let rest = source.get(at..)?;
        if rest.starts_with(b"php") || rest.starts_with(b"=") {
            return Some(at);
        }
    }
}

/// The length of a comment that begins here. One to the end of the line ends before a tag that closes code, too.
fn not_code(rest: &[u8]) -> Option<usize> {
    if rest.starts_with(b"/*") {
        return Some(memmem::find(rest, b"*/").map_or(rest.len(), |end| end + 2));
    }
    let to_the_end_of_the_line =
        rest.starts_with(b"//") || rest.starts_with(b"#") && !rest.starts_with(b"#[");
    to_the_end_of_the_line.then(|| {
        let line = memmem::find(rest, b"\n").unwrap_or(rest.len());
        let closing = rest.get(..line).and_then(|line| memmem::find(line, b"?>"));
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
    let line = memmem::find(rest, b"\n")?;
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
        match from.get(1..).and_then(|next| memmem::find(next, b"\n")) {
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
