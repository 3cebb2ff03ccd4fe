//! A layer is hashed once, as long as nobody touches its archive.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Duration;

use common::{docker_archive, file, tar, write};
use confine_image::{Error, Memory, OpenOptions, open};

/// Longer than an archive has to be left alone until it is taken for settled.
const SETTLED: Duration = Duration::from_secs(5);

#[derive(Default)]
struct Notes {
    known: Mutex<BTreeSet<String>>,
    recalled: Mutex<usize>,
}

impl Memory for Notes {
    fn recalls(&self, statement: &str) -> bool {
        let known = self.known.lock().unwrap().contains(statement);
        *self.recalled.lock().unwrap() += usize::from(known);
        known
    }

    fn remember(&self, statement: &str) {
        self.known.lock().unwrap().insert(statement.to_owned());
    }
}

/// Opens an archive; how many statements are known then, and how many of this opening were.
fn visit(path: &Path, notes: &Arc<Notes>) -> Result<(usize, usize), Error> {
    *notes.recalled.lock().unwrap() = 0;
    let options = OpenOptions {
        verified: Some(Arc::clone(notes) as Arc<dyn Memory>),
        ..OpenOptions::default()
    };
    open(path.to_str().unwrap(), &options)?;
    let known = notes.known.lock().unwrap().len();
    Ok((known, *notes.recalled.lock().unwrap()))
}

#[test]
fn a_layer_is_hashed_again_only_after_its_archive_was_touched() {
    let folder = tempfile::tempdir().unwrap();
    let layer = |text: &[u8]| tar(&[file("bin/app", text), file("etc/file", b"text")]);
    let layers = [layer(b"\x7fELF one"), layer(b"\x7fELF two")];
    let archive = tar(&docker_archive(&layers, <[u8]>::to_vec));
    let path = write(folder.path(), "image.tar", &archive);
    let notes = Arc::new(Notes::default());

    assert_eq!(visit(&path, &notes).unwrap(), (0, 0), "touched a moment ago");
    sleep(SETTLED);
    assert_eq!(visit(&path, &notes).unwrap(), (2, 0), "hashed, and remembered");
    assert_eq!(visit(&path, &notes).unwrap(), (2, 2), "not hashed");

    let mut archive = archive;
    let broken = archive.windows(7).position(|bytes| bytes == b"ELF two").unwrap();
    archive[broken] = b'e';
    fs::write(&path, &archive).unwrap();
    sleep(SETTLED);
    let error = visit(&path, &notes).unwrap_err();
    assert!(matches!(error, Error::DigestMismatch { .. }), "{error}");
}
