//! Comparisons of a whole argument, in terms of bits that must have values.

use crate::{Conjunction, Masked, Rule};

/// How a 64-bit argument is compared, without a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Comparison {
    /// It is the value.
    Equal,
    /// It is another one.
    NotEqual,
    /// It is less.
    Less,
    /// It is less, or the value.
    LessOrEqual,
    /// It is greater.
    Greater,
    /// It is greater, or the value.
    GreaterOrEqual,
}

impl Rule {
    /// Allowed where the argument with that index compares so with `value`; denied if there is no such argument.
    ///
    /// What is less than a value agrees with it in the bits above one that is set in it, and has 0 there: an
    /// alternative for each set bit, and none overlaps another. So with greater ones and the bits that are not set.
    #[must_use]
    pub fn compared(index: usize, comparison: Comparison, value: u64) -> Self {
        let equal = || {
            Conjunction::one(index, Masked::new(u64::MAX, value))
                .into_iter()
                .collect()
        };
        match comparison {
            Comparison::Equal => equal(),
            Comparison::NotEqual => differing(index, value, u64::MAX),
            Comparison::Less => differing(index, value, value),
            Comparison::LessOrEqual => differing(index, value, value).union(&equal()),
            Comparison::Greater => differing(index, value, !value),
            Comparison::GreaterOrEqual => differing(index, value, !value).union(&equal()),
        }
    }
}

/// Where the highest bit in which the argument differs from `value` is one of `bits`.
fn differing(index: usize, value: u64, bits: u64) -> Rule {
    let bits = (0..u64::BITS).filter(|bit| bits >> bit & 1 == 1);
    bits.filter_map(|bit| Conjunction::one(index, Masked::new(u64::MAX << bit, value ^ 1 << bit)))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ARGUMENTS;

    fn check(argument: u64, value: u64) {
        for (comparison, expected) in [
            (Comparison::Equal, argument == value),
            (Comparison::NotEqual, argument != value),
            (Comparison::Less, argument < value),
            (Comparison::LessOrEqual, argument <= value),
            (Comparison::Greater, argument > value),
            (Comparison::GreaterOrEqual, argument >= value),
        ] {
            let rule = Rule::compared(2, comparison, value);
            assert_eq!(
                rule.allows(&[0, 0, argument, 0, 0, 0]),
                expected,
                "{argument:#x} {comparison:?} {value:#x}"
            );
        }
    }

    proptest! {
        #[test]
        fn comparisons_are_those_of_numbers(argument: u64, value: u64, bit in 0..u64::BITS) {
            check(argument, value);
            check(value ^ 1 << bit, value);
        }
    }

    #[test]
    fn ends_are_compared_too() {
        for (argument, value) in [(0, 0), (u64::MAX, u64::MAX), (0, u64::MAX), (u64::MAX, 0)] {
            check(argument, value);
        }
        assert!(Rule::compared(0, Comparison::Less, 0).is_never());
        assert!(Rule::compared(0, Comparison::Greater, u64::MAX).is_never());
        assert!(Rule::compared(ARGUMENTS, Comparison::Equal, 0).is_never());
    }
}
