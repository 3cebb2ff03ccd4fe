//! What a container can execute, from its image's configuration and files alone.
//!
//! In: [`Files`], [`Config`] and the commands that the user adds. Out: [`Programs`]: the ELF files that can be
//! executed, the scripts that lead to them, each with the reasons, and an [`Assumption`] for each command that
//! stays open. Must not know: what is inside an ELF file, which libraries a program loads, what a policy is.
//!
//! Nothing is executed and nothing is read but the image. Everything that a script can grow (texts, nesting,
//! loops, values, argument lists) is bounded, and what goes past a bound becomes an assumption.
//!
//! Over-reports: both sides of a condition that is not plain, functions that nobody calls, every file of a
//! folder that a script walks. Misses, each as an assumption: commands from the network, from files that are
//! no shell scripts, from the environment that is given at start.
#![forbid(unsafe_code)]

mod awk;
mod builtins;
mod delegates;
mod discovery;
mod execution;
mod executions;
mod interpreted;
mod lookup;
mod multicall;
mod other_languages;
mod pattern;
mod roots;
mod shell;
mod walks;
mod wrappers;

pub use executions::Executions;

use std::collections::BTreeMap;

use confine_assumption::Assumption;
use confine_image::{Config, DEFAULT_PATH, Files};
use confine_languages::Reached;

use discovery::Discovery;

/// What the container can execute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Programs {
    /// The ELF files, sorted by path.
    pub programs: Vec<Program>,
    /// The scripts, sorted by path.
    pub scripts: Vec<Script>,
    /// What stayed open, sorted.
    pub assumptions: Vec<Assumption>,
    /// Which of them execute which.
    pub executions: Executions,
    /// Neither the configuration nor the user names a command: what is found (a health check) is not the
    /// container's own.
    pub without_command: bool,
}

/// An ELF file that can be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The file, every symbolic link followed.
    pub path: String,
    /// Names that it is called by: paths before links are followed, and applets of a multi-call binary.
    pub invoked: Vec<String>,
    /// Argument lists, name first, that are constant as a whole.
    pub arguments: Vec<Vec<String>>,
    /// What scripts set of the variables that the loader obeys: `LD_PRELOAD`, `LD_LIBRARY_PATH`.
    pub environment: Vec<(String, String)>,
    /// What the sources that it interprets load and look up, by the name of their language. Their commands and
    /// assumptions are not kept here but followed and said with all others.
    pub interpreted: BTreeMap<String, Reached>,
    /// Why it is here, shortest chain first.
    pub found: Vec<Found>,
}

/// A script that can be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The file, every symbolic link followed.
    pub path: String,
    /// What runs it, as its first line says; the shell if it has no such line.
    pub interpreter: String,
    /// Why it is here, shortest chain first.
    pub found: Vec<Found>,
}

/// One reason why a program or script is here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Found {
    /// `Entrypoint`, `Cmd`, `Healthcheck`, `--also`, or a script's path and line.
    pub place: String,
    /// What is there, for a person.
    pub how: String,
    /// The path of the script or program that leads here.
    pub parent: Option<String>,
}

/// A stack for the parser and the walk: each nested construct costs some kilobytes, and nesting is bounded so
/// that this is plenty. It is reserved, not used, until a script is that deep.
const STACK: usize = 256 << 20;

/// A word of a command line of which nothing is known.
pub const UNKNOWN_WORD: &str = "\u{FDD0}";

/// Any number of words of which nothing is known.
pub const UNKNOWN_WORDS: &str = pattern::REST;

/// What is executed besides what the configuration and its scripts name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Executed {
    /// The path or name that is executed, then its arguments; [`UNKNOWN_WORD`] and [`UNKNOWN_WORDS`] stand for what
    /// is not known.
    pub argv: Vec<String>,
    /// What it is told as its own name, where that is known and another.
    pub called: Option<String>,
    /// Where, and what is there, for a person.
    pub place: String,
    /// The same, for a person.
    pub how: String,
    /// The program that executes it.
    pub parent: String,
}

/// What the user says about the container's commands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked<'a> {
    /// Command lines that are run besides.
    pub also: &'a [String],
    /// Every executable on `PATH` may be run.
    pub everything: bool,
}

/// A search through an image: what it followed once it does not follow again, whoever leads there.
pub struct Search<'a>(Discovery<'a>);

impl<'a> Search<'a> {
    /// A search that found nothing yet.
    #[must_use]
    pub fn new(files: &'a dyn Files, config: &'a Config) -> Self {
        Self(Discovery::new(files, config))
    }

    /// What a container of this configuration can execute, and what the user names.
    pub fn roots(&mut self, asked: Asked<'_>) -> Programs {
        on_large_stack(|| roots::discover(&mut self.0, asked))
    }

    /// What one execution leads to and was not found before.
    pub fn executed(&mut self, executed: &Executed) -> Programs {
        on_large_stack(|| roots::discover_executed(&mut self.0, executed))
    }

    /// How many commands of scripts were walked.
    #[must_use]
    pub fn commands_walked(&self) -> usize {
        self.0.walks.steps()
    }
}

/// Finds what a container of this configuration can execute, and what the user names.
#[must_use]
pub fn find(files: &dyn Files, config: &Config, asked: Asked<'_>) -> Programs {
    Search::new(files, config).roots(asked)
}

/// Finds what one execution leads to, whatever was found before.
#[must_use]
pub fn find_executed(files: &dyn Files, config: &Config, executed: &Executed) -> Programs {
    Search::new(files, config).executed(executed)
}

/// Whether what a program of that name executes of its arguments is followed wherever it is called.
#[must_use]
pub fn follows_arguments(name: &str) -> bool {
    builtins::dialect(name).is_some()
        || multicall::is_multicall(name)
        || wrappers::is_wrapper(name)
        || delegates::is_delegate(name)
}

/// Whether everything that a program of that name executes is named by its arguments and scripts, which are followed: what
/// its own code executes is nothing else.
#[must_use]
pub fn executes_only_arguments(name: &str) -> bool {
    builtins::dialect(name).is_some_and(|_| !multicall::is_multicall(name)) || wrappers::is_wrapper(name)
}

/// The executable of the image that a word of a command line names, if it names one.
#[must_use]
pub fn names_executable(files: &dyn Files, config: &Config, word: &str) -> bool {
    let path = config.variable("PATH").unwrap_or(DEFAULT_PATH);
    !pattern::is_open(word) && lookup::locate(files, word, path, &config.workdir).is_some()
}

fn on_large_stack(search: impl FnOnce() -> Programs + Send) -> Programs {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("programs".to_owned())
            .stack_size(STACK)
            .spawn_scoped(scope, search)
            .ok()
            .and_then(|thread| thread.join().ok())
    })
    .unwrap_or_else(roots::nothing)
}
