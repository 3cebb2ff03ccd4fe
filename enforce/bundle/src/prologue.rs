//! What grafted code finds right in front of itself.

use crate::{put, u32_at, u64_at};

/// Bytes of a prologue. The code begins behind it.
pub const PROLOGUE_BYTES: usize = 64;

const MAGIC: [u8; 8] = *b"\x7fconfine";
const VERSION: u32 = 1;

/// What the code was grafted into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A dynamic loader: programs are told by their fingerprint.
    Interpreter,
    /// A program without an interpreter: its bundle has one policy.
    Program,
}

/// Where things are that grafted code needs. Distances are from the prologue's own address, and wrap around.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prologue {
    /// What the code was grafted into.
    pub kind: Kind,
    /// The distance to the bundle.
    pub bundle: u64,
    /// The bundle's length in bytes.
    pub bundle_bytes: u64,
    /// The distance to the entry point that the file had before.
    pub entry: u64,
}

impl Prologue {
    /// The prologue's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; PROLOGUE_BYTES] {
        let mut bytes = [0; PROLOGUE_BYTES];
        let kind: u32 = match self.kind {
            Kind::Interpreter => 0,
            Kind::Program => 1,
        };
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, 8, &VERSION.to_le_bytes());
        put(&mut bytes, 12, &kind.to_le_bytes());
        put(&mut bytes, 16, &self.bundle.to_le_bytes());
        put(&mut bytes, 24, &self.bundle_bytes.to_le_bytes());
        put(&mut bytes, 32, &self.entry.to_le_bytes());
        bytes
    }

    /// Reads a prologue; `None` unless it is one of this version.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        if !bytes.starts_with(&MAGIC) || u32_at(bytes, 8)? != VERSION {
            return None;
        }
        let kind = match u32_at(bytes, 12)? {
            0 => Kind::Interpreter,
            1 => Kind::Program,
            _ => return None,
        };
        Some(Self {
            kind,
            bundle: u64_at(bytes, 16)?,
            bundle_bytes: u64_at(bytes, 24)?,
            entry: u64_at(bytes, 32)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prologue_survives_and_nothing_else_is_one() {
        let prologue = Prologue {
            kind: Kind::Program,
            bundle: 0u64.wrapping_sub(0x3000),
            bundle_bytes: 0x2fc0,
            entry: 0u64.wrapping_sub(0x1_0000),
        };
        let bytes = prologue.to_bytes();
        assert_eq!(Prologue::read(&bytes), Some(prologue));
        for place in 0..16 {
            let mut broken = bytes;
            broken[place] ^= 0x80;
            assert_eq!(Prologue::read(&broken), None, "{place}");
        }
        assert_eq!(Prologue::read(&bytes[..39]), None);
    }
}
