//! Functions that are called from outside the program's code with arguments that are known: natives of Java's.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "this is a test"
)]

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::sync::Arc;

use confine_code::Facts;
use confine_image::MemoryFiles;
use confine_link::{Environment, ObjectStore, link};
use confine_solve::{AddressTaken, GivenArguments, Input, LateRoot, Values, WantedArguments, solve};

/// setsockopt(2) of x86-64, and the arguments of it that are looked at.
const SETSOCKOPT: u32 = 54;
const LEVEL: usize = 1;
const NAME: usize = 2;

/// A function of a program that hands its third and fourth argument on, and a table or a caller if there is one.
const SOURCE: &str = r#"
    __attribute__((visibility("default"), noinline)) long take(void *environment, void *class, int level, int name) {
        register long fourth __asm__("r10") = 0, fifth __asm__("r8") = 0;
        long result = 54;
        __asm__ volatile("syscall" : "+a"(result)
            : "D"(3L), "S"(level), "d"(name), "r"(fourth), "r"(fifth) : "rcx", "r11", "memory");
        return result;
    }
"#;

/// The levels and names that the program's call can have, by `None` for any; nothing where there is no compiler.
fn found(more: &str, ways: &[&[(usize, u32)]]) -> Option<BTreeSet<(Option<u64>, Option<u64>)>> {
    let folder = tempfile::tempdir().unwrap();
    let (source, program) = (folder.path().join("program.c"), folder.path().join("program"));
    fs::write(&source, format!("{SOURCE}{more}")).unwrap();
    let flags = [
        "-O2",
        "-w",
        "-fno-stack-protector",
        "-nostdlib",
        "-pie",
        "-fPIE",
        "-Wl,-E",
        "-o",
    ];
    let built = Command::new("gcc").args(flags).args([&program, &source]).status();
    let Ok(built) = built else {
        eprintln!("skipped: gcc is not installed (package gcc)");
        return None;
    };
    assert!(built.success());
    let files = MemoryFiles::new().program("/program", fs::read(&program).unwrap());
    let linked = link(&files, &ObjectStore::new(), "/program", &Environment::default());
    let symbols = linked.objects[0].elf.dynamic_symbols.iter();
    let symbol = symbols.clone().position(|symbol| symbol.name == "take").unwrap();
    let facts: Vec<Arc<Facts>> = linked
        .objects
        .iter()
        .map(|object| Arc::new(Facts::of(&object.elf)))
        .collect();
    let root = LateRoot {
        object: 0,
        symbol: u32::try_from(symbol).unwrap(),
        reason: "a native method".to_owned(),
        ways: ways.iter().map(|way| GivenArguments(way.to_vec())).collect(),
    };
    let solution = solve(&Input {
        linked: &linked,
        facts: &facts,
        late_roots: &[root],
        address_taken: AddressTaken::Reached,
        opaque: &[],
        configured: &[],
        unread: &[],
        interfaces: &[],
        arguments: WantedArguments::Telling,
    });
    let number = |values: &Values| match values {
        Values::Numbers(numbers) => {
            assert_eq!(numbers.len(), 1, "{numbers:?}");
            numbers.first().copied()
        }
        _ => None,
    };
    let arguments = solution.calls[&SETSOCKOPT].arguments.iter();
    Some(
        arguments
            .map(|found| (number(&found.values[LEVEL]), number(&found.values[NAME])))
            .collect(),
    )
}

#[test]
fn each_way_is_a_pair_of_its_own() {
    let Some(pairs) = found(
        "void _start(void) {}",
        &[&[(2, 1), (3, 6)], &[(2, 6), (3, 1)], &[(2, 41)]],
    ) else {
        return;
    };
    assert_eq!(
        pairs,
        BTreeSet::from([(Some(1), Some(6)), (Some(6), Some(1)), (Some(41), None)])
    );
}

#[test]
fn who_else_can_have_the_address_may_call_with_anything() {
    let any = BTreeSet::from([(None, None)]);
    for more in [
        "long (*volatile table[])(void *, void *, int, int) = {take}; void _start(void) { table[0](0, 0, 1, 2); }",
        "void _start(void) { take(0, 0, 7, 8); }",
    ] {
        let Some(pairs) = found(more, &[&[(2, 1), (3, 6)]]) else {
            return;
        };
        assert_eq!(pairs, any, "{more}");
    }
    let Some(pairs) = found("void _start(void) {}", &[]) else {
        return;
    };
    assert_eq!(pairs, any);
}
