//! Which names sources in PHP have, or can put together.
//!
//! Abstraction: a source is its words, whatever they stand for, without case. A name is put together of a piece, and of a word
//! that stands anywhere, or of two pieces with or without a word between. A piece is a word that something follows or
//! precedes which may be the rest: a variable in the same text (`"image$type"`), a conversion of printf (`'image%s'`), another
//! text (`'image' . $type`); or one that an underscore ends or begins. Over-reports: words that are no functions' names.
//! Misses: names of more pieces, pieces of two letters and less, and what is no word of any source: parts that come from a
//! client or a database.

use rustc_hash::{FxHashMap, FxHashSet};

/// The shortest piece of a name.
const SHORTEST: usize = 3;

/// The names that were found.
pub struct Names {
    /// The names that are looked for and all parts of them, each with whether it is a word of a source.
    words: FxHashMap<Vec<u8>, bool>,
    beginnings: FxHashSet<Vec<u8>>,
    ends: FxHashSet<Vec<u8>>,
}

impl Names {
    /// Looks for these, which are in lower case.
    pub fn new<'n>(wanted: impl Iterator<Item = &'n [u8]>) -> Self {
        let mut words = FxHashMap::default();
        for name in wanted {
            for from in 0..name.len() {
                for to in from + 1..=name.len() {
                    if let Some(part) = name.get(from..to).filter(|part| !words.contains_key(*part)) {
                        words.insert(part.to_vec(), false);
                    }
                }
            }
        }
        Self {
            words,
            beginnings: FxHashSet::default(),
            ends: FxHashSet::default(),
        }
    }

    /// Takes in a source.
    pub fn read(&mut self, source: &[u8]) {
        let text = source.to_ascii_lowercase();
        let mut at = 0;
        // Bounded: each turn goes on to the next word.
        while let Some(skipped) = text.get(at..).and_then(|rest| rest.iter().position(is_part)) {
            let from = at + skipped;
            let rest = text.get(from..).unwrap_or_default();
            let length = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
            at = from + length;
            self.take(&text, from, at);
        }
    }

    /// Whether sources have a name, or what it is put together of.
    pub fn has(&self, name: &[u8]) -> bool {
        let cut = |at: usize| name.split_at_checked(at).unwrap_or_default();
        let is_put_together = |at: usize| {
            let (beginning, rest) = cut(at);
            if self.ends.contains(rest) && (self.is_word(beginning) || self.beginnings.contains(beginning)) {
                return true;
            }
            self.beginnings.contains(beginning)
                && (self.is_word(rest)
                    || (1..rest.len()).any(|end| {
                        let (word, end) = rest.split_at_checked(end).unwrap_or_default();
                        self.ends.contains(end) && self.is_word(word)
                    }))
        };
        self.is_word(name) || (1..name.len()).any(is_put_together)
    }

    fn is_word(&self, word: &[u8]) -> bool {
        self.words.get(word).copied().unwrap_or(false)
    }

    /// A word and what is around it.
    fn take(&mut self, text: &[u8], from: usize, to: usize) {
        let word = text.get(from..to).unwrap_or_default();
        let (before, behind) = (
            text.get(..from).unwrap_or_default(),
            text.get(to..).unwrap_or_default(),
        );
        // The letter of a conversion is a part of the word behind it.
        let end = match before.last() {
            Some(b'%') => word.get(1..).unwrap_or_default(),
            _ => word,
        };
        for word in [word, end] {
            if let Some(found) = self.words.get_mut(word) {
                *found = true;
            }
        }
        if word.len() >= SHORTEST && (word.ends_with(b"_") || is_continued(behind)) {
            self.beginnings.insert(word.to_vec());
        }
        if end.len() >= SHORTEST && (end.starts_with(b"_") || before.ends_with(b"%") || is_continuing(before))
        {
            self.ends.insert(end.to_vec());
        }
    }
}

/// Whether what stands behind a word may go on with it.
fn is_continued(behind: &[u8]) -> bool {
    match behind.first() {
        Some(b'$' | b'{' | b'%') => true,
        Some(b'\'' | b'"') => joins(behind.get(1..).unwrap_or_default().iter()),
        _ => false,
    }
}

/// Whether a word may go on with what stands before it.
fn is_continuing(before: &[u8]) -> bool {
    match before.last() {
        Some(b'}') => true,
        Some(b'\'' | b'"') => joins(before.iter().rev().skip(1)),
        _ => false,
    }
}

/// Whether the next byte but for blanks is what joins texts.
fn joins<'b>(mut bytes: impl Iterator<Item = &'b u8>) -> bool {
    bytes.find(|byte| !byte.is_ascii_whitespace()) == Some(&b'.')
}

fn is_part(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, expected: &[&str]) {
        let all = [
            "posix_kill",
            "imagecreatefrompng",
            "link",
            "msg_send",
            "shm_put_var",
        ];
        let mut names = Names::new(all.iter().map(|name| name.as_bytes()));
        names.read(source.as_bytes());
        let found: Vec<&str> = all
            .into_iter()
            .filter(|name| names.has(name.as_bytes()))
            .collect();
        assert_eq!(found, expected, "{source}");
    }

    #[test]
    fn words_are_names_wherever_they_stand() {
        check("\\Posix_Kill(1, 2)", &["posix_kill"]);
        check("array_map('link', $x); // msg_send", &["link", "msg_send"]);
        check("$unlink = linked(shm_put_vars);", &[]);
    }

    #[test]
    fn names_are_put_together() {
        for source in [
            "('imagecreatefrom' . $type)()",
            "(\"imagecreatefrom$type\")()",
            "\"imagecreatefrom{$type}\"",
            "sprintf('imagecreatefrom%s', $x)",
            "\"imagecreate{$x}png\"; 'from'",
        ] {
            check(&format!("{source}; 'png'"), &["imagecreatefrompng"]);
        }
        for source in ["$x\n    . 'frompng'", "\"{$x}frompng\"", "'%sfrompng'"] {
            check(&format!("'imagecreate'; {source}"), &["imagecreatefrompng"]);
        }
        check("const PREFIX = 'posix_'; 'kill'", &["posix_kill"]);
        check("'_send'; \"msg$x\"", &["msg_send"]);
    }

    #[test]
    fn pieces_alone_are_no_names() {
        check("'image' . $x; $x . '_kill'; \"shm_{$x}\"", &[]);
        check("'im' . $x; 'agecreatefrompng'", &[]);
    }
}
