//! What is counted in the kernel, held against what strace sees and what programs are known to do. Processes get a host
//! name of their own as a container's do. Needs root, as observing does; the tests say so and end where they lack it.
#![allow(
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail and explain themselves by them"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use confine_observe::{Error, Observation, Observer};

const MMAP: &str = "mmap";

/// Observes a line of shell script in a namespace with the host name; nothing without root.
fn observe(host_name: &str, script: &str) -> Option<Result<Observation, Error>> {
    let observer = match Observer::attach(host_name) {
        Ok(observer) => observer,
        Err(Error::NotPermitted(reason)) => {
            assert!(!is_root(), "root may not observe: {reason}");
            eprintln!("not tried without root: {reason}");
            return None;
        }
        Err(error) => panic!("{error}"),
    };
    run(host_name, script);
    Some(observer.finish())
}

/// The shell that names the host is the runtime's part; the one that it executes is the first program.
fn run(host_name: &str, script: &str) {
    let lines = "hostname \"$1\" && exec sh -c \"$2\"";
    let status = Command::new("unshare")
        .args(["--uts", "sh", "-c", lines, "sh", host_name, script])
        .stdout(std::process::Stdio::null())
        .status()
        .expect("unshare can be started");
    assert!(status.success(), "{script}: {status}");
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

fn resolved(path: &str) -> String {
    let resolved = std::fs::canonicalize(path).expect("it is there");
    resolved.to_string_lossy().into_owned()
}

/// How often each program was executed.
fn executions(seen: &Observation) -> BTreeMap<&str, u64> {
    let executed = seen.files.iter().filter(|file| file.executions > 0);
    executed
        .map(|file| (file.path.as_str(), file.executions))
        .collect()
}

/// How often a program made a call, and with which arguments.
fn calls(seen: &Observation, program: &str, call: &str) -> (u64, BTreeSet<[u64; 6]>) {
    let number = confine_kernel::call_named(call).expect("a call").number;
    let program = seen.files.iter().position(|file| file.path == program);
    assert!(program.is_some(), "{seen:?}");
    let made = seen.calls.iter();
    let made = made.filter(|count| count.program == program && count.number == number && !count.compat);
    let mut all = (0, BTreeSet::new());
    for count in made {
        all.0 += count.times;
        all.1.insert(count.arguments);
    }
    all
}

fn mapped(seen: &Observation, program: &str) -> Vec<String> {
    let pairs = seen.mapped.iter().filter(|pair| {
        let file = pair.program.and_then(|file| seen.files.get(file));
        file.is_some_and(|file| file.path == program)
    });
    pairs.map(|pair| seen.files[pair.other].path.clone()).collect()
}

#[test]
fn nothing_of_many_short_processes_is_lost() {
    let script = "i=0; while [ $i -lt 300 ]; do cat /dev/null & true; /bin/true; i=$((i+1)); done; wait";
    let Some(seen) = observe("confine-short", script) else {
        return;
    };
    let seen = seen.unwrap();
    let (sh, cat, truth) = (resolved("/bin/sh"), resolved("/bin/cat"), resolved("/bin/true"));
    let executions = executions(&seen);
    assert_eq!(executions[cat.as_str()], 300);
    assert_eq!(executions[truth.as_str()], 300);
    assert_eq!(executions[sh.as_str()], 1);
    // Each of them ends by exactly one call.
    for (program, times) in [(&cat, 300), (&truth, 300), (&sh, 1)] {
        let made = calls(&seen, program, "exit_group");
        assert_eq!(made.0, times, "{program}");
    }
    // What a child calls before it executes something is its parent's.
    assert_eq!(calls(&seen, &sh, "execve").0, 600);
}

#[test]
fn calls_and_values_are_those_that_strace_sees() {
    let script = "exec ls -l /usr/share";
    let Some(seen) = observe("confine-strace", script) else {
        return;
    };
    let seen = seen.unwrap();
    let folder = std::env::temp_dir().join(format!("confine-observe-test-{}", std::process::id()));
    let traced = Command::new("strace")
        .args(["-f", "-c", "-U", "name,calls", "-o"])
        .arg(&folder)
        .args(["ls", "-l", "/usr/share"])
        .stdout(std::process::Stdio::null())
        .status()
        .expect("strace can be started");
    assert!(traced.success());
    let table = std::fs::read_to_string(&folder).expect("strace writes");
    std::fs::remove_file(&folder).expect("it is ours");
    let ls = resolved("/bin/ls");
    let mut compared = 0;
    for line in table.lines() {
        let mut words = line.split_whitespace();
        let (Some(name), Some(Ok(times))) = (words.next(), words.next().map(str::parse::<u64>)) else {
            continue;
        };
        // Its own execution is the shell's call here; addresses decide how often memory is asked for.
        if confine_kernel::call_named(name).is_none() || ["execve", "brk", MMAP, "munmap"].contains(&name) {
            continue;
        }
        assert_eq!(calls(&seen, &ls, name).0, times, "{name}");
        compared += 1;
    }
    assert!(compared > 10, "{table}");
    // openat's flags are kept, its descriptor, path and mode are not.
    let (_, values) = calls(&seen, &ls, "openat");
    let flags: BTreeSet<u64> = values.iter().map(|values| values[2]).collect();
    assert!(flags.contains(&0o2_000_000), "O_CLOEXEC: {values:?}");
    assert!(
        values
            .iter()
            .all(|[one, two, _, four, ..]| [*one, *two, *four] == [0; 3])
    );
}

#[test]
fn objects_are_met_however_they_become_executable() {
    let folder = std::env::temp_dir().join(format!("confine-observe-maps-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let source = folder.join("maps.c");
    let text = r#"
        #include <fcntl.h>
        #include <sys/mman.h>
        int main(int count, char **arguments) {
            int mapped = open(arguments[1], O_RDONLY), protected = open(arguments[2], O_RDONLY);
            int data = open(arguments[3], O_RDONLY);
            if (mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, mapped, 0) == MAP_FAILED) return 1;
            void *later = mmap(0, 4096, PROT_READ, MAP_PRIVATE, protected, 0);
            if (later == MAP_FAILED || mprotect(later, 4096, PROT_READ | PROT_EXEC)) return 2;
            if (mmap(0, 4096, PROT_READ, MAP_PRIVATE, data, 0) == MAP_FAILED) return 3;
            void *own = mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            return own == MAP_FAILED ? 4 : 0;
        }"#;
    std::fs::write(&source, text).expect("it is writable");
    let program = folder.join("maps");
    let built = Command::new("cc").arg("-o").arg(&program).arg(&source).status();
    assert!(built.expect("a compiler").success());
    let files = ["mapped.so", "protected.so", "data"].map(|name| folder.join(name));
    for file in &files {
        std::fs::write(file, [0; 4096]).expect("it is writable");
    }
    let [mapped_file, protected, data] = files.map(|file| file.display().to_string());
    let program = program.display().to_string();
    let seen = observe(
        "confine-maps",
        &format!("{program} {mapped_file} {protected} {data}"),
    );
    std::fs::remove_dir_all(&folder).expect("it is ours");
    let Some(seen) = seen else { return };
    let objects = mapped(&seen.unwrap(), &program);
    assert!(objects.contains(&mapped_file), "{objects:?}");
    assert!(objects.contains(&protected), "{objects:?}");
    assert!(!objects.contains(&data), "{objects:?}");
    for library in ["/ld-linux-x86-64.so.2", "/libc.so.6"] {
        assert!(objects.iter().any(|path| path.ends_with(library)), "{objects:?}");
    }
}

#[test]
fn who_leaves_its_host_name_ends_the_observation() {
    let Some(seen) = observe("confine-rename", "hostname confine-other; cat /dev/null") else {
        return;
    };
    let error = seen.unwrap_err().to_string();
    assert!(error.contains("changed its host name"), "{error}");
}

#[test]
fn others_are_not_observed() {
    let Ok(observer) = Observer::attach("confine-alone") else {
        assert!(!is_root());
        return;
    };
    run("confine-alone-not", "cat /dev/null");
    assert_eq!(observer.finish().unwrap(), Observation::default());
}

#[test]
fn ever_new_values_fill_the_table_and_that_is_said() {
    // 200 000 values of an argument that says what the call does, one call each.
    let script = "perl -e 'syscall(72, 0, $_) for 1..200000'";
    let Some(seen) = observe("confine-full", script) else {
        return;
    };
    let error = seen.unwrap_err().to_string();
    assert!(error.contains("did not fit into the kernel's table"), "{error}");
}

#[test]
fn a_name_that_no_container_can_have_is_refused() {
    assert!(matches!(
        Observer::attach(&"x".repeat(64)),
        Err(Error::HostName(_))
    ));
}
