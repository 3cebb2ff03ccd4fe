//! Python: from a script, a module or a text to the modules that it imports and the programs that it starts.
//!
//! Over-reports: import statements count wherever they stand, in functions that nobody calls, too; a text in a compiled
//! module that is a module's name counts as imported by it; an argument, an element of the environment and, where
//! something is imported by a name that is not known, any text of a source that is a module's name counts. Where
//! something is imported by such a name, every compiled module of the search path is taken in.
//!
//! Misses, as assumptions: modules in archives, modules of folders that are added to the search path at run time and
//! are not constants, what `eval` and `exec` execute.

mod commands;
mod dynamic;
mod executors;
mod foreign;
mod imports;
mod search;
mod statements;
mod tokens;

use confine_assumption::{Effect, Kind};
use confine_image::FileKind;

use crate::reached::Reached;
use crate::walk::{Source, Walk};
use crate::{Start, folders};
use commands::Expressions;
use dynamic::Dynamic;
use imports::Imports;
use search::Search;

/// What Python imports by itself when it starts: the library reference, "site", and what its start-up code names.
const START_UP: &[&str] = &[
    "site",
    "encodings",
    "codecs",
    "io",
    "abc",
    "os",
    "stat",
    "posixpath",
    "genericpath",
    "zipimport",
    "warnings",
    "sitecustomize",
    "usercustomize",
    "runpy",
    "_sitebuiltins",
];

/// Options that take the next word as their value.
const VALUED: &[&str] = &["-W", "-X", "--check-hash-based-pycs"];

/// No argument that names a module is longer, in bytes.
const LONGEST_ARGUMENT: usize = 1024;

/// What is run.
enum Run<'a> {
    Text(&'a str),
    Module(&'a str),
    File(&'a str),
    Unknown,
}

/// From what an interpreter is started with.
pub fn follow(start: &Start<'_>) -> Reached {
    let (run, arguments) = command_line(start.arguments, start.input);
    let first = match run {
        Run::File(file) => {
            let path = folders::absolute(file, start.workdir);
            match start.files.resolve(&path) {
                Some(found) if found.kind == FileKind::Folder => found.path,
                Some(found) => folders::parent(&found.path).to_owned(),
                None => start.workdir.to_owned(),
            }
        }
        _ => start.workdir.to_owned(),
    };
    let mut python = Python::new(start, &first);
    python.run(&run, arguments, start.place);
    let values: Vec<String> = start.variables.values().cloned().collect();
    python.named_outside(&values, start.place);
    python.finish()
}

/// Every compiled module of the search path.
pub fn everything(start: &Start<'_>) -> Reached {
    let mut python = Python::new(start, start.workdir);
    python.unknown("which programs in Python it runs is not known", start.place);
    python.finish()
}

fn command_line<'a>(arguments: &'a [String], input: Option<&'a str>) -> (Run<'a>, &'a [String]) {
    let mut rest = arguments;
    // Bounded by the arguments: each turn takes one or two.
    while let Some((first, more)) = rest.split_first() {
        let valued = VALUED.contains(&first.as_str());
        if first == "-" {
            break;
        }
        if first == crate::MORE || !first.starts_with('-') {
            return match first.contains(crate::HOLE) || first == crate::MORE {
                true => (Run::Unknown, more),
                false => (Run::File(first), more),
            };
        }
        // Flags may come together, the last with its value: -Im MODULE, -cTEXT.
        let letters = first.strip_prefix('-').unwrap_or_default();
        if !first.starts_with("--")
            && let Some(at) = letters.find(['c', 'm'])
            && !letters.get(..at).unwrap_or_default().contains(['W', 'X'])
        {
            let attached = letters.get(at + 1..).filter(|value| !value.is_empty());
            let (value, more) = match attached {
                Some(value) => (value, more),
                None => match more.split_first() {
                    Some((value, more)) => (value.as_str(), more),
                    None => return (Run::Unknown, more),
                },
            };
            return match letters.get(at..=at) {
                Some("c") => (Run::Text(value), more),
                _ if value.contains(crate::HOLE) => (Run::Unknown, more),
                _ => (Run::Module(value), more),
            };
        }
        rest = if valued {
            more.get(1..).unwrap_or_default()
        } else {
            more
        };
    }
    match input {
        Some(text) => (Run::Text(text), rest),
        None => (Run::Unknown, rest),
    }
}

struct Python<'a> {
    start: Start<'a>,
    search: Search,
    walk: Walk<'a>,
    dynamic: Dynamic,
}

impl<'a> Python<'a> {
    fn new(start: &Start<'a>, first: &str) -> Self {
        let mut search = Search::new(start, first);
        // Servers add the folder that they are started in.
        search.enter(start.files, start.workdir);
        let mut python = Self {
            start: *start,
            search,
            walk: Walk::new(start.files),
            dynamic: Dynamic::default(),
        };
        for file in std::mem::take(&mut python.search.left_out) {
            python.walk.open = true;
            let detail = "a part of the module search path that cannot be read or is too large";
            python
                .walk
                .assume(Kind::UnreadableFile, file, detail, Effect::NotCovered);
        }
        for module in START_UP {
            python.search.import(&mut python.walk, module, "Python itself");
        }
        for module in python.search.modules_of(start.files, "encodings") {
            let name = format!("encodings.{module}");
            python
                .search
                .import(&mut python.walk, &name, "Python itself, for an encoding");
        }
        for (file, statement) in std::mem::take(&mut python.search.statements) {
            python.walk.add_text(&file, &statement);
        }
        python
            .dynamic
            .compiled(&mut python.search, &mut python.walk, start.path);
        python
    }

    /// Something is run: at the start, or by a source that starts its own interpreter anew.
    fn run(&mut self, run: &Run<'_>, arguments: &[String], place: &str) {
        match run {
            Run::Text(text) => {
                self.walk.open |= text.contains(crate::HOLE);
                self.walk.add_text(place, text);
            }
            Run::Module(module) => {
                let found = self.search.import(&mut self.walk, module, place);
                self.search
                    .import(&mut self.walk, &format!("{module}.__main__"), place);
                if !found {
                    self.unknown(&format!("the module {module} is not in the image"), place);
                }
            }
            Run::File(file) => self.file(file, place),
            Run::Unknown => self.unknown("which program it runs is not known", place),
        }
        self.named_outside(arguments, place);
    }

    fn unknown(&mut self, detail: &str, place: &str) {
        self.walk.open = true;
        let place = place.to_owned();
        self.walk.assume(
            Kind::OpenLibrary,
            place.clone(),
            format!("{detail}: every compiled module of Python's search path is taken in"),
            Effect::WidenedToCandidates,
        );
        self.walk.assume(
            Kind::OpenCommand,
            place,
            format!("{detail}, nor what that executes: name it with --also"),
            Effect::NotCovered,
        );
    }

    fn file(&mut self, file: &str, place: &str) {
        let files = self.start.files;
        let path = folders::absolute(file, self.start.workdir);
        match files.resolve(&path) {
            Some(found) if found.kind == FileKind::Folder => {
                if !self.walk.add_file(&format!("{}/__main__.py", found.path)) {
                    self.unknown(&format!("{path} holds no program of Python"), place);
                }
            }
            Some(found) if found.kind == FileKind::Regular => {
                if files.read(&found.path).is_ok_and(|bytes| is_archive(&bytes)) {
                    self.unknown(&format!("what is in the archive {path} is not read"), place);
                } else {
                    self.walk.add(found.path);
                }
            }
            _ => self.unknown(&format!("{path} is not in the image"), place),
        }
    }

    /// Modules that arguments and the environment name, as `module`, `module:object`, or a file.
    fn named_outside(&mut self, words: &[String], place: &str) {
        for word in words.iter().filter(|word| word.len() < LONGEST_ARGUMENT) {
            for part in word.split(['=', ',']) {
                let workdir = self.start.workdir;
                self.dynamic
                    .text(&mut self.search, &mut self.walk, part, workdir, place);
            }
        }
    }

    fn finish(mut self) -> Reached {
        // Bounded: the walk is.
        loop {
            while let Some(source) = self.walk.next() {
                self.source(&source);
            }
            let modules: Vec<String> = self.walk.reached.modules.keys().cloned().collect();
            for module in modules {
                self.dynamic.compiled(&mut self.search, &mut self.walk, &module);
            }
            self.dynamic
                .open_imports(&mut self.search, &mut self.walk, self.start.workdir);
            if !self.walk.waits() {
                break;
            }
        }
        if self.walk.open {
            let entries = self.search.entries().to_vec();
            for entry in entries {
                for path in compiled_below(&mut self.walk, &entry) {
                    self.walk
                        .module(path, "it lies on Python's search path".to_owned(), search::ROOTS);
                }
            }
        }
        self.walk.reached
    }

    fn source(&mut self, source: &Source) {
        let tokens = tokens::tokens(&source.text);
        let imports = Imports::of(&tokens);
        let package = folders::parent(&source.path).to_owned();
        for import in &imports.statements {
            let why = format!("{}:{}", source.path, import.line);
            let from = match import.level {
                0 => self.search.entries().to_vec(),
                level => {
                    let mut folder = package.as_str();
                    // Bounded by the number of dots.
                    for _ in 1..level {
                        folder = folders::parent(folder);
                    }
                    vec![folder.to_owned()]
                }
            };
            if !import.module.is_empty() {
                self.search
                    .import_from(&mut self.walk, &from, &import.module, &why);
            }
            let prefix = if import.module.is_empty() {
                String::new()
            } else {
                format!("{}.", import.module)
            };
            for name in &import.names {
                self.search
                    .import_from(&mut self.walk, &from, &format!("{prefix}{name}"), &why);
            }
            if import.star && import.level == 0 {
                self.dynamic.star(&import.module);
            }
        }
        let expressions = Expressions::new(&tokens, &imports, &source.path, self.start.named);
        for execution in expressions.executions() {
            let place = format!("{}:{}", source.path, execution.line);
            // Its own interpreter is a program already: what that runs is looked at here, once.
            match execution.words.split_first() {
                Some((name, arguments)) if name == self.start.named && !execution.shell => {
                    let (run, arguments) = command_line(arguments, None);
                    self.run(&run, arguments, &place);
                }
                _ => self
                    .walk
                    .command(execution.words, execution.shell, &source.path, execution.line),
            }
        }
        self.dynamic.source(
            &mut self.search,
            &mut self.walk,
            source,
            &tokens,
            &imports,
            &expressions,
        );
        foreign::source(&mut self.walk, source, &tokens, &imports, &expressions);
    }
}

/// The compiled modules below a folder of the search path; of the root, those of its packages.
fn compiled_below(walk: &mut Walk<'_>, entry: &str) -> Vec<String> {
    let compiled = |name: &str| name.ends_with(".so");
    if entry != "/" {
        return walk.below(entry, compiled);
    }
    let files = walk.files;
    let packages = files.list("/").into_iter().map(|name| format!("/{name}"));
    let packages = packages.filter(|path| folders::regular(files, &format!("{path}/__init__.py")).is_some());
    packages.flat_map(|path| walk.below(&path, compiled)).collect()
}

/// A program in an archive begins with a first line or with the archive's own mark.
fn is_archive(bytes: &[u8]) -> bool {
    let after_first_line = bytes
        .starts_with(b"#!")
        .then(|| bytes.iter().position(|byte| *byte == b'\n'))
        .flatten()
        .and_then(|end| bytes.get(end + 1..));
    bytes.starts_with(b"PK\x03\x04") || after_first_line.is_some_and(|rest| rest.starts_with(b"PK\x03\x04"))
}
