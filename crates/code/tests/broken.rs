//! Broken objects: whatever bytes stand where code and data should, decoding and evaluating them ends soon.
#![allow(clippy::print_stdout, reason = "a test may say what it skips")]

use std::time::Duration;

use confine_code::{Facts, evaluate};
use confine_elf::Object;
use proptest::prelude::*;
use rustix::time::{ClockId, clock_gettime};

/// The processor's time that any broken variant of a small file may take without optimisation; a sound one takes a few
/// milliseconds.
const LONGEST: Duration = Duration::from_secs(10);

/// How many functions of one variant are evaluated.
const EVALUATED: usize = 200;

fn sample() -> Option<Vec<u8>> {
    let bytes = std::fs::read("/bin/true").ok();
    if bytes.is_none() {
        println!("skipped: no /bin/true on this machine");
    }
    bytes
}

/// One change of a file: at a place given as a share of its length, these bytes.
fn change() -> impl Strategy<Value = (f64, Vec<u8>)> {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..4),
        prop::collection::vec(any::<u8>(), 1..64),
        Just(vec![0xff; 8]),
        Just(vec![0; 256]),
        // A jump to itself, a jump through a register, a call of the next byte, a conditional jump back.
        Just(vec![0xeb, 0xfe]),
        Just(vec![0xff, 0xe0]),
        Just(vec![0xe8, 0xfc, 0xff, 0xff, 0xff]),
        Just(vec![0x0f, 0x85, 0xf0, 0xff, 0xff, 0xff]),
    ];
    // The headers matter most: half of the changes go there.
    (prop_oneof![0.0..0.03_f64, 0.0..1.0_f64], bytes)
}

fn apply(file: &mut [u8], (share, bytes): &(f64, Vec<u8>)) {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "the share is below one and the file small"
    )]
    let at = (file.len() as f64 * share) as usize;
    let places = file.iter_mut().skip(at);
    for (place, byte) in places.zip(bytes) {
        *place = *byte;
    }
}

/// Everything that is computed of one object.
fn analyse(file: Vec<u8>) {
    let start = processor_time();
    let Ok(object) = Object::parse(file.into()) else {
        return;
    };
    let facts = Facts::of(&object);
    for pair in facts.functions.windows(2) {
        assert!(pair[0].code.end <= pair[1].code.start, "functions overlap");
    }
    for (index, function) in facts.functions.iter().enumerate() {
        assert!(function.code.start <= function.code.end);
        if index < EVALUATED || !function.system_calls.is_empty() {
            let _ = evaluate(&object, &facts, index);
        }
    }
    let taken = processor_time().saturating_sub(start);
    assert!(taken < LONGEST, "{taken:?}");
}

/// What all threads of this process have had: unlike the time of day it does not grow when the machine is busy.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

#[test]
fn a_section_that_claims_all_of_memory_is_cut_to_the_file() {
    let Some(mut object) = sample().and_then(|file| Object::parse(file.into()).ok()) else {
        return;
    };
    let held = Facts::of(&object).functions.len();
    for section in object.sections.iter_mut().filter(|section| section.executable) {
        section.addresses.end = u64::MAX;
    }
    assert!(Facts::of(&object).functions.len() >= held);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn changed_files_are_analysed_without_panic(changes in prop::collection::vec(change(), 1..24)) {
        if let Some(mut file) = sample() {
            for change in &changes {
                apply(&mut file, change);
            }
            analyse(file);
        }
    }

    #[test]
    fn random_code_is_analysed_without_panic(seed in any::<u64>(), percent in 1..100_u64) {
        let Some(mut file) = sample() else { return Ok(()) };
        let Ok(object) = Object::parse(file.clone().into()) else { return Ok(()) };
        let mut word = seed | 1;
        for segment in object.segments.iter().filter(|segment| segment.executable) {
            for byte in file.iter_mut().take(segment.file.end).skip(segment.file.start) {
                // Xorshift: any fixed sequence would do.
                word ^= word << 13;
                word ^= word >> 7;
                word ^= word << 17;
                if word % 100 < percent {
                    *byte = word.to_le_bytes()[3];
                }
            }
        }
        analyse(file);
    }
}

#[test]
fn facts_do_not_depend_on_which_thread_finishes_first() {
    let Some(file) = sample() else { return };
    let Ok(object) = Object::parse(file.into()) else {
        return;
    };
    let first = Facts::of(&object);
    for _ in 0..4 {
        assert_eq!(first.functions, Facts::of(&object).functions);
    }
}
