//! What strace saw, by program.

use std::collections::{BTreeMap, BTreeSet};

/// The `-e` option of strace for logs that tell the values of arguments, too: calls whose strings and results have to
/// be read keep their usual form.
pub const RAW: &str = "raw=!execve,clone,clone3,fork,vfork";

/// Calls by name, with the values of the arguments that say what each does (by index) where the log has them.
pub type Calls = BTreeMap<String, BTreeSet<Vec<(u32, u64)>>>;

/// The calls of a log of `strace -f`, by the path of the program that made them, from the `execve` that starts it to
/// that of another one, in all its processes. `resolve` follows links in a path. Calls of a kernel that the table of
/// calls does not know are left out.
pub fn calls_by_program(log: &str, resolve: impl Fn(&str) -> String) -> BTreeMap<String, Calls> {
    let mut seen: BTreeMap<String, Calls> = BTreeMap::new();
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
            let calls = seen.entry(program.clone()).or_default();
            let values = calls.entry(call.to_owned()).or_default();
            values.insert(line.values(call));
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
    /// What stands between its brackets, as far as this line has it.
    arguments: &'l str,
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
            arguments: event.split_once('(').map_or("", |(_, arguments)| arguments),
            string: event.split('"').nth(1),
            result: result.filter(|_| !event.ends_with("<unfinished ...>")),
        })
    }
}

impl Line<'_> {
    /// The values of the arguments that say what the call does, if they are written as numbers.
    fn values(&self, call: &str) -> Vec<(u32, u64)> {
        let facts = confine_kernel::call_named(call).map(|call| confine_kernel::arguments(call.number));
        let written = self
            .arguments
            .split([',', ')', ' '])
            .filter(|word| !word.is_empty());
        (0..)
            .zip(facts.unwrap_or_default().iter().zip(written))
            .filter(|(_, (fact, _))| fact.kind.is_restrictable())
            .filter_map(|(index, (fact, word))| {
                let value = match word.strip_prefix("0x") {
                    Some(digits) => u64::from_str_radix(digits, 16).ok()?,
                    None => word.parse().ok()?,
                };
                Some((index, value & fact.mask()))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_requests_and_flags() {
        let log = "\
10 execve(\"/first\", [\"first\"], 0x1 /* 2 vars */) = 0
10 ioctl(0x1, 0x5401, 0x7ffc) = -1 (errno 25)
10 ioctl(0xffffffff, 0xffffffff80045430, 0x7ffc <unfinished ...>
10 <... ioctl resumed>) = 0
10 lseek(0, 0, 0x1) = 0
";
        let seen = calls_by_program(log, str::to_owned);
        let values = |call: &str| seen["/first"][call].iter().flatten().copied().collect::<Vec<_>>();
        assert_eq!(values("ioctl"), [(1, 0x5401), (1, 0x8004_5430)]);
        assert_eq!(values("lseek"), [(2, 1)]);
    }

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
                    calls.keys().cloned().collect::<Vec<_>>().join(" ")
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
