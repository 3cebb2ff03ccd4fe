//! Which texts in archives count: those that something which runs may read.
//!
//! What lies in no package, as below `META-INF`, may be read by anybody. A text among the classes of a package is read by those
//! of them that run, whatever they call it, and by others that name it: its file without what follows the first dot, or
//! without a language behind that (`Messages_de.properties`); its folder with the one around it; or its ending, by a pattern.
//! Libraries bring configurations for what hardly anybody uses, beside the classes that do: log4j's names its windows.
//!
//! Over-reports: names that stand somewhere for something else. Misses: classes that read what lies among those of others by
//! a name that they put together, with neither the file's nor the folder's name in one piece.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::names;
use super::world::{World, is_in_a_package};
use crate::zip::Entry;

/// No pattern for the ends of names is longer, in bytes.
const LONGEST_ENDING: usize = 32;

/// Folders that no classes lie in, whose texts only the classes of one package read.
const READERS: &[(&str, &str)] = &[
    // How a project was built, and what Maven's plugins do ("Introduction to Plugin Development" of Maven's documentation).
    ("META-INF/maven/", "org/apache/maven/plugin"),
];

/// What is known of the texts of archives.
#[derive(Default)]
pub struct Resources {
    /// What names one of them, by whether something does.
    named: FxHashMap<Vec<u8>, bool>,
    /// The last folders of those that lie in packages.
    folders: FxHashSet<Vec<u8>>,
    /// Endings of names that patterns look for.
    endings: FxHashSet<Vec<u8>>,
    /// The texts of each archive that is not in use.
    idle: Vec<Vec<Resource>>,
    /// Texts of archives in use that nothing is seen to read.
    waiting: Vec<Resource>,
}

/// A text in an archive.
struct Resource {
    archive: usize,
    entry: Rc<Entry>,
    /// Whose classes read it; none if anybody does.
    package: Option<String>,
    /// Whether others read it, too, if they name it.
    is_shared: bool,
}

impl Resources {
    /// Notes by what names the texts of all archives go, before anything is looked at for names.
    pub fn expect(&mut self, world: &World) {
        for archive in world.archives() {
            let resources: Vec<Resource> = resources(world, archive).collect();
            for resource in resources.iter().filter(|resource| resource.is_shared) {
                let folder = resource.entry.name.rsplit('/').nth(1).unwrap_or_default();
                self.folders.insert(folder.as_bytes().to_vec());
                self.named
                    .extend(names_of(&resource.entry.name).map(|name| (name, false)));
            }
            self.idle.push(resources);
        }
    }

    /// Takes a text of something that runs or is read itself.
    pub fn take(&mut self, text: &[u8]) {
        let is_part = |letter: &u8| letter.is_ascii_alphanumeric() || b"_-$".contains(letter);
        let mut before: &[u8] = &[];
        for part in text.split(|letter| !is_part(letter)) {
            if let Some(named) = self.named.get_mut(part) {
                *named = true;
            }
            if !before.is_empty()
                && self.folders.contains(part)
                && let Some(named) = self.named.get_mut(&[before, b"/", part].concat())
            {
                *named = true;
            }
            before = part;
        }
        if let Some(star) = text.iter().rposition(|letter| *letter == b'*') {
            let ending = text.get(star + 1..).unwrap_or_default();
            if ending.contains(&b'.') && ending.len() <= LONGEST_ENDING {
                self.endings.insert(ending.to_vec());
            }
        }
    }

    /// An archive is in use.
    pub fn add(&mut self, archive: usize) {
        self.waiting
            .append(&mut self.idle.get_mut(archive).map(std::mem::take).unwrap_or_default());
    }

    /// The texts that count by now and did not before, where classes of these packages run, or of others below them.
    pub fn read(&mut self, used: &FxHashSet<Vec<u8>>) -> Vec<(usize, Rc<Entry>)> {
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let (read, waiting): (Vec<Resource>, _) = waiting.partition(|resource| self.is_read(resource, used));
        self.waiting = waiting;
        read.into_iter()
            .map(|resource| (resource.archive, resource.entry))
            .collect()
    }

    fn is_read(&self, resource: &Resource, used: &FxHashSet<Vec<u8>>) -> bool {
        let Some(package) = &resource.package else {
            return true;
        };
        let name = resource.entry.name.as_str();
        let by_others = || {
            let mut endings = self.endings.iter();
            names_of(name).any(|name| self.named.get(&name) == Some(&true))
                || endings.any(|ending| name.as_bytes().ends_with(ending))
        };
        used.contains(package.as_bytes()) || resource.is_shared && by_others()
    }
}

/// The packages of these classes, and all around them.
pub fn packages<'a>(classes: impl Iterator<Item = &'a [u8]>) -> FxHashSet<Vec<u8>> {
    let mut found: FxHashSet<Vec<u8>> = FxHashSet::default();
    for class in classes {
        let mut package = names::package(class);
        // Ends: every turn makes it shorter.
        while !package.is_empty() && !found.contains(package) {
            found.insert(package.to_vec());
            package = names::package(package);
        }
    }
    found
}

fn resources(world: &World, archive: usize) -> impl Iterator<Item = Resource> {
    let packages = world.packages(archive);
    let texts: Vec<Rc<Entry>> = world.texts(archive).collect();
    texts.into_iter().map(move |entry| {
        let mut folder = entry.name.rsplit_once('/').map(|(folder, _)| folder);
        folder = folder.filter(|folder| is_in_a_package(folder));
        // The nearest one with classes.
        while let Some(around) = folder.filter(|folder| !packages.contains(*folder)) {
            folder = around.rsplit_once('/').map(|(around, _)| around);
        }
        let reader = READERS.iter().find(|(folder, _)| entry.name.starts_with(folder));
        Resource {
            archive,
            package: reader.map(|(_, package)| *package).or(folder).map(str::to_owned),
            is_shared: reader.is_none() && folder.is_some(),
            entry,
        }
    })
}

/// By what a text in a package goes: what its file may be called by, and its folder with the one around it.
fn names_of(path: &str) -> impl Iterator<Item = Vec<u8>> {
    let mut parts = path.rsplitn(4, '/');
    let file = parts.next().unwrap_or_default();
    let folders = parts.next().zip(parts.next());
    let folders = folders.map(|(last, around)| format!("{around}/{last}").into_bytes());
    stems(file).map(|stem| stem.as_bytes().to_vec()).chain(folders)
}

/// What a file may be called by: its name without what follows the first dot, and that without languages at its end.
fn stems(file: &str) -> impl Iterator<Item = &str> {
    let stem = file.split('.').next().unwrap_or_default();
    std::iter::successors(Some(stem), |longer| {
        longer.rsplit_once('_').map(|(shorter, _)| shorter)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_with_all_around_them() {
        let classes = [&b"a/b/C"[..], b"a/b/D", b"E"];
        let mut found: Vec<Vec<u8>> = packages(classes.into_iter()).into_iter().collect();
        found.sort();
        assert_eq!(found, [&b"a"[..], b"a/b"]);
    }

    #[test]
    fn files_go_by_their_names_without_languages() {
        let stems: Vec<&str> = stems("Messages_de_AT.properties").collect();
        assert_eq!(stems, ["Messages_de_AT", "Messages_de", "Messages"]);
    }
}
