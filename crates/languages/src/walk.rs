//! The search through sources: what waits to be read, what was read, and its bounds.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use confine_assumption::{Effect, Kind};
use confine_image::Files;

use crate::reached::Reached;
use crate::{Command, Module, Roots, folders};

/// How many sources are read for one start of an interpreter.
const MOST_SOURCES: usize = 50_000;

/// What a source may measure to be read, in bytes.
const LARGEST_SOURCE: u64 = 8 << 20;

/// How many places of one kind are named in an assumption.
const MOST_TOLD: usize = 5;

/// A source that was read.
pub struct Source {
    /// Its canonical path, or what people call a text that is in no file.
    pub path: String,
    pub text: Vec<u8>,
}

/// A search through sources.
pub struct Walk<'a> {
    pub files: &'a dyn Files,
    pub reached: Reached,
    queue: VecDeque<String>,
    texts: VecDeque<Source>,
    seen: BTreeSet<String>,
    /// Whether something is loaded by a name that is not known.
    pub open: bool,
    /// Whether something is executed by a name that is not known.
    pub executes_openly: bool,
    /// Where sources are named by values: source and line.
    open_sources: BTreeSet<(String, usize)>,
    /// What files were found to be, so that each name is looked up once.
    known: BTreeMap<String, Option<String>>,
}

impl<'a> Walk<'a> {
    /// A search that found nothing yet.
    pub fn new(files: &'a dyn Files) -> Self {
        Self {
            files,
            reached: Reached::default(),
            queue: VecDeque::new(),
            texts: VecDeque::new(),
            seen: BTreeSet::new(),
            open: false,
            executes_openly: false,
            open_sources: BTreeSet::new(),
            known: BTreeMap::new(),
        }
    }

    /// The canonical path of a regular file; remembered.
    pub fn regular(&mut self, path: &str) -> Option<String> {
        if let Some(known) = self.known.get(path) {
            return known.clone();
        }
        let found = folders::regular(self.files, path).map(|file| file.path);
        self.known.insert(path.to_owned(), found.clone());
        found
    }

    /// The regular files below a folder that `wanted` takes by name, canonical and sorted.
    pub fn below(&mut self, folder: &str, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let (found, whole) = folders::below(self.files, folder, wanted);
        if !whole {
            self.open = true;
            let detail = "holds more files, or deeper ones, than are looked at";
            self.assume(
                Kind::UnreadableFile,
                folder.to_owned(),
                detail,
                Effect::NotCovered,
            );
        }
        found
    }

    /// A source that is come to, by its canonical path.
    pub fn add(&mut self, path: String) {
        if self.seen.contains(&path) {
            return;
        }
        if self.seen.len() >= MOST_SOURCES {
            self.open = true;
            let detail = format!("more than the {MOST_SOURCES} sources that are read");
            self.assume(Kind::UnreadableFile, path, detail, Effect::NotCovered);
            return;
        }
        self.seen.insert(path.clone());
        self.queue.push_back(path);
    }

    /// A source that is come to by some path of it; whether there is such a file.
    pub fn add_file(&mut self, path: &str) -> bool {
        let found = self.regular(path);
        let is_there = found.is_some();
        if let Some(file) = found {
            self.add(file);
        }
        is_there
    }

    /// A text that is in no file.
    pub fn add_text(&mut self, path: &str, text: &str) {
        let text = text.as_bytes().to_vec();
        let path = path.to_owned();
        self.texts.push_back(Source { path, text });
    }

    /// Whether a source waits to be looked at.
    pub fn waits(&self) -> bool {
        !self.queue.is_empty() || !self.texts.is_empty()
    }

    /// The next source to look at.
    pub fn next(&mut self) -> Option<Source> {
        if let Some(text) = self.texts.pop_front() {
            return Some(text);
        }
        // Bounded: every path is queued once.
        loop {
            let path = self.queue.pop_front()?;
            let size = folders::regular(self.files, &path).map_or(0, |file| file.size);
            if size > LARGEST_SOURCE {
                self.open = true;
                let detail = format!("larger than the {LARGEST_SOURCE} bytes that are read of a source");
                self.assume(Kind::UnreadableFile, path, detail, Effect::NotCovered);
                continue;
            }
            match self.files.read(&path) {
                Ok(bytes) => {
                    self.reached.sources.insert(path.clone());
                    let text = bytes.to_vec();
                    return Some(Source { path, text });
                }
                Err(error) => {
                    self.open = true;
                    self.assume(Kind::UnreadableFile, path, error.to_string(), Effect::NotCovered);
                }
            }
        }
    }

    /// A compiled module that is loaded.
    pub fn module(&mut self, path: String, why: String, roots: Roots) {
        self.reached.add_module(path, Module { why, roots });
    }

    /// Something that a source executes: words, or a text for a shell. A name that is not known as a whole is an
    /// assumption: what a part of it could name would be half of the image.
    pub fn command(&mut self, words: Vec<String>, shell: bool, source: &str, line: usize) {
        let is_open = |name: &String| match shell {
            true => name
                .split_whitespace()
                .next()
                .is_none_or(|word| word.contains(crate::HOLE) || word == crate::MORE),
            false => name.is_empty() || name.contains(crate::HOLE) || name == crate::MORE,
        };
        if words.first().is_none_or(is_open) {
            self.open_command(source, line);
            return;
        }
        self.reached.commands.insert(Command {
            words,
            shell,
            source: source.to_owned(),
            line,
        });
    }

    /// Something that a source executes by a name that is not known.
    pub fn open_command(&mut self, source: &str, line: usize) {
        self.executes_openly = true;
        let detail = "executes a command that is not a constant";
        self.assume(
            Kind::OpenCommand,
            format!("{source}:{line}"),
            detail,
            Effect::NotCovered,
        );
    }

    /// A place where a source is named by a value.
    pub fn open_source(&mut self, source: &str, line: usize) {
        if self.open_sources.len() < MOST_SOURCES {
            self.open_sources.insert((source.to_owned(), line));
        }
    }

    /// Whether some source is named by a value.
    pub fn names_openly(&self) -> bool {
        !self.open_sources.is_empty()
    }

    /// Says once for all places, at the interpreter, that sources are named by values, and what comes of it.
    pub fn tell_open_sources(&mut self, place: &str, what: &str, effect: Effect) {
        let told: Vec<String> = self
            .open_sources
            .iter()
            .take(MOST_TOLD)
            .map(|(source, line)| format!("{source}:{line}"))
            .collect();
        let more = match self.open_sources.len() - told.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        if !told.is_empty() {
            let detail = format!("names sources by values at {}{more}: {what}", told.join(", "));
            self.assume(Kind::OpenCommand, place.to_owned(), detail, effect);
        }
    }

    pub fn assume(&mut self, kind: Kind, place: String, detail: impl Into<String>, effect: Effect) {
        self.reached.assume(kind, place, detail, effect);
    }
}
