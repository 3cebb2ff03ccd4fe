//! Where a command's name leads inside the image, and what kind of file is there.

use confine_image::paths::absolute;
use confine_image::{Files, Resolved};

/// The kernel reads this much of a script's first line (`BINPRM_BUF_SIZE`, include/uapi/linux/binfmts.h).
const FIRST_LINE: usize = 256;

/// A command's file: as it was named, and with every link followed.
#[derive(Debug, Clone)]
pub struct Located {
    pub named: String,
    pub file: Resolved,
}

/// What an executable file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Elf,
    /// Its first line names an interpreter, and perhaps one argument for it.
    Script {
        interpreter: String,
        argument: Option<String>,
    },
    /// Text without such a line: shells, and the C library's `execvp`, give it to a shell.
    Text,
    Other,
}

/// The executable that `name` leads to: by `path`, or from `workdir` if it has a slash.
pub fn locate(files: &dyn Files, name: &str, path: &str, workdir: &str) -> Option<Located> {
    if name.is_empty() {
        return None;
    }
    if name.contains('/') {
        return executable(files, absolute(name, workdir));
    }
    path.split(':').find_map(|folder| {
        let folder = if folder.is_empty() { "." } else { folder };
        executable(
            files,
            absolute(&format!("{}/{name}", folder.trim_end_matches('/')), workdir),
        )
    })
}

/// What a file holds, by its first bytes as the kernel decides.
pub fn content(bytes: &[u8]) -> Content {
    if bytes.starts_with(b"\x7fELF") {
        return Content::Elf;
    }
    let start = bytes.get(..FIRST_LINE.min(bytes.len())).unwrap_or_default();
    if let Some(line) = start.strip_prefix(b"#!") {
        return first_line(line);
    }
    if start.contains(&0) {
        Content::Other
    } else {
        Content::Text
    }
}

fn first_line(line: &[u8]) -> Content {
    let line = line
        .split(|&byte| byte == b'\n' || byte == 0)
        .next()
        .unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let line = line.trim_matches([' ', '\t', '\r']);
    let (interpreter, argument) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    if interpreter.is_empty() {
        return Content::Text;
    }
    let argument = argument.trim_matches([' ', '\t']);
    Content::Script {
        interpreter: interpreter.to_owned(),
        argument: (!argument.is_empty()).then(|| argument.to_owned()),
    }
}

fn executable(files: &dyn Files, named: String) -> Option<Located> {
    let file = files.resolve(&named)?;
    file.is_executable().then_some(Located { named, file })
}

#[cfg(test)]
mod tests {
    use super::{Content, content};

    #[test]
    fn first_bytes_decide() {
        let script = |interpreter: &str, argument: Option<&str>| Content::Script {
            interpreter: interpreter.to_owned(),
            argument: argument.map(str::to_owned),
        };
        let check = |bytes: &[u8], expected| assert_eq!(content(bytes), expected);
        check(b"\x7fELF\x02", Content::Elf);
        check(b"#!/bin/sh\nx", script("/bin/sh", None));
        check(b"#! /bin/sh -eu \n", script("/bin/sh", Some("-eu")));
        check(b"#!/usr/bin/env -S a b", script("/usr/bin/env", Some("-S a b")));
        check(b"#!\n", Content::Text);
        check(b"echo", Content::Text);
        check(b"", Content::Text);
        check(b"PK\x03\x04\0", Content::Other);
    }
}
