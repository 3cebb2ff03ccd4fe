//! Folders of an image and what lies below them, bounded.

use std::collections::{BTreeSet, VecDeque};

pub use confine_image::paths::{absolute, base_name, parent};
use confine_image::{FileKind, Files, Resolved};

/// How many names are listed below one folder, and how deep.
const MOST_NAMES: usize = 200_000;
const DEEPEST: usize = 64;

/// The file in which a place lies that may have a line behind a colon.
pub fn file_of(place: &str) -> &str {
    place.rsplit_once(':').map_or(place, |(file, _)| file)
}

/// The regular file at a path.
pub fn regular(files: &dyn Files, path: &str) -> Option<Resolved> {
    files.resolve(path).filter(|file| file.kind == FileKind::Regular)
}

/// The folder nearest above a path that `wanted` takes.
pub fn above(path: &str, wanted: impl Fn(&str) -> bool) -> Option<String> {
    let folders = std::iter::successors(Some(parent(path)), |folder| Some(parent(folder)));
    // Bounded: each is shorter than the one before.
    let mut folders = folders.take_while(|folder| folder.len() > 1);
    folders.find(|folder| wanted(folder)).map(str::to_owned)
}

/// The canonical path of the folder at a path.
pub fn folder(files: &dyn Files, path: &str) -> Option<String> {
    let found = files.resolve(path)?;
    (found.kind == FileKind::Folder).then_some(found.path)
}

/// The regular files below a folder that `wanted` takes by name, canonical and sorted; and whether these are all.
pub fn below(files: &dyn Files, folder: &str, wanted: impl Fn(&str) -> bool) -> (Vec<String>, bool) {
    let mut found = BTreeSet::new();
    let mut whole = true;
    let mut listed = 0;
    // Bounded: so many names are listed at most, so deep, and each folder once, from where it is the least deep.
    let mut pending: VecDeque<(String, usize)> = self::folder(files, folder)
        .into_iter()
        .map(|path| (path, 0))
        .collect();
    let mut seen: BTreeSet<String> = pending.iter().map(|(path, _)| path.clone()).collect();
    while let Some((here, depth)) = pending.pop_front() {
        for name in files.list(&here) {
            listed += 1;
            if listed > MOST_NAMES {
                return (found.into_iter().collect(), false);
            }
            match files.resolve(&format!("{}/{name}", here.trim_end_matches('/'))) {
                Some(file) if file.kind == FileKind::Regular && wanted(&name) => {
                    found.insert(file.path);
                }
                Some(file) if file.kind == FileKind::Folder => {
                    if depth >= DEEPEST {
                        whole = false;
                    } else if seen.insert(file.path.clone()) {
                        pending.push_back((file.path, depth + 1));
                    }
                }
                _ => {}
            }
        }
    }
    (found.into_iter().collect(), whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use confine_image::MemoryFiles;

    #[test]
    fn each_folder_is_looked_at_once_and_what_is_left_out_is_told() {
        let check = |files: &MemoryFiles, expected: &[&str], whole| {
            let found = below(files, "/a", |name| name.ends_with(".so"));
            let expected: Vec<String> = expected.iter().map(|path| (*path).to_owned()).collect();
            assert_eq!(found, (expected, whole));
        };
        let files = MemoryFiles::new()
            .file("/a/b/x.so", "")
            .file("/a/b/x.c", "")
            .file("/c/y.so", "")
            .link("/a/b/again", "/a")
            .link("/a/c", "../c");
        check(&files, &["/a/b/x.so", "/c/y.so"], true);
        let deep = format!("/a{}/z.so", "/d".repeat(DEEPEST + 1));
        check(&files.file(&deep, ""), &["/a/b/x.so", "/c/y.so"], false);
    }
}
