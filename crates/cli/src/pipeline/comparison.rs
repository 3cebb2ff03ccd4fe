//! What the time of an analysis is compared with: the code of every object that some program loads, decoded once by
//! the same decoder on as many threads, and nothing else.
//!
//! It runs when the report is there and its time is no part of the analysis. Large objects are decoded in pieces, so
//! that no thread waits for one that has the largest object.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use confine_code::Facts;
use confine_link::LinkedObject;
use rayon::prelude::*;

use super::Analysis;
use crate::statistics::{Comparison, ObjectCost};

/// About how many bytes of code a thread decodes at a time.
const PIECE: u64 = 128 << 10;

/// Decodes all code once.
pub fn decode_once(analysis: &Analysis<'_>) -> Comparison {
    let objects = analysis
        .programs
        .iter()
        .flat_map(|program| &program.linked.objects);
    let distinct: BTreeMap<&str, &LinkedObject> =
        objects.map(|object| (object.path.as_str(), object)).collect();
    let distinct: Vec<&LinkedObject> = distinct.into_values().collect();
    // Where the cache had the solutions, the facts are loaded only here, before the clock runs.
    let facts: Vec<Arc<Facts>> = distinct
        .par_iter()
        .with_max_len(1)
        .map(|object| analysis.objects.facts(object))
        .collect();
    let known: Vec<(&LinkedObject, Arc<Facts>)> = distinct.into_iter().zip(facts).collect();
    let mut work = Vec::new();
    for (object, facts) in &known {
        let pieces = pieces(sizes(facts));
        work.extend(pieces.into_iter().map(|functions| (*object, facts, functions)));
    }
    let start = Instant::now();
    let decoded: Vec<(&str, u64, Duration)> = work
        .into_par_iter()
        .with_max_len(1)
        .map(|(object, facts, functions)| {
            let start = Instant::now();
            let instructions = facts.decode_once(&object.elf, functions);
            (object.path.as_str(), instructions, start.elapsed())
        })
        .collect();
    let elapsed = start.elapsed();
    let mut times: BTreeMap<&str, Duration> = BTreeMap::new();
    for (path, _, time) in &decoded {
        *times.entry(path).or_default() += *time;
    }
    let objects = known.iter().map(|(object, facts)| ObjectCost {
        path: object.path.clone(),
        code_bytes: facts.code_bytes,
        decode: times.get(object.path.as_str()).copied().unwrap_or_default(),
        facts: analysis.objects.computed_in(&object.path),
    });
    Comparison {
        elapsed,
        instructions: decoded.iter().map(|(_, instructions, _)| instructions).sum(),
        objects: objects.collect(),
    }
}

/// How many bytes of code each function has.
fn sizes(facts: &Facts) -> impl Iterator<Item = u64> {
    facts
        .functions
        .iter()
        .map(|function| function.code.end - function.code.start)
}

/// Cuts functions of these sizes into runs of about a piece's size each.
fn pieces(sizes: impl Iterator<Item = u64>) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let (mut start, mut end, mut held) = (0, 0, 0u64);
    for size in sizes {
        end += 1;
        held = held.saturating_add(size);
        if held >= PIECE {
            pieces.push(start..end);
            (start, held) = (end, 0);
        }
    }
    if start < end {
        pieces.push(start..end);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_in_one_piece() {
        for (sizes, expected) in [
            (&[][..], &[][..]),
            (&[1, 2, 3], &[(0, 3)]),
            (&[PIECE], &[(0, 1)]),
            (
                &[PIECE - 1, 1, 5, PIECE, u64::MAX, 7],
                &[(0, 2), (2, 4), (4, 5), (5, 6)],
            ),
        ] {
            let pieces = pieces(sizes.iter().copied()).into_iter();
            let ends: Vec<(usize, usize)> = pieces.map(|piece| (piece.start, piece.end)).collect();
            assert_eq!(ends, expected, "{sizes:?}");
        }
    }
}
