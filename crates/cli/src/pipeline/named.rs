//! Functions of libraries that the program looks up by names which its own objects have for texts.
//!
//! A library is opened for a few of its functions, and who opens it names them. So of a library that an object of the
//! program names, and of modules with native methods, an exported function is a root if its name is a text of any object:
//! whole, or the end of a longer one, since linkers keep a text that ends another one within that. A library's own texts
//! count for it only if it looks up names in itself: they have names of functions for messages. Of libraries it is one, too,
//! if its name is put together from a text: one that begins or ends it with an underscore between (`_init`), or one with
//! conversions of printf(3) in their places (`u_%s_72`).
//!
//! Over-reports: texts that are no names. Misses: names that come from elsewhere than objects, which sources in languages
//! that can call foreign functions tell by themselves (`languages.rs`), and names put together from smaller pieces.

use std::collections::BTreeSet;

use confine_elf::Object;
use confine_link::texts::{Wanted, is_of_names};
use confine_link::{Linked, LinkedObject};
use confine_solve::LateRoot;
use rustc_hash::{FxHashMap, FxHashSet};

use super::{AnalysedProgram, later, natives};

/// The shortest name that is looked for: any shorter one counts.
const SHORTEST: usize = 4;

/// How much of a name a text must have that others are put together from: with less, too many are so by chance.
const SHORTEST_PARTS: usize = 4;

/// What is known of the functions that a program's objects name.
#[derive(Debug, Default)]
pub struct Named {
    /// The libraries that objects name, by the numbers of their objects.
    libraries: BTreeSet<usize>,
    looked_at: LookedAt,
    roots: Vec<LateRoot>,
}

/// What the roots were found for.
#[derive(Debug, Default, PartialEq, Eq)]
struct LookedAt {
    /// How many objects there were.
    objects: usize,
    libraries: BTreeSet<usize>,
    governed: BTreeSet<usize>,
    /// The objects that open the program itself.
    opening_itself: BTreeSet<usize>,
}

impl Named {
    /// That an object of the program names this library.
    pub fn add_library(&mut self, object: usize) {
        self.libraries.insert(object);
    }
}

/// The functions that objects of the program name.
pub fn roots(program: &mut AnalysedProgram) -> Vec<LateRoot> {
    let named = &program.later.named;
    let passed = program.solution.passed.iter();
    let opening_itself = passed.filter(|passed| later::opens_itself(passed));
    let looked_at = LookedAt {
        objects: program.linked.objects.len(),
        libraries: named.libraries.clone(),
        governed: natives::governed(&program.linked, &program.program),
        opening_itself: opening_itself.map(|passed| passed.object).collect(),
    };
    if looked_at != named.looked_at {
        let roots = find(&program.linked, &looked_at);
        program.later.named.looked_at = looked_at;
        program.later.named.roots = roots;
    }
    program.later.named.roots.clone()
}

/// The objects that look up and open nothing, so that it is a handle that needs no opening by which they look up names: it may
/// be in themselves. Which these are is taken from what they ask for, and not from what is reached: with that, every step of the
/// solution would bring others.
fn without_opening(linked: &Linked) -> impl Iterator<Item = usize> {
    let objects = linked.objects.iter().enumerate();
    let without = objects
        .filter(|(_, object)| uses(&object.elf, later::looks_up_by) && !uses(&object.elf, later::opens_by));
    without.map(|(index, _)| index)
}

/// Whether an object asks for a symbol of such a name.
pub fn uses(object: &Object, is_meant: impl Fn(&str) -> bool) -> bool {
    let symbols = object.dynamic_symbols.iter();
    symbols
        .filter(|symbol| !symbol.defined)
        .any(|symbol| is_meant(&symbol.name))
}

fn find(linked: &Linked, wanted: &LookedAt) -> Vec<LateRoot> {
    let objects = wanted.governed.union(&wanted.libraries);
    let exported: Vec<(usize, u32, &str)> = objects
        .flat_map(|index| {
            let symbols = linked.exported(*index);
            symbols.map(move |(symbol, name)| (*index, symbol, name))
        })
        .collect();
    if exported.is_empty() {
        return Vec::new();
    }
    let names = exported.iter().map(|(.., name)| name.as_bytes());
    let names = Wanted::new(names.filter(|name| name.len() >= SHORTEST).collect());
    let mut texts: FxHashMap<&[u8], BTreeSet<usize>> = FxHashMap::default();
    for (index, object) in linked.objects.iter().enumerate() {
        for name in object.name_texts().iter().flat_map(|text| names.ends_of(text)) {
            texts.entry(name).or_default().insert(index);
        }
    }
    let parts = match wanted.libraries.is_empty() {
        true => Parts::default(),
        false => Parts::of(linked),
    };
    // What others open are modules and libraries.
    let in_themselves: BTreeSet<usize> = without_opening(linked)
        .chain(wanted.opening_itself.iter().copied())
        .collect();
    let is_named = |object: usize, name: &str| {
        let by = texts.get(name.as_bytes());
        // A library's own texts have its functions' names for messages.
        let by_another = |by: &usize| *by != object || in_themselves.contains(by);
        name.len() < SHORTEST
            || match wanted.governed.contains(&object) {
                true => by.is_some(),
                false => by.is_some_and(|by| by.iter().any(by_another)) || parts.make(name.as_bytes()),
            }
    };
    let named = exported
        .iter()
        .filter(|(object, _, name)| is_named(*object, name));
    named
        .map(|(object, symbol, _)| LateRoot {
            object: *object,
            symbol: *symbol,
            reason: "an object of the program names it".to_owned(),
            ..LateRoot::default()
        })
        .collect()
}

/// Texts that names are put together from: how they end, by how they begin.
#[derive(Debug, Default)]
struct Parts<'a>(FxHashMap<&'a [u8], FxHashSet<&'a [u8]>>);

impl<'a> Parts<'a> {
    fn of(linked: &'a Linked) -> Self {
        let mut parts = Self::default();
        for text in linked.objects.iter().flat_map(LinkedObject::name_texts) {
            parts.add(text);
        }
        parts
    }

    fn add(&mut self, text: &'a [u8]) {
        let (beginning, end) = match around_conversions(text) {
            Some(around) => around,
            None if text.ends_with(b"_") => (text, &[][..]),
            None if text.starts_with(b"_") => (&[][..], text),
            None => return,
        };
        let is_long_enough = beginning.len() + end.len() >= SHORTEST_PARTS;
        if is_long_enough && beginning.iter().chain(end).all(is_of_names) {
            self.0.entry(beginning).or_default().insert(end);
        }
    }

    /// Whether a name begins and ends like one of them, with something between.
    fn make(&self, name: &[u8]) -> bool {
        (0..name.len()).any(|length| {
            let (beginning, rest) = name.split_at_checked(length).unwrap_or_default();
            let ends = self.0.get(beginning);
            ends.is_some_and(|ends| {
                let mut rests = (1..=rest.len()).filter_map(|from| rest.get(from..));
                rests.any(|end| ends.contains(end))
            })
        })
    }
}

/// What stands before the first conversion of printf(3) in a text and behind the last one, if it has any.
fn around_conversions(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let first = text.iter().position(|byte| *byte == b'%')?;
    let last = text.iter().rposition(|byte| *byte == b'%')?;
    let behind = text.get(last + 1..)?;
    let letter = behind.iter().position(u8::is_ascii_alphabetic)?;
    Some((text.get(..first)?, behind.get(letter + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_put_together_from_parts() {
        let mut parts = Parts::default();
        for text in [
            "_init",
            "g_io_",
            "u_%s_72",
            "Register%.8sImage",
            "_nss_%s_%s",
            "%s: no such file",
            "%s",
            "x_",
        ] {
            parts.add(text.as_bytes());
        }
        for name in [
            "camellia_init",
            "g_io_load",
            "u_errorName_72",
            "RegisterPNGImage",
            "_nss_files_open",
        ] {
            assert!(parts.make(name.as_bytes()), "{name}");
        }
        for name in ["_init", "RegisterPNG", "x_open", "g_file_new", "ucol_open_72"] {
            assert!(!parts.make(name.as_bytes()), "{name}");
        }
    }
}
