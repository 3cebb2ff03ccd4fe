//! Tells confine which version of itself it is, twice: a digest of everything that decides what is found out about an
//! object or a program, and one of everything that decides what a report says. What is kept in the cache was computed by
//! one such version and is of no use to another.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use sha2::{Digest, Sha256};

/// The crates whose code decides what is found about an object or a program.
const CRATES: [&str; 7] = ["assumption", "code", "elf", "isa", "kernel", "link", "solve"];

fn main() -> io::Result<()> {
    let crates = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("..");
    let mut all = Vec::new();
    for entry in fs::read_dir(&crates)? {
        all.push(entry?.file_name().to_string_lossy().into_owned());
    }
    println!("cargo::rerun-if-changed={}", crates.display());
    println!(
        "cargo::rerun-if-changed={}",
        crates.join("../Cargo.lock").display()
    );
    println!("cargo::rustc-env=CONFINE_ANALYSIS={}", digest(&crates, &CRATES)?);
    println!("cargo::rustc-env=CONFINE_EVERYTHING={}", digest(&crates, &all)?);
    Ok(())
}

/// Of what the crates with these names consist of, and of those that are not ours.
fn digest(crates: &Path, names: &[impl AsRef<str>]) -> io::Result<String> {
    let mut files = vec![crates.join("../Cargo.lock")];
    for name in names {
        for folder in ["src", "data"] {
            collect(&crates.join(name.as_ref()).join(folder), &mut files)?;
        }
    }
    files.sort();
    let mut digest = Sha256::new();
    for path in &files {
        let name = path
            .strip_prefix(crates)
            .unwrap_or(path)
            .to_string_lossy()
            .into_owned();
        let contents = fs::read(path)?;
        for part in [name.as_bytes(), &contents] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
    }
    let digest = digest.finalize();
    Ok(digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect())
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
