//! A small report and a small check, for tests.

use confine_report::{
    Call, Combination, Image, Object, ObjectKind, Program, Report, Restriction, Step, Word,
};

use crate::compare::{Difference, Kind};
use crate::denied::{Denied, Foreseen, Site};
use crate::verdict::{Checked, Observation, Verdict};

/// A server that binds and opens sockets of one kind, also called by a link.
pub(crate) fn report() -> Report {
    let call = |number, name: &str, arguments| Call {
        number,
        name: name.to_owned(),
        sites: 1,
        chain: vec![Step {
            object: 0,
            function: "main".to_owned(),
            address: Word(0x1000),
            how: "entry point".to_owned(),
        }],
        arguments,
        falls_back_to: None,
    };
    let stream = Combination {
        restrictions: vec![Restriction {
            index: 0,
            name: "family".to_owned(),
            mask: Word(0xffff_ffff),
            values: vec![Word(2), Word(10)],
        }],
        chain: Vec::new(),
    };
    let server = "/usr/bin/server".to_owned();
    Report {
        schema: confine_report::SCHEMA.to_owned(),
        version: confine_report::VERSION,
        confine: "0".to_owned(),
        kernel_table: "6".to_owned(),
        image: Image::default(),
        program: None,
        runtime: "any".to_owned(),
        objects: vec![Object {
            path: server.clone(),
            sha256: String::new(),
            bytes: 1,
            code_bytes: 1,
            kind: ObjectKind::StaticProgram,
        }],
        scripts: Vec::new(),
        programs: vec![Program {
            path: server,
            invoked: vec!["/srv/link".to_owned()],
            arguments: Vec::new(),
            found: Vec::new(),
            objects: Vec::new(),
            calls: vec![call(41, "socket", vec![stream]), call(49, "bind", Vec::new())],
            executes: Vec::new(),
            executes_unknown: false,
            assumptions: Vec::new(),
        }],
        runtime_calls: Vec::new(),
        widened: Vec::new(),
        observed: Vec::new(),
        coarser: Vec::new(),
        allowed: Vec::new(),
        assumptions: Vec::new(),
    }
}

/// One policy that passes and one that does not.
pub(crate) fn checked() -> Checked {
    let difference = |step: &str, kind, expected: Option<&str>, found: &str, lives| Difference {
        step: step.to_owned(),
        kind,
        expected: expected.map(str::to_owned),
        found: Some(found.to_owned()),
        lives,
    };
    let failed = Verdict {
        policy: "old.json".to_owned(),
        differences: vec![
            difference("workload", Kind::Outcome, Some("exit code 0"), "exit code 1", 2),
            difference("log", Kind::Log, None, "bind: <Function> not \"implemented\"", 1),
        ],
        denied: vec![Denied {
            call: "bind".to_owned(),
            program: "/usr/bin/server".to_owned(),
            times: 3,
            uncertain: 0,
            arguments: vec!["fd=3, umyaddr=<pointer>, addrlen=16".to_owned()],
            sites: vec![Site {
                object: "/usr/bin/server".to_owned(),
                function: "listen_on".to_owned(),
                address: 0x1234,
            }],
            foreseen: Foreseen::Yes,
            chain: vec![
                "main (/usr/bin/server)".to_owned(),
                "bind (/lib/libc.so.6)".to_owned(),
            ],
        }],
        observation: Observation::Without("arguments".to_owned()),
    };
    Checked {
        image: "server:1".to_owned(),
        engine: "docker 20.10".to_owned(),
        lives: 2,
        steps: vec![
            ("ready".to_owned(), "healthy".to_owned()),
            ("stop".to_owned(), "exit code 0".to_owned()),
        ],
        varying: vec!["node amber joined".to_owned()],
        verdicts: vec![
            Verdict {
                policy: "server.json".to_owned(),
                ..Verdict::default()
            },
            failed,
        ],
    }
}
