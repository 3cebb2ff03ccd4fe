//! What a user meets before any analysis: help, usage errors, exit codes, files that cannot be written.
//!
//! `CONFINE_UPDATE=1 cargo test -p confine` writes the help texts anew.
#![allow(clippy::panic, reason = "a test fails by it")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};

fn confine(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_confine"))
        .args(arguments)
        .output()
        .expect("confine can be started")
}

/// Runs confine, which must end with `code`, say `expected` on standard error and nothing on standard output.
fn check_failure(arguments: &[&str], code: i32, expected: &str) {
    let output = confine(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    assert!(
        stderr.contains(expected),
        "{arguments:?}: {stderr:?} does not contain {expected:?}"
    );
    assert!(
        !stderr.contains('\u{1b}'),
        "{arguments:?}: styles without a terminal: {stderr:?}"
    );
    assert!(
        output.stdout.is_empty(),
        "{arguments:?}: something on standard output"
    );
}

#[test]
fn usage_errors_end_with_2() {
    for (arguments, expected) in [
        (&[][..], "Usage: confine"),
        (&["profile"], "<IMAGE>"),
        (&["no-such-command"], "unrecognized subcommand"),
        (
            &["profile", "image", "--no-such-flag"],
            "unexpected argument '--no-such-flag'",
        ),
        (
            &["profile", "image", "--runtime", "rkt"],
            "[possible values: runc, crun, any, none]",
        ),
        (
            &["profile", "image", "--address-taken", "some"],
            "[possible values: all, reached]",
        ),
        (
            &["profile", "image", "--stats=xml"],
            "[possible values: text, json]",
        ),
        (&["profile", "image", "--env", "NAME"], "expected NAME=VALUE"),
        (
            &["profile", "image", "--platform", "linux/arm64"],
            "only linux/amd64 can be analysed",
        ),
        (&["profile", "image", "-q", "-v"], "cannot be used with"),
        (
            &["why", "image", "no_such_call"],
            "x86-64 has no such system call as of Linux",
        ),
        (&["diff", "old"], "<NEW>"),
        (
            &["diff", "old", "new", "--fail-on", "no_such_call"],
            "or the name of a system call",
        ),
        (
            &["diff", "-", "-"],
            "only one of both can be read from the standard input",
        ),
        (
            &["cve", "image", "CVE-1999-0001"],
            "CVE-1999-0001 is not among the 200 vulnerabilities",
        ),
        (
            &["cve", "image", "--cap-add", "net_admin"],
            "expected a capability like CAP_NET_ADMIN",
        ),
    ] {
        check_failure(arguments, 2, expected);
    }
}

#[test]
fn bad_images_end_with_2_and_say_what_is_wrong() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = format!("dir:{}", folder.path().display());
    let text = folder.path().join("text");
    fs::write(&text, "not an archive").expect("the folder is writable");
    let text = text.to_str().expect("a path of ASCII");
    let open_quote = ["profile", &root, "--command", "it's"];
    for (arguments, expected) in [
        (&["profile", text][..], "confine: error: "),
        (&["profile", "docker-archive:/no/such/file"], "/no/such/file: "),
        (
            &["profile", &root],
            "it has no configuration: tell what it runs by --command 'CMD ARGS'",
        ),
        (
            &["profile", &root, "--entrypoint", ""],
            "tell what it runs by --command",
        ),
        (
            &open_quote,
            "--command: expected words as a shell reads them, found an open quote: it's",
        ),
    ] {
        check_failure(arguments, 2, expected);
    }
}

#[test]
fn outputs_that_cannot_be_written_are_found_before_the_image_is_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let here = folder.path().to_str().expect("a path of ASCII");
    let (absent, file) = (
        format!("{here}/absent/profile.json"),
        format!("{here}/profile.json"),
    );
    let image = "docker-archive:/no/such/file";
    for (arguments, expected) in [
        (
            &["profile", image, "--output", &absent][..],
            format!("cannot write {absent}: "),
        ),
        (
            &["profile", image, "--output", here],
            format!("cannot write {here}: "),
        ),
        (
            &["profile", image, "--output", &file, "--report", &absent],
            format!("cannot write {absent}: "),
        ),
        (
            &["profile", image, "--output", &file, "--report", &file],
            format!("cannot write both the profile and the report to {file}"),
        ),
    ] {
        check_failure(arguments, 2, &expected);
    }
    assert_eq!(
        fs::read_dir(here).expect("the folder is readable").count(),
        0,
        "something half-written was left"
    );
}

#[test]
fn a_failed_run_leaves_the_old_profile() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("profile.json");
    fs::write(&file, "old").expect("the folder is writable");
    check_failure(
        &[
            "profile",
            "oci:/no/such/folder",
            "-o",
            file.to_str().expect("a path of ASCII"),
        ],
        2,
        "/no/such/folder",
    );
    assert_eq!(fs::read_to_string(&file).expect("it is there"), "old");
    assert_eq!(
        fs::read_dir(folder.path())
            .expect("the folder is readable")
            .count(),
        1
    );
}

/// A pipe behind a link that resolves to no path must not be taken for a file that does not exist yet.
#[test]
fn pipes_by_name_stay_what_they_are() {
    let before = fs::read_link("/dev/stdout").ok();
    check_failure(
        &["profile", "docker-archive:/no/such/file", "-o", "/dev/stdout"],
        2,
        "/no/such/file",
    );
    assert_eq!(fs::read_link("/dev/stdout").ok(), before);
}

#[test]
fn help_texts_are_the_known_ones() {
    for (name, arguments) in [
        ("confine", &["--help"][..]),
        ("profile", &["profile", "--help"]),
        ("inspect", &["inspect", "--help"]),
        ("why", &["why", "--help"]),
        ("filter-run", &["filter", "run", "--help"]),
        ("check", &["check", "--help"]),
        ("cve", &["cve", "--help"]),
        ("diff", &["diff", "--help"]),
        ("observe", &["observe", "--help"]),
        ("compare", &["compare", "--help"]),
        ("harden", &["harden", "--help"]),
        ("mount", &["mount", "--help"]),
        ("run", &["run", "--help"]),
    ] {
        let output = confine(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        let help = String::from_utf8_lossy(&output.stdout);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/help/{name}.txt"));
        if std::env::var_os("CONFINE_UPDATE").is_some() {
            fs::write(&path, help.as_bytes()).expect("tests/help is writable");
        }
        let known = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            help,
            known,
            "{}: run this test with CONFINE_UPDATE=1",
            path.display()
        );
    }
}

#[test]
fn completions_and_manual_pages_come_from_the_flags() {
    for (arguments, expected) in [
        (&["completions", "bash"][..], "--address-taken"),
        (&["completions", "zsh"], "#compdef confine"),
        (&["completions", "fish"], "complete -c confine"),
        (&["man"], ".TH confine 1"),
        (&["man", "profile"], ".TH confine-profile 1"),
    ] {
        let output = confine(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(expected), "{arguments:?}: {expected:?} is missing");
    }
    check_failure(
        &["man", "no-such-command"],
        2,
        "confine has no subcommand no-such-command",
    );
}

/// Profiles need no image: what is shown of them is the same everywhere.
#[test]
fn profiles_are_judged_and_compared() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, names: &str| {
        let path = folder.path().join(name);
        let text = format!(
            r#"{{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"],
            "syscalls": [{{"names": [{names}], "action": "SCMP_ACT_ALLOW"}}]}}"#
        );
        fs::write(&path, text).expect("the folder is writable");
        path.to_str().expect("a path of ASCII").to_owned()
    };
    let old = write("old.json", r#""read", "keyctl""#);
    let new = write("new.json", r#""read", "io_uring_setup""#);
    let output = confine(&["cve", &old, "CVE-2016-0728", "cve-2022-29582"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0));
    assert!(
        text.contains("this policy: open") && text.contains("denied: io_uring_setup"),
        "{text}"
    );
    let output = confine(&["cve", &new, "--format", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let all = json["vulnerabilities"].as_array().expect("a list");
    assert_eq!(all.len(), 200);
    let ring = all
        .iter()
        .find(|one| one["id"] == "CVE-2022-29582")
        .expect("it is listed");
    assert_eq!(
        (&ring["state"], &ring["docker_default"]),
        (&"open".into(), &"taken-away".into())
    );
    for arguments in [
        &["cve", &old][..],
        &["diff", &old, &new],
        &["filter", "show", &old],
        &["filter", "run", &old, "read"],
    ] {
        let arguments = [arguments, &["--program", "server"]].concat();
        check_failure(&arguments, 2, "a profile is judged as it is: --program");
    }
    let raw = folder.path().join("filter.bpf");
    fs::write(&raw, [6, 0, 0, 0, 0, 0, 0xff, 0x7f]).expect("the folder is writable");
    let raw = raw.to_str().expect("a path of ASCII");
    let arguments = ["filter", "show", raw, "--program", "server"];
    check_failure(&arguments, 2, "a filter is taken as it is: --program");
    for (gate, code) in [
        ("io_uring_setup", 1),
        ("added", 1),
        ("any", 1),
        ("bpf", 0),
        ("assumption", 0),
    ] {
        let output = confine(&["diff", &old, &new, "--fail-on", gate]);
        assert_eq!(output.status.code(), Some(code), "{gate}");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("+ io_uring_setup\n- keyctl\n"), "{text}");
    }
}

#[test]
fn a_policy_is_judged_by_its_calls_alone_if_asked_to() {
    let mut profile = tempfile::NamedTempFile::new().expect("a temporary file");
    // AF_INET only, where the vulnerability is AF_PACKET's.
    let text = r#"{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [
        {"names": ["setsockopt"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["socket"], "action": "SCMP_ACT_ALLOW",
            "args": [{"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}]}]}"#;
    profile.write_all(text.as_bytes()).expect("the file is writable");
    let path = profile.path().to_str().expect("a path of ASCII");
    for (arguments, state) in [
        (&["cve", path, "CVE-2017-15649"][..], "taken away"),
        (&["cve", path, "CVE-2017-15649", "--args", "off"], "open"),
    ] {
        let output = confine(arguments);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(&format!("this policy: {state}\n")), "{text}");
    }
}

#[test]
fn a_profile_that_lets_socketcall_in_is_said_to_once() {
    let mut profile = tempfile::NamedTempFile::new().expect("a temporary file");
    let text =
        r#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]}"#;
    profile.write_all(text.as_bytes()).expect("the file is writable");
    let path = profile.path().to_str().expect("a path of ASCII");
    for arguments in [&["cve", path][..], &["cve", path, "--format", "json"]] {
        let output = confine(arguments);
        assert_eq!(output.status.code(), Some(0));
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(text.matches("socketcall among them").count(), 1, "{text}");
    }
}
