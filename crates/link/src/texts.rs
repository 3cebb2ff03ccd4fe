//! Texts of an object that may name functions elsewhere, looked for once, whichever programs load the object.

use std::collections::BTreeSet;

use confine_elf::Object;
use rustc_hash::FxHashSet;

use crate::linked::LinkedObject;

/// Where the names of an object's own symbols lie, which are no texts of its.
const NAMES: &str = ".dynstr";

/// The shortest and the longest text that is looked at, in bytes: shorter names count without, and none is longer.
const SHORTEST: usize = 4;
const LONGEST: usize = 200;

/// How much of a name's end is compared first, at most.
const COMPARED: usize = 4;

impl LinkedObject {
    /// What may name a function: each text of letters, digits and underscores, or the end of one that is such, for linkers keep
    /// a text that ends another one within that; and texts of such with conversions of printf(3).
    pub fn name_texts(&self) -> &[Box<[u8]>] {
        self.name_texts.get_or_init(|| {
            let names: BTreeSet<&[u8]> = whole_texts(&self.elf).filter_map(name).collect();
            names.into_iter().map(Box::from).collect()
        })
    }
}

fn name(text: &[u8]) -> Option<&[u8]> {
    if text.contains(&b'%') && text.len() <= LONGEST {
        return text
            .iter()
            .all(|byte| is_of_names(byte) || b"%.-".contains(byte))
            .then_some(text);
    }
    let before = text.iter().rposition(|byte| !is_of_names(byte));
    let end = text.get(before.map_or(0, |before| before + 1)..)?;
    (SHORTEST..=LONGEST).contains(&end.len()).then_some(end)
}

/// Whether a letter may be a part of a function's name.
#[must_use]
pub fn is_of_names(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'_'
}

/// The whole texts of an object, without the names of its symbols.
pub fn whole_texts(object: &Object) -> impl Iterator<Item = &[u8]> {
    let data = data(object).into_iter();
    data.flat_map(|bytes| bytes.split(|byte| *byte == 0))
        .filter(|text| !text.is_empty())
}

/// What an object has in memory besides code, without the names of its symbols.
fn data(object: &Object) -> Vec<&[u8]> {
    let segments = object.segments.iter().filter(|segment| !segment.executable);
    let names = object.sections.iter().find(|section| section.name == NAMES);
    segments
        .flat_map(|segment| {
            let bytes = object.bytes_at(segment.addresses.start);
            let cut = names.filter(|names| segment.addresses.contains(&names.addresses.start));
            let Some(cut) = cut else { return vec![bytes] };
            let at = |address: u64| {
                usize::try_from(address.saturating_sub(segment.addresses.start)).unwrap_or(usize::MAX)
            };
            let before = bytes.get(..at(cut.addresses.start)).unwrap_or_default();
            let after = bytes.get(at(cut.addresses.end)..).unwrap_or_default();
            vec![before, after]
        })
        .collect()
}

/// Names that are looked for among texts.
pub struct Wanted<'n> {
    names: FxHashSet<&'n [u8]>,
    lengths: BTreeSet<usize>,
    /// How many bytes at the end of each name tell most texts from them, and those.
    compared: usize,
    ends: FxHashSet<&'n [u8]>,
}

impl<'n> Wanted<'n> {
    /// Looks for these.
    #[must_use]
    pub fn new(names: FxHashSet<&'n [u8]>) -> Self {
        let lengths: BTreeSet<usize> = names.iter().map(|name| name.len()).collect();
        let compared = lengths.first().map_or(0, |shortest| (*shortest).min(COMPARED));
        Self {
            ends: names.iter().filter_map(|name| end(name, compared)).collect(),
            compared,
            lengths,
            names,
        }
    }

    /// Those that a text is, or ends with: linkers keep a text that ends another one within that.
    pub fn ends_of(&self, text: &[u8]) -> impl Iterator<Item = &'n [u8]> {
        let may_end = end(text, self.compared).is_some_and(|end| self.ends.contains(end));
        let lengths = self.lengths.iter().filter(move |_| may_end);
        lengths.filter_map(|length| self.names.get(end(text, *length)?).copied())
    }
}

fn end(text: &[u8], length: usize) -> Option<&[u8]> {
    text.get(text.len().checked_sub(length)?..)
}
