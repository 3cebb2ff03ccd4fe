//! One condition on each argument of a call, all of which must hold.

/// How many arguments a system call has at most.
pub const ARGUMENTS: usize = 6;

/// A condition on a 64-bit argument: the bits of `mask` must be those of `value`.
///
/// An argument of which the kernel reads only the low 32 bits is compared under a mask of those bits, as the
/// caller may leave anything in the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Masked {
    mask: u64,
    value: u64,
}

impl Masked {
    /// The condition `argument & mask == value & mask`; no condition if `mask` is 0.
    #[must_use]
    pub fn new(mask: u64, value: u64) -> Self {
        Self {
            mask,
            value: value & mask,
        }
    }

    /// The bits that are compared.
    #[must_use]
    pub fn mask(self) -> u64 {
        self.mask
    }

    /// What they are compared with; 0 outside the mask.
    #[must_use]
    pub fn value(self) -> u64 {
        self.value
    }

    fn holds(self, argument: u64) -> bool {
        argument & self.mask == self.value
    }

    /// Whether every argument that satisfies `other` satisfies `self`.
    fn includes(self, other: Self) -> bool {
        self.mask & !other.mask == 0 && other.value & self.mask == self.value
    }

    /// The bits that both compare with the same.
    fn hull(self, other: Self) -> Self {
        let mask = self.mask & other.mask & !(self.value ^ other.value);
        Self::new(mask, self.value)
    }

    /// Both conditions as one; `None` if no argument satisfies both.
    fn intersection(self, other: Self) -> Option<Self> {
        let common = self.mask & other.mask;
        let agree = self.value & common == other.value & common;
        agree.then_some(Self {
            mask: self.mask | other.mask,
            value: self.value | other.value,
        })
    }
}

/// A condition on each argument, all of which must hold. There always are arguments for which they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Conjunction {
    arguments: [Masked; ARGUMENTS],
}

impl Conjunction {
    /// Conditions on the arguments from the first one on; `Masked::default()` is no condition.
    #[must_use]
    pub fn new(arguments: [Masked; ARGUMENTS]) -> Self {
        Self { arguments }
    }

    /// A condition on the argument with that index alone; `None` if there is no such argument.
    #[must_use]
    pub fn one(index: usize, condition: Masked) -> Option<Self> {
        let mut arguments = [Masked::default(); ARGUMENTS];
        *arguments.get_mut(index)? = condition;
        Some(Self { arguments })
    }

    /// The arguments that are compared, with their index.
    pub fn conditions(&self) -> impl Iterator<Item = (usize, Masked)> {
        self.arguments
            .into_iter()
            .enumerate()
            .filter(|(_, condition)| condition.mask != 0)
    }

    /// Whether nothing is compared.
    #[must_use]
    pub fn is_unconditional(&self) -> bool {
        self.conditions().next().is_none()
    }

    /// Whether every condition holds.
    #[must_use]
    pub fn holds(&self, arguments: &[u64; ARGUMENTS]) -> bool {
        self.arguments
            .iter()
            .zip(arguments)
            .all(|(condition, argument)| condition.holds(*argument))
    }

    /// Whether `self` holds wherever `other` does.
    pub(crate) fn includes(&self, other: &Self) -> bool {
        self.arguments
            .iter()
            .zip(other.arguments)
            .all(|(own, other)| own.includes(other))
    }

    /// The tightest conjunction that holds wherever one of the two does.
    pub(crate) fn hull(&self, other: &Self) -> Self {
        let mut arguments = self.arguments;
        for (own, other) in arguments.iter_mut().zip(other.arguments) {
            *own = own.hull(other);
        }
        Self { arguments }
    }

    /// How many bits are compared.
    pub(crate) fn bits(&self) -> u32 {
        let masks = self.arguments.iter();
        masks.map(|condition| condition.mask.count_ones()).sum()
    }

    /// Where both hold; `None` if that is nowhere.
    pub(crate) fn intersection(&self, other: &Self) -> Option<Self> {
        let mut arguments = self.arguments;
        for (own, other) in arguments.iter_mut().zip(other.arguments) {
            *own = own.intersection(other)?;
        }
        Some(Self { arguments })
    }

    /// Where `self` holds and `other` does not, as pieces that do not overlap.
    ///
    /// Bit by bit: what differs from `other` in the first bit that it compares is one piece, and the remainder,
    /// which agrees in that bit, goes on to the next. There are as many pieces as bits that only `other` compares.
    pub(crate) fn difference(&self, other: &Self) -> Vec<Self> {
        if self.intersection(other).is_none() {
            return vec![*self];
        }
        let mut pieces = Vec::new();
        let mut remainder = *self;
        for (index, (own, other)) in self.arguments.iter().zip(other.arguments).enumerate() {
            for bit in (0..u64::BITS)
                .map(|bit| 1u64 << bit)
                .filter(|bit| other.mask & !own.mask & bit != 0)
            {
                let mut piece = remainder;
                for (target, wanted) in [
                    (&mut piece, !other.value & bit),
                    (&mut remainder, other.value & bit),
                ] {
                    if let Some(condition) = target.arguments.get_mut(index) {
                        *condition = Masked {
                            mask: condition.mask | bit,
                            value: condition.value | wanted,
                        };
                    }
                }
                pieces.push(piece);
            }
        }
        pieces
    }
}
