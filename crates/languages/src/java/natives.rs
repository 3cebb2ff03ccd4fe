//! Which functions of native libraries run: those of native methods that the search comes to, for all starts of one virtual
//! machine together.
//!
//! The search begins with what the virtual machine's own libraries name, which is what they call; with the classes that
//! the starts name; and with what the applications' configurations name. It goes on with every library that is named by
//! what it found, until nothing is new. A function is looked up by the name that its method's class and name make; what
//! libraries register by tables is reached as any other code.
//!
//! Of a start with unknown arguments that a script of the image makes, every class of the applications counts, with all its
//! methods, and what they lead to. One that a class makes is only told. Where the search cannot know what runs, every function of
//! every library counts, as an assumption that says so: where what is started is not in the image, and where a class, an
//! archive or the modules cannot be read.

mod found;

use std::collections::{BTreeMap, BTreeSet};

use confine_assumption::{Effect, Kind as Open};
use confine_image::{FileBytes, Files, Resolved};

use super::applications::{self, Applications};
use super::command::{self, Main};
use super::requests;
use super::search::Search;
use super::world;
use super::{MACHINE, home};
use crate::reached::{Beginning, Reached};
use crate::walk::Walk;
use crate::{Roots, folders, zip};

/// What a script may measure, and what configurations and sources may together, in bytes.
const LARGEST_SCRIPT: u64 = 4 << 20;
const LARGEST_SUM: usize = 256 << 20;

/// How much of a file is looked at to tell texts from others.
const BEGINNING: usize = 1024;

/// The libraries that the virtual machine and its launcher load by themselves, or when they are told to by an agent that
/// attaches (os::native_java_library, ClassLoader::load_zip_library and others in the OpenJDK's sources).
const ALWAYS: &[&str] = &[
    "jli",
    "jvm",
    "java",
    "jimage",
    "zip",
    "verify",
    "jsvml",
    "instrument",
];

/// Libraries that come with one, but are named by options alone: the debugger's transport.
const COMPANIONS: &[(&str, &str)] = &[("dt_socket", "jdwp")];

/// How the place of a start ends that a class makes.
const CLASS: &str = ".class";

/// Servers of the window system: an image that has one may show windows to it.
const DISPLAYS: &[&str] = &[
    "/usr/bin/Xvfb",
    "/usr/bin/Xorg",
    "/usr/bin/Xvnc",
    "/usr/bin/Xtigervnc",
    "/usr/bin/Xephyr",
];

/// Folders of the virtual machine's configuration.
const CONFIGURATION: &[&str] = &["conf", "lib/security", "lib/management", "jre/lib/security"];

/// What runs by all these starts, which are of one file.
pub fn together(files: &dyn Files, known: &Reached) -> Reached {
    let mut walk = Walk::new(files);
    let Some(home) = known.beginnings.first().and_then(|one| home(files, &one.path)) else {
        return walk.reached;
    };
    let libraries = libraries(&mut walk, &home);
    let mut natives = Natives {
        files,
        walk,
        search: Search::default(),
        home,
        sum: 0,
    };
    match natives.follow(known, &libraries) {
        Ok(()) => natives.tell(known),
        Err(why) => everything(natives.walk, &libraries, known, &why),
    }
}

/// Every function of every library: what runs is not known.
fn everything(walk: Walk<'_>, libraries: &BTreeMap<String, String>, known: &Reached, why: &str) -> Reached {
    let mut reached = walk.reached;
    reached.functions.extend(
        known
            .unsettled
            .values()
            .flatten()
            .map(|(name, place)| (name.clone(), place.clone())),
    );
    for path in libraries.values() {
        let module = crate::Module {
            why: MACHINE.to_owned(),
            roots: Roots::All,
        };
        reached.add_module(path.clone(), module);
    }
    for beginning in &known.beginnings {
        let detail = format!(
            "which classes run is not known, since {why}: every function of the virtual machine's libraries counts"
        );
        reached.assume(
            Open::OpenLibrary,
            beginning.place.clone(),
            detail,
            Effect::WidenedToCandidates,
        );
    }
    reached
}

/// The virtual machine's libraries: path by name without the ending.
fn libraries(walk: &mut Walk<'_>, home: &str) -> BTreeMap<String, String> {
    let paths = walk.below(home, |name| name.ends_with(".so"));
    let named = paths.into_iter().filter_map(|path| {
        let name = folders::base_name(&path).strip_suffix(".so")?.to_owned();
        Some((name, path))
    });
    named.collect()
}

struct Natives<'a> {
    files: &'a dyn Files,
    walk: Walk<'a>,
    search: Search,
    home: String,
    /// How much text was read.
    sum: usize,
}

impl Natives<'_> {
    /// Searches; why not everything is known, if so.
    fn follow(&mut self, known: &Reached, libraries: &BTreeMap<String, String>) -> Result<(), String> {
        self.read_modules()?;
        let mut texts = BTreeSet::new();
        let mut code = BTreeSet::new();
        for beginning in &known.beginnings {
            let found = self.applications(beginning);
            texts.extend(found.texts);
            code.extend(found.code);
        }
        self.read_code(&code)?;
        self.search.world.settle(&self.search.names);
        self.search.texts.resources.expect(&self.search.world);
        if DISPLAYS.iter().any(|server| self.regular(server).is_some()) {
            self.search.texts.requests.take(requests::DISPLAY);
        }
        for beginning in &known.beginnings {
            self.begin(beginning)?;
        }
        for text in texts {
            self.read_text(&text, false)?;
        }
        for folder in CONFIGURATION {
            for text in self
                .walk
                .below(&format!("{}/{folder}", self.home), world::may_name)
            {
                self.read_text(&text, true)?;
            }
        }
        // Libraries of applications call methods, too.
        for (library, module) in &known.modules {
            if matches!(module.roots, Roots::Prefixes(_)) && self.regular(library).is_some() {
                self.read_library(library)?;
            }
        }
        self.settle(libraries)
    }

    fn read_modules(&mut self) -> Result<(), String> {
        let path = format!("{}/lib/modules", self.home);
        let bytes = world::read(self.files, &path).ok_or_else(|| format!("there is no {path}"))?;
        match self.search.world.add_modules(&mut self.search.names, bytes) {
            true => Ok(()),
            false => Err(format!("{path} could not be read")),
        }
    }

    fn applications(&mut self, beginning: &Beginning) -> Applications {
        applications::find(&mut self.walk, beginning, &self.home)
    }

    fn read_code(&mut self, code: &BTreeSet<String>) -> Result<(), String> {
        for path in code {
            let bytes = world::read(self.files, path).ok_or_else(|| format!("{path} could not be read"))?;
            self.search.world.add_file(&mut self.search.names, path, bytes);
        }
        match self.search.world.broken.first() {
            Some(path) => Err(format!("{path} could not be read as a whole")),
            None => Ok(()),
        }
    }

    /// Takes what a start names.
    fn begin(&mut self, beginning: &Beginning) -> Result<(), String> {
        for word in applications::words(beginning) {
            self.take_word(word);
            self.search.take_option(word.as_bytes());
        }
        for text in beginning.arguments.iter().chain(beginning.variables.values()) {
            self.search.texts.take_mentions(text.as_bytes());
        }
        for name in beginning.variables.keys() {
            self.search.texts.requests.take(name.as_bytes());
        }
        self.search.call_generated();
        let main = match beginning.known {
            true => command::main(&beginning.arguments),
            false => Main::Open,
        };
        let is_open = main == Main::Open;
        let found = match main {
            Main::None => true,
            Main::Class(name) => self.take_word(&name),
            Main::Archive(path) => self.take_archive(&path, beginning),
            Main::Open => false,
        };
        if found {
            return Ok(());
        }
        let script = self.script(beginning);
        let starts = script
            .as_ref()
            .is_some_and(|text| self.take_script(beginning, text));
        if starts && beginning.known {
            return Ok(());
        }
        let (detail, effect) = if folders::file_of(&beginning.place).ends_with(CLASS) {
            let detail = "starts what is not known in a virtual machine of its own";
            (detail, Effect::NotCovered)
        } else if is_open && script.is_some() && self.search.take_applications() {
            let detail =
                "which class it starts is not known: every class of the applications counts, used or not";
            (detail, Effect::WidenedToCandidates)
        } else {
            return Err("which class it starts is not".to_owned());
        };
        let place = beginning.place.clone();
        self.walk.assume(Open::OpenCommand, place, detail, effect);
        Ok(())
    }

    /// Takes a class by a word, or what the manifest of an archive names; whether there is such a one.
    fn take_word(&mut self, word: &str) -> bool {
        let class = world::slashed(word.as_bytes());
        // `module/class`
        let within = class
            .splitn(2, |letter| *letter == b'/')
            .nth(1)
            .unwrap_or_default();
        let is_class = self.search.take_class(&class) || self.search.take_class(within);
        is_class || zip::is_archive(word) && self.take_manifests(word)
    }

    /// Takes what the manifest of the archive says that is started, perhaps by another name of its own or by a variable in
    /// a text for a shell; whether that is known.
    fn take_archive(&mut self, path: &str, beginning: &Beginning) -> bool {
        let by_variable = path.strip_prefix('$').and_then(|rest| rest.split_once('/'));
        let expanded = by_variable.map(|(variable, rest)| {
            let folder = beginning.variables.get(variable.trim_matches(['{', '}']));
            format!("{}/{rest}", folder.map_or("", String::as_str))
        });
        let path = expanded.as_deref().unwrap_or(path);
        let file = self.regular(&folders::absolute(path, &beginning.workdir));
        if file.is_none() && by_variable.is_some() {
            let detail = "starts an archive of Java by a variable that leads to none".to_owned();
            self.walk.assume(
                Open::OpenCommand,
                beginning.place.clone(),
                detail,
                Effect::NotCovered,
            );
            return true;
        }
        let name = file.map_or_else(|| path.to_owned(), |file| file.path);
        self.take_manifests(&name)
    }

    /// Takes what the manifests of archives of this name say; whether they name a class that there is.
    fn take_manifests(&mut self, path: &str) -> bool {
        let manifests = self.search.world.manifests(folders::base_name(path));
        let mut is_there = false;
        for manifest in &manifests {
            self.search.take_configuration(manifest);
            for word in manifest.split(u8::is_ascii_whitespace) {
                is_there |= self.search.take_class(&world::slashed(word));
            }
        }
        is_there
    }

    /// Takes the classes that the script around a start names, whose arguments are not known: whether there is one that can be
    /// started.
    fn take_script(&mut self, beginning: &Beginning, text: &[u8]) -> bool {
        let words = text.split(|letter| !(letter.is_ascii_alphanumeric() || b"_$./-".contains(letter)));
        let words: Vec<&str> = words.filter_map(|word| std::str::from_utf8(word).ok()).collect();
        for word in text.split(|letter| !letter.is_ascii_alphanumeric() && *letter != b'_') {
            self.search.take_option(word);
        }
        let mut starts = false;
        for word in words.iter().filter(|word| word.contains('.')) {
            let is_one = self.take_word(word);
            let name = world::slashed(word.as_bytes());
            starts |= is_one && (zip::is_archive(word) || self.search.starts(&name));
        }
        if starts {
            let detail = "which class it starts is not known: those that the script names are taken in";
            self.walk.assume(
                Open::OpenCommand,
                beginning.place.clone(),
                detail,
                Effect::NotCovered,
            );
        }
        starts
    }

    /// The script that makes a start.
    fn script(&self, beginning: &Beginning) -> Option<FileBytes> {
        let file = self.regular(folders::file_of(&beginning.place))?;
        let text = world::read(self.files, &file.path).filter(|_| file.size <= LARGEST_SCRIPT)?;
        (!text.starts_with(b"\x7fELF")).then_some(text)
    }

    fn regular(&self, path: &str) -> Option<Resolved> {
        folders::regular(self.files, path)
    }

    fn read_text(&mut self, path: &str, own: bool) -> Result<(), String> {
        let Some(text) = world::read(self.files, path) else {
            return Err(format!("{path} could not be read"));
        };
        // What is not text is no configuration.
        if text.iter().take(BEGINNING).any(|byte| *byte == 0) {
            return Ok(());
        }
        self.sum = self.sum.saturating_add(text.len());
        if self.sum > LARGEST_SUM {
            return Err(format!(
                "{path} and what was read before is more than is read of configurations"
            ));
        }
        match own {
            true => self.search.take_own_configuration(&text),
            false => self.take_text(path, &text),
        }
        Ok(())
    }

    fn take_text(&mut self, name: &str, text: &[u8]) {
        match world::is_source(name) {
            true => self.search.take_source(text),
            false => self.search.take_configuration(text),
        }
    }

    fn read_library(&mut self, path: &str) -> Result<(), String> {
        let bytes = world::read(self.files, path).ok_or_else(|| format!("{path} could not be read"))?;
        for text in bytes.split(|byte| !(b' '..=b'~').contains(byte)) {
            self.search.take_native(text);
        }
        Ok(())
    }

    /// Goes on until nothing is new.
    fn settle(&mut self, libraries: &BTreeMap<String, String>) -> Result<(), String> {
        let mut loaded: BTreeSet<&String> = BTreeSet::new();
        let mut archives = BTreeSet::new();
        // Ends: every turn but the last adds a library, an archive or a class, of which there are so many.
        loop {
            self.search.run();
            if let Some(name) = self.search.unread.first() {
                let name = self.search.names.text(*name);
                return Err(format!(
                    "the class {} could not be read",
                    String::from_utf8_lossy(&name)
                ));
            }
            let new: Vec<(&String, &String)> = libraries
                .iter()
                .filter(|(name, _)| !loaded.contains(name) && self.loads(name))
                .collect();
            for (name, path) in &new {
                loaded.insert(name);
                self.read_library(path)?;
                self.walk
                    .module((*path).clone(), MACHINE.to_owned(), Roots::Natives);
            }
            let used: Vec<usize> = self.search.archives.difference(&archives).copied().collect();
            for archive in used {
                archives.insert(archive);
                self.search.texts.resources.add(archive);
            }
            let are_texts_new = self.read_resources();
            if !new.is_empty() || are_texts_new {
                self.search.offer_again();
            }
            self.search.compose();
            self.search.make_again();
            if !self.search.waits() {
                return Ok(());
            }
        }
    }

    /// Reads what something that runs may read of archives, and what that names in turn; whether there was anything.
    fn read_resources(&mut self) -> bool {
        let packages = self.search.packages_in_use();
        let mut found = false;
        // Ends: every text is read once.
        loop {
            let read = self.search.texts.resources.read(&packages);
            if read.is_empty() {
                return found;
            }
            found = true;
            for (archive, entry) in read {
                if let Some(text) = self.search.world.text(archive, &entry) {
                    self.take_text(&entry.name, &text);
                }
            }
        }
    }

    fn loads(&self, name: &str) -> bool {
        let short = name.strip_prefix("lib").unwrap_or(name);
        let may_load = |name: &str| ALWAYS.contains(&name) || self.search.may_load(name.as_bytes());
        let companions = COMPANIONS.iter().filter(|(name, _)| *name == short);
        if !self.search.texts.requests.allow_library(short) {
            return false;
        }
        may_load(short) || companions.into_iter().any(|(_, with)| may_load(with))
    }
}

#[cfg(test)]
pub mod tests;
