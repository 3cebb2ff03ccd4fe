//! Which names a shell runs by itself, so that no program is executed for them.
//!
//! A name that is missing here costs a program too many or an assumption; a name too many would lose a
//! program, so only names that every common build of that shell has are listed.

/// A family of shells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// bash, and ksh and zsh as far as they agree with it.
    Bash,
    /// dash and other small shells of the standard.
    Posix,
    /// The shell of busybox, which may prefer its own applets to files.
    Busybox,
}

/// Standard utilities that all these shells have built in.
const COMMON: &[&str] = &[
    ".", ":", "[", "alias", "bg", "break", "cd", "command", "continue", "echo", "eval", "exec", "exit",
    "export", "false", "fg", "getopts", "hash", "jobs", "kill", "local", "printf", "pwd", "read", "readonly",
    "return", "set", "shift", "test", "times", "trap", "true", "type", "ulimit", "umask", "unalias", "unset",
    "wait",
];

/// What bash adds (bash's manual, "Shell Builtin Commands").
const BASH: &[&str] = &[
    "bind",
    "builtin",
    "caller",
    "compgen",
    "complete",
    "compopt",
    "declare",
    "dirs",
    "disown",
    "enable",
    "fc",
    "help",
    "history",
    "let",
    "logout",
    "mapfile",
    "popd",
    "pushd",
    "readarray",
    "shopt",
    "source",
    "suspend",
    "typeset",
];

/// What busybox's ash adds in its usual builds.
const BUSYBOX: &[&str] = &["[[", "chdir", "let", "source"];

/// What dash adds.
const POSIX: &[&str] = &["chdir"];

/// The shell that an executable's name stands for.
pub fn dialect(name: &str) -> Option<Dialect> {
    Some(match name {
        "bash" | "rbash" | "ksh" | "ksh93" | "mksh" | "zsh" => Dialect::Bash,
        "sh" | "dash" | "posh" | "yash" => Dialect::Posix,
        "ash" | "hush" | "busybox" => Dialect::Busybox,
        _ => return None,
    })
}

/// Whether the shell runs `name` itself.
pub fn is_builtin(dialect: Dialect, name: &str) -> bool {
    COMMON.contains(&name)
        || match dialect {
            Dialect::Bash => BASH.contains(&name),
            Dialect::Busybox => BUSYBOX.contains(&name),
            Dialect::Posix => POSIX.contains(&name),
        }
}
