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

/// The function around `address` by its unwind data or by Go's table.
pub(crate) fn described(object: &Object, address: Address) -> Option<Range<Address>> {
    range_around(&object.unwind, |function| &function.code, address)
        .or_else(|| range_around(&object.go_functions, |function| &function.code, address))
}

/// Whether an address lies in a function of Go's, which has no labels that anything but itself jumps to.
pub(crate) fn is_go(object: &Object, address: Address) -> bool {
    range_around(&object.go_functions, |function| &function.code, address).is_some()
}

/// The code of the last function that begins at or before `address`, if that reaches so far.
fn range_around<T>(
    functions: &[T],
    code: impl Fn(&T) -> &Range<Address>,
    address: Address,
) -> Option<Range<Address>> {
    let next = functions.partition_point(|function| code(function).start <= address);
    let range = code(functions.get(next.checked_sub(1)?)?);
    range.contains(&address).then(|| range.clone())
}

/// Whether control goes on at `next`, behind a breakpoint in code that ends at `end`. What fills the space between
/// functions looks the same, and comes in runs or ends its function.
pub(crate) fn goes_on_behind(object: &Object, end: Address, next: Address) -> bool {
    let before = next.saturating_sub(1);
    // Code may also end where something calls into the middle of a function.
    let end = described(object, before).map_or(end, |range| range.end);
    next < end && object.bytes_at(next).first() != Some(&0xcc)
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
