//! The functions of Python that execute programs, and where each has its command.

/// Where a function has its command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The first argument: a list of words, a name, or with `shell=True` a text for a shell.
    Process,
    /// The first argument is a text for a shell.
    Shell,
    /// The arguments are the words, after so many others.
    Words(usize),
    /// A path after so many arguments, then the words as arguments, the name first.
    PathAndWords(usize),
    /// A path after so many arguments, then a list of words, the name first.
    PathAndList(usize),
}

/// Functions that execute programs, by module and name (Python 3's library reference: subprocess, os, pty, asyncio).
const TABLE: &[(&str, &str, Shape)] = &[
    ("subprocess", "run", Shape::Process),
    ("subprocess", "call", Shape::Process),
    ("subprocess", "check_call", Shape::Process),
    ("subprocess", "check_output", Shape::Process),
    ("subprocess", "Popen", Shape::Process),
    ("subprocess", "getoutput", Shape::Shell),
    ("subprocess", "getstatusoutput", Shape::Shell),
    ("os", "system", Shape::Shell),
    ("os", "popen", Shape::Shell),
    ("os", "execl", Shape::PathAndWords(0)),
    ("os", "execle", Shape::PathAndWords(0)),
    ("os", "execlp", Shape::PathAndWords(0)),
    ("os", "execlpe", Shape::PathAndWords(0)),
    ("os", "execv", Shape::PathAndList(0)),
    ("os", "execve", Shape::PathAndList(0)),
    ("os", "execvp", Shape::PathAndList(0)),
    ("os", "execvpe", Shape::PathAndList(0)),
    ("os", "spawnl", Shape::PathAndWords(1)),
    ("os", "spawnle", Shape::PathAndWords(1)),
    ("os", "spawnlp", Shape::PathAndWords(1)),
    ("os", "spawnlpe", Shape::PathAndWords(1)),
    ("os", "spawnv", Shape::PathAndList(1)),
    ("os", "spawnve", Shape::PathAndList(1)),
    ("os", "spawnvp", Shape::PathAndList(1)),
    ("os", "spawnvpe", Shape::PathAndList(1)),
    ("os", "posix_spawn", Shape::PathAndList(0)),
    ("os", "posix_spawnp", Shape::PathAndList(0)),
    ("pty", "spawn", Shape::Process),
    ("asyncio", "create_subprocess_exec", Shape::Words(0)),
    ("asyncio", "create_subprocess_shell", Shape::Shell),
];

/// Methods of event loops, whatever their object is called.
pub const METHODS: &[(&str, Shape)] = &[
    ("subprocess_exec", Shape::Words(1)),
    ("subprocess_shell", Shape::Words(1)),
];

/// Where a module's function of that name has its command, if it executes programs.
pub fn function(module: &str, name: &str) -> Option<Shape> {
    let mut functions = TABLE.iter();
    let found = functions.find(|(known, function, _)| *known == module && *function == name);
    found.map(|(_, _, shape)| *shape)
}
