//! Folders and configurations that the data of a program's objects names, and the modules that these hold and name.

use std::collections::{BTreeMap, BTreeSet};

use confine_image::{FileKind, Files, hierarchy};

use super::{folder_of, loader_folders, module, names_without_ending, naming, occurs, paths, words};
use crate::configuration;
use crate::linked::{Linked, LinkedObject};
use crate::store::ObjectStore;

/// How deep below a named folder files are read, and how many in all.
const DEEPEST: usize = 4;
const MOST_FILES: usize = 2000;

/// Folders that end like this hold configuration that is used only where a link elsewhere points into them.
const STORE_ENDING: &str = "-available";

/// Endings of files that are configurations wherever they lie.
const CONFIGURATIONS: [&str; 4] = [".conf", ".cnf", ".cfg", ".ini"];

/// Endings of files that say of one module what it is, each in a file of its own (p11-kit's pkcs11.conf(5); the Vulkan
/// loader's and libglvnd's manifests).
const MANIFESTS: [&str; 2] = [".module", ".json"];

/// Paths of the image that the objects' data names: canonical path to the object that names it.
#[derive(Default)]
pub struct Named {
    /// The program's own folder, which nothing names, has an empty name there.
    pub folders: BTreeMap<String, String>,
    configuration: BTreeMap<String, String>,
    /// The files of the configuration that are texts: path and text.
    pub texts: Vec<(String, String)>,
    /// Folders that also are search paths of libraries: those in them are none.
    searched: BTreeSet<String>,
    /// Folders below named ones, whose own names stand in the data of the same object.
    joined: BTreeMap<String, String>,
}

impl Named {
    pub fn of(files: &dyn Files, store: &ObjectStore, linked: &Linked, told: &BTreeSet<usize>) -> Self {
        let mut named = Self::default();
        let common = loader_folders(files, store, linked);
        let own = library_folders(files, linked, &common);
        for object in naming(linked, told) {
            // The program's own folder is what relative names in its configuration may mean.
            if let Some(folder) = folder_of(&object.path).filter(|folder| !own.contains(*folder)) {
                named.folders.entry(folder.to_owned()).or_default();
            }
            let mut searched = search_paths(object);
            for path in paths(object) {
                // The search path is a text of the object, too: what counts is whether it is named once more.
                if searched.remove(path.as_ref()) {
                    continue;
                }
                let Some(found) = files.resolve(&path).filter(|found| !common.contains(&found.path)) else {
                    continue;
                };
                let is_folder = found.kind == FileKind::Folder;
                if is_configuration(&found.path, is_folder) {
                    let folder = if is_folder {
                        Some(found.path.as_str())
                    } else {
                        own_folder(&found.path)
                    };
                    let path = folder.unwrap_or(&found.path).to_owned();
                    named
                        .configuration
                        .entry(path)
                        .or_insert_with(|| object.path.clone());
                } else if is_folder && found.path != "/" {
                    let mut joining = vec![object];
                    if own.contains(&found.path) {
                        named.searched.insert(found.path.clone());
                        // Where a package has libraries of its own, one of them may join what others ask it for.
                        joining.extend(needing(linked, object));
                    }
                    named.joined.extend(joined(files, &joining, &found.path));
                    let by = named.folders.entry(found.path).or_default();
                    if by.is_empty() {
                        by.clone_from(&object.path);
                    }
                }
            }
        }
        let texts = named.configuration_files(files).into_iter();
        named.texts = texts
            .filter_map(|path| Some((configuration::text(files, &path)?, path)))
            .filter(|(text, _)| !text.contains('\0'))
            .map(|(text, path)| (path, text))
            .collect();
        let configured = named.configured_folders(files).into_iter();
        for (path, folder) in configured.filter(|(_, folder)| !common.contains(folder)) {
            if own.contains(&folder) {
                named.searched.insert(folder.clone());
            }
            named.folders.entry(folder).or_insert(path);
        }
        named
    }

    /// Folders of those that are one package's own, as configuration files name them: the file and the folder.
    fn configured_folders(&self, files: &dyn Files) -> BTreeSet<(String, String)> {
        let words = lines(&self.texts)
            .flat_map(|(path, line)| words(line).map(move |word| (path, word)))
            .filter(|(_, word)| word.starts_with('/') && hierarchy::is_private(word));
        words
            .filter_map(|(path, word)| Some((path, files.resolve(word)?)))
            .filter(|(_, found)| found.kind == FileKind::Folder && hierarchy::is_private(&found.path))
            .map(|(path, found)| (path.to_owned(), found.path))
            .collect()
    }

    /// Shared objects directly in a named folder: folder to (who names it, modules).
    pub fn modules_in_folders(
        &self,
        files: &dyn Files,
        store: &ObjectStore,
    ) -> BTreeMap<String, (String, Vec<String>)> {
        let mut found = BTreeMap::new();
        let folders = self.folders.iter().filter(|(_, by)| !by.is_empty());
        for (folder, by) in folders.chain(&self.joined) {
            let is_library = |name: &str| self.searched.contains(folder) && name.starts_with("lib");
            let names = files.list(folder).into_iter();
            let names = names.filter(|name| name.ends_with(".so") || name.contains(".so."));
            let mut modules: Vec<String> = names
                .filter(|name| !is_library(name))
                .filter_map(|name| module(files, store, &format!("{folder}/{name}")))
                .collect();
            modules.extend(perl_modules(files, store, folder));
            if !modules.is_empty() {
                found.insert(folder.clone(), (by.clone(), modules));
            }
        }
        found
    }

    /// Shared objects that configuration files name: module to the first file that names it.
    pub fn configured_modules(&self, files: &dyn Files, store: &ObjectStore) -> BTreeMap<String, String> {
        let mut modules = BTreeMap::new();
        for (path, line) in lines(&self.texts) {
            let named = words(line).filter(|word| word.ends_with(".so"));
            for word in named.map(str::to_owned).chain(names_without_ending(line)) {
                let places: Vec<String> = match word.starts_with('/') {
                    true => vec![word],
                    false => self
                        .folders
                        .keys()
                        .map(|folder| format!("{folder}/{word}"))
                        .collect(),
                };
                for found in places.iter().filter_map(|place| module(files, store, place)) {
                    modules.entry(found).or_insert_with(|| path.to_owned());
                }
            }
        }
        modules
    }

    /// The regular files at and under the named configuration paths, and the manifests in named folders, sorted.
    fn configuration_files(&self, files: &dyn Files) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut pending: Vec<(String, usize)> =
            self.configuration.keys().map(|path| (path.clone(), 0)).collect();
        // Bounded: every path is visited once, and no more than `MOST_FILES` are listed.
        while let Some((path, depth)) = pending.pop() {
            let Some(here) = files.resolve(&path) else {
                continue;
            };
            if seen.len() >= MOST_FILES || !seen.insert(here.path.clone()) {
                continue;
            }
            match here.kind {
                FileKind::Regular => {
                    found.insert(here.path);
                }
                FileKind::Folder if depth < DEEPEST => {
                    let used = |name: &String| !name.ends_with(STORE_ENDING);
                    let names = files.list(&here.path).into_iter().filter(used).take(MOST_FILES);
                    pending.extend(names.map(|name| (format!("{}/{name}", here.path), depth + 1)));
                }
                _ => {}
            }
        }
        let manifests = self.folders.keys().flat_map(|folder| {
            let names = files.list(folder).into_iter();
            names
                .filter(|name| MANIFESTS.iter().any(|ending| name.ends_with(ending)))
                .take(MOST_FILES)
                .map(move |name| format!("{folder}/{name}"))
        });
        found.extend(manifests);
        found
    }
}

/// The lines of configurations that are no comments, each with the path of its file.
pub(super) fn lines(texts: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    let lines = texts
        .iter()
        .flat_map(|(path, text)| text.lines().map(move |line| (path.as_str(), line)));
    lines.filter(|(_, line)| !line.trim_start().starts_with(['#', ';']))
}

/// The folders that libraries are looked for in: the loader's own and those of the objects' search paths.
pub(super) fn library_folders(
    files: &dyn Files,
    linked: &Linked,
    common: &BTreeSet<String>,
) -> BTreeSet<String> {
    let search_paths = linked.objects.iter().flat_map(|object| {
        let dynamic = &object.elf.dynamic;
        dynamic.rpath.iter().chain(&dynamic.runpath)
    });
    let mut folders = common.clone();
    folders.extend(search_paths.filter_map(|folder| Some(files.resolve(folder)?.path)));
    folders
}

/// The texts by which an object has libraries looked for (DT_RPATH, DT_RUNPATH).
fn search_paths(object: &LinkedObject) -> BTreeSet<String> {
    let dynamic = &object.elf.dynamic;
    BTreeSet::from([dynamic.rpath.join(":"), dynamic.runpath.join(":")])
}

/// The objects that need this one.
fn needing<'a>(linked: &'a Linked, object: &LinkedObject) -> impl Iterator<Item = &'a LinkedObject> {
    let index = linked.objects.iter().position(|other| other.path == object.path);
    let needs = move |other: &&LinkedObject| index.is_some_and(|index| other.needed.contains(&index));
    linked.objects.iter().filter(needs)
}

/// The folders below one of a package's own, if the data of one of these objects holds the name of each on the way, which
/// joins them: with that object.
fn joined(files: &dyn Files, objects: &[&LinkedObject], folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    if !hierarchy::is_private(folder) {
        return found;
    }
    hierarchy::walk(files, folder, DEEPEST, |name, there| {
        let mut objects = objects.iter().filter(|_| there.kind == FileKind::Folder);
        let joining = objects.find(|object| holds_name(object, name));
        if let Some(object) = joining {
            found.push((there.path.clone(), object.path.clone()));
        }
        joining.is_some()
    });
    found
}

/// Whether an object's read-only data holds a name as a text, a part of a path, or the end of a text: linkers let texts
/// share their ends (SHF_MERGE with SHF_STRINGS).
fn holds_name(object: &LinkedObject, name: &str) -> bool {
    occurs(&object.elf, name, |before, after| match after {
        None | Some(0) => true,
        Some(b'/') => matches!(before, None | Some(0 | b'/')),
        Some(_) => false,
    })
}

/// The compiled parts of Perl's modules below a folder of its modules: `auto/Name/Space/Space.so` (perldoc DynaLoader).
fn perl_modules(files: &dyn Files, store: &ObjectStore, folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen = 0;
    let mut pending = vec![(format!("{folder}/auto"), 0)];
    // Bounded: so many names are listed at most, so deep.
    while let Some((here, depth)) = pending.pop() {
        let own = here.rsplit('/').next().unwrap_or_default();
        for name in files.list(&here) {
            seen += 1;
            if seen > MOST_FILES {
                return found;
            }
            let path = format!("{here}/{name}");
            match name.strip_suffix(".so") {
                Some(stem) if stem == own => found.extend(module(files, store, &path)),
                _ if depth < DEEPEST && !name.contains('.') => pending.push((path, depth + 1)),
                _ => {}
            }
        }
    }
    found
}

/// Something below a folder `etc`, or a file with a name that configurations have.
fn is_configuration(path: &str, is_folder: bool) -> bool {
    let mut parts = path.split('/').skip_while(|part| *part != "etc").skip(1);
    let below = parts.next().is_some();
    below || (!is_folder && CONFIGURATIONS.iter().any(|ending| path.ends_with(ending)))
}

/// The folder of a configuration file, if it belongs to the program: not `/etc` itself.
fn own_folder(path: &str) -> Option<&str> {
    folder_of(path).filter(|folder| is_configuration(folder, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_configuration(path: &str, is_folder: bool, expected: bool) {
        assert_eq!(is_configuration(path, is_folder), expected, "{path}");
    }

    #[test]
    fn configuration_lies_below_etc() {
        check_configuration("/etc", true, false);
        check_configuration("/etc/apache2", true, true);
        check_configuration("/usr/local/etc/server/x", false, true);
        check_configuration("/opt/server/server.conf", false, true);
        check_configuration("/usr/share", true, false);
    }
}
