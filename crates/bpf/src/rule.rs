//! What is allowed of one call, as decisions.
//!
//! Alternatives are conditions on the twelve halves of the arguments. The half that most alternatives look at comes
//! first: those are told apart by it, each group goes on with what it still asks for, and whoever fits in none goes on
//! with the alternatives that do not look at this half. Every alternative is in one group of one half only, so that there
//! are no more tests than the rule has conditions, plus those of the trees that tell values apart; groups that go on
//! alike share what follows.

use std::collections::{BTreeMap, BTreeSet};

use confine_policy::{Conjunction, Rule};

use crate::data::FIRST_ARGUMENT;
use crate::graph::{Comparison, Content, Graph, NodeId, Test};
use crate::tree;

/// What one value weighs where values are told apart: which of them occurs more often is not known.
const VALUE_WEIGHT: u64 = 64;

/// What one half of an argument must be: under the mask the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Half {
    pub(crate) content: Content,
    pub(crate) value: u32,
}

/// Conditions that must hold together, by offset.
pub(crate) type Alternative = Vec<Half>;

/// Alternatives by the value that one half has.
type Groups = BTreeMap<u32, BTreeSet<Alternative>>;

/// The decisions that lead to `allowed` with the arguments that the rule allows, and to `denied` with others.
pub(crate) fn decide(graph: &mut Graph, rule: &Rule, allowed: NodeId, denied: NodeId) -> NodeId {
    let alternatives = rule.alternatives().map(halves).collect();
    build(graph, &alternatives, allowed, denied)
}

/// A conjunction by halves; of a 64-bit argument those that are looked at.
pub(crate) fn halves(conjunction: &Conjunction) -> Alternative {
    let conditions = conjunction.conditions().flat_map(|(index, condition)| {
        let low = FIRST_ARGUMENT + 8 * index as u32;
        [(low, 0), (low + 4, 32)].map(|(offset, shift)| Half {
            content: Content {
                offset,
                mask: (condition.mask() >> shift) as u32,
            },
            value: (condition.value() >> shift) as u32,
        })
    });
    conditions.filter(|half| half.content.mask != 0).collect()
}

/// Each turn takes a half out of every alternative that it goes on with, so that it goes twelve deep, and the number of
/// alternatives falls whenever it does not.
fn build(graph: &mut Graph, all: &BTreeSet<Alternative>, allowed: NodeId, otherwise: NodeId) -> NodeId {
    if all.iter().any(Vec::is_empty) {
        return allowed;
    }
    let Some(offset) = most_telling(all) else {
        return otherwise;
    };
    let mut without = BTreeSet::new();
    let mut by_mask: BTreeMap<u32, Groups> = BTreeMap::new();
    for alternative in all {
        let Some(half) = alternative.iter().find(|half| half.content.offset == offset) else {
            without.insert(alternative.clone());
            continue;
        };
        let rest = alternative.iter().filter(|other| *other != half);
        let groups = by_mask.entry(half.content.mask).or_default();
        groups
            .entry(half.value)
            .or_default()
            .insert(rest.copied().collect());
    }
    let mut next = build(graph, &without, allowed, otherwise);
    // What changes the accumulator comes last, and is built first.
    let mut masks: Vec<(u32, Groups)> = by_mask.into_iter().collect();
    masks.sort_by_key(|(mask, groups)| (!compares_bits(*mask, groups), *mask));
    for changes in [true, false] {
        for (mask, groups) in &masks {
            let content = Content { offset, mask: *mask };
            if changes == (*mask != u32::MAX && !compares_bits(*mask, groups)) {
                next = choose(graph, content, groups, allowed, next);
            }
        }
    }
    next
}

/// The half that most alternatives look at, of those the one with the fewest different conditions, of those the first.
fn most_telling(all: &BTreeSet<Alternative>) -> Option<u32> {
    let mut conditions: BTreeMap<u32, (usize, BTreeSet<Half>)> = BTreeMap::new();
    for half in all.iter().flatten() {
        let (count, different) = conditions.entry(half.content.offset).or_default();
        *count += 1;
        different.insert(*half);
    }
    let rank = |(offset, (count, different)): &(u32, (usize, BTreeSet<Half>))| {
        (*count, std::cmp::Reverse((different.len(), *offset)))
    };
    conditions.into_iter().max_by_key(rank).map(|(offset, _)| offset)
}

/// Whether one instruction tells without masking whether the bits are as wanted: all 0, or the only one 1.
fn compares_bits(mask: u32, groups: &Groups) -> bool {
    mask.is_power_of_two() || groups.keys().all(|value| *value == 0)
}

/// Tells groups apart by the half's bits under one mask.
fn choose(
    graph: &mut Graph,
    content: Content,
    groups: &Groups,
    allowed: NodeId,
    otherwise: NodeId,
) -> NodeId {
    let mut targets = BTreeMap::new();
    for (value, alternatives) in groups {
        targets.insert(*value, build(graph, alternatives, allowed, otherwise));
    }
    let target = |value: u32| targets.get(&value).copied().unwrap_or(otherwise);
    if content.mask != u32::MAX && compares_bits(content.mask, groups) {
        let set = match content.mask.is_power_of_two() {
            true => target(content.mask),
            false => otherwise,
        };
        return graph.test(Test {
            content: Content::word(content.offset),
            comparison: Comparison::AnyBit,
            operand: content.mask,
            yes: set,
            no: target(0),
        });
    }
    let singles = targets
        .iter()
        .map(|(value, target)| (*value, *target, VALUE_WEIGHT));
    let cases = tree::covering(singles, otherwise);
    tree::choose(graph, content, &cases)
}
