//! Opens an image and prints its files, one a line: kind, mode, size and the content's SHA-256, path.
//!
//! `--time` prints only how long opening took. For comparing with an engine's own export, and for measuring.
#![allow(clippy::print_stdout, reason = "an example prints what it found")]

use std::fmt::Write as _;
use std::time::Instant;

use confine_image::{FileKind, Files, OpenOptions, open};
use sha2::{Digest, Sha256};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let time_only = arguments.first().is_some_and(|argument| argument == "--time");
    if time_only {
        arguments.remove(0);
    }
    let reference = arguments.first().ok_or("an image reference is expected")?;
    let start = Instant::now();
    let image = open(reference, &OpenOptions::default())?;
    if time_only {
        println!(
            "{} {:.3} s {:?}",
            image.reference,
            start.elapsed().as_secs_f64(),
            image.problems
        );
        return Ok(());
    }
    println!("{:#?}", image.config);
    print_folder(image.files.as_ref(), "")?;
    Ok(())
}

fn print_folder(files: &dyn Files, folder: &str) -> Result<(), Box<dyn std::error::Error>> {
    for name in files.list(folder) {
        let path = format!("{folder}/{name}");
        match files.resolve(&path) {
            None => println!("l - - {path}"),
            Some(found) if found.path != path => println!("l {} {path}", found.path),
            Some(found) if found.kind == FileKind::Folder => {
                println!("d {:o} {path}", found.mode);
                print_folder(files, &path)?;
            }
            Some(found) if found.kind == FileKind::Regular => {
                let mut digest = String::new();
                for byte in Sha256::digest(files.read(&path)?) {
                    write!(digest, "{byte:02x}")?;
                }
                println!("f {:o} {} {digest} {path}", found.mode, found.size);
            }
            Some(found) => println!("o {:o} {path}", found.mode),
        }
    }
    Ok(())
}
