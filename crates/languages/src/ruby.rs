//! Ruby: the sources that `require`, `require_relative`, `load` and `autoload` lead to, and what they execute. Compiled
//! extensions are taken in as a whole: every one of the search path, whatever is required.
//!
//! Misses, as an assumption: sources whose names are not constants; extensions in folders that are added at run time.

mod literals;

use confine_assumption::{Effect, Kind as Open};
use confine_image::Files;

use crate::reached::Reached;
use crate::script::{self, Candidates, Constants, Function, Grammar, Shape};
use crate::tokens::{Kind, Token};
use crate::walk::{Source, Walk};
use crate::{HOLE, Roots, Start, folders};

const GRAMMAR: Grammar = Grammar {
    line_comments: &["#"],
    block_comments: false,
    interpolation: "#{",
    backticks_execute: true,
    more_letters: "?!",
    dot_joins: false,
};

/// What executes programs (Ruby's documentation of Kernel, Process, IO and Open3).
const FUNCTIONS: &[Function] = &[
    function("system", &["Kernel"]),
    function("exec", &["Kernel", "Process"]),
    function("spawn", &["Kernel", "Process"]),
    function("popen", &["IO"]),
    function("popen2", &["Open3"]),
    function("popen2e", &["Open3"]),
    function("popen3", &["Open3"]),
    function("capture2", &["Open3"]),
    function("capture2e", &["Open3"]),
    function("capture3", &["Open3"]),
];

const fn function(name: &'static str, of: &'static [&'static str]) -> Function {
    Function {
        name,
        shape: Shape::ShellOrWords,
        of,
    }
}

/// What Ruby looks up in an extension.
const ROOTS: Roots = Roots::Prefixes(&["Init_"]);

/// Where libraries and gems lie: Debian's folders, and those of Ruby's own installation and of bundler's images.
const FOLDERS: &[&str] = &[
    "/usr/lib/ruby",
    "/usr/local/lib/ruby",
    "/usr/lib/x86_64-linux-gnu/ruby",
    "/usr/lib/x86_64-linux-gnu/rubygems-integration",
    "/usr/share/rubygems-integration",
    "/var/lib/gems",
    "/usr/local/bundle",
];

/// How many folders of libraries are looked at, and how deep.
const MOST_FOLDERS: usize = 4096;
const DEEPEST: usize = 16;

/// What sources are called.
const SOURCES: &[&str] = &[".rb", ".ru"];

/// Options that take the next word as their value.
const VALUED: &[&str] = &["-C", "-E", "-F", "-I", "-K", "-T", "-W", "-x", "--encoding"];

/// From what an interpreter is started with.
pub fn follow(start: &Start<'_>) -> Reached {
    let mut ruby = Ruby::new(start);
    let mut rest = start.arguments.iter();
    let mut known = false;
    // Bounded by the arguments.
    while let Some(word) = rest.next() {
        match word.as_str() {
            "-e" => {
                if let Some(text) = rest.next() {
                    ruby.walk.add_text(start.place, text);
                    known = true;
                }
            }
            "-S" => {}
            _ if VALUED.contains(&word.as_str()) => {
                rest.next();
            }
            _ if word.starts_with("-r") => {
                let name = match word.strip_prefix("-r") {
                    Some("") => rest.next().cloned(),
                    name => name.map(str::to_owned),
                };
                ruby.require(name.unwrap_or_default().as_str());
            }
            _ if word.starts_with('-') && word.len() > 1 => {}
            _ => {
                known |= ruby.file(word);
                break;
            }
        }
    }
    // Servers are given the application's file, and Rack finds its own in the working folder.
    for word in rest.chain(&["config.ru".to_owned(), "config/puma.rb".to_owned()]) {
        if word.ends_with(".rb") || word.ends_with(".ru") {
            ruby.file(word);
        }
    }
    if let (false, Some(text)) = (known, start.input) {
        ruby.walk.add_text(start.place, text);
        known = true;
    }
    if !known {
        ruby.unknown();
    }
    ruby.finish()
}

/// Every extension of the search path.
pub fn everything(start: &Start<'_>) -> Reached {
    let mut ruby = Ruby::new(start);
    ruby.unknown();
    ruby.finish()
}

struct Ruby<'a> {
    start: Start<'a>,
    walk: Walk<'a>,
    /// The folders in which names are looked for.
    path: Vec<String>,
}

impl<'a> Ruby<'a> {
    fn new(start: &Start<'a>) -> Self {
        let mut path = Vec::new();
        let mut walk = Walk::new(start.files);
        let set = start
            .variables
            .get("RUBYLIB")
            .into_iter()
            .flat_map(|value| value.split(':'));
        path.extend(set.map(|folder| folders::absolute(folder, start.workdir)));
        path.push(folders::absolute("lib", start.workdir));
        for folder in FOLDERS {
            if !library_folders(start.files, folder, &mut path) {
                walk.open = true;
                let detail =
                    "holds more folders of libraries, or deeper ones, than sources are looked for in";
                let folder = (*folder).to_owned();
                walk.assume(Open::UnreadableFile, folder, detail, Effect::NotCovered);
            }
        }
        Self {
            start: *start,
            walk,
            path,
        }
    }

    fn unknown(&mut self) {
        let detail =
            "which program in Ruby it runs is not known, nor what that executes: name it with --also";
        self.walk.assume(
            Open::OpenCommand,
            self.start.place.to_owned(),
            detail,
            Effect::NotCovered,
        );
        self.may_call_by_number();
    }

    /// What was not read may ask for any call.
    fn may_call_by_number(&mut self) {
        let place = self.start.place.to_owned();
        self.walk.reached.calls_by_number.get_or_insert(place);
    }

    fn file(&mut self, name: &str) -> bool {
        self.walk.add_file(&folders::absolute(name, self.start.workdir))
    }

    /// A name as `require` looks for it.
    fn require(&mut self, name: &str) {
        let path = std::mem::take(&mut self.path);
        let absolute = name.starts_with('/').then(String::new);
        for folder in absolute.iter().chain(&path) {
            self.in_folder(folder, name);
        }
        self.path = path;
    }

    fn in_folder(&mut self, folder: &str, name: &str) {
        let base = format!(
            "{}/{}",
            folder.trim_end_matches('/'),
            name.trim_start_matches('/')
        );
        for place in [base.clone(), format!("{base}.rb")] {
            if place.ends_with(".rb") || place.ends_with(".ru") {
                self.walk.add_file(&place);
            }
        }
    }

    fn finish(mut self) -> Reached {
        let mut candidates = Candidates::of(&self.start);
        let path = self.start.variables.get("PATH").map(String::as_str);
        // Bounded: the walk is.
        while let Some(source) = self.walk.next() {
            let tokens = script::tokens(&GRAMMAR, &literals::blanked(&source.text));
            let constants = Constants::of(&GRAMMAR, &source.path, &tokens);
            self.imports(&source, &tokens);
            self.calls(&source, &tokens);
            script::executions(
                &mut self.walk,
                &source,
                &tokens,
                FUNCTIONS,
                &constants,
                self.start.named,
            );
            // A list of words may name sources.
            let tokens = script::tokens(&GRAMMAR, &source.text);
            candidates.collect(&mut self.walk, &source, &tokens, &GRAMMAR, path, SOURCES);
        }
        candidates.take_in(&mut self.walk);
        let what = "what these are and execute is not known";
        self.walk
            .tell_open_sources(self.start.path, what, Effect::NotCovered);
        if self.walk.open {
            self.may_call_by_number();
        }
        let mut below: Vec<String> = FOLDERS.iter().map(|folder| (*folder).to_owned()).collect();
        if self.start.workdir != "/" {
            below.push(self.start.workdir.to_owned());
        }
        for folder in below {
            for path in self.walk.below(&folder, |name| name.ends_with(".so")) {
                self.walk
                    .module(path, "it lies where Ruby looks for extensions".to_owned(), ROOTS);
            }
        }
        self.walk.reached
    }

    /// `Kernel#syscall` makes a system call by its number; a name after a colon may be sent as a message.
    fn calls(&mut self, source: &Source, tokens: &[Token]) {
        let call = tokens.iter().find(|token| token.is_word("syscall"));
        if let Some(call) = call {
            let place = format!("{}:{}", source.path, call.line);
            self.walk.reached.calls_by_number.get_or_insert(place);
        }
    }

    fn imports(&mut self, source: &Source, tokens: &[Token]) {
        let folder = folders::parent(&source.path).to_owned();
        for (index, token) in tokens.iter().enumerate() {
            let Some(word) = token.word() else { continue };
            let relative = match word {
                "require_relative" => true,
                "require" | "load" | "autoload" => false,
                _ => continue,
            };
            let before = index.checked_sub(1).and_then(|before| tokens.get(before));
            let is_other =
                before.is_some_and(|before| before.is('.') || before.is(':') || before.is_word("def"));
            let next = tokens.get(index + 1);
            let names =
                next.is_some_and(|next| next.word().is_some() || next.text().is_some() || next.is('('));
            let arguments = tokens.get(index + 1..).unwrap_or_default().iter().take(6);
            let name = arguments
                .take_while(|token| !matches!(token.kind, Kind::Break | Kind::Mark(';')))
                .find_map(Token::text);
            match name {
                Some(name) if name.contains(HOLE) => self.walk.open_source(&source.path, token.line),
                Some(name) if relative => self.in_folder(&folder, name),
                Some(name) => self.require(name),
                None if names && !is_other => self.walk.open_source(&source.path, token.line),
                None => {}
            }
        }
    }
}

/// The folders of libraries below one: itself, those of versions and architectures, and each gem's `lib`;
/// whether these are all.
fn library_folders(files: &dyn Files, folder: &str, found: &mut Vec<String>) -> bool {
    let mut whole = true;
    let mut pending = vec![(folder.to_owned(), 0)];
    // Bounded in depth, and each folder is listed once.
    while let Some((here, depth)) = pending.pop() {
        let Some(path) = folders::folder(files, &here).filter(|path| !found.contains(path)) else {
            continue;
        };
        if depth > DEEPEST || found.len() > MOST_FOLDERS {
            whole = false;
            continue;
        }
        for name in files.list(&path) {
            let is_part = name.starts_with(|first: char| first.is_ascii_digit())
                || [
                    "vendor_ruby",
                    "site_ruby",
                    "gems",
                    "ruby",
                    "lib",
                    "all",
                    "bundler",
                ]
                .contains(&name.as_str())
                || name.starts_with("x86_64")
                || folders::base_name(&path) == "gems";
            if is_part && !name.contains(".rb") {
                pending.push((format!("{path}/{name}"), depth + 1));
            }
        }
        found.push(path);
    }
    whole
}
