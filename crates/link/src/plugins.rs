//! Which modules a program may open when it opens one by a name that is not known.
//!
//! One general mechanism instead of knowledge of programs. Folders: absolute paths in the objects' read-only data
//! that are folders of the image and hold shared objects directly, or where Perl keeps those of its modules. Configuration: text files under the
//! configuration folders that the same data names, and manifests of modules in its other folders; words in them that end in `.so` and resolve to shared objects.
//! Paths of modules count, too, also such as begin at the program's folder or the object's own, and modules beside an object
//! that looks for them there.
//! A folder of which the configuration names at least one module is limited to those that it names; what comes with a library
//! and is loaded by its name alone counts where something has that name ([`shipped`]). Libraries: strings
//! that are names of shared objects and nothing else, one or several with colons between them, as the loader looks
//! for them.
//!
//! Over-approximates: every module of a folder whose name occurs, whoever uses it. Misses: folders whose names
//! are put together at run time or come from the environment, modules that are named without `.so` and lie in no
//! named folder; a program beyond [`TOLD_LATER`] that loads from a folder both what its configuration names and what it is
//! told later.
//! The folders that the loader searches for every program do not count, for they hold libraries and not modules; of those
//! in an object's search path (DT_RPATH, DT_RUNPATH) only such as are named once more do, and in them what is not called as libraries are; the C library's strings do not, for its rules are in
//! [`crate::conventions`].

mod beside;
mod named;
mod patterns;
mod shipped;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use confine_elf::{Machine, Object, Placement};
use confine_image::{FileKind, Files};

use memchr::memmem;
use named::Named;
pub use shipped::{Asking, names as shipped_modules};

use crate::conventions;
use crate::linked::{Linked, LinkedObject, LoadReason};
use crate::store::ObjectStore;

/// The longest path that the kernel takes (`PATH_MAX`).
const LONGEST_PATH: usize = 4096;

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
    /// Whether it is a library that an object's data names, as those are that others need; else it is a module.
    pub is_library: bool,
}

/// The modules that the program's objects may open, sorted by path. What is in the data of those objects that are `told` what
/// they open does not count.
#[must_use]
pub fn candidates(
    files: &dyn Files,
    store: &ObjectStore,
    linked: &Linked,
    told: &BTreeSet<usize>,
    asking: Asking<'_>,
) -> Vec<Candidate> {
    let named = Named::of(files, store, linked, told);
    let by_folder = named.modules_in_folders(files, store);
    let configured = named.configured_modules(files, store);
    let limited: BTreeSet<&str> = configured.keys().filter_map(|module| folder_of(module)).collect();
    let mut modules: BTreeMap<&str, String> = BTreeMap::new();
    for (folder, (named_by, paths)) in &by_folder {
        if told_later(folder) || !limited.contains(folder.as_str()) {
            let why = format!("{named_by} names its folder {folder}");
            let paths = paths.iter().map(String::as_str);
            let asked = paths.filter(|path| !shipped::is_unasked(files, linked, &named.texts, asking, path));
            modules.extend(asked.map(|path| (path, why.clone())));
        }
    }
    let by_path = modules_by_path(files, store, linked, told);
    modules.extend(
        by_path
            .iter()
            .map(|(path, by)| (path.as_str(), format!("{by} names it"))),
    );
    modules.extend(
        configured
            .iter()
            .map(|(path, file)| (path.as_str(), format!("{file} names it"))),
    );
    let beside = beside::modules(files, store, linked, told);
    modules.extend(
        beside
            .iter()
            .map(|(path, by)| (path.as_str(), format!("{by} looks for modules beside itself"))),
    );
    let modules = modules.into_iter().map(|(path, why)| Candidate {
        path: path.to_owned(),
        why,
        is_library: false,
    });
    let mut libraries = libraries(linked, told);
    for (name, by) in patterns::libraries(files, store, linked, told) {
        libraries.entry(name).or_insert(by);
    }
    let libraries = libraries.into_iter().map(|(path, by)| Candidate {
        path,
        why: format!("{by} names it"),
        is_library: true,
    });
    let mut candidates: Vec<Candidate> = modules.chain(libraries).collect();
    candidates.sort();
    candidates
}

/// The names of what is loaded, which every object names that needs it.
fn loaded_names(linked: &Linked) -> BTreeSet<&str> {
    let names = linked.objects.iter().flat_map(|object| {
        let soname = object.elf.dynamic.soname.as_deref();
        let file = object.path.rsplit('/').next();
        let needed = object.elf.dynamic.needed.iter().map(String::as_str);
        needed.chain(soname).chain(file)
    });
    names.collect()
}

/// Libraries that the objects' data names and that are not loaded: name to the first object that names it.
fn libraries(linked: &Linked, told: &BTreeSet<usize>) -> BTreeMap<String, String> {
    let loaded = loaded_names(linked);
    let mut named = BTreeMap::new();
    for object in naming(linked, told) {
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

/// Modules that the objects' data names by paths, absolute or from the folder of the program or the object: path to the
/// object that names it.
fn modules_by_path(
    files: &dyn Files,
    store: &ObjectStore,
    linked: &Linked,
    told: &BTreeSet<usize>,
) -> BTreeMap<String, String> {
    let loaded: BTreeSet<&str> = linked.objects.iter().map(|object| object.path.as_str()).collect();
    let program = linked
        .objects
        .first()
        .and_then(|program| folder_of(&program.path));
    let mut named = BTreeMap::new();
    for object in naming(linked, told) {
        let folders: BTreeSet<&str> = folder_of(&object.path).into_iter().chain(program).collect();
        let named_so = texts(object).map(|text| installed(text, &object.path));
        for text in named_so.filter(|text| is_path_of_module(text)) {
            let places: Vec<String> = match text.starts_with('/') {
                true => vec![text.into_owned()],
                false => folders.iter().map(|folder| format!("{folder}/{text}")).collect(),
            };
            let found = places.iter().filter_map(|place| module(files, store, place));
            for path in found.filter(|path| !loaded.contains(path.as_str())) {
                named.entry(path).or_insert_with(|| object.path.clone());
            }
        }
    }
    named
}

fn is_path_of_module(text: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_-+./".contains(letter);
    text.ends_with(".so") && text.contains('/') && text.chars().all(is_plain)
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

/// The objects whose data says what the program loads: not the loader's, nor the C library's, whose rules are in
/// [`crate::conventions`].
fn naming<'a>(linked: &'a Linked, told: &'a BTreeSet<usize>) -> impl Iterator<Item = &'a LinkedObject> {
    let library = conventions::c_library(linked).filter(|index| *index != 0);
    let objects = linked.objects.iter().enumerate();
    objects
        .filter(move |(index, object)| library != Some(*index) && object.reason != LoadReason::Interpreter)
        .filter(|(index, _)| !told.contains(index))
        .map(|(_, object)| object)
}

/// The folders that the loader looks in for every program.
pub(crate) fn loader_folders(files: &dyn Files, store: &ObjectStore, linked: &Linked) -> BTreeSet<String> {
    let folders = linked.loader_folders(files, store).into_iter();
    folders
        .filter_map(|folder| Some(files.resolve(&folder)?.path))
        .collect()
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
fn paths(object: &LinkedObject) -> impl Iterator<Item = Cow<'_, str>> {
    texts(object)
        .map(|text| installed(text, &object.path))
        .filter(|text| text.starts_with('/'))
        .filter(|text| text.chars().all(|letter| !letter.is_control()))
}

/// Strings in the read-only data that are paths or names of libraries; looked for once, whichever programs load
/// the object.
fn texts(object: &LinkedObject) -> impl Iterator<Item = &str> {
    let texts = object.texts.get_or_init(|| texts_of(&object.elf));
    texts.iter().map(String::as_str)
}

fn texts_of(object: &Object) -> Vec<String> {
    let texts = object
        .read_only_data()
        .flat_map(|bytes| bytes.split(|byte| *byte == 0));
    texts
        .filter(|text| (2..LONGEST_PATH).contains(&text.len()))
        .filter(|text| matches!(text.first(), Some(b'/' | b'l' | b'$')) || text.ends_with(b".so"))
        .filter_map(|text| std::str::from_utf8(text).ok())
        .filter(|text| {
            text.starts_with('/')
                || in_a_package(text).is_some()
                || is_path_of_module(text)
                || text.split(':').all(is_library_name)
                || patterns::is_pattern(text)
        })
        .map(str::to_owned)
        .collect()
}

/// Variables for where a package is installed, which programs may put in at run time (GNU Coding Standards, 7.2.5).
const INSTALLED: [&str; 2] = ["${prefix}/", "${exec_prefix}/"];

/// What follows such a variable that a text begins with.
fn in_a_package(text: &str) -> Option<&str> {
    INSTALLED.iter().find_map(|variable| text.strip_prefix(variable))
}

/// A text, with the folder that the object at `path` is installed in where it begins with a variable for that: syslog-ng
/// looks for modules in `${exec_prefix}/lib/syslog-ng/3.38`.
fn installed<'t>(text: &'t str, path: &str) -> Cow<'t, str> {
    const OF_A_PACKAGE: [&str; 6] = ["bin", "sbin", "lib", "lib32", "lib64", "libexec"];
    let Some(rest) = in_a_package(text) else {
        return Cow::Borrowed(text);
    };
    let parts = path.split('/').take_while(|part| !OF_A_PACKAGE.contains(part));
    let prefix: Vec<&str> = parts.collect();
    Cow::Owned(format!("{}/{rest}", prefix.join("/")))
}

/// Whether a name stands in an object's read-only data between such bytes; there are none at the ends of the data.
pub(crate) fn occurs(
    object: &Object,
    name: &str,
    between: impl Fn(Option<&u8>, Option<&u8>) -> bool,
) -> bool {
    object.read_only_data().any(|bytes| {
        memmem::find_iter(bytes, name.as_bytes()).any(|at| {
            let before = at.checked_sub(1).and_then(|before| bytes.get(before));
            between(before, bytes.get(at + name.len()))
        })
    })
}

fn folder_of(path: &str) -> Option<&str> {
    path.rsplit_once('/')
        .map(|(folder, _)| folder)
        .filter(|folder| !folder.is_empty())
}

/// The words of a line of a configuration.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let separators = |letter: char| letter.is_whitespace() || "\"'=;,()<>[]{}:".contains(letter);
    line.split(separators)
        .filter(|word| !word.is_empty() && word.len() < LONGEST_PATH)
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
    fn variables_of_installation_are_put_in() {
        for (text, path, expected) in [
            (
                "${exec_prefix}/lib/own/3",
                "/usr/lib/x86_64-linux-gnu/libown.so.0",
                "/usr/lib/own/3",
            ),
            ("${prefix}/lib/own", "/opt/own/bin/own", "/opt/own/lib/own"),
            ("${prefix}/lib/own", "/lib/libown.so", "/lib/own"),
            ("${prefix}lib", "/usr/bin/own", "${prefix}lib"),
            ("/${prefix}/lib", "/usr/bin/own", "/${prefix}/lib"),
        ] {
            assert_eq!(installed(text, path), expected, "{text} of {path}");
        }
    }

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
        let modules = words(line).filter(|word| word.ends_with(".so"));
        assert_eq!(modules.collect::<Vec<_>>(), expected);
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
}
