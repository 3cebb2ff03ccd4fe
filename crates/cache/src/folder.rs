//! The folder of a cache.

use std::env;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::Error;

/// The user's folder for what confine keeps: `confine` in XDG_CACHE_HOME, or in `.cache` of the home folder (XDG base
/// directory specification 0.8: a relative path counts for none).
///
/// # Errors
/// When neither variable names a folder.
pub fn user_folder() -> Result<PathBuf, Error> {
    let absolute = |name: &str| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    base.map(|base| base.join("confine")).ok_or(Error::NoFolder)
}

/// Makes a folder for the user alone, or sees that one which is there is.
pub(crate) fn make_private(path: &Path) -> Result<(), Error> {
    let io = |source| Error::Io {
        path: path.to_owned(),
        source,
    };
    let parent = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(io)?;
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(io(error)),
        _ => {}
    }
    let metadata = fs::symlink_metadata(path).map_err(io)?;
    let own = metadata.uid() == rustix::process::geteuid().as_raw();
    if metadata.is_dir() && own && metadata.mode() & 0o022 == 0 {
        Ok(())
    } else {
        Err(Error::NotPrivate(path.to_owned()))
    }
}
