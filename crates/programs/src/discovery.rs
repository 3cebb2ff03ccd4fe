//! What is found so far: one command line at a time, followed through scripts, interpreters and wrappers.
//!
//! Over-approximates: a pattern stands for every file that it matches, a wrapper's rest that names nothing is
//! tried from its next words on. Misses, as assumptions: names that are open.

use std::collections::{BTreeMap, BTreeSet};

use confine_assumption::{Assumption, Effect, Kind};
use confine_image::{Config, DEFAULT_PATH, FileKind, Files, paths};
use confine_languages::{Known, Reached};

use crate::builtins::Dialect;
use crate::interpreted::{SourceCommands, Starts};
use crate::lookup::{self, Content, Located};
use crate::pattern::{self, REST};
use crate::walks::Walks;
use crate::{Executions, Found, Program, Programs, Script, multicall};

/// How deep scripts, interpreters and wrappers may lead to each other.
const MAX_DEPTH: usize = 24;
/// How many calls of programs that read configurations are followed.
const MAX_DELEGATED: usize = 256;
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
    /// The program or script that executes the command, which need not be the one that a person looks for.
    pub by: Option<String>,
    /// The script that the command is started to interpret.
    pub interprets: Option<String>,
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
pub(crate) struct Kept {
    pub(crate) invoked: BTreeSet<String>,
    arguments: BTreeSet<Vec<String>>,
    environment: BTreeSet<(String, String)>,
    /// What the sources that it interprets bring, by language.
    pub(crate) interpreted: BTreeMap<String, Reached>,
    interpreter: String,
    found: BTreeSet<(usize, Found)>,
}

/// What tells one call of a delegate from another: file, arguments, environment and input.
type DelegateKey = (String, Vec<String>, BTreeMap<String, String>, Option<String>);

/// The search: what it reads, what it followed, what it found since it was last asked, what it still has to walk.
pub struct Discovery<'a> {
    pub files: &'a dyn Files,
    pub config: &'a Config,
    pub(crate) programs: BTreeMap<String, Kept>,
    scripts: BTreeMap<String, Kept>,
    assumptions: BTreeSet<Assumption>,
    executions: Executions,
    pub(crate) walks: Walks,
    requests: BTreeSet<Request>,
    pub(crate) starts: Starts,
    pub(crate) known: Known,
    pub(crate) source_commands: SourceCommands,
    delegated: BTreeSet<DelegateKey>,
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
            executions: Executions::default(),
            walks: Walks::default(),
            requests: BTreeSet::new(),
            starts: Starts::new(),
            known: Known::default(),
            source_commands: SourceCommands::new(),
            delegated: BTreeSet::new(),
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

    /// Every executable that a constant name leads to, for the possible values of `PATH`.
    pub fn look_up(&self, name: &str, variables: &BTreeMap<String, String>) -> Option<Located> {
        let path = variables.get("PATH").map_or(DEFAULT_PATH, String::as_str);
        let own = self.config.variable("PATH").unwrap_or(DEFAULT_PATH);
        [path, own]
            .iter()
            .find_map(|path| lookup::locate(self.files, name, path, &self.config.workdir))
    }

    /// Records what stays open.
    pub fn assume(&mut self, kind: Kind, context: &Context, detail: String) {
        self.assume_with(kind, context, detail, Effect::NotCovered);
    }

    /// Records that a program which is started here executes something that is not known.
    pub(crate) fn assume_by(&mut self, path: &str, context: &Context, detail: String) {
        let mut context = context.clone();
        context.by = Some(path.to_owned());
        self.assume(Kind::OpenCommand, &context, detail);
    }

    /// Records what stays open and what was done about it.
    pub fn assume_with(&mut self, kind: Kind, context: &Context, detail: String, effect: Effect) {
        if kind == Kind::OpenCommand && effect == Effect::NotCovered {
            self.open(context);
        }
        let place = place(context);
        self.assumptions.insert(Assumption {
            kind,
            place,
            detail,
            effect,
        });
    }

    /// Takes in what somebody else found to stay open in what `by` interprets.
    pub(crate) fn keep_assumption(&mut self, by: &str, assumption: Assumption) {
        if assumption.kind == Kind::OpenCommand && assumption.effect == Effect::NotCovered {
            self.executions.open.insert(Some(by.to_owned()));
        }
        self.assumptions.insert(assumption);
    }

    /// Records that whoever executes here executes something that is not known.
    pub fn open(&mut self, context: &Context) {
        self.executions.open.insert(context.by.clone());
    }

    /// Records that `by` executes or interprets a file.
    pub(crate) fn link(&mut self, by: Option<&str>, path: &str) {
        let by = by.map(str::to_owned);
        self.executions.links.insert((by, path.to_owned()));
    }

    /// What was found since this was last asked, sorted.
    pub fn take(&mut self) -> Programs {
        Programs {
            programs: std::mem::take(&mut self.programs)
                .into_iter()
                .map(|(path, kept)| Program {
                    path,
                    invoked: kept.invoked.into_iter().collect(),
                    arguments: kept.arguments.into_iter().collect(),
                    environment: kept.environment.into_iter().collect(),
                    interpreted: kept.interpreted,
                    found: reasons(kept.found),
                })
                .collect(),
            scripts: std::mem::take(&mut self.scripts)
                .into_iter()
                .map(|(path, kept)| Script {
                    path,
                    interpreter: kept.interpreter,
                    found: reasons(kept.found),
                })
                .collect(),
            assumptions: std::mem::take(&mut self.assumptions).into_iter().collect(),
            executions: std::mem::take(&mut self.executions),
            without_command: false,
        }
    }

    fn locate(&mut self, request: &Request) -> Vec<Located> {
        let Some(name) = request.argv.first() else {
            return Vec::new();
        };
        if !pattern::is_open(name) {
            let found = self.look_up(name, &request.context.variables);
            if found.is_none() && !name.is_empty() {
                // It may be in a folder that whoever executes it has changed to, as runit's `./check` is.
                if name.contains('/') && !name.starts_with('/') {
                    self.open(&request.context);
                }
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

    /// A script's text, or an assumption.
    pub fn script_text(&mut self, path: &str, context: &Context) -> Option<String> {
        match self.files.read(path) {
            Ok(bytes) if bytes.len() > MAX_SCRIPT => {
                self.open(context);
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
                self.open(context);
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
            let path = variables.get("PATH").map_or(DEFAULT_PATH, String::as_str);
            places.extend(path.split(':').map(|folder| format!("{folder}/{name}")));
        }
        places.push(paths::absolute(name, &self.config.workdir));
        places.extend(folders.iter().map(|folder| paths::absolute(name, folder)));
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
        let interpreter = context
            .parent
            .as_ref()
            .and_then(|parent| self.scripts.get(parent))
            .map_or_else(|| "/bin/sh".to_owned(), |script| script.interpreter.clone());
        self.keep_script(
            path,
            &interpreter,
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

    /// Whether this call of a program that reads a configuration is new; past the bound it stays open.
    pub(crate) fn is_new_delegate(&mut self, path: &str, argv: &[String], context: &Context) -> bool {
        let key = (
            path.to_owned(),
            argv.to_vec(),
            context.variables.clone(),
            context.input.clone(),
        );
        if self.delegated.contains(&key) {
            return false;
        }
        if self.delegated.len() >= MAX_DELEGATED {
            let detail = "more programs that read configurations than are followed".to_owned();
            self.assume_by(path, context, detail);
            return false;
        }
        self.delegated.insert(key)
    }

    pub(crate) fn keep_program(&mut self, located: &Located, argv: &[String], request: &Request) {
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
        self.link(request.context.by.as_deref(), &located.file.path);
        if let Some(script) = &request.context.interprets {
            self.link(Some(&located.file.path), script);
        }
    }

    pub(crate) fn keep_script(&mut self, path: &str, interpreter: &str, request: &Request) {
        self.link(request.context.by.as_deref(), path);
        let kept = self.scripts.entry(path.to_owned()).or_default();
        interpreter.clone_into(&mut kept.interpreter);
        // A script that its own first line hands to a shell is no second reason.
        let own_first_line = request.context.place == path && request.context.line == Some(1);
        if !own_first_line && request.context.parent.as_deref() != Some(path) {
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
