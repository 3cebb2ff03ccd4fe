//! Perl: the sources that `use`, `require` and `do` lead to, and what they execute. Compiled parts of modules are found by
//! the linking room, by the folders that the interpreter names.
//!
//! Misses, as an assumption: sources whose names are not constants, and texts that are evaluated. Misses: what follows
//! within a text over several lines that looks like documentation.

mod settings;

use confine_assumption::{Effect, Kind as Open};
use settings::Settings;

use crate::reached::Reached;
use crate::script::{self, Candidates, Constants, Function, Grammar, Shape};
use crate::tokens::{Kind, Token, list};
use crate::walk::{Source, Walk};
use crate::{HOLE, Start, folders};

const GRAMMAR: Grammar = Grammar {
    line_comments: &["#"],
    block_comments: false,
    interpolation: "$",
    backticks_execute: true,
    more_letters: "$@",
    dot_joins: true,
};

/// What executes programs (perlfunc).
const FUNCTIONS: &[Function] = &[
    function("system", Shape::ShellOrWords),
    function("exec", Shape::ShellOrWords),
    function("readpipe", Shape::Shell),
];

const fn function(name: &'static str, shape: Shape) -> Function {
    Function {
        name,
        shape,
        of: &["CORE", "GLOBAL"],
    }
}

/// Functions that execute what follows their first arguments, and how many these are (IPC::Open2, IPC::Open3).
const WITH_HANDLES: &[(&str, usize)] = &[("open2", 2), ("open3", 3)];

/// Modules by which a source names others that it loads.
const NAMING: &[&str] = &["parent", "base", "autouse", "if"];

/// Where modules lie: Debian's folders and those of Perl's own installation, each with the folders of versions and
/// architectures in it.
const FOLDERS: &[&str] = &[
    "/etc/perl",
    "/usr/local/lib/x86_64-linux-gnu/perl",
    "/usr/local/share/perl",
    "/usr/lib/x86_64-linux-gnu/perl5",
    "/usr/share/perl5",
    "/usr/lib/x86_64-linux-gnu/perl-base",
    "/usr/lib/x86_64-linux-gnu/perl",
    "/usr/share/perl",
    "/usr/local/lib/site_perl",
    "/usr/local/lib/perl5",
    "/usr/lib/perl5",
    "/usr/lib64/perl5",
];

/// What sources are called.
const SOURCES: &[&str] = &[".pl", ".pm", ".ph", ".al"];

/// How deep the folders of versions and architectures lie.
const DEEPEST: usize = 3;

/// Options whose value is a part of the same word (perlrun).
const WITH_VALUE: &str = "iFxCDV";

/// From what an interpreter is started with.
pub fn follow(start: &Start<'_>) -> Reached {
    let mut perl = Perl::new(start);
    let options = start.variables.get("PERL5OPT").map_or("", String::as_str);
    for word in options.split_whitespace() {
        perl.option(word, &mut [].iter());
    }
    let mut rest = start.arguments.iter();
    let mut known = false;
    // Bounded by the arguments.
    while let Some(word) = rest.next() {
        if word == "--" {
            continue;
        }
        if word.starts_with('-') && word.len() > 1 {
            known |= perl.option(word, &mut rest);
            continue;
        }
        known |= known || perl.script(word);
        break;
    }
    if let (false, Some(text)) = (known, start.input) {
        perl.walk.add_text(start.place, text);
        known = true;
    }
    if !known {
        perl.unknown();
    }
    perl.finish()
}

/// Where it is not known what is run.
pub fn everything(start: &Start<'_>) -> Reached {
    let mut perl = Perl::new(start);
    perl.unknown();
    perl.finish()
}

struct Perl<'a> {
    start: Start<'a>,
    walk: Walk<'a>,
    /// The folders in which modules are looked for.
    path: Vec<String>,
}

impl<'a> Perl<'a> {
    fn new(start: &Start<'a>) -> Self {
        let set = start.variables.get("PERL5LIB").into_iter();
        let set = set
            .flat_map(|value| value.split(':'))
            .filter(|folder| !folder.is_empty());
        let mut path: Vec<String> = set
            .map(|folder| folders::absolute(folder, start.workdir))
            .collect();
        let mut pending: Vec<(String, usize)> =
            FOLDERS.iter().map(|folder| ((*folder).to_owned(), 0)).collect();
        // Bounded in depth.
        while let Some((folder, depth)) = pending.pop() {
            let Some(folder) = folders::folder(start.files, &folder) else {
                continue;
            };
            if path.contains(&folder) {
                continue;
            }
            let parts = start.files.list(&folder).into_iter().filter(|name| {
                let is_version = name.starts_with(|first: char| first.is_ascii_digit());
                depth < DEEPEST && (is_version || name.starts_with("x86_64") || name.ends_with("_perl"))
            });
            pending.extend(parts.map(|name| (format!("{folder}/{name}"), depth + 1)));
            path.push(folder);
        }
        Self {
            start: *start,
            walk: Walk::new(start.files),
            path,
        }
    }

    fn unknown(&mut self) {
        // `syscall` is so rare in Perl that a start whose program is not known does not open the policy: it is said.
        let detail = "which program in Perl it runs is not known, nor what that executes and which calls it makes by \
                      number: name it with --also";
        let place = self.start.place.to_owned();
        self.walk
            .assume(Open::OpenCommand, place, detail, Effect::NotCovered);
    }

    /// Takes in an option and perhaps the word after it; whether it holds the program's text.
    fn option(&mut self, word: &str, rest: &mut std::slice::Iter<'_, String>) -> bool {
        let letters = word.trim_start_matches('-');
        if let Some(module) = letters.strip_prefix(['M', 'm']) {
            let module = module.trim_start_matches('-');
            let module = module.split(['=', ' ']).next().unwrap_or_default();
            self.module(module);
            return false;
        }
        if let Some(folder) = letters.strip_prefix('I') {
            let folder = match folder {
                "" => rest.next().map_or("", String::as_str),
                folder => folder,
            };
            self.path.insert(0, folders::absolute(folder, self.start.workdir));
            return false;
        }
        for (index, letter) in letters.char_indices() {
            if letter == 'e' || letter == 'E' {
                let text = match letters.get(index + 1..) {
                    Some(text) if !text.is_empty() => text.to_owned(),
                    _ => rest.next().cloned().unwrap_or_default(),
                };
                self.walk.add_text(self.start.place, &text);
                return true;
            }
            if WITH_VALUE.contains(letter) {
                break;
            }
        }
        false
    }

    /// The script that is run: in the working folder, or with `-S` on PATH.
    fn script(&mut self, name: &str) -> bool {
        let own = folders::absolute(name, self.start.workdir);
        let folder = folders::parent(&own).to_owned();
        // What scripts add with FindBin and lib.
        for place in [
            folder.clone(),
            format!("{folder}/lib"),
            format!("{folder}/../lib"),
        ] {
            self.path.insert(0, folders::absolute(&place, "/"));
        }
        if self.walk.add_file(&own) {
            return true;
        }
        let path = self.start.variables.get("PATH").cloned().unwrap_or_default();
        path.split(':')
            .filter(|_| !name.contains('/'))
            .any(|folder| self.walk.add_file(&folders::absolute(name, folder)))
    }

    /// A module by its name, `A::B`.
    fn module(&mut self, name: &str) {
        self.file(&format!("{}.pm", name.replace("::", "/")));
    }

    /// A file as `require` and `do` look for it.
    fn file(&mut self, name: &str) {
        if name.starts_with('/') {
            self.walk.add_file(name);
            return;
        }
        let places: Vec<String> = self
            .path
            .iter()
            .map(String::as_str)
            .chain([self.start.workdir])
            .map(|folder| folders::absolute(name, folder))
            .collect();
        for place in places {
            self.walk.add_file(&place);
        }
    }

    fn finish(mut self) -> Reached {
        let mut candidates = Candidates::of(&self.start);
        let mut settings = Settings::default();
        // Bounded: the walk is.
        while let Some(source) = self.walk.next() {
            let tokens = tokens(&source.text);
            let constants = Constants::of(&GRAMMAR, &source.path, &tokens);
            self.imports(&source, &tokens, &constants);
            let call = tokens.iter().find(|token| token.is_word("syscall"));
            if let Some(call) = call {
                let place = format!("{}:{}", source.path, call.line);
                self.walk.reached.calls_by_number.get_or_insert(place);
            }
            if let Some(source) = settings.keep(source) {
                self.executions(&source, &tokens, &constants, &mut candidates);
            }
        }
        for source in settings.named() {
            let tokens = tokens(&source.text);
            let constants = Constants::of(&GRAMMAR, &source.path, &tokens);
            self.executions(&source, &tokens, &constants, &mut candidates);
        }
        if self.walk.open {
            let place = self.start.place.to_owned();
            self.walk.reached.calls_by_number.get_or_insert(place);
        }
        candidates.take_in(&mut self.walk);
        let what = "what these are and execute is not known";
        self.walk
            .tell_open_sources(self.start.path, what, Effect::NotCovered);
        self.walk.reached
    }

    fn executions(
        &mut self,
        source: &Source,
        tokens: &[Token],
        constants: &Constants<'_>,
        candidates: &mut Candidates,
    ) {
        let path = self.start.variables.get("PATH").map(String::as_str);
        let name = self.start.named;
        script::executions(&mut self.walk, source, tokens, FUNCTIONS, constants, name);
        self.pipes(source, tokens, constants);
        candidates.collect(&mut self.walk, source, tokens, &GRAMMAR, path, SOURCES);
    }

    fn imports(&mut self, source: &Source, tokens: &[Token], constants: &Constants<'_>) {
        for (index, token) in tokens.iter().enumerate() {
            let Some(word @ ("use" | "no" | "require" | "do" | "eval")) = token.word() else {
                continue;
            };
            let before = index.checked_sub(1).and_then(|before| tokens.get(before));
            let is_other = before.is_some_and(|before| {
                before.is('>') || before.is('{') && tokens.get(index + 1).is_some_and(|next| next.is('}'))
            });
            let after = tokens.get(index + 1..).unwrap_or_default();
            let Some(next) = after.first().filter(|_| !is_other) else {
                continue;
            };
            match &next.kind {
                Kind::Word(name) if name.starts_with('$') && word != "use" && word != "no" => {
                    self.walk.open_source(&source.path, token.line);
                }
                Kind::Word(name) if word == "use" || word == "no" || word == "require" => {
                    self.module(&spaced(after));
                    if name == "lib" || NAMING.contains(&name.as_str()) {
                        self.named(name, after, source);
                    }
                }
                Kind::Text(text) if word != "eval" && !text.contains(HOLE) => {
                    self.file(text);
                    self.walk
                        .add_file(&folders::absolute(text, folders::parent(&source.path)));
                }
                Kind::Text(_) => self.walk.open_source(&source.path, token.line),
                Kind::Mark('(') if word == "eval" || word == "require" => {
                    let (arguments, _) = list(tokens, index + 1);
                    let texts = arguments.first().map(|name| constants.texts(name));
                    for text in texts.into_iter().flatten() {
                        match word {
                            "require" if !text.contains(HOLE) => self.file(&text),
                            _ => self.walk.open_source(&source.path, token.line),
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// What `use parent`, `use base` and their like load, and the folders that `use lib` adds.
    fn named(&mut self, by: &str, after: &[Token], source: &Source) {
        let statement = after.iter().skip(1).take_while(|token| !token.is(';')).take(64);
        let statement: Vec<Token> = statement.cloned().collect();
        let folder = folders::parent(&source.path);
        for (index, token) in statement.iter().enumerate() {
            match &token.kind {
                Kind::Text(text) if by == "lib" => {
                    let text = text.trim_start_matches(HOLE).trim_start_matches('/');
                    if !text.contains(HOLE) {
                        self.path.insert(0, folders::absolute(text, folder));
                        self.path.insert(0, folders::absolute(text, "/"));
                    }
                }
                Kind::Text(text) if by != "lib" => self.module(text),
                Kind::Word(_) if by != "lib" => {
                    let rest = statement.get(index..).unwrap_or_default();
                    self.module(&spaced(rest));
                }
                _ => {}
            }
        }
    }

    /// What `open` executes (perlfunc, "open"), and what takes handles before the command.
    fn pipes(&mut self, source: &Source, tokens: &[Token], constants: &Constants<'_>) {
        for (index, token) in tokens.iter().enumerate() {
            let handles = WITH_HANDLES.iter().find(|(name, _)| token.is_word(name));
            let before = index.checked_sub(1).and_then(|before| tokens.get(before));
            let is_other = before.is_some_and(|before| before.is('>') || before.is_word("sub"));
            if is_other || handles.is_none() && !token.is_word("open") {
                continue;
            }
            let arguments = match tokens.get(index + 1) {
                Some(next) if next.is('(') => list(tokens, index + 1).0,
                Some(next) if next.word().is_some() => script::without_brackets(tokens, index + 1),
                _ => continue,
            };
            let skipped = match handles {
                Some((_, skipped)) => *skipped,
                None => match arguments.get(1).map(|mode| constants.texts(mode)) {
                    None => continue,
                    Some(modes) if arguments.len() > 2 => {
                        let pipes = modes
                            .iter()
                            .any(|mode| mode.contains('|') || *mode == HOLE.to_string());
                        if !pipes {
                            continue;
                        }
                        2
                    }
                    Some(names) => {
                        for name in names {
                            self.piped(&name, source, token.line);
                        }
                        continue;
                    }
                },
            };
            let words = arguments.get(skipped..).unwrap_or_default();
            for (words, shell) in script::words_or_shell(constants, words, self.start.named) {
                self.walk.command(words, shell, &source.path, token.line);
            }
        }
    }

    /// The second of two arguments of `open`: a file, or a command if a bar begins or ends it.
    fn piped(&mut self, name: &str, source: &Source, line: usize) {
        let text = name.trim();
        let command = text.strip_prefix('|').or_else(|| text.strip_suffix('|'));
        match command {
            Some(command) => {
                self.walk
                    .command(vec![command.trim().to_owned()], true, &source.path, line);
            }
            // What begins like a mode or a path opens a file, unless a bar may end it.
            None if text.starts_with(HOLE) => self.walk.open_command(&source.path, line),
            None => {}
        }
    }
}

/// The name `A::B` that tokens begin with.
fn spaced(tokens: &[Token]) -> String {
    let mut name = tokens
        .first()
        .and_then(Token::word)
        .unwrap_or_default()
        .to_owned();
    let mut rest = tokens.get(1..).unwrap_or_default();
    // Bounded: each turn moves on.
    while let [one, other, word, ..] = rest {
        let Some(word) = word.word().filter(|_| one.is(':') && other.is(':')) else {
            break;
        };
        name.push_str("::");
        name.push_str(word);
        rest = rest.get(3..).unwrap_or_default();
    }
    name
}

/// The tokens of a source: documentation left out, `qx` in other brackets as backticks, lists in texts as holes.
fn tokens(text: &[u8]) -> Vec<Token> {
    let mut code: Vec<u8> = Vec::with_capacity(text.len());
    let mut documentation = false;
    for line in text.split(|byte| *byte == b'\n') {
        let begins = matches!(line, [b'=', letter, ..] if letter.is_ascii_alphabetic());
        if begins {
            documentation = !line.starts_with(b"=cut");
        } else if !documentation {
            code.extend(with_backticks(line));
        }
        code.push(b'\n');
    }
    let mut tokens = script::tokens(&GRAMMAR, &code);
    for token in &mut tokens {
        if let Kind::Text(text) | Kind::Shell(text) = &mut token.kind
            && text.contains('@')
        {
            *text = without_lists(text);
        }
    }
    tokens
}

/// A line with `qx{…}` as a text between backticks.
fn with_backticks(line: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    let mut rest = line;
    // Bounded: each turn moves on.
    while let Some((first, after)) = rest.split_first() {
        let apart = out
            .last()
            .is_none_or(|before: &u8| !before.is_ascii_alphanumeric() && !b"_$@%&>".contains(before));
        let quoted = rest
            .strip_prefix(b"qx")
            .filter(|_| apart)
            .and_then(|quoted| quoted.split_first());
        if let Some((open, inner)) = quoted {
            let close = match open {
                b'{' => b'}',
                b'(' => b')',
                b'[' => b']',
                b'<' => b'>',
                b'/' | b'|' | b'!' | b'\'' | b'"' | b'#' => *open,
                _ => 0,
            };
            let end = inner.iter().rposition(|byte| *byte == close);
            if let Some(end) = end.filter(|_| close != 0) {
                let (command, following) = inner.split_at(end);
                if !command.contains(&b'`') {
                    out.push(b'`');
                    out.extend(command);
                    out.push(b'`');
                    rest = following.get(1..).unwrap_or_default();
                    continue;
                }
            }
        }
        out.push(*first);
        rest = after;
    }
    out
}

/// A text whose lists, which a text in double quotes takes in, are holes.
fn without_lists(text: &str) -> String {
    let mut out = String::new();
    let mut letters = text.chars().peekable();
    // Bounded: each turn moves on.
    while let Some(letter) = letters.next() {
        let begins = |next: &char| next.is_alphabetic() || "{$_".contains(*next) || *next == HOLE;
        if letter == '@' && letters.peek().is_some_and(begins) {
            let is_part = |next: &char| next.is_alphanumeric() || "{}$_:".contains(*next) || *next == HOLE;
            while letters.next_if(is_part).is_some() {}
            out.push(HOLE);
        } else {
            out.push(letter);
        }
    }
    out
}
