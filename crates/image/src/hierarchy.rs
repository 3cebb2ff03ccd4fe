//! Where the Filesystem Hierarchy Standard (4.6, 4.7) puts what only other programs execute.

use std::collections::BTreeSet;

use crate::{FileKind, Files, Resolved};

/// Folders whose own folders hold what only programs execute.
const PRIVATE: [&str; 2] = ["lib", "libexec"];

/// How deep below a folder programs are looked for.
const DEEPEST: usize = 3;
/// Among how many names in all something is looked for.
const MOST_FILES: usize = 2000;

/// Whether a path lies below a folder of [`PRIVATE`], and is none of data that changes (Filesystem Hierarchy Standard, 5).
#[must_use]
pub fn is_private(path: &str) -> bool {
    if path.starts_with("/var/") {
        return false;
    }
    let mut parts = path.split('/').skip_while(|part| !PRIVATE.contains(part));
    parts.nth(1).is_some_and(|part| !part.is_empty())
}

/// The executables in and below a folder, but for shared objects, which some distributions mark so.
#[must_use]
pub fn executables(files: &dyn Files, folder: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(files, folder, DEEPEST, |name, there| {
        if there.is_executable() && !is_shared_object(name) {
            found.insert(there.path.clone());
        }
        there.kind == FileKind::Folder
    });
    found
}

/// Shows what is in and below a folder to `enter`, by name; it says of a folder whether to go into it. Folders that are
/// `deepest` folders down are not shown, and no more than [`MOST_FILES`] names in all.
pub fn walk(files: &dyn Files, folder: &str, deepest: usize, mut enter: impl FnMut(&str, &Resolved) -> bool) {
    let mut seen = 0;
    let mut pending = vec![(folder.to_owned(), 0)];
    // Bounded: so many names are listed at most, so deep.
    while let Some((here, depth)) = pending.pop() {
        for name in files.list(&here) {
            seen += 1;
            if seen > MOST_FILES {
                return;
            }
            let Some(there) = files.resolve(&format!("{here}/{name}")) else {
                continue;
            };
            let is_folder = there.kind == FileKind::Folder;
            if is_folder && depth >= deepest {
                continue;
            }
            if enter(&name, &there) && is_folder {
                pending.push((there.path, depth + 1));
            }
        }
    }
}

/// Whether a folder holds libraries that any program may load, and not what one of them executes.
#[must_use]
pub fn holds_libraries(files: &dyn Files, folder: &str) -> bool {
    let mut names = files.list(folder).into_iter();
    names.any(|name| name.starts_with("lib") && is_shared_object(&name))
}

fn is_shared_object(name: &str) -> bool {
    name.ends_with(".so") || name.contains(".so.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryFiles;

    #[test]
    fn private_folders_lie_below_those_of_libraries() {
        for (folder, expected) in [
            ("/usr/lib/gcc", true),
            ("/usr/libexec/git-core", true),
            ("/usr/lib", false),
            ("/usr/lib/", false),
            ("/usr/bin", false),
            ("/etc/x", false),
            ("/var/lib/dpkg", false),
        ] {
            assert_eq!(is_private(folder), expected, "{folder}");
        }
    }

    #[test]
    fn executables_are_looked_for_some_folders_deep() {
        let files = MemoryFiles::new()
            .program("/usr/lib/tool/15/bin/run", "")
            .program("/usr/lib/tool/module.so", "")
            .program("/usr/lib/tool/1/2/3/4/too-deep", "")
            .file("/usr/lib/tool/text", "")
            .file("/usr/lib/libx.so.1", "");
        let found = executables(&files, "/usr/lib/tool");
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            ["/usr/lib/tool/15/bin/run"]
        );
        assert!(holds_libraries(&files, "/usr/lib"));
        assert!(!holds_libraries(&files, "/usr/lib/tool"));
    }
}
