//! Functions of libraries that sources of Python call by name: ctypes and cffi.
//!
//! Over-reports: every name in a source that imports one of them may be a function's, in any library that is loaded.
//! Misses, as assumptions: libraries and functions whose names are put together.

use confine_assumption::{Effect, Kind};

use super::commands::Expressions;
use super::dynamic::meanings;
use super::imports::{Imports, dotted};
use crate::tokens::{Token, list};
use crate::walk::{Source, Walk};
use crate::{HOLE, Roots};

/// What opens a library, by the end of its name: classes of ctypes, a method of its loaders, a method of cffi.
const OPENERS: &[&str] = &["CDLL", "PyDLL", "LoadLibrary", "dlopen"];

/// What looks for a library by its short name.
const FINDER: &str = "find_library";

/// Where `find_library` finds libraries, as the loader's own folders.
const FOLDERS: &[&str] = &[
    "/lib",
    "/usr/lib",
    "/lib64",
    "/usr/lib64",
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/local/lib",
];

/// Everything that one source opens and looks up.
pub fn source(
    walk: &mut Walk<'_>,
    source: &Source,
    tokens: &[Token],
    imports: &Imports,
    expressions: &Expressions<'_>,
) {
    let uses = imports.statements.iter().any(|import| {
        let top = import.module.split('.').next().unwrap_or_default();
        ["ctypes", "cffi", "_cffi_backend"].contains(&top)
    });
    // ctypes itself opens what its users name, and those are looked at.
    if !uses || source.path.contains("/ctypes/") || source.path.contains("/cffi/") {
        return;
    }
    let mut opens = false;
    for (index, token) in tokens.iter().enumerate() {
        let Some(word) = token.word() else { continue };
        let before = index.checked_sub(1).and_then(|before| tokens.get(before));
        if before.is_some_and(|before| before.is('.')) {
            continue;
        }
        let (name, after) = dotted(tokens, index);
        let last = name.rsplit('.').next().unwrap_or(word);
        let meaning = meanings(imports, &name);
        let library = meaning
            .iter()
            .find_map(|meaning| meaning.strip_prefix("ctypes.cdll."));
        opens |= library.is_some() || meaning.iter().any(|meaning| meaning == "ctypes.pythonapi");
        if !tokens.get(after).is_some_and(|next| next.is('(')) {
            continue;
        }
        let meant = meaning
            .iter()
            .filter_map(|meaning| meaning.rsplit('.').next())
            .chain([last]);
        let mut meant = meant.collect::<Vec<_>>();
        meant.dedup();
        let (arguments, _) = list(tokens, after);
        let Some(argument) = arguments.first() else {
            continue;
        };
        if meant.iter().any(|name| OPENERS.contains(name)) {
            opens = true;
            open(walk, source, &expressions.texts(argument), argument, token.line);
        } else if meant.contains(&FINDER) {
            opens = true;
            for name in expressions
                .texts(argument)
                .iter()
                .filter(|name| !name.contains(HOLE))
            {
                find(walk, source, name, token.line);
            }
        }
    }
    if opens {
        functions(walk, source, tokens);
    }
}

fn open(walk: &mut Walk<'_>, source: &Source, names: &[String], argument: &[&Token], line: usize) {
    let of_the_program = argument.first().is_some_and(|first| first.is_word("None"));
    for name in names.iter().filter(|_| !of_the_program) {
        let place = format!("{}:{line}", source.path);
        if name.contains(HOLE) {
            let detail = "opens a library by a name that is not a constant to call its functions: its own code is not looked at";
            walk.assume(Kind::OpenLibrary, place, detail, Effect::NotCovered);
        } else {
            walk.module(name.clone(), format!("opened at {place}"), Roots::Functions);
        }
    }
}

fn find(walk: &mut Walk<'_>, source: &Source, name: &str, line: usize) {
    let beginning = format!("lib{name}.so");
    for folder in FOLDERS {
        let names = walk.files.list(folder).into_iter();
        for file in names.filter(|file| file.starts_with(&beginning)) {
            let path = format!("{folder}/{file}");
            if let Some(path) = walk.regular(&path) {
                let place = format!("{}:{line}", source.path);
                walk.module(path, format!("looked for at {place}"), Roots::Functions);
            }
        }
    }
}

/// Every name in the source, and in its texts, which may declare functions.
fn functions(walk: &mut Walk<'_>, source: &Source, tokens: &[Token]) {
    for token in tokens {
        let place = format!("{}:{}", source.path, token.line);
        let text = token.word().or(token.text()).unwrap_or_default();
        let names = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        for name in names.filter(|name| (2..100).contains(&name.len())) {
            walk.reached
                .functions
                .entry(name.to_owned())
                .or_insert_with(|| place.clone());
        }
    }
}
