//! PHP: what the scripts that a server or a command line comes to execute. Compiled extensions are named by
//! configuration, which the linking room reads, and not by scripts.
//!
//! Which scripts of a document root clients ask for is not known: every one counts. Where a script is included by a name
//! that is not a constant, as autoloaders do, every script counts that lies below the folder of one that is known. Misses,
//! as assumptions: roots that are configured in other words, scripts that are included so and lie elsewhere.

mod long_texts;

use std::collections::BTreeSet;

use confine_assumption::{Effect, Kind as Open};

use crate::reached::Reached;
use crate::script::{self, Candidates, Constants, Function, Grammar, Shape};
use crate::tokens::{Token, list};
use crate::walk::{Source, Walk};
use crate::{HOLE, Start, folders};

const GRAMMAR: Grammar = Grammar {
    line_comments: &["//", "#"],
    block_comments: true,
    interpolation: "$",
    backticks_execute: true,
    more_letters: "$",
    dot_joins: true,
};

/// What executes programs (PHP's manual, "Program execution" and pcntl).
const FUNCTIONS: &[Function] = &[
    function("exec", Shape::Shell),
    function("shell_exec", Shape::Shell),
    function("system", Shape::Shell),
    function("passthru", Shape::Shell),
    function("popen", Shape::Shell),
    function("proc_open", Shape::ListOrShell),
    function("pcntl_exec", Shape::ProgramAndList),
];

const fn function(name: &'static str, shape: Shape) -> Function {
    Function { name, shape, of: &[] }
}

/// What `mail` hands its letter to unless `sendmail_path` says otherwise (PHP's manual, "Mail runtime configuration").
const SENDMAIL: &str = "/usr/sbin/sendmail -t -i";

/// Where servers are told which folder they serve, and by which words.
const CONFIGURATION: &[&str] = &[
    "/etc/nginx",
    "/etc/apache2",
    "/etc/httpd",
    "/usr/local/apache2/conf",
    "/etc/php",
    "/usr/local/etc",
];
const ROOT_WORDS: &[&str] = &[
    "root",
    "DocumentRoot",
    "Alias",
    "<Directory",
    "chdir",
    "SCRIPT_FILENAME",
];

/// Where distributions and images put what is served.
const ROOTS: &[&str] = &["/var/www", "/usr/share/nginx/html", "/usr/local/apache2/htdocs"];

/// What scripts are called.
const ENDINGS: &[&str] = &[
    ".php", ".phtml", ".inc", // Drupal's.
    ".module", ".install", ".theme", ".profile", ".engine",
];

/// Archives of scripts, which are not looked into.
const ARCHIVE: &str = ".phar";

/// What ends a script before an archive's contents (PHP's manual, "Phar file format").
const HALT: &[u8] = b"__halt_compiler";

/// Files of applications that hold no source, template or configuration: assets, data, translations, what people read.
const ASSETS: &[&str] = &[
    ".png", ".jpg", ".jpeg", ".gif", ".ico", ".svg", ".webp", ".avif", ".css", ".scss", ".less", ".js",
    ".mjs", ".map", ".woff", ".woff2", ".ttf", ".eot", ".otf", ".zip", ".gz", ".bz2", ".xz", ".tar", ".pdf",
    ".mo", ".po", ".pot", ".json", ".md", ".txt", ".rst", ".lock", ".sql", ".csv", ".mp3", ".mp4", ".wav",
    ".swf", ".so", ".sqlite", ".db", ".dat", ".mmdb", ".py", ".sh", ".pl", ".rb", ".c", ".h",
];

/// Statements that include a script.
const INCLUDES: &[&str] = &["include", "include_once", "require", "require_once"];

/// Where scripts are looked for that are included by a relative name (PHP's manual, `include_path`; Debian's folder).
const INCLUDE_PATH: &[&str] = &["/usr/share/php", "/usr/local/lib/php"];

/// Options that take the next word as their value.
const VALUED: &[&str] = &["-c", "-d", "-z", "-t", "-y", "-p", "-g"];

/// How long a configuration file may be, in bytes.
const LONGEST_FILE: u64 = 1 << 20;

/// From what an interpreter is started with.
pub fn follow(start: &Start<'_>) -> Reached {
    if serves(start) {
        return everything(start);
    }
    let mut php = Php::new(start);
    let mut rest = start.arguments.iter();
    let mut known = false;
    // Bounded by the arguments.
    while let Some(word) = rest.next() {
        match word.as_str() {
            "-r" | "-B" | "-R" | "-E" => {
                if let Some(text) = rest.next() {
                    php.add_text(text);
                    known = true;
                }
            }
            "-f" | "-F" => {}
            "-S" => {
                rest.next();
                php.roots();
                known = true;
            }
            _ if VALUED.contains(&word.as_str()) => {
                rest.next();
            }
            _ if word.starts_with('-') && word.len() > 1 => {}
            _ => {
                known |= php.walk.add_file(&folders::absolute(word, start.workdir));
                break;
            }
        }
    }
    if let (false, Some(text)) = (known, start.input) {
        php.add_text(text);
        known = true;
    }
    if !known {
        php.walk.reached.open_sources = !starts_itself(start);
        php.roots();
    }
    php.finish()
}

/// Whether what is started runs what clients ask for.
fn serves(start: &Start<'_>) -> bool {
    let mut parts = ["fpm", "cgi", "apache", ".so"].iter();
    parts.any(|part| start.path.contains(part))
}

/// Whether a source in PHP starts it: with scripts of its own application, which are there.
fn starts_itself(start: &Start<'_>) -> bool {
    is_script(folders::file_of(start.place))
}

/// Everything that the image's servers may be asked for.
pub fn everything(start: &Start<'_>) -> Reached {
    let mut php = Php::new(start);
    php.walk.reached.open_sources = !serves(start) && !starts_itself(start);
    php.roots();
    php.finish()
}

struct Php<'a> {
    start: Start<'a>,
    walk: Walk<'a>,
}

impl<'a> Php<'a> {
    fn new(start: &Start<'a>) -> Self {
        Self {
            start: *start,
            walk: Walk::new(start.files),
        }
    }

    /// A source that is in no file: whoever looks at files does not see its words.
    fn add_text(&mut self, text: &str) {
        self.walk.add_text(self.start.place, text);
        self.walk.reached.open_sources = true;
    }

    /// Every script below the folders that are served.
    fn roots(&mut self) {
        let files = self.start.files;
        let mut roots: BTreeSet<String> = ROOTS.iter().map(|root| (*root).to_owned()).collect();
        if self.start.workdir != "/" {
            roots.insert(self.start.workdir.to_owned());
        }
        for folder in CONFIGURATION {
            for path in self.walk.below(folder, |_| true) {
                let small = folders::regular(files, &path).is_some_and(|file| file.size <= LONGEST_FILE);
                let Some(bytes) = files.read(&path).ok().filter(|_| small) else {
                    continue;
                };
                for line in String::from_utf8_lossy(&bytes).lines() {
                    let mut words = line
                        .trim()
                        .split([' ', '\t', '='])
                        .filter(|word| !word.is_empty());
                    if words.next().is_some_and(|first| ROOT_WORDS.contains(&first)) {
                        let paths = words.map(|word| word.trim_matches(['"', '\'', ';', '>']));
                        roots.extend(
                            paths
                                .filter(|path| path.len() > 1 && path.starts_with('/'))
                                .map(str::to_owned),
                        );
                    }
                }
            }
        }
        let mut served: Vec<String> = Vec::new();
        for root in &roots {
            let scripts = self.walk.below(root, is_script);
            if !scripts.is_empty() {
                served.push(root.clone());
            }
            scripts.into_iter().for_each(|script| self.walk.add(script));
        }
        self.walk.reached.open_sources |= served.is_empty();
        served.iter().for_each(|root| self.templates(root));
        let detail = if served.is_empty() {
            "which scripts in PHP it runs is not known, nor what they execute: name it with --also".to_owned()
        } else {
            format!(
                "any script may be asked for: all of {} are taken in, and nothing else",
                served.join(", ")
            )
        };
        self.walk.assume(
            Open::OpenCommand,
            self.start.place.to_owned(),
            detail,
            Effect::NotCovered,
        );
    }

    fn finish(mut self) -> Reached {
        let mut candidates = Candidates::of(&self.start);
        let mut taken: BTreeSet<String> = BTreeSet::new();
        // Bounded: the walk is, and each turn takes in a folder.
        loop {
            while let Some(source) = self.walk.next() {
                self.source(&source, &mut candidates);
            }
            if !self.walk.names_openly() {
                break;
            }
            let parents = self.walk.reached.sources.iter();
            let parents: BTreeSet<String> =
                parents.map(|source| folders::parent(source).to_owned()).collect();
            let is_below = |folder: &str, above: &BTreeSet<String>| {
                folders::above(&format!("{folder}/x"), |folder| above.contains(folder)).is_some()
            };
            let new: Vec<String> = parents
                .into_iter()
                .filter(|folder| folder.len() > 1 && !is_below(folder, &taken))
                .collect();
            if new.is_empty() {
                break;
            }
            for folder in new {
                if is_below(&folder, &taken) {
                    continue;
                }
                let scripts = self.walk.below(&folder, is_script);
                scripts.into_iter().for_each(|script| self.walk.add(script));
                self.templates(&folder);
                taken.insert(folder);
            }
        }
        let place = self.start.path;
        let what = "every script below the folder of one that is known is taken in";
        self.walk
            .tell_open_sources(place, what, Effect::WidenedToCandidates);
        candidates.take_in(&mut self.walk);
        for folder in CONFIGURATION {
            let texts = self.walk.below(folder, |_| true);
            self.walk.reached.texts.extend(texts);
        }
        self.walk.reached
    }

    /// Notes what may name functions in a folder of an application.
    fn templates(&mut self, folder: &str) {
        let texts = self.walk.below(folder, is_template);
        self.walk.reached.open_sources |= texts.iter().any(|path| path.ends_with(ARCHIVE));
        self.walk.reached.texts.extend(texts);
    }

    fn source(&mut self, source: &Source, candidates: &mut Candidates) {
        let tokens = script::tokens(&GRAMMAR, &long_texts::blank_backticks(&source.text));
        let constants = Constants::of(&GRAMMAR, &source.path, &tokens);
        let folder = folders::parent(&source.path).to_owned();
        self.walk.reached.open_sources |= halts(&source.text);
        for name in tokens
            .iter()
            .filter_map(Token::text)
            .filter(|text| text.ends_with(".php"))
        {
            // `__DIR__ . '/x.php'` and names that are relative to the script.
            for path in [
                folders::absolute(name, &folder),
                format!("{folder}/{}", name.trim_start_matches('/')),
            ] {
                self.walk.add_file(&path);
            }
        }
        self.includes(source, &tokens, &constants);
        script::executions(
            &mut self.walk,
            source,
            &tokens,
            FUNCTIONS,
            &constants,
            self.start.named,
        );
        let path = self.start.variables.get("PATH").map(String::as_str);
        candidates.collect(&mut self.walk, source, &tokens, &GRAMMAR, path, ENDINGS);
        let mails = tokens.windows(2).find(|pair| match pair {
            [name, open] => name.is_word("mail") && open.is('('),
            _ => false,
        });
        if let Some([name, ..]) = mails {
            self.walk
                .command(vec![SENDMAIL.to_owned()], true, &source.path, name.line);
        }
    }

    /// The scripts that a source includes.
    fn includes(&mut self, source: &Source, tokens: &[Token], constants: &Constants<'_>) {
        let folder = folders::parent(&source.path);
        for (index, token) in tokens.iter().enumerate() {
            let is_statement = token.word().is_some_and(|word| INCLUDES.contains(&word));
            let before = index.checked_sub(1).and_then(|before| tokens.get(before));
            let is_other = before.is_some_and(|before| {
                before.is('>') || before.is(':') || before.is_word("function") || before.is_word("const")
            });
            let next = tokens.get(index + 1);
            let calls = tokens
                .get(index + 2)
                .is_some_and(|after| after.is('(') || after.is(':'));
            let names = next.is_some_and(|next| {
                let may_be = |word: &str| calls || is_expression(word);
                next.text().is_some() || next.is('(') || next.word().is_some_and(may_be)
            });
            if !is_statement || is_other || !names {
                continue;
            }
            let (parts, end) = list(tokens, index + 1);
            let ends = tokens
                .get(end + 1)
                .is_none_or(|after| after.is(';') || after.is(')'));
            let texts = match parts.first() {
                // In brackets as a whole.
                Some(inner) if next.is_some_and(|next| next.is('(')) && ends => constants.texts(inner),
                _ => constants.texts(&script::statement(tokens, index + 1)),
            };
            for text in texts {
                if text.contains(HOLE) {
                    self.walk.open_source(&source.path, token.line);
                } else {
                    let mut places = vec![folders::absolute(&text, folder)];
                    let elsewhere = INCLUDE_PATH.iter().copied().chain([self.start.workdir]);
                    places.extend(elsewhere.map(|place| folders::absolute(&text, place)));
                    places.iter().for_each(|place| {
                        self.walk.add_file(place);
                    });
                }
            }
        }
    }
}

/// Whether what a file says may name functions, though it is no script.
fn is_template(name: &str) -> bool {
    !is_script(name) && !ASSETS.iter().any(|ending| name.ends_with(ending))
}

/// Whether a source may have an archive's contents behind it.
fn halts(source: &[u8]) -> bool {
    let mut places = memchr::memchr_iter(b'_', source).filter_map(|at| source.get(at..at + HALT.len()));
    places.any(|text| text.eq_ignore_ascii_case(HALT))
}

fn is_script(name: &str) -> bool {
    ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// Whether an expression may begin with a word that nothing is called on: a variable or a constant, and not prose.
fn is_expression(word: &str) -> bool {
    word.starts_with(['$', '_'])
        || word
            .chars()
            .all(|letter| letter.is_ascii_uppercase() || letter == '_')
}
