//! Programs in Python with the modules and commands that they must lead to.
#![allow(missing_docs)]

use std::collections::BTreeMap;

use confine_assumption::Effect;
use confine_image::MemoryFiles;
use confine_languages::{Known, Reached, Start, language};

const LIBRARY: &str = "/usr/lib/python3.11";
const SITE: &str = "/usr/lib/python3/dist-packages";

fn image() -> MemoryFiles {
    let compiled = |name: &str| format!("{LIBRARY}/lib-dynload/{name}.cpython-311-x86_64-linux-gnu.so");
    MemoryFiles::new()
        .program("/usr/bin/python3.11", "\x7fELF")
        .file(&format!("{LIBRARY}/os.py"), "import abc\n")
        .file(&format!("{LIBRARY}/site.py"), "import os\n")
        .file(
            &format!("{LIBRARY}/json/__init__.py"),
            "from .decoder import JSONDecoder\n",
        )
        .file(&format!("{LIBRARY}/json/decoder.py"), "import _json\n")
        .file(&format!("{LIBRARY}/ssl.py"), "import _ssl\n")
        .file(&compiled("_json"), "\x7fELF")
        .file(&compiled("_ssl"), "\x7fELF")
        .file(&format!("{SITE}/fast/__init__.py"), "from fast import _core\n")
        .file(&format!("{SITE}/fast/_core.abi3.so"), "\x7fELF\0later\0")
        .file(
            &format!("{SITE}/later.py"),
            "import subprocess\nsubprocess.run(['late'])\n",
        )
}

fn follow(files: &MemoryFiles, arguments: &[&str]) -> Reached {
    let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
    let start = Start {
        files,
        named: "/usr/bin/python3.11",
        path: "/usr/bin/python3.11",
        arguments: &arguments,
        workdir: "/srv",
        variables: &BTreeMap::from([("SETTINGS".to_owned(), "shop.settings".to_owned())]),
        input: None,
        place: "Cmd",
        known: &Known::default(),
    };
    language("python3")
        .map(|python| python.follow(&start))
        .unwrap_or_default()
}

/// The compiled modules by their names and the commands, in order.
fn check(files: &MemoryFiles, arguments: &[&str], modules: &str, commands: &[&str]) -> Reached {
    let reached = follow(files, arguments);
    let found: Vec<&str> = reached
        .modules
        .keys()
        .filter_map(|path| path.rsplit('/').next()?.split('.').next())
        .collect();
    assert_eq!(found.join(" "), modules, "{reached:#?}");
    let found: Vec<String> = reached
        .commands
        .iter()
        .map(|command| command.words.join(" "))
        .collect();
    assert_eq!(found, commands, "{reached:#?}");
    reached
}

#[test]
fn statements_lead_to_compiled_modules() {
    let files = image().file("/srv/a.py", "import json\n");
    let reached = check(&files, &["a.py"], "_json", &[]);
    assert!(reached.assumptions.is_empty(), "{reached:#?}");
    check(&files, &["-c", "import ssl"], "_ssl", &[]);
    check(
        &image().file("/srv/shop/__main__.py", "import ssl"),
        &["-um", "shop"],
        "_ssl",
        &[],
    );
    check(&files, &["-c", "def never():\n  import ssl"], "_ssl", &[]);
    check(&files, &["-c", "'import ssl' # import json"], "", &[]);
}

#[test]
fn a_compiled_module_imports_what_its_texts_name() {
    check(&image(), &["-c", "import fast"], "_core", &["late"]);
}

#[test]
fn arguments_and_the_environment_name_modules() {
    let files = image()
        .file("/usr/bin/serve", "import sys\n")
        .file("/srv/shop/__init__.py", "")
        .file("/srv/shop/settings.py", "import json\n")
        .file("/srv/app.py", "import ssl\n");
    check(
        &files,
        &["/usr/bin/serve", "--workers", "2", "app:application"],
        "_json _ssl",
        &[],
    );
}

#[test]
fn names_that_are_constants_are_followed_and_others_take_everything() {
    let by_name = |name: &str| format!("import importlib\nimportlib.import_module({name})");
    let reached = check(&image(), &["-c", &by_name("'ssl'")], "_ssl", &[]);
    assert!(reached.assumptions.is_empty(), "{reached:#?}");
    let reached = check(&image(), &["-c", &by_name("name")], "_json _ssl _core", &[]);
    let effects: Vec<Effect> = reached
        .assumptions
        .iter()
        .map(|assumption| assumption.effect)
        .collect();
    assert_eq!(effects, [Effect::WidenedToCandidates]);
    // Without a program nothing is known.
    check(&image(), &[], "_json _ssl _core", &[]);
}

#[test]
fn folders_that_path_files_name_are_searched() {
    let files = image()
        .file(&format!("{SITE}/more.pth"), "/opt/more\nimport ssl\n")
        .file("/opt/more/extra.so", "\x7fELF");
    check(&files, &["-c", "import extra"], "extra _ssl", &[]);
}

#[test]
fn a_virtual_environment_has_its_own_packages() {
    let files = image()
        .link("/srv/env/bin/python3.11", "/usr/bin/python3.11")
        .file("/srv/env/pyvenv.cfg", "home = /usr/bin\n")
        .file("/srv/env/lib/python3.11/site-packages/own.so", "\x7fELF");
    let variables = BTreeMap::new();
    let arguments = ["-c".to_owned(), "import own, json".to_owned()];
    let start = Start {
        files: &files,
        named: "/srv/env/bin/python3.11",
        path: "/usr/bin/python3.11",
        arguments: &arguments,
        workdir: "/",
        variables: &variables,
        input: None,
        place: "Cmd",
        known: &Known::default(),
    };
    let reached = language("python")
        .map(|python| python.follow(&start))
        .unwrap_or_default();
    assert_eq!(reached.modules.len(), 2, "{reached:#?}");
}

#[test]
fn functions_of_foreign_libraries_are_looked_up_by_the_names_in_the_source() {
    let text = "import ctypes\nlibrary = ctypes.CDLL('libm.so.6')\nlibrary.cos(1)";
    let reached = check(&image(), &["-c", text], "libm", &[]);
    assert!(reached.functions.contains_key("cos"), "{reached:#?}");
    let reached = follow(&image(), &["-c", "import ctypes\nctypes.CDLL(name).cos(1)"]);
    assert_eq!(reached.assumptions.len(), 1, "{reached:#?}");
}

#[test]
fn an_interpreter_that_starts_itself_is_one_program() {
    let text = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import ssl'])";
    check(&image(), &["-c", text], "_ssl", &[]);
}

#[test]
fn a_part_of_the_search_path_that_is_not_read_is_told() {
    let open = |length: usize| {
        let image = image()
            .file(&format!("{SITE}/x.pth"), "#".repeat(length))
            .file("/srv/x.py", "");
        let reached = follow(&image, &["x.py"]);
        let mut assumptions = reached.assumptions.iter();
        assumptions.any(|one| one.place == format!("{SITE}/x.pth") && one.effect == Effect::NotCovered)
    };
    assert!(!open(1 << 16));
    assert!(open((1 << 16) + 1));
}
