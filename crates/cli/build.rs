//! Tells confine which version of the analysis it holds: a digest of everything that decides what an analysis finds.
//! What is kept in the cache was computed by one such version and is of no use to another.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use sha2::{Digest, Sha256};

/// The crates whose code decides what is found about an object or a program.
const CRATES: [&str; 7] = ["assumption", "code", "elf", "isa", "kernel", "link", "solve"];

fn main() -> io::Result<()> {
    let own = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let crates = own.join("..");
    let mut files = vec![crates.join("../Cargo.lock")];
    for name in CRATES {
        println!("cargo::rerun-if-changed={}", crates.join(name).display());
        for folder in ["src", "data"] {
            collect(&crates.join(name).join(folder), &mut files)?;
        }
    }
    println!(
        "cargo::rerun-if-changed={}",
        crates.join("../Cargo.lock").display()
    );
    files.sort();
    let mut digest = Sha256::new();
    for path in &files {
        let name = path
            .strip_prefix(&crates)
            .unwrap_or(path)
            .to_string_lossy()
            .into_owned();
        let contents = fs::read(path)?;
        for part in [name.as_bytes(), &contents] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
    }
    let digest: String = digest
        .finalize()
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    println!("cargo::rustc-env=CONFINE_ANALYSIS={digest}");
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
