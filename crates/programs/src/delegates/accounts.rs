//! Users' shells, which whoever lets a user in starts: `/etc/passwd`.

use std::collections::BTreeSet;

use super::{Call, Reader, numbered};
use crate::builtins;
use confine_image::paths::base_name;

const ACCOUNTS: &str = "/etc/passwd";
/// What login shells of all users read before anything else, by the kind of shell, and what each user may have of it at
/// home.
const START_UP: &[&str] = &[
    "/etc/profile",
    "/etc/bash.bashrc",
    "/etc/zsh/zshrc",
    "/etc/zsh/zprofile",
];
const START_UP_AT_HOME: &[&str] = &[".profile"];
/// What shells of their own kind read there besides.
const START_UP_OF_SHELLS: &[(&str, &[&str])] = &[
    (
        "bash",
        &[".bash_profile", ".bash_login", ".bashrc", ".bash_logout"],
    ),
    ("zsh", &[".zshenv", ".zprofile", ".zshrc", ".zlogin", ".zlogout"]),
];

/// login: the shells of all users.
pub fn login(_: &Call<'_>, reader: &mut Reader<'_>) {
    shells(reader);
}

/// The shells of all users with their start-up files; what users type stays open.
pub fn shells(reader: &mut Reader<'_>) {
    let Some(text) = reader.text(ACCOUNTS) else { return };
    let mut shells: Vec<(usize, String)> = Vec::new();
    let mut known: BTreeSet<&str> = BTreeSet::new();
    let mut homes: BTreeSet<(String, String)> = BTreeSet::new();
    for (line, account) in numbered(&text) {
        let mut fields = account.split(':').skip(5);
        let (Some(home), Some(shell)) = (fields.next(), fields.next()) else {
            continue;
        };
        let shell = if shell.is_empty() { "/bin/sh" } else { shell };
        if known.insert(shell) {
            shells.push((line, shell.to_owned()));
        }
        homes.insert((home.to_owned(), shell.to_owned()));
    }
    for (line, shell) in &shells {
        reader.at(ACCOUNTS, *line);
        if builtins::dialect(base_name(shell)).is_none() {
            reader.command(vec![shell.clone()]);
            continue;
        }
        reader.command(vec![shell.clone(), "-c".to_owned(), ":".to_owned()]);
        reader.open(format!("users may give their shell {shell} any command"));
        for &path in START_UP
            .iter()
            .filter(|path| reader.is_file(path))
            .collect::<Vec<_>>()
        {
            reader.command(vec![shell.clone(), path.to_owned()]);
        }
    }
    for (home, shell) in homes {
        if builtins::dialect(base_name(&shell)).is_none() {
            continue;
        }
        let own = START_UP_OF_SHELLS
            .iter()
            .filter(|(name, _)| *name == base_name(&shell));
        for name in START_UP_AT_HOME.iter().chain(own.flat_map(|(_, names)| *names)) {
            let path = format!("{}/{name}", home.trim_end_matches('/'));
            if reader.is_file(&path) {
                reader.at_file(&path);
                reader.command(vec![shell.clone(), path]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many shells as fit into the file, which took time in the square of their number.
    #[test]
    fn each_shell_is_looked_for_once() {
        let lines = (0..50_000).map(|index| format!("x:x:0:0::/:/{index}\n"));
        let files = confine_image::MemoryFiles::new().file(ACCOUNTS, lines.collect::<String>());
        let mut reader = Reader::new(&files);
        shells(&mut reader);
        assert!(reader.findings.len() > 4000);
    }
}
