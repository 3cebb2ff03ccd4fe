//! Where classes lie: in the virtual machine's modules, in archives, archives within them, and files.
//!
//! A class may lie in several places; which of them is loaded is not looked at, and each counts.

use std::rc::Rc;

use confine_image::{FileBytes, Files};
use rustc_hash::{FxHashMap, FxHashSet};

use super::class::{self, Class};
use super::modules::{Location, Modules};
use super::names::{Name, Names};
use crate::zip::{self, Entry};

/// How deep archives in archives are opened.
const DEEPEST: usize = 3;

/// Where archives list the providers of a service, one a line (java.util.ServiceLoader).
const SERVICES: &str = "META-INF/services/";

/// What an archive says of itself.
const MANIFEST: &str = "META-INF/MANIFEST.MF";

/// Endings of files that name no classes, beside the classes themselves.
const NAMELESS: &[&str] = &[
    ".class", ".jar", ".war", ".ear", ".rar", ".zip", ".so", ".dll", ".jnilib", ".dylib", ".exe", ".png",
    ".gif", ".jpg", ".ico", ".svg", ".css", ".html", ".htm", ".ttf", ".woff", ".woff2", ".gz", ".bin", ".md",
    ".sig", ".SF", ".RSA", ".DSA", ".js.map", ".xsd", ".dtd", ".mk",
];

/// Endings of sources: what their words may name are also classes without their package, and methods.
const SOURCES: &[&str] = &[
    ".jsp", ".jspx", ".jspf", ".tag", ".tagx", ".rb", ".groovy", ".gradle", ".gsp", ".clj", ".py", ".js",
    ".kts", ".bsh", ".vm", ".ftl", ".scala", ".lua",
];

/// Whether a file of this name may name classes.
pub fn may_name(name: &str) -> bool {
    !NAMELESS.iter().any(|ending| name.ends_with(ending))
}

/// Whether a file of this name is a source.
pub fn is_source(name: &str) -> bool {
    SOURCES.iter().any(|ending| name.ends_with(ending))
}

/// Where one class lies.
enum Place {
    Module(Location),
    Archived(usize, Rc<Entry>),
    Loose(FileBytes),
}

/// An opened archive.
struct Archive {
    /// Its name without folders.
    name: String,
    bytes: FileBytes,
    entries: Vec<Rc<Entry>>,
}

/// A class that was read.
pub struct Found {
    pub class: Class,
    /// The archive that it lies in; none if it is the virtual machine's own.
    pub origin: Origin,
}

/// Whose a class is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The virtual machine's.
    Machine,
    /// An application's, in the archive of this number, if it lies in one.
    Application(Option<usize>),
}

/// Every class that may be loaded by its name.
#[derive(Default)]
pub struct World {
    modules: Option<Modules>,
    archives: Vec<Archive>,
    places: FxHashMap<Name, Vec<Place>>,
    providers: FxHashMap<Name, Vec<Name>>,
    sorted: Vec<(Rc<[u8]>, Name)>,
    /// Archives and classes that could not be read as a whole.
    pub broken: Vec<String>,
}

impl World {
    /// Takes in the virtual machine's modules; whether they could be read.
    pub fn add_modules(&mut self, names: &mut Names, bytes: FileBytes) -> bool {
        let Some(modules) = Modules::open(bytes) else {
            return false;
        };
        let mut infos = Vec::new();
        let places = &mut self.places;
        let whole = modules.each_class(|name, location| {
            if name == b"module-info" {
                infos.push(location);
            } else {
                places
                    .entry(names.intern(name))
                    .or_default()
                    .push(Place::Module(location));
            }
        });
        for location in infos {
            let class = modules.contents(location).and_then(Class::read);
            let Some(services) = class.as_ref().and_then(class::provided) else {
                return false;
            };
            for (service, providers) in services {
                let providers: Vec<Name> = providers.iter().map(|name| names.intern(name)).collect();
                self.providers
                    .entry(names.intern(&service))
                    .or_default()
                    .extend(providers);
            }
        }
        self.modules = Some(modules);
        whole.is_some()
    }

    /// Takes in an archive or class of an application.
    pub fn add_file(&mut self, names: &mut Names, path: &str, bytes: FileBytes) {
        if path.ends_with(".class") {
            let class = Class::read(bytes.clone());
            match class.as_ref().and_then(Class::name) {
                Some(name) => {
                    let name = names.intern(name);
                    self.places.entry(name).or_default().push(Place::Loose(bytes));
                }
                None => self.broken.push(path.to_owned()),
            }
            return;
        }
        if !zip::is_archive(path) {
            return;
        }
        // Bounded: archives in archives are opened so deep.
        let mut pending = vec![(path.to_owned(), bytes, 0)];
        while let Some((path, bytes, depth)) = pending.pop() {
            let (entries, whole) = zip::entries(&bytes);
            let entries: Vec<Rc<Entry>> = entries.into_iter().map(Rc::new).collect();
            let mut readable = whole;
            for entry in &entries {
                if zip::is_archive(&entry.name) {
                    match zip::inner(&bytes, entry) {
                        Some(inner) if depth < DEEPEST => {
                            pending.push((format!("{path}!{}", entry.name), inner.into(), depth + 1));
                        }
                        _ => readable = false,
                    }
                } else if let Some(name) = entry.name.strip_suffix(".class") {
                    let archive = self.archives.len();
                    for name in possible_names(name) {
                        let places = self.places.entry(names.intern(name.as_bytes())).or_default();
                        places.push(Place::Archived(archive, Rc::clone(entry)));
                    }
                } else if let Some(service) = entry.name.rsplit_once(SERVICES).map(|(_, service)| service) {
                    let text = zip::content(&bytes, entry).unwrap_or_default();
                    self.add_providers(names, service, &text);
                }
            }
            if !readable {
                self.broken.push(path.clone());
            }
            let name = path.rsplit(['/', '!']).next().unwrap_or_default().to_owned();
            self.archives.push(Archive { name, bytes, entries });
        }
    }

    /// Takes in what a file of a service names.
    pub fn add_providers(&mut self, names: &mut Names, service: &str, text: &[u8]) {
        let lines = text.split(|byte| matches!(byte, b'\n' | b'\r'));
        let lines = lines.filter_map(|line| line.split(|byte| *byte == b'#').next());
        let providers: Vec<Name> = lines
            .map(<[u8]>::trim_ascii)
            .filter(|line| !line.is_empty())
            .map(|line| names.intern(&slashed(line)))
            .collect();
        let service = names.intern(&slashed(service.as_bytes()));
        self.providers.entry(service).or_default().extend(providers);
    }

    /// Sorts the names, once all are there.
    pub fn settle(&mut self, names: &Names) {
        self.sorted = self
            .places
            .keys()
            .map(|name| (names.text(*name), *name))
            .collect();
        self.sorted.sort_unstable();
    }

    /// Whether there is a class of this name.
    pub fn has(&self, name: Name) -> bool {
        self.places.contains_key(&name)
    }

    /// Whether a class of this name is an application's.
    pub fn is_of_an_application(&self, name: Name) -> bool {
        let mut places = self.places.get(&name).into_iter().flatten();
        places.any(|place| !matches!(place, Place::Module(_)))
    }

    /// All names, sorted.
    pub fn all(&self) -> impl Iterator<Item = &(Rc<[u8]>, Name)> {
        self.sorted.iter()
    }

    /// The classes whose names begin like this, sorted.
    pub fn beginning_with(&self, prefix: &[u8]) -> &[(Rc<[u8]>, Name)] {
        let from = self.sorted.partition_point(|(text, _)| &**text < prefix);
        let rest = self.sorted.get(from..).unwrap_or_default();
        let count = rest.partition_point(|(text, _)| text.starts_with(prefix));
        rest.get(..count).unwrap_or_default()
    }

    /// The classes that provide a service.
    pub fn providers(&self, service: Name) -> &[Name] {
        self.providers.get(&service).map_or(&[], Vec::as_slice)
    }

    /// Every class of this name; and whether all could be read.
    pub fn read(&self, names: &Names, name: Name) -> (Vec<Found>, bool) {
        let wanted = names.text(name);
        let mut found = Vec::new();
        let mut whole = true;
        for place in self.places.get(&name).into_iter().flatten() {
            let (bytes, origin) = match place {
                Place::Module(location) => (
                    self.modules
                        .as_ref()
                        .and_then(|modules| modules.contents(*location)),
                    Origin::Machine,
                ),
                Place::Archived(archive, entry) => (
                    self.archives
                        .get(*archive)
                        .and_then(|archive| zip::content(&archive.bytes, entry))
                        .map(FileBytes::from),
                    Origin::Application(Some(*archive)),
                ),
                Place::Loose(bytes) => (Some(bytes.clone()), Origin::Application(None)),
            };
            match bytes.and_then(Class::read) {
                // Another name: the folders around it are no part of it.
                Some(class) if class.name() != Some(&*wanted) => {}
                Some(class) => found.push(Found { class, origin }),
                None => whole = false,
            }
        }
        (found, whole)
    }

    /// The manifests of the archives of a name.
    pub fn manifests(&self, name: &str) -> Vec<Vec<u8>> {
        let archives = self.archives.iter().filter(|archive| archive.name == name);
        let manifests = archives.filter_map(|archive| {
            let entry = archive.entries.iter().find(|entry| entry.name == MANIFEST)?;
            zip::content(&archive.bytes, entry)
        });
        manifests.map(|manifest| headers(&manifest)).collect()
    }

    /// The numbers of all archives.
    pub fn archives(&self) -> std::ops::Range<usize> {
        0..self.archives.len()
    }

    /// Everything in an archive that may name classes, but for the classes themselves.
    pub fn texts(&self, archive: usize) -> impl Iterator<Item = Rc<Entry>> {
        let entries = self.entries(archive).iter();
        entries.filter(|entry| may_name(&entry.name)).cloned()
    }

    /// The folders of an archive that have classes.
    pub fn packages(&self, archive: usize) -> FxHashSet<String> {
        let entries = self.entries(archive).iter();
        let classes = entries.filter(|entry| entry.name.ends_with(".class"));
        let folders = classes.filter_map(|entry| entry.name.rsplit_once('/'));
        folders.map(|(folder, _)| folder.to_owned()).collect()
    }

    fn entries(&self, archive: usize) -> &[Rc<Entry>] {
        self.archives.get(archive).map_or(&[], |archive| &archive.entries)
    }

    /// What a text in an archive says.
    pub fn text(&self, archive: usize, entry: &Entry) -> Option<Vec<u8>> {
        let content = zip::content(&self.archives.get(archive)?.bytes, entry)?;
        match entry.name == MANIFEST {
            true => Some(headers(&content)),
            false => Some(content),
        }
    }
}

/// Whether the parts of a folder's name can all be parts of a package's.
pub fn is_in_a_package(folder: &str) -> bool {
    let is_plain = |folder: &str| {
        let is_part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '$');
        folder.chars().all(is_part) && !folder.starts_with(|letter: char| letter.is_ascii_digit())
    };
    folder.split('/').all(is_plain)
}

/// The names that a class may have by its place in an archive: the place, and where some folder of it cannot be a part of a
/// name (`WEB-INF/classes`, `META-INF/versions/9`), what is left without any first folders.
fn possible_names(place: &str) -> Vec<&str> {
    let folders = place.rsplit_once('/').map_or("", |(folders, _)| folders);
    if is_in_a_package(folders) {
        return vec![place];
    }
    let later = place.match_indices('/').filter_map(|(at, _)| place.get(at + 1..));
    std::iter::once(place).chain(later).collect()
}

/// What a manifest says, a header in a line, without the headers that list packages (`Import-Package` and others of OSGi): a
/// package that is there, or may be, is not used yet.
fn headers(manifest: &[u8]) -> Vec<u8> {
    // A line is continued where the next one begins with a blank ("JAR File Specification", "Line length").
    let mut whole: Vec<u8> = Vec::with_capacity(manifest.len());
    for line in manifest.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match line.strip_prefix(b" ") {
            Some(more) => whole.extend(more),
            None => {
                whole.push(b'\n');
                whole.extend(line);
            }
        }
    }
    let lists_packages = |line: &&[u8]| {
        let name = line.split(|byte| *byte == b':').next();
        name.is_some_and(|name| name.ends_with(b"-Package"))
    };
    let lines = whole.split(|byte| *byte == b'\n');
    let lines: Vec<&[u8]> = lines.filter(|line| !lists_packages(line)).collect();
    lines.join(&b'\n')
}

/// The name of a class with slashes for the dots.
pub fn slashed(name: &[u8]) -> Vec<u8> {
    let letters = name.iter();
    letters
        .map(|letter| if *letter == b'.' { b'/' } else { *letter })
        .collect()
}

/// Reads a file of the image, if it can be read.
pub fn read(files: &dyn Files, path: &str) -> Option<FileBytes> {
    files.read(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_manifests_are_whole_and_list_no_packages() {
        let manifest =
            b"Main-Class: a.very.lo\r\n ng.Name\r\nImport-Package: javax.swing,jav\r\n ax.sound\r\nX: y\r\n";
        assert_eq!(headers(manifest), b"\nMain-Class: a.very.long.Name\nX: y\n");
    }
}
