//! Programs in the other languages with the modules and commands that they must lead to.
#![allow(missing_docs)]

use std::collections::{BTreeMap, BTreeSet};

use confine_image::MemoryFiles;
use confine_languages::{Known, Reached, Start, language};

fn follow(files: &MemoryFiles, path: &str, arguments: &[&str]) -> Reached {
    let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
    let name = path.rsplit('/').next().unwrap_or_default();
    let start = Start {
        files,
        named: path,
        path,
        arguments: &arguments,
        workdir: "/srv",
        variables: &BTreeMap::new(),
        input: None,
        place: "Cmd",
        known: &Known::default(),
    };
    let Some(language) = language(name) else {
        return Reached::default();
    };
    let mut reached = language.follow(&start);
    let together = language.together(files, &reached);
    reached.merge(together);
    reached
}

/// The modules by their paths, in order, and the commands.
fn check(files: &MemoryFiles, path: &str, arguments: &[&str], modules: &[&str], commands: &[&str]) {
    let reached = follow(files, path, arguments);
    let found: Vec<&str> = reached.modules.keys().map(String::as_str).collect();
    assert_eq!(found, modules, "{reached:#?}");
    let words = reached.commands.iter().map(|command| command.words.join(" "));
    let found: BTreeSet<String> = words.collect();
    let expected: BTreeSet<String> = commands.iter().map(|command| (*command).to_owned()).collect();
    assert_eq!(found, expected, "{reached:#?}");
}

#[test]
fn node_follows_packages_and_takes_their_add_ons() {
    let files = MemoryFiles::new()
        .file("/srv/package.json", r#"{"main": "server"}"#)
        .file(
            "/srv/server.js",
            "const a = require('addon');\nawait import('./more.mjs');",
        )
        .file(
            "/srv/more.mjs",
            "import { execFile } from 'node:child_process';\nexecFile('tool', ['-x']);",
        )
        .file(
            "/srv/node_modules/addon/package.json",
            r#"{"main": "lib/main.js"}"#,
        )
        .file(
            "/srv/node_modules/addon/lib/main.js",
            "require('child_process').execSync('inner | more');",
        )
        .file("/srv/node_modules/addon/build/Release/addon.node", "\x7fELF")
        .file("/srv/unused.js", "require('child_process').execSync('never');");
    let addon = "/srv/node_modules/addon/build/Release/addon.node";
    check(
        &files,
        "/usr/bin/node",
        &["."],
        &[addon],
        &["tool -x", "inner | more"],
    );
}

/// The name of a folder may begin with that of another, which does not hold it.
#[test]
fn node_takes_add_ons_of_every_source_s_folder() {
    let files = MemoryFiles::new()
        .file("/usr/share/nodejs-x/x.js", "")
        .file("/usr/share/nodejs-x/build/x.node", "\x7fELF")
        .file("/usr/share/nodejs/y/y.node", "\x7fELF")
        .file("/srv/z.node", "\x7fELF");
    check(
        &files,
        "/usr/bin/node",
        &["/usr/share/nodejs-x/x.js"],
        &[
            "/srv/z.node",
            "/usr/share/nodejs-x/build/x.node",
            "/usr/share/nodejs/y/y.node",
        ],
        &[],
    );
}

#[test]
fn ruby_follows_requires_and_takes_extensions() {
    let files = MemoryFiles::new()
        .file("/usr/bin/puma", "require 'puma/cli'\n")
        .file(
            "/usr/lib/ruby/vendor_ruby/puma/cli.rb",
            "require_relative 'more'\n",
        )
        .file("/usr/lib/ruby/vendor_ruby/puma/more.rb", "x = `inner #{y}`\n")
        .file(
            "/usr/lib/x86_64-linux-gnu/ruby/vendor_ruby/3.1.0/fast.so",
            "\x7fELF",
        )
        .file("/srv/config.ru", "require_relative 'shop'\nrun Shop\n")
        .file("/srv/shop.rb", "system 'tool', '-x'\n");
    let fast = "/usr/lib/x86_64-linux-gnu/ruby/vendor_ruby/3.1.0/fast.so";
    check(
        &files,
        "/usr/bin/ruby3.1",
        &["/usr/bin/puma"],
        &[fast],
        &["inner \u{FDD0}", "tool -x"],
    );
}

#[test]
fn php_takes_what_is_served() {
    let files = MemoryFiles::new()
        .file(
            "/etc/nginx/sites-enabled/site",
            "server {\n  root /data/site;\n}\n",
        )
        .file(
            "/data/site/index.php",
            "<?php include __DIR__ . '/../more.php'; echo `tool -x`; mail($a, $b, $c);",
        )
        .file("/data/more.php", "<?php shell_exec('inner');");
    check(
        &files,
        "/usr/sbin/php-fpm8.2",
        &[],
        &[],
        &["inner", "/usr/sbin/sendmail -t -i", "tool -x"],
    );
}

/// MediaWiki's way: the command is put together where its script lies, and executed by another source that is given it.
#[test]
fn php_takes_constants_that_are_commands_where_one_is_executed_that_is_none() {
    let open = "<?php proc_open($command, $pipes, $other);";
    let files = |execute: &str| {
        MemoryFiles::new()
            .program("/usr/bin/convert", "\x7fELF")
            .program("/bin/bash", "\x7fELF")
            .file(
                "/var/www/wrapper.php",
                "<?php $c = '/bin/bash ' . Box::escape(__DIR__ . '/limit.sh') . ' ' . $x; $command->set($c);",
            )
            .file("/var/www/limit.sh", "#!/bin/bash\ntimeout 1 \"$1\"\n")
            .file(
                "/var/www/settings.php",
                "<?php return ['tool' => '/usr/bin/convert'];",
            )
            .file("/var/www/run.php", execute.to_owned())
    };
    let commands = [
        "/bin/bash \u{FDD0}",
        "/bin/bash /var/www/limit.sh \u{FDD2}",
        "/usr/bin/convert \u{FDD2}",
    ];
    check(&files(open), "/usr/sbin/php-fpm", &[], &[], &commands);
    check(
        &files("<?php exec('id');"),
        "/usr/sbin/php-fpm",
        &[],
        &[],
        &["id"],
    );
}

/// The front script of an application lies below the document root, its classes beside it.
#[test]
fn php_takes_scripts_beside_those_that_are_known_where_names_are_no_constants() {
    let files = MemoryFiles::new()
        .file("/etc/nginx/site", "root /data/shop/public;\n")
        .file(
            "/data/shop/public/index.php",
            "<?php require dirname(__DIR__) . '/autoload.php'; new Gear();",
        )
        .file(
            "/data/shop/autoload.php",
            "<?php spl_autoload_register(function ($class) { include __DIR__ . \"/classes/$class.php\"; });",
        )
        .file("/data/shop/classes/Gear.php", "<?php exec('gear');")
        .file("/data/other/Bolt.php", "<?php exec('bolt');");
    let reached = follow(&files, "/usr/sbin/php-fpm", &[]);
    let commands: Vec<String> = reached
        .commands
        .iter()
        .map(|command| command.words.join(" "))
        .collect();
    assert_eq!(commands, ["gear"]);
    check_open_sources(&reached, &["/data/shop/autoload.php:1"]);
}

/// An operator before a function does not make it a method.
#[test]
fn php_calls_behind_operators_are_calls() {
    let files = MemoryFiles::new().file(
        "/srv/x.php",
        "<?php echo 'a' . shell_exec('one'); $b = ['c' => shell_exec('two')]; $d = $e ? 1 : exec('three'); $f->exec('no');",
    );
    check(&files, "/usr/bin/php", &["x.php"], &[], &["one", "two", "three"]);
}

#[test]
fn perl_follows_modules_and_what_they_execute() {
    let files = MemoryFiles::new()
        .file(
            "/srv/bin/tool",
            "#!/usr/bin/perl -w\nuse strict;\nuse Shop::Store qw(sell);\nuse parent 'Shop::Base';\nrequire \"old.pl\";\n\
             my $list = `ls @paths`;\nmy $user = qx{id -un};\n\n=head1 NAME\n\nsystem(\"never\");\n\n=cut\n\n\
             system('tar', '-x', $file);\nmy @command = ('gzip', '-d');\nsystem(@command);\n",
        )
        .file(
            "/usr/share/perl5/Shop/Store.pm",
            "package Shop::Store;\nopen(my $in, '-|', 'sort', '-u', $x) or die;\nopen(F, \"wc -l $x |\");\n\
             open(G, '<', $x);\nmy $pid = open3($a, $b, $c, 'bc', '-q');\n1;",
        )
        .file("/srv/lib/Shop/Base.pm", "exec { $p } 'true' or die;")
        .file("/srv/bin/old.pl", "CORE::system 'old'; $x->system('no');");
    check(
        &files,
        "/usr/bin/perl",
        &["-w", "/srv/bin/tool"],
        &[],
        &[
            "ls \u{FDD0}",
            "id -un",
            "tar -x \u{FDD0}",
            "gzip -d \u{FDD2}",
            "sort -u \u{FDD0}",
            "wc -l \u{FDD0}",
            "bc -q",
            "old",
        ],
    );
}

#[test]
fn perl_is_given_its_text_by_options() {
    let files = MemoryFiles::new().file("/usr/share/perl5/Tool.pm", "system('tool');");
    for (arguments, expected) in [
        (&["-e", "system('a')"][..], &["a"][..]),
        (&["-lne", "system('a')"], &["a"]),
        (&["-pi.bak", "-e", "`a`"], &["a"]),
        (&["-MTool=x", "-e", "1"], &["tool"]),
    ] {
        check(&files, "/usr/bin/perl5.36.0", arguments, &[], expected);
    }
}

#[test]
fn perl_says_whether_it_calls_by_number() {
    let calls = |arguments: &[&str]| {
        follow(&MemoryFiles::new(), "/usr/bin/perl", arguments)
            .calls_by_number
            .is_some()
    };
    assert!(calls(&["-e", "syscall(39)"]));
    assert!(!calls(&["-e", "print 'syscall'"]));
    assert!(!calls(&["missing.pl"]));
    let unknown = follow(&MemoryFiles::new(), "/usr/bin/perl", &["missing.pl"]);
    let mut details = unknown.assumptions.iter().map(|assumption| &assumption.detail);
    let told = details.any(|detail| detail.contains("which calls it makes by number"));
    assert!(told, "{unknown:#?}");
}

/// The one assumption that tells where sources are named by values.
fn check_open_sources(reached: &Reached, expected: &[&str]) {
    let told = reached.assumptions.iter().filter(|assumption| {
        let told = assumption.detail.strip_prefix("names sources by values at ");
        told.is_some_and(|told| told.starts_with(&format!("{}: ", expected.join(", "))))
    });
    let about = reached
        .assumptions
        .iter()
        .filter(|assumption| assumption.detail.starts_with("names sources"));
    let count = usize::from(!expected.is_empty());
    assert_eq!((told.count(), about.count()), (count, count), "{reached:#?}");
}

#[test]
fn sources_that_are_named_by_values_are_told_once() {
    let check = |path: &str, name: &str, text: &str, expected: &[&str]| {
        let file = format!("/srv/{name}");
        let files = MemoryFiles::new().file(&file, text.to_owned());
        check_open_sources(&follow(&files, path, &[name]), expected);
    };
    let node = "/usr/bin/node";
    check(
        node,
        "x.js",
        "require(x);\nimport(`a${b}`);",
        &["/srv/x.js:1", "/srv/x.js:2"],
    );
    check(
        node,
        "x.js",
        "require('x'); import('y'); class A { require(x) {} }",
        &[],
    );
    let ruby = "/usr/bin/ruby";
    check(
        ruby,
        "x.rb",
        "require x\nrequire \"a#{b}\"",
        &["/srv/x.rb:1", "/srv/x.rb:2"],
    );
    check(ruby, "x.rb", "require 'x'\nparams.require(:x)\nload: 1", &[]);
    let perl = "/usr/bin/perl";
    check(
        perl,
        "x.pl",
        "require $x;\neval \"use $y\";",
        &["/srv/x.pl:1", "/srv/x.pl:2"],
    );
    check(perl, "x.pl", "require X; eval { 1 }; do { 2 };", &[]);
    let php = "/usr/bin/php";
    check(php, "x.php", "<?php\nrequire $x;", &["/srv/x.php:2"]);
    check(
        php,
        "x.php",
        "<?php require('x.php'); include_once __DIR__ . '/y.inc';",
        &[],
    );
    check(
        php,
        "x.php",
        "Files that you include are read.\n$x->include($y);",
        &[],
    );
}

#[test]
fn java_takes_the_machine_and_constants_that_are_executables() {
    let files = MemoryFiles::new()
        .program("/bin/tool", "\x7fELF")
        .file("/opt/java/lib/server/libjvm.so", "\x7fELF")
        .program("/opt/java/lib/jspawnhelper", "\x7fELF")
        .file("/usr/lib/x86_64-linux-gnu/jni/libfast.so", "\x7fELF")
        .file("/srv/page.jsp", "<% new ProcessBuilder(\"/bin/tool\", \"x\") %>");
    check(
        &files,
        "/opt/java/bin/java",
        &["-jar", "x.jar"],
        &[
            "/opt/java/lib/server/libjvm.so",
            "/usr/lib/x86_64-linux-gnu/jni/libfast.so",
        ],
        &["/opt/java/lib/jspawnhelper", "/bin/tool"],
    );
}

#[test]
fn erlang_takes_its_run_time_system() {
    let files = MemoryFiles::new()
        .program("/bin/df", "\x7fELF")
        .program("/usr/lib/erlang/erts-13/bin/erlexec", "\x7fELF")
        .program("/usr/lib/erlang/erts-13/bin/beam.smp", "\x7fELF")
        .file("/usr/lib/erlang/lib/crypto-5/priv/lib/crypto.so", "\x7fELF")
        .file(
            "/usr/lib/erlang/lib/disk-1/ebin/disk.beam",
            &b"FOR1\x03cmdk\0\x0a/bin/df -kx"[..],
        );
    check(
        &files,
        "/usr/lib/erlang/erts-13/bin/erlexec",
        &[],
        &["/usr/lib/erlang/lib/crypto-5/priv/lib/crypto.so"],
        &[
            "/usr/lib/erlang/erts-13/bin/beam.smp",
            "/usr/lib/erlang/erts-13/bin/erlexec",
            "/bin/df -k",
            "/bin/df -kx",
        ],
    );
}

#[test]
fn ruby_says_whether_it_calls_by_number() {
    let calls = |text: &str| {
        let files = MemoryFiles::new().file("/srv/x.rb", text.to_owned());
        follow(&files, "/usr/bin/ruby", &["x.rb"])
            .calls_by_number
            .is_some()
    };
    assert!(calls("syscall 39"));
    assert!(calls("send(:syscall, 39)"));
    assert!(!calls("# syscall 39\nputs 'Linux-syscall-note'"));
}

#[test]
fn ruby_that_is_not_read_may_call_by_number() {
    let files = MemoryFiles::new()
        .file("/srv/x.rb", "puts 1")
        .file("/srv/large.rb", vec![b' '; 9 << 20]);
    let calls = |arguments: &[&str]| follow(&files, "/usr/bin/ruby", arguments).calls_by_number;
    assert_eq!(calls(&["x.rb"]), None);
    assert_eq!(calls(&["-e", "puts 1"]), None);
    for arguments in [&["large.rb"][..], &["missing.rb"], &[]] {
        assert_eq!(calls(arguments).as_deref(), Some("Cmd"), "{arguments:?}");
    }
}

#[test]
fn folders_of_libraries_that_are_too_deep_are_told() {
    let open = |depth: usize| {
        let path = format!("/usr/lib/ruby{}/x.rb", "/lib".repeat(depth));
        let files = MemoryFiles::new().file("/srv/x.rb", "").file(&path, "");
        !follow(&files, "/usr/bin/ruby", &["x.rb"]).assumptions.is_empty()
    };
    assert!(!open(16));
    assert!(open(17));
}
