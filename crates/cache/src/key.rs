//! What a value was computed from, as one digest.

use std::fmt;

use sha2::{Digest, Sha256};

/// The name of a value: a digest of everything that it depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key([u8; 32]);

/// Collects what a value depends on.
#[derive(Debug, Clone)]
pub struct KeyBuilder(Sha256);

impl Key {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl KeyBuilder {
    /// Begins a key for a kind of value.
    #[must_use]
    pub fn new(kind: &str) -> Self {
        let mut builder = Self(Sha256::new());
        builder.add(kind.as_bytes());
        builder
    }

    /// Adds something that the value depends on. What was added before does not run into it.
    pub fn add(&mut self, part: &[u8]) -> &mut Self {
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
        self
    }

    /// The key.
    #[must_use]
    pub fn finish(self) -> Key {
        Key(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        let key = |parts: &[&str]| {
            let mut key = KeyBuilder::new("kind");
            parts.iter().for_each(|part| {
                key.add(part.as_bytes());
            });
            key.finish()
        };
        let keys = [
            key(&[]),
            key(&[""]),
            key(&["ab"]),
            key(&["a", "b"]),
            key(&["", "ab"]),
            KeyBuilder::new("kin").finish(),
        ];
        for (index, one) in keys.iter().enumerate() {
            assert!(!keys[..index].contains(one), "{index}");
        }
        assert_eq!(key(&["a", "b"]), key(&["a", "b"]));
    }
}
