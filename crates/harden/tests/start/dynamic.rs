//! Programs with an interpreter.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use confine_harden::Confined;

use crate::support::*;

#[test]
fn a_program_sees_what_it_always_saw_and_is_confined() {
    for (mut place, original) in [(Place::glibc(), GLIBC), (Place::musl(), MUSL)] {
        for (name, flags) in [
            ("pie", &["-pie", "-fPIE"][..]),
            ("fixed", &["-no-pie"]),
            ("undigested", &["-Wl,--build-id=none"]),
        ] {
            let program = place.compile(name, flags);
            symlink(original, &place.interpreter).unwrap();
            let command = || {
                let mut command = Command::new(&program);
                command.arg0("other name").args(["one", "two"]);
                command
            };
            let plain = run(&mut command());
            assert_eq!(plain["getppid"], "allowed");
            place.confine(&program, GETPPID, 0);
            fs::remove_file(&place.interpreter).unwrap();
            place.graft();
            assert_differs_only(run(&mut command()), &plain, &confined());
            fs::remove_file(&place.interpreter).unwrap();
        }
    }
}

/// What changes for a program that is denied `getppid`, thread and all.
fn confined() -> [(&'static str, &'static str); 3] {
    [
        ("getppid", "File descriptor in bad state"),
        ("no_new_privs", "1"),
        ("thread", "6077"),
    ]
}

fn is_confined(lines: &BTreeMap<String, String>) -> bool {
    let denied = lines["getppid"] != "allowed";
    assert_eq!(denied, lines["thread"] == "6077");
    denied
}

#[test]
fn it_is_the_program_that_counts_and_not_its_path() {
    let mut place = Place::glibc();
    let program = place.compile("program", &[]);
    place.confine(&program, GETPPID, 0);
    place.graft();
    let link = place.path("link");
    symlink(&program, &link).unwrap();
    let copy = place.path("copy");
    fs::copy(&program, &copy).unwrap();
    let script = place.path("script");
    write_program(&script, format!("#!{} argument\n", program.display()).as_bytes());
    for path in [&link, &copy, &script] {
        let lines = run(&mut Command::new(path));
        assert!(is_confined(&lines), "{}", path.display());
        assert_eq!(lines["executed"], path.display().to_string());
    }
    let relative = run(Command::new("./program").current_dir(place.folder.path()));
    assert!(is_confined(&relative));
    // An open file has no path at all.
    let shell = format!("exec 7<{}; exec /proc/self/fd/7", program.display());
    assert!(is_confined(&run(Command::new("sh").args(["-c", &shell]))));
    // A program that is another one has no policy.
    let other = place.compile("other", &["-O3"]);
    assert!(!is_confined(&run(&mut Command::new(&other))));
    fs::copy(&other, &program).unwrap();
    assert!(!is_confined(&run(&mut Command::new(&program))));
}

#[test]
fn the_loader_still_works_by_itself() {
    for (mut place, show, lists) in [
        (Place::glibc(), "libc.so.6 =>", true),
        (Place::musl(), "libc.so", true),
    ] {
        let program = place.compile("program", &[]);
        place.confine(&program, GETPPID, 0);
        place.graft();
        let lines = run(Command::new(&place.interpreter).arg(&program).arg("argument"));
        assert!(is_confined(&lines));
        assert_eq!(lines["arguments"], "2 argument");
        assert_eq!(lines["exe"], place.interpreter.display().to_string());
        let named = run(Command::new(&place.interpreter)
            .args(["--argv0", "other"])
            .arg(&program));
        assert!(is_confined(&named));
        assert_eq!(named["name"], "other");
        let listed = Command::new(&place.interpreter)
            .arg("--list")
            .arg(&program)
            .output()
            .unwrap();
        assert_eq!(text(&listed).contains(show), lists, "{}", text(&listed));
        let missing = Command::new(&place.interpreter).arg("/absent").output().unwrap();
        assert_ne!(missing.status.code(), Some(confine_harden::REFUSED));
        assert!(text(&missing).contains("/absent"), "{}", text(&missing));
        let usage = Command::new(&place.interpreter).output().unwrap();
        let told = ["--help", "Usage"].iter().any(|word| text(&usage).contains(word));
        assert!(told, "{}", text(&usage));
    }
}

#[test]
fn libraries_are_listed_preloaded_and_opened() {
    let mut place = Place::glibc();
    let program = place.compile("program", &[]);
    place.confine(&program, GETPPID, 0);
    place.graft();
    let listed = Command::new("ldd").arg(&program).output().unwrap();
    let listed = text(&listed);
    assert!(listed.contains("libc.so.6 =>"), "{listed}");
    assert!(
        listed.contains(&place.interpreter.display().to_string()),
        "{listed}"
    );
    let preloaded = run(Command::new(&program).env("LD_PRELOAD", "libm.so.6"));
    assert!(is_confined(&preloaded));
    // The loader is the library of this name, and has to know it: a second one would not work.
    let source = place.path("open.c");
    let code = r#"
        #include <dlfcn.h>
        #include <stdio.h>
        int main(int count, char **names) {
            void *first = dlopen(names[1], RTLD_NOW);
            for (int index = 1; index < count; index++)
                puts(first && dlopen(names[index], RTLD_NOW) == first ? "same" : "another");
        }"#;
    fs::write(&source, code).unwrap();
    let opener = place.path("opener");
    let built = Command::new("cc")
        .arg(&source)
        .arg("-o")
        .arg(&opener)
        .arg(format!("-Wl,--dynamic-linker={}", place.interpreter.display()))
        .status();
    assert!(built.unwrap().success());
    let opened = Command::new(&opener)
        .arg("ld-linux-x86-64.so.2")
        .arg(&place.interpreter)
        .output();
    assert_eq!(text(&opened.unwrap()), "same\nsame\n");
}

#[test]
fn a_policy_is_installed_once_however_often_its_program_starts() {
    let mut place = Place::glibc();
    let program = place.compile("program", &[]);
    place.confine(&program, GETPPID, 200);
    place.graft();
    let path = program.display().to_string();
    let once = run(&mut Command::new(&program));
    let often = run(Command::new(&program).args(["exec", &path, "exec", &path, "exec", &path, "last"]));
    assert!(is_confined(&once) && is_confined(&often));
    assert_eq!(often["arguments"], "2 last");
    assert_eq!(once["filters"], often["filters"]);
    // Another policy is added, whether its mark is in the same argument or not.
    let other = place.compile("other", &["-O3"]);
    for mark in [201, 3] {
        place.confine(&other, GETPGID, mark);
        place.graft();
        let both = run(Command::new(&program).arg("exec").arg(&other));
        assert!(is_confined(&both), "{mark}");
        assert_ne!(both["getpgid"], "allowed", "{mark}");
        let count = |lines: &BTreeMap<String, String>| lines["filters"].parse::<u32>().unwrap();
        assert_eq!(count(&both), count(&once) + 1, "{mark}");
    }
}

#[test]
fn more_policies_than_the_kernel_takes_at_once_stop_no_program() {
    let mut place = Place::glibc();
    let mut command = None;
    // Ten policies of 4,000 instructions are more than the kernel's limit of 32,768.
    for index in 0..10 {
        let program = place.compile(&format!("program{index}"), &[&format!("-DNUMBER={index}")]);
        let mut filter = deny(if index == 0 { GETPPID } else { GETPGID }, 77, index);
        // Loads that change nothing, in front.
        let load = filter[..8].to_vec();
        filter = [load.repeat(3990), filter].concat();
        let confined = Confined {
            filters: vec![filter],
            mark: index,
        };
        place.confine_with(&program, confined);
        match &mut command {
            None => command = Some(Command::new(&program)),
            Some(command) => {
                command.arg("exec").arg(&program);
            }
        }
    }
    place.graft();
    let lines = run(&mut command.unwrap());
    assert!(is_confined(&lines));
    let filters: u32 = lines["filters"].parse().unwrap();
    assert!((5..10).contains(&filters), "{filters}");
}

#[test]
fn a_debugger_finds_its_way() {
    let mut place = Place::glibc();
    let program = place.compile("program", &["-g"]);
    place.confine(&program, GETPPID, 0);
    place.graft();
    let output = Command::new("gdb")
        .args([
            "-batch",
            "-nx",
            "-ex",
            "set debuginfod enabled off",
            "-ex",
            "break main",
            "-ex",
            "break getauxval",
            "-ex",
            "run",
        ])
        .args([
            "-ex",
            "info sharedlibrary",
            "-ex",
            "continue",
            "-ex",
            "delete",
            "-ex",
            "continue",
        ])
        .arg(&program)
        .output()
        .unwrap();
    let text = text(&output);
    for expected in [
        "Breakpoint 1, main",
        "libc.so.6",
        // In a library, once it is loaded.
        "Breakpoint 2, ",
        "getppid File descriptor in bad state",
        "exited normally",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let interpreter = text
        .lines()
        .find(|line| line.ends_with(&place.interpreter.display().to_string()));
    assert!(interpreter.is_some_and(|line| line.contains("Yes")), "{text}");
}

#[test]
fn a_program_in_another_root_is_confined_without_proc() {
    if !is_root() {
        return;
    }
    let mut place = Place::glibc();
    let program = place.compile("program", &[]);
    place.confine(&program, GETPPID, 0);
    place.graft();
    let root = tempfile::tempdir().unwrap();
    let inside = |path: &Path| root.path().join(path.strip_prefix("/").unwrap());
    let library = Path::new("/lib/x86_64-linux-gnu/libc.so.6");
    for path in [program.as_path(), &place.interpreter, library] {
        fs::create_dir_all(inside(path).parent().unwrap()).unwrap();
        fs::copy(path, inside(path)).unwrap();
    }
    let lines = run(Command::new("chroot").arg(root.path()).arg(&program));
    assert!(is_confined(&lines));
    assert_eq!(lines["exe"], "?");
}

#[test]
fn a_set_user_id_program_has_its_privileges_and_hands_none_on() {
    if !is_root() {
        return;
    }
    let mut place = Place::glibc();
    let program = place.compile("program", &[]);
    let other = place.compile("other", &["-O3"]);
    place.confine(&program, GETPPID, 0);
    place.graft();
    fs::set_permissions(place.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for path in [&program, &other] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o4755)).unwrap();
    }
    let as_nobody = || {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        command
    };
    let lines = run(as_nobody().arg(&program));
    assert!(is_confined(&lines));
    assert_eq!(lines["secure"], "1");
    // Without a policy, another one is privileged as always; started by a confined one it is not.
    assert_eq!(run(as_nobody().arg(&other))["secure"], "1");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let lines = run(as_nobody().arg(&program).arg("exec").arg(&other));
    assert_eq!(lines["secure"], "0");
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    text(&output).trim() == "0"
}
