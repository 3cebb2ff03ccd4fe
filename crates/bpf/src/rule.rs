//! What is allowed of one call, as decisions.
//!
//! Alternatives are conditions on the twelve halves of the arguments. One half comes first: the alternatives that look at it
//! are told apart by it, each group goes on with what it still asks for, and whoever fits in none goes on with the
//! alternatives that do not look at this half. Every alternative is in one group of one half only, so that there are no more
//! tests than the rule has conditions, plus those of the trees that tell values apart; groups that go on alike share what
//! follows.
//!
//! Which half comes first is tried where there are few and calls were seen, and what is quickest for those is kept;
//! otherwise it is the one that most alternatives look at. What was seen also decides in which order values are told apart.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use confine_policy::{Conjunction, Rule};

use crate::data::FIRST_ARGUMENT;
use crate::graph::{Content, Graph, NodeId};
use crate::{CallData, tree};

/// What a value weighs besides what was seen of it.
const VALUE_WEIGHT: u64 = 64;
/// Where more halves or alternatives are looked at, only one order is tried: each half more may be tried in each place.
const MAXIMUM_TRIED: usize = 4;
const MAXIMUM_COMPARED: usize = 64;

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

/// Calls by which it is judged what decisions cost, and how much each counts.
type Seen = [(CallData, u64)];

/// The decisions that lead to `allowed` with the arguments that the rule allows, and to `denied` with others; the quickest
/// for the calls that were seen.
pub(crate) fn decide(graph: &mut Graph, rule: &Rule, seen: &Seen, allowed: NodeId, denied: NodeId) -> NodeId {
    let alternatives = rule.alternatives().map(halves).collect();
    build(graph, &alternatives, seen, allowed, denied)
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

/// Tries the halves that may come first, and keeps what is quickest. Each turn takes a half out of every alternative that
/// it goes on with, so that it goes twelve deep, and the number of alternatives falls whenever it does not.
fn build(
    graph: &mut Graph,
    all: &BTreeSet<Alternative>,
    seen: &Seen,
    allowed: NodeId,
    otherwise: NodeId,
) -> NodeId {
    if all.iter().any(Vec::is_empty) {
        return allowed;
    }
    let mut offsets = most_telling_first(all);
    if seen.is_empty() || offsets.len() > MAXIMUM_TRIED || all.len() > MAXIMUM_COMPARED {
        offsets.truncate(1);
    }
    let ways: Vec<NodeId> = offsets
        .into_iter()
        .map(|offset| begin(graph, all, offset, seen, allowed, otherwise))
        .collect();
    let cost = |way: &NodeId| -> u64 {
        let costs = seen
            .iter()
            .map(|(call, weight)| graph.decide(*way, call).executed * weight);
        costs.sum()
    };
    ways.into_iter().min_by_key(cost).unwrap_or(otherwise)
}

/// Decides by the half at that offset first.
fn begin(
    graph: &mut Graph,
    all: &BTreeSet<Alternative>,
    offset: u32,
    seen: &Seen,
    allowed: NodeId,
    otherwise: NodeId,
) -> NodeId {
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
    let (steps, left) = in_order(by_mask, offset, seen);
    let mut next = build(graph, &without, &left, allowed, otherwise);
    for (content, groups, seen) in steps.into_iter().rev() {
        next = choose(graph, content, &groups, &seen, allowed, next);
    }
    next
}

/// The groups of one mask, with what was seen of the calls that come to them.
type MaskStep = (Content, Groups, Vec<(CallData, u64)>);

/// Masks in the order in which the half is looked at under them, and the calls that none of them allows.
fn in_order(
    by_mask: BTreeMap<u32, Groups>,
    offset: u32,
    seen: &Seen,
) -> (Vec<MaskStep>, Vec<(CallData, u64)>) {
    // The mask first that allows most of what was seen; of the others those last that change the accumulator.
    let allows = |mask: u32, groups: &Groups, call: &CallData| {
        let group = groups.get(&(call.word(offset).unwrap_or_default() & mask));
        group.is_some_and(|alternatives| alternatives.iter().any(|alternative| holds(alternative, call)))
    };
    let mut masks: Vec<(u32, Groups)> = by_mask.into_iter().collect();
    masks.sort_by_cached_key(|(mask, groups)| {
        let allowed = seen.iter().filter(|(call, _)| allows(*mask, groups, call));
        let weight: u64 = allowed.map(|(_, weight)| weight).sum();
        let changes = *mask != u32::MAX && !compares_bits(*mask, groups);
        (Reverse(weight), changes, !compares_bits(*mask, groups), *mask)
    });
    let mut steps = Vec::new();
    let mut left = seen.to_vec();
    for (mask, groups) in masks {
        let mut others = left.clone();
        others.retain(|(call, _)| !allows(mask, &groups, call));
        steps.push((
            Content { offset, mask },
            groups,
            std::mem::replace(&mut left, others),
        ));
    }
    (steps, left)
}

/// Whether a call is as an alternative asks for.
fn holds(alternative: &Alternative, call: &CallData) -> bool {
    alternative.iter().all(|half| {
        let word = call.word(half.content.offset).unwrap_or_default();
        word & half.content.mask == half.value
    })
}

/// The offsets of halves, the one first that most alternatives look at, of those the one with the fewest different
/// conditions.
fn most_telling_first(all: &BTreeSet<Alternative>) -> Vec<u32> {
    let mut conditions: BTreeMap<u32, (usize, BTreeSet<Half>)> = BTreeMap::new();
    for half in all.iter().flatten() {
        let (count, different) = conditions.entry(half.content.offset).or_default();
        *count += 1;
        different.insert(*half);
    }
    let mut offsets: Vec<u32> = conditions.keys().copied().collect();
    offsets.sort_by_key(|offset| {
        let known = conditions.get(offset);
        known.map(|(count, different)| (Reverse(*count), different.len()))
    });
    offsets
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
    seen: &Seen,
    allowed: NodeId,
    otherwise: NodeId,
) -> NodeId {
    let mut by_value: BTreeMap<u32, Vec<(CallData, u64)>> = BTreeMap::new();
    by_value.extend(groups.keys().map(|value| (*value, Vec::new())));
    for (call, weight) in seen {
        let value = call.word(content.offset).unwrap_or_default() & content.mask;
        by_value.entry(value).or_default().push((*call, *weight));
    }
    let mut singles = Vec::new();
    for (value, seen) in by_value {
        let target = match groups.get(&value) {
            Some(alternatives) => build(graph, alternatives, &seen, allowed, otherwise),
            None => otherwise,
        };
        let weight: u64 = seen.iter().map(|(_, weight)| weight).sum();
        singles.push((value, target, VALUE_WEIGHT + weight));
    }
    let cases = tree::covering(singles, content.mask, otherwise);
    tree::choose(graph, content, &cases)
}
