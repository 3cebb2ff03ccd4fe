//! What the command line of a dynamic loader asks for: `ld.so [OPTION…] PROGRAM [ARGUMENT…]`.
//!
//! The options are those of glibc 2.41 and musl 1.2.5, by their manuals and `--help`. One that is not among them makes
//! it unclear which argument is the program; then it counts as one without a policy, which never breaks anything.

use confine_sys::{Start, Text};

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asked {
    /// To run a program.
    Run(Text),
    /// To print something and run nothing.
    Show,
    /// That cannot be told.
    Unclear,
}

/// What one option means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// The next argument belongs to it.
    TakesValue,
    /// It stands alone.
    Alone,
    /// Nothing is run.
    Show,
    /// Options end here.
    End,
    Unknown,
}

/// Reads the command line as the loader will.
pub(crate) fn program(start: &Start) -> Asked {
    let argument = |index| start.argument(index);
    // musl's loader prints libraries when it is called by this name.
    if argument(0).is_some_and(|name| name.bytes().ends_with(b"ldd")) {
        return Asked::Show;
    }
    let mut index = 1;
    // Bounded: each turn takes an argument.
    while let Some(option) = argument(index).filter(|option| option.bytes().starts_with(b"--")) {
        index += match meaning(option.bytes()) {
            Meaning::TakesValue => 2,
            Meaning::Alone => 1,
            Meaning::Show => return Asked::Show,
            Meaning::End => {
                index += 1;
                break;
            }
            Meaning::Unknown => return Asked::Unclear,
        };
    }
    match argument(index) {
        // glibc searches a name without a slash among the libraries. By parts: a search for the byte would bring code of
        // the compiled core library, which goes through tables of addresses.
        Some(path) if path.bytes().split(|byte| *byte == b'/').nth(1).is_some() => Asked::Run(path),
        Some(_) => Asked::Unclear,
        // Without a program the loader prints how it is used.
        None => Asked::Show,
    }
}

fn meaning(option: &[u8]) -> Meaning {
    match option {
        b"--library-path"
        | b"--inhibit-rpath"
        | b"--audit"
        | b"--preload"
        | b"--argv0"
        | b"--glibc-hwcaps-prepend"
        | b"--glibc-hwcaps-mask" => Meaning::TakesValue,
        b"--inhibit-cache" => Meaning::Alone,
        b"--list" | b"--verify" | b"--list-tunables" | b"--list-diagnostics" | b"--help" | b"--version" => {
            Meaning::Show
        }
        b"--" => Meaning::End,
        // musl takes a value after an equals sign, too.
        _ if [&b"--library-path="[..], b"--preload=", b"--argv0="]
            .iter()
            .any(|name| option.starts_with(name)) =>
        {
            Meaning::Alone
        }
        _ => Meaning::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use super::*;

    #[allow(unsafe_code)] // A stack like the kernel's is made by hand.
    fn asked(words: &[&str]) -> String {
        let texts: Vec<CString> = words.iter().map(|word| CString::new(*word).unwrap()).collect();
        let mut stack = vec![texts.len() as u64];
        stack.extend(texts.iter().map(|text| text.as_ptr().expose_provenance() as u64));
        stack.extend([0, 0, 0, 0]);
        // SAFETY: the words are laid out as the kernel does it.
        let start = unsafe { Start::new(stack.as_mut_ptr()) };
        match program(&start) {
            Asked::Run(path) => format!("run {}", String::from_utf8_lossy(path.bytes())),
            Asked::Show => "show".to_owned(),
            Asked::Unclear => "unclear".to_owned(),
        }
    }

    #[test]
    fn the_program_is_the_one_that_the_loader_runs() {
        for (words, expected) in [
            ("ld.so /bin/true", "run /bin/true"),
            ("ld.so ./true --list", "run ./true"),
            (
                "ld.so --preload /lib/a.so --argv0 sh /bin/true x",
                "run /bin/true",
            ),
            ("ld.so --preload=/lib/a.so /bin/true", "run /bin/true"),
            ("ld.so --inhibit-cache -- /bin/true", "run /bin/true"),
            ("ld.so --list /bin/true", "show"),
            ("ld.so --verify /bin/true", "show"),
            ("ld.so --library-path /lib --list /bin/true", "show"),
            ("/usr/bin/ldd /bin/true", "show"),
            ("ld.so", "show"),
            ("ld.so --preload", "show"),
            ("ld.so true", "unclear"),
            ("ld.so --new-option /bin/true", "unclear"),
        ] {
            let words: Vec<&str> = words.split(' ').collect();
            assert_eq!(asked(&words), expected, "{words:?}");
        }
        assert_eq!(asked(&[]), "show");
    }
}
