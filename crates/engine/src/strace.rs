//! What strace saw, by program.

use std::collections::{BTreeMap, BTreeSet};

/// The calls of a log of `strace -f`, by the path of the program that made them, from the `execve` that starts it to
/// that of another one, in all its processes. `resolve` follows links in a path. Calls of a kernel that the table of
/// calls does not know are left out.
pub fn calls_by_program(log: &str, resolve: impl Fn(&str) -> String) -> BTreeMap<String, BTreeSet<String>> {
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let lines = || log.lines().filter_map(Line::read);
    let mut parents: BTreeMap<&str, &str> = BTreeMap::new();
    let mut started: BTreeMap<&str, &str> = BTreeMap::new();
    for line in lines() {
        let call = line.call.or_else(|| started.get(line.process).copied());
        started.insert(line.process, call.unwrap_or_default());
        if let (Some("clone" | "clone3" | "fork" | "vfork"), Some(result)) = (call, line.result) {
            parents.insert(result, line.process);
        }
    }
    let mut running: BTreeMap<&str, String> = BTreeMap::new();
    let mut executes: BTreeMap<&str, String> = BTreeMap::new();
    for line in lines() {
        if !running.contains_key(line.process)
            && let Some(program) = parents
                .get(line.process)
                .and_then(|parent| running.get(parent))
                .cloned()
        {
            running.insert(line.process, program);
        }
        // A child inherits what its parent runs when it is made, not what it runs later.
        if let Some(child) = line.result
            && parents.get(child) == Some(&line.process)
            && let Some(program) = running.get(line.process).cloned()
        {
            running.entry(child).or_insert(program);
        }
        if let (Some(call), Some(program)) = (line.call, running.get(line.process)) {
            seen.entry(program.clone()).or_default().insert(call.to_owned());
        }
        if let (Some("execve"), Some(path)) = (line.call, line.string) {
            executes.insert(line.process, path.to_owned());
        }
        if line.call.is_none_or(|call| call == "execve")
            && line.result == Some("0")
            && let Some(path) = executes.remove(line.process)
        {
            running.insert(line.process, resolve(&path));
        }
    }
    seen
}

/// One line of a log: `PROCESS call(arguments) = result`, or half of one where processes interleave.
struct Line<'l> {
    process: &'l str,
    /// `None` where only the end of the call is in this line.
    call: Option<&'l str>,
    /// The first string among the arguments.
    string: Option<&'l str>,
    /// `None` where the end of the call is not in this line.
    result: Option<&'l str>,
}

impl<'l> Line<'l> {
    /// `None` for signals and exits.
    fn read(line: &'l str) -> Option<Self> {
        let (process, event) = line.split_once(' ')?;
        let event = event.trim_start();
        let resumed = event.starts_with("<... ");
        if event.starts_with(['+', '-']) {
            return None;
        }
        let result = event
            .rsplit_once(" = ")
            .map(|(_, result)| result.split(' ').next().unwrap_or_default());
        let call = event.split_once('(').map(|(call, _)| call).filter(|_| !resumed);
        Some(Self {
            process,
            call: call.filter(|call| confine_kernel::call_named(call).is_some()),
            string: event.split('"').nth(1),
            result: result.filter(|_| !event.ends_with("<unfinished ...>")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_count_for_the_program_that_makes_them() {
        let log = "\
10 execve(\"/nonexistent/first\", [\"first\"], 0x1 /* 2 vars */) = 0
10 getpid() = 10
10 vfork( <unfinished ...>
11 getppid() = 10
11 execve(\"/nonexistent/second\", [\"second\"], 0x1 /* 2 vars */ <unfinished ...>
10 <... vfork resumed>) = 11
10 --- SIGCHLD {si_signo=SIGCHLD} ---
11 <... execve resumed>) = 0
11 gettid() = 11
11 execve(\"/nonexistent/third\", [\"third\"], 0x1 /* 2 vars */) = -1 ENOENT (No such file)
11 exit_group(0) = ?
11 +++ exited with 0 +++
10 getuid() = 0
";
        let seen = calls_by_program(log, str::to_owned);
        let text: Vec<String> = seen
            .iter()
            .map(|(program, calls)| {
                format!(
                    "{program}: {}",
                    calls.iter().cloned().collect::<Vec<_>>().join(" ")
                )
            })
            .collect();
        assert_eq!(
            text,
            [
                "/nonexistent/first: execve getpid getppid getuid vfork",
                "/nonexistent/second: execve exit_group gettid",
            ]
        );
    }
}
