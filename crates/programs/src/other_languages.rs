//! Interpreters of languages that confine does not read yet: what their scripts execute stays open.

use crate::pattern::is_open;

/// Names of interpreters, without the version that may follow.
const INTERPRETERS: &[&str] = &[
    "python", "pypy", "perl", "ruby", "node", "nodejs", "php", "lua", "luajit", "tclsh", "expect", "java",
    "guile", "escript", "erl", "beam.smp", "fish", "csh", "tcsh", "rc", "make", "Rscript", "groovy", "deno",
    "bun",
];

/// What stays open when a program of this name is executed; `None` if nothing.
pub fn open_reason(name: &str, arguments: &[String]) -> Option<String> {
    let stem =
        name.trim_end_matches(|character: char| character.is_ascii_digit() || ".-".contains(character));
    if INTERPRETERS.contains(&name) || INTERPRETERS.contains(&stem) {
        return Some(format!("what a script of {name} executes is not followed"));
    }
    let executes = match name {
        "awk" | "gawk" | "mawk" | "nawk" | "original-awk" => awk_may_execute(arguments),
        "sed" => sed_may_execute(arguments),
        _ => false,
    };
    executes.then(|| format!("what this text of {name} executes is not followed"))
}

/// awk executes by `system` and by pipes; a regular expression's bar is taken for a pipe.
fn awk_may_execute(arguments: &[String]) -> bool {
    arguments.iter().any(|argument| {
        is_open(argument)
            || argument.starts_with("-f")
            || argument.starts_with("--file")
            || argument.contains("system")
            || argument.contains('|')
    })
}

/// sed executes by its command `e` and by the flag `e` of a substitution; only files of commands, and
/// expressions that end like that, are taken for it.
fn sed_may_execute(arguments: &[String]) -> bool {
    arguments.iter().any(|argument| {
        argument.starts_with("-f")
            || argument.starts_with("--file")
            || argument.strip_suffix('e').is_some_and(|rest| {
                let rest =
                    rest.trim_end_matches(|flag: char| flag.is_ascii_digit() || "gpiIMm".contains(flag));
                argument.starts_with('s') && rest.ends_with(|delimiter: char| !delimiter.is_alphanumeric())
            })
    })
}
