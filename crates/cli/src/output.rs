//! Files that are written whole or not at all.
//!
//! A file is prepared before the analysis begins, so that a path which cannot be written costs no time; what is
//! written goes to a temporary file beside the target and takes its place at the end.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::NamedTempFile;

/// Somewhere to write to, known to be writable.
pub enum Output {
    /// The standard output.
    Standard,
    /// A file that appears, or changes, when all of it is written.
    File {
        /// Where it goes.
        path: PathBuf,
        /// What takes its place.
        temporary: NamedTempFile,
    },
    /// A device or a pipe, which nothing may take the place of.
    Special {
        /// Where it is.
        path: PathBuf,
        /// It, opened.
        file: File,
    },
}

impl Output {
    /// Prepares a file; `-` is the standard output.
    pub fn prepare(path: &Path) -> anyhow::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::Standard);
        }
        Self::prepare_file(path).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Writes everything.
    pub fn write(self, content: impl AsRef<[u8]>) -> anyhow::Result<()> {
        let content = content.as_ref();
        match self {
            Self::Standard => print(content),
            Self::File { path, mut temporary } => temporary
                .write_all(content)
                .and_then(|()| temporary.persist(&path).map_err(|error| error.error))
                .map(drop)
                .with_context(|| format!("cannot write {}", path.display())),
            Self::Special { path, mut file } => file
                .write_all(content)
                .with_context(|| format!("cannot write {}", path.display())),
        }
    }

    fn prepare_file(path: &Path) -> io::Result<Self> {
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let temporary = beside(path, Permissions::from_mode(0o666))?;
                return Ok(Self::File {
                    path: path.to_owned(),
                    temporary,
                });
            }
            Err(error) => return Err(error),
        };
        // Opening tells what renaming would not: that it is a folder, or that this user may not write it.
        let file = OpenOptions::new().write(true).open(path)?;
        if !metadata.is_file() {
            return Ok(Self::Special {
                path: path.to_owned(),
                file,
            });
        }
        // A link stays, and what it leads to is written.
        let path = fs::canonicalize(path)?;
        let temporary = beside(&path, metadata.permissions())?;
        Ok(Self::File { path, temporary })
    }
}

/// Writes a file of this mode, whatever modes new files have, that appears when all of it is there; with its folders.
pub fn write_with_mode(path: &Path, content: &[u8], mode: u32) -> anyhow::Result<()> {
    let write = || -> io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut temporary = beside(path, Permissions::from_mode(mode))?;
        temporary.write_all(content)?;
        // The mask of new files counted until now.
        fs::set_permissions(temporary.path(), Permissions::from_mode(mode))?;
        temporary.persist(path).map(drop).map_err(|error| error.error)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Writes text or data to the standard output as it is; a reader that has seen enough and left is no error.
pub fn print(content: impl AsRef<[u8]>) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(content.as_ref()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot write the standard output")
        }
        _ => Ok(()),
    }
}

fn beside(target: &Path, permissions: Permissions) -> io::Result<NamedTempFile> {
    let folder = match target.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    tempfile::Builder::new()
        .prefix(".confine-")
        .permissions(permissions)
        .tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("profile.json");
        drop(Output::prepare(&path).unwrap());
        assert!(names(folder.path()).is_empty());
        for text in ["first", "second"] {
            Output::prepare(&path).unwrap().write(text).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(names(folder.path()), ["profile.json"]);
        }
    }

    #[test]
    fn links_and_modes_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        symlink("target", &link).unwrap();
        Output::prepare(&link).unwrap().write("new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn pipes_are_written_to_whatever_their_links_say() {
        let (mut reader, writer) = io::pipe().unwrap();
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&writer));
        let output = Output::prepare(Path::new(&path)).unwrap();
        drop(writer);
        output.write("text").unwrap();
        let mut text = String::new();
        io::Read::read_to_string(&mut reader, &mut text).unwrap();
        assert_eq!(text, "text");
    }

    #[test]
    fn devices_are_written_to_and_not_replaced() {
        Output::prepare(Path::new("/dev/null"))
            .unwrap()
            .write("text")
            .unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn what_cannot_be_written_is_known_before() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        for (name, expected) in [
            ("", "Is a directory"),
            ("absent/file", "No such file"),
            ("file/below", "Not a directory"),
        ] {
            let path = folder.path().join(name);
            let Err(error) = Output::prepare(&path) else {
                panic!("{name} can be written")
            };
            let error = format!("{error:#}");
            assert!(
                error.starts_with("cannot write /") && error.contains(expected),
                "{error}"
            );
        }
    }
}
