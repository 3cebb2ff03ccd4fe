//! What is allowed of one call: a union of conjunctions.

use std::collections::BTreeSet;

use crate::{ARGUMENTS, Conjunction};

/// With which arguments a call is allowed: with those for which one of the alternatives holds.
///
/// Alternatives that another one includes are left out, so that sets stay small and rules that were made in
/// another order come out alike. Rules that allow the same may still be written differently, as they may be in
/// logic: compare them by [`Rule::includes`] both ways where that matters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Rule {
    alternatives: BTreeSet<Conjunction>,
}

impl Rule {
    /// Allowed with any arguments.
    #[must_use]
    pub fn any() -> Self {
        Self::from(Conjunction::default())
    }

    /// Allowed with no arguments: denied.
    #[must_use]
    pub fn never() -> Self {
        Self::default()
    }

    /// The alternatives, in a fixed order.
    pub fn alternatives(&self) -> impl Iterator<Item = &Conjunction> {
        self.alternatives.iter()
    }

    /// Whether one of the alternatives has no condition.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.alternatives.iter().any(Conjunction::is_unconditional)
    }

    /// Whether no arguments are allowed.
    #[must_use]
    pub fn is_never(&self) -> bool {
        self.alternatives.is_empty()
    }

    /// Whether the call is allowed with these arguments.
    #[must_use]
    pub fn allows(&self, arguments: &[u64; ARGUMENTS]) -> bool {
        self.alternatives
            .iter()
            .any(|alternative| alternative.holds(arguments))
    }

    /// What one or the other allows.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        if self.is_never() {
            return other.clone();
        }
        let own = self.alternatives.iter().chain(&other.alternatives);
        own.copied().collect()
    }

    /// What both allow.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let pairs = self
            .alternatives
            .iter()
            .flat_map(|own| other.alternatives.iter().map(move |other| (own, other)));
        pairs.filter_map(|(own, other)| own.intersection(other)).collect()
    }

    /// What `self` allows and `other` does not.
    ///
    /// The result may be large where `other` has many alternatives on different bits: each may split every piece
    /// that is left into as many pieces as it compares bits.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.difference_within(other, usize::MAX).unwrap_or_default()
    }

    /// The same if it never takes more than so many pieces.
    #[must_use]
    pub fn difference_within(&self, other: &Self, most: usize) -> Option<Self> {
        let mut pieces: Vec<Conjunction> = self.alternatives.iter().copied().collect();
        for removed in &other.alternatives {
            pieces = pieces
                .iter()
                .flat_map(|piece| piece.difference(removed))
                .collect();
            if pieces.len() > most {
                return None;
            }
        }
        Some(pieces.into_iter().collect())
    }

    /// The same with one alternative less, if there are two: those become one that together compare the most bits.
    /// Allows at least what `self` allows.
    #[must_use]
    pub(crate) fn coarser(&self) -> Self {
        let all: Vec<&Conjunction> = self.alternatives.iter().collect();
        let pairs = all
            .iter()
            .enumerate()
            .flat_map(|(index, left)| all.iter().skip(index + 1).map(move |right| (*left, *right)));
        let lost = |(left, right): &(&Conjunction, &Conjunction)| {
            left.bits() + right.bits() - 2 * left.hull(right).bits()
        };
        let Some((left, right)) = pairs.min_by_key(lost) else {
            return self.clone();
        };
        let others = self
            .alternatives
            .iter()
            .filter(|one| *one != left && *one != right);
        others.copied().chain(std::iter::once(left.hull(right))).collect()
    }

    /// Whether `self` allows everything that `other` allows.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        let own: Vec<Conjunction> = self.alternatives.iter().copied().collect();
        other
            .alternatives
            .iter()
            .all(|alternative| covers(&own, alternative))
    }
}

impl From<Conjunction> for Rule {
    fn from(alternative: Conjunction) -> Self {
        Self {
            alternatives: BTreeSet::from([alternative]),
        }
    }
}

impl FromIterator<Conjunction> for Rule {
    fn from_iter<I: IntoIterator<Item = Conjunction>>(alternatives: I) -> Self {
        let all: BTreeSet<Conjunction> = alternatives.into_iter().collect();
        let redundant = |one: &Conjunction| all.iter().any(|other| other != one && other.includes(one));
        Self {
            alternatives: all.iter().filter(|one| !redundant(one)).copied().collect(),
        }
    }
}

impl FromIterator<Rule> for Rule {
    /// What one of the rules allows.
    fn from_iter<I: IntoIterator<Item = Rule>>(rules: I) -> Self {
        rules.into_iter().flat_map(|rule| rule.alternatives).collect()
    }
}

/// Whether `alternatives` together hold wherever `wanted` does.
///
/// Takes away one alternative at a time, so that it goes no deeper than there are alternatives, and stops at the
/// first piece that none of them covers.
fn covers(alternatives: &[Conjunction], wanted: &Conjunction) -> bool {
    alternatives
        .split_first()
        .is_some_and(|(first, others)| wanted.difference(first).iter().all(|piece| covers(others, piece)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Masked;

    /// How many arguments and how many of their bits the tests use, few enough to try all.
    const USED: usize = 2;
    const BITS: u32 = 3;

    fn conjunction() -> impl Strategy<Value = Conjunction> {
        prop::array::uniform2((0..1u64 << BITS, 0..1u64 << BITS)).prop_map(|conditions| {
            let mut arguments = [Masked::default(); ARGUMENTS];
            for (argument, (mask, value)) in arguments.iter_mut().zip(conditions) {
                *argument = Masked::new(mask, value);
            }
            Conjunction::new(arguments)
        })
    }

    fn rule() -> impl Strategy<Value = Rule> {
        prop::collection::vec(conjunction(), 0..6).prop_map(|alternatives| alternatives.into_iter().collect())
    }

    /// Every choice of the bits that the tests use.
    fn points() -> impl Iterator<Item = [u64; ARGUMENTS]> {
        (0..1u64 << (BITS as usize * USED)).map(|bits| {
            let mut arguments = [0; ARGUMENTS];
            arguments[0] = bits & ((1 << BITS) - 1);
            arguments[1] = bits >> BITS;
            arguments
        })
    }

    proptest! {
        #[test]
        fn operations_are_exact(left in rule(), right in rule()) {
            let (union, intersection, difference) = (left.union(&right), left.intersection(&right), left.difference(&right));
            let mut included = true;
            for point in points() {
                let (in_left, in_right) = (left.allows(&point), right.allows(&point));
                prop_assert_eq!(union.allows(&point), in_left || in_right);
                prop_assert_eq!(intersection.allows(&point), in_left && in_right);
                prop_assert_eq!(difference.allows(&point), in_left && !in_right);
                included &= in_left || !in_right;
            }
            prop_assert_eq!(left.includes(&right), included);
            prop_assert_eq!(left.is_never(), points().all(|point| !left.allows(&point)));
            prop_assert_eq!(left.difference_within(&right, usize::MAX), Some(difference));
            prop_assert_eq!([left, right].into_iter().collect::<Rule>(), union);
        }

        #[test]
        fn pieces_of_a_difference_do_not_overlap(left in conjunction(), right in conjunction()) {
            let pieces = left.difference(&right);
            for point in points() {
                prop_assert!(pieces.iter().filter(|piece| piece.holds(&point)).count() <= 1);
            }
        }

        #[test]
        fn coarser_rules_include_the_finer(rule in rule()) {
            let coarser = rule.coarser();
            prop_assert!(coarser.includes(&rule));
            let count = |rule: &Rule| rule.alternatives().count();
            prop_assert!(count(&coarser) < count(&rule) || count(&rule) < 2);
        }

        #[test]
        fn order_does_not_matter(left in rule(), right in rule()) {
            prop_assert_eq!(left.union(&right), right.union(&left));
            prop_assert_eq!(left.intersection(&right), right.intersection(&left));
        }
    }

    #[test]
    fn any_and_never_are_the_ends() {
        let some = Rule::from(Conjunction::new([Masked::new(u64::MAX, 7); ARGUMENTS]));
        for (rule, any, never) in [
            (Rule::any(), true, false),
            (Rule::never(), false, true),
            (some.clone(), false, false),
        ] {
            assert_eq!((rule.is_any(), rule.is_never()), (any, never));
            assert!(Rule::any().includes(&rule) && rule.includes(&Rule::never()));
            assert_eq!(rule.union(&Rule::any()), Rule::any());
            assert_eq!(rule.difference(&Rule::any()), Rule::never());
        }
        assert_eq!(
            some.alternatives().flat_map(Conjunction::conditions).count(),
            ARGUMENTS
        );
        assert!(!some.includes(&Rule::any()));
    }
}
