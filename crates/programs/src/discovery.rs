//! What is found so far: one command line at a time, followed through scripts, interpreters and wrappers.
//!
//! Over-approximates: a pattern stands for every file that it matches, a wrapper's rest that names nothing is
//! tried from its next words on. Misses, as assumptions: names that are open.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use confine_assumption::{Assumption, Effect, Kind};
use confine_image::{Config, FileKind, Files};

use crate::builtins::{self, Dialect};
use crate::lookup::{self, Content, Located};
use crate::pattern::{self, REST};
use crate::wrappers::{self, Inner};
use crate::{Found, Program, Programs, Script, multicall, other_languages};

/// How deep scripts, interpreters and wrappers may lead to each other.
const MAX_DEPTH: usize = 24;
/// How many texts of a shell are walked, and how many different argument lists one file of them.
const MAX_UNITS: usize = 1024;
const MAX_CALLS_OF_ONE: usize = 16;
/// How many argument lists, names and reasons are kept of one program.
const MAX_KEPT: usize = 64;
/// What a script may measure to be read.
pub const MAX_SCRIPT: usize = 1 << 20;

/// Variables that change what the loader does.
const LOADER_VARIABLES: &[&str] = &["LD_LIBRARY_PATH", "LD_PRELOAD"];

/// Where a command was met and what it inherits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Context {
    pub place: String,
    /// The line, in a script.
    pub line: Option<usize>,
    pub parent: Option<String>,
    pub depth: usize,
    /// The environment: what is known of it.
    pub variables: BTreeMap<String, String>,
    /// A here-document on standard input.
    pub input: Option<String>,
}

/// One command line to follow.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    pub argv: Vec<String>,
    pub how: String,
    pub context: Context,
}

/// A text for a shell that waits to be walked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unit {
    pub text: String,
    pub dialect: Dialect,
    /// `$0`, then the positional parameters.
    pub argv: Vec<String>,
    pub context: Context,
}

#[derive(Debug, Default)]
struct Kept {
    invoked: BTreeSet<String>,
    arguments: BTreeSet<Vec<String>>,
    environment: BTreeSet<(String, String)>,
    interpreter: String,
    found: BTreeSet<(usize, Found)>,
}

/// The search: what it reads, what it found, what it still has to walk.
pub struct Discovery<'a> {
    pub files: &'a dyn Files,
    pub config: &'a Config,
    programs: BTreeMap<String, Kept>,
    scripts: BTreeMap<String, Kept>,
    assumptions: BTreeSet<Assumption>,
    queue: VecDeque<Unit>,
    seen: BTreeSet<(String, String, Vec<String>, BTreeMap<String, String>)>,
    calls: BTreeMap<(String, String), usize>,
    requests: BTreeSet<Request>,
}

impl<'a> Discovery<'a> {
    /// A search that found nothing yet.
    pub fn new(files: &'a dyn Files, config: &'a Config) -> Self {
        Self {
            files,
            config,
            programs: BTreeMap::new(),
            scripts: BTreeMap::new(),
            assumptions: BTreeSet::new(),
            queue: VecDeque::new(),
            seen: BTreeSet::new(),
            calls: BTreeMap::new(),
            requests: BTreeSet::new(),
        }
    }

    /// Follows one command line.
    pub fn run(&mut self, request: Request) {
        if request.argv.is_empty() || !self.requests.insert(request.clone()) {
            return;
        }
        if request.context.depth > MAX_DEPTH {
            self.assume(
                Kind::OpenCommand,
                &request.context,
                "commands lead to each other too deeply to follow".to_owned(),
            );
            return;
        }
        for located in self.locate(&request) {
            self.follow(&located, &request);
        }
    }

    /// The next text to walk.
    pub fn next_unit(&mut self) -> Option<Unit> {
        self.queue.pop_front()
    }

    /// Every executable that a constant name leads to, for the possible values of `PATH`.
    pub fn look_up(&self, name: &str, variables: &BTreeMap<String, String>) -> Option<Located> {
        let path = variables.get("PATH").map_or(lookup::DEFAULT_PATH, String::as_str);
        let own = self.config.variable("PATH").unwrap_or(lookup::DEFAULT_PATH);
        [path, own]
            .iter()
            .find_map(|path| lookup::locate(self.files, name, path, &self.config.workdir))
    }

    /// Records what stays open.
    pub fn assume(&mut self, kind: Kind, context: &Context, detail: String) {
        self.assume_with(kind, context, detail, Effect::NotCovered);
    }

    /// Records what stays open and what was done about it.
    pub fn assume_with(&mut self, kind: Kind, context: &Context, detail: String, effect: Effect) {
        let place = place(context);
        self.assumptions.insert(Assumption {
            kind,
            place,
            detail,
            effect,
        });
    }

    /// What was found, sorted.
    pub fn finish(self) -> Programs {
        Programs {
            programs: self
                .programs
                .into_iter()
                .map(|(path, kept)| Program {
                    path,
                    invoked: kept.invoked.into_iter().collect(),
                    arguments: kept.arguments.into_iter().collect(),
                    environment: kept.environment.into_iter().collect(),
                    found: reasons(kept.found),
                })
                .collect(),
            scripts: self
                .scripts
                .into_iter()
                .map(|(path, kept)| Script {
                    path,
                    interpreter: kept.interpreter,
                    found: reasons(kept.found),
                })
                .collect(),
            assumptions: self.assumptions.into_iter().collect(),
            without_command: false,
        }
    }

    fn locate(&mut self, request: &Request) -> Vec<Located> {
        let Some(name) = request.argv.first() else {
            return Vec::new();
        };
        if !pattern::is_open(name) {
            let found = self.look_up(name, &request.context.variables);
            if found.is_none() {
                let detail = format!("{name} is no executable of the image");
                self.assume(Kind::MissingProgram, &request.context, detail);
            }
            return found.into_iter().collect();
        }
        let candidates = (name != REST).then(|| pattern::files(self.files, name)).flatten();
        let Some(candidates) = candidates else {
            let detail = format!("a command by a name that is not known: {}", readable(name));
            self.assume(Kind::OpenCommand, &request.context, detail);
            return Vec::new();
        };
        let found: Vec<Located> = candidates
            .iter()
            .filter_map(|path| lookup::locate(self.files, path, "", "/"))
            .collect();
        let detail = format!(
            "a command by a name that is known in part, {}: {} files of the image",
            readable(name),
            found.len()
        );
        self.assume_with(
            Kind::OpenCommand,
            &request.context,
            detail,
            Effect::WidenedToCandidates,
        );
        found
    }

    fn follow(&mut self, located: &Located, request: &Request) {
        let path = located.file.path.as_str();
        let bytes = match self.files.read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.assume(Kind::UnreadableFile, &request.context, error.to_string());
                return;
            }
        };
        match lookup::content(&bytes) {
            Content::Elf => self.program(located, request, &bytes),
            Content::Script {
                interpreter,
                argument,
            } => {
                self.keep_script(path, &interpreter, request);
                let mut argv = vec![interpreter];
                argv.extend(argument);
                argv.push(located.named.clone());
                argv.extend(request.argv.iter().skip(1).cloned());
                self.lead_on(path, request, argv, "interpreter of the script");
            }
            Content::Text => {
                self.keep_script(path, "/bin/sh", request);
                let mut argv = vec!["/bin/sh".to_owned(), located.named.clone()];
                argv.extend(request.argv.iter().skip(1).cloned());
                self.lead_on(
                    path,
                    request,
                    argv,
                    "shell for a script without a first line that names one",
                );
            }
            Content::Other => {
                let detail = format!("{path} is executed but is neither ELF nor a script");
                self.assume(Kind::UnreadableFile, &request.context, detail);
            }
        }
    }

    fn lead_on(&mut self, path: &str, request: &Request, argv: Vec<String>, how: &str) {
        let mut context = request.context.clone();
        context.depth += 1;
        context.parent = Some(path.to_owned());
        context.place = path.to_owned();
        context.line = Some(1);
        self.run(Request {
            argv,
            how: how.to_owned(),
            context,
        });
    }

    fn program(&mut self, located: &Located, request: &Request, bytes: &[u8]) {
        let path = located.file.path.clone();
        let mut argv = request.argv.clone();
        if let Some(name) = argv.first_mut()
            && pattern::is_open(name)
        {
            name.clone_from(&located.named);
        }
        self.keep_program(located, &argv, request);
        if let Some(applet) = multicall::applet(&path, &argv) {
            let Some(name) = applet.first().map(|name| lookup::base_name(name).to_owned()) else {
                return;
            };
            if multicall::has_applet(bytes, &name)
                && let Some(kept) = self.programs.get_mut(&path)
            {
                kept.invoked.insert(name);
            }
            argv = applet;
        }
        let Some((first, arguments)) = argv.split_first() else {
            return;
        };
        let name = lookup::base_name(first).trim_start_matches('-').to_owned();
        let resolved = lookup::base_name(&path);
        if let Some(dialect) = dialect(&name, resolved) {
            self.shell(dialect, arguments, &path, request);
            return;
        }
        if let Some(detail) = other_languages::open_reason(&name, arguments) {
            let mut context = request.context.clone();
            context.parent = Some(path.clone());
            self.assume(Kind::OpenCommand, &context, detail);
        }
        let Some((inner, reason)) =
            wrappers::inner(&name, arguments).or_else(|| wrappers::inner(resolved, arguments))
        else {
            return;
        };
        for inner in inner {
            self.wrapped(inner, &name, reason, &path, request);
        }
    }

    fn wrapped(&mut self, inner: Inner, name: &str, reason: &str, path: &str, request: &Request) {
        let mut context = request.context.clone();
        context.depth += 1;
        context.parent = Some(path.to_owned());
        let how = |words: &[String]| {
            format!(
                "`{}` by {name}, which {reason}",
                readable(words.first().map_or("", String::as_str))
            )
        };
        match inner {
            Inner::Command(mut argv) => {
                // An option that the table does not know may have taken a word: the first that names something counts.
                let named = argv.iter().take(4).position(|word| {
                    pattern::is_open(word) || self.look_up(word, &context.variables).is_some()
                });
                argv.drain(..named.unwrap_or(0));
                let how = how(&argv);
                self.run(Request { argv, how, context });
            }
            Inner::ShellText(text) => {
                let argv = vec!["/bin/sh".to_owned(), "-c".to_owned(), text];
                let how = how(&argv);
                self.run(Request { argv, how, context });
            }
            Inner::Folder(folder) => {
                let argv = vec![format!("{}/{}", folder.trim_end_matches('/'), pattern::STAR)];
                let how = how(&argv);
                self.run(Request { argv, how, context });
            }
        }
    }

    fn shell(&mut self, dialect: Dialect, arguments: &[String], path: &str, request: &Request) {
        let mut rest = arguments;
        let mut text = false;
        // Bounded by the arguments: each turn takes one or two.
        while let Some((first, more)) = rest.split_first() {
            if first == "--" || first == "-" {
                rest = more;
                break;
            }
            if !first.starts_with(['-', '+']) {
                break;
            }
            let letters = !first.starts_with("--");
            text |= letters && first.starts_with('-') && first.contains('c');
            let valued =
                (letters && first.ends_with(['o', 'O'])) || first == "--rcfile" || first == "--init-file";
            rest = if valued {
                more.get(1..).unwrap_or_default()
            } else {
                more
            };
        }
        let mut context = request.context.clone();
        context.depth += 1;
        let Some((first, more)) = rest.split_first() else {
            if let Some(text) = context.input.take() {
                context.parent = Some(path.to_owned());
                self.enqueue(Unit {
                    text,
                    dialect,
                    argv: vec![path.to_owned()],
                    context,
                });
            } else {
                let detail =
                    "a shell reads commands that are not in the image from its standard input".to_owned();
                self.assume(Kind::OpenCommand, &request.context, detail);
            }
            return;
        };
        context.input = None;
        if text {
            let argv = if more.is_empty() {
                vec![path.to_owned()]
            } else {
                more.to_vec()
            };
            if pattern::is_open(first) {
                let detail = "a shell is given a text that is not known as a whole".to_owned();
                self.assume(Kind::OpenCommand, &request.context, detail);
            }
            if context.parent.is_none() {
                context.parent = Some(path.to_owned());
            }
            self.enqueue(Unit {
                text: first.clone(),
                dialect,
                argv,
                context,
            });
            return;
        }
        self.shell_script(dialect, rest, &request.context);
    }

    fn shell_script(&mut self, dialect: Dialect, argv: &[String], context: &Context) {
        let Some(name) = argv.first() else { return };
        let paths = if pattern::is_open(name) {
            pattern::files(self.files, name).filter(|_| name != REST)
        } else {
            Some(vec![lookup::absolute(name, &self.config.workdir)])
        };
        let Some(paths) = paths else {
            self.assume(
                Kind::OpenCommand,
                context,
                format!("a shell is given a script that is not known: {}", readable(name)),
            );
            return;
        };
        for path in paths {
            let mut file = self.files.resolve(&path);
            if file.is_none() {
                file = self.look_up(name, &context.variables).map(|located| located.file);
            }
            let Some(file) = file else {
                self.assume(
                    Kind::MissingProgram,
                    context,
                    format!("the script {path} is not in the image"),
                );
                continue;
            };
            let Some(text) = self.script_text(&file.path, context) else {
                continue;
            };
            let how = format!("script of a shell, {path}");
            self.keep_script(
                &file.path,
                "",
                &Request {
                    argv: Vec::new(),
                    how,
                    context: context.clone(),
                },
            );
            let mut argv = argv.to_vec();
            if let Some(first) = argv.first_mut() {
                first.clone_from(&path);
            }
            let context = Context {
                place: file.path.clone(),
                line: Some(1),
                parent: Some(file.path.clone()),
                depth: context.depth + 1,
                variables: context.variables.clone(),
                input: None,
            };
            self.enqueue(Unit {
                text,
                dialect,
                argv,
                context,
            });
        }
    }

    /// A script's text, or an assumption.
    pub fn script_text(&mut self, path: &str, context: &Context) -> Option<String> {
        match self.files.read(path) {
            Ok(bytes) if bytes.len() > MAX_SCRIPT => {
                self.assume(
                    Kind::UnreadableFile,
                    context,
                    format!("{path} is larger than the {MAX_SCRIPT} bytes that are read of a script"),
                );
                None
            }
            Ok(bytes) if lookup::content(&bytes) == Content::Elf => {
                self.assume(
                    Kind::UnreadableFile,
                    context,
                    format!("{path} is given to a shell but is an ELF file"),
                );
                None
            }
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) => {
                self.assume(Kind::UnreadableFile, context, error.to_string());
                None
            }
        }
    }

    /// The files that a shell reads for `. NAME`; `None` if that is not known at all.
    pub fn sourced_files(
        &self,
        name: &str,
        variables: &BTreeMap<String, String>,
        folders: &BTreeSet<String>,
    ) -> Option<Vec<String>> {
        if pattern::is_open(name) {
            return pattern::files(self.files, name).filter(|_| name != REST);
        }
        let mut places: Vec<String> = Vec::new();
        if !name.contains('/') {
            let path = variables.get("PATH").map_or(lookup::DEFAULT_PATH, String::as_str);
            places.extend(path.split(':').map(|folder| format!("{folder}/{name}")));
        }
        places.push(lookup::absolute(name, &self.config.workdir));
        places.extend(folders.iter().map(|folder| lookup::absolute(name, folder)));
        let file = places.iter().find_map(|path| {
            self.files
                .resolve(path)
                .filter(|file| file.kind == FileKind::Regular)
        });
        Some(file.into_iter().map(|file| file.path).collect())
    }

    /// Records a script that a shell reads into itself.
    pub fn keep_sourced(&mut self, path: &str, context: &Context) {
        let how = "sourced by a shell".to_owned();
        self.keep_script(
            path,
            "",
            &Request {
                argv: Vec::new(),
                how,
                context: context.clone(),
            },
        );
    }

    /// Whether the binary behind this shell brings `name` as an applet.
    pub fn shell_applet(&mut self, name: &str, request: &Request) -> bool {
        let Some(located) = self
            .look_up("busybox", &request.context.variables)
            .or_else(|| self.look_up("sh", &request.context.variables))
        else {
            return false;
        };
        let Ok(bytes) = self.files.read(&located.file.path) else {
            return false;
        };
        if !multicall::is_multicall(&located.file.path) || !multicall::has_applet(&bytes, name) {
            return false;
        }
        self.program(&located, request, &bytes);
        true
    }

    fn enqueue(&mut self, unit: Unit) {
        // How a text was come by does not change what it does.
        let key = (
            unit.context.place.clone(),
            unit.text.clone(),
            unit.argv.clone(),
            unit.context.variables.clone(),
        );
        if self.seen.contains(&key) {
            return;
        }
        let calls = self
            .calls
            .entry((unit.context.place.clone(), unit.text.clone()))
            .or_default();
        *calls += 1;
        if *calls > MAX_CALLS_OF_ONE || self.seen.len() >= MAX_UNITS {
            let detail = "more scripts, or more ways to call one, than are followed".to_owned();
            self.assume(Kind::OpenCommand, &unit.context, detail);
            return;
        }
        self.seen.insert(key);
        self.queue.push_back(unit);
    }

    fn keep_program(&mut self, located: &Located, argv: &[String], request: &Request) {
        let kept = self.programs.entry(located.file.path.clone()).or_default();
        kept.invoked.insert(located.named.clone());
        if kept.arguments.len() < MAX_KEPT && !argv.iter().any(|word| pattern::is_open(word)) {
            kept.arguments.insert(argv.to_vec());
        }
        for &name in LOADER_VARIABLES {
            if let Some(value) = request.context.variables.get(name)
                && self.config.variable(name) != Some(value)
            {
                kept.environment.insert((name.to_owned(), readable(value)));
            }
        }
        keep_reason(&mut kept.found, request);
    }

    fn keep_script(&mut self, path: &str, interpreter: &str, request: &Request) {
        let kept = self.scripts.entry(path.to_owned()).or_default();
        if !interpreter.is_empty() {
            kept.interpreter = interpreter.to_owned();
        } else if kept.interpreter.is_empty() {
            kept.interpreter = "/bin/sh".to_owned();
        }
        // A script that its own first line hands to a shell is no second reason.
        if request.context.parent.as_deref() != Some(path) {
            keep_reason(&mut kept.found, request);
        }
    }
}

fn keep_reason(found: &mut BTreeSet<(usize, Found)>, request: &Request) {
    let reason = Found {
        place: place(&request.context),
        how: request.how.clone(),
        parent: request.context.parent.clone(),
    };
    found.insert((request.context.depth, reason));
    if found.len() > MAX_KEPT {
        found.pop_last();
    }
}

fn reasons(found: BTreeSet<(usize, Found)>) -> Vec<Found> {
    let mut reasons: Vec<Found> = Vec::new();
    for (_, reason) in found {
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    reasons
}

/// The shell that a program called by this name is; a link named `sh` tells by what it leads to.
fn dialect(name: &str, resolved: &str) -> Option<Dialect> {
    let called = builtins::dialect(name)?;
    Some(builtins::dialect(resolved).unwrap_or(called))
}

fn place(context: &Context) -> String {
    match context.line {
        Some(line) => format!("{}:{line}", context.place),
        None => context.place.clone(),
    }
}

/// A word for a person, its holes shown.
pub fn readable(word: &str) -> String {
    if word == REST {
        return "…".to_owned();
    }
    word.replace(pattern::ANY, "…").replace(pattern::STAR, "*")
}
