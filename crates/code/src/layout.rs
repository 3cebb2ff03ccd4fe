//! Where an object's code and data lie.

use std::ops::Range;

use confine_elf::{Address, Object, Placement};

/// Ranges of addresses that hold instructions: executable sections inside executable segments, or the whole
/// segments where there are no sections. Sorted.
pub(crate) fn code_ranges(object: &Object) -> Vec<Range<Address>> {
    let executable: Vec<_> = object
        .sections
        .iter()
        .filter(|section| section.executable)
        .map(|section| section.addresses.clone())
        .collect();
    let ranges: Vec<Range<Address>> = object
        .segments
        .iter()
        .filter(|segment| segment.executable)
        .flat_map(|segment| {
            let held = segment.addresses.start
                ..segment
                    .addresses
                    .start
                    .saturating_add(segment.file.len() as u64)
                    .min(segment.addresses.end);
            if executable.is_empty() {
                return vec![held];
            }
            executable
                .iter()
                .map(|section| section.start.max(held.start)..section.end.min(held.end))
                .filter(|range| range.start < range.end)
                .collect()
        })
        .collect();
    disjoint(ranges)
}

/// Ranges of addresses that hold data: sections, or segments where there are no sections.
pub(crate) fn data_ranges(object: &Object) -> Vec<Range<Address>> {
    let sections: Vec<Range<Address>> = object
        .sections
        .iter()
        .filter(|section| !section.executable && !section.thread_local)
        .map(|section| section.addresses.clone())
        .collect();
    let mut ranges = if sections.is_empty() {
        object
            .segments
            .iter()
            .filter(|segment| !segment.executable || object.placement == Placement::Fixed)
            .map(|segment| segment.addresses.clone())
            .collect()
    } else {
        sections
    };
    ranges.extend(object.thread_local.clone());
    disjoint(ranges)
}

/// Sections of data that the file gives contents. Sorted.
pub(crate) fn initialised_sections(object: &Object) -> Vec<Range<Address>> {
    let held = object
        .sections
        .iter()
        .filter(|section| !section.executable && !section.thread_local)
        .filter(|section| !object.bytes_at(section.addresses.start).is_empty());
    disjoint(held.map(|section| section.addresses.clone()).collect())
}

/// Sorted; where two overlap, the later one keeps what the earlier does not have.
fn disjoint(mut ranges: Vec<Range<Address>>) -> Vec<Range<Address>> {
    ranges.sort_by_key(|range| (range.start, range.end));
    let mut end = 0;
    let mut out: Vec<Range<Address>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        let start = range.start.max(end);
        if start < range.end {
            out.push(start..range.end);
            end = range.end;
        }
    }
    out
}

/// The one of sorted, disjoint `ranges` that holds `address`.
pub(crate) fn range_at(ranges: &[Range<Address>], address: Address) -> Option<&Range<Address>> {
    let index = ranges.partition_point(|range| range.end <= address);
    ranges.get(index).filter(|range| range.contains(&address))
}
