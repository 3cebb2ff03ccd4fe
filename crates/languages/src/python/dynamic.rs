//! Modules of Python that are imported by names which are values, and not by statements.

use std::collections::BTreeSet;

use confine_assumption::{Effect, Kind};

use super::commands::Expressions;
use super::imports::{Imports, dotted};
use super::search::Search;
use crate::tokens::{Token, list};
use crate::walk::{Source, Walk};
use crate::{HOLE, folders};

/// Functions that import what their first argument names.
const BY_NAME: &[&str] = &["importlib.import_module", "__import__", "importlib.__import__"];

/// Functions that load or execute what is not named by a module's name alone.
const OPEN: &[&str] = &[
    "runpy.run_module",
    "runpy.run_path",
    "imp.load_source",
    "imp.load_module",
    "imp.load_dynamic",
    "importlib.util.spec_from_file_location",
    "importlib.machinery.SourceFileLoader",
    "importlib.machinery.ExtensionFileLoader",
    "pkgutil.walk_packages",
    "pkgutil.iter_modules",
    "pkgutil.resolve_name",
    "exec",
    "eval",
    "execfile",
];

/// Functions that read which modules an installed package offers.
const ENTRY_POINTS: &[&str] = &[
    "entry_points",
    "iter_entry_points",
    "load_entry_point",
    "distribution",
];

/// Parts of the standard library that import what their callers name: those are looked at. Each with its reason.
const FOR_OTHERS: &[(&str, &str)] = &[
    ("importlib/__init__.py", "import_module's callers name the module"),
    ("importlib/_bootstrap.py", "the import statement itself"),
    ("importlib/_bootstrap_external.py", "the import statement itself"),
    ("importlib/util.py", "its callers name the module"),
    (
        "importlib/metadata/__init__.py",
        "entry points, which are read where they are asked for",
    ),
    (
        "encodings/__init__.py",
        "every encoding is taken in from the start",
    ),
    ("runpy.py", "its callers and the command line name the program"),
    ("pkgutil.py", "its callers name the module"),
    ("imp.py", "its callers name the module"),
    (
        "site.py",
        "sitecustomize and .pth files, which are read from the start",
    ),
    (
        "collections/__init__.py",
        "the text of a tuple's class, which it makes itself",
    ),
    ("dataclasses.py", "the text of methods, which it makes itself"),
    ("enum.py", "the text of members, which it makes itself"),
    ("typing.py", "annotations, which are expressions of their source"),
    ("inspect.py", "annotations, which are expressions of their source"),
    ("ast.py", "constants only, in spite of the function's name"),
    ("warnings.py", "the category that an option names"),
    ("sre_parse.py", "no import"),
    ("re/_parser.py", "no import"),
];

/// How many texts of sources are kept.
const MOST_TEXTS: usize = 1 << 20;

/// How long the name of a module may be, in bytes.
const LONGEST_NAME: usize = 200;

/// How much of a compiled module is looked through, in bytes.
const LARGEST_MODULE: usize = 256 << 20;

/// What was found about imports by value.
#[derive(Debug, Default)]
pub struct Dynamic {
    /// Texts of sources that look like a module's name, those that are looked at already and those that are not.
    done: BTreeSet<String>,
    texts: BTreeSet<String>,
    compiled: BTreeSet<String>,
    /// Whether some source asks for entry points.
    entry_points: bool,
    /// Whether some source beyond the standard library imports a module whose name is not known.
    by_name: bool,
}

impl Dynamic {
    /// Everything that one source imports by value, and the texts in it.
    pub fn source(
        &mut self,
        search: &mut Search,
        walk: &mut Walk<'_>,
        source: &Source,
        tokens: &[Token],
        imports: &Imports,
        expressions: &Expressions<'_>,
    ) {
        let library = is_library(&source.path);
        let for_others = FOR_OTHERS.iter().any(|(path, _)| {
            let library = source
                .path
                .strip_suffix(path)
                .and_then(|rest| rest.strip_suffix('/'));
            library.is_some_and(|library| folders::base_name(library).starts_with("python3"))
        });
        let folder = folders::parent(&source.path).to_owned();
        for (index, token) in tokens.iter().enumerate() {
            if let Some(text) = token.text() {
                if !library {
                    self.keep(search, walk, text, &folder);
                }
                continue;
            }
            let before = index.checked_sub(1).and_then(|before| tokens.get(before));
            let Some(word) = token.word() else { continue };
            self.entry_points |= ENTRY_POINTS.contains(&word);
            let built_in = BY_NAME.contains(&word) || OPEN.contains(&word);
            if !(built_in || imports.binds(word))
                || before.is_some_and(|before| before.is('.') || before.is_word("def"))
            {
                continue;
            }
            let (name, after) = dotted(tokens, index);
            let called = tokens.get(after).is_some_and(|next| next.is('('));
            let meanings = meanings(imports, &name);
            if meanings
                .iter()
                .any(|meaning| meaning.starts_with("sys.path.") || meaning == "site.addsitedir")
                && called
            {
                extend(search, walk, source, tokens, after, expressions, token.line);
                continue;
            }
            if for_others
                || before.is_some_and(|before| before.is_word("import") || before.is(',')) && !called
            {
                continue;
            }
            if meanings.iter().any(|meaning| BY_NAME.contains(&meaning.as_str())) {
                let texts = if called {
                    let (arguments, _) = list(tokens, after);
                    arguments
                        .first()
                        .map_or_else(Vec::new, |argument| expressions.texts(argument))
                } else {
                    vec![HOLE.to_string()]
                };
                for text in texts {
                    self.by_name |= text.contains(HOLE) && !library;
                    import(search, walk, source, &text, token.line);
                }
            } else if called && meanings.iter().any(|meaning| OPEN.contains(&meaning.as_str())) {
                open(walk, source, token.line);
            }
        }
    }

    /// A module of which everything is imported: those of its modules that its texts name are.
    pub fn star(&mut self, module: &str) {
        self.texts.insert(format!("{module}.*"));
    }

    /// A text of a source: the name of a module perhaps, or of another source.
    fn keep(&mut self, search: &mut Search, walk: &mut Walk<'_>, text: &str, folder: &str) {
        if text.len() > LONGEST_NAME || text.contains(HOLE) {
            return;
        }
        if text.ends_with(".py") {
            let first = search.entries().first().cloned();
            for place in std::iter::once(folder).chain(first.as_deref()) {
                walk.add_file(&folders::absolute(text, place));
            }
        } else if is_name(text.split(':').next().unwrap_or_default()) && self.texts.len() < MOST_TEXTS {
            self.texts.insert(text.to_owned());
        }
    }

    /// A word from outside of all sources: a module, an object in one as `module:object`, or a file.
    pub fn text(&mut self, search: &mut Search, walk: &mut Walk<'_>, word: &str, workdir: &str, place: &str) {
        if word.ends_with(".py") {
            walk.add_file(&folders::absolute(word, workdir));
            return;
        }
        let (module, object) = word
            .split_once(':')
            .map_or((word, None), |(module, object)| (module, Some(object)));
        if !is_name(module) {
            return;
        }
        // A lone word may be anything; it counts where it is a module of the program's own.
        if module.contains('.') || object.is_some() {
            search.import(walk, module, place);
            if let Some((package, _)) = module.rsplit_once('.') {
                search.import(walk, package, place);
            }
        } else {
            let own: Vec<String> = search
                .entries()
                .first()
                .cloned()
                .into_iter()
                .chain([workdir.to_owned()])
                .collect();
            search.import_from(walk, &own, module, place);
        }
    }

    /// What the texts of a compiled module name.
    pub fn compiled(&mut self, search: &mut Search, walk: &mut Walk<'_>, path: &str) {
        if !self.compiled.insert(path.to_owned()) {
            return;
        }
        let Ok(bytes) = walk.files.read(path) else { return };
        let bytes = bytes.get(..LARGEST_MODULE.min(bytes.len())).unwrap_or_default();
        let why = format!("a text in {path}");
        for text in bytes.split(|byte| *byte == 0) {
            if !(2..LONGEST_NAME).contains(&text.len())
                || !text.iter().all(|byte| is_letter(*byte) || *byte == b'.')
            {
                continue;
            }
            let Some(name) = std::str::from_utf8(text).ok().filter(|name| is_name(name)) else {
                continue;
            };
            let top = name.split('.').next().unwrap_or_default();
            if search.is_top(walk.files, top) {
                search.import(walk, name, &why);
            }
        }
    }

    /// Where something is imported by a name that is not known: what texts and entry points name.
    pub fn open_imports(&mut self, search: &mut Search, walk: &mut Walk<'_>, workdir: &str) {
        if self.entry_points {
            self.installed(search, walk);
        }
        if !self.by_name {
            return;
        }
        let texts = std::mem::take(&mut self.texts);
        for text in texts {
            let is_dotted = text.contains(['.', ':']);
            if self.done.insert(text.clone()) && is_dotted {
                self.text(
                    search,
                    walk,
                    &text,
                    workdir,
                    "a text where something is imported by a name that is not known",
                );
            }
        }
    }

    /// The modules that installed packages offer in groups which some source names (the packaging user guide's "entry
    /// points specification").
    fn installed(&mut self, search: &mut Search, walk: &mut Walk<'_>) {
        let entries = search.entries().to_vec();
        for entry in entries {
            let packages = walk.files.list(&entry).into_iter();
            for package in packages.filter(|name| name.ends_with("-info")) {
                let path = format!("{entry}/{package}/entry_points.txt");
                let Ok(bytes) = walk.files.read(&path) else {
                    continue;
                };
                let mut wanted = false;
                for line in String::from_utf8_lossy(&bytes).lines() {
                    if let Some(group) = line.trim().strip_prefix('[') {
                        let group = group.trim_end_matches(']');
                        wanted = self.texts.contains(group) || self.done.contains(group);
                    } else if let Some((name, object)) = line.split_once('=').filter(|_| wanted) {
                        let module = object.trim().split([':', ' ', '[']).next().unwrap_or_default();
                        let name = name.trim();
                        // Scripts are many, and started by their own names.
                        let script = self.texts.contains(name) || self.done.contains(name);
                        if script && self.compiled.insert(format!("{path}:{name}")) {
                            search.import(walk, module, &path);
                        }
                    }
                }
            }
        }
    }
}

/// A module by a name that is a value.
fn import(search: &mut Search, walk: &mut Walk<'_>, source: &Source, text: &str, line: usize) {
    let why = format!("{}:{line}", source.path);
    let package = folders::parent(&source.path).to_owned();
    let relative = text.len() - text.trim_start_matches('.').len();
    let name = text.trim_start_matches('.');
    let mut from = search.entries().to_vec();
    if relative > 0 {
        let mut folder = package.as_str();
        // Bounded by the text's dots.
        for _ in 1..relative {
            folder = folders::parent(folder);
        }
        from = vec![folder.to_owned()];
    }
    let Some((known, _)) = name.split_once(HOLE) else {
        search.import_from(walk, &from, name, &why);
        return;
    };
    // The beginning is known, up to a package: one of its modules.
    let Some((package, _)) = known.rsplit_once('.').filter(|_| relative == 0) else {
        open(walk, source, line);
        return;
    };
    for module in search.modules_of(walk.files, package) {
        search.import(walk, &format!("{package}.{module}"), &why);
    }
}

fn open(walk: &mut Walk<'_>, source: &Source, line: usize) {
    walk.open = true;
    walk.assume(
        Kind::OpenLibrary,
        format!("{}:{line}", source.path),
        "imports or executes what is not a constant: every compiled module of Python's search path is taken in",
        Effect::WidenedToCandidates,
    );
}

/// A change of the search path.
fn extend(
    search: &mut Search,
    walk: &mut Walk<'_>,
    source: &Source,
    tokens: &[Token],
    open: usize,
    expressions: &Expressions<'_>,
    line: usize,
) {
    let (arguments, _) = list(tokens, open);
    let Some(path) = arguments.last() else { return };
    for text in expressions.texts(path) {
        if !text.contains(HOLE) {
            search.enter(
                walk.files,
                &folders::absolute(&text, folders::parent(&source.path)),
            );
        } else if !is_library(&source.path) {
            walk.assume(
                Kind::OpenLibrary,
                format!("{}:{line}", source.path),
                "adds a folder that is not a constant to the module search path: modules that only it holds are not \
                 looked at",
                Effect::NotCovered,
            );
        }
    }
}

/// Whether a source is of the standard library.
pub fn is_library(path: &str) -> bool {
    let installed = path.contains("/site-packages/") || path.contains("/dist-packages/");
    !installed && path.split('/').any(|part| part.starts_with("python3."))
}

/// What a dotted name may stand for, its first part as imported.
pub fn meanings(imports: &Imports, name: &str) -> Vec<String> {
    let (first, rest) = name.split_once('.').unwrap_or((name, ""));
    let meanings = imports.meanings(first).into_iter();
    meanings
        .map(|meaning| match rest {
            "" => meaning,
            rest => format!("{meaning}.{rest}"),
        })
        .collect()
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.split('.').all(|part| {
            part.bytes().all(is_letter) && part.bytes().next().is_some_and(|first| !first.is_ascii_digit())
        })
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
