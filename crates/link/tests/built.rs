//! Small objects made by gcc in a root that exists in memory only: the rules one by one.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail and may say what it skips"
)]

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use confine_assumption::Kind;
use confine_image::{FileBytes, MemoryFiles};
use confine_link::{
    Binding, Environment, LateRequest, Linked, LoadReason, NamePattern, ObjectStore, Roots, Scope,
    conventions, helpers, link,
    plugins::{self, Asking},
};

const INTERPRETER: &str = "/lib64/ld-linux-x86-64.so.2";

/// Builds objects in one temporary folder, so that they can be linked with each other.
struct Builder {
    folder: tempfile::TempDir,
}

impl Builder {
    /// `None` where there is no compiler.
    fn new() -> Option<Self> {
        if Command::new("gcc").arg("--version").output().is_err() {
            println!("skipped: no gcc on this machine");
            return None;
        }
        Some(Self {
            folder: tempfile::tempdir().unwrap(),
        })
    }

    /// Builds `name` from C; without the C library, so that nothing else is needed.
    fn build(&self, name: &str, source: &str, flags: &[&str]) -> FileBytes {
        let code = self.folder.path().join(format!("{name}.c"));
        fs::write(&code, source).unwrap();
        let output = Command::new("gcc")
            .current_dir(self.folder.path())
            .args([
                "-nostdlib",
                "-fPIC",
                "-fno-stack-protector",
                "-Wl,--no-as-needed",
                "-Wl,--allow-shlib-undefined",
            ])
            .arg(&code)
            .args(["-o", name, "-L."])
            .args(flags)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        fs::read(self.folder.path().join(name)).unwrap().into()
    }

    fn library(&self, name: &str, source: &str, flags: &[&str]) -> FileBytes {
        let soname = format!("-Wl,-soname,{name}");
        self.build(name, source, &[&["-shared", &soname], flags].concat())
    }

    fn program(&self, source: &str, flags: &[&str]) -> FileBytes {
        self.build(
            "program",
            source,
            &[
                &["-pie", "-Wl,-dynamic-linker,/lib64/ld-linux-x86-64.so.2"],
                flags,
            ]
            .concat(),
        )
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn root(&self) -> MemoryFiles {
        MemoryFiles::new().program(
            INTERPRETER,
            self.library("ld-linux-x86-64.so.2", "int loader_data;", &[]),
        )
    }
}

fn linked(files: &MemoryFiles, environment: &Environment) -> Linked {
    link(files, &ObjectStore::new(), "/program", environment)
}

fn paths(linked: &Linked) -> Vec<&str> {
    linked.paths().collect()
}

/// The path of the object that the program's reference to `name` binds to.
fn bound<'a>(linked: &'a Linked, from: usize, name: &str) -> Option<(&'a str, &'a str)> {
    let symbols = &linked.objects[from].elf.dynamic_symbols;
    let index = symbols
        .iter()
        .position(|symbol| symbol.name == name && !symbol.defined)
        .or_else(|| symbols.iter().position(|symbol| symbol.name == name))?;
    match linked.resolve(from, u32::try_from(index).unwrap()) {
        Binding::Defined { object, symbol, .. } => {
            let definition = &linked.objects[object].elf.dynamic_symbols[symbol as usize];
            let version = definition
                .version
                .as_ref()
                .map_or("", |version| version.name.as_str());
            Some((linked.objects[object].path.as_str(), version))
        }
        _ => None,
    }
}

#[test]
fn breadth_first_and_the_interpreter_once() {
    let Some(builder) = Builder::new() else { return };
    let files = builder
        .root()
        .file(
            "/lib/libc1.so",
            builder.library("libc1.so", "int c;", &["-l:ld-linux-x86-64.so.2"]),
        )
        .file(
            "/lib/liba1.so",
            builder.library("liba1.so", "int a;", &["-l:libc1.so"]),
        )
        .file("/lib/libb1.so", builder.library("libb1.so", "int b;", &[]))
        .program(
            "/program",
            builder.program("void _start(void) {}", &["-l:liba1.so", "-l:libb1.so"]),
        );
    let linked = linked(&files, &Environment::default());
    assert_eq!(
        paths(&linked),
        [
            "/program",
            "/lib/liba1.so",
            "/lib/libb1.so",
            "/lib/libc1.so",
            INTERPRETER
        ]
    );
    assert_eq!(linked.objects[0].needed, [1, 2]);
    assert_eq!(linked.objects[3].reason, LoadReason::Needed { by: 1 });
    assert_eq!(linked.objects[4].reason, LoadReason::Interpreter);
    assert_eq!(linked.assumptions, []);
}

#[test]
fn rpath_then_library_path_then_runpath_then_default_folders() {
    let Some(builder) = Builder::new() else { return };
    let library = || builder.library("liba1.so", "int a;", &[]);
    library();
    let plain = builder.program("void _start(void) {}", &["-l:liba1.so"]);
    let rpath = ["-l:liba1.so", "-Wl,--disable-new-dtags", "-Wl,-rpath,$ORIGIN/r"];
    let rpath = builder.program("void _start(void) {}", &rpath);
    let runpath = ["-l:liba1.so", "-Wl,--enable-new-dtags", "-Wl,-rpath,$ORIGIN/r"];
    let runpath = builder.program("void _start(void) {}", &runpath);
    let check = |program: &FileBytes, folders: &[&str], expected: &str| {
        let mut files = builder.root().program("/program", program.clone());
        for folder in folders {
            files = files.file(&format!("{folder}/liba1.so"), library());
        }
        let environment = Environment {
            library_path: vec!["/e".to_owned()],
            ..Environment::default()
        };
        assert_eq!(
            paths(&linked(&files, &environment))[1],
            format!("{expected}/liba1.so")
        );
    };
    check(&rpath, &["/r", "/e", "/lib"], "/r");
    check(&runpath, &["/r", "/e", "/lib"], "/e");
    check(&runpath, &["/r", "/lib"], "/r");
    check(&plain, &["/r", "/e", "/lib"], "/e");
    check(&plain, &["/r", "/lib"], "/lib");
    check(
        &plain,
        &["/r", "/usr/lib/x86_64-linux-gnu"],
        "/usr/lib/x86_64-linux-gnu",
    );
}

#[test]
fn files_of_another_class_are_passed_over_and_variants_kept() {
    let Some(builder) = Builder::new() else { return };
    let library = builder.library("liba1.so", "int a(void) { return 1; }", &[]);
    let variant = builder.library("liba1.so", "int a(void) { return 3; }", &[]);
    let mut narrow = library.to_vec();
    narrow[4] = 1;
    let files = builder
        .root()
        .file("/lib/x86_64-linux-gnu/liba1.so", narrow)
        .file("/lib/glibc-hwcaps/x86-64-v3/liba1.so", variant)
        .file("/lib/liba1.so", library)
        .program(
            "/program",
            builder.program("int a(void); void _start(void) { a(); }", &["-l:liba1.so"]),
        );
    let linked = linked(&files, &Environment::default());
    let expected = [
        "/program",
        "/lib/liba1.so",
        INTERPRETER,
        "/lib/glibc-hwcaps/x86-64-v3/liba1.so",
    ];
    assert_eq!(paths(&linked), expected);
    assert_eq!(linked.objects[3].reason, LoadReason::Variant { of: 1 });
    assert_eq!(bound(&linked, 0, "a"), Some(("/lib/liba1.so", "")));
    let (object, symbol) = linked.lookup_index("a", None, Scope::Global).unwrap();
    assert_eq!(
        linked.variants(object, symbol).first().map(|variant| variant.0),
        Some(3)
    );
}

#[test]
fn references_bind_to_their_version() {
    let Some(builder) = Builder::new() else { return };
    builder.write(
        "versions",
        "V1 { global: f; }; V2 { global: f; } V1; V3 { global: f; } V2;",
    );
    let script = "-Wl,--version-script=versions";
    let first = "int f(void) { return 1; }";
    builder.write("first", "V1 { global: f; };");
    builder.library("liba1.so", first, &["-Wl,--version-script=first"]);
    let old = builder.program("int f(void); void _start(void) { f(); }", &["-l:liba1.so"]);
    builder.library("liba1.so", first, &[]);
    let unversioned = builder.program("int f(void); void _start(void) { f(); }", &["-l:liba1.so"]);
    let all = r#"
        int f1(void) { return 1; } int f2(void) { return 2; } int f3(void) { return 3; }
        __asm__(".symver f1,f@V1"); __asm__(".symver f2,f@V2"); __asm__(".symver f3,f@@V3");
    "#;
    let library = builder.library("liba1.so", all, &[script]);
    let new = builder.program("int f(void); void _start(void) { f(); }", &["-l:liba1.so"]);
    for (program, expected) in [(old, "V1"), (new, "V3"), (unversioned, "V1")] {
        let files = builder
            .root()
            .file("/lib/liba1.so", library.clone())
            .program("/program", program);
        let linked = linked(&files, &Environment::default());
        assert_eq!(bound(&linked, 0, "f"), Some(("/lib/liba1.so", expected)));
        let version = |wanted: Option<&str>| {
            let (_, symbol) = linked.lookup("f", wanted, Scope::Global)?;
            Some(symbol.version.as_ref()?.name.clone())
        };
        assert_eq!(version(None).as_deref(), Some("V3"));
        assert_eq!(version(Some("V2")).as_deref(), Some("V2"));
        assert_eq!(version(Some("V9")), None);
    }
}

#[test]
fn first_definition_wins_unless_the_object_prefers_its_own() {
    let Some(builder) = Builder::new() else { return };
    let second = "int f(void) { return 2; } int g(void) { return f(); }";
    let protected =
        "__attribute__((visibility(\"protected\"))) int f(void) { return 2; } int g(void) { return f(); }";
    for (source, flags, expected) in [
        (second, &[][..], "/lib/liba1.so"),
        (second, &["-Wl,-Bsymbolic"], "/lib/libb1.so"),
        (protected, &[], "/lib/libb1.so"),
    ] {
        let files = builder
            .root()
            .file(
                "/lib/liba1.so",
                builder.library("liba1.so", "int f(void) { return 1; }", &[]),
            )
            .file("/lib/libb1.so", builder.library("libb1.so", source, flags))
            .program(
                "/program",
                builder.program("void _start(void) {}", &["-l:liba1.so", "-l:libb1.so"]),
            );
        let linked = linked(&files, &Environment::default());
        assert_eq!(
            bound(&linked, 2, "f").map(|found| found.0),
            Some(expected),
            "{flags:?}"
        );
    }
}

#[test]
fn weak_and_missing_references() {
    let Some(builder) = Builder::new() else { return };
    let source = "__attribute__((weak)) int w(void); int s(void); int x(void) { return w ? w() : s(); }";
    let files = builder
        .root()
        .file("/lib/liba1.so", builder.library("liba1.so", source, &[]))
        .program(
            "/program",
            builder.program("void _start(void) {}", &["-l:liba1.so"]),
        );
    let linked = linked(&files, &Environment::default());
    let binding = |name: &str| {
        let symbols = &linked.objects[1].elf.dynamic_symbols;
        let index = symbols.iter().position(|symbol| symbol.name == name).unwrap();
        linked.resolve(1, u32::try_from(index).unwrap())
    };
    assert_eq!(binding("w"), Binding::WeakUndefined);
    assert_eq!(binding("s"), Binding::Missing);
}

#[test]
fn preloaded_objects_come_first() {
    let Some(builder) = Builder::new() else { return };
    let files = builder
        .root()
        .file(
            "/lib/liba1.so",
            builder.library("liba1.so", "int f(void) { return 1; }", &[]),
        )
        .file(
            "/opt/libp.so",
            builder.library("libp.so", "int f(void) { return 2; }", &[]),
        )
        .file("/opt/libq.so", builder.library("libq.so", "int q;", &[]))
        .file("/etc/ld.so.preload", "/opt/libq.so\n")
        .program(
            "/program",
            builder.program("int f(void); void _start(void) { f(); }", &["-l:liba1.so"]),
        );
    let environment = Environment {
        preload: vec!["/opt/libp.so".to_owned()],
        ..Environment::default()
    };
    let linked = linked(&files, &environment);
    assert_eq!(
        paths(&linked)[1..4],
        ["/opt/libp.so", "/opt/libq.so", "/lib/liba1.so"]
    );
    assert_eq!(bound(&linked, 0, "f"), Some(("/opt/libp.so", "")));
}

#[test]
fn what_is_missing_is_an_assumption_and_the_rest_goes_on() {
    let Some(builder) = Builder::new() else { return };
    builder.library("liba1.so", "int a;", &[]);
    let library = builder.library("libb1.so", "int b;", &[]);
    let program = builder.program("void _start(void) {}", &["-l:liba1.so", "-l:libb1.so"]);
    let files = MemoryFiles::new()
        .file("/lib/libb1.so", library)
        .program("/program", program);
    let linked = linked(&files, &Environment::default());
    assert_eq!(paths(&linked), ["/program", "/lib/libb1.so"]);
    let missing: Vec<_> = linked
        .assumptions
        .iter()
        .map(|found| (found.kind, found.place.as_str()))
        .collect();
    assert_eq!(
        missing,
        [
            (Kind::MissingObject, INTERPRETER),
            (Kind::MissingObject, "/program")
        ]
    );
    let nothing = link(&files, &ObjectStore::new(), "/none", &Environment::default());
    assert!(nothing.objects.is_empty() && nothing.assumptions[0].kind == Kind::MissingProgram);
}

#[test]
fn late_objects_bring_what_they_need_and_bind_in_their_scope() {
    let Some(builder) = Builder::new() else { return };
    let helper = builder.library("libhelper.so", "int helper(void) { return 1; }", &[]);
    let module = builder.library(
        "module.so",
        "int helper(void); int host(void); int begin(void) { return helper() + host(); } int begin_two(void) { return 2; }",
        &["-l:libhelper.so", "-Wl,-rpath,$ORIGIN/private"],
    );
    let program = builder.program("int host(void) { return 1; } void _start(void) {}", &["-Wl,-E"]);
    let files = builder
        .root()
        .file("/modules/module.so", module)
        .file("/modules/private/libhelper.so", helper)
        .program("/program", program);
    let store = ObjectStore::new();
    let mut linked = link(&files, &store, "/program", &Environment::default());
    let request = |name: &str, optional: bool| LateRequest {
        name: name.to_owned(),
        caller: 0,
        by: "a test".to_owned(),
        optional,
        roots: Roots::Named(vec![NamePattern::Exact("begin".to_owned())]),
    };
    let module = linked
        .load_late(&files, &store, &request("/modules/module.so", false))
        .unwrap();
    assert_eq!(
        linked.load_late(&files, &store, &request("/modules/module.so", false)),
        Some(module)
    );
    assert_eq!(
        paths(&linked)[module..],
        ["/modules/module.so", "/modules/private/libhelper.so"]
    );
    assert!(linked.objects[module..].iter().all(|object| object.late));
    assert_eq!(
        bound(&linked, module, "helper"),
        Some(("/modules/private/libhelper.so", ""))
    );
    assert_eq!(bound(&linked, module, "host"), Some(("/program", "")));
    let roots = linked.roots(module, &request("", false).roots);
    assert_eq!(roots.len(), 1);
    assert_eq!(linked.load_late(&files, &store, &request("none.so", true)), None);
    assert_eq!(linked.assumptions, []);
    assert_eq!(linked.load_late(&files, &store, &request("none.so", false)), None);
    assert_eq!(linked.assumptions.len(), 1);
}

#[test]
fn musl_is_its_own_library() {
    let Some(builder) = Builder::new() else { return };
    let loader = "/lib/ld-musl-x86_64.so.1";
    let source = "int __libc_start_main(void) { return 0; } int __dls2b(void) { return 0; } int __dls3(void) { return 0; }";
    builder.library("libc.so", source, &[]);
    builder.library("libm.so", "int sin;", &[]);
    let musl = builder.library("libc.so", source, &[]);
    let flags = [
        "-l:libm.so",
        "-l:libc.so",
        "-Wl,-dynamic-linker,/lib/ld-musl-x86_64.so.1",
    ];
    let program = builder.build(
        "program",
        "void _start(void) {}",
        &[&["-pie"], &flags[..]].concat(),
    );
    let files = MemoryFiles::new()
        .program(loader, musl)
        .program("/program", program);
    let linked = linked(&files, &Environment::default());
    assert_eq!(paths(&linked), ["/program", loader]);
    assert_eq!(conventions::start_up_functions(&linked).len(), 2);
    assert_eq!(
        conventions::requests(conventions::Convention::CharacterConversion, &files, &linked),
        []
    );
}

#[test]
fn modules_are_those_of_named_folders_and_configurations() {
    let Some(builder) = Builder::new() else { return };
    let source = r#"
        const char *open_folder = "/srv/open"; const char *limited = "/srv/limited"; const char *system = "/lib";
        const char *configuration = "/etc/server"; const char *libraries = "libfirst.so.8:libsecond.so";
        const char *own = "/usr/lib/server/plugins", *part = "block_storage", *searched = "/srv/searched", *told = "/usr/share/server",
            *relative = "../lib/server/k.so", *absolute = "/elsewhere/l.so";
        void _start(void) {}
    "#;
    let module = || builder.library("module.so", "int m;", &[]);
    let files = builder
        .root()
        .file("/srv/open/a.so", module())
        .file("/srv/open/text.so", "no object")
        .file("/srv/open/auto/Name/Space/Space.so", module())
        .file("/srv/open/auto/Name/Space/other.so", module())
        .file("/srv/private/e.so", module())
        .file("/srv/limited/b.so", module())
        .file("/srv/limited/c.so", module())
        .file("/lib/libnot.so", module())
        .file("/elsewhere/d.so", module())
        .file("/usr/lib/server/plugins/storage/f.so", module())
        .file("/usr/lib/server/plugins/unnamed/g.so", module())
        .file("/srv/searched/h.so", module())
        .file("/elsewhere/l.so", module())
        .file("/usr/lib/configured/m.so", module())
        .file("/etc/server/server.conf", "modules = /usr/lib/configured\n")
        .file("/srv/lib/server/k.so", module())
        .file("/srv/searched/libh.so", module())
        .file("/elsewhere/i.so", module())
        .file("/usr/share/server/i.module", "module: /elsewhere/i.so\n")
        .file(
            "/etc/server/mods-available/unused.load",
            "LoadModule c_module c.so\n",
        )
        .file(
            "/etc/server/mods-available/used.load",
            "LoadModule b_module b.so\n# LoadModule c_module c.so\nLoadModule d /elsewhere/d.so\n",
        )
        .link(
            "/etc/server/mods-enabled/used.load",
            "../mods-available/used.load",
        )
        .program(
            "/srv/bin/program",
            builder.program(source, &["-Wl,-rpath,/srv/private:/srv/searched"]),
        );
    let found = candidates(&files, "/srv/bin/program");
    let libraries = ["libfirst.so.8", "libsecond.so"];
    assert_eq!(
        found,
        [
            &[
                "/elsewhere/d.so",
                "/elsewhere/i.so",
                "/elsewhere/l.so",
                "/srv/lib/server/k.so",
                "/srv/limited/b.so",
                "/srv/open/a.so",
                "/srv/open/auto/Name/Space/Space.so",
                "/srv/searched/h.so",
                "/usr/lib/configured/m.so",
                "/usr/lib/server/plugins/storage/f.so",
            ][..],
            &libraries
        ]
        .concat()
    );
}

#[test]
fn modules_lie_beside_an_object_that_lists_its_own_folder() {
    let Some(builder) = Builder::new() else { return };
    let source =
        "int dladdr(), opendir(), dlopen(); int start(void) { return dladdr() + opendir() + dlopen(); }";
    let module = || builder.library("module.so", "int m;", &[]);
    let files = builder
        .root()
        .file("/lib/libloop.so", builder.library("libloop.so", source, &[]))
        .file(
            "/lib/libother.so",
            builder.library("libother.so", "int other;", &[]),
        )
        .file("/lib/libloop-fast.so.1", module())
        .file("/lib/libloops-fast.so", module())
        .file("/lib/libother-fast.so", module())
        .program(
            "/program",
            builder.program("void _start(void) {}", &["-l:libloop.so", "-l:libother.so"]),
        );
    assert_eq!(candidates(&files, "/program"), ["/lib/libloop-fast.so.1"]);
}

#[test]
fn libraries_of_a_packages_own_folder_are_named_without_their_ending() {
    let Some(builder) = Builder::new() else { return };
    let source = "struct { long size; char text[8]; } name = {7, \"libfast\"}; void _start(void) {}";
    let module = || builder.library("module.so", "int m;", &[]);
    let files = builder
        .root()
        .file("/usr/lib/own/libfast.so", module())
        .file("/usr/lib/own/libfaster.so", module())
        .program("/usr/lib/own/program", builder.program(source, &[]));
    assert_eq!(
        candidates(&files, "/usr/lib/own/program"),
        ["/usr/lib/own/libfast.so"]
    );
}

#[test]
fn modules_that_come_with_a_library_are_loaded_where_they_are_named() {
    let Some(builder) = Builder::new() else { return };
    let module = || builder.library("module.so", "int m;", &[]);
    let library = r#"const char *folder = "/usr/lib/engines-3"; void ENGINE_by_id(void) {}"#;
    let idle = "void _start(void) {}";
    let naming = r#"const char *name = "afalg"; void _start(void) {}"#;
    let asking = "void ENGINE_by_id(void); void _start(void) { ENGINE_by_id(); }";
    let files = |source: &str, configuration: &str| {
        let files = builder
            .root()
            .file(
                "/lib/libcrypto.so.3",
                builder.library("libcrypto.so.3", library, &[]),
            )
            .file("/usr/lib/engines-3/afalg.so", module())
            .file("/usr/lib/engines-3/other.so", module())
            .file("/etc/ssl/openssl.cnf", configuration.to_owned());
        files.program("/program", builder.program(source, &["-l:libcrypto.so.3"]))
    };
    let (afalg, other) = ("/usr/lib/engines-3/afalg.so", "/usr/lib/engines-3/other.so");
    let open = |told: bool, arguments_known: bool, files: &MemoryFiles| -> Vec<String> {
        let asking = Asking {
            is_told: &|name| told && name == "afalg",
            arguments_known,
        };
        candidates_of(files, "/program", asking)
    };
    let plain = files(idle, "# engine_id = afalg\nengine_id = another\n");
    assert_eq!(open(false, true, &plain), [other]);
    assert_eq!(open(false, false, &plain), [other]);
    assert_eq!(open(true, true, &plain), [afalg, other]);
    assert_eq!(
        open(false, true, &files(idle, "engine_id = afalg\n")),
        [afalg, other]
    );
    assert_eq!(open(false, true, &files(naming, "")), [afalg, other]);
    let asks = files(asking, "");
    assert_eq!(open(false, true, &asks), [other]);
    assert_eq!(open(false, false, &asks), [afalg, other]);
}

/// What a program may open by names that are not known.
fn candidates(files: &MemoryFiles, program: &str) -> Vec<String> {
    candidates_of(files, program, Asking::default())
}

fn candidates_of(files: &MemoryFiles, program: &str, asking: Asking<'_>) -> Vec<String> {
    let store = ObjectStore::new();
    let linked = link(files, &store, program, &Environment::default());
    let found = plugins::candidates(files, &store, &linked, &BTreeSet::new(), asking).into_iter();
    found.map(|found| found.path).collect()
}

#[test]
fn scripts_directly_in_a_packages_own_folder_are_helpers_where_they_are_named() {
    let Some(builder) = Builder::new() else { return };
    let source = r#"
        const char *folder = "/usr/lib/own", *named = "own-named";
        void _start(void) {}
    "#;
    let files = builder
        .root()
        .program(
            "/usr/lib/own/helper",
            builder.program("void _start(void) {}", &[]),
        )
        .program("/usr/lib/own/own-named", "#!/bin/sh\n")
        .program("/usr/lib/own/clean", "#!/bin/sh\n")
        .program("/usr/lib/own/filter/each", "#!/bin/sh\n")
        .program("/program", builder.program(source, &[]));
    let store = ObjectStore::new();
    let linked = link(&files, &store, "/program", &Environment::default());
    let found = helpers::helpers(&files, &store, &linked, 0, helpers::How::ByName, &[]);
    let found: Vec<&str> = found.iter().map(|helper| helper.name.as_str()).collect();
    let folder = [
        "/usr/lib/own/filter/each",
        "/usr/lib/own/helper",
        "/usr/lib/own/own-named",
    ];
    assert_eq!(found, [&folder[..], &["own-named"]].concat());
}
