//! Programs without an interpreter, and files that nothing can be added to.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use confine_harden::{Confined, GraftError, Kind, graft};

use crate::support::*;

fn confined() -> Confined {
    Confined {
        filters: vec![deny(GETPPID, 77, 0)],
        mark: 0,
    }
}

#[test]
fn static_programs_are_confined() {
    let folder = tempfile::tempdir().unwrap();
    for (name, compiler, flags) in [
        ("fixed", "cc", &["-static"][..]),
        ("movable", "cc", &["-static-pie"]),
        ("musl", "musl-gcc", &["-static"]),
        ("large", "cc", &["-static", "-g3"]),
    ] {
        let program = compile(compiler, &folder.path().join(name), flags);
        let command = || {
            let mut command = Command::new(&program);
            command.arg0("other name").args(["one", "two"]);
            command
        };
        let plain = run(&mut command());
        let original = fs::read(&program).unwrap();
        write_program(
            &program,
            &graft(&original, Kind::Program, &only(confined())).unwrap(),
        );
        let changes = [
            ("getppid", "File descriptor in bad state"),
            ("no_new_privs", "1"),
            ("thread", "6077"),
        ];
        assert_differs_only(run(&mut command()), &plain, &changes);
    }
}

#[test]
fn go_programs_are_confined() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("main.go");
    let code = r#"
        package main
        import ("fmt"; "os"; "runtime/debug"; "syscall")
        func main() {
            _, _, errno := syscall.RawSyscall(syscall.SYS_GETPPID, 0, 0, 0)
            done := make(chan int)
            for i := 0; i < 100; i++ { go func() { done <- len(make([]byte, 1<<20)) }() }
            for i := 0; i < 100; i++ { <-done }
            self, _ := os.Executable()
            info, _ := debug.ReadBuildInfo()
            fmt.Println("getppid", int(errno)); fmt.Println("exe", self); fmt.Println("go", info.GoVersion)
        }"#;
    fs::write(&source, code).unwrap();
    let program = folder.path().join("program");
    let built = Command::new("go")
        .args(["build", "-o"])
        .args([&program, &source])
        .env("CGO_ENABLED", "0")
        .env("GOCACHE", folder.path().join("cache"))
        .env("GO111MODULE", "off")
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", text(&built));
    let plain = run(&mut Command::new(&program));
    let original = fs::read(&program).unwrap();
    write_program(
        &program,
        &graft(&original, Kind::Program, &only(confined())).unwrap(),
    );
    assert_differs_only(run(&mut Command::new(&program)), &plain, &[("getppid", "77")]);
    let version = Command::new("go")
        .args(["version", "-m"])
        .arg(&program)
        .output()
        .unwrap();
    assert!(text(&version).contains("CGO_ENABLED"), "{}", text(&version));
}

#[test]
fn what_nothing_can_be_added_to_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let program = compile("cc", &folder.path().join("program"), &["-static"]);
    let dynamic = compile("cc", &folder.path().join("dynamic"), &[]);
    let read = |path: &PathBuf| fs::read(path).unwrap();
    let bundle = only(confined());
    let grafted = graft(&read(&program), Kind::Program, &bundle).unwrap();
    let loader = fs::read(GLIBC).unwrap();
    let grafted_loader = graft(&loader, Kind::Interpreter, &bundle).unwrap();
    let loader_expected = GraftError::Kind {
        expected: "a dynamic loader",
    };
    for (file, kind, expected) in [
        (b"#!/bin/sh\n".to_vec(), Kind::Program, GraftError::NotElf),
        (read(&program)[..100].to_vec(), Kind::Program, GraftError::NotElf),
        (grafted, Kind::Program, GraftError::Grafted),
        (grafted_loader, Kind::Interpreter, GraftError::Grafted),
        (
            read(&dynamic),
            Kind::Program,
            GraftError::Kind {
                expected: "a program without an interpreter",
            },
        ),
        (read(&dynamic), Kind::Interpreter, loader_expected.clone()),
        (read(&program), Kind::Interpreter, loader_expected),
        (
            [read(&program), vec![1; 5]].concat(),
            Kind::Program,
            GraftError::Trailing(5),
        ),
        (
            read(&program)[..4096].to_vec(),
            Kind::Program,
            GraftError::Layout("a segment ends behind the file"),
        ),
    ] {
        assert_eq!(graft(&file, kind, &bundle).err(), Some(expected));
    }
}
