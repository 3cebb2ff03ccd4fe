//! A small report and a record of the same image for the tests of this crate.

use confine_report::{
    Allowed, Combination, Found, LoadedObject, Object, ObjectKind, Report, Restriction, RuntimeCall, Word,
};

use crate::{Call, Ended, Executor, File, Image, Program, Record, SCHEMA, Seen, Session, VERSION, Value};

/// A container in which `/bin/sh` starts `/usr/sbin/server`; all of it is foreseen by [`report`].
pub(crate) fn record() -> Record {
    Record {
        schema: SCHEMA.to_owned(),
        version: VERSION,
        confine: "0.1.0".to_owned(),
        kernel_table: "7.3.4".to_owned(),
        kernel: "6.18.0".to_owned(),
        image: Image {
            reference: "server".to_owned(),
            digest: Some("sha256:ab".to_owned()),
        },
        session: Session {
            engine: "docker".to_owned(),
            workload: Some("curl localhost".to_owned()),
            workload_exit: Some(0),
            healthy: None,
            ended: Ended::Stopped,
            exit: 0,
        },
        files: ["/bin/sh", "/lib/ld.so", "/lib/libc.so", "/usr/sbin/server"]
            .into_iter()
            .map(|path| file(path, Some(path)))
            .chain([file("memfd:jit", None)])
            .collect(),
        programs: vec![
            Program {
                file: 0,
                executions: 1,
                executed_by: vec![Executor { file: None, times: 1 }],
                objects: vec![1, 2],
                calls: vec![call("write", 3, &[])],
            },
            Program {
                file: 3,
                executions: 1,
                executed_by: vec![Executor {
                    file: Some(0),
                    times: 1,
                }],
                objects: vec![1, 2],
                calls: vec![
                    call("write", 9, &[]),
                    call("socket", 2, &[&[(0, 2), (1, 1), (2, 0)]]),
                    call("rt_sigreturn", 1, &[]),
                ],
            },
        ],
        runtime: vec![call("capset", 1, &[])],
    }
}

/// What was foreseen: the server may make sockets of families 2 and 10.
pub(crate) fn report() -> Report {
    let paths = [
        "/bin/sh",
        "/lib/ld.so",
        "/lib/libc.so",
        "/usr/lib/late.so",
        "/usr/sbin/server",
    ];
    let family = Restriction {
        index: 0,
        name: "family".to_owned(),
        mask: Word(0xffff_ffff),
        values: vec![Word(2), Word(10)],
    };
    let socket = confine_report::Call {
        arguments: vec![Combination {
            restrictions: vec![family.clone()],
            chain: vec![],
        }],
        ..reached("socket")
    };
    Report {
        schema: confine_report::SCHEMA.to_owned(),
        version: confine_report::VERSION,
        confine: "0.1.0".to_owned(),
        kernel_table: "7.3.4".to_owned(),
        image: confine_report::Image {
            digest: Some("sha256:ab".to_owned()),
            ..confine_report::Image::default()
        },
        program: None,
        runtime: "any".to_owned(),
        objects: paths.map(object).to_vec(),
        scripts: vec![],
        programs: vec![
            program("/bin/sh", &[0, 1, 2], vec![reached("write"), reached("execve")]),
            program("/usr/sbin/server", &[4, 1, 2, 3], vec![reached("write"), socket]),
        ],
        runtime_calls: vec![needed("kernel", "rt_sigreturn"), needed("runc", "capset")],
        widened: vec![],
        observed: vec![],
        coarser: vec![],
        allowed: vec![
            allowed("write", &[0, 1], false, vec![]),
            allowed("socket", &[1], false, vec![vec![family]]),
            allowed("execve", &[0], false, vec![]),
            allowed("rt_sigreturn", &[], true, vec![]),
            allowed("capset", &[], true, vec![]),
        ],
        assumptions: vec![],
    }
    .canonical()
}

pub(crate) fn call(name: &str, times: u64, arguments: &[&[(u32, u64)]]) -> Call {
    let number = confine_kernel::call_named(name).unwrap().number;
    let names = confine_kernel::arguments(number);
    let value = |(index, value): &(u32, u64)| Value {
        index: *index,
        name: names[*index as usize].name.to_owned(),
        value: Word(*value),
    };
    Call {
        number,
        name: name.to_owned(),
        times,
        arguments: arguments
            .iter()
            .map(|values| Seen {
                values: values.iter().map(value).collect(),
                times,
            })
            .collect(),
    }
}

pub(crate) fn file(path: &str, sha256: Option<&str>) -> File {
    File {
        path: path.to_owned(),
        bytes: 100,
        sha256: sha256.map(str::to_owned),
    }
}

fn object(path: &str) -> Object {
    Object {
        path: path.to_owned(),
        sha256: path.to_owned(),
        bytes: 100,
        code_bytes: 50,
        kind: ObjectKind::SharedObject,
    }
}

fn program(path: &str, objects: &[usize], calls: Vec<confine_report::Call>) -> confine_report::Program {
    confine_report::Program {
        path: path.to_owned(),
        invoked: vec![],
        arguments: vec![],
        found: vec![Found {
            place: "Entrypoint".to_owned(),
            how: "first word".to_owned(),
            parent: None,
        }],
        objects: objects
            .iter()
            .map(|object| LoadedObject {
                object: *object,
                reason: "needed".to_owned(),
            })
            .collect(),
        calls,
        executes: vec![],
        executes_unknown: false,
        assumptions: vec![],
    }
}

fn reached(name: &str) -> confine_report::Call {
    confine_report::Call {
        number: confine_kernel::call_named(name).unwrap().number,
        name: name.to_owned(),
        sites: 1,
        chain: vec![],
        arguments: vec![],
        falls_back_to: None,
    }
}

fn needed(requester: &str, name: &str) -> RuntimeCall {
    RuntimeCall {
        name: name.to_owned(),
        requester: requester.to_owned(),
        reason: "measured".to_owned(),
        arguments: Vec::new(),
    }
}

fn allowed(name: &str, by: &[usize], runtime: bool, arguments: Vec<Vec<Restriction>>) -> Allowed {
    Allowed {
        number: confine_kernel::call_named(name).unwrap().number,
        name: name.to_owned(),
        by: by.to_vec(),
        runtime,
        widened: false,
        observed: false,
        arguments,
    }
}
