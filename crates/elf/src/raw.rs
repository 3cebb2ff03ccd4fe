//! Tables of fixed-size structures out of untrusted bytes.

use object::pod::{Pod, slice_from_bytes};

/// The structures at `offset` of `bytes`, as many of `count` as are there in full.
///
/// The result borrows the bytes, so a count of 2^64 costs nothing.
pub(crate) fn structures<T: Pod>(bytes: &[u8], offset: u64, count: u64) -> &[T] {
    let Some(bytes) = usize::try_from(offset)
        .ok()
        .and_then(|offset| bytes.get(offset..))
    else {
        return &[];
    };
    let fitting = bytes.len() / size_of::<T>().max(1);
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(fitting);
    slice_from_bytes(bytes, count).map_or(&[], |(table, _)| table)
}

/// The structure at `offset` of `bytes`.
pub(crate) fn structure<T: Pod>(bytes: &[u8], offset: u64) -> Option<&T> {
    structures(bytes, offset, 1).first()
}

/// The little-endian word of two bytes at `offset`.
pub(crate) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes
        .get(offset..)?
        .first_chunk()
        .map(|word| u16::from_le_bytes(*word))
}

/// The little-endian word of four bytes at `offset`.
pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes
        .get(offset..)?
        .first_chunk()
        .map(|word| u32::from_le_bytes(*word))
}

/// The little-endian word of eight bytes at `offset`.
pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    bytes
        .get(offset..)?
        .first_chunk()
        .map(|word| u64::from_le_bytes(*word))
}
