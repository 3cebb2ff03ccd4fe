//! What programs execute by names that are not known, as far as their data names it ([`confine_link::helpers`]).
//!
//! That adds programs and settles nothing: what is executed may be something else, so the assumption stays.

use std::collections::{BTreeMap, BTreeSet};

use confine_image::{Config, DEFAULT_PATH, Files};
use confine_link::helpers::{self, How};
use confine_link::{Linked, ObjectStore, conventions};
use confine_programs::{
    Executed, UNKNOWN_WORDS, executes_only_arguments, follows_arguments, names_executable,
};
use confine_solve::Passed;

use super::AnalysedProgram;
use super::later;

/// What is known of a program's helpers.
#[derive(Debug, Default)]
pub struct Helpers {
    /// The objects whose data was looked at, and for what.
    looked_at: BTreeSet<(usize, How)>,
    /// What it names.
    pub executed: BTreeSet<Executed>,
}

/// Looks at the data of objects that execute by names which are not known, and of the program where it is not known who
/// does. Programs whose arguments and configurations name everything that they execute are left out.
pub fn look(files: &dyn Files, config: &Config, store: &ObjectStore, program: &mut AnalysedProgram) {
    if later::names(program).any(follows_arguments) {
        return;
    }
    let mut open = executing(program);
    open.retain(|one| program.later.helpers.looked_at.insert(*one));
    let path = config.variable("PATH").unwrap_or(DEFAULT_PATH);
    let folders: Vec<&str> = path.split(':').collect();
    for (object, how) in open {
        let named = helpers::helpers(files, store, &program.linked, object, how, &folders);
        let named = named
            .into_iter()
            .filter(|helper| names_executable(files, config, &helper.name));
        let place = &program.program.path;
        let executed = named.map(|helper| Executed {
            how: format!("executes by a name that is not a constant, and {}", helper.why),
            argv: vec![helper.name, UNKNOWN_WORDS.to_owned()],
            called: None,
            place: place.clone(),
            parent: place.clone(),
        });
        program.later.helpers.executed.extend(executed);
    }
}

/// The objects that execute what is not known, by a name where they do both, and those that need such a library.
fn executing(program: &AnalysedProgram) -> BTreeSet<(usize, How)> {
    let library = conventions::c_library(&program.linked);
    let openly = later::passed_openly(program, library).filter_map(|passed| {
        let how = match later::executes(passed) {
            true => How::ByName,
            false => How::ByShell,
        };
        later::executes_or_tells_a_shell(passed).then_some((passed, how))
    });
    let passed = program.solution.passed.iter();
    let by_shell = passed
        .filter(|passed| is_open_text(passed))
        .map(|passed| (passed, How::ByShell));
    let mut objects = BTreeMap::new();
    // The C library passes on what others name: whose data that would be is not known.
    let others = openly
        .chain(by_shell)
        .filter(|(passed, _)| Some(passed.object) != library);
    for (passed, how) in others {
        let known = objects.entry(passed.object).or_insert(how);
        *known = how.max(*known);
    }
    if later::executes_by_own_calls(program, library) {
        objects.insert(0, How::ByName);
    }
    let through = through_libraries(&program.linked, &objects);
    objects.into_iter().chain(through).collect()
}

/// The objects that need a library which executes by names that are not known: they may tell it the name.
fn through_libraries(linked: &Linked, executing: &BTreeMap<usize, How>) -> Vec<(usize, How)> {
    let by_name = |needed: &usize| executing.get(needed) == Some(&How::ByName);
    let objects = linked.objects.iter().enumerate();
    objects
        .filter(|(_, object)| object.needed.iter().any(by_name))
        .map(|(index, _)| (index, How::ThroughLibrary))
        .collect()
}

/// Whether a shell or a wrapper is executed by its name with words that are not known.
fn is_open_text(passed: &Passed) -> bool {
    let name = passed.string.as_deref().unwrap_or_default();
    let name = confine_image::paths::base_name(name);
    let is_open = !passed.whole || passed.list.iter().skip(1).any(Option::is_none);
    later::executes(passed) && is_open && executes_only_arguments(name)
}
