//! Functions that modules have looked up for them by names in their data.
//!
//! A run time that looks up names which it is given in everything that the program has, by a handle of the program itself,
//! does so for modules that call it for that: Julia's compiled code calls the run time and the C library like that. Of
//! modules every exported function counts anyway.
//!
//! Over-reports: texts of such a module that are no names. Misses: names that are put together, that are the end of a longer
//! text, that reach the run time by a function that it does not export, or that come from elsewhere than a module, such as
//! from sources that are compiled while the program runs.

use std::collections::{BTreeMap, BTreeSet};

use confine_link::texts::whole_texts;
use confine_link::{Linked, LoadReason, conventions};
use confine_solve::LateRoot;
use rustc_hash::FxHashMap;

use super::{AnalysedProgram, later, named};

/// The objects that look up what they are given, each with the names of its functions that others give it by.
type Givers = BTreeMap<usize, BTreeSet<String>>;

/// What is known of the names that a program's modules give.
#[derive(Debug, Default)]
pub struct GivenNames {
    /// How many objects there were, and which of them look up what they are given.
    looked_at: (usize, Givers),
    roots: Vec<LateRoot>,
}

/// The functions of objects that are there from the start whose names a module gives.
pub fn roots(program: &mut AnalysedProgram) -> Vec<LateRoot> {
    let looked_at = (program.linked.objects.len(), looking_up(program));
    if program.later.given_names.looked_at != looked_at {
        let roots = given(&program.linked, &looked_at.1);
        program.later.given_names = GivenNames { looked_at, roots };
    }
    program.later.given_names.roots.clone()
}

/// The objects that look up names which are not constants and have a handle of the program itself.
fn looking_up(program: &AnalysedProgram) -> Givers {
    let passed = program.solution.passed.iter();
    let opening_itself: BTreeSet<usize> = passed
        .filter(|passed| later::opens_itself(passed))
        .map(|passed| passed.object)
        .collect();
    let library = conventions::c_library(&program.linked);
    let openly = later::passed_openly(program, library).filter(|passed| later::looks_up(passed));
    let mut givers = Givers::new();
    for passed in openly.filter(|passed| opening_itself.contains(&passed.object)) {
        let names = givers.entry(passed.object).or_default();
        names.extend(passed.givers.iter().cloned());
    }
    givers
}

fn given(linked: &Linked, looking_up: &Givers) -> Vec<LateRoot> {
    let modules: Vec<_> = linked
        .objects
        .iter()
        .filter(|object| {
            let is_late = matches!(object.reason, LoadReason::Late { .. });
            let mut givers = object.needed.iter().filter_map(|needed| looking_up.get(needed));
            is_late && givers.any(|givers| named::uses(&object.elf, |name| givers.contains(name)))
        })
        .collect();
    if modules.is_empty() {
        return Vec::new();
    }
    let mut exported: FxHashMap<&[u8], Vec<(usize, u32)>> = FxHashMap::default();
    let objects = linked.objects.iter().enumerate();
    for (index, _) in objects.filter(|(_, object)| !object.late) {
        for (symbol, name) in linked.exported(index) {
            exported.entry(name.as_bytes()).or_default().push((index, symbol));
        }
    }
    let mut roots = Vec::new();
    for module in modules {
        for text in whole_texts(&module.elf) {
            let found = exported.get(text).into_iter().flatten();
            roots.extend(found.map(|(object, symbol)| LateRoot {
                object: *object,
                symbol: *symbol,
                reason: format!("looked up for {}, which has its name", module.path),
                ..LateRoot::default()
            }));
        }
    }
    roots
}
