//! Interpreters of languages that confine does not read yet: what their scripts execute stays open.

/// Names of interpreters, without the version that may follow.
const INTERPRETERS: &[&str] = &[
    "lua", "luajit", "tclsh", "expect", "guile", "fish", "csh", "tcsh", "rc", "make", "Rscript", "groovy",
    "deno", "bun",
];

/// What stays open when a program of this name is executed; `None` if nothing.
pub fn open_reason(name: &str, arguments: &[String]) -> Option<String> {
    let stem =
        name.trim_end_matches(|character: char| character.is_ascii_digit() || ".-".contains(character));
    if INTERPRETERS.contains(&name) || INTERPRETERS.contains(&stem) {
        return Some(format!("what a script of {name} executes is not followed"));
    }
    let executes = match name {
        "sed" => sed_may_execute(arguments),
        _ => false,
    };
    executes.then(|| format!("what this text of {name} executes is not followed"))
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
