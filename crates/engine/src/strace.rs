//! What strace saw, by program.

use std::collections::{BTreeMap, BTreeSet};

/// The `-e` option of strace for logs that tell the values of arguments, too: calls whose strings and results have to
/// be read keep their usual form.
pub const RAW: &str = "raw=!execve,clone,clone3,fork,vfork";

/// How the line of a call ends whose end is in a later one.
const UNFINISHED: &str = " <unfinished ...>";

/// Calls by name, with the values of the arguments that say what each does (by index) where the log has them.
pub type Calls = BTreeMap<String, BTreeSet<Vec<(u32, u64)>>>;

/// The calls of a log of `strace -f`, by the path of the program that made them, from the `execve` that starts it to
/// that of another one, in all its processes. `resolve` follows links in a path. Calls of a kernel that the table of
/// calls does not know are left out.
pub fn calls_by_program(log: &str, resolve: impl Fn(&str) -> String) -> BTreeMap<String, Calls> {
    let mut reader = Log::new(resolve);
    for line in log.lines() {
        reader.line(line);
    }
    reader.finish()
}

/// A log that is read line by line, while strace writes it: what is kept grows with what is seen, not with its length.
///
/// Lines of a process whose parent's call has not returned yet wait until it has; those of one whose parent's call
/// never does are lost.
pub struct Log<R> {
    resolve: R,
    programs: Vec<String>,
    calls: Vec<Calls>,
    /// For each program and call the first line that shows it.
    examples: BTreeMap<(usize, String), String>,
    processes: BTreeMap<String, Process>,
    /// The process that strace started itself.
    first: Option<String>,
    /// The line before.
    last: String,
    /// Lines by their processes that say just what the line before says of another one.
    repeated: BTreeMap<String, String>,
}

/// What is known of a process.
#[derive(Default)]
struct Process {
    /// Index of the program that it runs, once that is known.
    program: Option<usize>,
    /// The call whose end is still to come.
    call: Option<String>,
    /// The path that this call executes.
    executes: Option<String>,
    /// Its lines from before it was known whose child it is.
    waiting: Vec<String>,
}

impl<R: Fn(&str) -> String> Log<R> {
    /// The beginning of a log; `resolve` follows links in a path.
    pub fn new(resolve: R) -> Self {
        Self {
            resolve,
            programs: Vec::new(),
            calls: Vec::new(),
            examples: BTreeMap::new(),
            processes: BTreeMap::new(),
            first: None,
            last: String::new(),
            repeated: BTreeMap::new(),
        }
    }

    /// Reads the next line.
    ///
    /// Of a process that is killed while strace asks what it calls, strace says what it was told of the process before: such
    /// a line counts when its process is seen once more.
    pub fn line(&mut self, text: &str) {
        let Some((process, event)) = text.split_once(' ') else {
            return;
        };
        if let Some(repeated) = self.repeated.remove(process)
            && event.trim_start() != "+++ killed by SIGKILL +++"
        {
            self.take(&repeated);
        }
        let before = self.last.split_once(' ');
        let is_repeated = event.ends_with(UNFINISHED)
            && before.is_some_and(|(other, before)| other != process && before == event);
        self.last.clear();
        self.last.push_str(text);
        match is_repeated {
            true => {
                self.repeated.insert(process.to_owned(), text.to_owned());
            }
            false => self.take(text),
        }
    }

    fn take(&mut self, text: &str) {
        if let Some((process, event)) = text.split_once(' ')
            && let Some(end) = event.trim_start().strip_prefix("+++ ")
        {
            self.ended(process, text, end);
            return;
        }
        let Some(line) = Line::read(text) else {
            return;
        };
        let is_first = self.first.get_or_insert_with(|| line.process.to_owned()) == line.process;
        let process = self.processes.entry(line.process.to_owned()).or_default();
        if process.program.is_none() && !is_first {
            process.waiting.push(text.to_owned());
            return;
        }
        self.known(&line, text);
    }

    /// The first lines that show what a program calls, by its path and the call.
    pub fn examples(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        let mut examples: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for ((program, call), line) in &self.examples {
            if let Some(program) = self.programs.get(*program) {
                let lines = examples.entry(program.clone()).or_default();
                lines.insert(call.clone(), line.clone());
            }
        }
        examples
    }

    /// What each program was seen to call.
    pub fn finish(mut self) -> BTreeMap<String, Calls> {
        for text in std::mem::take(&mut self.repeated).into_values() {
            self.take(&text);
        }
        let named = self.programs.into_iter().zip(self.calls);
        named.filter(|(_, calls)| !calls.is_empty()).collect()
    }

    /// Its number may come again, but for a leader one of whose threads executes: that goes on under its number.
    fn ended(&mut self, process: &str, text: &str, end: &str) {
        match self.processes.get_mut(process) {
            _ if end.starts_with("superseded") => {}
            Some(waits) if waits.program.is_none() && !waits.waiting.is_empty() => {
                waits.waiting.push(text.to_owned());
            }
            _ => {
                self.processes.remove(process);
            }
        }
    }

    /// A line of a process that is not waiting for its parent.
    fn known(&mut self, line: &Line<'_>, text: &str) {
        let process = self.processes.entry(line.process.to_owned()).or_default();
        if let Some(call) = line.call {
            if let Some(program) = process.program
                && let Some(calls) = self.calls.get_mut(program)
            {
                if !calls.contains_key(call) {
                    self.examples.insert((program, call.to_owned()), text.to_owned());
                }
                add(calls, call, line.values(call));
            }
            process.call = Some(call.to_owned());
            process.executes = line.string.filter(|_| call == "execve").map(str::to_owned);
        }
        let Some(result) = line.result else {
            if let Some(leader) = line.executes_as {
                let executes = process.executes.take();
                let leader = self.processes.entry(leader.to_owned()).or_default();
                leader.call = Some("execve".to_owned());
                leader.executes = executes;
            }
            return;
        };
        let program = process.program;
        match process.call.take().as_deref() {
            Some("execve") => {
                if let Some(path) = process.executes.take()
                    && result == "0"
                {
                    process.program =
                        Some(intern(&mut self.programs, &mut self.calls, (self.resolve)(&path)));
                }
            }
            Some("clone" | "clone3" | "fork" | "vfork")
                if result.parse().is_ok_and(|child: u32| child > 0) =>
            {
                self.born(result, program);
            }
            _ => {}
        }
    }

    /// A child inherits what its parent runs when it is made, not what that runs later.
    fn born(&mut self, child: &str, program: Option<usize>) {
        let process = self.processes.entry(child.to_owned()).or_default();
        let waiting = std::mem::take(&mut process.waiting);
        *process = Process {
            program,
            ..Process::default()
        };
        for text in waiting {
            self.take(&text);
        }
    }
}

/// The index of a program.
fn intern(programs: &mut Vec<String>, calls: &mut Vec<Calls>, path: String) -> usize {
    if let Some(index) = programs.iter().position(|program| *program == path) {
        return index;
    }
    programs.push(path);
    calls.push(Calls::new());
    programs.len() - 1
}

/// Notes a call; allocates only where it is new.
fn add(calls: &mut Calls, call: &str, values: Vec<(u32, u64)>) {
    match calls.get_mut(call) {
        Some(known) => {
            known.insert(values);
        }
        None => {
            calls.insert(call.to_owned(), BTreeSet::from([values]));
        }
    }
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
    /// The process that the call goes on as, where a thread executes a program.
    executes_as: Option<&'l str>,
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
            result: result.filter(|_| !event.ends_with(" ...>")),
            executes_as: event
                .strip_suffix(" ...>")
                .and_then(|event| event.rsplit_once("<pid changed to "))
                .map(|(_, leader)| leader),
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
    fn a_number_that_comes_again_is_another_process() {
        let log = "\
10 execve(\"/first\", [\"first\"], 0x1 /* 2 vars */) = 0
10 fork() = 11
11 execve(\"/second\", [\"second\"], 0x1 /* 2 vars */) = 0
11 exit_group(0) = ?
11 +++ exited with 0 +++
11 getuid() = 0
11 +++ exited with 0 +++
10 fork() = 11
";
        let seen = calls_by_program(log, str::to_owned);
        assert!(seen["/first"].contains_key("getuid"), "{seen:?}");
        assert!(!seen["/second"].contains_key("getuid"), "{seen:?}");
    }

    #[test]
    fn a_thread_executes_as_its_leader() {
        let log = "\
10 execve(\"/first\", [\"first\"], 0x1 /* 2 vars */) = 0
10 clone3({flags=CLONE_VM}, 88) = 11
10 futex(0x1, 0, 0 <unfinished ...>
11 execve(\"/second\", [\"second\"], 0x1 /* 2 vars */ <pid changed to 10 ...>
10 +++ superseded by execve in pid 11 +++
10 <... execve resumed>) = 0
10 getuid() = 0
";
        let mut reader = Log::new(str::to_owned);
        log.lines().for_each(|line| reader.line(line));
        assert_eq!(reader.examples()["/second"]["getuid"], "10 getuid() = 0");
        assert!(!reader.finish()["/first"].contains_key("getuid"));
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

    #[test]
    fn what_is_repeated_of_a_killed_process_does_not_count() {
        let log = |end: &str| {
            let log = format!(
                "\
10 execve(\"/first\", [\"first\"], 0x1 /* 2 vars */) = 0
10 vfork() = 11
11 execve(\"/second\", [\"second\"], 0x1 /* 2 vars */) = 0
11 getpid() = 11
10 kill(0xb, 0x9 <unfinished ...>
11 kill(0xb, 0x9 <unfinished ...>
10 <... kill resumed>) = 0
11 {end}
"
            );
            calls_by_program(&log, str::to_owned)
        };
        let killed = log("+++ killed by SIGKILL +++");
        assert!(killed["/first"].contains_key("kill"));
        assert!(!killed["/second"].contains_key("kill"));
        assert!(log("<... kill resumed>) = 0")["/second"].contains_key("kill"));
        assert!(log("+++ exited with 0 +++")["/second"].contains_key("kill"));
    }
}
