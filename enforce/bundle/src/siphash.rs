//! SipHash-2-4 with 128 bits of output, by Aumasson and Bernstein (2012; the longer output is in their reference
//! implementation).
//!
//! With a key that everybody knows it is a checksum and no signature: it tells files apart that nobody forged.

/// What has been hashed so far.
pub(crate) struct SipHash {
    state: [u64; 4],
    /// Bytes that do not fill a word yet, the first one lowest.
    tail: u64,
    /// How many bytes were hashed; the low three bits say how many are in the tail.
    length: u64,
}

impl SipHash {
    /// Nothing hashed, with a key.
    pub(crate) fn new(key: [u64; 2]) -> Self {
        let [low, high] = key;
        Self {
            state: [
                low ^ 0x736f_6d65_7073_6575,
                high ^ 0x646f_7261_6e64_6f6d ^ 0xee,
                low ^ 0x6c79_6765_6e65_7261,
                high ^ 0x7465_6462_7974_6573,
            ],
            tail: 0,
            length: 0,
        }
    }

    /// Hashes more bytes; how they are cut does not matter.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while self.length & 7 != 0 {
            let [first, others @ ..] = rest else { return };
            self.byte(*first);
            rest = others;
        }
        let (words, rest) = rest.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        self.length = self.length.wrapping_add(8u64.wrapping_mul(words.len() as u64));
        for byte in rest {
            self.byte(*byte);
        }
    }

    /// The hash of everything, as the reference implementation writes it out.
    pub(crate) fn finish(mut self) -> [u8; 16] {
        self.word(self.tail | self.length << 56);
        let [_, _, third, _] = &mut self.state;
        *third ^= 0xee;
        let low = self.squeeze();
        let [_, second, _, _] = &mut self.state;
        *second ^= 0xdd;
        let high = self.squeeze();
        (u128::from(high) << 64 | u128::from(low)).to_le_bytes()
    }

    fn byte(&mut self, byte: u8) {
        self.tail |= u64::from(byte) << (8 * (self.length & 7));
        self.length = self.length.wrapping_add(1);
        if self.length & 7 == 0 {
            self.word(self.tail);
            self.tail = 0;
        }
    }

    fn word(&mut self, word: u64) {
        let [_, _, _, fourth] = &mut self.state;
        *fourth ^= word;
        self.round();
        self.round();
        let [first, ..] = &mut self.state;
        *first ^= word;
    }

    fn squeeze(&mut self) -> u64 {
        for _ in 0..4 {
            self.round();
        }
        let [first, second, third, fourth] = self.state;
        first ^ second ^ third ^ fourth
    }

    fn round(&mut self) {
        let [mut first, mut second, mut third, mut fourth] = self.state;
        first = first.wrapping_add(second);
        second = second.rotate_left(13) ^ first;
        first = first.rotate_left(32);
        third = third.wrapping_add(fourth);
        fourth = fourth.rotate_left(16) ^ third;
        first = first.wrapping_add(fourth);
        fourth = fourth.rotate_left(21) ^ first;
        third = third.wrapping_add(second);
        second = second.rotate_left(17) ^ third;
        third = third.rotate_left(32);
        self.state = [first, second, third, fourth];
    }
}

#[cfg(test)]
mod tests {
    use std::hash::Hasher as _;

    use proptest::prelude::*;
    use siphasher::sip128::{Hasher128, SipHasher24};

    use super::*;

    proptest! {
        #[test]
        fn another_implementation_says_the_same(key: [u64; 2], bytes: Vec<u8>, cut: prop::sample::Index) {
            let mut other = SipHasher24::new_with_keys(key[0], key[1]);
            other.write(&bytes);
            let mut own = SipHash::new(key);
            let (one, two) = bytes.split_at(cut.index(bytes.len() + 1));
            own.write(one);
            own.write(two);
            prop_assert_eq!(own.finish(), other.finish128().as_bytes());
        }
    }
}
