//! The pieces of an image by name: members of an archive, or files of a folder.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;

use crate::Error;
use crate::compression::{BytesReader, Compression};
use crate::digest::Digest;
use crate::layer::{Budget, Expected, Layer};
use crate::mapping::map;
use crate::open::{Reporter, Stage};
use crate::tarball;
use crate::tree::Tree;
use crate::verified::{Identity, Verified};

/// Largest manifest, index or configuration that is read.
const MAX_DOCUMENT: u64 = 16 << 20;
/// Most bytes that are put into an anonymous temporary file.
const MAX_SPOOLED: u64 = 64 << 30;

/// Named pieces of an image.
pub(crate) struct Store {
    /// How to name it in messages.
    pub(crate) place: String,
    kind: Kind,
    /// What is known of the archive's file from earlier runs; none for anything else than a file that is read where it lies.
    pub(crate) verified: Option<Verified>,
}

enum Kind {
    Archive(Box<Tree>),
    Folder(PathBuf),
}

impl Store {
    /// A tar archive in a file, compressed or not.
    pub(crate) fn archive_file(path: &Path, reporter: &Reporter) -> Result<Self, Error> {
        let place = path.display().to_string();
        let file = File::open(path).map_err(|source| Error::io(&place, source))?;
        let bytes = map(&file).map_err(|source| Error::io(&place, source))?;
        // Before it is read: what changes meanwhile is another file to the next run.
        let identity = Identity::of(&file);
        let verified = reporter.verified.clone().zip(identity);
        Ok(Self {
            verified: verified.map(|(memory, file)| Verified { memory, file }),
            ..Self::archive(place, bytes, reporter)?
        })
    }

    /// A tar archive that comes once and in order: it goes to an anonymous temporary file first, since an
    /// archive has to be read at several places and the manifest often comes last.
    pub(crate) fn archive_stream(
        place: String,
        stream: impl Read,
        reporter: &Reporter,
    ) -> Result<Self, Error> {
        let bytes = spool(&place, stream, |done| {
            reporter.report(Stage::Receiving, done, None)
        })?;
        Self::archive(place, bytes, reporter)
    }

    /// A folder.
    pub(crate) fn folder(path: &Path) -> Self {
        Self {
            place: path.display().to_string(),
            kind: Kind::Folder(path.to_owned()),
            verified: None,
        }
    }

    fn archive(place: String, bytes: Bytes, reporter: &Reporter) -> Result<Self, Error> {
        let not_an_image = |reason: &str| Error::NotAnImage {
            place: place.clone(),
            reason: reason.to_owned(),
        };
        if bytes.is_empty() {
            return Err(not_an_image("it is empty"));
        }
        let compression = Compression::of(&bytes).map_err(|reason| Error::Compression {
            place: place.clone(),
            reason,
        })?;
        let bytes = match compression {
            Compression::Plain => bytes,
            Compression::Gzip | Compression::Zstd => {
                let reader = compression.reader(BytesReader::new(bytes));
                spool(&place, reader, |done| {
                    reporter.report(Stage::Decompressing, done, None)
                })?
            }
        };
        if !tarball::is_archive(&bytes) {
            return Err(not_an_image("it is no tar archive"));
        }
        let layer = Layer {
            place: place.clone(),
            number: 0,
            bytes,
            expected: Expected::Nothing,
        };
        let entries = layer.index_plain(&Budget::default(), None, &|_| {})?;
        let mut tree = Tree::new();
        tree.apply(entries).map_err(|limit| limit.error(&place))?;
        Ok(Self {
            place,
            kind: Kind::Archive(Box::new(tree)),
            verified: None,
        })
    }

    /// A piece, or `None` if it is not there.
    pub(crate) fn get(&self, name: &str) -> Result<Option<Bytes>, Error> {
        match &self.kind {
            Kind::Archive(tree) => match tree.bytes(name) {
                None => Ok(None),
                Some(Ok(bytes)) => Ok(Some(bytes)),
                Some(Err(reason)) => Err(Error::Inconsistent {
                    place: self.place_of(name),
                    reason,
                }),
            },
            Kind::Folder(folder) => {
                let name = Path::new(name);
                if !name.components().all(|part| matches!(part, Component::Normal(_))) {
                    return Ok(None);
                }
                let path = folder.join(name);
                match File::open(&path) {
                    Ok(file) => map(&file)
                        .map(Some)
                        .map_err(|source| Error::io(path.display(), source)),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                    Err(source) => Err(Error::io(path.display(), source)),
                }
            }
        }
    }

    /// A piece that has to be there.
    pub(crate) fn require(&self, name: &str) -> Result<Bytes, Error> {
        self.get(name)?.ok_or_else(|| Error::MissingBlob {
            place: self.place.clone(),
            name: name.to_owned(),
        })
    }

    /// A manifest, index or configuration, or `None` if it is not there.
    pub(crate) fn document(&self, name: &str) -> Result<Option<Bytes>, Error> {
        let Some(bytes) = self.get(name)? else {
            return Ok(None);
        };
        if bytes.len() as u64 > MAX_DOCUMENT {
            return Err(Error::TooLarge {
                place: self.place_of(name),
                what: "its size",
                limit: MAX_DOCUMENT,
            });
        }
        Ok(Some(bytes))
    }

    /// A document that has to be there.
    pub(crate) fn require_document(&self, name: &str) -> Result<Bytes, Error> {
        self.document(name)?.ok_or_else(|| Error::MissingBlob {
            place: self.place.clone(),
            name: name.to_owned(),
        })
    }

    /// A document by its digest, verified.
    pub(crate) fn verified_document(&self, digest: &Digest) -> Result<Bytes, Error> {
        let name = digest.path();
        let bytes = self.require_document(&name)?;
        digest.verify(&self.place_of(&name), &bytes)?;
        Ok(bytes)
    }

    /// How to name a piece in messages.
    pub(crate) fn place_of(&self, name: &str) -> String {
        format!("{}: {name}", self.place)
    }
}

fn spool(place: &str, mut stream: impl Read, progress: impl Fn(u64)) -> Result<Bytes, Error> {
    let io = |source| Error::io(place, source);
    let mut file = tempfile::tempfile().map_err(|source| Error::io("temporary file", source))?;
    let mut buffer = vec![0; 1 << 20];
    let mut done = 0;
    // Bounded by the limit on what is spooled.
    loop {
        let got = match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(got) => got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                let reason = "compressed data are cut off".to_owned();
                return Err(Error::Compression {
                    place: place.to_owned(),
                    reason,
                });
            }
            Err(source) => return Err(io(source)),
        };
        done += got as u64;
        if done > MAX_SPOOLED {
            return Err(Error::TooLarge {
                place: place.to_owned(),
                what: "the stream",
                limit: MAX_SPOOLED,
            });
        }
        file.write_all(buffer.get(..got).unwrap_or_default())
            .map_err(|source| Error::io("temporary file", source))?;
        progress(done);
    }
    file.seek(SeekFrom::Start(0)).map_err(io)?;
    map(&file).map_err(io)
}
