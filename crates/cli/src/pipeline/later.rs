//! What a program loads and executes while it runs.
//!
//! Names that are constants at the call are followed; a library by an open name brings every module that the
//! program's own strings and configuration point at ([`confine_link::plugins`]); a command by an open name is an
//! assumption.

use std::collections::BTreeSet;

use confine_assumption::{Assumption, Effect, Kind};
use confine_image::{Config, Files};
use confine_kernel::call_named;
use confine_link::conventions::{self, Convention};
use confine_link::{LateRequest, Linked, LoadReason, ObjectStore, Roots, Scope, plugins};
use confine_programs::Programs;
use confine_solve::{Interface, LateRoot, Passed};

use super::AnalysedProgram;

/// What is known of a program's late loading.
#[derive(Debug, Default)]
pub struct Later {
    conventions: BTreeSet<Convention>,
    requests: BTreeSet<LateRequest>,
    /// Every candidate has been taken in for libraries by open names.
    candidates: bool,
}

/// What a program executes by a constant name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Execution {
    /// The name or path.
    pub named: String,
    place: String,
    /// The path of the program that executes it.
    pub parent: String,
}

impl Execution {
    /// The programs and scripts that this execution brings, as if the container started with it.
    pub fn programs(&self, files: &dyn Files, config: &Config) -> Programs {
        let config = Config {
            entrypoint: vec![self.named.clone()],
            cmd: Vec::new(),
            healthcheck: None,
            ..config.clone()
        };
        let mut brought = confine_programs::find(files, &config, &[]);
        let found = brought
            .programs
            .iter_mut()
            .flat_map(|program| &mut program.found)
            .chain(brought.scripts.iter_mut().flat_map(|script| &mut script.found));
        for found in found.filter(|found| found.parent.is_none()) {
            found.place.clone_from(&self.place);
            found.how = format!("executes {}", self.named);
            found.parent = Some(self.parent.clone());
        }
        for assumption in &mut brought.assumptions {
            if assumption.place == "Entrypoint" {
                assumption.place.clone_from(&self.place);
            }
        }
        // What it is executed with is not known, nor that it is executed without arguments.
        for program in &mut brought.programs {
            program.arguments.clear();
        }
        brought
    }
}

const LOADERS: [(&str, usize); 2] = [("dlopen", 0), ("dlmopen", 1)];

const LOOK_UPS: [(&str, usize); 2] = [("dlsym", 1), ("dlvsym", 1)];

/// The C library's ways to execute a file (POSIX exec and posix_spawn families; execvpe and execveat are
/// Linux's), by the argument that names it.
const EXECUTORS: [(&str, usize); 11] = [
    ("execve", 0),
    ("execv", 0),
    ("execvp", 0),
    ("execvpe", 0),
    ("execl", 0),
    ("execlp", 0),
    ("execle", 0),
    ("execveat", 1),
    ("fexecve", 0),
    ("posix_spawn", 1),
    ("posix_spawnp", 1),
];

/// The system calls behind them.
const EXECUTING_CALLS: [&str; 2] = ["execve", "execveat"];

/// Functions that hand a command line to a shell.
const SHELLS: [(&str, usize); 2] = [("system", 0), ("popen", 0)];

/// The functions whose string arguments decide what is loaded and executed.
pub fn interfaces() -> Vec<Interface> {
    let all = LOADERS.iter().chain(&LOOK_UPS).chain(&EXECUTORS).chain(&SHELLS);
    all.map(|(name, argument)| Interface {
        name: (*name).to_owned(),
        argument: *argument,
    })
    .collect()
}

fn is_one_of(passed: &Passed, interfaces: &[(&str, usize)]) -> bool {
    interfaces.iter().any(|(name, _)| *name == passed.interface)
}

/// Loads what the program's solution shows to be loaded later; whether that adds anything to solve.
pub fn load(files: &dyn Files, store: &ObjectStore, program: &mut AnalysedProgram) -> bool {
    let mut roots = program.late_roots.clone();
    let before = program.linked.objects.len();
    let requests = wanted(files, store, program);
    program.linked.prefetch_late(files, store, &requests);
    for request in requests {
        let Some(object) = program.linked.load_late(files, store, &request) else {
            continue;
        };
        let reason = format!("looked up by name: {}", request.by);
        let symbols = program.linked.roots(object, &request.roots);
        roots.extend(symbols.into_iter().map(|symbol| LateRoot {
            object,
            symbol,
            reason: reason.clone(),
        }));
    }
    roots.extend(looked_up(&program.linked, &program.solution.passed));
    let grown = program.linked.objects.len() > before || roots != program.late_roots;
    program.late_roots = roots;
    grown
}

/// Requests that were not made before.
fn wanted(files: &dyn Files, store: &ObjectStore, program: &mut AnalysedProgram) -> Vec<LateRequest> {
    let AnalysedProgram {
        linked,
        solution,
        later,
        ..
    } = program;
    let mut requests = Vec::new();
    let library = conventions::c_library(linked);
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
    let loads = solution
        .passed
        .iter()
        .filter(|passed| is_one_of(passed, &LOADERS));
    for passed in loads.clone() {
        if let Some(name) = &passed.string {
            requests.push(LateRequest {
                name: name.clone(),
                caller: passed.object,
                by: format!("{} at {}", passed.interface, passed.place),
                optional: true,
                roots: Roots::AllExported,
            });
        }
    }
    if !later.candidates && loads.clone().any(|passed| passed.string.is_none()) {
        later.candidates = true;
        requests.extend(
            plugins::candidates(files, store, linked)
                .into_iter()
                .map(|candidate| LateRequest {
                    name: candidate.path,
                    caller: 0,
                    by: format!("a library by a name that is not known: {}", candidate.why),
                    optional: true,
                    roots: Roots::AllExported,
                }),
        );
    }
    requests.retain(|request| later.requests.insert(request.clone()));
    requests
}

/// Symbols that are looked up by constant names, in every object that has them: which handle is used is not
/// looked at.
fn looked_up(linked: &Linked, passed: &[Passed]) -> Vec<LateRoot> {
    passed
        .iter()
        .filter(|passed| is_one_of(passed, &LOOK_UPS))
        .filter_map(|passed| Some((passed, passed.string.as_deref()?)))
        .flat_map(|(passed, name)| {
            (0..linked.objects.len()).filter_map(move |object| {
                let (object, symbol) = linked.lookup_index(name, None, Scope::Only(object))?;
                let reason = format!("looked up by {} at {}", passed.interface, passed.place);
                Some(LateRoot {
                    object,
                    symbol,
                    reason,
                })
            })
        })
        .collect()
}

/// What the program executes by constant names.
pub fn executed(program: &AnalysedProgram) -> Vec<Execution> {
    let passed = program.solution.passed.iter();
    passed
        .filter(|passed| is_one_of(passed, &EXECUTORS))
        .filter_map(|passed| {
            Some(Execution {
                named: passed.string.clone().filter(|name| !name.is_empty())?,
                place: passed.place.clone(),
                parent: program.program.path.clone(),
            })
        })
        .collect()
}

/// What stays open of what a program loads and executes.
pub fn assumptions(program: &AnalysedProgram) -> Vec<Assumption> {
    let library = conventions::c_library(&program.linked);
    let open = program.solution.passed.iter().filter(|passed| {
        // The C library passes on what its own callers named, and those are looked at.
        passed.string.is_none() && (passed.taken || Some(passed.object) != library)
    });
    let mut assumptions: Vec<Assumption> = open
        .filter_map(|passed| {
            let (kind, effect, detail) = if is_one_of(passed, &LOADERS) {
                let detail = "loads a library by a name that is not a constant: every module that the program's \
                              strings and configuration point at is taken in";
                (Kind::OpenLibrary, Effect::WidenedToCandidates, detail)
            } else if is_one_of(passed, &LOOK_UPS) {
                let detail = "looks up a symbol by a name that is not a constant: every exported function of the \
                              libraries that are loaded late counts";
                (Kind::OpenSymbol, Effect::WidenedToCandidates, detail)
            } else if is_one_of(passed, &EXECUTORS) {
                let detail = "executes a program by a path that is not a constant: name it with --also";
                (Kind::OpenCommand, Effect::NotCovered, detail)
            } else {
                return None;
            };
            Some(Assumption { kind, place: passed.place.clone(), detail: detail.to_owned(), effect })
        })
        .collect();
    // The loader executes only when it is run by hand, and the C library for those who call its functions.
    let own = |object: &usize| {
        let reason = program.linked.objects.get(*object).map(|object| &object.reason);
        Some(*object) != library && reason != Some(&LoadReason::Interpreter)
    };
    let executes = EXECUTING_CALLS.into_iter().filter_map(call_named).any(|call| {
        let evidence = program.solution.calls.get(&call.number);
        evidence.is_some_and(|evidence| evidence.objects.iter().any(own))
    });
    if executes {
        assumptions.push(Assumption {
            kind: Kind::OpenCommand,
            place: program.program.path.clone(),
            detail: "can execute programs by its own system calls: name them with --also".to_owned(),
            effect: Effect::NotCovered,
        });
    }
    assumptions.extend(
        program
            .solution
            .passed
            .iter()
            .filter(|passed| is_one_of(passed, &SHELLS))
            .map(|passed| {
                let detail = match &passed.string {
                    Some(command) => {
                        format!("gives a shell the command {command:?}: name its programs with --also")
                    }
                    None => "gives a shell a command that is not a constant: name its programs with --also"
                        .to_owned(),
                };
                Assumption {
                    kind: Kind::OpenCommand,
                    place: passed.place.clone(),
                    detail,
                    effect: Effect::NotCovered,
                }
            }),
    );
    assumptions
}
