//! Names of classes and methods, each kept once.

use std::rc::Rc;

use rustc_hash::FxHashMap;

/// A name, by its number: classes with slashes, as class files write them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(u32);

/// All names of one search.
#[derive(Default)]
pub struct Names {
    numbers: FxHashMap<Rc<[u8]>, Name>,
    texts: Vec<Rc<[u8]>>,
}

impl Names {
    /// The name that is written so. There are at most as many as there are bytes in the image's classes.
    pub fn intern(&mut self, text: &[u8]) -> Name {
        if let Some(name) = self.numbers.get(text) {
            return *name;
        }
        let text: Rc<[u8]> = text.into();
        let name = Name(u32::try_from(self.texts.len()).unwrap_or(u32::MAX));
        self.numbers.insert(Rc::clone(&text), name);
        self.texts.push(text);
        name
    }

    /// The same, if it was come across before.
    pub fn known(&self, text: &[u8]) -> Option<Name> {
        self.numbers.get(text).copied()
    }

    /// How a name is written.
    pub fn text(&self, name: Name) -> Rc<[u8]> {
        let found = usize::try_from(name.0).ok().and_then(|at| self.texts.get(at));
        found.cloned().unwrap_or_default()
    }
}

/// How the virtual machine calls constructors.
pub const CONSTRUCTOR: &[u8] = b"<init>";

/// The name of the class that a class lies within, or its own.
pub fn outermost(class: &[u8]) -> &[u8] {
    class.split(|letter| *letter == b'$').next().unwrap_or_default()
}

/// The package of a class, with slashes.
pub fn package(class: &[u8]) -> &[u8] {
    let end = class.iter().rposition(|letter| *letter == b'/');
    end.and_then(|end| class.get(..end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one_name() {
        let mut names = Names::default();
        let (one, other) = (names.intern(b"a/B"), names.intern(b"a/C"));
        assert_ne!(one, other);
        assert_eq!(names.intern(b"a/B"), one);
        assert_eq!(names.known(b"a/C"), Some(other));
        assert_eq!(names.known(b"a/D"), None);
        assert_eq!(&*names.text(one), b"a/B");
    }
}
