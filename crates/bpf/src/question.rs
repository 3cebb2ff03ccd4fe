//! What a decision asks about a word, and which of the cases are left by each answer.

/// How many cases are looked at as a whole.
pub(crate) const MAXIMUM_CASES: usize = 512;
const WORDS: usize = MAXIMUM_CASES / u64::BITS as usize;

/// One test of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Question {
    /// Is it this value?
    Equal(u32),
    /// Is it not less?
    AtLeast(u32),
    /// Has it one of these bits?
    AnyBit(u32),
    /// Are these of its bits those of the value? The word is masked for it, and has to be fetched again after a no.
    Masked {
        /// Which bits.
        mask: u32,
        /// What they are compared with.
        value: u32,
    },
}

impl Question {
    /// Whether some word from `first` to `last` may be answered by yes, and whether some may by no. Where one is not
    /// looked for exactly, it may.
    pub(crate) fn answers(self, first: u32, last: u32) -> (bool, bool) {
        if first == last {
            let yes = match self {
                Self::Equal(value) => first == value,
                Self::AtLeast(least) => first >= least,
                Self::AnyBit(mask) => first & mask != 0,
                Self::Masked { mask, value } => first & mask == value,
            };
            return (yes, !yes);
        }
        let some_match = |mask, value| matches_from(first, mask, value).is_some_and(|word| word <= last);
        match self {
            Self::Equal(value) => ((first..=last).contains(&value), true),
            Self::AtLeast(least) => (last >= least, first < least),
            Self::AnyBit(mask) => (true, some_match(mask, 0)),
            Self::Masked { mask, value } => (some_match(mask, value), true),
        }
    }
}

/// The least word from `first` on whose bits under the mask are those of `value`.
fn matches_from(first: u32, mask: u32, value: u32) -> Option<u32> {
    if first & mask == value {
        return Some(first);
    }
    // What is greater than `first` agrees with it above a bit that is set in the one and not in the other. The lower that bit,
    // the less is the word; below it, the bits that are free are 0.
    (0..u32::BITS).find_map(|bit| {
        let raised = 1 << bit;
        let above = u32::MAX.checked_shl(bit + 1).unwrap_or_default();
        let fits = first & raised == 0
            && (mask & raised == 0 || value & raised != 0)
            && (first ^ value) & mask & above == 0;
        fits.then_some(first & above | raised | value & (raised - 1))
    })
}

/// Some of the cases, by their index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Cases {
    bits: [u64; WORDS],
}

impl Cases {
    /// The first so many, of which there are no more than [`MAXIMUM_CASES`].
    pub(crate) fn first(count: usize) -> Self {
        let mut all = Self::default();
        (0..count).for_each(|index| all.insert(index));
        all
    }

    pub(crate) fn insert(&mut self, index: usize) {
        if let Some(word) = self.bits.get_mut(index / u64::BITS as usize) {
            *word |= 1 << (index % u64::BITS as usize);
        }
    }

    /// Those that are among the others, too.
    pub(crate) fn common(mut self, others: Self) -> Self {
        for (own, other) in self.bits.iter_mut().zip(others.bits) {
            *own &= other;
        }
        self
    }

    /// The indices, in order.
    pub(crate) fn indices(self) -> impl Iterator<Item = usize> {
        let words = self.bits.into_iter().enumerate();
        words.flat_map(|(at, mut left)| {
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
                left &= left - 1;
                Some(at * u64::BITS as usize + bit)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BITS: u32 = 6;

    fn question() -> impl Strategy<Value = Question> {
        let word = 0..1u32 << BITS;
        prop_oneof![
            word.clone().prop_map(Question::Equal),
            word.clone().prop_map(Question::AtLeast),
            word.clone().prop_map(Question::AnyBit),
            (word.clone(), word).prop_map(|(mask, value)| Question::Masked {
                mask,
                value: value & mask
            }),
        ]
    }

    proptest! {
        #[test]
        fn no_answer_is_forgotten(question in question(), first in 0..1u32 << BITS, more in 0..1u32 << BITS) {
            let last = (first + more).min((1 << BITS) - 1);
            let holds = |word: u32| match question {
                Question::Equal(value) => word == value,
                Question::AtLeast(least) => word >= least,
                Question::AnyBit(mask) => word & mask != 0,
                Question::Masked { mask, value } => word & mask == value,
            };
            let (yes, no) = question.answers(first, last);
            let some = |wanted: bool| (first..=last).any(|word| holds(word) == wanted);
            prop_assert!((yes || !some(true)) && (no || !some(false)), "{yes} {no}");
            // For a single word it is exact, so that what is asked divides the cases.
            prop_assert!(first != last || (yes, no) == (some(true), some(false)), "{yes} {no}");
        }

        #[test]
        fn the_least_match_is_found(first in 0..1u32 << BITS, mask in 0..1u32 << BITS, value in 0..1u32 << BITS) {
            let value = value & mask;
            let expected = (first..2 << BITS).find(|word| word & mask == value);
            prop_assert_eq!(matches_from(first, mask, value), expected);
        }
    }

    #[test]
    fn matches_end_with_the_words() {
        for (first, mask, value, expected) in [
            (u32::MAX, 1, 0, None),
            (u32::MAX - 1, u32::MAX, u32::MAX, Some(u32::MAX)),
            (1, u32::MAX, 0, None),
            (5, 1 << 31, 1 << 31, Some(1 << 31)),
        ] {
            assert_eq!(matches_from(first, mask, value), expected, "{first:#x}");
        }
    }

    #[test]
    fn indices_are_those_that_were_put_in() {
        assert!(Cases::first(MAXIMUM_CASES).indices().eq(0..MAXIMUM_CASES));
        let mut some = Cases::default();
        [511, 64, 0, 63].into_iter().for_each(|index| some.insert(index));
        assert!(some.indices().eq([0, 63, 64, 511]));
        assert!(some.common(Cases::first(64)).indices().eq([0, 63]));
    }
}
