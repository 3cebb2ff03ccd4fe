//! What the constants of classes say: commands that they execute, libraries that they load, functions that they look up
//! by name. Every class of an application counts, whether it runs or not; of the functions, only those of classes that run are
//! left when all starts were looked at ([`super::natives`]).

use std::collections::{BTreeMap, BTreeSet};

use confine_assumption::{Effect, Kind as Open};
use rayon::prelude::*;

use super::readings::{Package, Reading, is_class};
use crate::walk::Walk;
use crate::{Start, executables, zip};

/// The C library's function that makes any system call.
const BY_NUMBER: &str = "syscall";

/// A look at constants.
pub struct Constants<'w, 'a> {
    start: Start<'a>,
    walk: &'w mut Walk<'a>,
    /// The names of libraries that classes may load.
    named: BTreeSet<String>,
    /// The packages of classes that lie in no archive.
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

    /// Looks at archives, classes and sources; the names of libraries that they may load.
    pub fn look(mut self, paths: &BTreeSet<String>) -> BTreeSet<String> {
        let (files, readings) = (self.start.files, &self.start.known.java);
        let found: Vec<_> = paths
            .par_iter()
            .filter_map(|path| Some((path, readings.of(files, path)?)))
            .collect();
        for (path, reading) in found {
            self.take(path, &reading);
        }
        let packages = std::mem::take(&mut self.packages);
        self.foreign_functions(packages);
        self.named
    }

    fn take(&mut self, path: &str, reading: &Reading) {
        self.named.extend(reading.named.iter().cloned());
        for starter in &reading.starters {
            self.walk.open_command(&starter.place, 1);
            self.commands(&starter.place, &starter.texts);
        }
        let packages = reading.packages.clone();
        if zip::is_archive(path) {
            self.foreign_functions(packages);
        } else {
            for (key, package) in packages {
                self.packages.entry(key).or_default().merge(package);
            }
        }
        let mut assume = |detail: &str| {
            self.walk
                .assume(Open::OpenLibrary, path.to_owned(), detail, Effect::NotCovered);
        };
        if reading.packs_libraries {
            assume("holds libraries that its classes may unpack and load: their code is not looked at");
        }
        if reading.is_partial {
            assume("could not be read as a whole: what its classes load and execute is not known");
        }
    }

    /// Takes in those of a class's or page's texts that are commands.
    fn commands(&mut self, place: &str, texts: &[String]) {
        let path = self.start.variables.get("PATH").map(String::as_str);
        // The constants of a class are of all kinds; a page has few.
        let lone = place.ends_with(".jsp") || place.ends_with(".jspx");
        for text in texts {
            for text in [Some(text.as_str()), text.get(1..)].into_iter().flatten() {
                if let Some(command) = executables::command(self.start.files, path, text, lone) {
                    let words = command.split_whitespace().map(str::to_owned).collect();
                    self.walk.command(words, false, place, 1);
                }
            }
        }
    }

    /// Takes in the functions that packages may call by their names.
    fn foreign_functions(&mut self, packages: BTreeMap<String, Package>) {
        for package in packages.into_values() {
            let Some(place) = package.foreign else { continue };
            for (class, mut names) in package.names {
                if names.remove(BY_NUMBER) {
                    let detail = "may make system calls by numbers of its own with the C library's `syscall`: which is not looked at";
                    self.walk
                        .assume(Open::OpenCallNumber, place.clone(), detail, Effect::NotCovered);
                }
                let functions = match is_class(&class) {
                    true => self.walk.reached.unsettled.entry(class.clone()).or_default(),
                    false => &mut self.walk.reached.functions,
                };
                for name in names {
                    functions.entry(name).or_insert_with(|| class.clone());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::follow;
    use super::*;
    use crate::Known;
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
            known: &Known::default(),
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
        let packages = reached.unsettled.values().flat_map(|functions| functions.keys());
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
