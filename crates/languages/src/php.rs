//! PHP: what the scripts that a server or a command line comes to execute. Compiled extensions are named by
//! configuration, which the linking room reads, and not by scripts.
//!
//! Which scripts of a document root clients ask for is not known: every one counts. Misses, as assumptions: roots that
//! are configured in other words, scripts that are included by names that are not constants and lie elsewhere.

use std::collections::BTreeSet;

use confine_assumption::{Effect, Kind as Open};

use crate::reached::Reached;
use crate::script::{self, Function, Grammar, Shape};
use crate::tokens::Token;
use crate::walk::Walk;
use crate::{Start, folders};

const GRAMMAR: Grammar = Grammar {
    line_comments: &["//", "#"],
    block_comments: true,
    interpolation: "$",
    backticks_execute: true,
    more_letters: "$",
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

/// Options that take the next word as their value.
const VALUED: &[&str] = &["-c", "-d", "-z", "-t", "-y", "-p", "-g"];

/// How long a configuration file may be, in bytes.
const LONGEST_FILE: u64 = 1 << 20;

/// From what an interpreter is started with.
pub fn follow(start: &Start<'_>) -> Reached {
    let serves = ["fpm", "cgi", "apache", ".so"]
        .iter()
        .any(|part| start.path.contains(part));
    if serves {
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
                    php.walk.add_text(start.place, text);
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
        php.walk.add_text(start.place, text);
        known = true;
    }
    if !known {
        php.roots();
    }
    php.finish()
}

/// Everything that the image's servers may be asked for.
pub fn everything(start: &Start<'_>) -> Reached {
    let mut php = Php::new(start);
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
            let scripts = self.walk.below(root, |name| {
                [".php", ".phtml", ".inc"]
                    .iter()
                    .any(|ending| name.ends_with(ending))
            });
            if !scripts.is_empty() {
                served.push(root.clone());
            }
            scripts.into_iter().for_each(|script| self.walk.add(script));
        }
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
        // Bounded: the walk is.
        while let Some(source) = self.walk.next() {
            let tokens = script::tokens(&GRAMMAR, &source.text);
            let folder = folders::parent(&source.path).to_owned();
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
            script::executions(&mut self.walk, &source, &tokens, FUNCTIONS, self.start.named);
            let mails = tokens.windows(2).find(|pair| match pair {
                [name, open] => name.is_word("mail") && open.is('('),
                _ => false,
            });
            if let Some([name, ..]) = mails {
                self.walk
                    .command(vec![SENDMAIL.to_owned()], true, &source.path, name.line);
            }
        }
        self.walk.reached
    }
}
