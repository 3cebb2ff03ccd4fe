//! What headers define: the preprocessor lists the names, the compiler says their values.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use confine_engine::Invocation;
use tempfile::TempDir;

use super::groups::{Definition, Group, Origin};
use super::installed;

/// Headers of one version.
pub struct Headers {
    version: String,
    library: String,
    /// Where C files are written and compiled, and packages unpacked.
    scratch: TempDir,
    /// Folders that are searched before the compiler's own.
    folders: Vec<PathBuf>,
}

/// What comes before everything: the C library keeps some constants behind it.
const PROLOGUE: &str = "#define _GNU_SOURCE\n#include <stdint.h>\n#include <stddef.h>\n";

impl Headers {
    /// Those that are installed.
    pub fn of_system() -> anyhow::Result<Self> {
        let version =
            installed("linux-libc-dev").context("Debian's package linux-libc-dev is not installed")?;
        Self::new(version)
    }

    /// Those of a package's file.
    pub fn of_package(package: &Path) -> anyhow::Result<Self> {
        let version = Invocation::new("dpkg-deb")
            .arg("--field")
            .arg(package)
            .arg("Version");
        let mut headers = Self::new(version.output()?)?;
        let unpacked = headers.scratch.path().join("package");
        let unpack = Invocation::new("dpkg-deb")
            .arg("--extract")
            .arg(package)
            .arg(&unpacked);
        unpack.output()?;
        let include = unpacked.join("usr/include");
        headers.folders = vec![include.join("x86_64-linux-gnu"), include];
        Ok(headers)
    }

    fn new(version: String) -> anyhow::Result<Self> {
        Ok(Self {
            version,
            library: installed("libc6-dev").context("Debian's package libc6-dev is not installed")?,
            scratch: tempfile::tempdir().context("make a folder for C files")?,
            folders: Vec::new(),
        })
    }

    /// The packages and their versions.
    pub fn source(&self) -> String {
        format!(
            "Source: Debian packages linux-libc-dev {} and, for what it lacks, libc6-dev {}",
            self.version, self.library
        )
    }

    /// The names that belong to a group, in the order of their definitions, and their values; none for what is no
    /// constant, as a request whose structure another header declares.
    pub fn constants(&self, group: &Group) -> anyhow::Result<Vec<(String, Option<u64>)>> {
        let mut source = PROLOGUE.to_owned();
        for header in group.headers.iter().filter(|header| self.has(header)) {
            source += &format!("#include <{header}>\n");
        }
        for line in &group.lines {
            source += &format!("{line}\n");
        }
        let listed = self.compiler(&source, &["-E".to_owned(), "-dD".to_owned()])?;
        ensure!(
            listed.code == Some(0),
            "the headers cannot be read: {}",
            listed.stderr
        );
        let mut names: Vec<String> = Vec::new();
        for definition in definitions(&listed.stdout) {
            if group.takes(&definition) && !names.contains(&definition.name) {
                names.push(definition.name);
            }
        }
        self.values(&source, names, group.expression.as_deref().unwrap_or("{}"))
    }

    /// An older version lacks some.
    fn has(&self, header: &str) -> bool {
        let system = ["/usr/include", "/usr/include/x86_64-linux-gnu"].map(PathBuf::from);
        let mut folders = self.folders.iter().chain(&system);
        folders.any(|folder| folder.join(header).exists())
    }

    /// The values of those names that are constants.
    fn values(
        &self,
        source: &str,
        names: Vec<String>,
        expression: &str,
    ) -> anyhow::Result<Vec<(String, Option<u64>)>> {
        let lines = source.lines().count();
        let binary = self.scratch.path().join("values");
        let output = ["-o".to_owned(), binary.to_string_lossy().into_owned()];
        let build = |names: &[String]| self.compiler(&program(source, names, expression), &output);
        let mut constants = names.clone();
        let mut built = build(&constants)?;
        if built.code != Some(0) {
            for line in broken_lines(&built.stderr).iter().rev() {
                let index = line.checked_sub(lines + 1);
                let index = index.filter(|index| *index < constants.len());
                constants.remove(index.with_context(|| format!("the headers are broken: {}", built.stderr))?);
            }
            built = build(&constants)?;
        }
        ensure!(
            built.code == Some(0),
            "the constants cannot be compiled: {}",
            built.stderr
        );
        let printed = Invocation::new(&binary).output()?;
        let values = printed.lines().map(str::parse).collect::<Result<Vec<u64>, _>>()?;
        ensure!(values.len() == constants.len(), "a value is missing");
        let values: BTreeMap<String, u64> = constants.into_iter().zip(values).collect();
        let valued = names.into_iter().map(|name| {
            let value = values.get(&name).copied();
            (name, value)
        });
        Ok(valued.collect())
    }

    fn compiler(&self, source: &str, arguments: &[String]) -> anyhow::Result<confine_engine::Finished> {
        let file = self.scratch.path().join("constants.c");
        std::fs::write(&file, source).context("write a C file")?;
        let mut compiler = Invocation::new("gcc").args(["-w", "-fmax-errors=0", "-fno-diagnostics-color"]);
        for folder in &self.folders {
            compiler = compiler.arg("-isystem").arg(folder);
        }
        Ok(compiler.args(arguments).arg(&file).env("LC_ALL", "C").run()?)
    }
}

/// A program that prints the values, one line of it a constant, so that the compiler's errors say which is none.
/// A negative value of 32 bits stays one of 32 bits.
fn program(source: &str, names: &[String], expression: &str) -> String {
    let mut program = source.to_owned();
    for (index, name) in names.iter().enumerate() {
        let value = expression.replace("{}", name);
        program += &format!(
            "static const unsigned long long value_{index} = \
             sizeof({value}) == 4 ? (unsigned)({value}) : (unsigned long long)({value});\n"
        );
    }
    program += "extern int printf(const char *, ...);\nint main(void) {\n";
    for index in 0..names.len() {
        program += &format!("printf(\"%llu\\n\", value_{index});\n");
    }
    program + "return 0; }\n"
}

/// The lines of our file that the compiler's errors name.
fn broken_lines(errors: &str) -> BTreeSet<usize> {
    let lines = errors.lines().filter_map(|line| {
        let (_, place) = line.split_once("constants.c:")?;
        place.contains(": error:").then_some(())?;
        place.split(':').next()?.parse().ok()
    });
    lines.collect()
}

/// What preprocessed text with its macros (`gcc -E -dD`) defines, in order.
fn definitions(text: &str) -> Vec<Definition> {
    let mut found = Vec::new();
    let mut code = String::new();
    for line in text.lines() {
        match line.strip_prefix('#') {
            Some(directive) => found.extend(directive.strip_prefix("define ").and_then(defined)),
            None => {
                code += line;
                code.push('\n');
            }
        }
    }
    found.extend(enumerations(&code));
    found
}

/// A macro without parameters.
fn defined(text: &str) -> Option<Definition> {
    let (name, body) = text.split_once(' ').unwrap_or((text, ""));
    (!name.contains('(') && !body.trim().is_empty()).then(|| Definition {
        name: name.to_owned(),
        origin: Origin::Macro(body.to_owned()),
    })
}

/// The constants of all enumerations in C text without comments. Braces do not nest in them.
fn enumerations(code: &str) -> Vec<Definition> {
    let mut found = Vec::new();
    for (start, keyword) in code.match_indices("enum") {
        let alone = !code[..start].ends_with(word_character);
        let Some((tag, rest)) = code[start + keyword.len()..].split_once('{') else {
            continue;
        };
        let tag = tag.trim();
        if !alone || !tag.chars().all(word_character) {
            continue;
        }
        let Some((body, _)) = rest.split_once('}') else {
            continue;
        };
        for item in items(body) {
            let name: String = item
                .trim()
                .chars()
                .take_while(|character| word_character(*character))
                .collect();
            if !name.is_empty() {
                found.push(Definition {
                    name,
                    origin: Origin::Enumeration(tag.to_owned()),
                });
            }
        }
    }
    found
}

/// The parts between commas that stand in no parentheses.
fn items(body: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    let parts = body.split(move |character| {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        character == ',' && depth == 0
    });
    parts.collect()
}

fn word_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_macros_and_constants_of_enumerations() {
        let text = "# 1 \"a.h\"\n#define ONE 1\n#define CALL(x) x\n#define EMPTY\n#undef ONE\nenum tag {\nTWO = MAX(1, 2), THREE,\n};\n\
                    enum { FOUR };\nint enumerate(enum tag one) { return 0; }\n";
        let shown: Vec<String> = definitions(text)
            .into_iter()
            .map(|definition| format!("{}:{:?}", definition.name, definition.origin))
            .collect();
        assert_eq!(
            shown,
            [
                "ONE:Macro(\"1\")",
                "TWO:Enumeration(\"tag\")",
                "THREE:Enumeration(\"tag\")",
                "FOUR:Enumeration(\"\")",
            ]
        );
    }

    #[test]
    fn errors_name_lines() {
        let errors = "x/constants.c:7:3: error: no\nx/constants.c:9:1: note: here\nother.h:8:1: error: no\n";
        assert_eq!(broken_lines(errors), BTreeSet::from([7]));
    }
}
