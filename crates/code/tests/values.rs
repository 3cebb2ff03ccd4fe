//! The laws of [`Value`], checked against the words that a value stands for.
//!
//! A [`World`] fixes everything that values leave to the moment of execution: where the object is loaded, where
//! the stack is, what the caller passed and what memory holds. In a world a value is a plain set of words, so
//! that "over-approximates" can be tried on samples of it.

use confine_code::{Constants, Entry, Loaded, Location, Pointer, Value};
use confine_isa::{Arithmetic, Register, Width};
use proptest::prelude::*;

/// What is only known when the program runs.
#[derive(Debug, Clone, Copy)]
struct World {
    base: u64,
    stack: u64,
    seed: u64,
}

impl World {
    /// Some fixed word for everything that is named by numbers.
    fn word(&self, names: &[u64]) -> u64 {
        names.iter().fold(self.seed, |word, name| {
            (word ^ name).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
        })
    }

    /// In every other world callers pass small numbers, which bounds let through.
    fn passed(&self, location: Location) -> u64 {
        let word = match location {
            Location::Register(register) => self.word(&[1, register.number() as u64]),
            Location::Stack(distance) => self.word(&[2, distance.into()]),
        };
        if self.seed & 1 == 0 { word } else { word % SMALL }
    }

    fn loaded(&self, loaded: &Loaded) -> u64 {
        let pointer = match loaded.pointer {
            Pointer::Entry(location) => self.passed(location),
            Pointer::Variable(address) => self.word(&[3, address]),
        };
        self.word(&[4, pointer, loaded.offset]) & loaded.width.mask()
    }

    fn contains(&self, value: &Value, word: u64) -> bool {
        match value {
            Value::Any => true,
            Value::UpTo(most) => word <= *most,
            _ => self.listed(value).contains(&word),
        }
    }

    /// The words of a value that has few; none of one that is not come to in this world.
    fn listed(&self, value: &Value) -> Vec<u64> {
        match value {
            Value::Any | Value::UpTo(_) => Vec::new(),
            Value::Constants(numbers) => numbers.as_slice().to_vec(),
            Value::Addresses(addresses) => addresses
                .as_slice()
                .iter()
                .map(|address| address.wrapping_add(self.base))
                .collect(),
            Value::Frame(distance) => vec![self.stack.wrapping_add_signed(*distance)],
            Value::Entry(entry) => {
                let passed = self.passed(entry.location);
                let holds = is_within(entry, passed);
                holds.then(|| changed(entry, passed)).into_iter().collect()
            }
            Value::Variable { address, add } => vec![self.word(&[3, *address]).wrapping_add(*add)],
            Value::Loaded(loaded) => vec![self.loaded(loaded)],
        }
    }

    /// A word of the value, picked by a number, if it has any.
    fn sample(&self, value: &Value, pick: u64) -> Option<u64> {
        match value {
            Value::Any => Some(pick),
            Value::UpTo(u64::MAX) => Some(pick),
            Value::UpTo(most) => Some(pick % (most + 1)),
            listed => {
                let words = self.listed(listed);
                let index = pick.checked_rem(words.len() as u64)?;
                words.get(usize::try_from(index).ok()?).copied()
            }
        }
    }
}

/// What callers pass in some worlds is less than this, and so are bounds.
const SMALL: u64 = 8;

/// Whether what a caller passes is what the value says of it.
fn is_within(entry: &Entry, word: u64) -> bool {
    let matters = u64::MAX.checked_shr(entry.and.leading_zeros()).unwrap_or(0);
    word & matters <= entry.most
}

fn changed(entry: &Entry, word: u64) -> u64 {
    word.wrapping_add(entry.add) & entry.and | entry.or
}

/// What the processor does with two words that were cut to `width`.
fn computed(operation: Arithmetic, left: u64, right: u64, width: Width) -> u64 {
    let count = right % if width == Width::Quad { 64 } else { 32 };
    let result = match operation {
        Arithmetic::Add => left.wrapping_add(right),
        Arithmetic::Subtract => left.wrapping_sub(right),
        Arithmetic::And => left & right,
        Arithmetic::Or => left | right,
        Arithmetic::ExclusiveOr => left ^ right,
        Arithmetic::ShiftLeft => left << count,
        Arithmetic::ShiftRight => left >> count,
        Arithmetic::ShiftRightSigned => (width.sign_extend(left).cast_signed() >> count).cast_unsigned(),
        Arithmetic::Multiply => left.wrapping_mul(right),
    };
    result & width.mask()
}

/// Numbers around the places where arithmetic goes wrong.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..40_u64,
        any::<u64>(),
        any::<u32>().prop_map(u64::from),
        any::<i8>().prop_map(|small| i64::from(small).cast_unsigned()),
        (0..64_u32, -1..=1_i64).prop_map(|(bit, near)| (1_u64 << bit).wrapping_add_signed(near)),
    ]
}

fn constants() -> impl Strategy<Value = Constants> {
    prop::collection::vec(number(), 1..=Constants::MOST).prop_filter_map("never empty", Constants::collect)
}

fn location() -> impl Strategy<Value = Location> {
    prop_oneof![
        (0..Register::COUNT).prop_filter_map("in range", |number| {
            Register::from_number(number).map(Location::Register)
        }),
        (1..8_u16).prop_map(|slot| Location::Stack(8 * slot)),
    ]
}

/// With the bits that are set cut from those that are kept, as the analysis makes them.
fn entry() -> impl Strategy<Value = Entry> {
    (
        location(),
        number(),
        prop_oneof![Just(u64::MAX), number()],
        prop_oneof![Just(0), number()],
        prop_oneof![Just(u64::MAX), 0..SMALL],
    )
        .prop_map(|(location, add, and, or, most)| Entry {
            location,
            add,
            and: and & !or,
            or,
            most,
        })
}

fn loaded() -> impl Strategy<Value = Loaded> {
    let pointer = prop_oneof![
        location().prop_map(Pointer::Entry),
        (0..64_u64).prop_map(|index| Pointer::Variable(0x4000 + 8 * index)),
    ];
    (pointer, 0..64_u64, width()).prop_map(|(pointer, offset, width)| Loaded {
        pointer,
        offset,
        width,
    })
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(Value::Any),
        4 => number().prop_map(Value::constant),
        3 => constants().prop_map(Value::Constants),
        2 => constants().prop_map(Value::Addresses),
        2 => any::<i16>().prop_map(|distance| Value::Frame(distance.into())),
        3 => entry().prop_map(Value::Entry),
        2 => location().prop_map(|location| Value::Entry(Entry::unchanged(location))),
        3 => number().prop_map(Value::UpTo),
        1 => (0..64_u64, number())
            .prop_map(|(index, add)| Value::Variable { address: 0x4000 + 8 * index, add }),
        1 => loaded().prop_map(Value::Loaded),
    ]
}

fn width() -> impl Strategy<Value = Width> {
    prop::sample::select(vec![Width::Byte, Width::Word, Width::Double, Width::Quad])
}

fn operation() -> impl Strategy<Value = Arithmetic> {
    prop::sample::select(vec![
        Arithmetic::Add,
        Arithmetic::Subtract,
        Arithmetic::And,
        Arithmetic::Or,
        Arithmetic::ExclusiveOr,
        Arithmetic::ShiftLeft,
        Arithmetic::ShiftRight,
        Arithmetic::ShiftRightSigned,
        Arithmetic::Multiply,
    ])
}

fn world() -> impl Strategy<Value = World> {
    (any::<u32>(), any::<u32>(), any::<u64>()).prop_map(|(base, stack, seed)| World {
        base: u64::from(base) << 12,
        stack: 0x7fff_0000_0000 + u64::from(stack) * 8,
        seed,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn join_is_commutative_and_idempotent(left in value(), right in value()) {
        prop_assert_eq!(left.join(&right), right.join(&left));
        prop_assert_eq!(left.join(&left), left);
    }

    #[test]
    fn join_holds_what_both_hold(left in value(), right in value(), world in world(), pick in number()) {
        let joined = left.join(&right);
        for side in [&left, &right] {
            let held = world.sample(side, pick).is_none_or(|word| world.contains(&joined, word));
            prop_assert!(held, "{joined:?}");
            // Nothing new comes of it: what was joined in stays in.
            prop_assert_eq!(joined.join(side), joined.clone());
        }
    }

    /// Why the analysis ends: however many values come, a state changes a bounded number of times. The bounds of
    /// ranges come from the code, here a few.
    #[test]
    fn joins_settle(numbers in prop::collection::vec(number(), 1..200), most in prop::collection::vec(number(), 1..5)) {
        let ranges = most.iter().copied().map(Value::UpTo);
        let values = numbers.iter().copied().map(Value::constant).chain(ranges);
        let mut joined = Value::UpTo(0);
        let mut changes = 0;
        for value in values.clone().chain(values) {
            let next = joined.join(&value);
            changes += usize::from(next != joined);
            joined = next;
        }
        prop_assert!(changes <= Constants::MOST + most.len() + 1, "{changes} changes");
    }

    #[test]
    fn truncation_holds_the_low_bytes(value in value(), width in width(), world in world(), pick in number()) {
        let Some(word) = world.sample(&value, pick) else { return Ok(()) };
        let word = word & width.mask();
        let cut = value.truncate(width);
        prop_assert!(world.contains(&cut, word), "{cut:?} lacks {word:#x}");
    }

    #[test]
    fn truncation_holds_nothing_wider(value in value(), width in width(), world in world(), pick in number()) {
        let word = world.sample(&value.truncate(width), pick);
        prop_assert_eq!(word.unwrap_or(0) & !width.mask(), 0);
    }

    #[test]
    fn sign_extension_holds_the_extended(
        value in value(), from in width(), to in width(), world in world(), pick in number()
    ) {
        let (from, to) = (from.min(to), from.max(to));
        let cut = value.truncate(from);
        let Some(word) = world.sample(&cut, pick) else { return Ok(()) };
        let word = from.sign_extend(word) & to.mask();
        let extended = cut.sign_extend(from, to);
        prop_assert!(world.contains(&extended, word), "{extended:?} lacks {word:#x}");
    }

    #[test]
    fn arithmetic_holds_the_result(
        operation in operation(), left in value(), right in value(), width in width(), world in world(),
        picks in (number(), number())
    ) {
        let (left, right) = (left.truncate(width), right.truncate(width));
        let (Some(one), Some(other)) = (world.sample(&left, picks.0), world.sample(&right, picks.1)) else {
            return Ok(());
        };
        let word = computed(operation, one, other, width);
        let result = left.arithmetic(operation, &right, width);
        prop_assert!(world.contains(&result, word), "{one:#x} {operation:?} {other:#x}: {result:?} lacks {word:#x}");
    }

    /// A bound of what the caller passed holds whatever is made of it.
    #[test]
    fn few_numbers_are_all_that_is_passed(entry in entry(), world in world()) {
        let passed = world.passed(entry.location);
        if let Some(few) = entry.bounded().filter(|_| is_within(&entry, passed)) {
            prop_assert!(few.as_slice().contains(&changed(&entry, passed)), "{entry:?}: {few:?}");
        }
    }

    /// A caller's value put in for what its callee found at entry.
    #[test]
    fn instantiation_holds_what_the_callee_computes(
        entry in entry(), passed in value(), world in world(), pick in number()
    ) {
        let Some(passed_word) = world.sample(&passed, pick).filter(|word| is_within(&entry, *word)) else {
            return Ok(());
        };
        let word = changed(&entry, passed_word);
        let result = Value::Entry(entry).instantiate(|_| passed.clone());
        prop_assert!(world.contains(&result, word), "{result:?} lacks {word:#x}");
    }
}
