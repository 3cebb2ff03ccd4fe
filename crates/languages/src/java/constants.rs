//! What the constants of classes say: commands that they execute, libraries that they load, functions that they look up
//! by name. Every class of an application counts, whether it runs or not.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use confine_assumption::{Effect, Kind as Open};

use super::applications::SOURCES;
use crate::walk::Walk;
use crate::{Start, executables, zip};

/// What a class or page names that starts programs: the builder's class, or the class that `Runtime.exec` returns.
const STARTS: &[&[u8]] = &[
    b"java/lang/ProcessBuilder",
    b"Ljava/lang/Process;",
    b"ProcessBuilder(",
    b"getRuntime()",
];

/// What a class names that loads libraries.
const LOADS: &[u8] = b"loadLibrary";

/// What names the interfaces by which classes call functions of the C library and of others by their names: JNR, its JFFI,
/// JNA, Java's own, and JRuby's for sources in Ruby.
pub const FOREIGN: &[&[u8]] = &[
    b"jnr/ffi",
    b"com/kenai/jffi",
    b"com/sun/jna",
    b"java/lang/foreign",
    b"jdk/incubator/foreign",
    b"attach_function",
];

/// No function that is called so has a longer name, in bytes.
const LONGEST_FUNCTION: usize = 64;

/// The C library's function that makes any system call.
const BY_NUMBER: &str = "syscall";

/// Classes that know each other: of one folder.
#[derive(Default)]
struct Package {
    /// One that calls functions by their names.
    foreign: Option<String>,
    /// What functions may be called like.
    names: BTreeSet<String>,
}

/// A look at constants.
pub struct Constants<'w, 'a> {
    pub start: Start<'a>,
    pub walk: &'w mut Walk<'a>,
    /// The names of libraries that classes may load.
    pub named: BTreeSet<String>,
    /// The packages of what was looked at last.
    packages: BTreeMap<String, Package>,
}

impl<'w, 'a> Constants<'w, 'a> {
    pub fn new(start: Start<'a>, walk: &'w mut Walk<'a>) -> Self {
        Self {
            start,
            walk,
            named: BTreeSet::new(),
            packages: BTreeMap::new(),
        }
    }

    /// Looks at an archive, a class or a source.
    pub fn look(&mut self, file: &str, bytes: &[u8]) {
        if zip::is_archive(file) {
            self.archive(file, bytes);
        } else {
            self.class(file, bytes);
        }
    }

    fn archive(&mut self, file: &str, bytes: &[u8]) {
        let packed = Cell::new(false);
        let wanted = |name: &str, endings: &[&str]| {
            packed.set(packed.get() || name.ends_with(".so"));
            endings.iter().any(|ending| name.ends_with(ending))
        };
        let mut whole_inner = true;
        let whole = zip::each(
            bytes,
            |name| wanted(name, &[".jar"]) || wanted(name, SOURCES),
            |name, content| {
                if !name.ends_with(".jar") {
                    self.class(&format!("{file}!{name}"), content);
                    return;
                }
                // An archive within one: a web application's libraries. Those within these do not count.
                whole_inner &= zip::each(
                    content,
                    |name| wanted(name, &[".class"]),
                    |name, content| self.class(&format!("{file}!{name}"), content),
                );
            },
        );
        self.foreign_functions();
        let mut assume = |detail: &str| {
            self.walk
                .assume(Open::OpenLibrary, file.to_owned(), detail, Effect::NotCovered);
        };
        if packed.get() {
            assume("holds libraries that its classes may unpack and load: their code is not looked at");
        }
        if !(whole && whole_inner) {
            assume("could not be read as a whole: what its classes load and execute is not known");
        }
    }

    fn class(&mut self, place: &str, bytes: &[u8]) {
        self.note_names(place, bytes);
        if executables::mentions(bytes, LOADS) {
            // A name may be any constant of the class, preceded by its length.
            for text in executables::texts(bytes).flat_map(|text| text.split('"')) {
                self.named
                    .extend([text.to_owned(), text.get(1..).unwrap_or_default().to_owned()]);
            }
        }
        if !STARTS.iter().any(|name| executables::mentions(bytes, name)) {
            return;
        }
        self.walk.open_command(place, 1);
        let path = self.start.variables.get("PATH").map(String::as_str);
        // The constants of a class are of all kinds; a page has few.
        let lone = place.ends_with(".jsp") || place.ends_with(".jspx");
        let texts: Vec<String> = executables::texts(bytes)
            .flat_map(|text| text.split('"'))
            .map(str::to_owned)
            .collect();
        for text in texts {
            for text in [Some(text.as_str()), text.get(1..)].into_iter().flatten() {
                if let Some(command) = executables::command(self.start.files, path, text, lone) {
                    let words = command.split_whitespace().map(str::to_owned).collect();
                    self.walk.command(words, false, place, 1);
                }
            }
        }
    }

    /// What functions a class may call by their names: an interface that stands for a library's functions need not
    /// mention how they are called, but its neighbours do.
    fn note_names(&mut self, place: &str, bytes: &[u8]) {
        let is_source = is_source(place);
        let key = match is_source {
            true => place,
            false => place.rsplit_once('/').map_or(place, |(folder, _)| folder),
        };
        let foreign = FOREIGN.iter().any(|name| executables::mentions(bytes, name));
        if is_source && !foreign {
            return;
        }
        let package = self.packages.entry(key.to_owned()).or_default();
        if foreign {
            package.foreign.get_or_insert_with(|| place.to_owned());
        }
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let texts = executables::texts(bytes).map(without_length);
        // A name in a class is a constant of its own.
        let words = texts.flat_map(|text| text.split(move |letter| is_source && !is_part(letter)));
        let names =
            words.filter(|word| (2..LONGEST_FUNCTION).contains(&word.len()) && word.chars().all(is_part));
        for name in names {
            if !package.names.contains(name) {
                package.names.insert(name.to_owned());
            }
        }
    }

    /// Takes in the functions that packages may call by their names.
    pub fn foreign_functions(&mut self) {
        for (key, package) in std::mem::take(&mut self.packages) {
            let Some(place) = package.foreign else { continue };
            for name in package.names {
                if name == BY_NUMBER {
                    let detail = "may make system calls by numbers of its own with the C library's `syscall`: which is not looked at";
                    self.walk
                        .assume(Open::OpenCallNumber, place.clone(), detail, Effect::NotCovered);
                    continue;
                }
                let functions = match is_source(&place) {
                    true => &mut self.walk.reached.functions,
                    false => self.walk.reached.packages.entry(key.clone()).or_default(),
                };
                functions.entry(name).or_insert_with(|| place.clone());
            }
        }
    }
}

fn is_source(place: &str) -> bool {
    place.ends_with(".rb")
}

/// A constant of a class without its length, which is a printable byte before a long one.
fn without_length(text: &str) -> &str {
    match text.bytes().next() {
        Some(length) if usize::from(length) + 1 == text.len() => text.get(1..).unwrap_or_default(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::super::follow;
    use super::*;
    use crate::reached::Reached;
    use crate::zip::tests::archive;
    use confine_image::MemoryFiles;

    /// What a virtual machine comes to that is started without arguments.
    fn in_working_folder(files: &MemoryFiles) -> Reached {
        follow(&Start {
            files,
            named: "/usr/bin/java",
            path: "/usr/bin/java",
            arguments: &[],
            workdir: "/srv",
            variables: &BTreeMap::new(),
            input: None,
            place: "Cmd",
        })
    }

    /// The commands of an archive in the working folder, and what is said of it.
    fn check(bytes: Vec<u8>, expected: &[&str], said: &[&str]) {
        let files = MemoryFiles::new()
            .program("/bin/ls", "\x7fELF")
            .file("/srv/x.jar", bytes);
        let reached = in_working_folder(&files);
        let commands = reached.commands.iter().map(|command| command.words.join(" "));
        assert_eq!(commands.collect::<Vec<_>>(), expected);
        let open = reached.assumptions.iter().filter(|one| one.place == "/srv/x.jar");
        let open: Vec<&str> = open.map(|one| one.detail.as_str()).collect();
        assert_eq!(open.len(), said.len(), "{open:?}");
        assert!(
            open.iter().zip(said).all(|(one, part)| one.contains(part)),
            "{open:?}"
        );
    }

    #[test]
    fn classes_and_pages_of_archives_are_looked_at() {
        let class = b"\x01java/lang/ProcessBuilder\x01\0\x07/bin/ls";
        let page = b"new ProcessBuilder(\"ls\")";
        check(archive("X.class", class), &["/bin/ls"], &[]);
        check(archive("x.jsp", page), &["ls"], &[]);
        check(archive("x.jspx", page), &["ls"], &[]);
        check(archive("y.jar", &archive("X.class", class)), &["/bin/ls"], &[]);
    }

    /// The functions that classes of a folder may call by their names.
    fn check_functions(classes: &[(&str, &[u8])], expected: &[&str], by_number: bool) {
        let mut files = MemoryFiles::new();
        for (path, bytes) in classes {
            files = files.file(&format!("/srv/{path}"), bytes.to_vec());
        }
        let reached = in_working_folder(&files);
        let packages = reached.packages.values().flat_map(|functions| functions.keys());
        let functions: Vec<&str> = reached
            .functions
            .keys()
            .chain(packages)
            .map(String::as_str)
            .collect();
        assert_eq!(functions, expected);
        let open = reached
            .assumptions
            .iter()
            .any(|one| one.kind == Open::OpenCallNumber);
        assert_eq!(open, by_number);
    }

    #[test]
    fn packages_that_call_functions_by_name() {
        let names = &b"\x01\0\x07__xstat\x01\0\x05mkdir\x01\0\x06not it"[..];
        let calls = &b"\x01\0\x0cLjnr/ffi/Out;\x01\0\x07syscall"[..];
        check_functions(&[("a/Names.class", names)], &[], false);
        check_functions(&[("a/Names.class", names), ("b/Calls.class", calls)], &[], true);
        check_functions(
            &[("a/Names.class", names), ("a/Calls.class", calls)],
            &["__xstat", "mkdir"],
            true,
        );
        check_functions(
            &[("x.rb", b"attach_function :getpid, []"), ("y.rb", b"getppid")],
            &["attach_function", "getpid"],
            false,
        );
    }

    #[test]
    fn what_is_not_looked_at_in_archives_is_told() {
        let broken = "could not be read as a whole";
        check(b"PK".to_vec(), &[], &[broken]);
        check(archive("y.jar", b"PK"), &[], &[broken]);
        check(archive("y.jar", &archive("y.so", b"")), &[], &["may unpack"]);
    }
}
