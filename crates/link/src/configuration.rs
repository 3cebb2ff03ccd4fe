//! Text files that tell the loaders where to look: `ld.so.conf` with its includes, `ld.so.preload`, musl's path.

use confine_image::{FileKind, Files};

/// How many files `include` lines may bring in, in all: they may name each other.
const MOST_FILES: usize = 1000;

/// How deep `include` lines may lead.
const DEEPEST_INCLUDE: usize = 10;

/// No such file is longer than this in earnest.
const LONGEST_FILE: u64 = 1 << 20;

/// The folders that `/etc/ld.so.conf` names, in order.
pub(crate) fn library_folders(files: &dyn Files) -> Vec<String> {
    let mut folders = Vec::new();
    include(
        files,
        "/etc/ld.so.conf",
        DEEPEST_INCLUDE,
        &mut { MOST_FILES },
        &mut folders,
    );
    folders
}

/// Bounded by the depth and by the number of files that are left.
fn include(files: &dyn Files, path: &str, depth: usize, left: &mut usize, folders: &mut Vec<String>) {
    let (Some(depth), Some(rest)) = (depth.checked_sub(1), left.checked_sub(1)) else {
        return;
    };
    *left = rest;
    let Some(text) = text(files, path) else { return };
    let base = path.rsplit_once('/').map_or("", |(base, _)| base);
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if let Some(patterns) = line
            .strip_prefix("include")
            .filter(|rest| rest.starts_with([' ', '\t']))
        {
            for included in patterns
                .split_whitespace()
                .flat_map(|pattern| matching(files, base, pattern))
            {
                include(files, &included, depth, left, folders);
            }
        } else if !line.starts_with("hwcap") {
            let names = line
                .split([' ', '\t', ':', ','])
                .filter(|name| name.starts_with('/'));
            folders.extend(names.map(str::to_owned));
        }
    }
}

/// The objects that `/etc/ld.so.preload` names.
pub(crate) fn preloaded(files: &dyn Files) -> Vec<String> {
    let text = text(files, "/etc/ld.so.preload").unwrap_or_default();
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default());
    lines
        .flat_map(|line| line.split([' ', '\t', ':']))
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The folders that musl searches.
pub(crate) fn musl_folders(files: &dyn Files) -> Vec<String> {
    let default = || "/lib:/usr/local/lib:/usr/lib".to_owned();
    let text = text(files, "/etc/ld-musl-x86_64.path").unwrap_or_else(default);
    text.split([':', '\n'])
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The text of a regular file of sensible length.
pub(crate) fn text(files: &dyn Files, path: &str) -> Option<String> {
    files
        .resolve(path)
        .filter(|file| file.kind == FileKind::Regular && file.size <= LONGEST_FILE)?;
    Some(String::from_utf8_lossy(&files.read(path).ok()?).into_owned())
}

/// The files that a pattern names, taken as relative to `base`, sorted.
fn matching(files: &dyn Files, base: &str, pattern: &str) -> Vec<String> {
    let pattern = if pattern.starts_with('/') {
        pattern.to_owned()
    } else {
        format!("{base}/{pattern}")
    };
    let mut paths = vec![String::new()];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        paths = paths
            .into_iter()
            .flat_map(|folder| {
                let names = if part.contains(['*', '?']) {
                    let hidden = |name: &String| name.starts_with('.') && !part.starts_with('.');
                    files
                        .list(if folder.is_empty() { "/" } else { &folder })
                        .into_iter()
                        .filter(|n| !hidden(n))
                        .collect()
                } else {
                    vec![part.to_owned()]
                };
                names
                    .into_iter()
                    .filter(|name| matches(part.as_bytes(), name.as_bytes()))
                    .map(move |name| format!("{folder}/{name}"))
            })
            .take(MOST_FILES)
            .collect();
    }
    paths
}

/// Whether a name matches a pattern of `*` and `?`; linear in the name for every `*`.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut in_name) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    // Bounded: a retry moves its place in the name forward.
    while in_name < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                retry = Some((at, in_name));
                at += 1;
            }
            Some(byte) if *byte == b'?' || Some(byte) == name.get(in_name) => {
                at += 1;
                in_name += 1;
            }
            _ => {
                let Some((star, place)) = retry else { return false };
                retry = Some((star, place + 1));
                at = star + 1;
                in_name = place + 1;
            }
        }
    }
    pattern
        .get(at..)
        .unwrap_or_default()
        .iter()
        .all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use confine_image::MemoryFiles;

    use super::*;

    #[test]
    fn includes_are_followed_in_order() {
        let files = MemoryFiles::new()
            .file(
                "/etc/ld.so.conf",
                "/first # comment\ninclude ld.so.conf.d/*.conf\n/last\n",
            )
            .file("/etc/ld.so.conf.d/a.conf", "/a:/b\n")
            .file(
                "/etc/ld.so.conf.d/c.conf",
                "include /etc/ld.so.conf\n/c\nhwcap 1 nosegneg\n",
            )
            .file("/etc/ld.so.conf.d/d.other", "/d\n");
        let folders = library_folders(&files);
        assert_eq!(folders[..4], ["/first", "/a", "/b", "/first"]);
        assert!(folders.contains(&"/c".to_owned()) && !folders.contains(&"/d".to_owned()));
        assert_eq!(folders.last().map(String::as_str), Some("/last"));
    }

    fn check_match(pattern: &str, name: &str, expected: bool) {
        assert_eq!(
            matches(pattern.as_bytes(), name.as_bytes()),
            expected,
            "{pattern} {name}"
        );
    }

    #[test]
    fn patterns_match_as_in_a_shell() {
        check_match("*.conf", "a.conf", true);
        check_match("*.conf", "a.conf.old", false);
        check_match("a?c*", "abc", true);
        check_match("*a*b*c", "xxaxxbxxc", true);
        check_match("", "", true);
        check_match("", "a", false);
    }
}
