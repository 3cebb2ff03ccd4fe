//! What confine says of a program, and what strace sees of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};

use confine_code::Facts;
use confine_engine::strace;
use confine_image::Image;
use confine_link::{ObjectStore, conventions, link, opaque};
use confine_solve::{
    AddressTaken, Evidence, Input, Interface, LateRoot, List, Solution, Values, WantedArguments, solve,
};

/// Calls that the kernel makes a program make: the policy has them from the base set.
const BY_THE_KERNEL: [&str; 1] = ["restart_syscall"];

/// Solves a program of this machine as it is at its start, without what it loads later.
pub fn solution(program: &Path, executes: bool) -> Solution {
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
            ..LateRoot::default()
        })
        .collect();
    let interfaces = [
        ("execv", 0, Some(List::Array(1))),
        ("execl", 0, Some(List::Rest(1))),
        ("execlp", 0, Some(List::Rest(1))),
        ("posix_spawnp", 1, Some(List::Array(4))),
        ("system", 0, None),
    ];
    let interfaces = interfaces.map(|(name, argument, list)| Interface {
        name: name.to_owned(),
        argument,
        list,
        null_is_empty: false,
    });
    solve(&Input {
        linked: &linked,
        facts: &facts,
        late_roots: &late_roots,
        address_taken: AddressTaken::Reached,
        opaque: &opaque::states(&linked),
        configured: &[],
        unread: &[],
        interfaces: if executes { &interfaces } else { &[] },
        arguments: WantedArguments::Telling,
    })
}

/// The facts of an object; those of the machine's libraries are computed once.
fn facts(path: &str, object: &confine_elf::Object) -> Arc<Facts> {
    static KNOWN: Mutex<BTreeMap<String, Arc<OnceLock<Arc<Facts>>>>> = Mutex::new(BTreeMap::new());
    let cell = Arc::clone(KNOWN.lock().unwrap().entry(path.to_owned()).or_default());
    Arc::clone(cell.get_or_init(|| Arc::new(Facts::of(object))))
}

/// Whether the call may have these values of some of its arguments, by index.
pub fn admits(evidence: &Evidence, given: &[(u32, u64)]) -> bool {
    let admitted = |values: &Values, value: u64| match values {
        Values::Any => true,
        Values::Numbers(numbers) => numbers.contains(&value),
        Values::Bits { known, set } => value & known == *set,
    };
    evidence.arguments.is_empty()
        || evidence.arguments.iter().any(|combination| {
            let mut given = given.iter();
            given.all(|(index, value)| admitted(&combination.values[*index as usize], *value))
        })
}

/// What a program and its children call from its own start on; nothing where that cannot be seen here.
pub fn observe(program: &Path, folder: &Path) -> strace::Calls {
    let log = folder.join("calls");
    let traced = Command::new("timeout")
        .args(["20", "strace", "-f", "-qq", "-e", strace::RAW, "-o"])
        .args([&log, program])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let Ok(text) = traced.and_then(|_| fs::read_to_string(&log)) else {
        println!("skipped: no strace");
        return strace::Calls::new();
    };
    let crashed = |line: &str| line.contains("--- SIGSEGV") || line.contains("--- SIGILL");
    assert!(
        !text.lines().any(crashed),
        "{} crashes: {text}",
        program.display()
    );
    let resolve = |path: &str| path.to_owned();
    let mut calls = strace::calls_by_program(&text, resolve)
        .remove(program.to_str().unwrap())
        .unwrap_or_default();
    calls.retain(|call, _| !BY_THE_KERNEL.contains(&call.as_str()));
    calls
}
