//! Java: the libraries of the virtual machine and of its native interface, and what classes execute.
//!
//! Which native methods run is searched for once, for all starts together ([`natives`]), and so is which functions of
//! libraries classes call by their names. What classes execute is read from their constants, whether they run or not
//! ([`readings`], [`constants`]). Over-reports: every library in the folders that the native interface searches by default; of
//! every class that can start programs, each constant that is an executable of the image; of classes that run in packages
//! that call functions by their names, each string. Misses, as assumptions: libraries that classes unpack from their
//! archives, commands that are put together, numbers of system calls that classes make by themselves.

mod annotations;
mod applications;
#[cfg(test)]
mod assembler;
mod bytes;
mod class;
mod code;
mod command;
mod constants;
mod flow;
mod hierarchy;
mod mangle;
mod modules;
mod names;
mod natives;
mod numbers;
mod readings;
mod reflection;
mod requests;
mod resources;
mod search;
mod texts;
mod world;

use std::collections::BTreeSet;

use confine_assumption::{Effect, Kind as Open};
use confine_image::Files;

use self::constants::Constants;
pub use self::natives::together;
pub use self::readings::Readings;
use crate::reached::{Beginning, Reached};
use crate::walk::Walk;
use crate::{Roots, Start, folders};

/// What the virtual machine looks up in a library of its native interface (the JNI specification, chapter 2).
const ROOTS: Roots = Roots::Prefixes(&["JNI_On", "Java_"]);

/// Why a library of the virtual machine is loaded.
const MACHINE: &str = "it is a library of the virtual machine";

/// Where the virtual machine looks for such libraries by default: Debian's folders, and those of other builds. The last
/// are the loader's own, in which a library counts only if a class names it.
const FOLDERS: &[&str] = &[
    "/usr/java/packages/lib",
    "/usr/lib/x86_64-linux-gnu/jni",
    "/usr/lib/jni",
];
const LOADER_FOLDERS: &[&str] = &[
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib",
    "/usr/lib",
    "/usr/lib64",
];

/// From what the virtual machine is started with.
pub fn follow(start: &Start<'_>) -> Reached {
    let mut java = Java {
        start: *start,
        walk: Walk::new(start.files),
        named: BTreeSet::new(),
    };
    java.machine();
    java.applications();
    java.libraries();
    // The launcher starts itself again as it was started, where the path of its libraries asks for that.
    if start.place != start.path {
        java.walk.reached.beginnings.insert(Beginning::of(start));
    }
    java.walk.reached
}

/// The same, since little of what is taken in depends on how the virtual machine is started: but archives that another start
/// names are not.
pub fn everything(start: &Start<'_>) -> Reached {
    let mut reached = follow(start);
    reached.beginnings = std::iter::once(Beginning {
        known: false,
        ..Beginning::of(start)
    })
    .collect();
    let detail = "which programs in Java it runs is not known, nor what these execute: name it with --also";
    reached.assume(
        Open::OpenCommand,
        start.place.to_owned(),
        detail,
        Effect::NotCovered,
    );
    reached
}

/// The folder above `bin/java`, or above `lib/server/libjvm.so`; in the older releases there is one more between.
fn home(files: &dyn Files, path: &str) -> Option<String> {
    let machine = [
        "lib/server",
        "jre/lib/amd64/server",
        "lib/amd64/server",
        "lib/minimal",
    ];
    folders::above(path, |here| {
        let mut places = machine.iter().map(|folder| format!("{here}/{folder}"));
        places.any(|place| folders::folder(files, &place).is_some())
    })
}

struct Java<'a> {
    start: Start<'a>,
    walk: Walk<'a>,
    /// The names of libraries that classes may load.
    named: BTreeSet<String>,
}

impl Java<'_> {
    /// The virtual machine's own libraries, and the program by which it starts others.
    fn machine(&mut self) {
        let Some(home) = home(self.start.files, self.start.path) else {
            let detail =
                "there is no folder of a virtual machine around it, so that its libraries are not known";
            self.walk.assume(
                Open::OpenLibrary,
                self.start.path.to_owned(),
                detail,
                Effect::NotCovered,
            );
            return;
        };
        for helper in self.walk.below(&home, |name| name == "jspawnhelper") {
            self.walk.command(vec![helper], false, self.start.path, 1);
        }
    }

    /// What the archives, classes and pages that may be loaded say.
    fn applications(&mut self) {
        let home = home(self.start.files, self.start.path).unwrap_or_default();
        let found = applications::find(&mut self.walk, &Beginning::of(&self.start), &home);
        self.named = Constants::new(self.start, &mut self.walk).look(&found.code);
    }

    /// The libraries of the native interface.
    fn libraries(&mut self) {
        let options = self
            .start
            .variables
            .values()
            .chain(self.start.arguments)
            .flat_map(|text| text.split_whitespace());
        let set: Vec<String> = options
            .filter_map(|option| option.strip_prefix("-Djava.library.path="))
            .flat_map(|folders| folders.split(':'))
            .map(str::to_owned)
            .collect();
        for folder in FOLDERS.iter().map(|folder| (*folder).to_owned()).chain(set) {
            for name in self.shared_objects(&folder) {
                if let Some(path) = self.walk.regular(&format!("{folder}/{name}")) {
                    self.walk.module(
                        path,
                        "it lies where the native interface looks for libraries".to_owned(),
                        ROOTS,
                    );
                }
            }
        }
        for folder in LOADER_FOLDERS {
            for name in self.shared_objects(folder) {
                let short = name
                    .strip_prefix("lib")
                    .and_then(|name| name.strip_suffix(".so"))
                    .unwrap_or_default();
                if short.len() > 2
                    && self.named.contains(short)
                    && let Some(path) = self.walk.regular(&format!("{folder}/{name}"))
                {
                    self.walk.module(path, "a class names it".to_owned(), ROOTS);
                }
            }
        }
    }

    /// The names in a folder that are like those of shared objects.
    fn shared_objects(&self, folder: &str) -> Vec<String> {
        let mut names = self.start.files.list(folder);
        names.retain(|name| name.ends_with(".so"));
        names
    }
}
