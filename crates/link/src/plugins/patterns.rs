//! Libraries whose names a program puts together by printf(3): Subversion's `libsvn_auth_%s-%d.so.%d`.

use std::collections::{BTreeMap, BTreeSet};

use confine_image::Files;

use super::named::library_folders;
use super::{loaded_names, loader_folders, naming, texts};
use crate::linked::Linked;
use crate::store::ObjectStore;

/// How many letters have to be known behind `lib`: `lib%s.so` would be any.
const KNOWN: usize = 3;

/// A piece of a pattern.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'t> {
    Letters(&'t str),
    /// `%d` and its relatives.
    Number,
    /// `%s`.
    Text,
}

/// The libraries in the folders that the loader looks in whose names fit a pattern in an object's data, and that are not
/// loaded: name to the first object with such a pattern.
pub fn libraries(
    files: &dyn Files,
    store: &ObjectStore,
    linked: &Linked,
    told: &BTreeSet<usize>,
) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut names: Option<BTreeSet<String>> = None;
    for object in naming(linked, told) {
        for pattern in texts(object).filter_map(pieces) {
            let names = names.get_or_insert_with(|| {
                let folders = library_folders(files, linked, &loader_folders(files, store, linked));
                let loaded = loaded_names(linked);
                let names = folders.iter().flat_map(|folder| files.list(folder));
                names.filter(|name| !loaded.contains(name.as_str())).collect()
            });
            for name in names.iter().filter(|name| fits(name, &pattern)) {
                found.entry(name.clone()).or_insert_with(|| object.path.clone());
            }
        }
    }
    found
}

/// Whether a text is a pattern of names of libraries.
pub(super) fn is_pattern(text: &str) -> bool {
    pieces(text).is_some()
}

/// A pattern's pieces; `None` if the text is none.
fn pieces(text: &str) -> Option<Vec<Piece<'_>>> {
    let known = text.strip_prefix("lib")?.split('%').next()?;
    if known.len() < KNOWN || !text.contains(".so") || !text.contains("%s") {
        return None;
    }
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_-+.".contains(letter);
    let mut pieces = Vec::new();
    for (index, part) in text.split('%').enumerate() {
        let letters = match index {
            0 => part,
            _ => {
                let rest = part.trim_start_matches(['l', 'z', 'h']);
                let piece = match rest.chars().next()? {
                    's' => Piece::Text,
                    'd' | 'i' | 'u' => Piece::Number,
                    _ => return None,
                };
                pieces.push(piece);
                rest.get(1..)?
            }
        };
        if !letters.chars().all(is_plain) {
            return None;
        }
        if !letters.is_empty() {
            pieces.push(Piece::Letters(letters));
        }
    }
    Some(pieces)
}

/// Whether a name is one of a pattern. Ends, as each step has fewer pieces or letters.
fn fits(name: &str, pattern: &[Piece<'_>]) -> bool {
    let Some((first, rest)) = pattern.split_first() else {
        return name.is_empty();
    };
    let may_take = |letter: u8| match first {
        Piece::Letters(_) => false,
        Piece::Number => letter.is_ascii_digit(),
        Piece::Text => true,
    };
    match first {
        Piece::Letters(letters) => name.strip_prefix(letters).is_some_and(|name| fits(name, rest)),
        Piece::Number | Piece::Text => name
            .bytes()
            .take_while(|letter| may_take(*letter))
            .enumerate()
            .any(|(at, _)| name.get(at + 1..).is_some_and(|name| fits(name, rest))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_patterns() {
        let subversion = "libsvn_auth_%s-%d.so.%d";
        for (pattern, name, expected) in [
            (subversion, "libsvn_auth_gnome_keyring-1.so.1", true),
            (subversion, "libsvn_auth_gnome_keyring-1.so.1.0.0", false),
            (subversion, "libsvn_auth_-1.so.1", false),
            (subversion, "libsvn_client-1.so.1", false),
            ("libown_%s.so", "libown_module.so", true),
            ("libown_%s.so", "libown_module.so.1", false),
            ("libown%lu_%s.so", "libown12_x.so", true),
        ] {
            let pieces = pieces(pattern).unwrap();
            assert_eq!(fits(name, &pieces), expected, "{name} by {pattern}");
        }
    }

    #[test]
    fn patterns_say_something_of_a_name() {
        for text in [
            "lib%s.so",
            "libx%s.so",
            "libown_%d.so",
            "libown_%s",
            "libown_%p%s.so",
            "library %s.so",
            "own_%s.so",
        ] {
            assert!(!is_pattern(text), "{text}");
        }
    }
}
