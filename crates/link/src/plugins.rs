//! Which modules a program may open when it opens one by a name that is not known.
//!
//! One general mechanism instead of knowledge of programs. Folders: absolute paths in the objects' read-only data
//! that are folders of the image and hold shared objects directly, or where Perl keeps those of its modules. Configuration: text files under the
//! configuration folders that the same data names; words in them that end in `.so` and resolve to shared objects.
//! A folder of which the configuration names at least one module is limited to those that it names. Libraries: strings
//! that are names of shared objects and nothing else, one or several with colons between them, as the loader looks
//! for them.
//!
//! Over-approximates: every module of a folder whose name occurs, whoever uses it. Misses: folders whose names
//! are put together at run time or come from the environment, modules that are named without `.so` and lie in no
//! named folder; a program beyond [`TOLD_LATER`] that loads from a folder both what its configuration names and what it is
//! told later.
//! The folders that the loader searches do not count, its own and those of the objects' search paths (DT_RPATH,
//! DT_RUNPATH), for they hold libraries and not modules; the C library's strings do not, for its rules are in
//! [`crate::conventions`].

use std::collections::{BTreeMap, BTreeSet};

use confine_elf::{Machine, Object, Placement};
use confine_image::{FileKind, Files};

use crate::configuration;
use crate::conventions;
use crate::linked::{Linked, LinkedObject, LoadReason};
use crate::store::ObjectStore;

/// The longest path that the kernel takes (`PATH_MAX`).
const LONGEST_PATH: usize = 4096;

/// How deep below a named configuration folder files are read, and how many in all.
const DEEPEST: usize = 4;
const MOST_FILES: usize = 2000;

/// Folders that end like this hold configuration that is used only where a link elsewhere points into them.
const STORE_ENDING: &str = "-available";

/// Words of configurations that name modules without an ending, in lower case with `_` for `-`, each with the reason.
const NAMINGS: [(&[&str], &str); 3] = [
    (
        &["extension", "zend_extension"],
        "PHP adds the ending to a name without one (its manual, extension)",
    ),
    (
        &["plugin_load", "plugin_load_add"],
        "MariaDB and MySQL do (their manuals, --plugin-load-add)",
    ),
    (
        &[
            "shared_preload_libraries",
            "session_preload_libraries",
            "local_preload_libraries",
        ],
        "PostgreSQL does (its manual, shared library preloading)",
    ),
];

/// Folders from which clients may have any module loaded, whatever the configuration names: by the parts that their
/// paths end with.
const TOLD_LATER: [(&[&str], &str); 4] = [
    (
        &["mysql", "plugin"],
        "INSTALL SONAME and CREATE FUNCTION name them",
    ),
    (
        &["mariadb", "plugin"],
        "INSTALL SONAME and CREATE FUNCTION name them",
    ),
    (
        &["postgresql", "*", "lib"],
        "LOAD, CREATE FUNCTION and CREATE EXTENSION name them",
    ),
    (&["postgresql"], "the same, where the server is built from source"),
];

/// A module that may be opened.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Candidate {
    /// Its canonical path, or the name that the loader looks for.
    pub path: String,
    /// Why it may be, in words.
    pub why: String,
}

/// The modules that the program's objects may open, sorted by path.
#[must_use]
pub fn candidates(files: &dyn Files, store: &ObjectStore, linked: &Linked) -> Vec<Candidate> {
    let named = Named::of(files, store, linked);
    let by_folder = named.modules_in_folders(files, store);
    let configured = named.configured_modules(files, store);
    let limited: BTreeSet<&str> = configured.keys().filter_map(|module| folder_of(module)).collect();
    let mut modules: BTreeMap<&str, String> = BTreeMap::new();
    for (folder, (named_by, paths)) in &by_folder {
        if told_later(folder) || !limited.contains(folder.as_str()) {
            let why = format!("{named_by} names its folder {folder}");
            modules.extend(paths.iter().map(|path| (path.as_str(), why.clone())));
        }
    }
    modules.extend(
        configured
            .iter()
            .map(|(path, file)| (path.as_str(), format!("{file} names it"))),
    );
    let named_libraries = libraries(linked);
    modules.extend(
        named_libraries
            .iter()
            .map(|(name, by)| (name.as_str(), format!("{by} names it"))),
    );
    modules
        .into_iter()
        .map(|(path, why)| Candidate {
            path: path.to_owned(),
            why,
        })
        .collect()
}

/// Libraries that the objects' data names: name to the first object that names it. Those that are loaded are left out,
/// for every object names what it needs.
fn libraries(linked: &Linked) -> BTreeMap<String, String> {
    let library = conventions::c_library(linked);
    let loaded: BTreeSet<&str> = linked
        .objects
        .iter()
        .flat_map(|object| {
            let soname = object.elf.dynamic.soname.as_deref();
            let file = object.path.rsplit('/').next();
            let needed = object.elf.dynamic.needed.iter().map(String::as_str);
            needed.chain(soname).chain(file)
        })
        .collect();
    let mut named = BTreeMap::new();
    for (index, object) in linked.objects.iter().enumerate() {
        if library == Some(index) && index != 0 || object.reason == LoadReason::Interpreter {
            continue;
        }
        let lists = texts(object).filter(|text| text.split(':').all(is_library_name));
        for name in lists
            .flat_map(|list| list.split(':'))
            .filter(|name| !loaded.contains(name))
        {
            named
                .entry(name.to_owned())
                .or_insert_with(|| object.path.clone());
        }
    }
    named
}

/// `libNAME.so`, with a version or without.
fn is_library_name(text: &str) -> bool {
    let name = text.strip_prefix("lib").and_then(|rest| rest.split_once(".so"));
    name.is_some_and(|(name, version)| {
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_-+.".contains(letter);
        let is_version = |letter: char| letter.is_ascii_digit() || letter == '.';
        !name.is_empty() && name.chars().all(is_plain) && version.chars().all(is_version)
    })
}

/// Paths of the image that the objects' data names: canonical path to the object that names it.
#[derive(Default)]
struct Named {
    folders: BTreeMap<String, String>,
    configuration: BTreeMap<String, String>,
}

impl Named {
    fn of(files: &dyn Files, store: &ObjectStore, linked: &Linked) -> Self {
        let mut named = Self::default();
        let library = conventions::c_library(linked);
        let own = library_folders(files, store, linked);
        for (index, object) in linked.objects.iter().enumerate() {
            if library == Some(index) && index != 0 || object.reason == LoadReason::Interpreter {
                continue;
            }
            // The program's own folder is what relative names in its configuration may mean.
            if let Some(folder) = folder_of(&object.path).filter(|folder| !own.contains(*folder)) {
                named.folders.entry(folder.to_owned()).or_default();
            }
            for path in paths(object) {
                let Some(found) = files.resolve(path).filter(|found| !own.contains(&found.path)) else {
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
                    let by = named.folders.entry(found.path).or_default();
                    if by.is_empty() {
                        by.clone_from(&object.path);
                    }
                }
            }
        }
        named
    }

    /// Shared objects directly in a named folder: folder to (who names it, modules).
    fn modules_in_folders(
        &self,
        files: &dyn Files,
        store: &ObjectStore,
    ) -> BTreeMap<String, (String, Vec<String>)> {
        let mut found = BTreeMap::new();
        for (folder, by) in self.folders.iter().filter(|(_, by)| !by.is_empty()) {
            let names = files
                .list(folder)
                .into_iter()
                .filter(|name| name.ends_with(".so") || name.contains(".so."));
            let mut modules: Vec<String> = names
                .filter_map(|name| module(files, store, &format!("{folder}/{name}")))
                .collect();
            modules.extend(nested(files, store, folder));
            if !modules.is_empty() {
                found.insert(folder.clone(), (by.clone(), modules));
            }
        }
        found
    }

    /// Shared objects that configuration files name: module to the first file that names it.
    fn configured_modules(&self, files: &dyn Files, store: &ObjectStore) -> BTreeMap<String, String> {
        let mut modules = BTreeMap::new();
        for path in self.configuration_files(files) {
            let Some(text) = configuration::text(files, &path).filter(|text| !text.contains('\0')) else {
                continue;
            };
            for word in text
                .lines()
                .filter(|line| !line.trim_start().starts_with(['#', ';']))
                .flat_map(|line| words(line).map(str::to_owned).chain(names_without_ending(line)))
            {
                let places: Vec<String> = match word.starts_with('/') {
                    true => vec![word],
                    false => self
                        .folders
                        .keys()
                        .map(|folder| format!("{folder}/{word}"))
                        .collect(),
                };
                for found in places.iter().filter_map(|place| module(files, store, place)) {
                    modules.entry(found).or_insert_with(|| path.clone());
                }
            }
        }
        modules
    }

    /// The regular files at and under the named configuration paths, sorted.
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
        found
    }
}

/// The folders that libraries are looked for in: the loader's own and those of the objects' search paths.
pub(crate) fn library_folders(files: &dyn Files, store: &ObjectStore, linked: &Linked) -> BTreeSet<String> {
    let search_paths = linked.objects.iter().flat_map(|object| {
        let dynamic = &object.elf.dynamic;
        dynamic.rpath.iter().chain(&dynamic.runpath).cloned()
    });
    linked
        .loader_folders(files, store)
        .into_iter()
        .chain(search_paths)
        .filter_map(|folder| Some(files.resolve(&folder)?.path))
        .collect()
}

/// The compiled parts of Perl's modules below a folder of its modules: `auto/Name/Space/Space.so` (perldoc DynaLoader).
fn nested(files: &dyn Files, store: &ObjectStore, folder: &str) -> Vec<String> {
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

/// The canonical path of a shared object that can be opened.
fn module(files: &dyn Files, store: &ObjectStore, path: &str) -> Option<String> {
    let found = files
        .resolve(path)
        .filter(|found| found.kind == FileKind::Regular)?;
    let object = store.object(files, &found.path).ok()?;
    let is_module = object.placement == Placement::Relocatable
        && object.machine == Machine::X86_64
        && object.interpreter.is_none()
        && object.dynamic.present;
    is_module.then_some(found.path)
}

/// Absolute paths in the read-only data.
fn paths(object: &LinkedObject) -> impl Iterator<Item = &str> {
    texts(object)
        .filter(|text| text.starts_with('/'))
        .filter(|text| text.chars().all(|letter| !letter.is_control()))
}

/// Strings in the read-only data that begin as a path or a library's name does; looked for once, whichever programs load
/// the object.
fn texts(object: &LinkedObject) -> impl Iterator<Item = &str> {
    let texts = object.texts.get_or_init(|| texts_of(&object.elf));
    texts.iter().map(String::as_str)
}

fn texts_of(object: &Object) -> Vec<String> {
    let read_only = object
        .segments
        .iter()
        .filter(|segment| segment.readable && !segment.writable);
    let bytes = read_only.filter_map(|segment| object.bytes.get(segment.file.clone()));
    let texts = bytes.flat_map(|bytes| bytes.split(|byte| *byte == 0));
    texts
        .filter(|text| matches!(text.first(), Some(b'/' | b'l')) && (2..LONGEST_PATH).contains(&text.len()))
        .filter_map(|text| std::str::from_utf8(text).ok())
        .filter(|text| text.starts_with('/') || text.split(':').all(is_library_name))
        .map(str::to_owned)
        .collect()
}

/// Something below a folder `etc`, or a file with a name that configurations have.
fn is_configuration(path: &str, is_folder: bool) -> bool {
    const ENDINGS: [&str; 4] = [".conf", ".cnf", ".cfg", ".ini"];
    let mut parts = path.split('/').skip_while(|part| *part != "etc").skip(1);
    let below = parts.next().is_some();
    below || (!is_folder && ENDINGS.iter().any(|ending| path.ends_with(ending)))
}

/// The folder of a configuration file, if it belongs to the program: not `/etc` itself.
fn own_folder(path: &str) -> Option<&str> {
    folder_of(path).filter(|folder| is_configuration(folder, true))
}

fn folder_of(path: &str) -> Option<&str> {
    path.rsplit_once('/')
        .map(|(folder, _)| folder)
        .filter(|folder| !folder.is_empty())
}

/// The words of a line that name a module.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let separators = |letter: char| letter.is_whitespace() || "\"'=;,()<>[]{}:".contains(letter);
    line.split(separators)
        .filter(|word| word.ends_with(".so") && word.len() < LONGEST_PATH)
}

/// The files of modules that a line names without their ending, by [`NAMINGS`].
fn names_without_ending(line: &str) -> Vec<String> {
    let Some((key, value)) = line.split_once('=') else {
        return Vec::new();
    };
    let key = key.trim().to_lowercase().replace('-', "_");
    if !NAMINGS.iter().any(|(keys, _)| keys.contains(&key.as_str())) {
        return Vec::new();
    }
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "_-/.$".contains(letter);
    let names = value.split(|letter: char| !is_part(letter));
    names
        .filter(|name| !name.is_empty() && !name.ends_with(".so") && name.len() < LONGEST_PATH)
        .map(|name| format!("{}.so", name.rsplit("$libdir/").next().unwrap_or(name)))
        .collect()
}

/// Whether clients have modules of this folder loaded, by [`TOLD_LATER`].
fn told_later(folder: &str) -> bool {
    let parts: Vec<&str> = folder.split('/').collect();
    TOLD_LATER.iter().any(|(ending, _)| {
        let rest = parts
            .len()
            .checked_sub(ending.len())
            .and_then(|from| parts.get(from..));
        rest.is_some_and(|rest| {
            rest.iter()
                .zip(*ending)
                .all(|(part, wanted)| *wanted == "*" || part == wanted)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_an_ending_are_those_of_known_keys() {
        for (line, expected) in [
            ("extension=pdo_mysql", &["pdo_mysql.so"][..]),
            ("zend_extension = \"opcache\"", &["opcache.so"]),
            ("extension=pdo.so", &[]),
            ("plugin-load-add = auth_gssapi", &["auth_gssapi.so"]),
            ("shared_preload_libraries = 'one, two'", &["one.so", "two.so"]),
            (
                "session_preload_libraries = '$libdir/plugins/one'",
                &["plugins/one.so"],
            ),
            ("extension_dir = modules", &[]),
        ] {
            assert_eq!(names_without_ending(line), expected, "{line}");
        }
    }

    #[test]
    fn clients_name_modules_of_databases() {
        for (folder, expected) in [
            ("/usr/lib/mysql/plugin", true),
            ("/usr/lib/postgresql/15/lib", true),
            ("/usr/lib/php/20220829", false),
            ("/lib", false),
        ] {
            assert_eq!(told_later(folder), expected, "{folder}");
        }
    }

    fn check_words(line: &str, expected: &[&str]) {
        assert_eq!(words(line).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn words_of_the_usual_configurations() {
        check_words(
            "LoadModule mime_module /usr/lib/m/mod_mime.so",
            &["/usr/lib/m/mod_mime.so"],
        );
        check_words(
            "load_module modules/ngx_stream_module.so;",
            &["modules/ngx_stream_module.so"],
        );
        check_words("extension=\"pdo.so\"", &["pdo.so"]);
        check_words("nothing here", &[]);
    }

    #[test]
    fn library_names_are_nothing_else() {
        for (text, expected) in [
            ("libreadline.so.8", true),
            ("libstdc++.so", true),
            ("libgtk-3.so.0.1", true),
            ("lib.so", false),
            ("libx.so is missing", false),
            ("libx.sock", false),
            ("x.so", false),
        ] {
            assert_eq!(is_library_name(text), expected, "{text}");
        }
    }

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
