//! Any bytes as a source of every language: an answer, never a panic, and not more commands than bytes.
#![no_main]

use std::collections::BTreeMap;

use confine_image::MemoryFiles;
use confine_languages::{LANGUAGES, Start};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for ending in ["py", "php", "js", "jar", "rb", "beam"] {
        let path = format!("/srv/x.{ending}");
        let files = MemoryFiles::new().file(&path, bytes.to_vec());
        for language in LANGUAGES {
            let reached = language.follow(&Start {
                files: &files,
                named: "/usr/bin/interpreter",
                path: "/usr/bin/interpreter",
                arguments: std::slice::from_ref(&path),
                workdir: "/srv",
                variables: &BTreeMap::new(),
                input: None,
                place: "Cmd",
            });
            assert!(reached.commands.len() <= bytes.len());
        }
    }
});
