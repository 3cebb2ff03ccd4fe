//! Decisions by one word: which of several ranges it lies in, with as few tests as can be expected.
//!
//! A tree of four kinds of tests ([`Question`]): whether the word is at least or equal to a value, whether it has one of
//! some bits, whether some of its bits are those of a value. What a test leaves of the cases need not lie side by side:
//! between them lies what was decided before, and what leads to one target across that is one range. So a test that takes out what
//! separates two ranges is worth more than its own case.
//!
//! No way is known to find the best of such trees that takes less than exponential time. Each test is chosen among
//! those that promise something ([`Search::proposals`]) by what the tree costs with it, where what follows is first
//! taken to be a simple tree ([`estimate`]); for the best few it is looked at what they cost when what follows is chosen
//! so, too. What the tree decides does not depend on any of that.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::estimate::{Range, append, estimate};
use crate::graph::{Comparison, Content, Graph, NodeId, Test};
use crate::question::{Cases, MAXIMUM_CASES, Question};

/// How many of the tests that are the best by estimate are looked at further.
const FOLLOWED: usize = 6;
/// Where less than one part in so many of the weight is left, the estimate chooses.
const WORTH_FOLLOWING: u64 = 32;
/// More cases than that are halved before anything is searched where no case makes up one part in so many of the weight:
/// one tree is about as good as another then.
const STANDS_OUT: u64 = 64;
/// How many single values are proposed, of ranges and for bits in common.
const PROPOSED_VALUES: usize = 4;
/// How many places to divide the weight, and how many ranges are cut out.
const PROPOSED_PLACES: usize = 10;
const PROPOSED_RANGES: usize = 4;
/// How many tests of bits are proposed that take out cases with one target, and among how many values these are looked for.
const PROPOSED_MASKS: usize = 3;
const MASKED_VALUES: usize = 10;
/// The same where the estimate chooses, which is often.
const MASKED_VALUES_BY_ESTIMATE: usize = 4;

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

/// The cases of all words that have no bits but those of the mask: these single ones, each with its target and weight and in
/// order, and what lies between them, which leads to `others`.
pub(crate) fn covering(
    singles: impl IntoIterator<Item = (u32, NodeId, u64)>,
    mask: u32,
    others: NodeId,
) -> Vec<Case> {
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
    let is_possible = Question::Masked {
        mask: !mask,
        value: 0,
    };
    cases.retain(|case| is_possible.answers(case.first, case.last).0);
    cases
}

/// The decisions that lead from a word of that content to the target of its case. The cases are in order and cover all
/// words that it can be.
pub(crate) fn choose(graph: &mut Graph, content: Content, cases: &[Case]) -> NodeId {
    let total: u64 = cases.iter().map(|case| case.weight).sum();
    let stands_out = |case: &Case| case.weight >= total / STANDS_OUT;
    let is_even = cases.len() as u64 > STANDS_OUT && !cases.iter().any(stands_out);
    if cases.len() <= MAXIMUM_CASES && !is_even {
        let mut search = Search {
            cases,
            known: FxHashMap::default(),
            answers: FxHashMap::default(),
            total,
        };
        return search.build(graph, content, Cases::first(cases.len()));
    }
    // Where half of the weight is, unless that leaves next to nothing on one side.
    let mut before = 0u64;
    let balanced = cases.iter().position(|case| {
        before += case.weight;
        before >= total / 2
    });
    let quarter = cases.len() / 4;
    let middle = balanced.unwrap_or_default().clamp(quarter, cases.len() - quarter);
    let (left, right) = cases.split_at(middle);
    let at = right.first().map_or(0, |case| case.first);
    let no = choose(graph, content, left);
    let yes = choose(graph, content, right);
    graph.at_least(content, at, yes, no)
}

/// A test with what it costs and what it leaves.
struct Step {
    question: Question,
    yes: Cases,
    no: Cases,
    /// The test itself, for all calls that come to it.
    own: u64,
    /// With what follows.
    cost: u64,
}

/// The search among the trees of some cases.
struct Search<'a> {
    cases: &'a [Case],
    total: u64,
    /// Estimates of what is left.
    known: FxHashMap<Cases, u64>,
    /// Which of all cases a yes leaves and which a no.
    answers: FxHashMap<Question, (Cases, Cases)>,
}

impl Search<'_> {
    fn build(&mut self, graph: &mut Graph, content: Content, left: Cases) -> NodeId {
        let ranges = self.ranges(left);
        let Some(step) = self.best(left, &ranges) else {
            // Something is left of all cases and on both sides of every step.
            return ranges
                .first()
                .map_or_else(|| graph.answer(0), |range| range.target);
        };
        let no = self.build(graph, content, step.no);
        let yes = self.build(graph, content, step.yes);
        let (mask, comparison, operand) = match step.question {
            Question::Equal(value) => (content.mask, Comparison::Equal, value),
            Question::AtLeast(least) => (content.mask, Comparison::AtLeast, least),
            // Bits are looked at without masking the others.
            Question::AnyBit(bits) => (u32::MAX, Comparison::AnyBit, bits & content.mask),
            Question::Masked { mask, value } => (mask & content.mask, Comparison::Equal, value),
        };
        graph.test(Test {
            content: Content { mask, ..content },
            comparison,
            operand,
            yes,
            no,
        })
    }

    /// The test to begin with; none if one target is left.
    fn best(&mut self, left: Cases, ranges: &[Range]) -> Option<Step> {
        let weight: u64 = ranges.iter().map(|range| range.weight).sum();
        if weight < self.total / WORTH_FOLLOWING {
            return self
                .steps(left, ranges, MASKED_VALUES_BY_ESTIMATE)
                .into_iter()
                .next();
        }
        let mut steps = self.steps(left, ranges, MASKED_VALUES);
        steps.truncate(FOLLOWED);
        for step in &mut steps {
            step.cost = step.own + self.after_one_step(step.yes) + self.after_one_step(step.no);
        }
        steps.into_iter().min_by_key(|step| step.cost)
    }

    /// What it costs to decide between the cases with the best test by estimate.
    fn after_one_step(&mut self, left: Cases) -> u64 {
        let ranges = self.ranges(left);
        let steps = self.steps(left, &ranges, MASKED_VALUES_BY_ESTIMATE);
        steps.first().map_or(0, |step| step.cost)
    }

    /// Tests with what they cost by estimate, the best first. Each leaves fewer cases to both answers.
    fn steps(&mut self, left: Cases, ranges: &[Range], masked: usize) -> Vec<Step> {
        if ranges.len() < 2 {
            return Vec::new();
        }
        let weight: u64 = ranges.iter().map(|range| range.weight).sum();
        let mut steps = Vec::new();
        for question in self.proposals(left, ranges, masked) {
            let (yes, no) = self.divide(left, question);
            if yes == left || no == left {
                continue;
            }
            let own = match question {
                Question::Masked { .. } => 2 * weight + self.weight(no),
                _ => weight,
            };
            let cost = own + self.estimated(yes) + self.estimated(no);
            steps.push(Step {
                question,
                yes,
                no,
                own,
                cost,
            });
        }
        steps.sort_by_key(|step| step.cost);
        steps
    }

    fn estimated(&mut self, left: Cases) -> u64 {
        if let Some(known) = self.known.get(&left) {
            return *known;
        }
        let cost = estimate(&self.ranges(left));
        self.known.insert(left, cost);
        cost
    }

    /// Which cases are left by a yes and which by a no.
    fn divide(&mut self, left: Cases, question: Question) -> (Cases, Cases) {
        let cases = self.cases;
        let (yes, no) = self.answers.entry(question).or_insert_with(|| {
            let (mut yes, mut no) = (Cases::default(), Cases::default());
            for (index, case) in cases.iter().enumerate() {
                let (may_yes, may_no) = question.answers(case.first, case.last);
                if may_yes {
                    yes.insert(index);
                }
                if may_no {
                    no.insert(index);
                }
            }
            (yes, no)
        });
        (left.common(*yes), left.common(*no))
    }

    /// Tests that promise something; of bits those that so many of the heaviest values have in common.
    fn proposals(&self, left: Cases, ranges: &[Range], masked: usize) -> Vec<Question> {
        let cases = self.entries(left).map(|(_, case)| *case);
        let mut values: Vec<Case> = cases.filter(Case::is_single).collect();
        values.sort_by_key(|case| (Reverse(case.weight), case.first));
        let mut heaviest: Vec<(usize, &Range)> = ranges.iter().enumerate().collect();
        heaviest.sort_by_key(|(index, range)| (Reverse(range.weight), *index));
        let first = |range: &Range| self.cases.get(range.first).map_or(0, |case| case.first);

        let heavy_values = values.iter().take(PROPOSED_VALUES).map(|case| case.first);
        let alone = heaviest.iter().filter(|(_, range)| range.is_single);
        let alone = alone.take(PROPOSED_VALUES).map(|(_, range)| first(range));
        let mut proposals: Vec<Question> = heavy_values.chain(alone).map(Question::Equal).collect();

        let places = places(ranges).into_iter().take(PROPOSED_PLACES);
        // Where a heavy range begins, and where it ends.
        let ends = heaviest
            .iter()
            .take(PROPOSED_RANGES)
            .flat_map(|(index, _)| [*index, index + 1]);
        let ends = ends
            .filter(|index| *index > 0)
            .filter_map(|index| ranges.get(index));
        proposals.extend(places.chain(ends).map(|range| Question::AtLeast(first(range))));

        proposals.extend(differing_bits(&values).map(Question::AnyBit));
        values.truncate(masked);
        proposals.extend(self.masks(left, &values));
        let mut known = FxHashSet::default();
        proposals.retain(|question| known.insert(*question));
        proposals
    }

    /// Tests of bits that take out cases with one target, among which are some of these values.
    fn masks(&self, left: Cases, values: &[Case]) -> Vec<Question> {
        let values: Vec<u32> = values.iter().map(|case| case.first).collect();
        let (mut zeros, mut masked) = (Vec::new(), Vec::new());
        for (free, value) in spans(&values) {
            let mask = !free;
            let question = match value {
                0 => Question::AnyBit(mask),
                _ => Question::Masked { mask, value },
            };
            let is_out = |case: &&Case| {
                let (yes, no) = question.answers(case.first, case.last);
                if value == 0 { no } else { yes }
            };
            let mut out = self.entries(left).map(|(_, case)| case).filter(is_out);
            let Some(first) = out.next() else { continue };
            let weight = out.try_fold(first.weight, |sum, case| {
                (case.target == first.target).then_some(sum + case.weight)
            });
            let list = if value == 0 { &mut zeros } else { &mut masked };
            list.extend(weight.map(|weight| (weight, question)));
        }
        let mut best = Vec::new();
        for mut list in [zeros, masked] {
            list.sort_by_key(|(weight, _)| Reverse(*weight));
            best.extend(
                list.into_iter()
                    .take(PROPOSED_MASKS)
                    .map(|(_, question)| question),
            );
        }
        best
    }

    fn ranges(&self, left: Cases) -> Vec<Range> {
        let mut ranges = Vec::new();
        for (index, case) in self.entries(left) {
            let range = Range {
                first: index,
                target: case.target,
                weight: case.weight,
                is_single: case.is_single(),
            };
            append(&mut ranges, range);
        }
        ranges
    }

    fn weight(&self, left: Cases) -> u64 {
        self.entries(left).map(|(_, case)| case.weight).sum()
    }

    fn entries(&self, left: Cases) -> impl Iterator<Item = (usize, &Case)> {
        left.indices()
            .filter_map(|index| Some((index, self.cases.get(index)?)))
    }
}

/// The ranges before which the weight may be divided, the most even division first.
fn places(ranges: &[Range]) -> Vec<&Range> {
    let weight: u64 = ranges.iter().map(|range| range.weight).sum();
    let mut before = 0u64;
    let mut places: Vec<(u64, &Range)> = Vec::new();
    for range in ranges {
        places.push(((2 * before).abs_diff(weight), range));
        before += range.weight;
    }
    let mut places = places.split_off(1.min(places.len()));
    places.sort_by_key(|(distance, range)| (*distance, range.first));
    places.into_iter().map(|(_, range)| range).collect()
}

/// The bits that some of the values have and some have not.
fn differing_bits(values: &[Case]) -> impl Iterator<Item = u32> {
    let any = values.iter().fold(0, |any, case| any | case.first);
    let all = values.iter().fold(u32::MAX, |all, case| all & case.first);
    let bits = (0..u32::BITS).map(|bit| 1 << bit);
    bits.filter(move |bit| any & !all & bit != 0)
}

/// What up to three of the values have in common: bits that may be any, and the others' value. One or several of them,
/// too, with all that has no other bits.
fn spans(values: &[u32]) -> BTreeSet<(u32, u32)> {
    let mut spans = BTreeSet::new();
    // A value may be taken again, for fewer than three.
    for (index, one) in values.iter().enumerate() {
        for (more, other) in values.iter().enumerate().skip(index) {
            for third in values.iter().skip(more) {
                let free = (one ^ other) | (one ^ third);
                spans.insert((one | other | third, 0));
                spans.insert((free, one & !free));
            }
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::data::FIRST_ARGUMENT;
    use crate::{CallData, Weights, compile};

    /// Words that lead to one of three targets, with weights that leave out nothing or nearly all.
    fn singles() -> impl Strategy<Value = BTreeMap<u32, (u32, u64)>> {
        let word = prop_oneof![6 => 0..64u32, 2 => any::<u32>(), 1 => (0..32u32).prop_map(|bit| 1 << bit)];
        let weight = prop_oneof![Just(1), 1..100u64, 1..1u64 << 24];
        prop::collection::btree_map(word, (0..3u32, weight), 0..40)
    }

    proptest! {
        #[test]
        fn words_are_led_to_their_targets(
            singles in singles(),
            mask in prop_oneof![Just(u32::MAX), Just(0x3f), Just(0x8003), any::<u32>()],
            more in prop::collection::vec(any::<u32>(), 8),
        ) {
            let mut graph = Graph::default();
            let targets = [0, 1, 2].map(|word| graph.answer(word));
            let others = graph.answer(3);
            let possible = || singles.iter().filter(|(word, _)| **word & !mask == 0);
            let cases = possible().map(|(word, (target, weight))| (*word, targets[*target as usize], *weight));
            let cases = covering(cases, mask, others);
            let root = choose(&mut graph, Content { offset: FIRST_ARGUMENT, mask }, &cases);
            let neighbours = singles.keys().flat_map(|word| [word.wrapping_sub(1), *word, word.wrapping_add(1), word | !mask]);
            for word in neighbours.chain(more) {
                let expected = possible().find(|(single, _)| **single == word & mask);
                let expected = expected.map_or(3, |(_, (target, _))| *target);
                let call = CallData::new(0, [u64::from(word), 0, 0, 0, 0, 0]);
                prop_assert_eq!(graph.decide(root, &call).answer, expected, "{:#x}", word);
            }
        }
    }

    /// How many instructions calls of these numbers take on average under a policy of calls without conditions.
    fn executed(allowed: &[u32], counts: &[(u32, u64)]) -> f64 {
        let mut policy = confine_policy::Policy::new();
        for number in allowed {
            policy.allow(
                confine_policy::Architecture::X86_64,
                *number,
                &confine_policy::Rule::any(),
            );
        }
        let options = crate::Options {
            weights: counts.iter().copied().collect::<Weights>(),
            ..crate::Options::default()
        };
        let filters = compile(&policy, &options).unwrap();
        let executed = counts.iter().map(|(number, count)| {
            let call = CallData::new(*number, [0; confine_policy::ARGUMENTS]);
            crate::evaluate(&filters, &call).unwrap().executed.get() * count
        });
        let all: u64 = counts.iter().map(|(_, count)| count).sum();
        executed.sum::<u64>() as f64 / all as f64
    }

    #[test]
    fn tests_of_bits_take_out_several_values() {
        // Architecture and number, each loaded, a test of the one, one of the other and the answer: what is below 8 or has its bits
        // only in common with 40 is 0, 8, 32 and 40.
        assert_eq!(
            executed(&[0, 8, 32, 40, 100], &[(0, 1), (8, 1), (32, 1), (40, 1)]),
            5.0
        );
        // Masked and compared: 20 with any of the two bits above.
        let alike = [20, 52, 84, 116].map(|number| (number, 1));
        assert_eq!(executed(&alike.map(|(number, _)| number), &alike), 6.0);
    }
}
