//! Methods that are functions of compiled modules: which of them run is found once for all starts of an interpreter.
//!
//! Of a module with such functions are looked up by name: those of methods that run; what every module has for when it is
//! loaded; and of the rest, what is not a method's at all, each that an object of the program has for a constant text.
//! Over-reports: texts that are no names. Misses: names that are put together, and are not a method's.

use std::collections::BTreeSet;

use confine_elf::Object;
use confine_image::Files;
use confine_languages::LANGUAGES;
use confine_link::{Linked, NamePattern, Roots};
use confine_solve::LateRoot;
use rustc_hash::FxHashSet;

use super::AnalysedProgram;
use super::later::in_every_object;

/// What is looked up in every module of the Java virtual machine's native interface, when it is loaded and unloaded (the JNI
/// specification, "Library and Version Management").
const ON_LOAD: &str = "JNI_On";

/// Where the names of an object's own symbols lie, which are no texts of its.
const NAMES: &str = ".dynstr";

/// How much of a name's end is compared first: any shorter name counts.
const END: usize = 4;

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

/// The functions of methods that run, in every object that has them, and what the program's objects name.
pub fn roots(program: &mut AnalysedProgram) -> Vec<LateRoot> {
    let linked = &program.linked;
    if program.later.natives_of != linked.objects.len() {
        program.later.natives_of = linked.objects.len();
        program.later.named = named(linked, &program.program);
    }
    let interpreted = program.program.interpreted.values();
    let natives = interpreted.flat_map(|reached| &reached.natives);
    let methods = natives
        .flat_map(|(name, class)| in_every_object(linked, name, format!("a native method of {class}")));
    methods.chain(program.later.named.iter().cloned()).collect()
}

/// The functions of modules with native methods that a text of an object names.
fn named(linked: &Linked, program: &confine_programs::Program) -> Vec<LateRoot> {
    let governed = governed(linked, program).into_iter();
    let exported: Vec<(usize, u32, &str)> = governed
        .flat_map(|index| {
            let symbols = linked.exported(index);
            symbols.map(move |(symbol, name)| (index, symbol, name))
        })
        .collect();
    let names: FxHashSet<&[u8]> = exported.iter().map(|(.., name)| name.as_bytes()).collect();
    let texts = linked
        .objects
        .iter()
        .map(|object| texts_among(&names, &object.elf));
    let texts: FxHashSet<&[u8]> = texts.flatten().collect();
    let named = exported.into_iter();
    named
        .filter(|(.., name)| name.len() < END || texts.contains(name.as_bytes()))
        .map(|(object, symbol, _)| LateRoot {
            object,
            symbol,
            reason: "an object of the program names it".to_owned(),
        })
        .collect()
}

/// The names that are texts of an object, or the ends of some: linkers keep a text that ends another one within that.
fn texts_among<'a>(names: &FxHashSet<&'a [u8]>, object: &Object) -> Vec<&'a [u8]> {
    let ends: FxHashSet<&[u8]> = names.iter().filter_map(|name| end(name)).collect();
    let lengths: BTreeSet<usize> = names
        .iter()
        .map(|name| name.len())
        .filter(|length| *length >= END)
        .collect();
    let mut found = Vec::new();
    for text in texts(object) {
        if !end(text).is_some_and(|end| ends.contains(end)) {
            continue;
        }
        let tails = lengths
            .iter()
            .filter_map(|length| text.get(text.len().checked_sub(*length)?..));
        found.extend(tails.filter_map(|tail| names.get(tail).copied()));
    }
    found
}

fn end(text: &[u8]) -> Option<&[u8]> {
    text.get(text.len().checked_sub(END)?..)
}

/// The whole texts of an object, without the names of its symbols.
pub fn texts(object: &Object) -> impl Iterator<Item = &[u8]> {
    let data = data(object).into_iter();
    data.flat_map(|bytes| bytes.split(|byte| *byte == 0))
        .filter(|text| !text.is_empty())
}

/// What an object has in memory besides code, without the names of its symbols.
fn data(object: &Object) -> Vec<&[u8]> {
    let segments = object.segments.iter().filter(|segment| !segment.executable);
    let names = object.sections.iter().find(|section| section.name == NAMES);
    segments
        .flat_map(|segment| {
            let bytes = object.bytes_at(segment.addresses.start);
            let cut = names.filter(|names| segment.addresses.contains(&names.addresses.start));
            let Some(cut) = cut else { return vec![bytes] };
            let at = |address: u64| {
                usize::try_from(address.saturating_sub(segment.addresses.start)).unwrap_or(usize::MAX)
            };
            let before = bytes.get(..at(cut.addresses.start)).unwrap_or_default();
            let after = bytes.get(at(cut.addresses.end)..).unwrap_or_default();
            vec![before, after]
        })
        .collect()
}
