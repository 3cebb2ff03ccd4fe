//! Policies of single programs, and filters.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use confine_kernel::Runtime;
use serde_json::Value;

use crate::image::{Image, programs};
use crate::run::{confine, ends_with, names, with_runtime};

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn every_program_has_its_file() {
    let Some(programs) = programs() else { return };
    let image = Image::with_script(programs);
    let (image, folder) = (image.folder(), image.beside().join("policies"));
    let flags = ["--per-program", &text(&folder), "--command", "/entry.sh server"];
    let (stdout, _) = ends_with(0, confine(&["profile", &image]).args(flags));
    assert_eq!(stdout, "", "the container's profile was not asked for");
    let index: Value = serde_json::from_str(&fs::read_to_string(folder.join("index.json")).unwrap()).unwrap();
    let entry = |path: &str| {
        let programs = index["programs"].as_array().unwrap();
        programs
            .iter()
            .find(|program| program["path"] == path)
            .cloned()
            .unwrap()
    };
    let allowed = |path: &str| {
        let file = entry(path)["files"][0].as_str().unwrap().to_owned();
        names(&fs::read_to_string(folder.join(file)).unwrap())
    };
    // The server's own calls; the shell's and the server's, as it executes that by the script.
    let server = with_runtime(Runtime::None, &["brk", "exit_group", "sync"]);
    assert_eq!(allowed("/usr/bin/server"), server);
    let shell: BTreeSet<String> = server
        .union(&with_runtime(Runtime::None, &["wait4"]))
        .cloned()
        .collect();
    assert_eq!(allowed("/usr/bin/sh"), shell);
    assert_eq!(
        entry("/usr/bin/sh")["with"],
        serde_json::json!(["/usr/bin/server"])
    );
    assert_eq!(entry("/usr/bin/server")["with"], serde_json::json!([]));
    assert_eq!(entry("/usr/bin/server")["calls"], server.len());
    assert_eq!(entry("/usr/bin/server")["sha256"].as_str().unwrap().len(), 64);
}

#[test]
fn a_filter_answers_whatever_it_is_made_from() {
    let Some(programs) = programs() else { return };
    let image = Image::with_script(programs);
    let (folder, beside) = (image.folder(), image.beside().to_owned());
    let [profile, raw, report] =
        ["profile.json", "filter.bpf", "report.json"].map(|name| text(&beside.join(name)));
    let program = ["--program", "server"];
    let flags = ["-o", &profile, "--report", &report];
    ends_with(0, confine(&["profile", &folder]).args(program).args(flags));
    let flags = ["--format", "bpf", "-o", &raw];
    ends_with(0, confine(&["profile", &folder]).args(program).args(flags));
    for source in [&profile, &raw, &report] {
        for (asked, expected, bitmap) in [
            (&["sync"][..], "sync: ALLOW", true),
            (&["ptrace"], "ptrace: ERRNO(38)", false),
            (&["9999"], "9999: ERRNO(38)", false),
            (&["sync", "--entry", "x32"], "sync: ERRNO(38)", false),
            (&["162", "--entry", "i386"], "162: ERRNO(38)", false),
        ] {
            let (answer, _) = ends_with(0, confine(&["filter", "run", source]).args(asked));
            assert!(
                answer.starts_with(&format!("{expected}\n")),
                "{source} {asked:?}: {answer}"
            );
            assert_eq!(
                answer.contains("kernel's bitmap answers"),
                bitmap,
                "{source} {asked:?}: {answer}"
            );
        }
    }
    // The same bytes by every way, and text of them.
    let (shown, _) = ends_with(0, &mut confine(&["filter", "show", &raw]));
    assert!(
        shown.starts_with("l0:     ld [4]") && shown.contains("; x86-64"),
        "{shown}"
    );
    let (assembly, _) = ends_with(0, &mut confine(&["filter", "asm", &profile]));
    assert_eq!(assembly.lines().count(), fs::read(&raw).unwrap().len() / 8);
    let again = text(&beside.join("again.bpf"));
    ends_with(
        0,
        &mut confine(&["filter", "asm", &profile, "--format", "raw", "-o", &again]),
    );
    assert_eq!(fs::read(&again).unwrap(), fs::read(&raw).unwrap());
    let (killing, _) = ends_with(
        0,
        &mut confine(&["filter", "run", &profile, "ptrace", "--denied", "kill-process"]),
    );
    assert!(killing.starts_with("ptrace: KILL_PROCESS\n"), "{killing}");
}

#[test]
fn what_is_no_filter_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        text(&path)
    };
    for (path, expected) in [
        (
            write("short", &[6, 0, 0, 0, 0]),
            "expected instructions of 8 bytes each, found 5 bytes",
        ),
        (
            write("jump", &[6, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 9, 0, 0, 0]),
            "instruction 1 jumps behind the end",
        ),
        (write("text", b"{"), "not JSON"),
        (write("other", b"{}"), "not a seccomp profile"),
        (
            write("open", b"{\"defaultAction\": \"SCMP_ACT_ALLOW\"}"),
            "expected a profile that denies",
        ),
    ] {
        let (_, error) = ends_with(2, &mut confine(&["filter", "show", &path]));
        assert!(error.contains(expected), "{path}: {error}");
    }
    let (_, error) = ends_with(2, &mut confine(&["profile", "x", "--denied", "log"]));
    assert!(error.contains("give --format bpf as well"), "{error}");
}
