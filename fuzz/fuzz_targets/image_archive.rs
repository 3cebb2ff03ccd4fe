//! Any bytes, opened as an archive: an image or an error, never a panic, a hang or a file outside the root.
#![no_main]

use std::io::Write as _;

use confine_image::{Files, OpenOptions, open};
use libfuzzer_sys::fuzz_target;

/// How many files are read of one image, so that one input does not take for ever.
const MAX_READ: usize = 200;

fuzz_target!(|bytes: &[u8]| {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("room for a temporary file");
    let path = format!("{}", file.path().display());
    if let Ok(image) = open(&path, &OpenOptions::default()) {
        read_all(image.files.as_ref());
    }
});

fn read_all(files: &dyn Files) {
    let mut folders = vec![String::new()];
    let mut left = MAX_READ;
    while let Some(folder) = folders.pop() {
        for name in files.list(&folder) {
            left = left.saturating_sub(1);
            if left == 0 {
                return;
            }
            let path = format!("{folder}/{name}");
            let Some(found) = files.resolve(&path) else { continue };
            assert!(found.path.starts_with('/') && !found.path.split('/').any(|part| part == ".."));
            if found.path == path {
                folders.push(path.clone());
            }
            if found.size < 1 << 20 {
                let _ = files.read(&path);
            }
        }
    }
}
