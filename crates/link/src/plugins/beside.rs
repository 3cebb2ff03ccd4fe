//! Modules beside an object that looks for them where it lies itself: it asks for its own path (`dladdr`), lists a folder
//! and opens what it finds there, as libverto does with its event loops. No text names these.

use std::collections::BTreeMap;

use confine_image::Files;

use super::{folder_of, module, naming};
use crate::linked::{Linked, LinkedObject};
use crate::store::ObjectStore;

/// What such an object calls: each of these groups has one that it does.
const CALLED: [&[&str]; 3] = [
    &["dlopen", "dlmopen"],
    &["dladdr", "dladdr1"],
    &["opendir", "scandir", "scandir64", "glob", "glob64"],
];

/// The modules, each with the object beside which it lies. They are called as the object is with something behind a `-` or
/// `_`: a folder of libraries holds those of others, too.
pub fn modules(files: &dyn Files, store: &ObjectStore, linked: &Linked) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for object in naming(linked).filter(|object| looks_beside_itself(object)) {
        let (Some(folder), Some(stem)) = (folder_of(&object.path), stem(&object.path)) else {
            continue;
        };
        let names = files.list(folder).into_iter();
        let beside = names.filter(|name| {
            let rest = name.strip_prefix(stem);
            rest.is_some_and(|rest| rest.starts_with(['-', '_']) && rest.contains(".so"))
        });
        let modules = beside.filter_map(|name| module(files, store, &format!("{folder}/{name}")));
        for path in modules {
            found.entry(path).or_insert_with(|| object.path.clone());
        }
    }
    found
}

fn looks_beside_itself(object: &LinkedObject) -> bool {
    let symbols = &object.elf.dynamic_symbols;
    let calls = |name: &&str| {
        symbols
            .iter()
            .any(|symbol| !symbol.defined && symbol.name == **name)
    };
    CALLED.iter().all(|group| group.iter().any(|name| calls(&name)))
}

/// `libname` of `/folder/libname.so.1`.
fn stem(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next()?;
    let (stem, _) = name.split_once(".so")?;
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
}
