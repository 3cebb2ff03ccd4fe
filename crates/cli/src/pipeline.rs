//! From an opened image to its report.
//!
//! Programs are found, linked and solved; what a solution shows to be loaded or executed later is added, and
//! the programs that it concerns are solved again, until nothing new comes up. Facts of an object are computed
//! once, whichever programs load it, in parallel; so are the solutions of programs that are ready. Nothing
//! depends on which finishes first.

mod assemble;
mod commands;
mod comparison;
mod executions;
mod given_names;
mod helpers;
mod kept;
mod languages;
mod later;
mod named;
mod natives;
mod objects;
mod tables;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::bail;
use confine_cache::Key;
use confine_code::Facts;
use confine_elf::Address;
use confine_image::{Config, Files, Image};
use confine_link::opaque::OpaqueState;
use confine_link::{Environment, Linked, ObjectStore, conventions, link, opaque};
use confine_programs::{Asked, Executions, Programs, Search};
use confine_report::Report;
use confine_solve::{CodeSize, Input, Interface, LateRoot, Solution, solve};
use rayon::prelude::*;

use self::kept::Kept;
use self::later::{Execution, ExecutionKey};
use self::objects::{Hits, Objects};
use crate::options::{AddressTaken, Exec, Options};
use crate::progress::Progress;
use crate::statistics::Statistics;

/// How often programs are solved again because of what they load later. Every round adds objects or roots, of
/// which an image has finitely many; real programs settle in three or four.
const ROUNDS: usize = 32;

/// The report of an image with the configuration that it would run with: the one that was made before, if there is one.
pub fn report(
    image: &Image,
    config: &Config,
    options: &Options,
    progress: &dyn Progress,
    statistics: &mut Statistics,
) -> anyhow::Result<Report> {
    let kept = Kept::place(image, config, options);
    if let Some(kept) = &kept
        && let Some(report) = statistics.time("recall the report", || kept.report())
    {
        statistics.count("reports from the cache", 1);
        statistics.end();
        return Ok(report);
    }
    let report = analyse(image, config, options, progress, statistics)?;
    if let Some(kept) = kept {
        kept.keep(&report);
    }
    Ok(report)
}

fn analyse(
    image: &Image,
    config: &Config,
    options: &Options,
    progress: &dyn Progress,
    statistics: &mut Statistics,
) -> anyhow::Result<Report> {
    let files: &dyn Files = &*image.files;
    progress.begin("finding programs", 1);
    let asked = Asked {
        also: &options.also,
        everything: options.exec == Exec::All,
    };
    let mut search = Search::new(files, config);
    let mut found = statistics.time("find programs", || search.roots(asked));
    progress.step();
    if let Some(program) = &options.program {
        if found.programs.is_empty() {
            bail!(
                "{}: there is no program {program} in the image that could be analysed: expected the path of a program, \
                 or a name in one of {}",
                image.reference,
                config.variable("PATH").unwrap_or(confine_image::DEFAULT_PATH)
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
    let mut analysis = statistics.time("link programs", || {
        Analysis::new(files, config, options, search, found)
    });
    analysis.settle(progress, statistics);
    let report = statistics.time("report", || assemble::report(image, config, options, &analysis));
    if options.compare {
        statistics.end();
        statistics.compare(comparison::decode_once(&analysis));
    }
    Ok(report)
}

/// Everything about the image's programs while it is being found out.
pub struct Analysis<'a> {
    files: &'a dyn Files,
    config: &'a Config,
    options: &'a Options,
    store: ObjectStore,
    /// Follows what is executed.
    search: Search<'a>,
    /// What can be executed, by the configuration, by scripts and by constant names in programs.
    found: Programs,
    /// What programs execute and was followed, with what each leads to.
    executed: BTreeMap<ExecutionKey, Executions>,
    objects: Objects<'a>,
    programs: Vec<AnalysedProgram>,
}

/// What is asked about a program besides its objects.
struct Question {
    late_roots: Vec<LateRoot>,
    opaque: Vec<OpaqueState>,
    configured: Vec<(usize, u32)>,
    unread: Vec<(usize, Address)>,
}

/// A program with what is known of it so far.
pub struct AnalysedProgram {
    program: confine_programs::Program,
    linked: Linked,
    /// The environment that it was linked with; scripts that are found later may set more.
    linked_with: Environment,
    late_roots: BTreeSet<LateRoot>,
    solution: Solution,
    /// Assumptions about what is loaded or executed later.
    later: later::Later,
}

impl<'a> Analysis<'a> {
    fn new(
        files: &'a dyn Files,
        config: &'a Config,
        options: &'a Options,
        search: Search<'a>,
        found: Programs,
    ) -> Self {
        let mut analysis = Self {
            files,
            config,
            options,
            store: ObjectStore::default(),
            search,
            found: Programs::default(),
            executed: BTreeMap::new(),
            objects: Objects::new(options.cache.as_ref()),
            programs: Vec::new(),
        };
        analysis.add_programs(found.programs.clone());
        analysis.found = found;
        analysis
    }

    fn add_programs(&mut self, programs: Vec<confine_programs::Program>) {
        let (files, store, config, exec) = (self.files, &self.store, self.config, self.options.exec);
        let added: Vec<AnalysedProgram> = programs
            .into_par_iter()
            .map(|program| {
                let linked_with = environment(config, &program);
                let linked = link(files, store, &program.path, &linked_with);
                let start_up = conventions::start_up_functions(&linked);
                let late_roots = start_up.into_iter().map(|(object, symbol)| LateRoot {
                    object,
                    symbol,
                    reason: "looked up by the loader at start-up".to_owned(),
                    ..LateRoot::default()
                });
                let mut analysed = AnalysedProgram {
                    late_roots: late_roots.collect(),
                    program,
                    linked,
                    linked_with,
                    solution: Solution::default(),
                    later: later::Later::new(exec == Exec::All),
                };
                // What sources load is known before anything is solved.
                later::load(files, config, store, &mut analysed);
                analysed
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
            statistics.time("read", || self.objects.identify(&self.programs));
            self.solve(&unsolved, progress, statistics);
            unsolved = statistics.time("late objects", || self.load_later(&unsolved));
        }
        statistics.time("trim the cache", || self.objects.trim());
        self.count(statistics);
    }

    /// Solves programs, as far as their solutions were not kept.
    fn solve(&mut self, unsolved: &[usize], progress: &dyn Progress, statistics: &mut Statistics) {
        let interfaces = later::interfaces();
        let questions: Vec<Question> = statistics.time("look at what libraries do", || {
            let programs = unsolved.par_iter().map(|index| &self.programs[*index]);
            programs.map(|program| self.question(program)).collect()
        });
        let asked: Vec<(usize, &Question)> = unsolved.iter().copied().zip(&questions).collect();
        let input = |index: usize, question| self.input(&self.programs[index], question, &interfaces);
        let kept: Vec<(Option<Key>, Option<Solution>)> = statistics.time("look into the cache", || {
            asked
                .par_iter()
                .map(|(index, question)| {
                    let key = self.objects.key(&input(*index, question));
                    let solution = key.as_ref().and_then(|key| self.objects.solution(key));
                    (key, solution)
                })
                .collect()
        });
        let open = asked
            .iter()
            .zip(&kept)
            .filter(|(_, (_, solution))| solution.is_none());
        let open: Vec<usize> = open.map(|((index, _), _)| *index).collect();
        statistics.time("decode", || {
            self.objects
                .decode(open.iter().map(|index| &self.programs[*index]), progress);
        });
        progress.begin("solving", open.len() as u64);
        let solutions: Vec<Solution> = statistics.time("solve", || {
            asked
                .par_iter()
                .zip(kept)
                .map(|((index, question), (key, kept))| {
                    kept.unwrap_or_else(|| {
                        let mut input = input(*index, question);
                        let objects = input.linked.objects.iter();
                        let facts: Vec<Arc<Facts>> =
                            objects.map(|object| self.objects.facts(object)).collect();
                        input.facts = &facts;
                        let solution = solve(&input);
                        self.objects.keep(key.as_ref(), &solution);
                        progress.step();
                        solution
                    })
                })
                .collect()
        });
        for (index, solution) in unsolved.iter().zip(solutions) {
            self.programs[*index].solution = solution;
        }
    }

    fn question(&self, program: &AnalysedProgram) -> Question {
        Question {
            late_roots: program.late_roots.iter().cloned().collect(),
            opaque: opaque::states(&program.linked),
            configured: conventions::configured_functions(&program.linked),
            unread: program.later.tables.unnamed().iter().copied().collect(),
        }
    }

    /// What a program is solved from, but for the facts of its objects.
    fn input<'p>(
        &self,
        program: &'p AnalysedProgram,
        question: &'p Question,
        interfaces: &'p [Interface],
    ) -> Input<'p> {
        Input {
            linked: &program.linked,
            facts: &[],
            late_roots: &question.late_roots,
            address_taken: match self.options.address_taken {
                AddressTaken::All => confine_solve::AddressTaken::All,
                AddressTaken::Reached => confine_solve::AddressTaken::Reached,
            },
            opaque: &question.opaque,
            configured: &question.configured,
            unread: &question.unread,
            interfaces,
            arguments: self.options.arguments,
        }
    }

    /// Adds what the solved programs load and execute later; the programs that have to be solved (again).
    fn load_later(&mut self, solved: &[usize]) -> Vec<usize> {
        let (files, config, store) = (self.files, self.config, &self.store);
        let solved: BTreeSet<usize> = solved.iter().copied().collect();
        let programs = self.programs.par_iter_mut().enumerate();
        let grown = programs
            .filter(|(index, _)| solved.contains(index))
            .filter_map(|(index, program)| later::load(files, config, store, program).then_some(index));
        let mut again: Vec<usize> = grown.collect();
        let known = self.programs.len();
        let mut changed = BTreeSet::new();
        let mut new: BTreeMap<String, confine_programs::Program> = BTreeMap::new();
        // What is executed may bring other arguments of known programs, which may name more. It ends since what is
        // executed is a part of the arguments that a constant or the image's configuration has.
        loop {
            let programs = self.programs.iter();
            let executed = programs.flat_map(|program| later::executed(program, self.files, self.config));
            let executed: BTreeSet<Execution> = executed.collect();
            let executed = executed.into_iter();
            let (heard, unheard): (Vec<Execution>, Vec<Execution>) =
                executed.partition(|execution| self.executed.contains_key(&execution.key()));
            for execution in &heard {
                if let Some(started) = self.executed.get(&execution.key()) {
                    let parent = &execution.executed.parent;
                    self.found.executions.extend(started.clone(), parent);
                }
            }
            if unheard.is_empty() {
                break;
            }
            for execution in &unheard {
                // Another program may execute the same.
                if !self.executed.contains_key(&execution.key()) {
                    self.take_in(execution, &mut new, &mut changed);
                }
            }
        }
        // Programs of which another start was found load what their sources and their environment bring.
        for index in changed {
            let program = &mut self.programs[index];
            if later::load(self.files, self.config, &self.store, program) && !again.contains(&index) {
                again.push(index);
            }
        }
        self.add_programs(new.into_values().collect());
        again.extend(known..self.programs.len());
        again
    }

    /// Adds what an execution leads to: new programs, and the indices of known ones that may load more by it.
    fn take_in(
        &mut self,
        execution: &Execution,
        new: &mut BTreeMap<String, confine_programs::Program>,
        changed: &mut BTreeSet<usize>,
    ) {
        // What is left out of the result must not count as followed.
        let brought = if execution.is_told() {
            let mut brought = confine_programs::find_executed(self.files, self.config, &execution.executed);
            brought.executions.open.clear();
            brought
        } else {
            self.search.executed(&execution.executed)
        };
        self.executed
            .insert(execution.key(), brought.executions.started());
        let parent = &execution.executed.parent;
        self.found.executions.extend(brought.executions, parent);
        for script in brought.scripts {
            let mut scripts = self.found.scripts.iter_mut();
            match scripts.find(|known| known.path == script.path) {
                Some(known) => add_found(&mut known.found, script.found),
                None => self.found.scripts.push(script),
            }
        }
        if !execution.is_told() {
            self.found.assumptions.extend(brought.assumptions);
        }
        for program in brought.programs {
            let path = program.path.clone();
            match self.programs.iter().position(|known| known.program.path == path) {
                Some(index) => {
                    if !program.interpreted.is_empty() || !program.environment.is_empty() {
                        changed.insert(index);
                    }
                    merge(&mut self.programs[index].program, program);
                }
                None => match new.entry(path) {
                    Entry::Occupied(mut known) => merge(known.get_mut(), program),
                    Entry::Vacant(place) => {
                        place.insert(program);
                    }
                },
            }
        }
    }

    fn count(&self, statistics: &mut Statistics) {
        let total = |of: fn(&AnalysedProgram) -> usize| self.programs.iter().map(of).sum::<usize>() as u64;
        statistics.count("commands of scripts walked", self.search.commands_walked() as u64);
        statistics.count("programs", self.programs.len() as u64);
        statistics.count("objects", self.objects.count() as u64);
        let sizes = self.programs.iter().flat_map(|program| {
            let paths = program.linked.paths();
            paths.zip(&program.solution.code)
        });
        let sizes: BTreeMap<&str, &CodeSize> = sizes.collect();
        statistics.count("bytes of code", sizes.values().map(|size| size.bytes).sum());
        statistics.count("functions", sizes.values().map(|size| size.functions).sum());
        statistics.count(
            "functions reached, over programs",
            total(|program| program.solution.statistics.reached),
        );
        statistics.count(
            "functions evaluated, over programs",
            total(|program| program.solution.statistics.evaluated),
        );
        let Hits {
            facts,
            decoded,
            solutions,
            solved,
        } = &self.objects.hits;
        for (what, count) in [
            ("objects decoded", decoded),
            ("objects from the cache", facts),
            ("solutions computed", solved),
            ("solutions from the cache", solutions),
        ] {
            statistics.count(what, count.load(Ordering::Relaxed));
        }
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
    for (language, reached) in more.interpreted {
        known.interpreted.entry(language).or_default().merge(reached);
    }
    known.invoked.extend(more.invoked);
    known.invoked.sort();
    known.invoked.dedup();
    known.arguments.extend(more.arguments);
    known.arguments.sort();
    known.arguments.dedup();
    known.environment.extend(more.environment);
    known.environment.sort();
    known.environment.dedup();
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
