//! What compilers emit, construct by construct: each fixture is built as its first lines say, solved, compared
//! with what they expect, and executed, so that what it really calls holds the expectation to its word.
//!
//! A fixture begins with lines of comment:
//! - `// allowed: CALL…`: the solution has these;
//! - `// denied: CALL…`: it lacks these, which only code that nothing reaches makes;
//! - `// open`: a call number stays open (without this line, none may);
//! - `// library: FILE`: is built from this fixture's neighbour as a shared library beside it;
//! - `// build: COMPILER FLAG…`: once for each way to build it;
//! - `// imprecise: COMPILER FLAG…`: built so, the solution still holds more than expected, never less;
//!   `CONFINE_UPDATE=1` makes a `build` of what now meets the expectation.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail and may say what it skips"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::{env, fs};

use confine_code::Facts;
use confine_image::Image;
use confine_link::{ObjectStore, conventions, link, opaque};
use confine_solve::{AddressTaken, Input, LateRoot, Solution, solve};

/// One test for each fixture, and one that none was forgotten.
macro_rules! fixtures {
    ($($name:ident . $extension:ident)*) => {
        $(#[test] fn $name() { check(concat!(stringify!($name), ".", stringify!($extension))); })*

        #[test]
        fn every_fixture_is_a_test() {
            let tested: BTreeSet<&str> =
                [$(concat!(stringify!($name), ".", stringify!($extension))),*].into_iter().collect();
            let helpers = ["bare.h", "libc.h", "copied_library.c"];
            for entry in fs::read_dir(fixtures()).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                assert!(tested.contains(name.as_str()) || helpers.contains(&name.as_str()), "{name} is never built");
            }
        }
    };
}

fixtures! {
    array_entered_at_its_second_element.c
    assembly_falls_through.S
    assembly_high_half_of_number.S
    assembly_jumps_into_the_middle.S
    assembly_number_by_arithmetic.S
    assembly_number_by_conditional_move.S
    assembly_number_by_flag.S
    assembly_number_by_swap.S
    assembly_number_compared.S
    assembly_number_far_above.S
    assembly_number_in_other_block.S
    assembly_number_in_partly_written_register.S
    assembly_number_in_slot_that_a_callee_writes.S
    assembly_number_kept_over_call.S
    assembly_number_overwritten.S
    assembly_number_passed_by_falling_through.S
    assembly_number_through_stack.S
    assembly_pointer_compared.S
    assembly_slot_overwritten.S
    assembly_stops_at_halt.S
    callback_argument.c
    cold_part.c
    computed_goto.c
    computed_goto_relative.c
    constant_tables.c
    copy_relocation.c
    exceptions.cc
    jump_table.c
    jump_table_two_level.c
    libc_calls.c
    libc_constructors.c
    libc_context.c
    libc_indirect_function.c
    libc_long_jump.c
    libc_packed_relocations.c
    libc_qsort_callback.c
    libc_signal_handler.c
    libc_syscall_function.c
    libc_syscall_function_by_pointer.c
    libc_syscall_function_open.c
    libc_syscall_function_table.c
    libc_thread.c
    libc_vfork.c
    number_behind_taken_wrapper.c
    number_computed.c
    number_from_switch.c
    number_from_table.c
    number_in_loop.c
    number_passed_to_start.S
    number_passed_to_thread.c
    number_through_wrapper.c
    pointer_in_global.c
    pointer_on_heap.c
    pointers_around_a_reference.c
    pointers_in_array.c
    pointers_in_structs.c
    relative_function_table.c
    static_objects.cc
    structure_entered_in_the_middle.c
    tail_call.c
    unreferenced_function.c
    virtual_functions.cc
    weak_symbol.c
}

#[derive(Default)]
struct Expectation {
    allowed: BTreeSet<String>,
    denied: BTreeSet<String>,
    open: bool,
    libraries: Vec<String>,
    builds: Vec<Build>,
}

struct Build {
    command: Vec<String>,
    imprecise: bool,
}

impl Expectation {
    fn read(source: &str) -> Self {
        let mut expectation = Self::default();
        let words = |rest: &str| rest.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        for line in source.lines() {
            let Some(directive) = line.strip_prefix("// ") else {
                break;
            };
            match directive.split_once(':').unwrap_or((directive, "")) {
                ("allowed", rest) => expectation.allowed.extend(words(rest)),
                ("denied", rest) => expectation.denied.extend(words(rest)),
                ("open", _) => expectation.open = true,
                ("library", rest) => expectation.libraries.extend(words(rest)),
                (kind @ ("build" | "imprecise"), rest) => expectation.builds.push(Build {
                    command: words(rest),
                    imprecise: kind == "imprecise",
                }),
                _ => panic!("no directive: {directive}"),
            }
        }
        assert!(!expectation.builds.is_empty(), "no way to build it");
        for call in expectation.allowed.iter().chain(&expectation.denied) {
            assert!(
                confine_kernel::call_named(call).is_some(),
                "no system call: {call}"
            );
        }
        expectation
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn check(fixture: &str) {
    let source = fixtures().join(fixture);
    let expectation = Expectation::read(&fs::read_to_string(&source).unwrap());
    let mut failures = Vec::new();
    for Build { command, imprecise } in &expectation.builds {
        let folder = tempfile::tempdir().unwrap();
        let Some(program) = compile(fixture, command, &expectation.libraries, folder.path()) else {
            println!("skipped: {} is missing", command[0]);
            continue;
        };
        let solution = solution(&program);
        let command = command.join(" ");
        let mut fail = |what: String| failures.push(format!("{command}: {what}"));
        lacks(&expectation, &solution, &observe(&program, folder.path()))
            .into_iter()
            .for_each(&mut fail);
        let more = has_more(&expectation, &solution);
        if !imprecise {
            more.into_iter().for_each(&mut fail);
        } else if more.is_empty() && env::var_os("CONFINE_UPDATE").is_some() {
            let now = fs::read_to_string(&source).unwrap();
            let line = |kind: &str| format!("// {kind}: {command}\n");
            fs::write(&source, now.replacen(&line("imprecise"), &line("build"), 1)).unwrap();
        } else if more.is_empty() {
            fail("is precise now: make it a `build`".to_owned());
        }
    }
    assert!(failures.is_empty(), "{fixture}:\n{}", failures.join("\n"));
}

/// What a solution must have and has not.
fn lacks(expectation: &Expectation, solution: &Solution, observed: &BTreeSet<String>) -> Vec<String> {
    // An open number allows everything.
    if !solution.open.is_empty() {
        return Vec::new();
    }
    let allowed: BTreeSet<String> = solution.calls.keys().map(|number| name(*number)).collect();
    let missing = expectation.allowed.difference(&allowed);
    let unforeseen = observed.difference(&allowed);
    let mut lacks: Vec<String> = missing.map(|call| format!("{call} is missing")).collect();
    lacks.extend(unforeseen.map(|call| format!("{call} was seen and is missing")));
    if expectation.open {
        lacks.push("no number is open".to_owned());
    }
    lacks
}

/// What a solution should not have and has.
fn has_more(expectation: &Expectation, solution: &Solution) -> Vec<String> {
    let allowed: BTreeSet<String> = solution.calls.keys().map(|number| name(*number)).collect();
    let denied = expectation.denied.intersection(&allowed);
    let mut more: Vec<String> = denied
        .map(|call| format!("{call} is allowed: {}", chain(solution, call)))
        .collect();
    if !expectation.open {
        let open = solution.open.iter().map(|open| &open.assumption);
        more.extend(open.map(|assumption| format!("open: {}: {}", assumption.place, assumption.detail)));
    }
    more
}

/// `None` where the compiler is missing.
fn compile(fixture: &str, build: &[String], libraries: &[String], folder: &Path) -> Option<PathBuf> {
    let program = folder.join("program");
    let mut command = Command::new(&build[0]);
    command
        .arg(fixtures().join(fixture))
        .arg("-o")
        .arg(&program)
        .args(["-fno-stack-protector", "-w"]);
    for library in libraries {
        let made = folder.join(format!("lib{}.so", library.trim_end_matches(".c")));
        let output = Command::new("gcc")
            .args(["-shared", "-fPIC", "-O2", "-w", "-o"])
            .args([&made, &fixtures().join(library)])
            .output()
            .ok()?;
        succeeded(&output);
        command.arg(&made);
    }
    if !libraries.is_empty() {
        command.arg("-Wl,-rpath,$ORIGIN");
    }
    let output = command.args(&build[1..]).output().ok()?;
    succeeded(&output);
    Some(program)
}

fn succeeded(output: &Output) {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Solves a program of this machine as it is at its start, without what it loads later.
fn solution(program: &Path) -> Solution {
    static ROOT: OnceLock<(Image, ObjectStore)> = OnceLock::new();
    let (image, store) = ROOT.get_or_init(|| {
        let image = confine_image::open("dir:/", &confine_image::OpenOptions::default()).unwrap();
        (image, ObjectStore::new())
    });
    let linked = link(
        &*image.files,
        store,
        program.to_str().unwrap(),
        &confine_link::Environment::default(),
    );
    let objects = linked.objects.iter();
    let facts: Vec<Arc<Facts>> = objects.map(|object| facts(&object.path, &object.elf)).collect();
    let start_up = conventions::start_up_functions(&linked).into_iter();
    let late_roots: Vec<LateRoot> = start_up
        .map(|(object, symbol)| LateRoot {
            object,
            symbol,
            reason: "looked up by the loader at start-up".to_owned(),
        })
        .collect();
    solve(&Input {
        linked: &linked,
        facts: &facts,
        late_roots: &late_roots,
        address_taken: AddressTaken::Reached,
        opaque: &opaque::states(&linked),
        configured: &[],
        interfaces: &[],
        arguments: true,
    })
}

/// The facts of an object; those of the machine's libraries are computed once.
fn facts(path: &str, object: &confine_elf::Object) -> Arc<Facts> {
    static KNOWN: Mutex<BTreeMap<String, Arc<OnceLock<Arc<Facts>>>>> = Mutex::new(BTreeMap::new());
    let cell = Arc::clone(KNOWN.lock().unwrap().entry(path.to_owned()).or_default());
    Arc::clone(cell.get_or_init(|| Arc::new(Facts::of(object))))
}

/// What a program and its children call from its own start on; nothing where that cannot be seen here.
fn observe(program: &Path, folder: &Path) -> BTreeSet<String> {
    let log = folder.join("calls");
    let traced = Command::new("timeout")
        .args(["20", "strace", "-f", "-qq", "-e", "trace=all", "-o"])
        .args([&log, program])
        .stdin(Stdio::null())
        .output();
    let Ok(text) = traced.and_then(|_| fs::read_to_string(&log)) else {
        println!("skipped: no strace");
        return BTreeSet::new();
    };
    let mut calls = BTreeSet::new();
    // The first line is strace's own execve of the program.
    for line in text.lines().skip(1) {
        let event = line
            .split_once(char::is_whitespace)
            .map_or("", |(_, rest)| rest.trim_start());
        if event.contains("SIGSEGV") || event.contains("SIGILL") {
            panic!("{} crashes: {text}", program.display());
        }
        if let Some((call, _)) = event.split_once('(')
            && confine_kernel::call_named(call).is_some()
        {
            calls.insert(call.to_owned());
        }
    }
    calls
}

fn chain(solution: &Solution, call: &str) -> String {
    let number = confine_kernel::call_named(call).map(|call| call.number);
    let evidence = number.and_then(|number| solution.calls.get(&number));
    let steps = evidence
        .map(|evidence| evidence.chain.as_slice())
        .unwrap_or_default();
    let steps: Vec<String> = steps
        .iter()
        .map(|step| format!("{} {:#x} ({})", step.function, step.address, step.how))
        .collect();
    steps.join(" → ")
}

fn name(number: u32) -> String {
    confine_kernel::name(number).map_or_else(|| number.to_string(), str::to_owned)
}
