//! Cuts against the truth: where a file still has its symbol table, no cut may lie inside an object, since the code
//! that reaches the object's beginning would then lose the rest. The symbols themselves are taken away first, as a
//! stripped file would not have them.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail and may say what it skips"
)]

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use confine_code::Facts;
use confine_elf::{Address, Object, Symbol, SymbolKind};

/// Cuts that lie inside an object of `symbols` and have an address of code behind them there: (cut, object).
fn wrong(stripped: &Object, symbols: &[Symbol]) -> (usize, Vec<(Address, String)>) {
    let facts = Facts::of(stripped);
    let objects: Vec<(Range<Address>, &str)> = symbols
        .iter()
        .filter(|symbol| symbol.defined && symbol.size > 0 && symbol.kind == SymbolKind::Data)
        .map(|symbol| {
            (
                symbol.address..symbol.address.saturating_add(symbol.size),
                symbol.name.as_str(),
            )
        })
        .collect();
    let inside = |cut: &Address| {
        let object = objects
            .iter()
            .find(|(range, _)| range.start < *cut && *cut < range.end)?;
        let lost = facts.pointers_in(*cut..object.0.end);
        (!lost.is_empty()).then(|| (*cut, object.1.to_owned()))
    };
    (facts.cuts.len(), facts.cuts.iter().filter_map(inside).collect())
}

fn parse(path: &Path) -> Option<Object> {
    Object::parse(fs::read(path).ok()?.into()).ok()
}

#[test]
fn no_cut_lies_inside_an_object_of_this_program() {
    let mut object = parse(&std::env::current_exe().unwrap()).unwrap();
    let symbols = std::mem::take(&mut object.symbols);
    let (cuts, wrong) = wrong(&object, &symbols);
    assert!(cuts > 100, "{cuts} cuts: nothing is tested");
    assert_eq!(wrong, [], "of {cuts}");
}

#[test]
fn no_cut_lies_inside_an_object_of_the_c_library() {
    let library = Path::new("/lib/x86_64-linux-gnu/libc.so.6");
    let Some(object) = parse(library) else {
        return println!("skipped: no {} on this machine", library.display());
    };
    let Some(symbols) = debug_files()
        .iter()
        .filter_map(|path| parse(path))
        .find(|debug| describes(debug, &object))
    else {
        return println!(
            "skipped: no debug file for {} (Debian: libc6-dbg)",
            library.display()
        );
    };
    let (cuts, wrong) = wrong(&object, &symbols.symbols);
    assert!(cuts > 10, "{cuts} cuts: nothing is tested");
    assert_eq!(wrong, [], "of {cuts}");
}

/// Files of symbols by build identifier, as Debian's packages install them.
fn debug_files() -> Vec<PathBuf> {
    let folders = fs::read_dir("/usr/lib/debug/.build-id")
        .into_iter()
        .flatten()
        .flatten();
    let files = folders
        .filter_map(|folder| fs::read_dir(folder.path()).ok())
        .flatten()
        .flatten();
    files.map(|file| file.path()).collect()
}

/// Whether a debug file is of this object: its sections lie at the same places.
fn describes(debug: &Object, object: &Object) -> bool {
    let places = |object: &Object| -> Vec<(String, Range<Address>)> {
        let sections = object.sections.iter();
        sections
            .map(|section| (section.name.clone(), section.addresses.clone()))
            .collect()
    };
    !debug.symbols.is_empty() && places(debug) == places(object)
}
