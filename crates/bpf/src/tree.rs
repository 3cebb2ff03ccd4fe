//! Decisions by one word: which of several ranges it lies in, with as few comparisons as can be expected.
//!
//! A tree of two kinds of tests, "is it at least" and "is it equal". The second kind takes a single value out of a range, so
//! that what lies on both sides of it may become one, and finds a value that is frequent at once. The tree is the best one
//! among those that
//!
//! - compare for equality the values of a range in the order of their weights, at most [`MAXIMUM_PICKED`] of them, or
//!   whatever else there is when everything left leads to one target but for [`MAXIMUM_ISLANDS`] single values;
//! - split only between neighbours that lead to different targets.
//!
//! That the heaviest value is the one to compare for equality is known of optimal trees for values that all have targets of
//! their own (Anderson, Kannan, Karloff, Ladner 2002); where targets repeat, the second clause covers what that leaves
//! out most often. So the tree is near the best of all, not proved to be it. What it decides does not depend on that.

use crate::graph::{Content, Graph, NodeId};

/// How many single values are compared for equality in the order of weights.
const MAXIMUM_PICKED: usize = 8;
/// A value is compared on its own account if it makes up one part in so many of what is left: a split takes the place of
/// fewer tests for lighter ones, and trying would take long.
const WORTH_PICKING: u64 = 12;
/// How many single values are told from an otherwise uniform range.
const MAXIMUM_ISLANDS: usize = 4;
/// How many ranges are looked at as a whole; the search takes time by their third power.
const MAXIMUM_RANGES: usize = 160;

/// Words from `first` to `last` lead to `target`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) first: u32,
    pub(crate) last: u32,
    pub(crate) target: NodeId,
    /// How often that is so, relative to the other cases.
    pub(crate) weight: u64,
}

impl Case {
    fn is_single(&self) -> bool {
        self.first == self.last
    }
}

/// The cases of all words: these single ones, each with its target and weight and in order, and what lies between them, which
/// leads to `others`.
pub(crate) fn covering(singles: impl IntoIterator<Item = (u32, NodeId, u64)>, others: NodeId) -> Vec<Case> {
    let gap = |first, last| Case {
        first,
        last,
        target: others,
        weight: 1,
    };
    let mut cases = Vec::new();
    let mut next = Some(0);
    for (word, target, weight) in singles {
        if let Some(first) = next.filter(|first| *first < word) {
            cases.push(gap(first, word - 1));
        }
        cases.push(Case {
            first: word,
            last: word,
            target,
            weight,
        });
        next = word.checked_add(1);
    }
    cases.extend(next.map(|first| gap(first, u32::MAX)));
    cases
}

/// The decisions that lead from a word of that content to the target of its case. The cases are in order and cover all
/// words.
pub(crate) fn choose(graph: &mut Graph, content: Content, cases: &[Case]) -> NodeId {
    let cases = merged(cases);
    halve(graph, content, &cases)
}

/// Neighbours with one target as one, but for single values that are heavy enough to be found for themselves.
fn merged(cases: &[Case]) -> Vec<Case> {
    let total: u64 = cases.iter().map(|case| case.weight).sum();
    let is_heavy = |case: &Case| case.is_single() && case.weight > total / 256;
    let mut merged: Vec<Case> = Vec::new();
    for case in cases {
        match merged.last_mut() {
            Some(before) if before.target == case.target && !is_heavy(before) && !is_heavy(case) => {
                before.last = case.last;
                before.weight += case.weight;
            }
            _ => merged.push(*case),
        }
    }
    merged
}

/// Makes what is too much to be searched as a whole smaller: a value that makes up a quarter of all is compared first, and
/// without such a one both halves are looked at for themselves.
fn halve(graph: &mut Graph, content: Content, cases: &[Case]) -> NodeId {
    if cases.len() <= MAXIMUM_RANGES {
        return Search::new(cases).build(graph, content);
    }
    let total: u64 = cases.iter().map(|case| case.weight).sum();
    let singles = cases.iter().enumerate().filter(|(_, case)| case.is_single());
    let heaviest = singles.max_by_key(|(index, case)| (case.weight, std::cmp::Reverse(*index)));
    if let Some((index, case)) = heaviest.filter(|(_, case)| case.weight > total / 4) {
        let (before, behind) = cases.split_at(index);
        let others = [before, behind.get(1..).unwrap_or_default()].concat();
        let no = halve(graph, content, &merged(&others));
        return graph.equal(content, case.first, case.target, no);
    }
    // Where half of the weight is, unless that leaves next to nothing on one side.
    let mut before = 0;
    let balanced = cases.iter().position(|case| {
        before += case.weight;
        before >= total / 2
    });
    let quarter = cases.len() / 4;
    let middle = balanced.unwrap_or_default().clamp(quarter, cases.len() - quarter);
    let (left, right) = cases.split_at(middle);
    let at = right.first().map_or(0, |case| case.first);
    let no = halve(graph, content, left);
    let yes = halve(graph, content, right);
    graph.at_least(content, at, yes, no)
}

/// The cases from `first` up to before `end`, without the `picked` heaviest of their single values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    first: usize,
    end: usize,
    picked: usize,
}

/// How a part is decided.
#[derive(Debug, Clone, Copy)]
enum Decision {
    /// All that is left leads to one target.
    Done,
    /// The islands are compared, the heaviest first; what is left leads to one target.
    Islands,
    /// The next heaviest single value is compared.
    Pick,
    /// Split before this case, with that many of the picked ones before it.
    Split(usize, usize),
}

/// The search for the cheapest tree: costs are sums of weights, one for each test that they go through.
struct Search<'a> {
    cases: &'a [Case],
    /// Indices of single values, the heaviest first.
    singles: Vec<usize>,
    /// By part.
    known: Vec<Option<(u64, Decision)>>,
}

impl<'a> Search<'a> {
    fn new(cases: &'a [Case]) -> Self {
        let mut singles: Vec<usize> = (0..cases.len())
            .filter(|index| cases.get(*index).is_some_and(Case::is_single))
            .collect();
        singles.sort_by_key(|index| {
            (
                std::cmp::Reverse(cases.get(*index).map(|case| case.weight)),
                *index,
            )
        });
        let parts = (cases.len() + 1) * (cases.len() + 1) * (MAXIMUM_PICKED + 1);
        Self {
            cases,
            singles,
            known: vec![None; parts],
        }
    }

    fn build(&mut self, graph: &mut Graph, content: Content) -> NodeId {
        let whole = Part {
            first: 0,
            end: self.cases.len(),
            picked: 0,
        };
        self.node(graph, content, whole)
    }

    fn node(&mut self, graph: &mut Graph, content: Content, part: Part) -> NodeId {
        let (_, decision) = self.best(part);
        let left = self.left(part);
        let main = self.main_target(&left);
        // A part has at least one case that is left: only what differs is picked or split.
        let rest = main.unwrap_or_else(|| graph.answer(0));
        match decision {
            Decision::Done => rest,
            Decision::Islands => {
                // Built from the last test to the first, so the lightest first.
                let islands = self.islands(&left, main).into_iter().rev();
                islands.fold(rest, |next, island| {
                    graph.equal(content, island.first, island.target, next)
                })
            }
            Decision::Pick => {
                let picked = self.next_pick(part).and_then(|index| self.cases.get(index));
                let Some(case) = picked.copied() else {
                    return rest;
                };
                let next = self.node(graph, content, part.with_next_picked());
                graph.equal(content, case.first, case.target, next)
            }
            Decision::Split(at, picked) => {
                let (below, above) = part.split(at, picked);
                let no = self.node(graph, content, below);
                let yes = self.node(graph, content, above);
                let operand = self.cases.get(at).map_or(0, |case| case.first);
                graph.at_least(content, operand, yes, no)
            }
        }
    }

    /// The cost of a part and how it comes about. Parts get smaller or have more picked, so that this ends.
    fn best(&mut self, part: Part) -> (u64, Decision) {
        let slot = (part.first * (self.cases.len() + 1) + part.end) * (MAXIMUM_PICKED + 1) + part.picked;
        if let Some(known) = self.known.get(slot).copied().flatten() {
            return known;
        }
        let best = self.search(part);
        if let Some(known) = self.known.get_mut(slot) {
            *known = Some(best);
        }
        best
    }

    fn search(&mut self, part: Part) -> (u64, Decision) {
        let left = self.left(part);
        let cases = || left.iter().filter_map(|index| self.cases.get(*index));
        let main = self.main_target(&left);
        let others = cases().filter(|case| Some(case.target) != main);
        let (others, wide) = others.fold((0, false), |(count, wide), case| {
            (count + 1, wide || !case.is_single())
        });
        if others == 0 {
            return (0, Decision::Done);
        }
        let weight: u64 = cases().map(|case| case.weight).sum();
        let mut best = (u64::MAX, Decision::Done);
        if others <= MAXIMUM_ISLANDS && !wide {
            let mut remaining = weight;
            let mut cost = 0;
            for island in self.islands(&left, main) {
                cost += remaining;
                remaining -= island.weight;
            }
            best = (cost, Decision::Islands);
        }
        let next = self.next_pick(part).and_then(|index| self.cases.get(index));
        let is_heavy = |case: &Case| case.weight >= weight / WORTH_PICKING;
        if part.picked < MAXIMUM_PICKED && next.is_some_and(is_heavy) {
            let cost = weight + self.best(part.with_next_picked()).0;
            if cost < best.0 {
                best = (cost, Decision::Pick);
            }
        }
        for (before, at) in left.iter().zip(left.iter().skip(1)) {
            if self.target(*before) == self.target(*at) {
                continue;
            }
            // What is not left before it is picked: the heaviest of the whole are the heaviest of each side.
            let picked = left.partition_point(|index| index < at);
            let (below, above) = part.split(*at, *at - part.first - picked);
            let cost = weight + self.best(below).0;
            if cost < best.0 {
                let cost = cost + self.best(above).0;
                if cost < best.0 {
                    best = (cost, Decision::Split(*at, below.picked));
                }
            }
        }
        best
    }

    fn target(&self, index: usize) -> Option<NodeId> {
        self.cases.get(index).map(|case| case.target)
    }

    /// The single values of a part, the heaviest first.
    fn picks(&self, part: Part) -> impl Iterator<Item = usize> {
        let inside = self
            .singles
            .iter()
            .filter(move |index| (part.first..part.end).contains(*index));
        inside.copied()
    }

    fn next_pick(&self, part: Part) -> Option<usize> {
        self.picks(part).nth(part.picked)
    }

    /// The indices of a part's cases that are not picked.
    fn left(&self, part: Part) -> Vec<usize> {
        let picked: Vec<usize> = self.picks(part).take(part.picked).collect();
        (part.first..part.end)
            .filter(|index| !picked.contains(index))
            .collect()
    }

    /// The target of the cases that are no single values, if there are any, or else of more than half of them, if there
    /// is one.
    fn main_target(&self, left: &[usize]) -> Option<NodeId> {
        let cases = || left.iter().filter_map(|index| self.cases.get(*index));
        if let Some(wide) = cases().find(|case| !case.is_single()) {
            return Some(wide.target);
        }
        // Pairs of different targets cancel each other out, which what is there more often outlives.
        let mut majority: Option<(NodeId, usize)> = None;
        for case in cases() {
            majority = match majority {
                Some((target, count)) if target == case.target => Some((target, count + 1)),
                Some((target, count)) if count > 0 => Some((target, count - 1)),
                _ => Some((case.target, 1)),
            };
        }
        majority.map(|(target, _)| target)
    }

    /// The single values that do not lead to `main`, the heaviest first.
    fn islands(&self, left: &[usize], main: Option<NodeId>) -> Vec<Case> {
        let cases = left.iter().filter_map(|index| self.cases.get(*index));
        let mut islands: Vec<Case> = cases
            .filter(|case| case.is_single() && Some(case.target) != main)
            .copied()
            .collect();
        islands.sort_by_key(|case| (std::cmp::Reverse(case.weight), case.first));
        islands
    }
}

impl Part {
    /// What is before a case and what is from it on, where that many of the picked ones are before it.
    fn split(self, at: usize, picked: usize) -> (Self, Self) {
        let below = Self {
            end: at,
            picked,
            ..self
        };
        let above = Self {
            first: at,
            picked: self.picked - picked,
            ..self
        };
        (below, above)
    }

    fn with_next_picked(self) -> Self {
        Self {
            picked: self.picked + 1,
            ..self
        }
    }
}
