//! What the style asks for and no compiler checks.

use std::path::Path;

use confine_engine::Invocation;

/// No file is longer, unless a program wrote it.
const LINE_LIMIT: usize = 1000;

/// Folders of machines on which the project is worked on; a committed file never names one.
const MACHINE_FOLDERS: [&str; 2] = [concat!("/wo", "rk/"), concat!("/ro", "ot/.")];

/// Checks every committed file; whether all are tidy.
pub fn run(root: &Path) -> anyhow::Result<bool> {
    let listed = Invocation::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .folder(root);
    let mut problems = Vec::new();
    for name in listed.output()?.lines() {
        let path = root.join(name);
        // Deleted but not yet committed, or not text.
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        problems.extend(check(name, &text));
    }
    for problem in &problems {
        println!("{problem}");
    }
    Ok(problems.is_empty())
}

/// What is untidy about one file.
fn check(name: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let is_rust = name.ends_with(".rs");
    let lines = text.lines().count();
    if is_rust && lines > LINE_LIMIT && !name.contains("/generated/") {
        problems.push(format!(
            "{name}: {lines} lines, at most {LINE_LIMIT} are read with pleasure"
        ));
    }
    for (number, line) in text.lines().enumerate() {
        if let Some(folder) = MACHINE_FOLDERS.iter().find(|folder| line.contains(*folder)) {
            problems.push(format!(
                "{name}:{}: names {folder}, a folder of one machine",
                number + 1
            ));
        }
    }
    let is_top = name.ends_with("src/lib.rs") || name.ends_with("src/main.rs");
    if is_top && !text.starts_with("//!") {
        problems.push(format!(
            "{name}: no doc at the top that says what the crate is for"
        ));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expect(name: &str, text: &str, expected: &[&str]) {
        assert_eq!(check(name, text), expected, "{name}");
    }

    #[test]
    fn untidy_files_are_told() {
        expect("crates/a/src/lib.rs", "//! What for.\n", &[]);
        expect(
            "crates/a/src/lib.rs",
            "mod a;\n",
            &["crates/a/src/lib.rs: no doc at the top that says what the crate is for"],
        );
        expect(
            "a/long.rs",
            &"\n".repeat(1001),
            &["a/long.rs: 1001 lines, at most 1000 are read with pleasure"],
        );
        expect("a/generated/long.rs", &"\n".repeat(1001), &[]);
        let folder = MACHINE_FOLDERS[0];
        expect(
            "README.md",
            &format!("see\n{folder}x"),
            &[&format!("README.md:2: names {folder}, a folder of one machine")],
        );
    }
}
