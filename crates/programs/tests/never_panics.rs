//! No script, however broken, ends the search: random bytes, random pieces of shell, and deep nesting.
#![allow(missing_docs)]

use confine_image::{Config, MemoryFiles};
use confine_programs::{Asked, Programs, find};
use proptest::prelude::*;

fn search(script: Vec<u8>) -> Programs {
    let files = MemoryFiles::new()
        .program("/bin/sh", &b"\x7fELF"[..])
        .program("/bin/one", &b"\x7fELF"[..])
        .program("/entry", script);
    let config = Config {
        entrypoint: vec!["/bin/sh".to_owned(), "/entry".to_owned(), "one".to_owned()],
        workdir: "/".to_owned(),
        ..Config::default()
    };
    find(
        &files,
        &config,
        Asked {
            also: &["one".to_owned()],
            ..Asked::default()
        },
    )
}

/// The search came to its end, so that what was named is there.
fn check(script: Vec<u8>) {
    let found = search(script.clone());
    assert!(
        found.programs.iter().any(|program| program.path == "/bin/one"),
        "{:?}",
        String::from_utf8_lossy(&script)
    );
}

const PIECES: &[&str] = &[
    "if ",
    "then ",
    "fi\n",
    "else ",
    "case x in ",
    "esac ",
    "*) ",
    ";; ",
    "while ",
    "do ",
    "done\n",
    "for x in ",
    "one ",
    "$@ ",
    "\"$@\" ",
    "${x",
    "} ",
    "$(",
    ") ",
    "`",
    "'",
    "\"",
    "<<END\n",
    "END\n",
    "<(",
    "&& ",
    "|| ",
    "| ",
    "; ",
    "& ",
    "\n",
    "x=",
    "x=(",
    "((",
    ")) ",
    "[[ ",
    "]] ",
    "{ ",
    "} ",
    "f() ",
    "f ",
    "set -- ",
    "shift ",
    "eval ",
    "exec ",
    "! ",
    "\\",
    "#",
    "${x:-",
    "${x#",
    "${x%%",
    "${x/",
    "${@:1",
    "*",
    "?",
    "[a-",
    "{a,b} ",
    "~",
    "trap ",
    "read x ",
    ". /entry ",
    "sh -c ",
    "$x ",
    "$((",
    "return ",
    "break ",
    "continue ",
    "é",
    "\u{FDD0}",
    "\u{FDD2}",
    "\0",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn on_random_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        check(bytes);
    }

    #[test]
    fn on_pieces_of_shell(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..48)) {
        check(pieces.concat().into_bytes());
    }

    #[test]
    fn the_same_twice(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..24)) {
        let script = pieces.concat().into_bytes();
        prop_assert_eq!(search(script.clone()), search(script));
    }
}

#[test]
fn on_deep_nesting() {
    for open in [
        "(", "((", "$(", "`", "{ ", "if ", "\"$(", "${x:-", "while ", "case ", "[[ ( ", "eval ", "! ",
        "f() { ",
    ] {
        for count in [30, 300, 3000, 100_000] {
            check(format!("{}one", open.repeat(count)).into_bytes());
        }
    }
    for (open, close) in [
        ("( ", " )"),
        ("$( ", " )"),
        ("{ ", "; }"),
        ("if one; then ", "; fi"),
        ("\"${x:-", "}\""),
    ] {
        for count in [30, 300, 3000] {
            check(format!("{}one{}", open.repeat(count), close.repeat(count)).into_bytes());
        }
    }
}

#[test]
fn on_what_grows() {
    for text in [
        "while one; do set -- \"$@\" \"$@\"; x=$x$x; a+=(\"$@\"); done; exec \"$@\"",
        "f() { f \"$@\" x; f y \"$@\"; }; f; exec sh \"$0\" \"$@\" x",
        "for a in 1 2 3 4 5 6 7 8 9; do for b in $a 1 2 3 4 5 6 7 8 9; do for c in $a$b; do x=$x$a$b$c; one $a $b $c $x; done; done; done",
        ". /entry; . /entry",
        "eval 'eval \"$0\"; '\"$0\"; sh \"$0\" a \"$@\"",
    ] {
        check(text.as_bytes().to_vec());
    }
}
