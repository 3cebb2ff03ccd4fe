//! What was computed before, kept in files that are named by what it was computed from.
//!
//! In: a [`Key`], made from everything that a value depends on, and the value's bytes. Out: the bytes again, or
//! nothing. Must not know: what keys and values mean.
//!
//! - **Safe under concurrent runs**: a value is written to a file of its own and renamed into place; whoever reads sees
//!   all of it or none. Two that write the same key write the same value.
//! - **Never trusted**: each file begins with a digest of its key and value. One that does not fit is as good as absent
//!   and is replaced by what is computed then.
//! - **Bounded**: [`Cache::trim`] removes what was used longest ago until the rest fits.
//! - **The user's own**: the folder is made with mode 0700, and one that others could write is refused.
#![forbid(unsafe_code)]

mod folder;
mod key;
mod trim;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

pub use folder::user_folder;
pub use key::{Key, KeyBuilder};

use sha2::{Digest, Sha256};

/// How many bytes the values may take together, unless the user says otherwise.
pub const DEFAULT_LIMIT: u64 = 1 << 30;

/// What a file of the cache begins with: a change of this layout is another name.
const MAGIC: &[u8; 16] = b"confine cache 1\n";

const DIGEST: usize = 32;

/// How old the note of an entry's last use may be before it is renewed: once a day keeps the order well enough.
const FRESH: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a cache cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no place for it.
    #[error("there is no folder for the cache: expected XDG_CACHE_HOME or HOME to name one")]
    NoFolder,
    /// Somebody else could plant values in it.
    #[error("{0}: expected a folder that belongs to the user and that nobody else may write")]
    NotPrivate(PathBuf),
    /// The host refuses.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

/// A folder of values.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
    limit: u64,
}

/// How full a cache is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// How many values it holds.
    pub entries: u64,
    /// How many bytes their files take.
    pub bytes: u64,
}

impl Cache {
    /// The cache in a folder, which is made if it is not there; `limit` is in bytes.
    ///
    /// # Errors
    /// When the folder cannot be made, or others than the user may write it.
    pub fn open(root: &Path, limit: u64) -> Result<Self, Error> {
        folder::make_private(root)?;
        Ok(Self {
            root: root.to_owned(),
            limit,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// How many bytes it may take.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// The value of a key, if it is there and whole.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<Vec<u8>> {
        let path = self.path(key);
        let mut held = fs::read(&path).ok()?;
        let start = MAGIC.len() + DIGEST;
        let (head, value) = held.split_at_checked(start)?;
        if head.get(..MAGIC.len()) != Some(MAGIC.as_slice())
            || head.get(MAGIC.len()..) != Some(&digest(key, value))
        {
            return None;
        }
        note_use(&path);
        held.drain(..start);
        Some(held)
    }

    /// Keeps a value.
    ///
    /// # Errors
    /// When it cannot be written; the cache is as it was then.
    pub fn put(&self, key: &Key, value: &[u8]) -> Result<(), Error> {
        let path = self.path(key);
        let io = |source| Error::Io {
            path: path.clone(),
            source,
        };
        let folder = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).map_err(io)?;
        let file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
        let write = || {
            use io::Write;
            let mut file = file.as_file();
            file.write_all(MAGIC)?;
            file.write_all(&digest(key, value))?;
            file.write_all(value)
        };
        write().map_err(io)?;
        file.persist(&path).map_err(|error| io(error.error))?;
        Ok(())
    }

    /// How full it is.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        for entry in trim::entries(&self.root) {
            usage.entries += 1;
            usage.bytes = usage.bytes.saturating_add(entry.bytes);
        }
        usage
    }

    /// Removes what was used longest ago until the rest takes no more than the limit.
    pub fn trim(&self) {
        trim::to(&self.root, self.limit);
    }

    /// Removes every value; how full it was.
    #[must_use]
    pub fn clear(&self) -> Usage {
        let usage = self.usage();
        trim::to(&self.root, 0);
        usage
    }

    fn path(&self, key: &Key) -> PathBuf {
        let name = key.to_string();
        let (folder, _) = name.split_at(2);
        self.root.join(folder).join(name)
    }
}

/// Of key and value, so that a file under another key's name is no value of that key.
fn digest(key: &Key, value: &[u8]) -> [u8; DIGEST] {
    Sha256::new()
        .chain_update(key.bytes())
        .chain_update(value)
        .finalize()
        .into()
}

/// Renews the time of an entry's last use. Where that fails the entry merely seems older.
fn note_use(path: &Path) {
    let used = fs::metadata(path).and_then(|metadata| metadata.modified());
    let now = SystemTime::now();
    if used.is_ok_and(|used| now.duration_since(used).is_ok_and(|age| age > FRESH))
        && let Ok(file) = fs::File::options().append(true).open(path)
    {
        let _ = file.set_modified(now);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn cache(limit: u64) -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(&folder.path().join("confine"), limit).unwrap();
        (folder, cache)
    }

    fn key(what: &str) -> Key {
        let mut key = KeyBuilder::new("test");
        key.add(what.as_bytes());
        key.finish()
    }

    #[test]
    fn what_is_put_is_there_again() {
        let (_folder, cache) = cache(DEFAULT_LIMIT);
        assert_eq!(cache.get(&key("a")), None);
        for value in [b"".as_slice(), b"one", b"two"] {
            cache.put(&key("a"), value).unwrap();
            assert_eq!(cache.get(&key("a")).as_deref(), Some(value));
        }
        assert_eq!(cache.get(&key("b")), None);
        assert_eq!(cache.usage().entries, 1);
    }

    #[test]
    fn what_was_changed_is_no_value() {
        let (_folder, cache) = cache(DEFAULT_LIMIT);
        cache.put(&key("a"), b"a value").unwrap();
        let path = cache.path(&key("a"));
        let whole = fs::read(&path).unwrap();
        for place in 0..whole.len() {
            let mut broken = whole.clone();
            broken[place] ^= 1;
            fs::write(&path, &broken).unwrap();
            assert_eq!(cache.get(&key("a")), None, "byte {place}");
            fs::write(&path, &whole[..place]).unwrap();
            assert_eq!(cache.get(&key("a")), None, "cut at {place}");
        }
        // Another entry's file under this name.
        cache.put(&key("b"), b"a value").unwrap();
        fs::copy(cache.path(&key("b")), &path).unwrap();
        assert_eq!(cache.get(&key("a")), None);
        cache.put(&key("a"), b"a value").unwrap();
        assert_eq!(cache.get(&key("a")).as_deref(), Some(b"a value".as_slice()));
    }

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let (_folder, cache) = cache(3 * 1048);
        for (age, name) in [(30, "oldest"), (20, "older"), (10, "newer"), (0, "newest")] {
            cache.put(&key(name), &[0; 1000]).unwrap();
            let used = SystemTime::now() - Duration::from_secs(age * 24 * 60 * 60);
            fs::File::options()
                .append(true)
                .open(cache.path(&key(name)))
                .unwrap()
                .set_modified(used)
                .unwrap();
        }
        // Looking at it is using it.
        assert!(cache.get(&key("oldest")).is_some());
        cache.trim();
        let left: Vec<&str> = ["oldest", "older", "newer", "newest"]
            .into_iter()
            .filter(|name| cache.get(&key(name)).is_some())
            .collect();
        assert_eq!(left, ["oldest", "newer", "newest"]);
        assert_eq!(cache.clear().entries, 3);
        assert_eq!(cache.usage(), Usage::default());
    }

    #[test]
    fn a_folder_that_others_may_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("confine");
        Cache::open(&root, 1).unwrap();
        assert_eq!(fs::metadata(&root).unwrap().permissions().mode() & 0o777, 0o700);
        fs::set_permissions(&root, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(Cache::open(&root, 1), Err(Error::NotPrivate(_))));
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(Cache::open(&file, 1).is_err());
    }

    #[test]
    fn many_at_once_see_whole_values() {
        let (_folder, cache) = cache(DEFAULT_LIMIT);
        let value = |number: u8| vec![number; 10_000 + usize::from(number)];
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for round in 0..50_u8 {
                        let key = key(&(round % 5).to_string());
                        if let Some(found) = cache.get(&key) {
                            assert_eq!(found, value(round % 5));
                        }
                        cache.put(&key, &value(round % 5)).unwrap();
                    }
                });
            }
        });
        assert_eq!(cache.usage().entries, 5);
    }
}
