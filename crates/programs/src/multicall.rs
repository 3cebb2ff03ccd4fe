//! Binaries that are many programs in one, told apart by the name that they are called by.

use confine_image::paths::base_name;

/// The binaries, by the name of the file that every link leads to.
const BINARIES: &[&str] = &["busybox", "busybox.static", "toybox", "coreutils"];

/// The applet that `argv` asks a multi-call binary for, and its own argument list; `None` if it is no such binary.
pub fn applet(path: &str, argv: &[String]) -> Option<Vec<String>> {
    if !is_multicall(path) {
        return None;
    }
    let called = base_name(argv.first()?);
    if !is_multicall(called) {
        return Some(argv.to_vec());
    }
    let mut rest: Vec<String> = argv.iter().skip(1).cloned().collect();
    if let Some(first) = rest.first_mut()
        && let Some(name) = first.strip_prefix("--coreutils-prog=")
    {
        *first = name.to_owned();
    }
    Some(rest)
}

/// Whether the file is such a binary.
pub fn is_multicall(path: &str) -> bool {
    BINARIES.contains(&base_name(path))
}

/// Whether a binary carries `name` in its table of applets: names that end in a zero byte, one after another.
pub fn has_applet(bytes: &[u8], name: &str) -> bool {
    let mut entry = vec![0];
    entry.extend_from_slice(name.as_bytes());
    entry.push(0);
    bytes.windows(entry.len()).any(|window| window == entry)
}
