//! Modules beside an object that looks for them where it lies itself, which no text names as a whole:
//!
//! - an object that asks for its own path (`dladdr`), lists a folder and opens what it finds there, as libverto does with its
//!   event loops;
//! - one in a package's own folder that holds names without their ending, as Julia's compiled library holds those of the
//!   libraries that its sources call.

use std::collections::{BTreeMap, BTreeSet};

use confine_image::{Files, hierarchy};
use memchr::memmem;

use super::{folder_of, loader_folders, module, naming};
use crate::linked::{Linked, LinkedObject};
use crate::store::ObjectStore;

/// What such an object calls: each of these groups has one that it does.
const CALLED: [&[&str]; 3] = [
    &["dlopen", "dlmopen"],
    &["dladdr", "dladdr1"],
    &["opendir", "scandir", "scandir64", "glob", "glob64"],
];

/// How names of libraries begin and end.
const LIBRARY: (&str, &str) = ("lib", ".so");

/// The modules, each with the object beside which it lies.
pub fn modules(
    files: &dyn Files,
    store: &ObjectStore,
    linked: &Linked,
    told: &BTreeSet<usize>,
) -> BTreeMap<String, String> {
    let common = loader_folders(files, store, linked);
    let mut found = BTreeMap::new();
    for object in naming(linked, told) {
        let Some(folder) = folder_of(&object.path) else {
            continue;
        };
        let mut beside = Vec::new();
        if looks_beside_itself(object) {
            beside.extend(called_alike(files, folder, &object.path));
        }
        if hierarchy::is_private(folder) && !common.contains(folder) {
            beside.extend(named_in_short(files, folder, object));
        }
        let modules = beside
            .iter()
            .filter_map(|name| module(files, store, &format!("{folder}/{name}")));
        for path in modules.filter(|path| *path != object.path) {
            found.entry(path).or_insert_with(|| object.path.clone());
        }
    }
    found
}

/// What is called as an object is with something behind a `-` or `_`: a folder of libraries holds those of others, too.
fn called_alike(files: &dyn Files, folder: &str, path: &str) -> Vec<String> {
    let Some(stem) = stem(path) else { return Vec::new() };
    let is_alike = |name: &String| {
        let rest = name.strip_prefix(stem);
        rest.is_some_and(|rest| rest.starts_with(['-', '_']) && rest.contains(LIBRARY.1))
    };
    files.list(folder).into_iter().filter(is_alike).collect()
}

/// The libraries of a folder whose names an object's data holds without their ending, as texts of their own.
fn named_in_short(files: &dyn Files, folder: &str, object: &LinkedObject) -> Vec<String> {
    let (begin, end) = LIBRARY;
    let names = files.list(folder);
    let stems = names
        .iter()
        .filter(|name| name.starts_with(begin))
        .filter_map(|name| name.strip_suffix(end));
    let mut stems = stems.peekable();
    if stems.peek().is_none() {
        return Vec::new();
    }
    let held = object.short_names.get_or_init(|| {
        let elf = &object.elf;
        let data = elf.segments.iter().filter(|segment| !segment.executable);
        data.filter_map(|segment| elf.bytes.get(segment.file.clone()))
            .flat_map(|bytes| texts_beginning_with(bytes, begin.as_bytes()))
            .map(Box::from)
            .collect()
    });
    stems
        .filter(|stem| held.contains(stem.as_bytes()))
        .map(|stem| format!("{stem}{end}"))
        .collect()
}

/// The texts that end with a zero and begin like this, behind what is no letter of a name.
fn texts_beginning_with<'b>(bytes: &'b [u8], begin: &'b [u8]) -> impl Iterator<Item = &'b [u8]> {
    memmem::find_iter(bytes, begin).filter_map(|at| {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        let begins = before.is_none_or(|byte| !byte.is_ascii_graphic());
        let text = bytes.get(at..)?.split(|byte| *byte == 0).next()?;
        begins.then_some(text)
    })
}

fn looks_beside_itself(object: &LinkedObject) -> bool {
    let symbols = &object.elf.dynamic_symbols;
    let calls = |name: &&str| {
        symbols
            .iter()
            .any(|symbol| !symbol.defined && symbol.name == **name)
    };
    CALLED.iter().all(|group| group.iter().any(calls))
}

/// `libname` of `/folder/libname.so.1`.
fn stem(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next()?;
    let (stem, _) = name.split_once(LIBRARY.1)?;
    (!stem.is_empty()).then_some(stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stem_is_what_a_library_is_called() {
        assert_eq!(stem("/usr/lib/libverto.so.1.0.0"), Some("libverto"));
        assert_eq!(stem("/usr/sbin/krb5kdc"), None);
        assert_eq!(stem("/x/.so"), None);
    }

    #[test]
    fn texts_of_their_own_end_with_a_zero() {
        let bytes = b"\x07\0\0\0libgmp\0xlibno\0lib\0libend";
        let found: Vec<&[u8]> = texts_beginning_with(bytes, b"lib").collect();
        assert_eq!(found, [&b"libgmp"[..], b"lib", b"libend"]);
    }
}
