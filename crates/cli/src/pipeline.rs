//! From an opened image to its report.
//!
//! Programs are found, linked and solved; what a solution shows to be loaded or executed later is added, and
//! the programs that it concerns are solved again, until nothing new comes up. Facts of an object are computed
//! once, whichever programs load it, in parallel; so are the solutions of programs that are ready. Nothing
//! depends on which finishes first.

mod assemble;
mod languages;
mod later;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::bail;
use confine_code::Facts;
use confine_image::{Config, Files, Image};
use confine_link::{Environment, Linked, ObjectStore, conventions, link, opaque};
use confine_programs::Programs;
use confine_report::Report;
use confine_solve::{Input, LateRoot, Solution, solve};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::options::{AddressTaken, Options};
use crate::progress::{Progress, Statistics};

/// How often programs are solved again because of what they load later. Every round adds objects or roots, of
/// which an image has finitely many; real programs settle in three or four.
const ROUNDS: usize = 32;

/// Analyses an image with the configuration that it would run with.
pub fn analyse(
    image: &Image,
    config: &Config,
    options: &Options,
    progress: &dyn Progress,
) -> anyhow::Result<(Report, Statistics)> {
    let mut statistics = Statistics::default();
    let files: &dyn Files = &*image.files;
    progress.begin("finding programs", 1);
    let mut found = statistics.time("find programs", || {
        confine_programs::find(files, config, &options.also)
    });
    progress.step();
    if let Some(program) = &options.program {
        if found.programs.is_empty() {
            bail!(
                "{}: there is no program {program} in the image that could be analysed: expected the path of a program, \
                 or a name in one of {}",
                image.reference,
                config.variable("PATH").unwrap_or(confine_programs::DEFAULT_PATH)
            );
        }
        only(&mut found);
    }
    if found.without_command {
        bail!(
            "{}: the image has no command to start: say what it runs with --command 'PROGRAM ARGUMENTS' or --also",
            image.reference
        );
    }
    if found.programs.is_empty() {
        bail!(
            "{}: none of the programs that the container would start is in the image (expected {}): name one with \
             --command",
            image.reference,
            config.command_line().join(" ")
        );
    }
    let mut analysis = Analysis::new(files, config, options, found);
    analysis.settle(progress, &mut statistics);
    let report = statistics.time("report", || assemble::report(image, config, options, &analysis));
    Ok((report, statistics))
}

/// Everything about the image's programs while it is being found out.
pub struct Analysis<'a> {
    files: &'a dyn Files,
    config: &'a Config,
    options: &'a Options,
    store: ObjectStore,
    /// What can be executed, by the configuration, by scripts and by constant names in programs.
    found: Programs,
    /// Names that programs execute and that were followed.
    executed: BTreeSet<String>,
    /// By canonical path.
    objects: BTreeMap<String, AnalysedObject>,
    programs: Vec<AnalysedProgram>,
}

/// An object with what depends on its bytes alone.
pub struct AnalysedObject {
    facts: Arc<Facts>,
    sha256: String,
}

/// A program with what is known of it so far.
pub struct AnalysedProgram {
    program: confine_programs::Program,
    linked: Linked,
    late_roots: BTreeSet<LateRoot>,
    solution: Solution,
    /// Assumptions about what is loaded or executed later.
    later: later::Later,
}

impl<'a> Analysis<'a> {
    fn new(files: &'a dyn Files, config: &'a Config, options: &'a Options, found: Programs) -> Self {
        let mut analysis = Self {
            files,
            config,
            options,
            store: ObjectStore::default(),
            found: Programs::default(),
            executed: BTreeSet::new(),
            objects: BTreeMap::new(),
            programs: Vec::new(),
        };
        analysis.add_programs(found.programs.clone());
        analysis.found = found;
        analysis
    }

    fn add_programs(&mut self, programs: Vec<confine_programs::Program>) {
        let (files, store, config) = (self.files, &self.store, self.config);
        let added: Vec<AnalysedProgram> = programs
            .into_par_iter()
            .map(|program| {
                let linked = link(files, store, &program.path, &environment(config, &program));
                let start_up = conventions::start_up_functions(&linked);
                let late_roots = start_up.into_iter().map(|(object, symbol)| LateRoot {
                    object,
                    symbol,
                    reason: "looked up by the loader at start-up".to_owned(),
                });
                AnalysedProgram {
                    late_roots: late_roots.collect(),
                    program,
                    linked,
                    solution: Solution::default(),
                    later: later::Later::default(),
                }
            })
            .collect();
        self.programs.extend(added);
    }

    /// Solves programs until none loads or executes anything new.
    fn settle(&mut self, progress: &dyn Progress, statistics: &mut Statistics) {
        let mut unsolved: Vec<usize> = (0..self.programs.len()).collect();
        for _ in 0..ROUNDS {
            if unsolved.is_empty() {
                break;
            }
            statistics.time("decode", || self.decode(progress));
            statistics.time("solve", || self.solve(&unsolved, progress));
            unsolved = statistics.time("late objects", || self.load_later(&unsolved));
        }
        self.count(statistics);
        if self.options.compare {
            statistics.time("for comparison: decode once, one thread", || self.decode_once());
        }
    }

    /// Decodes the code of every object once, on this thread.
    fn decode_once(&self) -> u64 {
        let objects = self.programs.iter().flat_map(|program| &program.linked.objects);
        let distinct: BTreeMap<&str, &confine_link::LinkedObject> =
            objects.map(|object| (object.path.as_str(), object)).collect();
        distinct
            .values()
            .map(|object| self.objects[&object.path].facts.decode_once(&object.elf))
            .sum()
    }

    /// Computes the facts of every object that has none yet.
    fn decode(&mut self, progress: &dyn Progress) {
        let mut missing = BTreeMap::new();
        for object in self.programs.iter().flat_map(|program| &program.linked.objects) {
            if !self.objects.contains_key(&object.path) {
                missing.insert(object.path.clone(), Arc::clone(&object.elf));
            }
        }
        // The largest first, so that it does not run alone at the end.
        let mut missing: Vec<_> = missing.into_iter().collect();
        missing.sort_by_key(|(path, elf)| (std::cmp::Reverse(elf.bytes.len()), path.clone()));
        progress.begin("decoding", missing.len() as u64);
        let analysed: Vec<(String, AnalysedObject)> = missing
            .into_par_iter()
            .with_max_len(1)
            .map(|(path, elf)| {
                let (facts, digest) = rayon::join(|| Facts::of(&elf), || Sha256::digest(&elf.bytes));
                progress.step();
                let sha256 = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                (
                    path,
                    AnalysedObject {
                        facts: Arc::new(facts),
                        sha256,
                    },
                )
            })
            .collect();
        self.objects.extend(analysed);
    }

    fn solve(&mut self, unsolved: &[usize], progress: &dyn Progress) {
        progress.begin("solving", unsolved.len() as u64);
        let interfaces = later::interfaces();
        let address_taken = match self.options.address_taken {
            AddressTaken::All => confine_solve::AddressTaken::All,
            AddressTaken::Reached => confine_solve::AddressTaken::Reached,
        };
        let solutions: Vec<Solution> = unsolved
            .par_iter()
            .map(|index| {
                let AnalysedProgram {
                    linked, late_roots, ..
                } = &self.programs[*index];
                let facts: Vec<Arc<Facts>> = linked
                    .objects
                    .iter()
                    .map(|object| Arc::clone(&self.objects[&object.path].facts))
                    .collect();
                let late_roots: Vec<LateRoot> = late_roots.iter().cloned().collect();
                let solution = solve(&Input {
                    linked,
                    facts: &facts,
                    late_roots: &late_roots,
                    address_taken,
                    opaque: &opaque::states(linked),
                    configured: &conventions::configured_functions(linked),
                    interfaces: &interfaces,
                    arguments: self.options.arguments,
                });
                progress.step();
                solution
            })
            .collect();
        for (index, solution) in unsolved.iter().zip(solutions) {
            self.programs[*index].solution = solution;
        }
    }

    /// Adds what the solved programs load and execute later; the programs that have to be solved (again).
    fn load_later(&mut self, solved: &[usize]) -> Vec<usize> {
        let mut again = Vec::new();
        let mut executed = BTreeSet::new();
        for index in solved {
            let program = &mut self.programs[*index];
            if later::load(self.files, &self.store, program) {
                again.push(*index);
            }
            executed.extend(later::executed(program));
        }
        let known = self.programs.len();
        let mut new: BTreeMap<String, confine_programs::Program> = BTreeMap::new();
        for execution in executed {
            if !self.executed.insert(execution.named.clone()) {
                continue;
            }
            let brought = execution.programs(self.files, self.config);
            for script in brought.scripts {
                match self
                    .found
                    .scripts
                    .iter_mut()
                    .find(|known| known.path == script.path)
                {
                    Some(known) => add_found(&mut known.found, script.found),
                    None => self.found.scripts.push(script),
                }
            }
            self.found.assumptions.extend(brought.assumptions);
            for program in brought.programs {
                let path = program.path.clone();
                match self.programs.iter_mut().find(|known| known.program.path == path) {
                    Some(known) => merge(&mut known.program, program),
                    None => match new.entry(path) {
                        Entry::Occupied(mut known) => merge(known.get_mut(), program),
                        Entry::Vacant(place) => {
                            place.insert(program);
                        }
                    },
                }
            }
        }
        self.add_programs(new.into_values().collect());
        again.extend(known..self.programs.len());
        again
    }

    fn count(&self, statistics: &mut Statistics) {
        let total = |of: fn(&AnalysedProgram) -> usize| self.programs.iter().map(of).sum::<usize>() as u64;
        statistics.count("programs", self.programs.len() as u64);
        statistics.count("objects", self.objects.len() as u64);
        let facts = || self.objects.values().map(|object| &object.facts);
        statistics.count("bytes of code", facts().map(|facts| facts.code_bytes).sum());
        statistics.count(
            "functions",
            facts().map(|facts| facts.functions.len() as u64).sum(),
        );
        statistics.count(
            "functions reached, over programs",
            total(|program| program.solution.statistics.reached),
        );
        statistics.count(
            "functions evaluated, over programs",
            total(|program| program.solution.statistics.evaluated),
        );
    }
}

/// Programs that were found as if the container started with one of them: the user named that one, and what it is
/// executed with is not known.
fn only(found: &mut Programs) {
    for program in &mut found.programs {
        program.arguments.clear();
    }
    let ways = found.programs.iter_mut().flat_map(|program| &mut program.found);
    let scripts = found.scripts.iter_mut().flat_map(|script| &mut script.found);
    for way in ways.chain(scripts).filter(|way| way.parent.is_none()) {
        "--program".clone_into(&mut way.place);
        "named by the user".clone_into(&mut way.how);
    }
    for assumption in found
        .assumptions
        .iter_mut()
        .filter(|assumption| assumption.place == "Entrypoint")
    {
        "--program".clone_into(&mut assumption.place);
    }
}

/// Takes in how else a program was found.
fn merge(known: &mut confine_programs::Program, more: confine_programs::Program) {
    add_found(&mut known.found, more.found);
    known.invoked.extend(more.invoked);
    known.invoked.sort();
    known.invoked.dedup();
}

fn add_found(known: &mut Vec<confine_programs::Found>, more: Vec<confine_programs::Found>) {
    for found in more {
        if !known.contains(&found) {
            known.push(found);
        }
    }
}

/// What of the environment the loader heeds, for one program.
fn environment(config: &Config, program: &confine_programs::Program) -> Environment {
    let values = |name: &str| -> Vec<String> {
        let set = program
            .environment
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.as_str());
        let all: BTreeSet<&str> = config.variable(name).into_iter().chain(set).collect();
        all.into_iter()
            .filter(|value| !value.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let split = |values: Vec<String>, separators: &[char]| {
        values
            .iter()
            .flat_map(|value| value.split(separators))
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    };
    Environment {
        library_path: split(values("LD_LIBRARY_PATH"), &[':', ';']),
        preload: split(values("LD_PRELOAD"), &[':', ' ']),
    }
}
