//! What runs, of classes and modules that are put together.

use std::collections::BTreeMap;

use confine_assumption::Assumption;
use confine_image::MemoryFiles;

use super::super::assembler::{Class, modules};
use super::super::follow;
use super::super::names::Names;
use super::*;
use crate::zip::tests::{archive, archive_of};
use crate::{Known, Start};

const MAIN: &str = "([Ljava/lang/String;)V";

/// A class whose method `main` does this.
fn main_class(does: &[(&str, &str)]) -> Class {
    Class::new("app/Main", &["java/lang/Object"]).method("main", MAIN, does)
}

/// A class with one native method, and how it is come to by a method of the same name without the 0.
fn native_class(name: &str, above: &[&str]) -> Class {
    let native = format!("{name}.run0:()V");
    Class::new(name, above)
        .method("run", "()V", &[("static", &native)])
        .native("run0", "()V")
}

/// The class with a native method that most of these look for.
fn native_one() -> (&'static str, Class) {
    ("a/One", native_class("a/One", &["java/lang/Object"]))
}

/// A virtual machine that has these classes.
fn machine(machine: Vec<(&str, Class)>) -> MemoryFiles {
    let object = ("java/lang/Object", Class::new("java/lang/Object", &[]));
    let classes = std::iter::once(object).chain(machine);
    let classes: Vec<(&str, Vec<u8>)> = classes.map(|(name, class)| (name, class.bytes())).collect();
    MemoryFiles::new()
        .program("/jvm/bin/java", "\x7fELF")
        .file(
            "/jvm/lib/server/libjvm.so",
            &b"\x7fELF\0java/lang/Thread\0exit\0()V\0"[..],
        )
        .file("/jvm/lib/libnet.so", "\x7fELF")
        .file("/jvm/lib/libawt.so", "\x7fELF")
        .file("/jvm/lib/modules", modules(&classes))
}

/// What runs where it is started so.
fn start(files: &MemoryFiles, arguments: &[String], variables: &BTreeMap<String, String>) -> Reached {
    start_at("Cmd", files, arguments, variables)
}

/// The same, where this makes the start.
fn start_at(
    place: &str,
    files: &MemoryFiles,
    arguments: &[String],
    variables: &BTreeMap<String, String>,
) -> Reached {
    let reached = follow(&Start {
        files,
        named: "/jvm/bin/java",
        path: "/jvm/bin/java",
        arguments,
        workdir: "/srv",
        variables,
        input: None,
        place,
        known: &Known::default(),
    });
    together(files, &reached)
}

/// What runs where the virtual machine has these classes and the application those, started by its arguments.
pub fn search(classes: Vec<(&str, Class)>, application: Vec<(&str, Vec<u8>)>, arguments: &[&str]) -> Reached {
    let mut files = machine(classes);
    for (path, bytes) in application {
        files = files.file(path, bytes);
    }
    let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
    start(&files, &arguments, &BTreeMap::new())
}

/// The classes of native methods that run.
fn check(machine: Vec<(&str, Class)>, application: Vec<(&str, Vec<u8>)>, expected: &[&str]) {
    let reached = search(machine, application, &["app.Main"]);
    let natives: BTreeSet<&str> = reached
        .natives
        .values()
        .map(|native| native.class.as_str())
        .collect();
    assert_eq!(
        natives.into_iter().collect::<Vec<_>>(),
        expected,
        "{:?}",
        reached.assumptions
    );
    assert!(
        reached
            .modules
            .values()
            .all(|module| module.roots == Roots::Natives)
    );
}

#[test]
fn what_is_called_runs() {
    let machine = || {
        vec![
            native_one(),
            ("a/Two", native_class("a/Two", &["java/lang/Object"])),
        ]
    };
    let main = main_class(&[("static", "a/One.run:()V")]).bytes();
    check(machine(), vec![("/srv/Main.class", main)], &["a.One"]);
    let main = main_class(&[]).bytes();
    check(machine(), vec![("/srv/Main.class", main)], &[]);
}

#[test]
fn classes_without_a_package_are_found() {
    let class = |name: &str, does: &[(&str, &str)]| {
        Class::new(name, &["java/lang/Object"]).method("main", MAIN, does)
    };
    let main = class("Main", &[("text", "Other")]).bytes();
    let other = class("Other", &[("static", "a/One.run:()V")]).bytes();
    let manifest = archive("META-INF/MANIFEST.MF", b"Main-Class: Main\n");
    let files = vec![
        ("/srv/Main.class", main),
        ("/srv/Other.class", other),
        ("/srv/x.jar", manifest),
    ];
    for arguments in [&["Main"][..], &["-jar", "/srv/x.jar"]] {
        let reached = search(vec![native_one()], files.clone(), arguments);
        assert!(reached.natives.contains_key("Java_a_One_run0"), "{arguments:?}");
    }
}

#[test]
fn archives_are_started_by_links_and_by_variables() {
    let manifest = archive("META-INF/MANIFEST.MF", b"Main-Class: app.Main\n");
    let main = main_class(&[("static", "a/One.run:()V")]).bytes();
    let files = machine(vec![native_one()])
        .file("/srv/Main.class", main)
        .file("/srv/real-1.jar", manifest)
        .link("/srv/home/start.jar", "../real-1.jar");
    let variables = BTreeMap::from([("HOME".to_owned(), "/srv/home".to_owned())]);
    for path in ["home/start.jar", "$HOME/start.jar", "${HOME}/start.jar"] {
        let arguments = ["-jar".to_owned(), path.to_owned()];
        let reached = start(&files, &arguments, &variables);
        assert!(reached.natives.contains_key("Java_a_One_run0"), "{path}");
    }
    let arguments = ["-jar".to_owned(), "$ELSEWHERE/start.jar".to_owned()];
    let reached = start(&files, &arguments, &variables);
    assert!(reached.natives.is_empty());
    let is_told = |assumption: &Assumption| assumption.detail.contains("by a variable that leads to none");
    assert!(reached.assumptions.iter().any(is_told));
}

#[test]
fn virtual_calls_come_to_classes_with_objects() {
    let machine = || {
        vec![
            ("a/Type", Class::new("a/Type", &["java/lang/Object"]).interface()),
            (
                "a/Above",
                native_class("a/Above", &["java/lang/Object", "a/Type"]),
            ),
            ("a/Made", Class::new("a/Made", &["a/Above"])),
            (
                "a/Never",
                native_class("a/Never", &["java/lang/Object", "a/Type"]),
            ),
        ]
    };
    let call = ("interface", "a/Type.run:()V");
    let check = |does: &[(&str, &str)], expected: &[&str]| {
        check(
            machine(),
            vec![("/srv/Main.class", main_class(does).bytes())],
            expected,
        );
    };
    check(&[call], &[]);
    check(&[call, ("new", "a/Made")], &["a.Above"]);
    check(&[("new", "a/Made"), call], &["a.Above"]);
    check(&[("new", "a/Never")], &[]);
    check(&[call, ("class", "a/Never")], &["a.Never"]);
    check(&[call, ("compare", "a/Never")], &[]);
}

#[test]
fn initialisers_and_dynamic_calls_run() {
    let initialised = Class::new("a/Set", &["java/lang/Object"])
        .method("<clinit>", "()V", &[("static", "a/One.run:()V")])
        .method("nothing", "()V", &[]);
    let machine = vec![
        native_one(),
        ("a/Two", native_class("a/Two", &["java/lang/Object"])),
        ("a/Set", initialised),
        (
            "a/Link",
            Class::new("a/Link", &["java/lang/Object"]).method("it", "()V", &[]),
        ),
    ];
    let main = main_class(&[
        ("static", "a/Set.nothing:()V"),
        (
            "dynamic",
            "a/Link.it:()V => a/Two.run:()V => ()Ljava/lang/Object;",
        ),
    ]);
    check(
        machine,
        vec![("/srv/Main.class", main.bytes())],
        &["a.One", "a.Two"],
    );
}

#[test]
fn classes_are_found_by_their_names() {
    let machine = || vec![native_one()];
    let idle = || ("/srv/Main.class", main_class(&[]).bytes());
    // By a class of the application: objects of it, whatever they are taken for, and methods by their names.
    let by_class = |does| vec![("/srv/Main.class", main_class(does).bytes())];
    check(machine(), by_class(&[("text", "a.One")]), &[]);
    check(
        machine(),
        by_class(&[("text", "a.One"), ("text", "run")]),
        &["a.One"],
    );
    check(
        machine(),
        by_class(&[("text", "a.One"), ("virtual", "a/One.run:()V")]),
        &["a.One"],
    );
    check(machine(), by_class(&[("text", "a.One.run")]), &["a.One"]);
    // By an expression in a class, or by what is no class: all of it counts.
    check(machine(), by_class(&[("text", "T(a.One).run()")]), &["a.One"]);
    for (path, text) in [
        ("/srv/x.properties", "worker = a.One\n"),
        ("/srv/x.xml", "<bean class=\"a.One\"/>"),
        ("/srv/x.groovy", "import a.*; new One().run()"),
        ("/srv/x.rb", "java_import 'a.One'"),
    ] {
        check(machine(), vec![idle(), (path, text.into())], &["a.One"]);
    }
    check(
        machine(),
        vec![idle(), ("/srv/x.properties", "# worker = a.One\n".into())],
        &[],
    );
    // By a class of the virtual machine's: objects of it, which are called as what they are known to be.
    let named = |call: &'static [(&'static str, &'static str)]| {
        let finder = Class::new("a/Find", &["java/lang/Object"]).method("find", "()V", call);
        let machine = vec![
            ("a/Find", finder),
            ("a/Type", Class::new("a/Type", &["java/lang/Object"]).interface()),
            ("a/One", native_class("a/One", &["java/lang/Object", "a/Type"])),
        ];
        (
            machine,
            vec![(
                "/srv/Main.class",
                main_class(&[("static", "a/Find.find:()V")]).bytes(),
            )],
        )
    };
    let (machine, application) = named(&[("text", "a.One")]);
    check(machine, application, &[]);
    let (machine, application) = named(&[("text", "a.One"), ("interface", "a/Type.run:()V")]);
    check(machine, application, &["a.One"]);
    let (machine, application) = named(&[("text", "a.One"), ("text", "run"), ("static", "a/Type.x:()V")]);
    check(machine, application, &["a.One"]);
}

#[test]
fn texts_in_archives_count_where_something_may_read_them() {
    // An archive whose class beside the text runs, one whose class elsewhere does, and one whose class names something.
    let check_text = |place: &str, says: &[(&str, &str)], runs: &str, expected: &[&str]| {
        let machine = vec![native_one()];
        let class = |name: &str| Class::new(name, &["java/lang/Object"]).method("go", "()V", says);
        let (used, beside) = (class("lib/Used").bytes(), class("lib/part/Beside").bytes());
        let library = archive_of(&[
            ("lib/Used.class", &used),
            ("lib/part/Beside.class", &beside),
            (place, b"worker = a.One"),
        ]);
        let main = main_class(&[("static", runs)]).bytes();
        check(
            machine,
            vec![("/srv/Main.class", main), ("/srv/x.jar", library)],
            expected,
        );
    };
    let (used, beside) = ("lib/Used.go:()V", "lib/part/Beside.go:()V");
    let all: &[&str] = &["a.One"];
    for anywhere in [
        "x.properties",
        "META-INF/x.properties",
        "WEB-INF/classes/lib/part/x.xml",
    ] {
        check_text(anywhere, &[], used, all);
    }
    check_text("lib/x.properties", &[], used, all);
    for part in ["lib/part/x.properties", "lib/part/more/x.properties"] {
        check_text(part, &[], used, &[]);
        check_text(part, &[], beside, all);
    }
    let place = "lib/part/x_de.properties";
    for named in [
        "/lib/part/x.properties",
        "lib.part.x",
        "lib/part/",
        "*.properties",
    ] {
        check_text(place, &[("text", named)], used, all);
    }
    check_text(place, &[("text", "lib.other.y")], used, &[]);
    // What Maven reads, whoever has a word of it.
    check_text("META-INF/maven/g/a/plugin.xml", &[("text", "plugin")], used, &[]);
}

#[test]
fn words_of_prose_name_no_classes() {
    let class = |name: &str| {
        Class::new(name, &["java/lang/Object"]).method("run", "()V", &[("static", "a/One.run:()V")])
    };
    for (name, expected) in [("Allow", &["a.One"][..]), ("allow", &[])] {
        let machine = vec![native_one()];
        let application = vec![
            ("/srv/Main.class", main_class(&[]).bytes()),
            (
                "/srv/x.jar",
                archive(&format!("{name}.class"), &class(name).bytes()),
            ),
            ("/srv/read.me", format!("they {name} it").into()),
        ];
        check(machine, application, expected);
    }
}

#[test]
fn refused_classes_are_not_made() {
    let refuser = "com/fasterxml/jackson/databind/jsontype/impl/SubTypeValidator";
    for (name, expected) in [(refuser, &[][..]), ("app/Other", &["a.One"])] {
        let machine = vec![native_one()];
        let class = Class::new(name, &["java/lang/Object"]);
        let class = class.method("go", "()V", &[("text", "a.One"), ("virtual", "a/One.run:()V")]);
        let main = main_class(&[("static", &format!("{name}.go:()V"))]).bytes();
        let application = vec![
            ("/srv/Main.class", main),
            ("/srv/x.jar", archive(&format!("{name}.class"), &class.bytes())),
        ];
        check(machine, application, expected);
    }
}

#[test]
fn classes_are_found_by_names_that_are_put_together() {
    let finder = |texts: &[(&str, &str)]| {
        let does = [
            texts,
            &[
                ("static", "a/Find.class:(Ljava/lang/String;)Ljava/lang/Class;"),
                ("text", "run"),
            ],
        ]
        .concat();
        Class::new("a/Find", &["java/lang/Object"]).method("find", "()V", &does)
    };
    let check = |texts: &[(&str, &str)], expected: &[&str]| {
        let machine = vec![
            ("a/Find", finder(texts)),
            ("a/b/One", native_class("a/b/One", &["java/lang/Object"])),
            (
                "a/b/two/Handler",
                native_class("a/b/two/Handler", &["java/lang/Object"]),
            ),
        ];
        let main = main_class(&[("static", "a/Find.find:()V")]);
        check(machine, vec![("/srv/Main.class", main.bytes())], expected);
    };
    check(&[("text", "a.b."), ("text", "One")], &["a.b.One"]);
    check(&[("text", "a.b."), ("text", ".Handler")], &["a.b.two.Handler"]);
    check(&[("text", "a.b.")], &[]);
}

#[test]
fn native_code_calls_what_it_names() {
    let thread = Class::new("java/lang/Thread", &["java/lang/Object"])
        .method("exit", "()V", &[("static", "a/One.run:()V")])
        .method("other", "()V", &[("static", "a/Two.run:()V")]);
    let machine = vec![
        ("java/lang/Thread", thread),
        native_one(),
        ("a/Two", native_class("a/Two", &["java/lang/Object"])),
    ];
    check(
        machine,
        vec![("/srv/Main.class", main_class(&[]).bytes())],
        &["a.One"],
    );
}

#[test]
fn libraries_are_loaded_that_classes_name() {
    let does = [
        ("text", "net"),
        ("static", "java/lang/System.loadLibrary:(Ljava/lang/String;)V"),
    ];
    let loaded = |does: &[(&str, &str)]| -> Vec<String> {
        let reached = search(
            Vec::new(),
            vec![("/srv/Main.class", main_class(does).bytes())],
            &["app.Main"],
        );
        reached.modules.into_keys().collect()
    };
    assert_eq!(loaded(&does), ["/jvm/lib/libnet.so", "/jvm/lib/server/libjvm.so"]);
    assert_eq!(loaded(&does[..1]), ["/jvm/lib/server/libjvm.so"]);
}

#[test]
fn where_something_is_not_known_everything_counts() {
    let all = |application: Vec<(&str, Vec<u8>)>, arguments: &[&str]| {
        let reached = search(vec![native_one()], application, arguments);
        reached.modules.values().all(|module| module.roots == Roots::All) && reached.modules.len() == 3
    };
    let main = || ("/srv/Main.class", main_class(&[]).bytes());
    assert!(!all(vec![main()], &["app.Main"]));
    assert!(!all(vec![main()], &["-version"]));
    assert!(all(vec![main()], &[]));
    assert!(all(vec![main()], &["app.Other"]));
    assert!(all(vec![main()], &["@arguments"]));
    assert!(all(vec![main()], &["-jar", "/srv/absent.jar"]));
    let manifest = |class: &str| {
        archive(
            "META-INF/MANIFEST.MF",
            format!("Main-Class: {class}\n").as_bytes(),
        )
    };
    assert!(!all(
        vec![main(), ("/srv/x.jar", manifest("app.Main"))],
        &["-jar", "/srv/x.jar"]
    ));
    assert!(all(
        vec![main(), ("/srv/x.jar", manifest("app.Other"))],
        &["-jar", "/srv/x.jar"]
    ));
    let broken = main_class(&[("text", "a.One")]).bytes();
    let cut = broken.len() / 2;
    assert!(all(
        vec![("/srv/Main.class", broken[..cut].to_vec())],
        &["app.Main"]
    ));
}

#[test]
fn starts_with_unknown_arguments_are_of_the_application_or_told() {
    let two = ("a/Two", native_class("a/Two", &["java/lang/Object"]));
    let main = main_class(&[("static", "a/One.run:()V")]).bytes();
    let files = machine(vec![native_one(), two])
        .file("/srv/Main.class", main)
        .file("/srv/start", "exec java $OPTIONS \"$MAIN\"");
    let arguments = [crate::HOLE.to_string()];
    let start = |place: &str| start_at(place, &files, &arguments, &BTreeMap::new());
    let by_script = start("/srv/start:1");
    assert_eq!(
        by_script.natives.keys().collect::<Vec<_>>(),
        ["Java_a_One_run0", "Java_a_One_run0__"]
    );
    assert!(
        by_script
            .modules
            .values()
            .all(|module| module.roots == Roots::Natives)
    );
    let by_class = start("/srv/x.jar!a/Fork.class:1");
    assert!(by_class.natives.is_empty());
    assert!(
        by_class
            .modules
            .values()
            .all(|module| module.roots == Roots::Natives)
    );
    for (reached, text) in [
        (&by_script, "every class of the applications"),
        (&by_class, "of its own"),
    ] {
        assert!(
            reached.assumptions.iter().any(|told| told.detail.contains(text)),
            "{text}"
        );
    }
}

#[test]
fn functions_count_that_classes_which_run_call_by_their_names() {
    let calls = Class::new("b/Calls", &["java/lang/Object"])
        .method("run", "()V", &[("text", "jnr/ffi/Library"), ("text", "chroot")])
        .method("ask", "()V", &[("interface", "b/Names.getpid:()I")])
        .bytes();
    let names = Class::new("b/Names", &["java/lang/Object"])
        .interface()
        .open("getpid", "()I")
        .open("getppid", "()I")
        .bytes();
    let check = |does: &[(&str, &str)], expected: &[&str]| {
        let application = vec![
            ("/srv/Main.class", main_class(does).bytes()),
            ("/srv/b/Calls.class", calls.clone()),
            ("/srv/b/Names.class", names.clone()),
        ];
        let reached = search(Vec::new(), application, &["app.Main"]);
        let found = reached.looked_up().map(|(name, _)| name.as_str());
        let found: Vec<&str> = found
            .filter(|name| ["chroot", "getpid", "getppid"].contains(name))
            .collect();
        assert_eq!(found, expected, "{does:?}");
    };
    check(&[("static", "b/Calls.run:()V")], &["chroot"]);
    check(&[("static", "b/Calls.ask:()V")], &["chroot", "getpid"]);
    check(&[("text", "b.Calls")], &["chroot", "getpid"]);
    check(&[("interface", "b/Names.getppid:()I")], &["getppid"]);
    check(&[], &[]);
}

#[test]
fn sources_name_classes_of_packages_that_they_import() {
    let names = |source: &str, expected: &[&str]| {
        let machine = vec![
            ("aa/bb/One", native_class("aa/bb/One", &["java/lang/Object"])),
            (
                "java/util/One",
                native_class("java/util/One", &["java/lang/Object"]),
            ),
        ];
        let application = vec![
            ("/srv/Main.class", main_class(&[]).bytes()),
            ("/srv/x.groovy", format!("{source}; one.run()").into()),
        ];
        check(machine, application, expected);
    };
    names("new One()", &["java.util.One"]);
    names("import aa.bb.*; new One()", &["aa.bb.One", "java.util.One"]);
    names("Java::AaBb::One.new", &["aa.bb.One", "java.util.One"]);
    names("aa::bb::One", &["aa.bb.One", "java.util.One"]);
    names("One.aa.bb", &["java.util.One"]);
}

#[test]
fn broken_modules_are_told() {
    let whole = modules(&[("a/One", native_class("a/One", &[]).bytes())]);
    for length in 0..whole.len() {
        let bytes = whole[..length].to_vec();
        let mut names = Names::default();
        world::World::default().add_modules(&mut names, bytes.into());
    }
    for at in 0..whole.len().min(200) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        let mut search = Search::default();
        search.world.add_modules(&mut search.names, bytes.into());
        search.world.settle(&search.names);
        search.take_class(b"a/One");
        search.run();
    }
}
