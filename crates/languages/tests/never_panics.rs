//! No source, however broken, ends the search: random bytes, random pieces of code, and deep nesting.
#![allow(missing_docs)]

use std::collections::BTreeMap;

use confine_image::MemoryFiles;
use confine_languages::{Known, LANGUAGES, Language, Reached, Start};
use proptest::prelude::*;

/// Where a source is put and how the interpreter is called to come to it.
const SOURCES: &[(&str, &str)] = &[
    ("Python", "/srv/x.py"),
    ("PHP", "/srv/x.php"),
    ("JavaScript", "/srv/x.js"),
    ("Java", "/srv/x.jar"),
    ("Ruby", "/srv/x.rb"),
    ("Perl", "/srv/x.pl"),
    ("Erlang", "/srv/x.beam"),
];

fn search(language: &Language, path: &str, source: &[u8]) -> Reached {
    let files = MemoryFiles::new()
        .program("/bin/ls", "\x7fELF")
        .file(path, source.to_vec())
        .file("/srv/package.json", source.to_vec())
        .file("/usr/lib/server/libjvm.so", source.to_vec())
        .file("/usr/lib/modules", source.to_vec())
        .file("/srv/Main.class", source.to_vec());
    let mut reached = language.follow(&Start {
        files: &files,
        named: "/usr/bin/interpreter",
        path: "/usr/bin/interpreter",
        arguments: &[path.to_owned()],
        workdir: "/srv",
        variables: &BTreeMap::new(),
        input: None,
        place: "Cmd",
        known: &Known::default(),
    });
    let together = language.together(&files, &reached);
    reached.merge(together);
    reached
}

/// Each search ends, twice alike.
fn check(source: &[u8]) {
    for (name, path) in SOURCES {
        for language in LANGUAGES.iter().filter(|language| language.name == *name) {
            assert_eq!(
                search(language, path, source),
                search(language, path, source),
                "{name}"
            );
        }
    }
}

const PIECES: &[&str] = &[
    "import ",
    "from ",
    "a",
    ".",
    "..",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    "'",
    "\"",
    "'''",
    "`",
    "\\",
    "#",
    "//",
    "/*",
    "*/",
    "\n",
    "=",
    "+",
    "f'",
    "${",
    "#{",
    "$",
    "require",
    "require_relative ",
    "import(",
    "subprocess.run(",
    "os.system(",
    "child_process",
    "execFile(",
    "system ",
    "shell_exec(",
    "qx{",
    "}",
    "@a",
    "use ",
    "open(F, ",
    "\n=pod\n",
    ".=",
    "define('A', ",
    "include ",
    "__import__(",
    "sys.path.insert(0, ",
    "x.py",
    "x.rb",
    "x.js",
    "x.php",
    "PK\x03\x04",
    "PK\x01\x02",
    "PK\x05\x06",
    "LitT",
    "open_port",
    "java/lang/ProcessBuilder",
    "/bin/ls -l",
    "\0",
    "é",
    "\u{FDD0}",
    "\u{FDD2}",
    "*",
    "as ",
    "def ",
    "for ",
    "in ",
    ":",
    ";",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn on_random_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        check(&bytes);
    }

    #[test]
    fn on_pieces_of_code(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..64)) {
        check(pieces.concat().as_bytes());
    }
}

#[test]
fn on_deep_nesting_and_long_lines() {
    for open in [
        "(",
        "[",
        "f'{",
        "'''",
        "${",
        "`#{",
        "/*",
        "a.",
        "import a.",
        "os.system(",
        "system ",
        "x = [",
        "+ 'a' ",
    ] {
        for count in [30, 3000] {
            check(format!("import os\nchild_process {}", open.repeat(count)).as_bytes());
        }
    }
}
