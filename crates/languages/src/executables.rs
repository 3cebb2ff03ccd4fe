//! Commands among the constants of compiled code, where which constant reaches which call is not looked at.

use confine_image::{DEFAULT_PATH, Files};
use memchr::memmem;

use crate::folders;

/// No command that is a constant is longer, in bytes.
const LONGEST: usize = 1000;

/// The command that a text is, if its first word is an executable of the image; with `exec` before it perhaps.
///
/// A lone word without a path is one only where `lone` says so: it may as well be anything else.
pub fn command(files: &dyn Files, path: Option<&str>, text: &str, lone: bool) -> Option<String> {
    let text = text.trim();
    let text = text.strip_prefix("exec ").unwrap_or(text);
    // What a shell takes for a comment: texts for readers have some.
    let text = text.split_once(" # ").map_or(text, |(command, _)| command);
    let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._+-".contains(letter);
    if text.len() > LONGEST || name.len() < 2 || !name.chars().all(is_plain) {
        return None;
    }
    let is_executable = |path: &str| files.resolve(path).is_some_and(|file| file.is_executable());
    let found = if name.starts_with('/') {
        is_executable(name)
    } else {
        let on_path = || {
            path.unwrap_or(DEFAULT_PATH)
                .split(':')
                .any(|folder| is_executable(&folders::absolute(name, folder)))
        };
        !name.contains('/') && (lone || is_argument(rest)) && on_path()
    };
    found.then(|| text.to_owned())
}

/// Whether what follows a name can be its arguments and hardly words of a sentence: an option, a path, or one long word in
/// capitals, as in `getconf PAGESIZE` and unlike SQL's `date DESC`.
fn is_argument(rest: &str) -> bool {
    let is_capital = |letter: char| letter.is_ascii_uppercase() || "_0123456789".contains(letter);
    rest.starts_with(['-', '/']) || rest.len() > 4 && rest.chars().all(is_capital)
}

/// Whether a file holds these bytes.
pub fn mentions(bytes: &[u8], wanted: &[u8]) -> bool {
    memmem::find(bytes, wanted).is_some()
}

/// The printable texts in a file.
pub fn texts(bytes: &[u8]) -> impl Iterator<Item = &str> {
    bytes
        .split(|byte| !(b' '..=b'~').contains(byte))
        .filter(|text| (2..LONGEST).contains(&text.len()))
        .filter_map(|text| std::str::from_utf8(text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, lone: bool, expected: Option<&str>) {
        let files = confine_image::MemoryFiles::new()
            .program("/bin/ls", "\x7fELF")
            .file("/etc/x", "");
        assert_eq!(command(&files, None, text, lone).as_deref(), expected, "{text}");
    }

    #[test]
    fn commands_begin_with_an_executable() {
        check("/bin/ls", false, Some("/bin/ls"));
        check("exec /bin/ls -l", false, Some("/bin/ls -l"));
        check("ls -l", false, Some("ls -l"));
        check("ls", false, None);
        check("ls", true, Some("ls"));
        check("ls of files", false, None);
        check("ls PAGE_SIZE", false, Some("ls PAGE_SIZE"));
        check("ls AND more", false, None);
        check("ls DESC", false, None);
        check("/etc/x", true, None);
        check("", true, None);
    }
}
