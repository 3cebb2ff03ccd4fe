//! Tables of code addresses that are not pointers: jump tables and tables of relative function addresses.
//!
//! Abstraction: no data flow. A function that jumps to a computed address, or that loads signed four-byte
//! offsets, may use every table that begins at an address that it mentions. Over-reports: other data that it
//! mentions and that happens to read as offsets into code; entries past a table's end up to the next address
//! that any code mentions. Misses: a table whose base the function has from elsewhere; its targets inside the
//! function are still found, because all of the function's bytes are decoded.

use std::ops::Range;

use confine_elf::{Address, Object, Placement};
use rayon::slice::ParallelSliceMut;

use crate::layout;

/// Where tables end at the latest: the sorted addresses that code mentions, each of which may begin something
/// else.
pub(crate) struct Mentions(Vec<Address>);

impl Mentions {
    pub(crate) fn new(mut addresses: Vec<Address>) -> Self {
        addresses.par_sort_unstable();
        addresses.dedup();
        Self(addresses)
    }

    fn next_after(&self, address: Address) -> Option<Address> {
        self.0
            .get(self.0.partition_point(|mention| *mention <= address))
            .copied()
    }
}

/// The code addresses in the tables that begin at `base`: offsets of four or eight bytes from the base, or, in an object
/// with fixed addresses, eight-byte addresses.
///
/// Bounded by the bytes that the file holds there.
pub(crate) fn targets(
    object: &Object,
    code: &[Range<Address>],
    mentions: &Mentions,
    base: Address,
) -> Vec<Address> {
    // The file's own headers, which a number in code may look like an address of, hold offsets, but none of tables.
    let mut sections = object.sections.iter();
    if !object.sections.is_empty() && !sections.any(|section| section.addresses.contains(&base)) {
        return Vec::new();
    }
    // What the loader rewrites is no table of constants.
    if object
        .segment_at(base)
        .is_none_or(|segment| segment.writable && object.placement == Placement::Relocatable)
    {
        return Vec::new();
    }
    let held = object.bytes_at(base);
    let limit = mentions
        .next_after(base)
        .and_then(|next| usize::try_from(next - base).ok());
    let held = limit.and_then(|limit| held.get(..limit)).unwrap_or(held);
    let is_code = |target: &Address| layout::range_at(code, *target).is_some();
    let relative = held.chunks_exact(4).map_while(|bytes| {
        let offset = i32::from_le_bytes(*bytes.first_chunk()?);
        Some(base.wrapping_add_signed(offset.into())).filter(is_code)
    });
    // Of eight bytes in code for the large model.
    let far = held.chunks_exact(8).map_while(|bytes| {
        let offset = u64::from_le_bytes(*bytes.first_chunk()?);
        Some(base.wrapping_add(offset)).filter(is_code)
    });
    let mut targets: Vec<Address> = relative.chain(far).collect();
    if object.placement == Placement::Fixed {
        targets.extend(
            held.chunks_exact(8)
                .map_while(|bytes| Some(u64::from_le_bytes(*bytes.first_chunk()?)).filter(is_code)),
        );
    }
    targets.sort_unstable();
    targets.dedup();
    targets
}
