//! The report, from everything that was found.

use std::collections::{BTreeMap, BTreeSet};

use confine_assumption::{Assumption, Effect};
use confine_image::{Config, Image};
use confine_kernel::{docker_default, name, runtime_calls};
use confine_link::{LinkedObject, LoadReason};
use confine_programs::Programs;
use confine_report::{
    Allowed, Call, Combination, Found, LoadedObject, Object, ObjectKind, Program, Report, Restriction,
    RuntimeCall, SCHEMA, Script, Step, VERSION, Widened, Word,
};
use confine_solve::{ArgumentEvidence, Arguments, Values};

use super::commands;
use super::languages::{self, ScriptTexts};
use super::{AnalysedProgram, Analysis, executions, later};
use crate::options::Options;

/// Puts the report together.
pub fn report(image: &Image, config: &Config, options: &Options, analysis: &Analysis<'_>) -> Report {
    let found = &analysis.found;
    let objects = objects(analysis);
    let index: BTreeMap<&str, usize> = objects
        .iter()
        .enumerate()
        .map(|(index, object)| (object.path.as_str(), index))
        .collect();
    let scripts = ScriptTexts::read(analysis.files, found);
    let mut programs: Vec<Program> = analysis
        .programs
        .iter()
        .map(|program| self::program(program, &index, &scripts))
        .collect();
    executions::fill(&mut programs, &found.executions, options.exec);
    for program in &mut programs {
        program.assumptions = commands::settled(std::mem::take(&mut program.assumptions), options.exec);
    }
    let own = commands::settled(found.assumptions.clone(), options.exec);
    let mut assumptions: BTreeSet<Assumption> = own.into_iter().collect();
    assumptions.extend(
        programs
            .iter()
            .flat_map(|program| program.assumptions.iter().cloned()),
    );
    let widened = widened(&assumptions);
    let runtime_calls: BTreeSet<RuntimeCall> = runtime_calls(options.runtime)
        .map(|call| RuntimeCall {
            name: call.call.name.to_owned(),
            requester: call.requester.to_string(),
            reason: call.reason.to_owned(),
            arguments: call
                .values()
                .map(|values| vec![one_of(call.call.number, values)])
                .into_iter()
                .collect(),
        })
        .collect();
    let mut environment: Vec<String> = config.env.iter().map(|(name, _)| name.clone()).collect();
    environment.sort();
    environment.dedup();
    Report {
        schema: SCHEMA.to_owned(),
        version: VERSION,
        confine: env!("CARGO_PKG_VERSION").to_owned(),
        kernel_table: confine_kernel::LINUX_VERSION.to_owned(),
        image: confine_report::Image {
            reference: image.reference.clone(),
            digest: image.digest.clone(),
            architecture: config.architecture.clone(),
            command_line: config.command_line(),
            user: config.user.clone(),
            workdir: config.workdir.clone(),
            environment,
        },
        program: options.program.clone(),
        runtime: options.runtime.to_string(),
        scripts: self::scripts(found),
        allowed: allowed(&programs, &runtime_calls, &widened),
        runtime_calls: runtime_calls.into_iter().collect(),
        widened,
        coarser: Vec::new(),
        observed: Vec::new(),
        assumptions: assumptions.into_iter().collect(),
        objects,
        programs,
    }
    .canonical()
}

fn objects(analysis: &Analysis<'_>) -> Vec<Object> {
    let mut objects: BTreeMap<&str, Object> = BTreeMap::new();
    let loaded = analysis.programs.iter().flat_map(|program| {
        let objects = program.linked.objects.iter();
        objects.zip(&program.solution.code)
    });
    for (loaded, code) in loaded {
        let Some(sha256) = analysis.objects.sha256(&loaded.path) else {
            continue;
        };
        let object = objects.entry(&loaded.path).or_insert_with(|| Object {
            path: loaded.path.clone(),
            sha256,
            bytes: loaded.elf.bytes.len() as u64,
            code_bytes: code.bytes,
            kind: ObjectKind::SharedObject,
        });
        if loaded.reason == LoadReason::Program {
            object.kind = match loaded.elf.interpreter {
                Some(_) => ObjectKind::DynamicProgram,
                None => ObjectKind::StaticProgram,
            };
        }
    }
    objects.into_values().collect()
}

fn scripts(found: &Programs) -> Vec<Script> {
    found
        .scripts
        .iter()
        .map(|script| Script {
            path: script.path.clone(),
            interpreter: script.interpreter.clone(),
            found: script.found.iter().map(self::found).collect(),
        })
        .collect()
}

fn found(found: &confine_programs::Found) -> Found {
    Found {
        place: found.place.clone(),
        how: found.how.clone(),
        parent: found.parent.clone(),
    }
}

fn program(analysed: &AnalysedProgram, index: &BTreeMap<&str, usize>, scripts: &ScriptTexts) -> Program {
    let AnalysedProgram {
        program,
        linked,
        solution,
        ..
    } = analysed;
    let at = |object: &LinkedObject| index.get(object.path.as_str()).copied().unwrap_or_default();
    let object_at = |object: usize| linked.objects.get(object).map_or(0, at);
    let mut assumptions: BTreeSet<Assumption> = linked.assumptions.iter().cloned().collect();
    assumptions.extend(solution.assumptions.iter().cloned());
    assumptions.extend(
        solution
            .open
            .iter()
            .map(|open| match linked.objects.get(open.object) {
                Some(object) => languages::judge(open, &object.elf, program, scripts),
                None => open.assumption.clone(),
            }),
    );
    assumptions.extend(later::assumptions(analysed));
    Program {
        path: program.path.clone(),
        invoked: program.invoked.clone(),
        arguments: program.arguments.clone(),
        found: program.found.iter().map(found).collect(),
        objects: linked
            .objects
            .iter()
            .map(|object| LoadedObject {
                object: at(object),
                reason: reason(&object.reason, &linked.objects),
            })
            .collect(),
        calls: solution
            .calls
            .iter()
            .filter_map(|(number, evidence)| {
                Some(Call {
                    number: *number,
                    // The kernel has no such call and answers ENOSYS whatever the policy says.
                    name: name(*number)?.to_owned(),
                    sites: evidence.sites as u64,
                    chain: chain(&evidence.chain, object_at),
                    arguments: evidence
                        .arguments
                        .iter()
                        .map(|given| combination(*number, given, object_at))
                        .collect(),
                    falls_back_to: evidence.falls_back_to.and_then(name).map(str::to_owned),
                })
            })
            .collect(),
        executes: Vec::new(),
        executes_unknown: false,
        assumptions: assumptions.into_iter().collect(),
    }
}

fn combination(number: u32, given: &ArgumentEvidence, object: impl Fn(usize) -> usize) -> Combination {
    Combination {
        restrictions: restrictions(number, &given.values),
        chain: chain(&given.chain, object),
    }
}

fn restrictions(number: u32, arguments: &Arguments) -> Vec<Restriction> {
    let facts = confine_kernel::arguments(number).iter();
    (0..)
        .zip(facts.zip(arguments))
        .filter_map(|(index, (fact, values))| {
            let (mask, values) = match values {
                Values::Any => return None,
                Values::Numbers(numbers) => (fact.mask(), numbers.iter().copied().map(Word).collect()),
                Values::Bits { known, set } => (*known, vec![Word(*set)]),
            };
            Some(Restriction {
                index,
                name: fact.name.to_owned(),
                mask: Word(mask),
                values,
            })
        })
        .collect()
}

fn chain(steps: &[confine_solve::Step], object: impl Fn(usize) -> usize) -> Vec<Step> {
    let steps = steps.iter();
    steps
        .map(|step| Step {
            object: object(step.object),
            function: step.function.clone(),
            address: Word(step.address),
            how: step.how.clone(),
        })
        .collect()
}

fn reason(reason: &LoadReason, objects: &[LinkedObject]) -> String {
    let path = |index: &usize| objects.get(*index).map_or("?", |object| object.path.as_str());
    match reason {
        LoadReason::Program => "the program".to_owned(),
        LoadReason::Interpreter => "its interpreter".to_owned(),
        LoadReason::Preload => "preloaded".to_owned(),
        LoadReason::Needed { by } => format!("needed by {}", path(by)),
        LoadReason::Late { by } => format!("loaded later: {by}"),
        LoadReason::Variant { of } => {
            format!("in place of {} where the processor has more features", path(of))
        }
    }
}

/// The calls that the engine's default profile allows, if something that stayed open may make any call.
///
/// Conditions on their arguments are dropped, since they would refuse what the open call may need.
fn widened(assumptions: &BTreeSet<Assumption>) -> Vec<Widened> {
    let open: Vec<&Assumption> = assumptions
        .iter()
        .filter(|assumption| assumption.effect == Effect::WidenedToDefault)
        .collect();
    let Some(first) = open.first() else {
        return Vec::new();
    };
    let because = match open.len() {
        1 => format!("{}: {}", first.place, first.detail),
        more => format!("{}: {} (and {} more)", first.place, first.detail, more - 1),
    };
    docker_default()
        .map(|allowed| Widened {
            name: allowed.call.name.to_owned(),
            because: because.clone(),
        })
        .collect()
}

fn allowed(programs: &[Program], runtime_calls: &BTreeSet<RuntimeCall>, widened: &[Widened]) -> Vec<Allowed> {
    let mut allowed: BTreeMap<u32, Allowed> = BTreeMap::new();
    let mut entry = |name: &str, change: &dyn Fn(&mut Allowed)| {
        if let Some(call) = confine_kernel::call_named(name) {
            change(allowed.entry(call.number).or_insert_with(|| Allowed {
                number: call.number,
                name: call.name.to_owned(),
                by: Vec::new(),
                runtime: false,
                widened: false,
                observed: false,
                arguments: Vec::new(),
            }));
        }
    };
    for (index, program) in programs.iter().enumerate() {
        for call in program.needed() {
            entry(&call.name, &|allowed| allowed.by.push(index));
        }
    }
    for call in runtime_calls {
        entry(&call.name, &|allowed| allowed.runtime = true);
    }
    for call in widened {
        entry(&call.name, &|allowed| {
            allowed.widened = allowed.by.is_empty() && !allowed.runtime
        });
    }
    let mut allowed: Vec<Allowed> = allowed.into_values().collect();
    for call in &mut allowed {
        if !widened.iter().any(|widened| widened.name == call.name) {
            call.arguments = combined(call, programs, runtime_calls);
        }
    }
    allowed
}

/// The restriction to values of one argument.
fn one_of(number: u32, (index, values): (u32, Vec<u64>)) -> Restriction {
    let facts = confine_kernel::arguments(number).get(index as usize);
    Restriction {
        index,
        name: facts.map_or_else(String::new, |facts| facts.name.to_owned()),
        mask: Word(facts.map_or(u64::MAX, |facts| facts.mask())),
        values: values.into_iter().map(Word).collect(),
    }
}

/// The arguments with which some program makes a call, or the runtime does; nothing if one of them may pass anything.
fn combined(
    allowed: &Allowed,
    programs: &[Program],
    runtime_calls: &BTreeSet<RuntimeCall>,
) -> Vec<Vec<Restriction>> {
    let mut combinations = BTreeSet::new();
    for needed in runtime_calls.iter().filter(|needed| needed.name == allowed.name) {
        if needed.arguments.is_empty() {
            return Vec::new();
        }
        combinations.extend(needed.arguments.iter().cloned());
    }
    let calls = allowed.by.iter().filter_map(|index| programs.get(*index));
    let calls = calls.flat_map(|program| &program.calls);
    for call in calls.filter(|call| call.number == allowed.number) {
        if !call.restricts() {
            return Vec::new();
        }
        let arguments = call.arguments.iter();
        combinations.extend(arguments.map(|combination| combination.restrictions.clone()));
    }
    combinations.into_iter().collect()
}
