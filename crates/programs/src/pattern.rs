//! Words that are known in part: constants with holes, and what such a word can name in the image.
//!
//! A hole is one of three characters that Unicode promises never to assign. A script that holds one of them
//! itself is read as if it had a hole there: more, never less.

use confine_image::{FileKind, Files};

/// Any text: what an unknown value, or a part of one, may be.
pub const ANY: char = '\u{FDD0}';
/// Any text of a file's name: what a `*`, `?` or bracket of an unquoted word may stand for.
pub const STAR: char = '\u{FDD1}';
/// As a whole word: any number of unknown words.
pub const REST: &str = "\u{FDD2}";

/// How many files one pattern may name, and how deep it looks.
const MAX_FILES: usize = 4096;
const MAX_DEPTH: usize = 4;

/// Whether a word is not wholly constant.
pub fn is_open(word: &str) -> bool {
    word.contains([ANY, STAR]) || word.contains(REST)
}

/// Whether a constant can be what `pattern` stands for.
pub fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    // Each turn moves on in the text or moves the retry point on, so at most |text|² turns.
    while t < text.len() {
        match pattern.get(p) {
            Some(&(ANY | STAR)) => {
                retry = Some((p, t));
                p += 1;
            }
            Some(character) if Some(character) == text.get(t) => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((hole, start)) => {
                    retry = Some((hole, start + 1));
                    p = hole + 1;
                    t = start + 1;
                }
                None => return false,
            },
        }
    }
    pattern
        .iter()
        .skip(p)
        .all(|&character| character == ANY || character == STAR)
}

/// The regular files that a pattern can name, or `None` if it does not even name a folder.
pub fn files(files: &dyn Files, pattern: &str) -> Option<Vec<String>> {
    let constant = pattern.split([ANY, STAR]).next()?;
    let (folder, _) = constant.rsplit_once('/')?;
    if folder.is_empty() {
        return None;
    }
    let mut found = Vec::new();
    collect(files, folder, pattern, 0, &mut found);
    Some(found)
}

/// Bounded in depth and count: links may make a folder contain itself.
fn collect(files: &dyn Files, folder: &str, pattern: &str, depth: usize, found: &mut Vec<String>) {
    for name in files.list(folder) {
        if found.len() >= MAX_FILES {
            return;
        }
        let path = format!("{folder}/{name}");
        match files.resolve(&path) {
            Some(there) if there.kind == FileKind::Regular && matches(pattern, &path) => found.push(path),
            Some(there) if there.kind == FileKind::Folder && depth < MAX_DEPTH => {
                collect(files, &path, pattern, depth + 1, found);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ANY, STAR, matches};

    #[test]
    fn holes_match_any_text() {
        let check =
            |pattern: String, text: &str, expected| assert_eq!(matches(&pattern, text), expected, "{text}");
        check(format!("/a/{STAR}.sh"), "/a/b.sh", true);
        check(format!("/a/{STAR}.sh"), "/a/b.sql", false);
        check(format!("{ANY}"), "", true);
        check(format!("-{ANY}"), "-x", true);
        check(format!("-{ANY}"), "x", false);
        check(format!("a{ANY}b{ANY}c"), "a1b2b3c", true);
        check("a".to_owned(), "a", true);
        check("a".to_owned(), "ab", false);
    }
}
