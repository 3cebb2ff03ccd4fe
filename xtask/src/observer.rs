//! The program that counts in the kernel: `cargo xtask observer` compiles crates/observe/kernel/observe.bpf.c, so that
//! nobody who builds confine needs a compiler for the kernel's machine.
//!
//! Beside the object lies what it was made of: the digest of the source, which a test of that crate holds against the
//! source, and the compiler. Another compiler makes other bytes of the same source, so that only the same one checks them.

use std::path::Path;

use anyhow::{Context, ensure};
use confine_engine::Invocation;
use confine_image::hexadecimal;
use sha2::{Digest, Sha256};

/// What to do with the object.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Write nothing: whether the object is what this compiler makes of the source
    #[arg(long)]
    check: bool,
}

const SOURCE: &str = "kernel/observe.bpf.c";
const OBJECT: &str = "generated/observe.bpf.o";
const MADE_OF: &str = "generated/observe.made-of";

/// Compiles the program, or says whether its object is fresh.
pub fn run(root: &Path, options: &Options) -> anyhow::Result<bool> {
    let folder = root.join("crates/observe");
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let digest = hexadecimal(&Sha256::digest(read(SOURCE)?));
    let compiler = Invocation::new("clang").arg("--version").output()?;
    let compiler = compiler.lines().next().unwrap_or_default().trim();
    let made_of = format!("source {digest}\ncompiler {compiler}\n");
    let object = compile(&folder)?;
    if !options.check {
        for (name, content) in [(OBJECT, object.as_slice()), (MADE_OF, made_of.as_bytes())] {
            let path = folder.join(name);
            std::fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        }
        println!("{OBJECT}: {} bytes, by {compiler}", object.len());
        return Ok(true);
    }
    let stored = String::from_utf8_lossy(&read(MADE_OF)?).into_owned();
    if stored.lines().nth(1) != made_of.lines().nth(1) {
        println!(
            "{OBJECT} was made by another compiler than {compiler}: it compiles, its bytes are not compared"
        );
        return Ok(stored.lines().next() == made_of.lines().next());
    }
    let fresh = stored == made_of && read(OBJECT)? == object;
    if !fresh {
        println!("{OBJECT} is not what the compiler makes of {SOURCE}: cargo xtask observer");
    }
    Ok(fresh)
}

/// The object, in which no path of this machine is left.
fn compile(folder: &Path) -> anyhow::Result<Vec<u8>> {
    let scratch = tempfile::tempdir().context("cannot create a temporary folder")?;
    let object = scratch.path().join("observe.bpf.o");
    let flags = ["-target", "bpf", "-mcpu=v3", "-O2", "-g", "-Wall", "-Werror"];
    let compile = Invocation::new("clang")
        .args(flags)
        .args(["-fdebug-compilation-dir=.", "-c", SOURCE, "-o"])
        .arg(&object)
        .folder(folder);
    compile.output()?;
    // The type information stays, which is not the debugger's.
    Invocation::new("llvm-strip").arg("-g").arg(&object).output()?;
    let bytes = std::fs::read(&object).context("the compiler wrote no object")?;
    ensure!(!bytes.is_empty(), "the compiler wrote an empty object");
    Ok(bytes)
}
