//! Configurations of sections with `name = value` lines.

/// How a value goes on in the next line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continued {
    /// The next line begins with a blank.
    ByIndent,
    /// The line ends in a backslash.
    ByBackslash,
}

/// A section, as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Section {
    /// What is in brackets.
    pub name: String,
    /// Line, name and value, in the file's order.
    pub entries: Vec<(usize, String, String)>,
}

impl Section {
    /// The last value of that name, with its line.
    pub fn value(&self, name: &str) -> Option<(usize, &str)> {
        let mut entries = self.entries.iter().rev();
        entries
            .find(|(_, key, _)| key == name)
            .map(|(line, _, value)| (*line, value.as_str()))
    }
}

/// Reads a text; what is neither a section, an entry nor a comment is left out.
pub fn parse(text: &str, continued: Continued) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut goes_on = false;
    for (line, raw) in super::numbered(text) {
        let trimmed = raw.trim();
        let comment = trimmed.starts_with(['#', ';']);
        let last = sections.last_mut().and_then(|section| section.entries.last_mut());
        let indented = continued == Continued::ByIndent && raw.starts_with([' ', '\t']);
        if let Some((_, _, value)) = last
            && (goes_on || indented)
            && !comment
            && (goes_on || !trimmed.is_empty())
        {
            let (text, more) = tail(trimmed, continued);
            goes_on = more;
            value.push(if continued == Continued::ByIndent {
                '\n'
            } else {
                ' '
            });
            value.push_str(text);
            continue;
        }
        if comment || trimmed.is_empty() {
            continue;
        }
        goes_on = false;
        if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            sections.push(Section {
                name: name.trim().to_owned(),
                entries: Vec::new(),
            });
            continue;
        }
        let separators: &[char] = match continued {
            Continued::ByIndent => &['=', ':'],
            Continued::ByBackslash => &['='],
        };
        if let Some((name, value)) = trimmed.split_once(separators)
            && let Some(section) = sections.last_mut()
        {
            let (value, more) = tail(value.trim(), continued);
            goes_on = more;
            section
                .entries
                .push((line, name.trim().to_owned(), value.to_owned()));
        }
    }
    sections
}

/// A line without the mark that it goes on, and whether it does.
fn tail(text: &str, continued: Continued) -> (&str, bool) {
    match text.strip_suffix('\\') {
        Some(rest) if continued == Continued::ByBackslash => (rest.trim_end(), true),
        _ => (text, false),
    }
}

#[cfg(test)]
mod tests {
    use super::{Continued, parse};

    #[test]
    fn values_go_on_in_two_ways() {
        let check = |text: &str, continued, expected: &[(&str, &str, usize, &str)]| {
            let sections = parse(text, continued);
            let found: Vec<(&str, &str, usize, &str)> = sections
                .iter()
                .flat_map(|section| {
                    section.entries.iter().map(|(line, key, value)| {
                        (section.name.as_str(), key.as_str(), *line, value.as_str())
                    })
                })
                .collect();
            assert_eq!(found, expected, "{text}");
        };
        check(
            "x=0\n[a]\n; no\nb = c\n  d\n\n[e:f]\ng: h=i\n",
            Continued::ByIndent,
            &[("a", "b", 4, "c\nd"), ("e:f", "g", 8, "h=i")],
        );
        check(
            "[A]\nB=c \\\n# no\n d\nB=\n",
            Continued::ByBackslash,
            &[("A", "B", 2, "c d"), ("A", "B", 5, "")],
        );
    }
}
