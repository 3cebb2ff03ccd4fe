//! Parsed objects of one image, each read and parsed once.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use confine_elf::Object;
use confine_image::{Files, ReadError};

use crate::exports::Exports;
use crate::opaque::OpaqueState;
use crate::search::SystemFolders;

/// Why a file cannot be linked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// Nothing is there.
    #[error("{0}: no such regular file in the image")]
    Missing(String),
    /// Its bytes cannot be had.
    #[error("{path}: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// What went wrong.
        reason: String,
    },
    /// It is no object that could be loaded.
    #[error("{path}: {error}")]
    NotAnObject {
        /// The file.
        path: String,
        /// What is wrong with it.
        error: confine_elf::Error,
    },
}

/// An object with the index of what it exports.
#[derive(Debug, Clone)]
pub(crate) struct Parsed {
    pub(crate) elf: Arc<Object>,
    pub(crate) exports: Arc<Exports>,
    /// Strings in its data that may name files, once somebody has asked.
    pub(crate) texts: Arc<OnceLock<Vec<String>>>,
    pub(crate) name_texts: Arc<OnceLock<Vec<Box<[u8]>>>>,
    pub(crate) short_names: Arc<OnceLock<BTreeSet<Box<[u8]>>>>,
    /// What a C library's states are, once somebody has asked.
    pub(crate) opaque: Arc<OnceLock<Vec<OpaqueState>>>,
}

type Slot = Arc<OnceLock<Result<Parsed, ObjectError>>>;

/// The objects of one image by canonical path; files with the same contents share one object. One store serves
/// one root file system, from any number of threads.
#[derive(Debug, Default)]
pub struct ObjectStore {
    by_path: Mutex<HashMap<String, Slot>>,
    /// Objects by length: only among those of the same length can one have the same contents.
    by_length: Mutex<HashMap<usize, Vec<Parsed>>>,
    system: OnceLock<SystemFolders>,
}

impl ObjectStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The object at `path`, links followed.
    ///
    /// # Errors
    /// When nothing is there, it cannot be read, or it is no object that could be loaded.
    pub fn object(&self, files: &dyn Files, path: &str) -> Result<Arc<Object>, ObjectError> {
        self.parsed(files, path).map(|parsed| parsed.elf)
    }

    pub(crate) fn parsed(&self, files: &dyn Files, path: &str) -> Result<Parsed, ObjectError> {
        let resolved = files
            .resolve(path)
            .ok_or_else(|| ObjectError::Missing(path.to_owned()))?;
        let slot = {
            let mut slots = self.by_path.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry(resolved.path.clone()).or_default())
        };
        // Outside the lock, so that other objects are parsed meanwhile.
        slot.get_or_init(|| self.read(files, &resolved.path)).clone()
    }

    /// Where the loader looks by default, read once per image.
    pub(crate) fn system_folders(&self, files: &dyn Files) -> &SystemFolders {
        self.system.get_or_init(|| SystemFolders::read(files))
    }

    fn read(&self, files: &dyn Files, path: &str) -> Result<Parsed, ObjectError> {
        let bytes = files.read(path).map_err(|error| match error {
            ReadError::NotFound(path) => ObjectError::Missing(path),
            ReadError::Unreadable { path, reason } => ObjectError::Unreadable { path, reason },
        })?;
        if let Some(same) = self.same_contents(&bytes) {
            return Ok(same);
        }
        let length = bytes.len();
        let elf = Object::parse(bytes).map_err(|error| ObjectError::NotAnObject {
            path: path.to_owned(),
            error,
        })?;
        let exports = Arc::new(Exports::of(&elf));
        let parsed = Parsed {
            elf: Arc::new(elf),
            exports,
            texts: Arc::default(),
            name_texts: Arc::default(),
            short_names: Arc::default(),
            opaque: Arc::default(),
        };
        let mut objects = self.by_length.lock().unwrap_or_else(PoisonError::into_inner);
        objects.entry(length).or_default().push(parsed.clone());
        Ok(parsed)
    }

    fn same_contents(&self, bytes: &[u8]) -> Option<Parsed> {
        let candidates = {
            let objects = self.by_length.lock().unwrap_or_else(PoisonError::into_inner);
            objects.get(&bytes.len())?.clone()
        };
        candidates.into_iter().find(|parsed| parsed.elf.bytes == bytes)
    }
}
