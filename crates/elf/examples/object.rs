//! Reads the objects that are named on the command line and prints what was found and how long it took.
#![allow(clippy::print_stdout, reason = "an example prints its result")]

use std::time::Instant;

use confine_elf::Object;

fn main() -> std::io::Result<()> {
    for path in std::env::args().skip(1) {
        let bytes = bytes::Bytes::from(std::fs::read(&path)?);
        let start = Instant::now();
        let parsed = Object::parse(bytes);
        let elapsed = start.elapsed();
        match parsed {
            Ok(object) => println!(
                "{path}: {} segments, {} sections, {} dynamic symbols, {} symbols, {} relocations, {} functions with unwind data, \
                 {} of them with landing pads, {} go functions, {elapsed:?} {:?}",
                object.segments.len(),
                object.sections.len(),
                object.dynamic_symbols.len(),
                object.symbols.len(),
                object.relocations.len(),
                object.unwind.len(),
                object
                    .unwind
                    .iter()
                    .filter(|function| !function.landing_pads.is_empty())
                    .count(),
                object.go_functions.len(),
                object.problems,
            ),
            Err(error) => println!("{path}: {error}"),
        }
    }
    Ok(())
}
