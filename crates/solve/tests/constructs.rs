//! What compilers emit, construct by construct: each fixture is built as its first lines say, solved, compared
//! with what they expect, and executed, so that what it really calls holds the expectation to its word.
//!
//! A fixture begins with lines of comment:
//! - `// allowed: CALL…`: the solution has these;
//! - `// denied: CALL…`: it lacks these, which only code that nothing reaches makes;
//! - `// open`: a call number stays open (without this line, none may);
//! - `// values: CALL ARGUMENT=VALUE,… …`: over all combinations these and no others are the argument's values;
//! - `// passes: CALL ARGUMENT=VALUE,… …`: each combination of these is admitted;
//! - `// refuses: CALL ARGUMENT=VALUE,… …`: none of these is;
//! - `// falls back: CALL…`: whoever makes one of these, and no other, makes another call where the kernel does not know it;
//! - `// executes: NAME "STRING" "WORD"…`: the C library's function is given this string and this list of words, `?` for
//!   one that is not known and `…` where the list's end is not;
//! - `// library: FILE FLAG…`: is built from this fixture's neighbour as a shared library beside it;
//! - `// cases: NAME…`: each build is made and run once for each, with `CASE` defined as it, since a place that passes
//!   anything hides what others lack;
//! - `// build: COMPILER FLAG…`: once for each way to build it;
//! - `// imprecise: COMPILER FLAG…`: built so, the solution still holds more than expected, never less;
//!   `CONFINE_UPDATE=1` makes a `build` of what now meets the expectation.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail and may say what it skips"
)]

#[path = "constructs/build.rs"]
mod build;
#[path = "constructs/expectation.rs"]
mod expectation;
#[path = "constructs/solved.rs"]
mod solved;

use std::collections::BTreeSet;
use std::{env, fs};

use confine_engine::strace::Calls;
use confine_solve::{Solution, Step, Values};

use build::{build, fixtures};
use expectation::{Expectation, Given};
use solved::{admits, observe, solution};

/// One test for each fixture, and one that none was forgotten.
macro_rules! fixtures {
    ($($name:ident . $extension:ident)*) => {
        $(#[test] fn $name() { check(concat!(stringify!($name), ".", stringify!($extension))); })*

        #[test]
        fn every_fixture_is_a_test() {
            let tested: BTreeSet<&str> =
                [$(concat!(stringify!($name), ".", stringify!($extension))),*].into_iter().collect();
            let helpers = ["bare.h", "libc.h", "arguments.h", "clone.h", "assembly.h", "copied_library.c", "library_of_versions.c",
                "library_of_versions.map", "library_that_is_told.c", "library_that_starts.c"];
            for entry in fs::read_dir(fixtures()).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                assert!(tested.contains(name.as_str()) || helpers.contains(&name.as_str()), "{name} is never built");
            }
        }
    };
}

fixtures! {
    address_inside_function.c
    array_entered_at_its_second_element.c
    assembly_computed_jumps.S
    assembly_falls_through.S
    assembly_high_half_of_number.S
    assembly_jumps_computed_otherwise.S
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
    assembly_pointers.S
    assembly_slot_overwritten.S
    assembly_stops_at_halt.S
    assembly_table_that_goes_on.S
    call_never_left.c
    callback_argument.c
    cold_part.c
    computed_goto.c
    computed_goto_relative.c
    constant_tables.c
    copy_relocation.c
    coroutines.cc
    exceptions.cc
    falls_back_to_clone.c
    go_closures_and_methods.go
    go_constant_calls.go
    go_files_and_network.go
    go_goroutines.go
    go_loop_that_recovers.go
    go_numbers_in_table.go
    go_raw_calls.go
    go_recovers.go
    handler_that_continues_elsewhere.c
    jump_table.c
    jump_table_two_level.c
    large_code_model_cold_part.c
    large_code_model_exceptions.cc
    large_code_model_libc_thread.c
    libc_abort.c
    libc_breakpoint.c
    libc_calls.c
    libc_cancellation.c
    libc_clock.c
    libc_clock_fall_back.c
    libc_constructors.c
    libc_context.c
    libc_executes.c
    libc_exit_handlers.c
    libc_indirect_function.c
    libc_interposed.c
    libc_long_jump.c
    libc_names_and_network.c
    libc_no_stubs.c
    libc_packed_relocations.c
    libc_priority_lock.c
    libc_qsort_callback.c
    libc_resumed_call.c
    libc_robust_and_shared_locks.c
    libc_signal_handler.c
    libc_spawn.c
    libc_spawn_by_the_library.c
    libc_spawn_in_a_session.c
    libc_streams_and_folders.c
    libc_syscall_function.c
    libc_syscall_function_by_pointer.c
    libc_syscall_function_in_loop.c
    libc_syscall_function_open.c
    libc_syscall_function_table.c
    libc_thread.c
    libc_timers.c
    libc_user_of_all_threads.c
    libc_values_after_long_jump.c
    libc_values_after_signal.c
    libc_values_after_second_return.c
    libc_values_behind_pointer.c
    libc_values_clone.c
    libc_values_fcntl.c
    libc_values_fopen.c
    libc_values_in_thread_local.c
    libc_values_ioctl.c
    libc_values_lock.c
    libc_values_memory.c
    libc_values_of_children.c
    libc_values_open.c
    libc_values_open_flags.c
    libc_values_prctl.c
    libc_values_process.c
    libc_values_socket.c
    libc_values_syscall_function.c
    libc_vfork.c
    loop_that_an_exception_ends.cc
    nested_function_on_the_stack.c
    no_fall_back_through_a_library.c
    no_fall_back_to_clone.c
    number_after_second_return.c
    number_behind_changed_pointer.c
    number_behind_taken_wrapper.c
    number_beside_zeroes.c
    number_computed.c
    number_from_switch.c
    number_from_table.c
    number_in_loop.c
    number_passed_to_start.S
    number_passed_to_thread.c
    number_through_wrapper.c
    number_told_through_a_library.c
    own_indirect_functions.c
    plain_debug_trap.c
    pointer_in_global.c
    pointer_on_heap.c
    pointers_around_a_reference.c
    pointers_in_array.c
    pointers_in_structs.c
    pointers_unaligned.c
    relative_function_table.c
    return_address_changed.c
    returns_twice.c
    rust_bare.rs
    rust_files_and_processes.rs
    rust_panic.rs
    rust_panic_caught.rs
    rust_threads.rs
    rust_trait_objects.rs
    speculation_thunks_callback_argument.c
    speculation_thunks_computed_goto.c
    speculation_thunks_tail_call.c
    static_objects.cc
    structure_entered_in_the_middle.c
    table_beside_numbers.c
    tables_of_one_shape.c
    tail_call.c
    thread_local_objects.cc
    thread_local_zeroes.c
    thread_on_own_stack.c
    unreferenced_function.c
    values_after_compares.S
    values_after_stores.S
    values_after_string_instructions.S
    values_among_variable_arguments.c
    values_behind_changed_clone.c
    values_behind_changed_pointers.c
    values_behind_clone.c
    values_behind_structure.c
    values_by_any_caller.c
    values_by_caller.c
    values_by_conventions.c
    values_by_tail_call.c
    values_conditional_move.c
    values_conditional_of_two.c
    values_exchanged.c
    values_exclusive_or.c
    values_flag_added.c
    values_flag_added_behind_pointer.c
    values_flag_added_to_any.c
    values_from_structures.c
    values_from_table.c
    values_from_table_by_any_caller.c
    values_in_cleared_structure.S
    values_in_constant_global.c
    values_in_global.c
    values_in_loop.c
    values_in_reused_argument_slots.c
    values_in_shared_variable.c
    values_level_with_option.c
    values_narrowed.c
    values_negative.c
    values_negative_of_64_bits.c
    values_of_arithmetic.S
    values_of_changed_variables.c
    values_of_cleared_vectors.S
    values_of_clone.c
    values_of_memory_calls.c
    values_of_nested_function.c
    values_of_prctl.c
    values_of_two_calls.c
    values_of_widths.S
    values_on_a_growing_stack.c
    values_on_the_stack.c
    values_open_by_a_pointer.c
    values_open_in_one_place.c
    values_over_a_call.c
    values_request_constant.c
    values_returned.c
    values_returned_in_memory.c
    values_slot_changed_through_pointer.c
    values_slot_written_in_parts.c
    values_socket_tuples.c
    values_structure_by_value.c
    values_structure_changed.c
    values_structure_copied.c
    values_variable_arguments.c
    values_widened.c
    values_within_bound_by_any_caller.c
    versioned_symbols.c
    virtual_bases.cc
    virtual_functions.cc
    weak_symbol.c
}

fn check(fixture: &str) {
    let source = fixtures().join(fixture);
    let expectation = Expectation::read(&fs::read_to_string(&source).unwrap());
    let mut failures = Vec::new();
    let commands = expectation.builds.iter().flat_map(|build| {
        let commands = build.commands(&expectation.cases).into_iter();
        commands.map(|command| (command, build.imprecise))
    });
    for (command, imprecise) in commands {
        let folder = tempfile::tempdir().unwrap();
        let Some(program) = build(fixture, &command, &expectation.libraries, folder.path()) else {
            println!("skipped: {} is missing", command[0]);
            continue;
        };
        let solution = solution(&program, !expectation.executes.is_empty());
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
        } else {
            println!("{command}: {}", more.join("; "));
        }
    }
    assert!(failures.is_empty(), "{fixture}:\n{}", failures.join("\n"));
}

/// What a solution must have and has not.
fn lacks(expectation: &Expectation, solution: &Solution, observed: &Calls) -> Vec<String> {
    // An open number allows everything.
    if !solution.open.is_empty() {
        return Vec::new();
    }
    let allowed: BTreeSet<String> = solution.calls.keys().map(|number| name(*number)).collect();
    let missing = expectation.allowed.difference(&allowed);
    let mut lacks: Vec<String> = missing.map(|call| format!("{call} is missing")).collect();
    if expectation.open {
        lacks.push("no number is open".to_owned());
    }
    for (call, values) in observed {
        let number = confine_kernel::call_named(call).map(|call| call.number);
        match number.and_then(|number| solution.calls.get(&number)) {
            None => lacks.push(format!("{call} was seen and is missing")),
            Some(evidence) => {
                let unforeseen = values.iter().filter(|values| !admits(evidence, values));
                lacks.extend(
                    unforeseen.map(|values| format!("{call} with {values:x?} was seen and is missing")),
                );
            }
        }
    }
    let expected = expectation.passes.iter().flat_map(combinations);
    let missing = expected.filter(|(given, values)| !is_admitted(solution, given, values));
    lacks.extend(missing.map(|(given, values)| format!("{} with {values:x?} is missing", given.call.name)));
    for given in &expectation.values {
        let each = given.values.iter().flat_map(|(index, values)| {
            let alone = values.iter().map(move |value| [(*index, *value)]);
            alone.filter(|alone| !is_admitted(solution, given, alone))
        });
        lacks.extend(each.map(|alone| format!("{} with {alone:x?} is missing", given.call.name)));
    }
    if let Some(expected) = &expectation.falls_back {
        let falling_back = falling_back(solution);
        let others = falling_back.difference(expected);
        lacks.extend(others.map(|call| format!("{call} falls back")));
    }
    let executes = executes(solution);
    let missing = expectation.executes.difference(&executes);
    lacks.extend(missing.map(|one| format!("{one} is not executed but {executes:#?}")));
    lacks
}

/// The calls that another one is made in place of.
fn falling_back(solution: &Solution) -> BTreeSet<String> {
    let calls = solution.calls.iter();
    let falling_back = calls.filter(|(_, evidence)| evidence.falls_back_to.is_some());
    falling_back.map(|(number, _)| name(*number)).collect()
}

/// What is executed, as fixtures write it; what the C library does for its own callers left out.
fn executes(solution: &Solution) -> BTreeSet<String> {
    let own = solution.passed.iter().filter(|passed| passed.object == 0);
    own.map(|passed| {
        let shown = |word: &Option<String>| match word {
            Some(word) => format!("{word:?}"),
            None => "?".to_owned(),
        };
        let mut words = vec![passed.interface.clone(), shown(&passed.string)];
        words.extend(passed.list.iter().map(shown));
        if !passed.whole {
            words.push("…".to_owned());
        }
        words.join(" ")
    })
    .collect()
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
    let falling_back = falling_back(solution);
    let stays = expectation.falls_back.iter().flatten();
    let stays = stays.filter(|call| !falling_back.contains(*call));
    more.extend(stays.map(|call| format!("{call} does not fall back")));
    let refused = expectation.refuses.iter().flat_map(combinations);
    let admitted = refused.filter(|(given, values)| is_admitted(solution, given, values));
    more.extend(admitted.map(|(given, values)| format!("{} with {values:x?} is allowed", given.call.name)));
    more.extend(
        expectation
            .values
            .iter()
            .flat_map(|given| other_values(solution, given)),
    );
    more
}

/// Where a solution has values of arguments that are not among those that are given.
fn other_values(solution: &Solution, given: &Given) -> Vec<String> {
    let Some(evidence) = solution.calls.get(&given.call.number) else {
        return Vec::new();
    };
    if evidence.arguments.is_empty() {
        return vec![format!("{} has any arguments", given.call.name)];
    }
    let mut others = Vec::new();
    for (index, expected) in &given.values {
        for combination in &evidence.arguments {
            let values = &combination.values[*index as usize];
            if !matches!(values, Values::Numbers(numbers) if numbers.is_subset(expected)) {
                let way = steps(&combination.chain);
                others.push(format!("{} has {values:x?} at {index}: {way}", given.call.name));
            }
        }
    }
    others
}

fn combinations(given: &Given) -> impl Iterator<Item = (&Given, Vec<(u32, u64)>)> {
    given
        .combinations()
        .into_iter()
        .map(move |values| (given, values))
}

fn is_admitted(solution: &Solution, given: &Given, values: &[(u32, u64)]) -> bool {
    let evidence = solution.calls.get(&given.call.number);
    evidence.is_some_and(|evidence| admits(evidence, values))
}

fn chain(solution: &Solution, call: &str) -> String {
    let number = confine_kernel::call_named(call).map(|call| call.number);
    let evidence = number.and_then(|number| solution.calls.get(&number));
    steps(
        evidence
            .map(|evidence| evidence.chain.as_slice())
            .unwrap_or_default(),
    )
}

fn steps(chain: &[Step]) -> String {
    let steps: Vec<String> = chain
        .iter()
        .map(|step| format!("{} {:#x} ({})", step.function, step.address, step.how))
        .collect();
    steps.join(" → ")
}

fn name(number: u32) -> String {
    confine_kernel::name(number).map_or_else(|| number.to_string(), str::to_owned)
}
