//! How code that is about to install a policy asks whether it is in force already.
//!
//! Filters add up: a shell that starts a shell that starts a shell would carry the same policy three times, every call
//! would cost three times as much, and the kernel's limit on all filters of a process would come near. No call tells
//! which filters are installed, so each policy leaves a mark: it denies one call that is useless otherwise, `prctl`
//! with an option that no kernel has and one bit set in one argument, and allows that call with all the other bits.
//! The kernel answers EINVAL where no filter denies.

/// The option, "CFNE": none that Linux has.
pub const OPTION: u32 = 0x4346_4e45;
/// How many marks there are. Policies beyond share them, and then one of them may be taken for the other and left
/// out where that one is in force; both allow what is started under them, so nothing breaks.
pub const MARKS: u32 = 4 * 64;

/// The argument of `prctl`, from 1 to 4, that has the bit of a mark, and the bit.
#[must_use]
pub fn bit(mark: u32) -> (usize, u64) {
    let mark = mark % MARKS;
    (1 + mark as usize / 64, 1 << (mark % 64))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_mark_has_a_bit_of_its_own() {
        let bits: BTreeSet<(usize, u64)> = (0..MARKS).map(bit).collect();
        assert_eq!(bits.len(), MARKS as usize);
        assert!(
            bits.iter()
                .all(|(argument, bit)| (1..=4).contains(argument) && bit.is_power_of_two())
        );
    }
}
