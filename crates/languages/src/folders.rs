//! Folders of an image and what lies below them, bounded.

use confine_image::{FileKind, Files, Resolved};

/// How many names are listed below one folder, and how deep.
const MOST_NAMES: usize = 200_000;
const DEEPEST: usize = 16;

/// A path as seen from a folder.
pub fn absolute(name: &str, folder: &str) -> String {
    if name.starts_with('/') {
        return name.to_owned();
    }
    let name = name.strip_prefix("./").unwrap_or(name);
    format!("{}/{name}", folder.trim_end_matches('/'))
}

/// The folder that a path lies in.
pub fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) => "/",
        Some((folder, _)) => folder,
        None => "",
    }
}

/// The last part of a path.
pub fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The regular file at a path.
pub fn regular(files: &dyn Files, path: &str) -> Option<Resolved> {
    files.resolve(path).filter(|file| file.kind == FileKind::Regular)
}

/// The canonical path of the folder at a path.
pub fn folder(files: &dyn Files, path: &str) -> Option<String> {
    let found = files.resolve(path)?;
    (found.kind == FileKind::Folder).then_some(found.path)
}

/// The regular files below a folder that `wanted` takes by name, canonical and sorted.
pub fn below(files: &dyn Files, folder: &str, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut listed = 0;
    let mut pending = vec![(folder.to_owned(), 0)];
    // Bounded: so many names are listed at most, so deep; links may make a folder contain itself.
    while let Some((here, depth)) = pending.pop() {
        for name in files.list(&here) {
            listed += 1;
            if listed > MOST_NAMES {
                break;
            }
            let path = format!("{}/{name}", here.trim_end_matches('/'));
            match files.resolve(&path) {
                Some(file) if file.kind == FileKind::Regular && wanted(&name) => found.push(file.path),
                Some(file) if file.kind == FileKind::Folder && depth < DEEPEST => {
                    pending.push((path, depth + 1));
                }
                _ => {}
            }
        }
    }
    found.sort();
    found.dedup();
    found
}
