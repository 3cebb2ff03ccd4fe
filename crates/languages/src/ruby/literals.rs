//! Ruby's literals over several lines: what is in them is text and no code.
//!
//! A heredoc's text (`<<~NAME`, `<<-NAME`) and a list of words (`%w[one two]`) are replaced by spaces, so that words of
//! them are not taken for names nor quotes for commands. Only those with an end are, and none in a source that evaluates
//! texts, since code is written so for that; one that holds a command (``<<~`NAME` ``) stays, too. Interpolated
//! expressions go with their text, as in other texts. Misses: the code behind something that only looks like the
//! beginning of a literal, up to a line that looks like its end.

use std::ops::Range;

/// The beginnings of heredocs whose end may be indented.
const HEREDOCS: [&[u8]; 2] = [b"<<~", b"<<-"];

/// A source with spaces for what stands in its literals; lines stay where they are.
pub fn blanked(text: &[u8]) -> Vec<u8> {
    let mut blanked = text.to_vec();
    let evaluates = text.windows(4).any(|window| window == b"eval");
    let heredocs = if evaluates { Vec::new() } else { heredocs(text) };
    for range in heredocs.into_iter().chain(lists(text)) {
        let literal = blanked.get_mut(range).unwrap_or_default();
        for byte in literal.iter_mut().filter(|byte| **byte != b'\n') {
            *byte = b' ';
        }
    }
    blanked
}

/// The texts of heredocs, without the lines that begin and end them.
fn heredocs(text: &[u8]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut open: Option<(&[u8], usize)> = None;
    let mut at = 0;
    for line in text.split(|byte| *byte == b'\n') {
        let next = at + line.len() + 1;
        match open {
            Some((name, start)) if line.trim_ascii() == name => {
                found.push(start..at);
                open = None;
            }
            Some(_) => {}
            None => open = heredoc(line).map(|name| (name, next)),
        }
        at = next;
    }
    found
}

/// The name of a heredoc that begins on a line; of several, the first one's.
fn heredoc(line: &[u8]) -> Option<&[u8]> {
    if line.trim_ascii_start().starts_with(b"#") {
        return None;
    }
    let at = line.windows(3).position(|window| HEREDOCS.contains(&window))?;
    let rest = line.get(at + 3..)?;
    let rest = match rest.first()? {
        b'\'' | b'"' => rest.get(1..)?,
        _ => rest,
    };
    let length = rest
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
        .count();
    let name = rest.get(..length)?;
    name.first().filter(|byte| byte.is_ascii_uppercase())?;
    Some(name)
}

/// What stands in lists of words.
fn lists(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    // What no end was found of has none further on.
    let mut endless: Vec<u8> = Vec::new();
    // Bounded: each turn moves on, and looks no further than the end that it goes on at.
    while let Some(begin) = text.get(at..).and_then(|rest| {
        rest.windows(3)
            .position(|window| matches!(window, [b'%', b'w' | b'i', _]))
    }) {
        let start = at + begin + 3;
        let closing = match text.get(start - 1) {
            Some(b'[') => b']',
            Some(b'(') => b')',
            Some(b'{') => b'}',
            _ => 0,
        };
        if closing == 0 || endless.contains(&closing) {
            at = start;
            continue;
        }
        let rest = text.get(start..).unwrap_or_default();
        let ends = rest.iter().position(|byte| *byte == closing);
        let Some(length) = ends else {
            endless.push(closing);
            at = start;
            continue;
        };
        found.push(start..start + length);
        at = start + length;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let found = blanked(text.as_bytes());
        assert_eq!(String::from_utf8_lossy(&found), expected, "{text}");
    }

    #[test]
    fn what_stands_in_literals_is_no_code() {
        check("warn(<<~EOM)\n  a `b`\nEOM\nx", "warn(<<~EOM)\n       \nEOM\nx");
        check("<<-'A'\nb\n  A\nc", "<<-'A'\n \n  A\nc");
        check("%w[a syscall]; b", "%w[         ]; b");
        check("%w(\n a-syscall\n); b", "%w(\n          \n); b");
    }

    #[test]
    fn what_may_be_code_stays() {
        for text in [
            "class_eval <<~RUBY\nsystem('a')\nRUBY\n",
            "x = <<~`CMD`\nls\nCMD\n",
            "list <<-ONE\nsystem('a')\n",
            "# <<~EOM\nsystem('a')\nEOM\n",
            "a <<b\nc\nb\n",
            "%w[ without end",
            "5 %width",
        ] {
            check(text, text);
        }
    }

    /// An end that is missing is looked for from each beginning.
    #[test]
    fn what_has_no_end_ends_in_time() {
        let text = "%w[ <<~A\n".repeat(1 << 12);
        assert_eq!(blanked(text.as_bytes()).len(), text.len());
    }
}
