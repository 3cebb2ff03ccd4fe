//! What is called by names that are texts: by reflection, by services, by the native interface.
//!
//! A class whose name is a text of a class that runs, of the native libraries or of a configuration is taken whole, with all
//! its methods. So is one whose name can be put together: of a text that ends where a package or class does (`sun.nio.fs.`) and
//! texts for each part that follows, or of the name of a class that is used and a text behind it (`_Stub`). A method of
//! a class that is in use at all is taken if its name is a text; for native libraries, if its name and its type are.
//! Sources in other languages name classes without their packages, those of the virtual machine only if a source names the
//! package or the language imports it by itself; and methods in their own spelling.
//!
//! Over-reports: texts that are never used so. Misses: names that come from elsewhere, or from texts in smaller pieces.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use memchr::memmem;
use rustc_hash::{FxHashMap, FxHashSet};

use super::names::{CONSTRUCTOR, Name, outermost, package};
use super::requests::{self, Requests};
use super::resources::Resources;
use super::search::{Id, Search, Selector, Task};
use super::world::{self, Origin};

/// No name in a text is longer, in bytes.
const LONGEST: usize = 300;

/// The method that gives what a URL holds as an object of whatever class there is for it.
const GET_CONTENT: &[u8] = b"getContent";

/// How the file of a library ends, but for its version.
const LIBRARY: &[u8] = b".so";

/// Classes, by what their names begin with, whose texts only describe what else is known.
const DESCRIPTIONS: &[&[u8]] = &[
    // What the modules' own descriptions say, put together by jlink: each service with its providers, which count when the
    // service is looked for.
    b"jdk/internal/module/SystemModules$",
];

/// Classes, by what their names end with, whose texts name classes that are kept from being made, and nothing else.
const REFUSALS: &[&[u8]] = &[
    // What Jackson makes of no text (DEFAULT_NO_DESER_CLASS_NAMES of jackson-databind).
    b"/jackson/databind/jsontype/impl/SubTypeValidator",
];

/// Packages of the virtual machine's that languages import by themselves: Java and JSP the first (JLS 7.3), Groovy all ("Default
/// imports" of its documentation).
const IMPORTED: &[&[u8]] = &[b"java/lang", b"java/io", b"java/math", b"java/net", b"java/util"];

/// What was found to be a text so far.
#[derive(Default)]
pub struct Texts {
    /// Files of libraries, and the classes of the virtual machine that name them; none for everything else that does.
    pub files: BTreeMap<String, BTreeSet<Option<Name>>>,
    /// What the application asks for.
    pub requests: Requests,
    /// What of archives' texts is read.
    pub resources: Resources,
    /// Whether the texts that are looked at are the virtual machine's own.
    by_machine: bool,
    /// The class whose texts are looked at.
    class: Option<Name>,
    /// Whether the text of a class that is looked at is one name and nothing else.
    is_one_name: bool,
    /// Whole texts that may be names of methods.
    words: FxHashSet<Name>,
    /// Words of configurations.
    configured: FxHashSet<Name>,
    /// Parts of texts that may be parts of names of classes, by the package of the classes with the texts.
    parts: FxHashMap<Name, FxHashSet<Vec<u8>>>,
    /// Texts that end where a package or a class does, with slashes, with the package and name of the class that has them.
    prefixes: BTreeSet<(Vec<u8>, Name, Name)>,
    /// What may stand at the end of names that a class puts together.
    ends: FxHashMap<Name, Vec<Vec<u8>>>,
    /// Texts that may end names of classes.
    suffixes: FxHashSet<Vec<u8>>,
    /// What libraries that are loaded may be called.
    libraries: FxHashSet<Vec<u8>>,
    /// Texts of native libraries.
    native: FxHashSet<Name>,
    /// Words of sources in other languages.
    source_words: FxHashSet<Vec<u8>>,
    /// The same, without case and underscores.
    loose: FxHashSet<Vec<u8>>,
    /// What sources name with dots or colons between the parts, with slashes, and what is around it.
    source_paths: FxHashSet<Vec<u8>>,
    /// Methods that may be called by their names.
    offered: FxHashMap<Name, Vec<(Id, Name, usize)>>,
    /// Classes that were put together.
    composed: FxHashSet<Name>,
}

impl Texts {
    /// A text that may ask for what runs only then, and name texts in archives.
    pub fn take_mentions(&mut self, text: &[u8]) {
        self.requests.take(text);
        self.resources.take(text);
    }

    /// Whether native code has a text.
    pub fn is_native(&self, text: Name) -> bool {
        self.native.contains(&text)
    }
}

impl Search {
    /// What is to be known of a class whose code runs. All of an application's texts count at once; of the virtual machine's own
    /// classes those of methods that run do, since no text but an annotation's is come by in another way.
    pub fn take_texts(&mut self, id: Id) {
        let Some(class) = self.body(id).map(|body| Rc::clone(&body.class)) else {
            return;
        };
        let name = class.name().unwrap_or_default();
        let is_machine = self.body(id).is_some_and(|body| body.origin == Origin::Machine);
        for (index, _) in class.constants() {
            // A class and those within it mention each other, used or not.
            if let Some(other) = class
                .class_name(index)
                .filter(|other| outermost(other) != outermost(name))
            {
                let name = self.names.intern(other);
                self.mentioned.insert(name);
                if !is_machine {
                    self.texts.requests.take(other);
                }
            }
        }
        if !is_machine && class.uses(b"java/net/", GET_CONTENT) {
            self.texts.requests.take(requests::CONTENT);
        }
        for name in class.annotated_classes() {
            self.literal(Some(name));
        }
        let texts = match is_machine {
            true => class.annotated_texts(),
            false => class.strings(),
        };
        for text in texts {
            self.take_text_of(id, text);
        }
    }

    /// A text of a class.
    pub fn take_text_of(&mut self, id: Id, text: &[u8]) {
        let Some(body) = self.body(id) else { return };
        let (name, by_machine) = (body.name, body.origin == Origin::Machine);
        let (finds_classes, loads_libraries) = (body.finds_classes, body.loads_libraries);
        let class = self.names.text(name);
        let describes = DESCRIPTIONS.iter().any(|prefix| class.starts_with(prefix));
        if describes || REFUSALS.iter().any(|ending| class.ends_with(ending)) {
            return;
        }
        self.texts.by_machine = by_machine;
        self.texts.class = Some(name);
        self.texts.is_one_name = is_composed(text.trim_ascii());
        self.take_text(text);
        if by_machine {
            self.texts.requests.take_text_of_machine(text);
        } else {
            self.texts.resources.take(text);
            self.texts.requests.take_text_of_class(text);
            if text == GET_CONTENT {
                self.texts.requests.take(requests::CONTENT);
            }
        }
        if text.len() < LONGEST && loads_libraries {
            self.texts.libraries.insert(text.to_vec());
        }
        if is_composed(text) {
            self.take_parts(name, text, finds_classes);
        }
        self.texts.by_machine = false;
        self.texts.class = None;
        self.texts.is_one_name = false;
    }

    /// A text that may be a part of the name of a class; and if its class finds others by their names, with what such names may
    /// begin and end.
    fn take_parts(&mut self, class: Name, text: &[u8], finds_classes: bool) {
        let name = self.names.text(class);
        let package = self.names.intern(package(&name));
        let parts = self.texts.parts.entry(package).or_default();
        for part in text.split(|letter| matches!(letter, b'.' | b'/' | b'$')) {
            if !parts.contains(part) {
                parts.insert(part.to_vec());
            }
        }
        if !finds_classes {
            return;
        }
        let slashed = world::slashed(text);
        let folders = slashed.iter().filter(|letter| **letter == b'/').count();
        if matches!(slashed.first(), Some(b'/' | b'$')) {
            self.texts.ends.entry(class).or_default().push(slashed);
        } else if matches!(slashed.last(), Some(b'/' | b'$')) && folders > 1 {
            if !self.world.beginning_with(&slashed).is_empty() {
                self.texts.prefixes.insert((slashed, package, class));
            }
        } else if is_identifier(text) {
            self.texts.suffixes.insert(text.to_vec());
        }
    }

    /// A text that may name something.
    pub fn take_text(&mut self, text: &[u8]) {
        if text.len() < LONGEST && is_identifier(text) {
            self.take_word(text);
        }
        self.take_class_names(text);
    }

    /// A word that may be the name of a method, or of a class without a package; but one like those of prose is no class (JLS
    /// 6.1: names of classes begin with a capital letter).
    pub fn take_word(&mut self, word: &[u8]) {
        if !word.first().is_some_and(u8::is_ascii_lowercase) {
            self.take_class(word);
        }
        self.take_method(word);
    }

    /// A word that may be the name of a method.
    fn take_method(&mut self, word: &[u8]) {
        let name = self.names.intern(word);
        if self.texts.words.insert(name) {
            let offered = self.texts.offered.get(&name).cloned();
            for (id, _, method) in offered.into_iter().flatten() {
                self.reach(id, method);
            }
        }
    }

    /// Takes every class whose name stands in a text, perhaps with a member behind it; and every library's file.
    pub fn take_class_names(&mut self, text: &[u8]) {
        self.take_files(text);
        let words = text.split(|letter| !is_part(*letter) && !matches!(letter, b'.' | b'/'));
        let words = words
            .filter(|word| word.len() < LONGEST && word.iter().any(|letter| matches!(letter, b'.' | b'/')));
        for word in words {
            let name = world::slashed(word);
            let name = name.strip_suffix(b"/").unwrap_or(&name);
            if !self.take_class(name) && !self.texts.by_machine {
                let slash = name.iter().rposition(|letter| *letter == b'/');
                let slash = slash.unwrap_or_default();
                if self.take_class(name.get(..slash).unwrap_or_default()) && self.texts.is_one_name {
                    self.take_method(name.get(slash + 1..).unwrap_or_default());
                }
            }
        }
    }

    fn take_files(&mut self, text: &[u8]) {
        if memmem::find(text, LIBRARY).is_none() {
            return;
        }
        let separators = |letter: &u8| letter.is_ascii_whitespace() || b"\"'=;,:()<>|".contains(letter);
        for word in text.split(separators).filter(|word| word.len() < LONGEST) {
            let ends = word.ends_with(LIBRARY) || memmem::find(word, b".so.").is_some();
            if let Some(word) = std::str::from_utf8(word).ok().filter(|_| ends) {
                let by = self.texts.class.filter(|_| self.texts.by_machine);
                self.texts.files.entry(word.to_owned()).or_default().insert(by);
            }
        }
    }

    /// Takes a class by its whole name, if there is one; whether there is.
    pub fn take_class(&mut self, name: &[u8]) -> bool {
        match self.names.known(name).filter(|name| self.world.has(*name)) {
            Some(name) => {
                match self.texts.by_machine {
                    true => self.want(Task::Named(name)),
                    false if self.texts.is_one_name => self.want_found(name),
                    // What else stands in a text may be an expression, with the names of methods in it.
                    false => self.want(Task::Whole(name)),
                }
                true
            }
            None => false,
        }
    }

    /// The words of a configuration, but for lines that are remarks.
    pub fn take_configuration(&mut self, text: &[u8]) {
        for line in text.split(|letter| *letter == b'\n') {
            if !line.trim_ascii_start().starts_with(b"#") {
                self.texts.take_mentions(line);
                self.take_words(line);
            }
        }
    }

    fn take_words(&mut self, text: &[u8]) {
        self.take_class_names(text);
        for word in text
            .split(|letter| !is_part(*letter))
            .filter(|word| is_identifier(word))
        {
            if word.len() < LONGEST {
                self.take_word(word);
                let word = self.names.intern(word);
                self.texts.configured.insert(word);
            }
        }
    }

    /// The words of a source in another language.
    pub fn take_source(&mut self, text: &[u8]) {
        self.texts.resources.take(text);
        for line in text.split(|letter| *letter == b'\n') {
            // Ruby's remarks; no line of another language begins so, but for Python's.
            if !line.trim_ascii_start().starts_with(b"#") {
                self.texts.requests.take(line);
            }
        }
        self.take_words(text);
        for path in text.split(|letter| !is_part(*letter) && !matches!(letter, b'.' | b'/' | b':')) {
            self.take_source_path(path);
        }
        for word in text.split(|letter| !is_part(*letter)) {
            if is_identifier(word) && !self.texts.source_words.contains(word) {
                self.texts.source_words.insert(word.to_vec());
            }
            let loose = loosened(word);
            if matches!(&loose[..], b"content" | b"getcontent") {
                self.texts.requests.take(requests::CONTENT);
            }
            if (2..LONGEST).contains(&loose.len()) && !self.texts.loose.contains(&loose) {
                self.texts.loose.insert(loose);
            }
        }
    }

    /// A name of several parts in a source in another language: what each beginning of it names.
    fn take_source_path(&mut self, path: &[u8]) {
        if path.len() >= LONGEST {
            return;
        }
        let mut slashed: Vec<u8> = Vec::with_capacity(path.len());
        let parts = path.split(|letter| matches!(letter, b'.' | b'/' | b':'));
        for part in parts.filter(|part| !part.is_empty()) {
            if !slashed.is_empty() {
                slashed.push(b'/');
            }
            slashed.extend(part);
            if !self.texts.source_paths.contains(&slashed) {
                self.texts.source_paths.insert(slashed.clone());
            }
        }
    }

    /// A text of a native library.
    pub fn take_native(&mut self, text: &[u8]) {
        if text.len() >= LONGEST {
            return;
        }
        let name = self.names.intern(text);
        self.texts.native.insert(name);
        if text.contains(&b'/') && !text.starts_with(b"/") {
            for id in self.named(Some(text)) {
                self.make(id);
            }
        }
    }

    /// Whether a library may be loaded that is called like this: `libNAME.so` without what is around the name. A class that
    /// loads libraries has it as a text, a native library its file's name.
    pub fn may_load(&self, name: &[u8]) -> bool {
        let file = [b"lib", name, b".so"].concat();
        let path = [b"/", &file[..]].concat();
        let is_native = |text: &[u8]| {
            let text = self.names.known(text);
            text.is_some_and(|text| self.texts.is_native(text))
        };
        self.texts.libraries.contains(name) || is_native(&file) || is_native(&path)
    }

    /// A word of a start, which may name a library that is loaded then.
    pub fn take_option(&mut self, word: &[u8]) {
        self.texts.take_mentions(word);
        self.texts.libraries.insert(word.to_vec());
    }

    /// A method that may be called by its name.
    pub fn offer(&mut self, id: Id, selector: Selector, method: usize) {
        let (name, descriptor) = selector;
        self.texts
            .offered
            .entry(name)
            .or_default()
            .push((id, descriptor, method));
        if self.texts.words.contains(&name) || self.is_native_call(name, descriptor) {
            self.reach(id, method);
        }
    }

    /// Whether something may call a method by its name, and with anything.
    pub fn may_call_by_name(&self, id: Id, name: Name, descriptor: Name) -> bool {
        let Some(body) = self.body(id) else { return true };
        let is_constructor = &*self.names.text(name) == CONSTRUCTOR;
        let is_named = || {
            self.texts.words.contains(&name)
                || self.is_native_call(name, descriptor)
                || self.is_loosely_named(name)
        };
        body.whole || if is_constructor { body.found } else { is_named() }
    }

    fn is_native_call(&self, name: Name, descriptor: Name) -> bool {
        self.texts.is_native(name) && self.texts.is_native(descriptor)
    }

    /// Looks again at what was offered, after native libraries or sources were added.
    pub fn offer_again(&mut self) {
        let mut reached = Vec::new();
        for (name, offered) in &self.texts.offered {
            let named = self.is_loosely_named(*name);
            let called = offered
                .iter()
                .filter(|(_, descriptor, _)| named || self.is_native_call(*name, *descriptor));
            reached.extend(called.map(|(id, _, method)| (*id, *method)));
        }
        reached.sort_unstable();
        for (id, method) in reached {
            self.reach(id, method);
        }
    }

    fn is_loosely_named(&self, name: Name) -> bool {
        if self.texts.loose.is_empty() {
            return false;
        }
        let name = loosened(&self.names.text(name));
        let property = ["get", "set", "is", "has"].into_iter();
        let property = property.filter_map(|prefix| name.strip_prefix(prefix.as_bytes()));
        std::iter::once(&name[..])
            .chain(property)
            .any(|name| self.texts.loose.contains(name))
    }

    /// Takes the classes whose names can be put together of texts, and those that sources name without their packages.
    pub fn compose(&mut self) {
        let mut wanted: Vec<Name> = Vec::new();
        for (prefix, package, class) in &self.texts.prefixes {
            let known = self.texts.parts.get(package);
            let ends = self.texts.ends.get(class).map_or(&[][..], Vec::as_slice);
            let is_known = |part: &[u8]| {
                let word = self.names.known(part);
                known.is_some_and(|known| known.contains(part))
                    || word.is_some_and(|word| self.texts.configured.contains(&word))
            };
            for (text, name) in self.world.beginning_with(prefix) {
                let rest = text.get(prefix.len()..).unwrap_or_default();
                let is_number = rest.iter().all(u8::is_ascii_digit);
                let mut parts = rest.split(|letter| matches!(letter, b'/' | b'$'));
                if is_number || ends.iter().any(|end| rest.ends_with(end)) || parts.all(is_known) {
                    wanted.push(*name);
                }
            }
        }
        for id in self.ids() {
            let Some(body) = self.body(id).filter(|body| body.is_used()) else {
                continue;
            };
            let name = self.names.text(body.name);
            for (text, longer) in self.world.beginning_with(&name) {
                let rest = text.get(name.len()..).unwrap_or_default();
                if self.texts.suffixes.contains(rest) {
                    wanted.push(*longer);
                }
            }
        }
        for name in self.named_simply() {
            self.want_found(name);
        }
        for name in wanted {
            if self.texts.composed.insert(name) {
                match self.is_machine(name) {
                    true => self.want(Task::Named(name)),
                    false => self.want(Task::Whole(name)),
                }
            }
        }
    }

    /// The classes whose names without their packages are words of sources.
    fn named_simply(&self) -> Vec<Name> {
        let words = &self.texts.source_words;
        let is_named = |text: &[u8]| {
            let mut simple = text.rsplit(|letter| matches!(letter, b'/' | b'$'));
            simple.next().is_some_and(|simple| words.contains(simple))
        };
        let all = self.world.all().filter(|_| !words.is_empty());
        all.filter(|(text, _)| is_named(text))
            .filter(|(text, name)| self.world.is_of_an_application(*name) || self.imports_package_of(text))
            .map(|(_, name)| *name)
            .collect()
    }

    /// Whether sources name the package of a class of the virtual machine's, or need not.
    fn imports_package_of(&self, class: &[u8]) -> bool {
        let package = package(class);
        let together: Vec<u8> = package.iter().copied().filter(|letter| *letter != b'/').collect();
        IMPORTED.contains(&package)
            || self.texts.source_paths.contains(package)
            // JRuby's `Java::JavaUtil`.
            || self.texts.loose.contains(&loosened(&together))
    }

    fn is_machine(&mut self, name: Name) -> bool {
        let classes = self.classes(name);
        classes
            .iter()
            .all(|id| self.body(*id).is_some_and(|body| body.origin == Origin::Machine))
    }

    /// The words of a configuration of the virtual machine's own.
    pub fn take_own_configuration(&mut self, text: &[u8]) {
        self.texts.by_machine = true;
        self.take_configuration(text);
        self.texts.by_machine = false;
    }
}

fn is_part(letter: u8) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, b'_' | b'$') || !letter.is_ascii()
}

/// Whether a text may be a part of the name of a class, with a package or without.
fn is_composed(text: &[u8]) -> bool {
    text.len() < LONGEST
        && text
            .iter()
            .all(|letter| is_part(*letter) || matches!(letter, b'.' | b'/'))
}

fn is_identifier(text: &[u8]) -> bool {
    text.len() > 1
        && text.iter().all(|letter| is_part(*letter))
        && !text.first().is_some_and(u8::is_ascii_digit)
}

/// A name without case and underscores: languages on the virtual machine write `read_line` for `readLine`.
fn loosened(name: &[u8]) -> Vec<u8> {
    let letters = name.iter().filter(|letter| **letter != b'_');
    letters.map(u8::to_ascii_lowercase).collect()
}
