//! Paths as texts: what they look like from a folder, and their parts. Nothing is looked up.

/// A path as seen from a folder.
#[must_use]
pub fn absolute(name: &str, folder: &str) -> String {
    if name.starts_with('/') {
        return name.to_owned();
    }
    let name = name.strip_prefix("./").unwrap_or(name);
    format!("{}/{name}", folder.trim_end_matches('/'))
}

/// The folder that a path lies in; nothing if it names none.
#[must_use]
pub fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) => "/",
        Some((folder, _)) => folder,
        None => "",
    }
}

/// The last part of a path.
#[must_use]
pub fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart_and_put_together() {
        assert_eq!(absolute("/a", "/b"), "/a");
        assert_eq!(absolute("./a", "/b/"), "/b/a");
        assert_eq!(absolute("a", "/"), "/a");
        for (path, folder, name) in [
            ("/a/b", "/a", "b"),
            ("/a", "/", "a"),
            ("a", "", "a"),
            ("/a/", "/a", ""),
        ] {
            assert_eq!((parent(path), base_name(path)), (folder, name), "{path}");
        }
    }
}
