//! What a decision costs, by a simple tree: quick to tell, and near enough to compare what tests leave.

use crate::graph::NodeId;

/// A single value that makes up one part in so many of the weight is compared at once.
const WORTH_PICKING: u64 = 5;

/// Cases that lie side by side among those that are left, and lead to one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    /// The index of its first case.
    pub(crate) first: usize,
    pub(crate) target: NodeId,
    pub(crate) weight: u64,
    /// Whether it is one value.
    pub(crate) is_single: bool,
}

/// Puts a range behind others, of which it may be the continuation.
pub(crate) fn append(ranges: &mut Vec<Range>, range: Range) {
    match ranges.last_mut() {
        Some(last) if last.target == range.target => {
            last.weight += range.weight;
            last.is_single = false;
        }
        _ => ranges.push(range),
    }
}

/// The tests that all weight together passes in a tree which compares values that are heavy, or that alone separate
/// what leads to one target, and otherwise divides the weight in halves.
pub(crate) fn estimate(ranges: &[Range]) -> u64 {
    let weight: u64 = ranges.iter().map(|range| range.weight).sum();
    match ranges {
        [] | [_] => return 0,
        [_, _] => return weight,
        [before, one, behind] if one.is_single && before.target == behind.target => return weight,
        _ => {}
    }
    let singles = ranges.iter().enumerate().filter(|(_, range)| range.is_single);
    let heaviest = singles.max_by_key(|(index, range)| (range.weight, std::cmp::Reverse(*index)));
    if let Some((picked, _)) = heaviest.filter(|(_, range)| range.weight * WORTH_PICKING >= weight) {
        let mut others = Vec::with_capacity(ranges.len());
        for (index, range) in ranges.iter().enumerate() {
            if index != picked {
                append(&mut others, *range);
            }
        }
        return weight + estimate(&others);
    }
    let mut before = 0u64;
    let distances = ranges.iter().enumerate().map(|(index, range)| {
        let distance = (2 * before).abs_diff(weight);
        before += range.weight;
        (distance, index)
    });
    let middle = distances.skip(1).min().map_or(1, |(_, index)| index);
    let (left, right) = ranges.split_at(middle);
    weight + estimate(left) + estimate(right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Graph;

    #[test]
    fn simple_trees_are_counted() {
        let mut graph = Graph::default();
        let [a, b, c] = [0, 1, 2].map(|word| graph.answer(word));
        for (ranges, expected) in [
            (vec![], 0),
            (vec![(a, 5, false)], 0),
            (vec![(a, 5, false), (b, 2, false)], 7),
            // One comparison tells a single value from what is around it, two a range.
            (vec![(a, 5, false), (b, 2, true), (a, 4, false)], 11),
            (vec![(a, 5, false), (b, 2, false), (a, 4, false)], 11 + 6),
            // The heavy one first; what is around it leads to one target then.
            (
                vec![(a, 1, false), (b, 90, true), (a, 2, false), (c, 3, false)],
                96 + 6,
            ),
        ] {
            let ranges = ranges.iter().enumerate();
            let ranges: Vec<Range> = ranges
                .map(|(first, &(target, weight, is_single))| Range {
                    first,
                    target,
                    weight,
                    is_single,
                })
                .collect();
            assert_eq!(estimate(&ranges), expected, "{ranges:?}");
        }
    }
}
