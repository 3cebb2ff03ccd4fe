//! What archives, classes and sources say by themselves, whoever starts the virtual machine and however: the texts of
//! classes that start programs or load libraries, and the names in packages that call functions by name.
//!
//! A file is read once, however often the virtual machine is started ([`Readings`]); its classes are read side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use confine_image::Files;
use memchr::memmem::Finder;

use super::applications::SOURCES;
use super::class::Class;
use crate::{executables, zip};

/// What a class or page names that starts programs: the builder's class, or the class that `Runtime.exec` returns.
const STARTS: &[&str] = &[
    "java/lang/ProcessBuilder",
    "Ljava/lang/Process;",
    "ProcessBuilder(",
    "getRuntime()",
];

/// What a class names that loads libraries.
const LOADS: &str = "loadLibrary";

/// What names the interfaces by which classes call functions of the C library and of others by their names: JNR, its JFFI,
/// JNA, Java's own, and JRuby's for sources in Ruby.
const FOREIGN: &[&str] = &[
    "jnr/ffi",
    "com/kenai/jffi",
    "com/sun/jna",
    "java/lang/foreign",
    "jdk/incubator/foreign",
    "attach_function",
];

/// No function that is called by its name has a longer one, in bytes.
const LONGEST_FUNCTION: usize = 64;

/// How deep archives in archives are opened: an application's, a web application's in it, and that one's libraries.
const DEEPEST: usize = 2;

/// The texts of the tables, ready to be searched for.
static STARTS_FINDERS: LazyLock<Vec<Finder<'static>>> = LazyLock::new(|| finders(STARTS));
static LOADS_FINDERS: LazyLock<Vec<Finder<'static>>> = LazyLock::new(|| finders(&[LOADS]));
static FOREIGN_FINDERS: LazyLock<Vec<Finder<'static>>> = LazyLock::new(|| finders(FOREIGN));

fn finders(needles: &[&'static str]) -> Vec<Finder<'static>> {
    needles.iter().map(|needle| Finder::new(*needle)).collect()
}

fn mentions_one(bytes: &[u8], finders: &[Finder<'static>]) -> bool {
    finders.iter().any(|finder| finder.find(bytes).is_some())
}

/// Whether a class or its name mentions an interface by which functions are called by their names.
pub fn is_foreign(bytes: &[u8]) -> bool {
    mentions_one(bytes, &FOREIGN_FINDERS)
}

/// Files that were read, by their paths.
#[derive(Debug, Default)]
pub struct Readings(Mutex<BTreeMap<String, Arc<Reading>>>);

impl Readings {
    /// What a file says; nothing if it cannot be read. No file is read while they are locked: whoever waits for a part of one
    /// may begin with another one.
    pub fn of(&self, files: &dyn Files, path: &str) -> Option<Arc<Reading>> {
        let known = self.lock().get(path).cloned();
        known.or_else(|| {
            let reading = Arc::new(Reading::of(path, &files.read(path).ok()?));
            self.lock().insert(path.to_owned(), Arc::clone(&reading));
            Some(reading)
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Reading>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a file says.
#[derive(Debug, Default)]
pub struct Reading {
    /// What may be the names of libraries that its classes load.
    pub named: BTreeSet<String>,
    /// Its classes and pages that start programs.
    pub starters: Vec<Starter>,
    /// Its packages; of an archive, only those that call functions by their names.
    pub packages: BTreeMap<String, Package>,
    /// Whether there are compiled libraries in it.
    pub packs_libraries: bool,
    /// Whether there is something in it that could not be read.
    pub is_partial: bool,
}

/// A class or page that starts programs.
#[derive(Debug)]
pub struct Starter {
    pub place: String,
    /// What it has that can be read, quotes being ends.
    pub texts: Vec<String>,
}

/// Classes that know each other: of one folder.
#[derive(Debug, Default, Clone)]
pub struct Package {
    /// One that calls functions by their names.
    pub foreign: Option<String>,
    /// What functions may be called like, by the place of the class that has the names.
    pub names: BTreeMap<String, BTreeSet<String>>,
}

impl Package {
    /// Takes in more classes of the same folder.
    pub fn merge(&mut self, other: Self) {
        self.foreign = self.foreign.take().or(other.foreign);
        self.names.extend(other.names);
    }
}

impl Reading {
    fn of(path: &str, bytes: &[u8]) -> Self {
        if zip::is_archive(path) {
            return Self::of_archive(path, bytes, DEEPEST);
        }
        let mut reading = Self::of_class(path, bytes);
        // Which other classes are in its folder is not known here.
        let package = reading.packages.entry(package_of(path).to_owned()).or_default();
        if !is_source(path) || package.foreign.is_some() {
            package.names.insert(path.to_owned(), names(path, bytes));
        }
        reading
    }

    fn of_archive(path: &str, bytes: &[u8], deeper: usize) -> Self {
        let is_wanted =
            |name: &str| zip::is_archive(name) || SOURCES.iter().any(|ending| name.ends_with(ending));
        let (entries, is_whole) = zip::entries(bytes);
        let (readings, all_read) = zip::map(bytes, &entries, is_wanted, |name, content| {
            let place = format!("{path}!{name}");
            match zip::is_archive(name) {
                true if deeper == 0 => Self {
                    is_partial: true,
                    ..Self::default()
                },
                true => Self::of_archive(&place, content, deeper - 1),
                false => Self::of_class(&place, content),
            }
        });
        let mut whole = readings.into_iter().fold(Self::default(), Self::merged);
        whole.packs_libraries |= entries.iter().any(|entry| entry.name.ends_with(".so"));
        whole.is_partial |= !(is_whole && all_read);
        whole.packages.retain(|_, package| package.foreign.is_some());
        // An interface that stands for a library's functions need not mention how they are called, but its neighbours do.
        let has_names = |name: &str| {
            let place = format!("{path}!{name}");
            !zip::is_archive(name) && is_wanted(name) && whole.packages.contains_key(package_of(&place))
        };
        let (named, _) = zip::map(bytes, &entries, has_names, |name, content| {
            let place = format!("{path}!{name}");
            let names = names(&place, content);
            (place, names)
        });
        for (place, names) in named {
            let package = whole.packages.entry(package_of(&place).to_owned()).or_default();
            package.names.insert(place, names);
        }
        whole
    }

    fn of_class(place: &str, bytes: &[u8]) -> Self {
        let mut reading = Self::default();
        if mentions_one(bytes, &LOADS_FINDERS) {
            // A name may be any constant of the class, preceded by its length.
            for text in unquoted(bytes) {
                reading
                    .named
                    .extend([text.to_owned(), text.get(1..).unwrap_or_default().to_owned()]);
            }
        }
        if mentions_one(bytes, &STARTS_FINDERS) {
            reading.starters.push(Starter {
                place: place.to_owned(),
                texts: unquoted(bytes).map(str::to_owned).collect(),
            });
        }
        if is_foreign(bytes) {
            let package = Package {
                foreign: Some(place.to_owned()),
                names: BTreeMap::new(),
            };
            reading.packages.insert(package_of(place).to_owned(), package);
        }
        reading
    }

    fn merged(mut self, other: Self) -> Self {
        self.named.extend(other.named);
        self.starters.extend(other.starters);
        for (key, package) in other.packages {
            self.packages.entry(key).or_default().merge(package);
        }
        self.packs_libraries |= other.packs_libraries;
        self.is_partial |= other.is_partial;
        self
    }
}

/// Whose classes know each other: those of a folder; a source goes by itself.
fn package_of(place: &str) -> &str {
    match is_source(place) {
        true => place,
        false => place.rsplit_once('/').map_or(place, |(folder, _)| folder),
    }
}

/// Whether a file of this name is a class: of pages and sources it is not found out whether they run.
pub fn is_class(place: &str) -> bool {
    place.ends_with(".class")
}

/// Whether a file of this name is a source, whose words are no constants of their own.
fn is_source(place: &str) -> bool {
    place.ends_with(".rb")
}

/// What functions a class, page or source may call by their names.
fn names(place: &str, bytes: &[u8]) -> BTreeSet<String> {
    if let Some(class) = Class::read(bytes.to_vec().into()) {
        return names_of_class(&class, |_| true);
    }
    let is_source = is_source(place);
    let texts = executables::texts(bytes).map(without_length);
    // A name in a class is a constant of its own.
    let words = texts.flat_map(|text| text.split(move |letter| is_source && !is_part(letter)));
    words
        .filter(|word| may_name_function(word))
        .map(str::to_owned)
        .collect()
}

/// The methods that stand for functions, those of interfaces and native ones, as far as they run by their index, and the
/// strings of its code. Other names of classes and members are no functions', nor are texts of annotations: none of these
/// interfaces asks for them.
pub fn names_of_class(class: &Class, runs: impl Fn(usize) -> bool) -> BTreeSet<String> {
    let methods = class.methods.iter().enumerate();
    let methods = methods.filter(|(index, method)| {
        (method.is_native() || class.is_interface() && !method.has_code()) && runs(*index)
    });
    let methods = methods.filter_map(|(_, method)| Some(class.signature(method)?.0));
    let texts = class.constant_strings().chain(methods);
    texts
        .filter_map(|text| std::str::from_utf8(text).ok())
        .filter(|text| may_name_function(text))
        .map(str::to_owned)
        .collect()
}

fn may_name_function(text: &str) -> bool {
    (2..LONGEST_FUNCTION).contains(&text.len()) && text.chars().all(is_part)
}

fn is_part(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// The printable texts in a file, and what is between quotes in them.
fn unquoted(bytes: &[u8]) -> impl Iterator<Item = &str> {
    executables::texts(bytes).flat_map(|text| text.split('"'))
}

/// A constant of a class without its length, which is a printable byte before a long one.
fn without_length(text: &str) -> &str {
    match text.bytes().next() {
        Some(length) if usize::from(length) + 1 == text.len() => text.get(1..).unwrap_or_default(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::java::assembler::Class as Assembled;

    fn check(class: Assembled, expected: &[&str]) {
        let found = names("/srv/a/X.class", &class.bytes());
        assert_eq!(found, expected.iter().map(|name| (*name).to_owned()).collect());
    }

    #[test]
    fn functions_are_named_by_texts_and_by_methods_without_code() {
        let calls = [
            ("virtual", "java/lang/Object.clone:()V"),
            ("text", "getpid"),
            ("text", "not one"),
        ];
        let class = |above: &[&str]| Assembled::new("a/X", above).method("kill", "()V", &calls);
        check(
            class(&["java/lang/Object"]).native("fork", "()I"),
            &["fork", "getpid"],
        );
        check(
            class(&["java/lang/Object"]).interface().open("mkdir", "()I"),
            &["getpid", "mkdir"],
        );
        check(class(&["java/lang/Object"]).open("mkdir", "()I"), &["getpid"]);
    }
}
