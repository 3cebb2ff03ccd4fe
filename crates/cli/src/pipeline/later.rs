//! What a program loads and executes while it runs.
//!
//! Names and command lines that are constants at the call are followed; a library by an open name brings every module that the
//! program's own strings and configuration point at ([`confine_link::plugins`]); a command by an open name is an
//! assumption.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use confine_assumption::{Assumption, Effect, Kind};
use confine_elf::SymbolKind;
use confine_image::{Config, Files};
use confine_kernel::call_named;
use confine_languages::Beginning;
use confine_link::conventions::{self, Convention};
use confine_link::{LateRequest, Linked, LoadReason, ObjectStore, Roots, Scope, plugins};
use confine_programs::{
    Executed, UNKNOWN_WORD, UNKNOWN_WORDS, executes_only_arguments, follows_arguments, names_executable,
};
use confine_solve::{Interface, LateRoot, List, Passed};
use memchr::memmem;

use super::{AnalysedProgram, given_names, helpers, languages, named, natives, tables};

/// What is known of a program's late loading.
#[derive(Debug, Default)]
pub struct Later {
    conventions: BTreeSet<Convention>,
    requests: BTreeSet<LateRequest>,
    /// The starts of interpreters that were looked at together, by language.
    pub beginnings: BTreeMap<&'static str, BTreeSet<Beginning>>,
    pub named: named::Named,
    pub tables: tables::Tables,
    pub given_names: given_names::GivenNames,
    /// How many objects there were when every candidate was taken in for libraries by open names: those that came since
    /// may name more.
    candidates: usize,
    /// What stays open beside what the solution shows: of the languages whose interpreters the program holds without being
    /// called like one, and of the environment that it was not linked with.
    pub open: BTreeSet<Assumption>,
    /// What the sources of these languages execute.
    pub embedded_commands: BTreeSet<Executed>,
    /// What the data of objects names that execute by names which are not known.
    pub helpers: helpers::Helpers,
}

impl Later {
    /// Nothing yet; whether everything counts that sources may call, whatever they name.
    pub fn new(all_count: bool) -> Self {
        Self {
            tables: tables::Tables::new(all_count),
            ..Self::default()
        }
    }
}

const LOADERS: [(&str, usize); 2] = [("dlopen", 0), ("dlmopen", 1)];

const LOOK_UPS: [(&str, usize); 2] = [("dlsym", 1), ("dlvsym", 1)];

/// The C library's ways to execute a file (POSIX exec and posix_spawn families; execvpe and execveat are
/// Linux's), by the argument that names it and the list of its arguments.
const EXECUTORS: [(&str, usize, List); 11] = [
    ("execve", 0, List::Array(1)),
    ("execv", 0, List::Array(1)),
    ("execvp", 0, List::Array(1)),
    ("execvpe", 0, List::Array(1)),
    ("execl", 0, List::Rest(1)),
    ("execlp", 0, List::Rest(1)),
    ("execle", 0, List::Rest(1)),
    ("execveat", 1, List::Array(2)),
    ("fexecve", 0, List::Array(1)),
    ("posix_spawn", 1, List::Array(4)),
    ("posix_spawnp", 1, List::Array(4)),
];

/// Those of them that look for a name without a slash in the folders of `PATH`; for the others it is a file of the folder that
/// the program is in then, unless the program has looked for it there before, which a name that is found there says.
const SEARCHING: [&str; 4] = ["execvp", "execvpe", "execlp", "posix_spawnp"];

/// Whoever executes this executes its own file (proc_pid_exe(5)).
const ITSELF: &str = "/proc/self/exe";

/// The system calls behind them.
const EXECUTING_CALLS: [&str; 2] = ["execve", "execveat"];

/// Functions that hand a command line to a shell.
const SHELLS: [(&str, usize); 2] = [("system", 0), ("popen", 0)];

/// What `system` and `popen` execute (POSIX: `sh -c`).
const SHELL: &str = "/bin/sh";

/// The functions whose string arguments decide what is loaded and executed.
pub fn interfaces() -> Vec<Interface> {
    let alone = LOADERS.iter().chain(&LOOK_UPS).chain(&SHELLS);
    let alone = alone.map(|(name, argument)| (*name, *argument, None));
    let executors = EXECUTORS.iter();
    let with_list = executors.map(|(name, argument, list)| (*name, *argument, Some(*list)));
    alone
        .chain(with_list)
        .map(|(name, argument, list)| Interface {
            name: name.to_owned(),
            argument,
            list,
            // dlopen(3): both mean the program itself.
            null_is_empty: LOADERS.contains(&(name, argument)),
        })
        .collect()
}

/// Whether something is executed here by its name.
pub fn executes(passed: &Passed) -> bool {
    EXECUTORS.iter().any(|(name, ..)| *name == passed.interface)
}

/// Whether something is executed here, by its name or by a shell.
pub fn executes_or_tells_a_shell(passed: &Passed) -> bool {
    executes(passed) || tells_a_shell(passed)
}

/// Whether a symbol is looked up here by its name.
pub fn looks_up(passed: &Passed) -> bool {
    looks_up_by(&passed.interface)
}

/// Whether a function of this name looks up symbols by their names.
pub fn looks_up_by(interface: &str) -> bool {
    is_one_of(interface, &LOOK_UPS)
}

/// Whether a library or a module is opened here.
pub fn opens(passed: &Passed) -> bool {
    opens_by(&passed.interface)
}

/// Whether a function of this name opens libraries and modules.
pub fn opens_by(interface: &str) -> bool {
    is_one_of(interface, &LOADERS)
}

/// Whether this opens the program itself, to look up symbols in everything that it has.
pub fn opens_itself(passed: &Passed) -> bool {
    opens(passed) && passed.string.as_deref() == Some("")
}

fn tells_a_shell(passed: &Passed) -> bool {
    is_one_of(&passed.interface, &SHELLS)
}

fn is_one_of(interface: &str, interfaces: &[(&str, usize)]) -> bool {
    interfaces.iter().any(|(name, _)| *name == interface)
}

/// Loads what the program's sources and its solution show to be loaded later; whether that adds anything to solve.
pub fn load(files: &dyn Files, config: &Config, store: &ObjectStore, program: &mut AnalysedProgram) -> bool {
    let mut roots = program.late_roots.clone();
    let before = program.linked.objects.len();
    languages::embedded(files, config, program);
    natives::look(files, program);
    let mut requests = wanted(files, config, store, program);
    requests.extend(environment(config, program));
    program.linked.prefetch_late(files, store, &requests);
    for request in requests {
        let Some(object) = program.linked.load_late(files, store, &request) else {
            continue;
        };
        if request.roots == Roots::OfTexts {
            program.later.named.add_library(object);
        }
        let reason = format!("looked up by name: {}", request.by);
        let symbols = program.linked.roots(object, &request.roots);
        roots.extend(symbols.into_iter().map(|symbol| LateRoot {
            object,
            symbol,
            reason: reason.clone(),
            ..LateRoot::default()
        }));
    }
    roots.extend(looked_up(&program.linked, &program.solution.passed));
    roots.extend(languages::looked_up(&program.linked, &program.program));
    roots.extend(natives::roots(&program.linked, &program.program));
    roots.extend(named::roots(program));
    roots.extend(given_names::roots(program));
    helpers::look(files, config, store, program);
    let named = tables::look(files, program);
    let grown = program.linked.objects.len() > before || roots != program.late_roots || named;
    program.late_roots = roots;
    grown
}

/// The libraries that are preloaded by the environment of a start which was found after the program was linked: besides
/// what they take the place of, since the program may be started without them. Where libraries are looked for then is only
/// said.
fn environment(config: &Config, program: &mut AnalysedProgram) -> Vec<LateRequest> {
    let now = super::environment(config, &program.program);
    let with = &program.linked_with;
    let folders = now.library_path.iter();
    let folders = folders.filter(|folder| !with.library_path.contains(folder));
    program.later.open.extend(folders.map(|folder| {
        let detail = format!(
            "is also started with {folder} in LD_LIBRARY_PATH: libraries that only lie there are not looked at"
        );
        Assumption {
            kind: Kind::OpenLibrary,
            place: program.program.path.clone(),
            detail,
            effect: Effect::NotCovered,
        }
    }));
    let names = now.preload.iter();
    let requests = names
        .filter(|name| !with.preload.contains(name))
        .map(|name| LateRequest {
            name: name.clone(),
            caller: 0,
            by: "LD_PRELOAD of another start".to_owned(),
            optional: false,
            roots: Roots::AllExported,
        });
    let seen = &mut program.later.requests;
    requests.filter(|request| seen.insert(request.clone())).collect()
}

/// Requests that were not made before.
fn wanted(
    files: &dyn Files,
    config: &Config,
    store: &ObjectStore,
    program: &mut AnalysedProgram,
) -> Vec<LateRequest> {
    let AnalysedProgram {
        program,
        linked,
        solution,
        later,
        ..
    } = program;
    let mut requests = languages::requests(program);
    let library = conventions::c_library(linked);
    // It is there already, and what sources call of it they name.
    requests.retain(|request| {
        request.roots != Roots::AllExported || library.is_none() || linked.known(&request.name) != library
    });
    let triggered: BTreeSet<Convention> = solution
        .reached_exports
        .iter()
        .filter(|(object, _)| Some(*object) == library)
        .flat_map(|(_, name)| conventions::triggered_by(name).collect::<Vec<_>>())
        .collect();
    for convention in triggered {
        if later.conventions.insert(convention) {
            requests.extend(conventions::requests(convention, files, linked));
        }
    }
    let loads = solution.passed.iter().filter(|passed| opens(passed));
    for passed in loads.clone() {
        if let Some(name) = passed.string.as_ref().filter(|name| !name.is_empty()) {
            requests.push(LateRequest {
                name: name.clone(),
                caller: passed.object,
                by: format!("{} at {}", passed.interface, passed.place),
                optional: true,
                roots: Roots::OfTexts,
            });
        }
    }
    let governed = natives::governed(linked, program);
    let opens_openly = |passed: &Passed| passed.string.is_none() && !governed.contains(&passed.object);
    if later.candidates < linked.objects.len() && loads.clone().any(opens_openly) {
        later.candidates = linked.objects.len();
        let told = OnceCell::new();
        let asking = plugins::Asking {
            is_told: &|name| {
                told.get_or_init(|| told_modules(files, config, program))
                    .contains(name)
            },
            arguments_known: !program.arguments.is_empty(),
        };
        requests.extend(
            plugins::candidates(files, store, linked, &governed, asking)
                .into_iter()
                .map(|candidate| LateRequest {
                    name: candidate.path,
                    caller: 0,
                    by: format!("a library by a name that is not known: {}", candidate.why),
                    optional: true,
                    roots: match candidate.is_library {
                        true => Roots::OfTexts,
                        false => Roots::AllExported,
                    },
                }),
        );
    }
    requests.retain(|request| later.requests.insert(request.clone()));
    requests
}

/// The modules that are loaded by their names alone of which the name stands in what the program is started with or in what it
/// interprets.
fn told_modules(
    files: &dyn Files,
    config: &Config,
    program: &confine_programs::Program,
) -> BTreeSet<&'static str> {
    let variables = config.env.iter().chain(&program.environment);
    let words = program.arguments.iter().flatten();
    let words: Vec<&String> = words.chain(variables.map(|(_, value)| value)).collect();
    let in_words = |name: &&str| words.iter().any(|word| word.contains(name));
    let mut told: BTreeSet<&str> = plugins::shipped_modules().filter(in_words).collect();
    let interpreted = program.interpreted.values();
    for path in interpreted.flat_map(|reached| reached.sources.iter().chain(&reached.texts)) {
        let text = files.read(path).ok();
        // What cannot be read may have it.
        let has_name = |name: &&str| {
            let text = text.as_ref();
            text.is_none_or(|text| memmem::find(text, name.as_bytes()).is_some())
        };
        told.extend(plugins::shipped_modules().filter(has_name));
    }
    told
}

/// Symbols that are looked up by constant names, in every object that has them: which handle is used is not
/// looked at. A symbol is not called by who does not use what the look-up returns.
fn looked_up(linked: &Linked, passed: &[Passed]) -> Vec<LateRoot> {
    passed
        .iter()
        .filter(|passed| looks_up(passed))
        .filter_map(|passed| Some((passed, passed.string.as_deref()?)))
        .flat_map(|(passed, name)| {
            let reason = format!("looked up by {} at {}", passed.interface, passed.place);
            let found = in_every_object(linked, name, reason);
            found.filter(|root| !passed.dropped || is_resolved(linked, root))
        })
        .collect()
}

/// Whether who looks this up has a function run that finds the function which is meant.
fn is_resolved(linked: &Linked, root: &LateRoot) -> bool {
    let symbols = linked
        .objects
        .get(root.object)
        .map(|object| &object.elf.dynamic_symbols);
    let symbol = usize::try_from(root.symbol)
        .ok()
        .and_then(|symbol| symbols?.get(symbol));
    symbol.is_none_or(|symbol| symbol.kind == SymbolKind::Indirect)
}

/// What every object that has it defines by a name.
pub fn in_every_object(linked: &Linked, name: &str, reason: String) -> impl Iterator<Item = LateRoot> {
    (0..linked.objects.len()).filter_map(move |object| {
        let (object, symbol) = linked.lookup_index(name, None, Scope::Only(object))?;
        let reason = reason.clone();
        Some(LateRoot {
            object,
            symbol,
            reason,
            ..LateRoot::default()
        })
    })
}

/// What a program executes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Execution {
    pub executed: Executed,
    /// What is open in it is an assumption elsewhere: where the C library's callers pass it on, or of the program's.
    told: bool,
}

/// What tells one execution from another: the command line, the name that is told, and the site if it stays open there.
pub type ExecutionKey = (Vec<String>, Option<String>, Option<String>);

impl Execution {
    /// What tells it from others.
    pub fn key(&self) -> ExecutionKey {
        let executed = &self.executed;
        let place = self.stays_open().then(|| executed.place.clone());
        (executed.argv.clone(), executed.called.clone(), place)
    }

    /// Whether what it leads to may leave something open that nothing else tells.
    fn stays_open(&self) -> bool {
        let mut words = self.executed.argv.iter();
        !self.told && words.any(|word| word.contains(UNKNOWN_WORD) || word == UNKNOWN_WORDS)
    }

    /// Whether assumptions about what it leads to are told elsewhere.
    pub fn is_told(&self) -> bool {
        self.told
    }
}

/// What the program executes by constant names and command lines, by words of its own arguments where it executes by a
/// name that is not known, and by sources in languages whose interpreters it holds.
pub fn executed(program: &AnalysedProgram, files: &dyn Files, config: &Config) -> Vec<Execution> {
    let library = conventions::c_library(&program.linked);
    let path = &program.program.path;
    let mut executed: Vec<Execution> = telling(&program.solution.passed)
        .filter_map(|passed| {
            let argv = if executes(passed) {
                argument_list(passed, path, files, config)?
            } else if tells_a_shell(passed) {
                let text = passed.string.clone();
                let text = text.unwrap_or_else(|| UNKNOWN_WORD.to_owned());
                vec![SHELL.to_owned(), "-c".to_owned(), text]
            } else {
                return None;
            };
            Some(Execution {
                told: Some(passed.object) == library
                    || tells_a_shell(passed) && passed.string.is_none()
                    || is_within_shells(passed),
                executed: Executed {
                    how: format!("executes {}", argv.first()?),
                    argv,
                    called: passed.list.first().cloned().flatten(),
                    place: passed.place.clone(),
                    parent: path.clone(),
                },
            })
        })
        .collect();
    let open = passed_openly(program, library).any(executes) || executes_by_own_calls(program, library);
    if open && !names(program).any(follows_arguments) {
        let own = own_arguments(program, files, config).into_iter();
        executed.extend(own.map(|executed| Execution {
            executed,
            told: false,
        }));
    }
    let named = program.later.embedded_commands.iter().cloned();
    let named = named.chain(program.later.helpers.executed.iter().cloned());
    executed.extend(named.map(|executed| Execution {
        executed,
        told: false,
    }));
    executed
}

/// The names that a program goes by, without folders.
pub fn names(program: &AnalysedProgram) -> impl Iterator<Item = &str> {
    let paths = program.program.invoked.iter().chain([&program.program.path]);
    paths.map(|path| path.rsplit('/').next().unwrap_or(path))
}

/// What is passed, but for what tells nothing new: where one function executes by another, both are given the same at the
/// same place, and the one that is called there knows the words.
fn telling(passed: &[Passed]) -> impl Iterator<Item = &Passed> {
    let site = |passed: &Passed| (passed.object, passed.place.clone(), passed.string.clone());
    let knowing = passed
        .iter()
        .filter(|passed| !passed.list.is_empty() || passed.whole);
    let knowing: BTreeSet<_> = knowing.map(site).collect();
    let telling = passed.iter();
    telling.filter(move |passed| !passed.list.is_empty() || passed.whole || !knowing.contains(&site(passed)))
}

/// Whether the place is in a function that hands command lines to a shell: what its callers pass is looked at.
fn is_within_shells(passed: &Passed) -> bool {
    let function = passed.place.rsplit(':').next().unwrap_or_default();
    let function = function.split('+').next().unwrap_or_default();
    SHELLS.iter().any(|(name, _)| *name == function)
}

/// What an execution is given, as far as it is known; `None` if the name of the file is not.
fn argument_list(passed: &Passed, program: &str, files: &dyn Files, config: &Config) -> Option<Vec<String>> {
    let name = passed.string.clone().filter(|name| !name.is_empty())?;
    let name = if name == ITSELF { program.to_owned() } else { name };
    let is_searched = name.contains('/')
        || SEARCHING.contains(&passed.interface.as_str())
        || names_executable(files, config, &name);
    let mut argv = vec![if is_searched { name } else { format!("./{name}") }];
    let words = passed.list.iter().skip(1);
    argv.extend(words.map(|word| word.clone().unwrap_or_else(|| UNKNOWN_WORD.to_owned())));
    if !passed.whole {
        argv.push(UNKNOWN_WORDS.to_owned());
    }
    Some(argv)
}

/// A program that executes what it is told, as a wrapper does, is told by its arguments: each that names an executable
/// begins a command line.
fn own_arguments(program: &AnalysedProgram, files: &dyn Files, config: &Config) -> Vec<Executed> {
    let path = &program.program.path;
    let lists = program.program.arguments.iter();
    lists
        .flat_map(|arguments| (1..arguments.len()).filter_map(|at| arguments.get(at..)))
        .filter(|rest| {
            rest.first()
                .is_some_and(|word| names_executable(files, config, word))
        })
        .map(|rest| Executed {
            argv: rest.to_vec(),
            called: None,
            place: path.clone(),
            how: format!(
                "`{}` among its arguments: it executes by a name that is not a constant",
                rest.first().map_or("", String::as_str)
            ),
            parent: path.clone(),
        })
        .collect()
}

/// What reaches an interface without being a constant; the C library passes on what its own callers named, and
/// those are looked at.
pub fn passed_openly(program: &AnalysedProgram, library: Option<usize>) -> impl Iterator<Item = &Passed> {
    let passed = program.solution.passed.iter();
    passed.filter(move |passed| passed.string.is_none() && (passed.taken || Some(passed.object) != library))
}

/// Whether the program executes without the C library's functions: the loader does only when it is run by hand, and
/// the C library for those who call its functions.
pub fn executes_by_own_calls(program: &AnalysedProgram, library: Option<usize>) -> bool {
    let own = |object: &usize| {
        let reason = program.linked.objects.get(*object).map(|object| &object.reason);
        Some(*object) != library && reason != Some(&LoadReason::Interpreter)
    };
    EXECUTING_CALLS.into_iter().filter_map(call_named).any(|call| {
        let evidence = program.solution.calls.get(&call.number);
        evidence.is_some_and(|evidence| evidence.objects.iter().any(own))
    })
}

/// What stays open of what a program loads and executes.
pub fn assumptions(program: &AnalysedProgram) -> Vec<Assumption> {
    let library = conventions::c_library(&program.linked);
    // A shell executes what its scripts say, a wrapper what its arguments say: what is open in these is told there.
    let known = names(program).all(executes_only_arguments);
    let governed = natives::governed(&program.linked, &program.program);
    let mut assumptions: Vec<Assumption> = passed_openly(program, library)
        .filter_map(|passed| {
            let is_told = || governed.contains(&passed.object);
            let (kind, effect, detail) = if opens(passed) && is_told() {
                let detail = "loads a library by a name that sources of its language give: those that such sources name are \
                              taken in";
                (Kind::OpenLibrary, Effect::WidenedToCandidates, detail)
            } else if opens(passed) {
                let detail = "loads a library by a name that is not a constant: every module that the program's \
                              strings and configuration point at is taken in";
                (Kind::OpenLibrary, Effect::WidenedToCandidates, detail)
            } else if looks_up(passed) {
                let detail = "looks up a symbol by a name that is not a constant: every exported function of the \
                              libraries that are loaded late counts";
                (Kind::OpenSymbol, Effect::WidenedToCandidates, detail)
            } else if known && (executes(passed) || tells_a_shell(passed)) {
                return None;
            } else if executes(passed) {
                let detail = "executes a program by a path that is not a constant";
                (Kind::OpenCommand, Effect::NotCovered, detail)
            } else if tells_a_shell(passed) {
                let detail = "gives a shell a command that is not a constant";
                (Kind::OpenCommand, Effect::NotCovered, detail)
            } else {
                return None;
            };
            Some(Assumption { kind, place: passed.place.clone(), detail: detail.to_owned(), effect })
        })
        .collect();
    assumptions.extend(program.later.open.iter().cloned());
    assumptions.extend(program.later.tables.assumption().cloned());
    if !known && executes_by_own_calls(program, library) {
        assumptions.push(Assumption {
            kind: Kind::OpenCommand,
            place: program.program.path.clone(),
            detail: "can execute programs by its own system calls".to_owned(),
            effect: Effect::NotCovered,
        });
    }
    assumptions
}
