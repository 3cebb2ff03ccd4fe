//! Files that the user names, as text.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, ensure};

/// How large a file of JSON may be: reports of the largest images have some tens of megabytes, and one without an end must
/// not fill the memory.
const MAXIMUM_BYTES: u64 = 1 << 30;

/// The text of a file; `-` is the standard input.
pub fn text(path: &Path) -> anyhow::Result<String> {
    if path == Path::new("-") {
        return whole(io::stdin().lock()).context("cannot read the standard input");
    }
    let read = || whole(File::open(path)?);
    read().with_context(|| format!("cannot read {}", path.display()))
}

fn whole(source: impl Read) -> anyhow::Result<String> {
    let mut text = String::new();
    let bytes = source.take(MAXIMUM_BYTES + 1).read_to_string(&mut text)?;
    ensure!(
        bytes as u64 <= MAXIMUM_BYTES,
        "it has more than the {MAXIMUM_BYTES} bytes that are expected at most"
    );
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_or_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "text").unwrap();
        assert_eq!(text(&path).unwrap(), "text");
        let error = text(&folder.path().join("none")).unwrap_err();
        assert!(format!("{error:#}").contains("none: No such file"), "{error:#}");
        std::fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(text(&path).is_err());
    }
}
