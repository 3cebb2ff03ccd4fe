//! Methods that are functions of compiled modules: which of them run is found once for all starts of an interpreter.
//!
//! Of a module with such functions are looked up by name: those of methods that run; what every module has for when it is
//! loaded; and of the rest, what is not a method's at all, each that an object of the program has for a constant text
//! (`named.rs`).

use std::collections::BTreeSet;

use confine_image::Files;
use confine_languages::LANGUAGES;
use confine_link::{Linked, NamePattern, Roots};
use confine_solve::{GivenArguments, LateRoot};

use super::AnalysedProgram;
use super::later::in_every_object;

/// What is looked up in every module of the Java virtual machine's native interface, when it is loaded and unloaded (the JNI
/// specification, "Library and Version Management").
const ON_LOAD: &str = "JNI_On";

/// What is looked up in any such module.
pub fn looked_up_always() -> Roots {
    Roots::Named(vec![NamePattern::Prefix(ON_LOAD.to_owned())])
}

/// Looks at all starts of a program's interpreters together: again only when there are others than before.
pub fn look(files: &dyn Files, program: &mut AnalysedProgram) {
    for language in LANGUAGES {
        let Some(reached) = program.program.interpreted.get(language.name) else {
            continue;
        };
        let looked_at = program.later.beginnings.entry(language.name).or_default();
        if *looked_at == reached.beginnings {
            continue;
        }
        looked_at.clone_from(&reached.beginnings);
        let mut more = language.together(files, reached);
        program.later.open.append(&mut more.assumptions);
        let interpreted = &mut program.program.interpreted;
        interpreted
            .entry(language.name.to_owned())
            .or_default()
            .merge(more);
    }
}

/// The modules whose methods sources call, by the numbers of their objects: where these open a library by a name that they do not
/// have themselves, sources gave it to them.
pub fn governed(linked: &Linked, program: &confine_programs::Program) -> BTreeSet<usize> {
    let modules = program.interpreted.values().flat_map(|reached| &reached.modules);
    let modules = modules.filter(|(_, module)| module.roots == confine_languages::Roots::Natives);
    let paths: BTreeSet<&str> = modules.map(|(path, _)| path.as_str()).collect();
    let objects = linked.objects.iter().enumerate();
    objects
        .filter(|(_, object)| paths.contains(object.path.as_str()))
        .map(|(index, _)| index)
        .collect()
}

/// The functions of methods that run, in every object that has them.
pub fn roots(linked: &Linked, program: &confine_programs::Program) -> Vec<LateRoot> {
    let interpreted = program.interpreted.values();
    let natives = interpreted.flat_map(|reached| &reached.natives);
    natives
        .flat_map(|(name, native)| {
            let reason = format!("a native method of {}", native.class);
            let ways: Vec<GivenArguments> = native
                .ways
                .iter()
                .flatten()
                .cloned()
                .map(GivenArguments)
                .collect();
            let found = in_every_object(linked, name, reason);
            found.map(move |root| LateRoot {
                ways: ways.clone(),
                ..root
            })
        })
        .collect()
}
