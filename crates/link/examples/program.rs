//! Links one program of a root folder, opens the modules that it may open, and prints all of it:
//! `cargo run --release -p confine-link --example program -- ROOT PROGRAM`.
#![allow(clippy::print_stdout, reason = "an example prints its result")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::collections::BTreeSet;
use std::time::Instant;

use common::HostFiles;
use confine_link::{Binding, Environment, LateRequest, LoadReason, ObjectStore, Roots, link, plugins};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(root), Some(program)) = (arguments.next(), arguments.next()) else {
        println!("usage: program ROOT PROGRAM");
        return;
    };
    let (files, store) = (HostFiles::new(root), ObjectStore::new());
    let start = Instant::now();
    let mut linked = link(&files, &store, &program, &Environment::default());
    let elapsed = start.elapsed();
    for object in &linked.objects {
        println!("{} {:?}", object.path, object.reason);
    }
    println!("{} objects linked in {elapsed:?}", linked.objects.len());
    let start = Instant::now();
    let references = linked.objects.iter().zip(0..).flat_map(|(object, from)| {
        (0_u32..)
            .zip(&object.elf.dynamic_symbols)
            .map(move |(index, _)| (from, index))
    });
    let defined =
        |(from, symbol): &(usize, u32)| matches!(linked.resolve(*from, *symbol), Binding::Defined { .. });
    let resolved = references.filter(defined).count();
    println!("{resolved} symbols resolved in {:?}", start.elapsed());
    let start = Instant::now();
    let asking = plugins::Asking::default();
    let candidates = plugins::candidates(&files, &store, &linked, &BTreeSet::new(), asking);
    println!("{} modules found in {:?}", candidates.len(), start.elapsed());
    let start = Instant::now();
    for candidate in candidates {
        println!("{}: {}", candidate.path, candidate.why);
        let request = LateRequest {
            name: candidate.path,
            caller: 0,
            by: candidate.why,
            optional: false,
            roots: Roots::AllExported,
        };
        linked.load_late(&files, &store, &request);
    }
    let late = linked
        .objects
        .iter()
        .filter(|object| matches!(object.reason, LoadReason::Late { .. }))
        .count();
    println!(
        "{late} modules of {} objects loaded in {:?}",
        linked.objects.len(),
        start.elapsed()
    );
    for assumption in &linked.assumptions {
        println!("{}: {}", assumption.place, assumption.detail);
    }
}
