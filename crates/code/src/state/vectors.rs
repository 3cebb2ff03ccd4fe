//! Which vector registers hold zero: compilers clear structures on the stack by storing one.

use super::State;

/// How many bytes of a vector register are known.
const KNOWN_BYTES: u64 = 16;

impl State {
    pub(crate) fn clear_vector(&mut self, vector: u8) {
        self.zero_vectors |= bit(vector);
    }

    pub(crate) fn clobber_vector(&mut self, vector: u8) {
        self.zero_vectors &= !bit(vector);
    }

    /// What holds on another way to the same point, too, and whether that is less.
    pub(super) fn join_vectors(&mut self, other: &Self) -> bool {
        let before = self.zero_vectors;
        self.zero_vectors &= other.zero_vectors;
        before != self.zero_vectors
    }

    /// Whether so many bytes stored from a vector register are zeros, a multiple of eight.
    pub(crate) fn stores_zeros(&self, vector: u8, bytes: u64) -> bool {
        self.zero_vectors & bit(vector) != 0 && bytes <= KNOWN_BYTES && bytes.is_multiple_of(8)
    }
}

/// The place of a register in the set.
fn bit(vector: u8) -> u32 {
    1_u32.checked_shl(vector.into()).unwrap_or(0)
}
