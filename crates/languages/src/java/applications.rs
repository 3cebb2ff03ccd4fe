//! Where an application's classes, sources and configurations lie.

use std::collections::BTreeSet;

use confine_image::Files;

use super::world;
use crate::reached::Beginning;
use crate::walk::Walk;
use crate::{folders, zip};

/// Where applications lie beside what the command line and the environment name.
const APPLICATIONS: &[&str] = &["/app", "/opt", "/usr/share/java"];

/// Folders of the system, which hold programs of all kinds.
const SYSTEM: &[&str] = &["/usr/bin", "/usr/lib", "/usr/share", "/usr/local", "/bin", "/etc"];

/// Endings of what is looked at in folders and archives of applications.
pub const SOURCES: &[&str] = &[".class", ".jsp", ".jspx", ".rb"];

/// What was found.
#[derive(Default)]
pub struct Applications {
    /// Archives, classes and the sources that are looked at for what they execute.
    pub code: BTreeSet<String>,
    /// Everything else that may name classes, and those sources.
    pub texts: BTreeSet<String>,
}

/// The files of what a start may run. Those of the virtual machine, below `home`, are none.
pub fn find(walk: &mut Walk<'_>, beginning: &Beginning, home: &str) -> Applications {
    let is_code = |name: &str| zip::is_archive(name) || SOURCES.iter().any(|ending| name.ends_with(ending));
    let mut files: BTreeSet<String> = BTreeSet::new();
    for place in places(walk.files, beginning) {
        match folders::regular(walk.files, &place) {
            Some(file) => {
                files.insert(file.path);
            }
            None if !SYSTEM.contains(&place.as_str()) => {
                files.extend(walk.below(&place, |name| is_code(name) || world::may_name(name)));
            }
            None => {}
        }
    }
    files.retain(|file| home.is_empty() || !file.starts_with(home));
    let mut found = Applications::default();
    for file in files {
        if world::may_name(&file) {
            found.texts.insert(file.clone());
        }
        if is_code(&file) {
            found.code.insert(file);
        }
    }
    found
}

/// Files and folders that hold applications.
fn places(files: &dyn Files, beginning: &Beginning) -> BTreeSet<String> {
    let mut places: BTreeSet<String> = APPLICATIONS.iter().map(|place| (*place).to_owned()).collect();
    if beginning.workdir != "/" {
        places.insert(beginning.workdir.clone());
    }
    for word in words(beginning).filter(|word| (2..1024).contains(&word.len()) && word.contains(['/', '.'])) {
        let path = folders::absolute(word.trim_end_matches('*'), &beginning.workdir);
        let found = files.resolve(&path);
        if let Some(found) = found.filter(|found| found.path.matches('/').count() > 1) {
            places.insert(found.path);
        }
    }
    places
}

/// The words of its arguments and of its environment's values.
pub fn words(beginning: &Beginning) -> impl Iterator<Item = &str> {
    let texts = beginning.arguments.iter().chain(beginning.variables.values());
    texts.flat_map(|text| text.split([':', '=', ' ', ',', ';']))
}
