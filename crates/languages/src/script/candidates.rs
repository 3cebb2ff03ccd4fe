//! Commands among the constants of sources, for programs that execute what is not a constant where they do: a command
//! often lies in a setting or a property, in another source than the one that executes it.
//!
//! Folders below `lib` and `libexec` stand for the programs in them that are called as words of the sources or as the
//! script itself: their paths are often joined from a version and the name of what is wanted.
//!
//! Over-reports: a path of an executable that is printed or compared. Misses: lone names of programs, which may be any
//! word.

use std::collections::{BTreeMap, BTreeSet};

use confine_image::{Files, hierarchy, paths};

use super::Grammar;
use crate::tokens::{Kind, Token, list};
use crate::walk::{Source, Walk};
use crate::{Command, HOLE, MORE, Start, executables, folders};

/// How many are kept.
const MOST: usize = 4096;

/// No name of a program is longer, in bytes.
const LONGEST_NAME: usize = 64;

/// How large a file may be to be looked at for the interpreter that its first line names, in bytes.
const LARGEST_SCRIPT: u64 = 1 << 20;

/// The commands among the constants of the sources that one start comes to.
#[derive(Default)]
pub struct Candidates {
    found: BTreeSet<Command>,
    /// Folders whose programs' names are joined, each with the source and the line.
    joined: BTreeSet<(String, String, usize)>,
    /// What they may be joined with: words of the sources, and what the start is called.
    names: BTreeSet<String>,
    /// The interpreters of files that are no executables but begin like scripts.
    interpreters: BTreeMap<String, Option<Vec<String>>>,
}

impl Candidates {
    /// For one start, whose own name may be that of a program that it goes on to, as wrappers do.
    pub fn of(start: &Start<'_>) -> Self {
        let words = start.arguments.iter().filter(|word| !word.starts_with('-'));
        let names = words.map(|word| paths::base_name(word).to_owned()).collect();
        Self {
            names,
            ..Self::default()
        }
    }

    /// Looks through one source; `path` is where programs are looked for, and files that end like `sources` are of the
    /// language itself.
    pub fn collect(
        &mut self,
        walk: &mut Walk<'_>,
        source: &Source,
        tokens: &[Token],
        grammar: &Grammar,
        path: Option<&str>,
        sources: &[&str],
    ) {
        let joins = |token: Option<&Token>| {
            token.is_some_and(|token| token.is('+') || token.is('.') && grammar.dot_joins)
        };
        for (index, token) in tokens.iter().enumerate() {
            let Some(text) = token.text() else { continue };
            if self.found.len() >= MOST {
                return;
            }
            let before = index.checked_sub(1).and_then(|before| tokens.get(before));
            let goes_on = joins(tokens.get(index + 1));
            let mut commands = Vec::new();
            if let Some(words) = listed(walk.files, path, tokens, index) {
                commands.push((words, false));
            }
            let mut names = vec![text.to_owned()];
            if joins(before) && text.starts_with('/') {
                names.push(format!("{}{text}", folders::parent(&source.path)));
            }
            if self.names.len() < MOST && is_name(text) {
                self.names.insert(text.to_owned());
            }
            if let Some(folder) = private(text) {
                self.joined
                    .insert((folder.to_owned(), source.path.clone(), token.line));
            }
            for name in names {
                if let Some(command) = executables::command(walk.files, path, &name, false) {
                    let shell = command.contains(' ') || goes_on && name.ends_with(' ');
                    commands.push(match shell {
                        true if goes_on => (vec![format!("{command} {HOLE}")], true),
                        true => (vec![command], true),
                        false => (vec![command, MORE.to_owned()], false),
                    });
                } else if name.starts_with('/') && !sources.iter().any(|ending| name.ends_with(ending)) {
                    let words = self.script(walk, &name);
                    commands.extend(words.map(|words| (words, false)));
                }
            }
            self.found
                .extend(commands.into_iter().map(|(words, shell)| Command {
                    words,
                    shell,
                    source: source.path.clone(),
                    line: token.line,
                }));
        }
    }

    /// Takes them in where something executes what is not a constant.
    pub fn take_in(self, walk: &mut Walk<'_>) {
        if walk.executes_openly {
            let mut programs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for (folder, source, line) in self.joined {
                let programs = programs
                    .entry(folder)
                    .or_insert_with_key(|folder| programs_in(walk.files, folder));
                let named = programs
                    .iter()
                    .filter(|path| self.names.contains(paths::base_name(path)));
                walk.reached.commands.extend(named.map(|path| Command {
                    words: vec![path.clone(), MORE.to_owned()],
                    shell: false,
                    source: source.clone(),
                    line,
                }));
            }
            walk.reached.commands.extend(self.found);
        }
    }

    /// How a script is started that is no executable itself, and so given to an interpreter.
    fn script(&mut self, walk: &mut Walk<'_>, name: &str) -> Option<Vec<String>> {
        let path = walk.regular(name)?;
        let files = walk.files;
        let interpreter = self
            .interpreters
            .entry(path.clone())
            .or_insert_with(|| interpreter(files, &path));
        let mut words = interpreter.clone()?;
        words.extend([path, MORE.to_owned()]);
        Some(words)
    }
}

/// A lone word that may be a program's name.
fn is_name(text: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._+-".contains(letter);
    (2..LONGEST_NAME).contains(&text.len()) && text.chars().all(is_plain)
}

/// The folder of those that only programs execute in that a text names or joins a path in.
fn private(text: &str) -> Option<&str> {
    let named = match text.split_once(HOLE) {
        Some((before, _)) => before.rsplit_once('/').map_or("", |(folder, _)| folder),
        None => text,
    };
    Some(named).filter(|named| named.starts_with('/') && hierarchy::is_private(named))
}

/// The programs in a folder, links followed, that is one package's own and holds no libraries.
fn programs_in(files: &dyn Files, folder: &str) -> BTreeSet<String> {
    folders::folder(files, folder)
        .filter(|folder| hierarchy::is_private(folder) && !hierarchy::holds_libraries(files, folder))
        .map_or_else(BTreeSet::new, |folder| hierarchy::executables(files, &folder))
}

fn interpreter(files: &dyn Files, path: &str) -> Option<Vec<String>> {
    let file = folders::regular(files, path)?;
    if file.size > LARGEST_SCRIPT || file.is_executable() {
        return None;
    }
    let bytes = files.read(path).ok()?;
    let line = bytes.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let words: Vec<String> = std::str::from_utf8(line)
        .ok()?
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    (!words.is_empty()).then_some(words)
}

/// The words of a list that begins here with a program and goes on with an option or a path: one below a folder that the
/// image has, since paths of web sites begin alike.
fn listed(files: &dyn Files, path: Option<&str>, tokens: &[Token], index: usize) -> Option<Vec<String>> {
    let before = index.checked_sub(1)?;
    let opens = tokens
        .get(before)
        .is_some_and(|token| token.is('[') || token.is('('));
    let first = tokens.get(index)?.text()?;
    let second = tokens
        .get(index + 1..)?
        .iter()
        .filter(|token| token.kind != Kind::Break);
    let mut second = second.skip_while(|token| token.is(','));
    let is_path = |text: &str| {
        let mut parts = text.split('/');
        let first = parts.nth(1).unwrap_or_default();
        text.starts_with('/') && folders::folder(files, &format!("/{first}")).is_some()
    };
    let goes_on = second
        .next()
        .and_then(Token::text)
        .is_some_and(|text| text.starts_with('-') || is_path(text));
    if !opens || !goes_on || first.contains(' ') {
        return None;
    }
    executables::command(files, path, first, true)?;
    let (parts, _) = list(tokens, before);
    let words = parts.iter().map(|part| match part.as_slice() {
        [one] => one.text().map_or_else(|| HOLE.to_string(), str::to_owned),
        _ => HOLE.to_string(),
    });
    Some(words.chain([MORE.to_owned()]).collect())
}

#[cfg(test)]
mod tests {
    use confine_image::MemoryFiles;

    use super::*;
    use crate::script::tokens;

    const PHP: Grammar = Grammar {
        line_comments: &["//", "#"],
        block_comments: true,
        interpolation: "$",
        backticks_execute: true,
        more_letters: "$",
        dot_joins: true,
    };

    fn check(text: &str, expected: &[&str]) {
        let files = MemoryFiles::new()
            .program("/usr/bin/convert", "\x7fELF")
            .program("/usr/lib/database/15/bin/query", "\x7fELF")
            .program("/usr/lib/x/run", "\x7fELF")
            .file("/usr/lib/x/libx.so.1", "")
            .file("/srv/limit.sh", "#!/bin/bash -e\ntimeout 1 x\n")
            .file("/srv/plain.txt", "text");
        let mut walk = Walk::new(&files);
        walk.executes_openly = true;
        let source = Source {
            path: "/srv/x.php".to_owned(),
            text: Vec::new(),
        };
        let mut candidates = Candidates::default();
        let tokens = tokens(&PHP, text.as_bytes());
        candidates.collect(&mut walk, &source, &tokens, &PHP, None, &[".php"]);
        candidates.take_in(&mut walk);
        let commands = walk.reached.commands.iter();
        let found: Vec<String> = commands
            .map(|command| {
                let words = command.words.join(" ").replace(HOLE, "_").replace(MORE, "…");
                format!("{}{words}", if command.shell { "$ " } else { "" })
            })
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn constants_that_are_commands() {
        check(
            "$settings['convert'] = '/usr/bin/convert';",
            &["/usr/bin/convert …"],
        );
        check("$a = '/usr/bin/convert ' . $b;", &["$ /usr/bin/convert _"]);
        check("$a = 'convert -size ' . $b;", &["$ convert -size _"]);
        check("new Process(['convert', '-size', $b]);", &["convert -size _ …"]);
        check("run('convert', '/srv/x.png');", &["convert /srv/x.png …"]);
        check(
            "$cmd = wrap(escape(__DIR__ . '/limit.sh'));",
            &["/bin/bash -e /srv/limit.sh …"],
        );
        check(
            "$root = '/usr/lib/database/'; $name = 'query';",
            &["/usr/lib/database/15/bin/query …"],
        );
        check(
            "$a = \"/usr/lib/database/$version/bin/$name\"; run('query');",
            &["/usr/lib/database/15/bin/query …"],
        );
    }

    #[test]
    fn constants_that_are_none() {
        check("echo 'convert'; echo 'convert them';", &[]);
        check("echo __DIR__ . '/plain.txt'; echo '/limit.sh';", &[]);
        check("$a = ['convert', 'gear'];", &[]);
        check("$styles->add('convert', '/wp-admin/convert.css');", &[]);
        check("$a = '/usr/lib/database/'; $b = 'other';", &[]);
        check("$a = '/usr/lib/x'; $b = 'run';", &[]);
        check("$a = '/usr/lib/' . $b . 'query';", &[]);
    }

    #[test]
    fn commands_that_are_all_constants_need_none() {
        let files = MemoryFiles::new().program("/usr/bin/convert", "\x7fELF");
        let mut walk = Walk::new(&files);
        let mut candidates = Candidates::default();
        candidates.found.insert(Command {
            words: vec!["/usr/bin/convert".to_owned()],
            shell: false,
            source: "/srv/x.php".to_owned(),
            line: 1,
        });
        candidates.take_in(&mut walk);
        assert!(walk.reached.commands.is_empty());
    }
}
