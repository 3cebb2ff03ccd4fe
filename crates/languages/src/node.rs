//! Node: the sources that `require` and `import` lead to, and what they execute. Native add-ons are taken in as a whole:
//! every one of the folders in which modules are looked for, whatever is required.
//!
//! Import statements count wherever they stand, in comments and texts, too. Misses, as assumptions: sources whose names
//! are not constants, add-ons in other folders.

use std::collections::BTreeSet;

use confine_assumption::{Effect, Kind as Open};

use crate::reached::Reached;
use crate::script::{self, Candidates, Constants, Function, Grammar, Shape};
use crate::tokens::{Token, list};
use crate::walk::{Source, Walk};
use crate::{HOLE, Roots, Start, executables, folders};

const GRAMMAR: Grammar = Grammar {
    line_comments: &["//"],
    block_comments: true,
    interpolation: "${",
    backticks_execute: false,
    more_letters: "$",
    dot_joins: false,
};

/// What executes programs (Node's documentation of child_process), on whatever object: sources that do not name that
/// module are not looked at.
const FUNCTIONS: &[Function] = &[
    function("exec", Shape::Shell),
    function("execSync", Shape::Shell),
    function("execFile", Shape::ProgramAndList),
    function("execFileSync", Shape::ProgramAndList),
    function("spawn", Shape::ProgramAndList),
    function("spawnSync", Shape::ProgramAndList),
];

const fn function(name: &'static str, shape: Shape) -> Function {
    Function {
        name,
        shape,
        of: &[""],
    }
}

/// What Node looks up in an add-on; those of the older kind announce themselves in a constructor.
const ROOTS: Roots = Roots::Prefixes(&["napi_", "node_register_module_", "node_api_"]);

/// Where modules lie beside those of the program: Debian's folders, and those of Node's own installation.
const FOLDERS: &[&str] = &[
    "/usr/share/nodejs",
    "/usr/lib/nodejs",
    "/usr/lib/x86_64-linux-gnu/nodejs",
    "/usr/lib/node_modules",
    "/usr/local/lib/node_modules",
];

const ENDINGS: &[&str] = &[
    "",
    ".js",
    ".mjs",
    ".cjs",
    ".json",
    ".node",
    ".ts",
    "/index.js",
    "/index.mjs",
    "/index.cjs",
    "/index.json",
    "/index.node",
];

/// What sources are called.
const SOURCES: &[&str] = &[".js", ".mjs", ".cjs", ".ts"];

/// Options that take the next word as their value.
const VALUED: &[&str] = &[
    "-r",
    "--require",
    "--import",
    "--loader",
    "-C",
    "--conditions",
    "--title",
];

/// No name of a module is longer, in bytes.
const LONGEST_NAME: usize = 300;

/// From what an interpreter is started with.
pub fn follow(start: &Start<'_>) -> Reached {
    let mut node = Node::new(start);
    let mut rest = start.arguments.iter();
    let mut known = false;
    let options = start.variables.get("NODE_OPTIONS").map_or("", String::as_str);
    let mut options = options.split_whitespace();
    while let Some(option) = options.next() {
        if ["-r", "--require", "--import", "--loader"].contains(&option)
            && let Some(name) = options.next()
        {
            node.resolve(name, start.workdir);
        }
    }
    // Bounded by the arguments.
    while let Some(word) = rest.next() {
        match word.as_str() {
            "-e" | "--eval" | "-p" | "--print" | "-pe" => {
                if let Some(text) = rest.next() {
                    node.walk
                        .add_text(&format!("{}/[eval]", start.workdir.trim_end_matches('/')), text);
                    known = true;
                }
            }
            _ if VALUED.contains(&word.as_str()) => {
                if let Some(name) = rest.next() {
                    node.resolve(name, start.workdir);
                }
            }
            _ if word.starts_with('-') && word.len() > 1 => {}
            _ => {
                known |= node.file(&folders::absolute(word, start.workdir));
                break;
            }
        }
    }
    if let (false, Some(text)) = (known, start.input) {
        node.walk.add_text(start.place, text);
        known = true;
    }
    if !known {
        node.unknown();
    }
    node.finish()
}

/// Every add-on of the folders in which modules are looked for.
pub fn everything(start: &Start<'_>) -> Reached {
    let mut node = Node::new(start);
    node.unknown();
    node.finish()
}

struct Node<'a> {
    start: Start<'a>,
    walk: Walk<'a>,
    seen: BTreeSet<(String, String)>,
}

impl<'a> Node<'a> {
    fn new(start: &Start<'a>) -> Self {
        Self {
            start: *start,
            walk: Walk::new(start.files),
            seen: BTreeSet::new(),
        }
    }

    fn unknown(&mut self) {
        let detail =
            "which program in JavaScript it runs is not known, nor what that executes: name it with --also";
        self.walk.assume(
            Open::OpenCommand,
            self.start.place.to_owned(),
            detail,
            Effect::NotCovered,
        );
    }

    /// A file, a folder with a package, or either without its ending; whether there is one.
    fn file(&mut self, path: &str) -> bool {
        let mut found = false;
        for ending in ENDINGS {
            if let Some(file) = self.walk.regular(&format!("{path}{ending}")) {
                found = true;
                if !file.ends_with(".json") && !file.ends_with(".node") {
                    self.walk.add(file);
                }
            }
        }
        found | self.package(path)
    }

    /// What the description of the package in a folder names as its sources.
    fn package(&mut self, folder: &str) -> bool {
        let Some(description) = self.walk.regular(&format!("{folder}/package.json")) else {
            return false;
        };
        let Ok(bytes) = self.walk.files.read(&description) else {
            return false;
        };
        let folder = folders::parent(&description).to_owned();
        let mut found = false;
        // Every text that is a file of the package: main, module, browser, exports and what these are split into.
        for name in texts(&bytes) {
            let ends = [".js", ".mjs", ".cjs"]
                .iter()
                .any(|ending| name.ends_with(ending));
            if (ends || name.starts_with("./") || !name.contains(['/', ' '])) && name.len() < LONGEST_NAME {
                for ending in ENDINGS.iter().take(4) {
                    let file = self
                        .walk
                        .regular(&format!("{}{ending}", folders::absolute(&name, &folder)));
                    if let Some(file) = file.filter(|file| !file.ends_with(".json")) {
                        found = true;
                        self.walk.add(file);
                    }
                }
            }
        }
        found
    }

    /// A name as `require` and `import` look for it from a folder.
    fn resolve(&mut self, name: &str, folder: &str) {
        let name = name.strip_prefix("file://").unwrap_or(name);
        if name.starts_with("node:")
            || name.is_empty()
            || !self.seen.insert((folder.to_owned(), name.to_owned()))
        {
            return;
        }
        if name.starts_with('.') || name.starts_with('/') {
            self.file(&folders::absolute(name, folder));
            return;
        }
        let mut here = folder;
        // Bounded: each turn goes up one folder.
        loop {
            self.module(&format!("{}/node_modules", here.trim_end_matches('/')), name);
            if here.len() <= 1 {
                break;
            }
            here = folders::parent(here);
        }
        for place in FOLDERS {
            self.module(place, name);
        }
        let path = self.start.variables.get("NODE_PATH").cloned().unwrap_or_default();
        for place in path.split(':').filter(|place| !place.is_empty()) {
            self.module(place, name);
        }
    }

    fn module(&mut self, modules: &str, name: &str) {
        if folders::folder(self.walk.files, modules).is_none() {
            return;
        }
        let found = self.file(&format!("{modules}/{name}"));
        // A part of a package that its description maps to a file of another name.
        let parts = if name.starts_with('@') { 2 } else { 1 };
        let package: Vec<&str> = name.split('/').take(parts).collect();
        if !found && package.len() == parts {
            self.package(&format!("{modules}/{}", package.join("/")));
        }
    }

    fn finish(mut self) -> Reached {
        let mut candidates = Candidates::of(&self.start);
        // Bounded: the walk is.
        while let Some(source) = self.walk.next() {
            self.source(&source, &mut candidates);
        }
        candidates.take_in(&mut self.walk);
        let what = "what these are and execute is not known";
        self.walk
            .tell_open_sources(self.start.path, what, Effect::NotCovered);
        let sources = self.walk.reached.sources.iter();
        let own = sources.map(|source| folders::parent(source));
        let mut below: BTreeSet<&str> = own.chain([self.start.workdir]).collect();
        below.remove("/");
        below.extend(FOLDERS);
        below.insert("/node_modules");
        // One folder below another is looked at with that.
        let first = below.iter().filter(|folder| {
            let above = std::iter::successors(Some(**folder), |folder| Some(folders::parent(folder)));
            let mut above = above.skip(1).take_while(|folder| folder.len() > 1);
            !above.any(|folder| below.contains(folder))
        });
        let first: Vec<String> = first.map(|folder| (*folder).to_owned()).collect();
        for folder in first {
            for path in self.walk.below(&folder, |name| name.ends_with(".node")) {
                self.walk
                    .module(path, "it lies where Node looks for add-ons".to_owned(), ROOTS);
            }
        }
        self.walk.reached
    }

    fn source(&mut self, source: &Source, candidates: &mut Candidates) {
        let folder = folders::parent(&source.path).to_owned();
        for name in imports(&source.text) {
            self.resolve(&name, &folder);
        }
        let tokens = script::tokens(&GRAMMAR, &source.text);
        // Files that other threads and processes run, and whatever else is named as a file of the package.
        let texts = tokens.iter().filter_map(|token| token.text());
        let sources: Vec<String> = texts
            .filter(|text| {
                text.len() < LONGEST_NAME
                    && [".js", ".mjs", ".cjs"]
                        .iter()
                        .any(|ending| text.ends_with(ending))
            })
            .map(str::to_owned)
            .collect();
        for name in sources {
            self.walk.add_file(&folders::absolute(&name, &folder));
        }
        let path = self.start.variables.get("PATH").map(String::as_str);
        candidates.collect(&mut self.walk, source, &tokens, &GRAMMAR, path, SOURCES);
        let constants = Constants::of(&GRAMMAR, &source.path, &tokens);
        self.open_imports(source, &tokens, &constants);
        if executables::mentions(&source.text, b"child_process") {
            script::executions(
                &mut self.walk,
                source,
                &tokens,
                FUNCTIONS,
                &constants,
                self.start.named,
            );
        }
    }

    /// `require(x)` and `import(x)` of what is not a constant.
    fn open_imports(&mut self, source: &Source, tokens: &[Token], constants: &Constants<'_>) {
        for (index, token) in tokens.iter().enumerate() {
            let imports = token.is_word("require") || token.is_word("import");
            let before = index.checked_sub(1).and_then(|before| tokens.get(before));
            let is_other = before.is_some_and(|before| before.is('.') || before.is_word("function"));
            if !imports || is_other || !tokens.get(index + 1).is_some_and(|next| next.is('(')) {
                continue;
            }
            let (arguments, end) = list(tokens, index + 1);
            // The body of a method of that name follows.
            let defines = tokens.get(end + 1).is_some_and(|after| after.is('{'));
            let name = arguments.first().filter(|_| !defines);
            let mut texts = name.map(|name| constants.texts(name)).into_iter().flatten();
            if texts.any(|text| text.contains(HOLE)) {
                self.walk.open_source(&source.path, token.line);
            }
        }
    }
}

/// The names in `require('x')`, `import('x')`, `import 'x'` and `from 'x'`, wherever they stand.
fn imports(text: &[u8]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for word in [&b"require"[..], b"import", b"from", b"resolve"] {
        for (at, _) in text
            .windows(word.len())
            .enumerate()
            .filter(|(_, window)| *window == word)
        {
            let rest = text.get(at + word.len()..).unwrap_or_default();
            let skipped = rest
                .iter()
                .take(16)
                .take_while(|byte| byte.is_ascii_whitespace() || **byte == b'(')
                .count();
            let Some(quote @ (b'\'' | b'"' | b'`')) = rest.get(skipped).copied() else {
                continue;
            };
            let name = rest
                .get(skipped + 1..)
                .unwrap_or_default()
                .iter()
                .take(LONGEST_NAME);
            let name: Vec<u8> = name
                .copied()
                .take_while(|byte| *byte != quote && *byte != b'\n')
                .collect();
            names.insert(String::from_utf8_lossy(&name).into_owned());
        }
    }
    names
}

/// The texts of a description in JSON: what stands between quotes.
fn texts(bytes: &[u8]) -> Vec<String> {
    let parts = bytes.split(|byte| *byte == b'"').skip(1).step_by(2);
    parts
        .map(|part| String::from_utf8_lossy(part).into_owned())
        .take(4096)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_of_every_form() {
        let text = b"const a = require('a'); import b from \"b\"; import 'c'; await import(`d`)\n// require('e')\nrequire(x)";
        let names: Vec<String> = imports(text).into_iter().collect();
        assert_eq!(names, ["a", "b", "c", "d", "e"]);
    }
}
