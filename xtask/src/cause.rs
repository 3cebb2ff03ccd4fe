//! Why a call is said: a class, derived by the same rules for every program from the shortest chain of a report.
//!
//! The classes are tried in the order of [`Class`]: what brings in the most comes first. A chain shows one way to a
//! call; where that way were closed, another one of another class could remain.

use std::fmt;

use confine_report::{Program, Report, Step};

/// What makes the shortest chain to a call possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// No chain: a number stayed open, and the policy is as wide as the engine's default.
    OpenNumber,
    /// Some step lies in an object that is loaded after the start, or is looked up by name.
    LateObject,
    /// Nothing but the interpreter's own code from its entry point on.
    Loader,
    /// Some function is reached because data holds its address.
    StoredAddress,
    /// Some function is reached because code holds its address.
    AddressTaken,
    /// Begins with what runs without being called: constructors, resolvers, what the loader looks up.
    StartUp,
    /// Calls only, through a library that is not the C library.
    Library,
    /// Calls only, in the program and the C library.
    OwnCode,
}

impl fmt::Display for Class {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::OpenNumber => "open number",
            Self::LateObject => "late object",
            Self::Loader => "loader",
            Self::StoredAddress => "stored address",
            Self::AddressTaken => "address taken",
            Self::StartUp => "start-up",
            Self::Library => "library",
            Self::OwnCode => "own code",
        })
    }
}

/// Why a call is said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cause {
    /// The class.
    pub class: Class,
    /// Within the class: why an object is late, which function's address, which library.
    pub detail: String,
    /// The first function of the C library on the way; empty if there is none.
    pub shared: String,
}

/// The objects of one program.
struct Loaded<'r> {
    program: &'r str,
    /// By index in the report: path and the reason that it is loaded.
    objects: Vec<(&'r str, Option<&'r str>)>,
}

/// How a report says that an object is loaded after the start, and for whose sake it is loaded.
const LATE: &str = "loaded later: ";
const NEEDED: &str = "needed by ";
const INTERPRETER: &str = "its interpreter";

/// How a step says that it is reached.
const BY_NAME: &str = "looked up by name: ";
const STORED: &str = "its address is stored at ";
const TAKEN: &str = "its address is taken";
const START_UP: [&str; 4] = [
    "constructor or destructor",
    "IFUNC resolver",
    "looked up by the loader",
    "kept by",
];

impl Cause {
    /// That of a call with this chain; an empty one is a call that is said because a number stayed open.
    pub fn new(report: &Report, program: &Program, chain: &[Step]) -> Self {
        let mut objects: Vec<(&str, Option<&str>)> = report
            .objects
            .iter()
            .map(|object| (object.path.as_str(), None))
            .collect();
        for loaded in &program.objects {
            if let Some((_, reason)) = objects.get_mut(loaded.object) {
                *reason = Some(&loaded.reason);
            }
        }
        let loaded = Loaded {
            program: &program.path,
            objects,
        };
        let (class, detail) = loaded.class(chain);
        let libc = chain.iter().find(|step| is_libc(loaded.path(step)));
        Self {
            class,
            detail,
            shared: libc.map(|step| step.function.clone()).unwrap_or_default(),
        }
    }
}

impl<'r> Loaded<'r> {
    fn class(&self, chain: &'r [Step]) -> (Class, String) {
        let Some(first) = chain.first() else {
            return (Class::OpenNumber, String::new());
        };
        let late = chain.iter().find_map(|step| self.late(step));
        let stored = chain.iter().find(|step| step.how.starts_with(STORED));
        let taken = chain.iter().find(|step| step.how.starts_with(TAKEN));
        let library = chain.iter().find(|step| {
            let path = self.path(step);
            path != self.program && !is_libc(path) && !self.is_interpreter(step)
        });
        if let Some(reason) = late {
            (Class::LateObject, reason)
        } else if first.how == "entry point" && chain.iter().all(|step| self.is_interpreter(step)) {
            (Class::Loader, String::new())
        } else if let Some(step) = stored {
            (Class::StoredAddress, self.place(step))
        } else if let Some(step) = taken {
            (Class::AddressTaken, self.place(step))
        } else if START_UP.iter().any(|how| first.how.starts_with(how)) {
            (Class::StartUp, self.place(first))
        } else if let Some(step) = library {
            (Class::Library, self.named(self.path(step)).to_owned())
        } else {
            (Class::OwnCode, String::new())
        }
    }

    /// Why a step is there only after the start.
    fn late(&self, step: &'r Step) -> Option<String> {
        // What it is loaded for may be needed by another one: at most as many steps as there are objects.
        let mut path = self.path(step);
        for _ in &self.objects {
            let reason = self.objects.iter().find(|(known, _)| *known == path)?.1?;
            if let Some(why) = reason.strip_prefix(LATE) {
                return Some(self.reason(why, self.named(path)));
            }
            match reason.strip_prefix(NEEDED) {
                Some(by) => path = by,
                None => break,
            }
        }
        let by = step.how.strip_prefix(BY_NAME)?;
        Some(self.reason(by, self.named(self.path(step))))
    }

    fn path(&self, step: &Step) -> &'r str {
        self.objects.get(step.object).map_or("", |(path, _)| path)
    }

    fn is_interpreter(&self, step: &Step) -> bool {
        let object = self.objects.get(step.object);
        object.is_some_and(|(_, reason)| *reason == Some(INTERPRETER))
    }

    /// An object in words that programs share.
    fn named(&self, path: &'r str) -> &'r str {
        if path == self.program {
            "the program"
        } else {
            path.rsplit('/').next().unwrap_or(path)
        }
    }

    /// Why an object is there, in words that all which are there for the same reason share.
    fn reason(&self, why: &'r str, object: &str) -> String {
        let (what, why) = why.split_once(": ").unwrap_or(("", why));
        if let Some((by, place)) = why.split_once(" at ") {
            let path = place.rsplit_once(':').map_or(place, |(path, _)| path);
            return format!("{by} in {}", self.named(path));
        }
        if let Some(by) = why.strip_suffix(" names it") {
            return format!("{} names {object}", self.named(by));
        }
        match why.split_once(" names ") {
            Some((by, named)) => format!("{} names {named}", self.named(by)),
            None if what.is_empty() => why.to_owned(),
            None => format!("{what}: {why}"),
        }
    }

    fn place(&self, step: &Step) -> String {
        match self.named(self.path(step)) {
            own @ "the program" => own.to_owned(),
            library => format!("{library} {}", step.function),
        }
    }
}

fn is_libc(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.starts_with("libc.so") || name.starts_with("libc-") || name.starts_with("ld-musl-")
}

#[cfg(test)]
mod tests {
    use confine_report::{LoadedObject, Object, ObjectKind, Word};

    use super::*;

    /// What the program /p loads, with the reasons.
    const OBJECTS: [(&str, &str); 6] = [
        ("/p", "the program"),
        ("/lib/libc.so.6", "needed by /p"),
        ("/lib/ld-linux-x86-64.so.2", "its interpreter"),
        ("/lib/libx.so.1", "needed by /p"),
        (
            "/lib/libnss_dns.so.2",
            "loaded later: the C library, for /etc/nsswitch.conf",
        ),
        ("/lib/libresolv.so.2", "needed by /lib/libnss_dns.so.2"),
    ];

    /// The cause of a call of /p whose chain is `OBJECT FUNCTION HOW` each.
    fn expect(chain: &[(usize, &str, &str)], expected: (Class, &str, &str)) {
        let mut report = Report::from_json(&minimal()).unwrap();
        report.objects = OBJECTS
            .map(|(path, _)| Object {
                path: path.to_owned(),
                sha256: String::new(),
                bytes: 0,
                code_bytes: 0,
                kind: ObjectKind::SharedObject,
            })
            .into();
        let program = Program {
            path: "/p".to_owned(),
            invoked: Vec::new(),
            arguments: Vec::new(),
            found: Vec::new(),
            objects: (0..)
                .zip(OBJECTS)
                .map(|(object, (_, reason))| LoadedObject {
                    object,
                    reason: reason.to_owned(),
                })
                .collect(),
            calls: Vec::new(),
            executes: Vec::new(),
            executes_unknown: false,
            assumptions: Vec::new(),
        };
        let steps: Vec<Step> = chain
            .iter()
            .map(|(object, function, how)| Step {
                object: *object,
                function: (*function).to_owned(),
                address: Word(0),
                how: (*how).to_owned(),
            })
            .collect();
        let (class, detail, shared) = expected;
        let expected = Cause {
            class,
            detail: detail.to_owned(),
            shared: shared.to_owned(),
        };
        assert_eq!(Cause::new(&report, &program, &steps), expected);
    }

    fn minimal() -> String {
        let text = r#"{"schema": "confine-report", "version": VERSION, "confine": "", "kernel_table": "", "image":
            {"reference": "", "architecture": "", "command_line": [], "user": "", "workdir": "", "environment": []},
            "runtime": "", "objects": [], "scripts": [], "programs": [], "runtime_calls": [], "widened": [],
            "allowed": [], "assumptions": []}"#;
        text.replace("VERSION", &confine_report::VERSION.to_string())
    }

    #[test]
    fn reasons_are_shared_by_all_objects_of_a_folder() {
        let loaded = Loaded {
            program: "/bin/p",
            objects: Vec::new(),
        };
        for (why, expected) in [
            (
                "the C library, for a character set",
                "the C library, for a character set",
            ),
            (
                "a name: /lib/x names its folder /lib/m",
                "x names its folder /lib/m",
            ),
            (
                "a name: /bin/p names its folder /lib/m",
                "the program names its folder /lib/m",
            ),
            ("a name: /lib/x names it", "x names m.so"),
            ("dlopen at /lib/x:+0x4", "dlopen in x"),
        ] {
            assert_eq!(loaded.reason(why, "m.so"), expected);
        }
    }

    #[test]
    fn causes_are_read_off_chains() {
        expect(&[], (Class::OpenNumber, "", ""));
        expect(
            &[(0, "main", "entry point"), (1, "read", "called")],
            (Class::OwnCode, "", "read"),
        );
        expect(
            &[
                (0, "main", "entry point"),
                (3, "x", "called"),
                (1, "read", "called"),
            ],
            (Class::Library, "libx.so.1", "read"),
        );
        expect(
            &[(2, "+0x1", "entry point"), (2, "+0x2", "its address is taken")],
            (Class::Loader, "", ""),
        );
        expect(
            &[
                (1, "_IO_file_read", "its address is stored at /lib/libc.so.6:0x1"),
                (1, "read", "called"),
            ],
            (Class::StoredAddress, "libc.so.6 _IO_file_read", "_IO_file_read"),
        );
        expect(
            &[
                (0, "main", "entry point"),
                (0, "f", "its address is taken"),
                (1, "kill", "called"),
            ],
            (Class::AddressTaken, "the program", "kill"),
        );
        expect(
            &[
                (3, "+0x9", "constructor or destructor at 0x4"),
                (1, "open", "called"),
            ],
            (Class::StartUp, "libx.so.1 +0x9", "open"),
        );
        expect(
            &[(5, "res", "called"), (1, "sendmmsg", "called")],
            (
                Class::LateObject,
                "the C library, for /etc/nsswitch.conf",
                "sendmmsg",
            ),
        );
        expect(
            &[(
                1,
                "_nss_dns_x",
                "looked up by name: dlopen at /lib/libx.so.1:+0x4",
            )],
            (Class::LateObject, "dlopen in libx.so.1", "_nss_dns_x"),
        );
    }
}
