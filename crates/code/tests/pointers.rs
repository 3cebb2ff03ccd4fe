//! Which words of an object with fixed addresses count as addresses.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail and may say what it skips"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

use confine_code::Facts;
use confine_elf::Object;

/// In an object with fixed addresses numbers look like addresses: one that lies among the loader's own tables brought every
/// function that these name (GCC's cc1, by a number in its code, and so `syscall` with any number).
#[test]
fn the_loaders_tables_hold_no_pointers_of_the_program() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let source = folder.join("fixed.c");
    fs::write(
        &source,
        "extern int puts(const char *); int shown(void) { return 1; }\n\
         int (*const table[])(void) = {shown}; int main(void) { return puts(\"x\") + table[0](); }\n",
    )
    .unwrap();
    let program = folder.join("fixed");
    let gcc = Command::new("gcc")
        .args(["-O0", "-no-pie", "-rdynamic", "-Wl,-z,lazy", "-o"])
        .arg(&program)
        .arg(&source)
        .status();
    if !gcc.is_ok_and(|status| status.success()) {
        return println!("skipped: no gcc on this machine");
    }
    let object = Object::parse(fs::read(&program).unwrap().into()).unwrap();
    let facts = Facts::of(&object);
    let tables = object.loader_tables();
    assert_eq!(tables.len(), 3, "{tables:?}");
    for table in tables {
        assert_eq!(facts.pointers_in(table), []);
    }
    let symbols = object.dynamic_symbols.iter();
    let table = symbols
        .filter(|symbol| symbol.name == "table")
        .map(|symbol| symbol.address);
    let held: Vec<usize> = table
        .map(|start| facts.pointers_in(start..start + 8).len())
        .collect();
    assert_eq!(held, [1]);
}
