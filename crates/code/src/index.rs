//! Which function holds an address, without a search.
//!
//! For each stretch of [`STRETCH`] bytes the first function that ends behind its beginning; from there the right one
//! is a few steps away, since few functions are that short. An object whose functions lie too far apart for such a
//! table (none that a linker makes) is searched instead.

use std::ops::Range;

use confine_elf::Address;

/// Bytes of code for one entry.
const STRETCH: u64 = 64;

/// How many entries there may be for each function: what keeps a hostile layout from claiming memory.
const ENTRIES_PER_FUNCTION: u64 = 256;

/// The table for one object's functions, which are sorted and do not overlap.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    start: Address,
    entries: Option<Vec<u32>>,
}

impl Index {
    pub(crate) fn new<'a>(code: impl ExactSizeIterator<Item = &'a Range<Address>> + Clone) -> Self {
        let start = code.clone().next().map_or(0, |first| first.start);
        let end = code.clone().last().map_or(0, |last| last.end);
        let entries = end.saturating_sub(start) / STRETCH + 1;
        if entries > ENTRIES_PER_FUNCTION.saturating_mul(code.len() as u64) {
            return Self { start, entries: None };
        }
        let mut table = Vec::with_capacity(usize::try_from(entries).unwrap_or(0));
        for (index, range) in (0..).zip(code) {
            // Every stretch that begins before this function ends, and that no function before it ends in.
            let reached = range.end.saturating_sub(start).div_ceil(STRETCH);
            let missing = reached.saturating_sub(table.len() as u64);
            table.extend(std::iter::repeat_n(index, usize::try_from(missing).unwrap_or(0)));
        }
        Self {
            start,
            entries: Some(table),
        }
    }

    /// The function of sorted, disjoint code ranges that holds `address`; `code` gives the range of one by its index.
    pub(crate) fn find<'a>(
        &self,
        address: Address,
        count: usize,
        code: impl Fn(usize) -> Option<&'a Range<Address>>,
    ) -> Option<usize> {
        let stretch = usize::try_from(address.checked_sub(self.start)? / STRETCH).ok()?;
        let mut index = match &self.entries {
            Some(entries) => *entries.get(stretch)? as usize,
            None => first_behind(address, count, &code),
        };
        // Bounded: the ranges are disjoint, and so at most one more than fits into a stretch is looked at.
        loop {
            let range = code(index)?;
            if address < range.end {
                return range.contains(&address).then_some(index);
            }
            index += 1;
        }
    }
}

/// By halving: the first range that ends behind `address`.
fn first_behind<'a>(
    address: Address,
    count: usize,
    code: &impl Fn(usize) -> Option<&'a Range<Address>>,
) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low.midpoint(high);
        match code(middle) {
            Some(range) if range.end <= address => low = middle + 1,
            _ => high = middle,
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_found_as_a_search_finds_it() {
        let near = [
            0x1000..0x1001,
            0x1001..0x1040,
            0x1040..0x1040,
            0x1050..0x1200,
            0x1240..0x1241,
        ];
        let far = [0x10..0x20, 1 << 60..(1 << 60) + 16];
        for (ranges, addresses) in [
            (near.as_slice(), 0xff0..0x1300),
            (far.as_slice(), 0..0x100),
            (far.as_slice(), (1 << 60) - 8..(1 << 60) + 32),
        ] {
            let index = Index::new(ranges.iter());
            for address in addresses {
                let expected = ranges.iter().position(|range| range.contains(&address));
                let found = index.find(address, ranges.len(), |index| ranges.get(index));
                assert_eq!(found, expected, "{address:#x}");
            }
        }
    }

    #[test]
    fn nothing_is_in_no_functions() {
        assert_eq!(Index::new([].iter()).find(0, 0, |_| None), None);
    }
}
