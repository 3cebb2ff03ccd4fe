//! A small report for the tests of this crate.

use confine_assumption::{Assumption, Effect, Kind};

use crate::{
    Allowed, Call, Found, Image, LoadedObject, Object, ObjectKind, Program, Report, RuntimeCall, SCHEMA,
    Script, Step, VERSION, Widened, Word,
};

pub(crate) fn report() -> Report {
    let library = object("/usr/lib/libc.so.6", ObjectKind::SharedObject);
    let server = object("/usr/sbin/server", ObjectKind::DynamicProgram);
    let tool = object("/usr/bin/tool", ObjectKind::StaticProgram);
    Report {
        schema: SCHEMA.to_owned(),
        version: VERSION,
        confine: "0.1.0".to_owned(),
        kernel_table: "7.3.4".to_owned(),
        image: Image {
            reference: "docker-archive:server.tar".to_owned(),
            digest: Some(format!("sha256:{}", "ab".repeat(32))),
            architecture: "amd64".to_owned(),
            command_line: vec!["/entry.sh".to_owned(), "server".to_owned(), "a b".to_owned()],
            user: String::new(),
            workdir: "/".to_owned(),
            environment: vec!["PATH".to_owned()],
        },
        program: None,
        runtime: "any".to_owned(),
        objects: vec![tool, library, server],
        scripts: vec![Script {
            path: "/entry.sh".to_owned(),
            interpreter: "/bin/sh".to_owned(),
            found: vec![found("Entrypoint", "first word", None)],
        }],
        programs: vec![
            Program {
                path: "/usr/bin/tool".to_owned(),
                invoked: vec!["tool".to_owned()],
                arguments: vec![],
                found: vec![found("/entry.sh:3", "command `tool` on PATH", Some("/entry.sh"))],
                objects: vec![LoadedObject {
                    object: 0,
                    reason: "the program".to_owned(),
                }],
                calls: vec![call(
                    1,
                    "write",
                    1,
                    vec![step(0, "+0x10", 0x40_1000, "entry point")],
                )],
                executes: vec![1],
                executes_unknown: false,
                assumptions: vec![],
            },
            Program {
                path: "/usr/sbin/server".to_owned(),
                invoked: vec!["server".to_owned()],
                arguments: vec![vec!["server".to_owned(), "a b".to_owned()]],
                found: vec![found(
                    "/entry.sh:9",
                    "exec \"$@\" with the image's command",
                    Some("/entry.sh"),
                )],
                objects: vec![
                    LoadedObject {
                        object: 2,
                        reason: "the program".to_owned(),
                    },
                    LoadedObject {
                        object: 1,
                        reason: "needed by /usr/sbin/server".to_owned(),
                    },
                ],
                calls: vec![
                    call(
                        1,
                        "write",
                        12,
                        vec![
                            step(2, "main", 0x1100, "entry point"),
                            step(1, "write", 0x2004, "called"),
                        ],
                    ),
                    call(
                        105,
                        "setuid",
                        1,
                        vec![
                            step(2, "main", 0x1200, "entry point"),
                            step(1, "setuid", 0x3008, "called"),
                        ],
                    ),
                ],
                executes: vec![],
                executes_unknown: true,
                assumptions: vec![assumption()],
            },
        ],
        runtime_calls: vec![
            RuntimeCall {
                name: "exit_group".to_owned(),
                requester: "kernel".to_owned(),
                reason: "ends the process".to_owned(),
                arguments: Vec::new(),
            },
            RuntimeCall {
                name: "write".to_owned(),
                requester: "runc".to_owned(),
                reason: "reports that it is ready".to_owned(),
                arguments: Vec::new(),
            },
        ],
        coarser: vec![],
        observed: vec![],
        widened: vec![Widened {
            name: "chown".to_owned(),
            because: "an open call number".to_owned(),
        }],
        allowed: vec![
            allowed(1, "write", vec![0, 1], true, false),
            allowed(92, "chown", vec![], false, true),
            allowed(105, "setuid", vec![1], false, false),
            allowed(231, "exit_group", vec![], true, false),
        ],
        assumptions: vec![assumption()],
    }
    .canonical()
}

fn object(path: &str, kind: ObjectKind) -> Object {
    Object {
        path: path.to_owned(),
        sha256: "0123456789abcdef".repeat(4),
        bytes: 1_922_136,
        code_bytes: 102_400,
        kind,
    }
}

fn found(place: &str, how: &str, parent: Option<&str>) -> Found {
    Found {
        place: place.to_owned(),
        how: how.to_owned(),
        parent: parent.map(str::to_owned),
    }
}

fn call(number: u32, name: &str, sites: u64, chain: Vec<Step>) -> Call {
    Call {
        number,
        name: name.to_owned(),
        sites,
        chain,
        arguments: Vec::new(),
        falls_back_to: None,
    }
}

fn step(object: usize, function: &str, address: u64, how: &str) -> Step {
    Step {
        object,
        function: function.to_owned(),
        address: Word(address),
        how: how.to_owned(),
    }
}

fn allowed(number: u32, name: &str, by: Vec<usize>, runtime: bool, widened: bool) -> Allowed {
    Allowed {
        number,
        name: name.to_owned(),
        by,
        runtime,
        widened,
        observed: false,
        arguments: Vec::new(),
    }
}

fn assumption() -> Assumption {
    Assumption {
        kind: Kind::OpenCallNumber,
        place: "/usr/sbin/server:dispatch+0x1c".to_owned(),
        detail: "the number comes from memory".to_owned(),
        effect: Effect::WidenedToDefault,
    }
}
