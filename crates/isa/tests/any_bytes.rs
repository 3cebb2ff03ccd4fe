//! Whatever the bytes are, the decoder goes on to their end and lifting them gives something.

use confine_isa::{Decoder, Flow, Operand, Operation};
use proptest::prelude::*;

/// Decodes and lifts everything; how many instructions there were.
fn decode(bytes: &[u8], address: u64) -> usize {
    let mut decoder = Decoder::new(bytes, address);
    let mut operations = Vec::new();
    let mut next = address;
    let mut count = 0;
    while let Some(instruction) = decoder.next_instruction() {
        assert_eq!(instruction.address(), next, "no byte is skipped");
        next = instruction.end();
        assert_ne!(next, instruction.address(), "every instruction has a length");
        operations.clear();
        instruction.lift(&mut operations);
        for operation in &operations {
            let constant = match operation {
                Operation::Copy { to, .. } => to,
                Operation::Arithmetic { place, .. } => place,
                _ => continue,
            };
            assert!(
                !matches!(constant, Operand::Constant(_)),
                "{operation:?} writes a constant"
            );
        }
        let mention = instruction.memory_mention();
        assert!(mention.is_none() || instruction.is_valid());
        if !instruction.is_valid() {
            assert_eq!(instruction.flow(), Flow::Stop);
        }
        assert!(instruction.is_valid() || !instruction.is_padding());
        count += 1;
    }
    count
}

/// Addresses at which sums may wrap around.
fn address() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(0x40_1000),
        Just(u64::MAX - 40),
        Just(i64::MAX as u64 - 20),
        any::<u64>()
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(65_536))]

    #[test]
    fn any_bytes_are_decoded_to_their_end(bytes in prop::collection::vec(any::<u8>(), 0..96), address in address()) {
        let count = decode(&bytes, address);
        prop_assert!(count <= bytes.len() && (count > 0) != bytes.is_empty());
    }

    /// Every opcode of every map with every ModRM byte comes up, with and without prefixes.
    #[test]
    fn every_opcode_is_lifted(
        prefix in prop::sample::select(vec![&[][..], &[0x66], &[0xf2], &[0xf3], &[0x48], &[0x67], &[0x64, 0x4c], &[0xf0, 0x48]]),
        map in prop::sample::select(vec![&[][..], &[0x0f], &[0x0f, 0x38], &[0x0f, 0x3a], &[0xc5, 0xf8], &[0xc4, 0xe2, 0x78], &[0x62, 0xf1, 0x7c, 0x48]]),
        rest in prop::array::uniform12(any::<u8>())
    ) {
        let bytes: Vec<u8> = [prefix, map, &rest[..]].concat();
        decode(&bytes, 0x40_1000);
    }

    #[test]
    fn seeking_stays_inside(bytes in prop::collection::vec(any::<u8>(), 1..32), address in address(), to in any::<u64>()) {
        let mut decoder = Decoder::new(&bytes, address);
        let inside = to.checked_sub(address).is_some_and(|offset| offset < bytes.len() as u64);
        prop_assert_eq!(decoder.seek(to), inside);
        for offset in 0..bytes.len() as u64 {
            if let Some(there) = address.checked_add(offset) {
                prop_assert!(decoder.seek(there));
                prop_assert_eq!(decoder.next_instruction().map(|instruction| instruction.address()), Some(there));
            }
        }
    }
}
