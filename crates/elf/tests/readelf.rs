//! binutils' readelf as the oracle on real files of this machine.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail and may say what it skips"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use confine_elf::{Object, Placement, RelocationValue, Symbol};

/// Files of every kind: a program, the C library, the loader, a library with ten thousand functions, one with
/// exception tables.
const FILES: [&str; 5] = [
    "/bin/ls",
    "/lib/x86_64-linux-gnu/libc.so.6",
    "/lib64/ld-linux-x86-64.so.2",
    "/usr/lib/x86_64-linux-gnu/libcrypto.so.3",
    "/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
];

/// Runs `compare` on each file with readelf's answer to `arguments`, on what `build` makes besides.
fn with_readelf(arguments: &[&str], compare: impl Fn(&str, &Object, &str)) {
    let folder = tempfile::tempdir().unwrap();
    let mut files: Vec<String> = FILES.iter().map(|file| (*file).to_owned()).collect();
    for (name, compiler, flags) in [
        ("static-musl", "musl-gcc", &["-static"][..]),
        ("static-glibc", "gcc", &["-static"]),
        ("static-pie", "gcc", &["-static-pie"]),
        ("relr", "gcc", &["-pie", "-Wl,-z,pack-relative-relocs"]),
        ("fixed", "gcc", &["-no-pie", "-Wl,--hash-style=sysv"]),
        ("local-thread", "gcc", &["-shared", "-fPIC", "-mtls-dialect=gnu2"]),
    ] {
        let source = folder.path().join("program.c");
        std::fs::write(&source, PROGRAM).unwrap();
        let output = folder.path().join(name);
        let built = Command::new(compiler)
            .args(flags)
            .arg(&source)
            .arg("-o")
            .arg(&output)
            .output();
        if built.is_ok_and(|built| built.status.success()) {
            files.push(output.to_string_lossy().into_owned());
        } else {
            println!("skipped: {compiler} {flags:?} does not work here");
        }
    }
    for file in files.iter().filter(|file| Path::new(file).exists()) {
        let output = Command::new("readelf").args(arguments).arg(file).output();
        let Ok(output) = output else {
            println!("skipped: no readelf on this machine");
            return;
        };
        let object = Object::parse(std::fs::read(file).unwrap().into()).unwrap();
        assert_eq!(object.problems, [""; 0], "{file}");
        compare(file, &object, &String::from_utf8_lossy(&output.stdout));
    }
}

const PROGRAM: &str = r#"
#include <stdio.h>
__thread int counter;
static int one(int x) { return x + 1; }
static int two(int x) { return x + 2; }
int (*table[])(int) = { one, two, one, two };
const char *names[] = { "one", "two", "three" };
extern char **environ;
int main(int count, char **arguments) {
    counter += count;
    printf("%d %s %p\n", table[count % 4](counter), names[count % 3], (void *)environ);
    return 0;
}
"#;

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap()
}

#[test]
fn segments() {
    with_readelf(&["-W", "-lh"], |file, object, text| {
        let mut expected = Vec::new();
        for line in text.lines().filter(|line| line.trim_start().starts_with("LOAD ")) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let flags = words[6..words.len() - 1].join("");
            expected.push((hex(words[1]), hex(words[2]), hex(words[4]), hex(words[5]), flags));
        }
        let flag = |set: bool, letter: &str| if set { letter.to_owned() } else { String::new() };
        let found: Vec<_> = object
            .segments
            .iter()
            .map(|segment| {
                let flags = flag(segment.readable, "R")
                    + &flag(segment.writable, "W")
                    + &flag(segment.executable, "E");
                let size = segment.addresses.end - segment.addresses.start;
                (
                    segment.file.start as u64,
                    segment.addresses.start,
                    segment.file.len() as u64,
                    size,
                    flags,
                )
            })
            .collect();
        assert_eq!(found, expected, "{file}");
        let value = |key: &str| {
            text.lines()
                .find(|line| line.contains(key))
                .unwrap_or_default()
                .to_owned()
        };
        let entry = value("Entry point address:");
        assert_eq!(
            object.entry,
            hex(entry.split_whitespace().last().unwrap()),
            "{file}"
        );
        let fixed = value("  Type:").contains("EXEC");
        assert_eq!(object.placement == Placement::Fixed, fixed, "{file}");
        let interpreter = value("Requesting program interpreter: ");
        let interpreter = interpreter
            .split_once("interpreter: ")
            .map(|(_, name)| name.trim_end_matches(']'));
        assert_eq!(object.interpreter.as_deref(), interpreter, "{file}");
    });
}

#[test]
fn sections() {
    with_readelf(&["-W", "-S"], |file, object, text| {
        let mut expected = Vec::new();
        for line in text.lines() {
            let Some((_, rest)) = line
                .split_once("] ")
                .filter(|_| line.trim_start().starts_with('['))
            else {
                continue;
            };
            let words: Vec<&str> = rest.split_whitespace().collect();
            if words.len() >= 10 && words[6].contains('A') {
                expected.push((hex(words[2]), hex(words[2]) + hex(words[4]), words[0].to_owned()));
            }
        }
        expected.sort();
        let mut found: Vec<_> = object
            .sections
            .iter()
            .map(|section| {
                (
                    section.addresses.start,
                    section.addresses.end,
                    section.name.clone(),
                )
            })
            .collect();
        found.sort();
        assert_eq!(found, expected, "{file}");
    });
}

#[test]
fn dynamic_table() {
    with_readelf(&["-W", "-d"], |file, object, text| {
        let list = |tag: &str| -> Vec<String> {
            let lines = text.lines().filter(|line| line.contains(tag));
            lines
                .filter_map(|line| Some(line.split_once('[')?.1.trim_end_matches(']').to_owned()))
                .collect()
        };
        assert_eq!(object.dynamic.needed, list("(NEEDED)"), "{file}");
        assert_eq!(object.dynamic.soname, list("(SONAME)").pop(), "{file}");
        let value = |tag: &str| {
            let line = text.lines().find(|line| line.contains(tag))?;
            Some(hex(line.split_whitespace().last()?))
        };
        assert_eq!(object.dynamic.init, value("(INIT)"), "{file}");
        assert_eq!(object.dynamic.fini, value("(FINI)"), "{file}");
        for tag in ["(PREINIT_ARRAY)", "(INIT_ARRAY)", "(FINI_ARRAY)"] {
            let starts = || object.dynamic.function_arrays.iter().map(|array| array.start);
            assert!(
                value(tag).is_none_or(|start| starts().any(|found| found == start)),
                "{file} {tag}"
            );
        }
    });
}

/// (value, size, binding, visibility, defined, name with version) of a line of readelf's symbol tables.
type SymbolLine = (u64, u64, String, bool, String);

fn symbol_lines(text: &str) -> Vec<SymbolLine> {
    let mut symbols = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [number, value, size, kind, _, _, section, rest @ ..] = words.as_slice() else {
            continue;
        };
        if !number
            .trim_end_matches(':')
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            || !number.ends_with(':')
        {
            continue;
        }
        let size = size.strip_prefix("0x").map_or_else(|| size.parse().unwrap(), hex);
        let name = rest.first().map_or(String::new(), |name| (*name).to_owned());
        symbols.push((hex(value), size, (*kind).to_owned(), *section != "UND", name));
    }
    symbols
}

fn symbol_line(symbol: &Symbol) -> (u64, u64, bool, String) {
    let version = symbol.version.as_ref().map_or(String::new(), |version| {
        let default = symbol.defined && !version.hidden;
        format!("{}{}", if default { "@@" } else { "@" }, version.name)
    });
    (
        symbol.address,
        symbol.size,
        symbol.defined,
        format!("{}{version}", symbol.name),
    )
}

#[test]
fn dynamic_symbols_with_versions() {
    with_readelf(&["-W", "--dyn-syms"], |file, object, text| {
        let expected: Vec<_> = symbol_lines(text)
            .into_iter()
            .map(|(value, size, kind, defined, name)| {
                // readelf shows no name for sections and repeats a version's own name.
                let name = if kind == "SECTION" { String::new() } else { name };
                (value, size, defined, name)
            })
            .collect();
        let found: Vec<_> = object.dynamic_symbols.iter().map(symbol_line).collect();
        assert_eq!(found.len(), expected.len(), "{file}");
        for ((value, size, defined, name), expected) in found.into_iter().zip(expected) {
            // A copied symbol is defined but has the version that it asks for, which readelf writes with one `@`;
            // the symbol that stands for a version itself it writes without.
            let copied = name.replace("@@", "@") == expected.3;
            let itself = name == format!("{0}@@{0}", expected.3);
            let name = if copied || itself {
                expected.3.clone()
            } else {
                name
            };
            assert_eq!((value, size, defined, name), expected, "{file}");
        }
    });
}

#[test]
fn all_symbols() {
    with_readelf(&["-W", "-s"], |file, object, text| {
        let Some((_, text)) = text.split_once("'.symtab'") else {
            assert_eq!(object.symbols, [], "{file}");
            return;
        };
        let expected = symbol_lines(text);
        assert_eq!(object.symbols.len() + 1, expected.len(), "{file}");
        for (found, expected) in object.symbols.iter().zip(expected.iter().skip(1)) {
            assert_eq!(
                (found.address, found.size, found.defined),
                (expected.0, expected.1, expected.3),
                "{file}"
            );
        }
    });
}

#[test]
fn relocations() {
    with_readelf(&["-W", "-r"], |file, object, text| {
        let mut expected: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        let mut packed = 0_usize;
        let mut words_of_packed = false;
        for line in text.lines() {
            if line.contains("Relocation section") {
                words_of_packed = line.contains(".relr");
            }
            let words: Vec<&str> = line.split_whitespace().collect();
            if words_of_packed {
                // "00000000003d3d0  0000000000001140 …" in later readelfs, one address a line in this one.
                packed += usize::from(words.len() == 1 && words[0].len() == 16);
                continue;
            }
            let [at, _, kind, rest @ ..] = words.as_slice() else {
                continue;
            };
            if let Some(kind) = kind.strip_prefix("R_X86_64_") {
                let value = rest.first().copied().unwrap_or_default();
                expected
                    .entry(hex(at))
                    .or_default()
                    .push(format!("{kind} {value}"));
            }
        }
        let total: usize = expected.values().map(Vec::len).sum();
        assert_eq!(object.relocations.len(), total + packed, "{file}");
        for relocation in &object.relocations {
            let Some(lines) = expected.get(&relocation.at) else {
                assert!(
                    packed > 0 && matches!(relocation.value, RelocationValue::Address(_)),
                    "{file}"
                );
                continue;
            };
            let fits = lines.iter().any(|line| {
                let (kind, value) = line.split_once(' ').unwrap();
                match relocation.value {
                    RelocationValue::Address(address) => kind == "RELATIVE" && hex(value) == address,
                    RelocationValue::Resolved(address) => {
                        kind == "IRELATIVE" && (hex_or_none(value).is_none_or(|value| value == address))
                    }
                    RelocationValue::Copy { .. } => kind == "COPY",
                    RelocationValue::ThreadLocal => kind.contains("TP") || kind == "TLSDESC",
                    RelocationValue::Symbol { symbol, .. } => {
                        let symbol = &object.dynamic_symbols[symbol as usize];
                        ["GLOB_DAT", "JUMP_SLOT", "64"].contains(&kind) && hex(value) == symbol.address
                    }
                    RelocationValue::Unknown(_) => false,
                }
            });
            assert!(fits, "{file}: {relocation:x?} {lines:?}");
        }
    });
}

fn hex_or_none(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

#[test]
fn unwind_ranges() {
    with_readelf(&["-W", "--debug-dump=frames"], |file, object, text| {
        let frames = text
            .split("Contents of the ")
            .find(|part| part.starts_with(".eh_frame"))
            .unwrap_or_default();
        let mut expected = Vec::new();
        for line in frames.lines() {
            let Some((_, range)) = line.split_once(" pc=").filter(|_| line.contains(" FDE ")) else {
                continue;
            };
            let (start, end) = range.trim().split_once("..").unwrap();
            expected.push((hex(start), hex(end)));
        }
        expected.retain(|(start, end)| start < end);
        expected.sort_unstable();
        expected.dedup();
        let mut found: Vec<_> = object
            .unwind
            .iter()
            .map(|function| (function.code.start, function.code.end))
            .collect();
        found.dedup();
        assert_eq!(found.len(), expected.len(), "{file}");
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected, "{file}");
        }
    });
}

#[test]
fn landing_pads_lie_in_described_functions() {
    with_readelf(&["--version"], |file, object, _| {
        for pad in object.unwind.iter().flat_map(|function| &function.landing_pads) {
            let inside = object.unwind.iter().any(|function| function.code.contains(pad));
            assert!(inside, "{file}: {pad:#x}");
        }
        if file.contains("libstdc++") {
            assert!(
                object
                    .unwind
                    .iter()
                    .any(|function| !function.landing_pads.is_empty()),
                "{file}"
            );
        }
    });
}
