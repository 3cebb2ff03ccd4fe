//! What a program in an interpreted language brings into its interpreter: compiled modules, and programs that it starts.
//!
//! In: [`Files`], and how an interpreter is started ([`Start`]). Out: [`Reached`]: the sources that it can come to by
//! the import statements of those before, the compiled modules that these load, the commands that they execute, the
//! functions that they look up by name, and an [`Assumption`](confine_assumption::Assumption) for everything that
//! stays open. Must not know: what is inside a compiled module beyond its texts, how libraries are found, what a
//! policy is.
//!
//! Sources are read by scanners of their tokens and not by parsers: a scanner needs no stack, so that no text can
//! exhaust it, and it ends in time proportional to the text. Which functions of a source are called is not looked at:
//! what stands in it counts. Where a program can load modules by names that are not constants, every compiled module
//! of the language's search path counts ([`Language::everything`]).
#![forbid(unsafe_code)]

mod erlang;
mod executables;
mod folders;
mod java;
mod node;
mod perl;
mod php;
mod python;
mod reached;
mod ruby;
mod script;
mod tokens;
mod walk;
mod zip;

use std::collections::BTreeMap;

use confine_image::Files;

pub use reached::{Beginning, Command, Module, Native, Reached, Roots};

/// Within a word or text of a [`Command`]: any text. A character that Unicode promises never to assign.
pub const HOLE: char = '\u{FDD0}';

/// As a whole word of a [`Command`]: any number of unknown words.
pub const MORE: &str = "\u{FDD2}";

/// How an interpreter is started.
#[derive(Clone, Copy)]
pub struct Start<'a> {
    /// The image's files.
    pub files: &'a dyn Files,
    /// The interpreter's path as it is named, links not followed.
    pub named: &'a str,
    /// The interpreter's file.
    pub path: &'a str,
    /// What follows its name; unknown parts as holes.
    pub arguments: &'a [String],
    /// The folder that it is started in.
    pub workdir: &'a str,
    /// Its environment, as far as that is known.
    pub variables: &'a BTreeMap<String, String>,
    /// What it reads from its standard input, if that is a constant.
    pub input: Option<&'a str>,
    /// Where it is started, for assumptions.
    pub place: &'a str,
    /// What is known of the image's files from starts before.
    pub known: &'a Known,
}

/// What files say by themselves, kept so that a file is read once for all starts in one image.
#[derive(Debug, Default)]
pub struct Known {
    java: java::Readings,
}

/// One language that is followed.
pub struct Language {
    /// What people call it.
    pub name: &'static str,
    /// Names of its interpreters, without the version that may follow.
    interpreters: &'static [&'static str],
    /// What a library exports that holds the interpreter: a program that loads it runs the language without being
    /// called like it.
    pub export: Option<&'static str>,
    follow: fn(&Start<'_>) -> Reached,
    everything: fn(&Start<'_>) -> Reached,
    together: Option<fn(&dyn Files, &Reached) -> Reached>,
}

/// Every language that is followed.
pub const LANGUAGES: &[Language] = &[
    Language {
        name: "Python",
        interpreters: &["python", "pypy"],
        export: Some("Py_BytesMain"),
        follow: python::follow,
        everything: python::everything,
        together: None,
    },
    Language {
        name: "PHP",
        interpreters: &["php", "php-fpm", "php-cgi"],
        export: Some("php_module_startup"),
        follow: php::follow,
        everything: php::everything,
        together: None,
    },
    Language {
        name: "JavaScript",
        interpreters: &["node", "nodejs"],
        // Programs that embed it bring it in their own file, under names of C++.
        export: None,
        follow: node::follow,
        everything: node::everything,
        together: None,
    },
    Language {
        name: "Java",
        interpreters: &["java"],
        export: Some("JNI_CreateJavaVM"),
        follow: java::follow,
        everything: java::everything,
        together: Some(java::together),
    },
    Language {
        name: "Ruby",
        interpreters: &["ruby"],
        export: Some("ruby_init"),
        follow: ruby::follow,
        everything: ruby::everything,
        together: None,
    },
    Language {
        name: "Perl",
        interpreters: &["perl"],
        // What a program's own interpreter is given comes from its clients and its configuration, not from sources of the
        // image.
        export: None,
        follow: perl::follow,
        everything: perl::everything,
        together: None,
    },
    Language {
        name: "Erlang",
        interpreters: &["erlexec", "beam.smp", "beam", "escript"],
        export: None,
        follow: erlang::follow,
        everything: erlang::everything,
        together: None,
    },
];

/// The language that a program of this name interprets.
#[must_use]
pub fn language(name: &str) -> Option<&'static Language> {
    let stem = name.trim_end_matches(|letter: char| letter.is_ascii_digit() || ".-".contains(letter));
    let is_one = |language: &&Language| {
        let interpreters = language.interpreters;
        interpreters.contains(&name) || interpreters.contains(&stem)
    };
    LANGUAGES.iter().find(is_one)
}

impl Language {
    /// What a program that is started like this comes to.
    #[must_use]
    pub fn follow(&self, start: &Start<'_>) -> Reached {
        (self.follow)(start)
    }

    /// Every compiled module that an interpreter of the image finds, where it is not known what it runs.
    #[must_use]
    pub fn everything(&self, start: &Start<'_>) -> Reached {
        (self.everything)(start)
    }

    /// What is found once for all starts of one interpreter, from what was found of each.
    #[must_use]
    pub fn together(&self, files: &dyn Files, reached: &Reached) -> Reached {
        let together = self.together.filter(|_| !reached.beginnings.is_empty());
        together
            .map(|together| together(files, reached))
            .unwrap_or_default()
    }
}
