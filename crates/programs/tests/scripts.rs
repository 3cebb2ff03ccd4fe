//! Scripts in a root made by hand, and the programs that must be found in it.
#![allow(missing_docs)]

use confine_assumption::{Effect, Kind};
use confine_image::{Config, Healthcheck, MemoryFiles};
use confine_programs::{Asked, Programs, find};

const ELF: &[u8] = b"\x7fELF";

/// A root with two shells, busybox and some programs, all ELF files in `/usr/bin`.
fn root() -> MemoryFiles {
    let names = "bash dash awk sed find xargs env timeout nice gosu tini perl run-parts one two three four su which sort python3.11";
    names
        .split(' ')
        .fold(MemoryFiles::new(), |files, name| {
            files.program(&format!("/usr/bin/{name}"), ELF)
        })
        .program("/bin/busybox", &b"\x7fELF\0cat\0sh\0wget\0"[..])
        .link("/bin/sh", "/usr/bin/dash")
        .link("/bin/bash", "../usr/bin/bash")
        .link("/usr/bin/python3", "python3.11")
        .link("/usr/bin/alias-of-one", "one")
}

fn config(entrypoint: &[&str], cmd: &[&str]) -> Config {
    let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    Config {
        entrypoint: owned(entrypoint),
        cmd: owned(cmd),
        workdir: "/".to_owned(),
        ..Config::default()
    }
}

/// The base names of what is found, without the shells that run it all.
fn names(found: &Programs) -> Vec<&str> {
    let base = |path| str::rsplit(path, '/').next().unwrap_or_default();
    found
        .programs
        .iter()
        .map(|program| base(program.path.as_str()))
        .filter(|name| !["dash", "bash"].contains(name))
        .collect()
}

fn check_in(files: MemoryFiles, shell: &str, text: &str, expected: &str) {
    let files = files.program("/entry", format!("#!{shell}\n{text}\n"));
    let found = find(&files, &config(&["/entry"], &["two", "x"]), Asked::default());
    let expected: Vec<&str> = expected.split_whitespace().collect();
    assert_eq!(
        names(&found),
        expected,
        "{shell}: {text}\n{:#?}",
        found.assumptions
    );
}

fn check(text: &str, expected: &str) {
    check_in(root(), "/bin/sh", text, expected);
    check_in(root(), "/bin/bash", text, expected);
}

fn check_bash(text: &str, expected: &str) {
    check_in(root(), "/bin/bash", text, expected);
}

#[test]
fn plain_commands() {
    check("one", "one");
    check("one; two & three | four", "four one three two");
    check("one && two || three", "one three two");
    check("! one", "one");
    check("( one; { two; } )", "one two");
    check("echo one; printf two; test -x one; [ one = two ]; :", "");
    check("/usr/bin/one", "one");
    check("alias-of-one", "one");
    check("# one\n'one' 2>/dev/null >two", "one");
    check("A=1 B=two one", "one");
    check("o'n'\"e\"", "one");
    check("\\one", "one");
    check("command one; command -p two", "one two");
}

#[test]
fn the_image_s_command() {
    check("exec \"$@\"", "two");
    check("exec $@", "two");
    check("\"$@\"", "two");
    check("exec one \"$@\"", "one");
    check("exec \"$1\"", "two");
    check("shift; exec one \"$@\"", "one");
    check("set -- three \"$@\"; exec \"$@\"", "three");
    check("set -eu; exec \"$@\"", "two");
    check("f() { exec \"$@\"; }; f \"$@\"", "two");
    check(
        "if [ \"$1\" = two ]; then set -- one \"$@\"; else set -- three; fi; exec \"$@\"",
        "one",
    );
    check(
        "if [ \"${1#-}\" != \"$1\" ]; then set -- one \"$@\"; fi; exec \"$@\"",
        "two",
    );
    check("if [ \"$1\" = three -o \"$1\" = two ]; then one; fi", "one");
    check("case \"$1\" in two) one;; three) four;; esac", "one");
    check("case \"$1\" in t*) one;; *) four;; esac", "one");
    check("case \"$1\" in -*|'') four;; *) one;; esac", "one");
    check(
        "while [ $# -gt 0 ]; do case $1 in x) one;; esac; shift; done; exec \"$@\"",
        "one",
    );
    check("for word in \"$@\"; do \"$word\"; done", "two");
    check("for word; do $word; done", "two");
    check_bash(
        "if [ \"${1:0:1}\" = '-' ]; then set -- one \"$@\"; fi; exec \"$@\"",
        "two",
    );
    check_bash(
        "if [[ $1 == t* && $1 != three ]]; then one; else three; fi",
        "one",
    );
    check_bash("args=(one \"$@\"); args+=(y); exec \"${args[@]}\"", "one");
    check_bash("exec \"${@:1}\"", "two");
    check("[ \"$1\" = two ] && exec one; exec three", "one");
    check("exec gosu user \"$0\" \"$@\"", "gosu");
    check(
        "if [ \"$(id -u)\" = 0 ]; then exec gosu user \"$0\" \"$@\"; fi; exec \"$@\"",
        "gosu two",
    );
}

#[test]
fn values() {
    check("x=one; $x", "one");
    check("x=one; [ -e /y ] && x=three; exec $x", "one three");
    check("x='one -a'; $x", "one");
    check("x=${UNSET:-one}; $x", "one");
    check("x=one; y=\"/usr/bin/$x\"; \"$y\"", "one");
    check("x=/usr/bin/one.sh; \"${x%.sh}\"", "one");
    check("x=one; f() { local x=three; $x; }; f; $x", "one three");
    check("x=$(command -v one); $x", "one");
    check("x=`which one`; $x", "one which");
    check(
        "basename() { :; }; x=$(command basename /x/one.sh .sh); $x",
        "one",
    );
    check("$(echo one) x", "one");
    check("export PATH=/none:$PATH; one", "one");
    check("x=$(one); y=\"$(two $(three))\"", "one three two");
    check("echo $(( $(one) + 1 )) \"${x:-$(two)}\"", "one two");
    check("x=one; while three; do x=$x$x; done; $x", "one three");
    check("trap 'one' EXIT; trap - INT", "one");
    check("eval 'one && two'", "one two");
    check("x=one; eval \"$x y\"", "one");
    // What is not known of the text may give any value to any variable.
    check(
        "x=0; eval \"$(two)\"; if [ \"$x\" -gt 0 ]; then one; else three; fi",
        "one three two",
    );
    check("x=0; eval y=1; if [ \"$x\" -gt 0 ]; then one; fi", "");
    check("f() { return 0; one; }; f; two", "two");
    check("unused() { one; }", "one");
    check(
        "while :; do x=one; three && break; x=two; done; $x",
        "one three two",
    );
    check_bash("one < <(two) > >(three)", "one three two");
    check_bash("declare -A map=([a]=one); ${map[a]}", "one");
    check_bash("(( x = 1 )); for (( i = 0; i < 3; i++ )); do one; done", "one");
    check_bash("coproc one", "one");
    check_bash("function f { one; }; f", "one");
    // The parser does not know `select`: words that name executables count, and so do the arguments.
    check_bash("select x in one; do $x; break; done", "one two");
    check_bash(
        "x=run; one_run() { one; }; \"one_$x\"; p=one_; \"${p}run\"",
        "one",
    );
    check_bash("exec 3< <(one); mapfile -t lines <<<\"$(two)\"", "one two");
}

#[test]
fn folders_that_are_printed() {
    check("d=$(cd /usr/bin; pwd); \"$d/one\"", "one");
    check("d=\"$(cd \"/usr/bin/x/..\" >/dev/null && pwd)\"; $d/one", "one");
    check("cd /usr/share/x; cd ../../bin; d=`pwd`; \"$d/one\"", "one");
    check("d=$( (cd /usr/bin && pwd) ); $d/one", "one");
    check("d=$(cd /bin; pwd -P); $d/one", "");
    check(
        "d=$(dirname \"$(readlink -f /usr/bin/alias-of-one)\"); $d/two",
        "two",
    );
    check("$(realpath /usr/bin/alias-of-one)", "one");
    // What cannot be told of one value is not unknown of the others.
    check(
        "p=/usr/bin/one; while [ -h \"$p\" ]; do p=$UNKNOWN; done; d=`dirname \"$p\"`; $d/two",
        "two",
    );
    check("x=$(echo one >/dev/null); $x two", "two");
}

#[test]
fn commands_among_many_values() {
    let values = "for v in a b c d e f; do eval \"$v=1\"; done; a=1 b=1 c=1 d=1 e=1; [ -e /x ] && a=2; \
                  [ -e /x ] && b=2; [ -e /x ] && c=2; [ -e /x ] && d=2; [ -e /x ] && e=2 j=/usr/bin; [ -e /y ] && j=/bin";
    check(
        &format!("{values}; eval exec \"\\\"$j/one\\\"\" \"-$a\" $b $c \"$d\" $e -x $UNKNOWN"),
        "one",
    );
    check(
        &format!("{values}; exec env -u $a \"$j/one\" $b $c $d $e sh -c two"),
        "env one",
    );
    check("j=/usr/bin/one; eval exec '\"$j\"' $UNKNOWN 'x'", "one");
    check("eval \"$UNKNOWN=one\"; two", "one two");
}

#[test]
fn documents() {
    check("cat() { :; }; cat <<END\n$(one) two\nEND", "one");
    check("sh <<'END'\none\nEND", "one");
    check("sh -e <<END\none\nEND", "one");
    check("sh -s two <<'END'\n\"$1\"\nEND", "two");
    check("echo one | sh; printf %s 'exec two' | bash", "one two");
    check("cat <<END | sh\none\nEND", "one");
    check("sh -c 'one; \"$0\"' two", "one two");
    check("sh -ec 'exec \"$@\"' name \"$@\"", "two");
    check("su - user -c 'one && two'", "one su two");
    check("bash -o pipefail -c one", "one");
}

#[test]
fn wrappers() {
    check("exec tini -- \"$@\"", "tini two");
    check("find /x -exec one {} +", "find one");
    check("find /x | xargs -0 -r one", "find one xargs");
    check("timeout -k 5 10 nice -n 3 env A=b one", "env nice one timeout");
    check("exec env -i PATH=/usr/bin one", "env one");
    check("timeout --unknown value 5 one", "one timeout");
}

#[test]
fn folders_of_scripts() {
    let files = || {
        root()
            .program("/entry.d/10.sh", &b"#!/bin/sh\none\n"[..])
            .program("/entry.d/20.sh", &b"#!/bin/bash\nthree\n"[..])
            .file("/entry.d/30.envsh", &b"four\n"[..])
            .file("/entry.d/readme", &b"text\n"[..])
    };
    let check = |text: &str, expected: &str| check_in(files(), "/bin/sh", text, expected);
    check("for f in /entry.d/*.sh; do \"$f\"; done", "one three");
    check(
        "for f in /entry.d/*; do [ -x \"$f\" ] && \"$f\"; done",
        "one three",
    );
    check(
        "for f in /entry.d/*; do case \"$f\" in *.sh) \"$f\";; *.envsh) . \"$f\";; esac; done",
        "four one three",
    );
    check(
        "find /entry.d/ -type f | sort | while read -r f; do case \"$f\" in *.sh) \"$f\";; esac; done",
        "find one sort three",
    );
    check(
        "d=/entry.d; for f in $(ls $d); do . $d/$f; done",
        "four one three",
    );
    check("run-parts /entry.d", "one run-parts three");
    check(". /entry.d/30.envsh", "four");
    check("cd /entry.d; ./10.sh", "one");
    check_in(
        files(),
        "/bin/bash",
        "while IFS= read -r f; do . \"$f\"; done < <(find /entry.d -name '*.envsh')",
        "find four one three",
    );
}

#[test]
fn interpreters() {
    check_in(root(), "/usr/bin/env bash", "one", "env one");
    check_in(root(), "/usr/bin/env -S bash -e", "one", "env one");
    check_in(root(), "/usr/bin/perl", "one", "perl");
    check_in(root(), "/bin/busybox sh", "cat x; one", "busybox one");
    let files = root().program("/entry", &b"one\n"[..]);
    assert_eq!(
        names(&find(&files, &config(&["/entry"], &[]), Asked::default())),
        ["one"]
    );
    let files = root().program("/a", &b"#!/b"[..]).program("/b", &b"#!/a"[..]);
    let looping = find(&files, &config(&["/a"], &[]), Asked::default());
    assert!(
        looping
            .assumptions
            .iter()
            .any(|assumption| assumption.detail.contains("too deeply")),
        "{looping:?}"
    );
}

#[test]
fn roots_of_a_configuration() {
    let mut config = config(&[], &["one", "x"]);
    config.healthcheck = Some(Healthcheck::Shell("two || exit 1".to_owned()));
    let found = find(
        &root(),
        &config,
        Asked {
            also: &["three 'a b'".to_owned(), "/usr/bin/four".to_owned()],
            ..Asked::default()
        },
    );
    assert_eq!(names(&found), ["four", "one", "three", "two"]);
    assert!(!found.without_command);
    config.healthcheck = Some(Healthcheck::Command(vec!["three".to_owned(), "-q".to_owned()]));
    let checked = find(&root(), &config, Asked::default());
    assert_eq!(names(&checked), ["one", "three"]);
    let three = found
        .programs
        .iter()
        .find(|program| program.path == "/usr/bin/three");
    let three = three.map(|program| {
        (
            program.arguments.clone(),
            program.found.first().map(|found| found.place.clone()),
        )
    });
    assert_eq!(
        three,
        Some((
            vec![vec!["three".to_owned(), "a b".to_owned()]],
            Some("--also".to_owned())
        ))
    );
    assert!(find(&root(), &Config::default(), Asked::default()).without_command);
}

#[test]
fn reasons_lead_back() {
    let files = root().program("/entry", &b"#!/bin/sh\n\nset -e\nexec \"$@\"\n"[..]);
    let found = find(&files, &config(&["/entry"], &["one"]), Asked::default());
    let one = found
        .programs
        .iter()
        .find(|program| program.path == "/usr/bin/one");
    let reason = one
        .and_then(|program| program.found.first())
        .map(|found| (found.place.as_str(), found.how.as_str(), found.parent.as_deref()));
    assert_eq!(
        reason,
        Some((
            "/entry:4",
            "exec of the image's command, `one` on PATH",
            Some("/entry")
        ))
    );
    let scripts: Vec<(&str, &str)> = found
        .scripts
        .iter()
        .map(|script| (script.path.as_str(), script.interpreter.as_str()))
        .collect();
    assert_eq!(scripts, [("/entry", "/usr/bin/dash")]);
}

#[test]
fn the_loader_s_variables() {
    let files = root().program(
        "/entry",
        &b"#!/bin/sh\nexport LD_PRELOAD=/x.so\nLD_LIBRARY_PATH=/y one\n"[..],
    );
    let found = find(&files, &config(&["/entry"], &[]), Asked::default());
    let one = found
        .programs
        .iter()
        .find(|program| program.path == "/usr/bin/one")
        .map(|program| program.environment.clone());
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        one,
        Some(vec![pair("LD_LIBRARY_PATH", "/y"), pair("LD_PRELOAD", "/x.so")])
    );
}

/// A shell that changed its folder may find there what the image's own does not have.
#[test]
fn a_relative_path_that_leads_nowhere_is_open_and_a_missing_name_is_not() {
    let open = |command: &str| {
        let files = root().program("/entry", format!("#!/bin/sh\n{command}\n"));
        let found = find(&files, &config(&["/entry"], &[]), Asked::default());
        found.executions.is_open("/entry")
    };
    assert!(open("cd /srv; ./check"));
    assert!(!open("nothing-there"));
    assert!(!open("/nothing/there"));
}

#[test]
fn what_stays_open_is_said() {
    let check = |text: &str, kind, effect, programs: &str| {
        let files = root().program("/entry", format!("#!/bin/sh\n{text}\n"));
        let found = find(&files, &config(&["/entry"], &[]), Asked::default());
        let said = found.assumptions.iter().any(|assumption| {
            assumption.kind == kind && assumption.effect == effect && assumption.place.starts_with("/entry:")
        });
        assert!(said, "{text}: {:#?}", found.assumptions);
        assert_eq!(names(&found).join(" "), programs, "{text}");
    };
    check("$UNKNOWN", Kind::OpenCommand, Effect::NotCovered, "");
    check("$UNKNOWN one", Kind::OpenCommand, Effect::NotCovered, "one");
    check("nothing-there", Kind::MissingProgram, Effect::NotCovered, "");
    check(". /nothing-there", Kind::MissingProgram, Effect::NotCovered, "");
    check("eval \"$(one)\"", Kind::OpenCommand, Effect::NotCovered, "one");
    check(
        "x=$(if [ -e /x ]; then echo two; exit; fi; echo three); $x",
        Kind::OpenCommand,
        Effect::NotCovered,
        "three",
    );
    check("eval exec $UNKNOWN -x", Kind::OpenCommand, Effect::NotCovered, "");
    check("one | sh", Kind::OpenCommand, Effect::NotCovered, "one");
    check(
        "perl -e 'system($x)'",
        Kind::OpenCommand,
        Effect::NotCovered,
        "perl",
    );
    check(
        "awk '{ system($1) }'",
        Kind::OpenCommand,
        Effect::NotCovered,
        "awk",
    );
    check(
        "if one; then ((( two",
        Kind::OpenCommand,
        Effect::WidenedToCandidates,
        "one two",
    );
    check(
        "/usr/bin/$UNKNOWN-there",
        Kind::OpenCommand,
        Effect::WidenedToCandidates,
        "",
    );
}

#[test]
fn texts_that_awk_has_executed() {
    check(
        "awk 'BEGIN { system(\"one x\"); \"two\" | getline }'",
        "awk one two",
    );
    let files = root().file("/x.awk", "/a|b/ { print | \"three -n\" }\n");
    check_in(files, "/bin/sh", "awk -F: -f /x.awk /etc/passwd", "awk three");
    check("PATH=/usr/bin:/x env A=b one; env PATH=/none two", "env one two");
    let files = root().program("/entry", "#!/bin/sh\nawk '{ system($1) }'\n");
    let found = find(&files, &config(&["/entry"], &[]), Asked::default());
    assert!(found.executions.is_open("/usr/bin/awk") && !found.executions.is_open("/entry"));
}

#[test]
fn what_is_plain_is_not_an_assumption() {
    for text in [
        "awk '{ print $1 }' x",
        "sed -i s/a/b/ x",
        "perl -e 'print 1'",
        "exec \"$@\"",
        "x=one; $x",
        "if [ -z \"$UNSET\" ]; then one; fi",
    ] {
        let files = root().program("/entry", format!("#!/bin/sh\n{text}\n"));
        let found = find(&files, &config(&["/entry"], &["one"]), Asked::default());
        assert_eq!(found.assumptions, [], "{text}");
    }
}
