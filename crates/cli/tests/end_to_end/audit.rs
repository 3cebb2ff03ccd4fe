//! Programs of the host under a policy that lacks calls, which `confine run --audit` lets through and tells of.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::run::{confine, ends_with};

/// Calls `getpgid` by itself and `socket` with a family in a process of its own, and ends as it is told.
const SOURCE: &str = r#"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
void ask(void) { for (int turn = 0; turn < 3000; turn++) if (getpgid(0) < 0) exit(1); }
int main(int count, char **arguments) {
    ask();
    int child = fork();
    if (child == 0) _exit(socket(AF_UNIX, SOCK_STREAM, 0) < 0);
    int status;
    waitpid(child, &status, 0);
    if (status != 0) return 1;
    puts(arguments[1]);
    fflush(stdout);
    if (arguments[1][0] == 's') raise(SIGTERM);
    return 7;
}"#;

fn built(folder: &Path) -> String {
    let source = folder.join("program.c");
    let program = folder.join("program");
    fs::write(&source, SOURCE).unwrap();
    let mut gcc = Command::new("gcc");
    gcc.args(["-O1", "-fno-inline"])
        .arg(&source)
        .arg("-o")
        .arg(&program);
    assert!(gcc.status().unwrap().success());
    program.display().to_string()
}

#[test]
fn what_a_policy_lacks_is_let_through_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = built(folder.path());
    let profile = folder.path().join("profile.json").display().to_string();
    ends_with(
        0,
        &mut confine(&["profile", "dir:/", "--program", &path, "-q", "-o", &profile]),
    );
    let audit = |code: i32, profile: &str, argument: &str| {
        ends_with(
            code,
            &mut confine(&["run", "--audit", "--profile", profile, "--", &path, argument]),
        )
    };
    let (output, told) = audit(7, &profile, "quietly");
    assert_eq!(output, "quietly\n");
    assert!(told.contains("denies nothing"), "{told}");

    // A call less, and of another one a value less.
    let text = fs::read_to_string(&profile).unwrap();
    let less = text.replace("\"getpgid\"", "\"getsid\"");
    assert_ne!(text, less);
    let mut less: serde_json::Value = serde_json::from_str(&less).unwrap();
    let entries = less["syscalls"].as_array_mut().unwrap();
    entries.retain(|entry| !entry["names"].as_array().unwrap().contains(&"socket".into()));
    let lacking = folder.path().join("lacking.json").display().to_string();
    fs::write(&lacking, less.to_string()).unwrap();

    let (output, told) = audit(7, &lacking, "loudly");
    assert_eq!(output, "loudly\n");
    for expected in [
        "denies 2 calls",
        &format!("getpgid by {path} denied, 3000 times: foreseen"),
        "getpgid(pid=0)",
        &format!("socket by {path} denied, 1 time: foreseen"),
        "family=AF_UNIX, type=SOCK_STREAM",
        "getpgid in /usr/lib/x86_64-linux-gnu/libc.so.6",
        "    by _start",
        "ask (",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    // 128 and the signal's number, as shells say it.
    let (_, told) = audit(143, &lacking, "signalled");
    assert!(told.contains("denies 2 calls"), "{told}");
}

#[test]
fn under_its_own_policy_nothing_is_told_and_signals_reach_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = built(folder.path());
    let (output, told) = ends_with(7, &mut confine(&["run", "--audit", "-q", "--", &path, "well"]));
    assert_eq!((output.as_str(), told.as_str()), ("well\n", ""));
    let (_, told) = ends_with(2, &mut confine(&["run", "--audit", "--", "/absent"]));
    assert!(told.contains("expected a program"), "{told}");

    let sleep = confine(&["run", "--audit", "-q", "--", "/bin/sleep", "30"]).spawn();
    let mut sleep = sleep.unwrap();
    let children = format!("/proc/{0}/task", sleep.id());
    // Until it is there; bounded by the sleep that it then is.
    while !has_child(Path::new(&children)) {
        assert!(
            sleep.try_wait().unwrap().is_none(),
            "it ended before it was signalled"
        );
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let signalled = Command::new("kill").arg(sleep.id().to_string()).status();
    assert!(signalled.unwrap().success());
    assert_eq!(sleep.wait().unwrap().code(), Some(143));
}

/// Whether one of the threads has started a program that is not the one that started it.
fn has_child(threads: &Path) -> bool {
    let threads = fs::read_dir(threads).into_iter().flatten().flatten();
    let children = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let mut numbers =
        children.flat_map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    numbers.any(|number| {
        let program = fs::read_link(format!("/proc/{number}/exe"));
        program.is_ok_and(|program| program.ends_with("sleep"))
    })
}
