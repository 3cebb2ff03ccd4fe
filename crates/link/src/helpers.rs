//! Which programs a program may execute when it executes one by a name that is not known.
//!
//! As with [`crate::plugins`], one general mechanism instead of knowledge of programs: the read-only data of the objects
//! that execute so. Four kinds of strings in it name programs; of a text that is given to a shell only the third, since
//! whoever configures the program writes that text; of an object that needs a library which executes so, as GStreamer has
//! GLib start its scanner, only paths below `lib` and `libexec`:
//!
//! - absolute paths of executables; among other words, as in the settings that a program has by default, those below `lib`
//!   and `libexec`.
//! - folders below `lib` or `libexec`, where the Filesystem Hierarchy Standard (4.6, 4.7) puts what only other programs
//!   execute: everything executable in them, some folders deep. GCC joins the paths of its compilers so. But a script that lies
//!   directly there counts only if the data has its name, too, as git has those of its commands: packages put what timers and
//!   their own installation run into the same folder (PHP's `sessionclean`).
//! - texts of command lines: a name that an option, or a hole to be filled in, follows (`as %(options) -o %o`,
//!   `exec cc -g -o %o %s`).
//! - names that are neither words of a language nor identifiers, since a hyphen or a dot is in them (`ld.bfd`).
//!
//! Over-approximates: whatever a program's messages and tables name besides. Misses: names that are plain words by
//! themselves, names that are put together from parts, folders elsewhere; so the execution stays an assumption.

use std::collections::{BTreeMap, BTreeSet};

use confine_elf::Object;
use confine_image::{FileKind, Files, hierarchy, paths};

use crate::linked::Linked;
use crate::plugins;
use crate::store::ObjectStore;

/// The longest text of a command line that is looked at, and the longest name that the kernel takes (`NAME_MAX`).
const LONGEST_TEXT: usize = 8192;
const LONGEST_NAME: usize = 255;

/// A program that may be executed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Helper {
    /// Its path, or a name that may be that of a command.
    pub name: String,
    /// Why it may be, in words.
    pub why: String,
}

/// How a program executes what is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum How {
    /// By a library that it needs, which may be told the name.
    ThroughLibrary,
    /// By a text that a shell reads.
    ByShell,
    /// By a path or a name.
    ByName,
}

/// What the data of an object that executes so may name as a program, sorted by name: files of folders, which are executable, and names
/// of commands, which may be none. The folders of `commands`, whose programs go by their names, do not count.
#[must_use]
pub fn helpers(
    files: &dyn Files,
    store: &ObjectStore,
    linked: &Linked,
    object: usize,
    how: How,
    commands: &[&str],
) -> Vec<Helper> {
    let Some(object) = linked.objects.get(object) else {
        return Vec::new();
    };
    let mut left_out = plugins::loader_folders(files, store, linked);
    left_out.extend(
        commands
            .iter()
            .filter_map(|folder| Some(files.resolve(folder)?.path)),
    );
    let interpreter = object.elf.interpreter.as_deref();
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for text in texts(&object.elf)
        .into_iter()
        .filter(|text| interpreter != Some(text))
    {
        let folder = text.starts_with('/').then(|| files.resolve(text)).flatten();
        let folder = folder.filter(|found| found.kind == FileKind::Folder);
        if let Some(folder) = folder {
            if how == How::ByName && hierarchy::is_private(&folder.path) && !left_out.contains(&folder.path) {
                let why = format!("{} names its folder {}", object.path, folder.path);
                let programs = hierarchy::executables(files, &folder.path).into_iter();
                let programs = programs.filter(|path| {
                    let is_direct = paths::parent(path) == folder.path;
                    !is_direct || is_program(files, path) || holds_name(&object.elf, paths::base_name(path))
                });
                found.extend(programs.map(|path| (path, why.clone())));
            }
            continue;
        }
        let commands = match how {
            How::ThroughLibrary => Vec::new(),
            How::ByShell | How::ByName => commands_of(text),
        };
        let settings = text
            .split_whitespace()
            .filter(|word| how != How::ByShell && names_private(word));
        let is_file = how == How::ByName && names_file(text);
        for name in commands
            .into_iter()
            .chain(settings)
            .chain(is_file.then_some(text))
        {
            found
                .entry(name.to_owned())
                .or_insert_with(|| format!("{} names it", object.path));
        }
    }
    found
        .into_iter()
        .map(|(name, why)| Helper { name, why })
        .collect()
}

/// Whether a file is no script: an ELF object by its first bytes.
fn is_program(files: &dyn Files, path: &str) -> bool {
    files.read(path).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF"))
}

/// Whether the read-only data has a file's name, with nothing of a name around it.
fn holds_name(object: &Object, name: &str) -> bool {
    let ends =
        |byte: Option<&u8>| byte.is_none_or(|byte| !(byte.is_ascii_alphanumeric() || b"-_.".contains(byte)));
    plugins::occurs(object, name, |before, after| ends(before) && ends(after))
}

/// Strings in the read-only data that may say something here.
fn texts(object: &Object) -> BTreeSet<&str> {
    object
        .read_only_data()
        .flat_map(|bytes| bytes.split(|byte| *byte == 0))
        .filter(|text| (2..LONGEST_TEXT).contains(&text.len()))
        .filter_map(|text| std::str::from_utf8(text).ok())
        .filter(|text| !text.contains(|letter: char| letter.is_control() && !letter.is_whitespace()))
        .collect()
}

/// The names at the beginnings of the command lines that a text may consist of: what separates them in shells, and in the
/// specifications of GCC and its kind.
fn commands_of(text: &str) -> Vec<&str> {
    text.split(['\n', ';', '|', '&', '{', '}', ':', '('])
        .filter_map(|line| {
            let mut words = line.split_whitespace().skip_while(|word| *word == "exec");
            let name = words.next().filter(|name| is_name(name))?;
            let next = words.next()?;
            (is_option(next) || next.starts_with('%')).then_some(name)
        })
        .collect()
}

/// A hyphen and a letter.
fn is_option(word: &str) -> bool {
    let name = word.trim_start_matches('-');
    word.starts_with('-') && name.starts_with(|letter: char| letter.is_ascii_alphanumeric())
}

/// Whether a text can mean nothing but a file: an absolute path, or a name that is neither a word nor an identifier.
fn names_file(text: &str) -> bool {
    is_name(text) && (text.starts_with('/') || !text.contains('/') && text.contains(['-', '.']))
}

/// Whether a word, wherever it stands, can mean little but a program that only others execute.
fn names_private(word: &str) -> bool {
    word.starts_with('/') && hierarchy::is_private(word) && is_name(word)
}

/// A path or a name of a command, as they usually are.
fn is_name(text: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_-+./".contains(letter);
    let begins = |text: &str| text.starts_with(|letter: char| letter.is_ascii_alphanumeric());
    text.len() <= LONGEST_NAME && text.chars().all(is_plain) && begins(paths::base_name(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines_begin_with_what_an_option_or_a_hole_follows() {
        for (text, expected) in [
            ("exec cc -g -Wl,-x -o %o %s", &["cc"][..]),
            ("%{!E:%{!S:as %(asm_options) %i %A }}", &["as"]),
            ("%{E:cc1 -E %(options)} |\n as --64", &["cc1", "as"]),
            ("/usr/lib/tool --stdin; rm -rf %s", &["/usr/lib/tool", "rm"]),
            ("cannot sort - no memory", &[]),
            ("no such file", &[]),
            ("%s -x", &[]),
            ("-o -x", &[]),
        ] {
            assert_eq!(commands_of(text), expected, "{text}");
        }
    }

    #[test]
    fn programs_for_programs_are_named_among_other_words() {
        let text = "pinger_program /usr/lib/squid/pinger /usr/bin/sort /usr/lib/%s";
        let named: Vec<&str> = text
            .split_whitespace()
            .filter(|word| names_private(word))
            .collect();
        assert_eq!(named, ["/usr/lib/squid/pinger"]);
    }

    #[test]
    fn what_is_a_word_names_no_program_by_itself() {
        for (text, expected) in [
            ("ld.bfd", true),
            ("gcc-12", true),
            ("sort", false),
            ("-x", false),
            ("a b-c", false),
            ("lib/x-y", false),
            ("/usr/bin/sort", true),
            ("/usr/bin/sort -x", false),
        ] {
            assert_eq!(names_file(text), expected, "{text}");
        }
    }
}
