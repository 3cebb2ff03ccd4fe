//! Broken files: an error or problems, never a panic, in bounded time and memory.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::time::{Duration, Instant};

use confine_elf::{Error, Object};

/// How long any broken variant of a small file may take; a sound one takes less than a millisecond.
const LONGEST: Duration = Duration::from_secs(2);

const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
const SECTION_HEADER: usize = 64;

fn sample() -> Option<Vec<u8>> {
    std::fs::read("/bin/ls").ok()
}

fn parse(bytes: Vec<u8>) -> Result<Object, Error> {
    let start = Instant::now();
    let length = bytes.len();
    let parsed = Object::parse(bytes.into());
    assert!(start.elapsed() < LONGEST, "{:?}", start.elapsed());
    if let Ok(object) = &parsed {
        let names = object
            .dynamic_symbols
            .iter()
            .chain(&object.symbols)
            .map(|symbol| symbol.name.len());
        assert!(names.sum::<usize>() <= 4 * length + (1 << 20));
        assert!(object.relocations.len() <= length && object.unwind.len() <= length);
    }
    parsed
}

fn word(bytes: &[u8], offset: usize) -> usize {
    usize::try_from(u64::from_le_bytes(*bytes[offset..].first_chunk().unwrap())).unwrap()
}

fn half(bytes: &[u8], offset: usize) -> usize {
    usize::from(u16::from_le_bytes(*bytes[offset..].first_chunk().unwrap()))
}

#[test]
fn cut_anywhere() {
    let Some(bytes) = sample() else { return };
    let mut lengths: Vec<usize> = (0..64).map(|part| bytes.len() * part / 64).collect();
    lengths.extend(0..=HEADER);
    let headers = half(&bytes, 56);
    lengths.extend((0..=headers).map(|index| HEADER + index * PROGRAM_HEADER));
    let sections = word(&bytes, 40);
    lengths.extend((0..half(&bytes, 60)).map(|index| sections + index * SECTION_HEADER));
    let object = parse(bytes.clone()).unwrap();
    lengths.extend(
        object
            .segments
            .iter()
            .flat_map(|segment| [segment.file.start, segment.file.end]),
    );
    for length in lengths {
        let cut = parse(bytes[..length].to_vec());
        if length < HEADER + headers * PROGRAM_HEADER {
            assert!(cut.is_err(), "cut at {length}");
        } else {
            assert!(!cut.unwrap().problems.is_empty(), "cut at {length}");
        }
    }
}

#[test]
fn every_word_of_the_headers_set_to_extremes() {
    let Some(bytes) = sample() else { return };
    let object = parse(bytes.clone()).unwrap();
    let dynamic = object
        .sections
        .iter()
        .find(|section| section.name == ".dynamic")
        .unwrap();
    let segment = object.segment_at(dynamic.addresses.start).unwrap();
    let dynamic =
        segment.file.start + usize::try_from(dynamic.addresses.start - segment.addresses.start).unwrap();
    let sections = word(&bytes, 40);
    let ranges = [
        0..HEADER + half(&bytes, 56) * PROGRAM_HEADER,
        sections..sections + half(&bytes, 60) * SECTION_HEADER,
        dynamic..dynamic + 0x200,
    ];
    let values = [
        0,
        1,
        0x7fff_ffff,
        0xffff_ffff,
        1 << 32,
        1 << 63,
        u64::MAX,
        bytes.len() as u64,
    ];
    for range in ranges {
        for width in [2, 4, 8] {
            for offset in range.clone().step_by(width) {
                for value in values {
                    let mut changed = bytes.clone();
                    let Some(place) = changed.get_mut(offset..offset + width) else {
                        continue;
                    };
                    place.copy_from_slice(&value.to_le_bytes()[..width]);
                    let _ = parse(changed);
                }
            }
        }
    }
}

#[test]
fn counts_of_two_to_the_thirty_two() {
    let Some(mut bytes) = sample() else { return };
    // The number of sections in the first section header, as files with more than 65,279 have it.
    bytes[60..62].copy_from_slice(&[0, 0]);
    let sections = word(&bytes, 40);
    bytes[sections + 32..sections + 40].copy_from_slice(&(1_u64 << 32).to_le_bytes());
    let object = parse(bytes).unwrap();
    assert!(
        object
            .problems
            .iter()
            .any(|problem| problem.contains("expected 4294967296")),
        "{:?}",
        object.problems
    );
}

#[test]
fn what_is_no_object() {
    let header = |class: u8, encoding: u8, kind: u8| {
        let mut bytes = vec![0x7f, b'E', b'L', b'F', class, encoding, 1];
        bytes.resize(16, 0);
        bytes.extend([kind, 0, 62, 0]);
        bytes.resize(64, 0);
        bytes
    };
    for (bytes, expected) in [
        (vec![], Error::TooShort(0)),
        (b"#!/bin/sh\n".to_vec(), Error::NotElf(*b"#!/b")),
        (header(1, 1, 2), Error::Class32),
        (header(7, 1, 2), Error::Class(7)),
        (header(2, 2, 2), Error::Encoding(2)),
        (header(2, 1, 1), Error::Type(1)),
        (header(2, 1, 3), Error::NothingToLoad),
    ] {
        assert_eq!(parse(bytes).map(|_| ()), Err(expected));
    }
}

#[test]
fn random_bytes_in_every_part() {
    let Some(bytes) = sample() else { return };
    // A fixed sequence, so that a failure can be repeated.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..2000 {
        let mut changed = bytes.clone();
        for _ in 0..16 {
            let place = usize::try_from(random() % changed.len() as u64).unwrap();
            changed[place] = random().to_le_bytes()[0];
        }
        let _ = parse(changed);
    }
}

#[test]
fn stripped_of_section_headers_the_loader_s_view_stays() {
    let Some(mut bytes) = sample() else { return };
    let whole = parse(bytes.clone()).unwrap();
    bytes[40..48].fill(0);
    bytes[58..64].fill(0);
    let bare = parse(bytes).unwrap();
    assert!(bare.sections.is_empty() && bare.symbols.is_empty());
    assert_eq!(bare.problems, whole.problems);
    assert_eq!(bare.dynamic, whole.dynamic);
    assert_eq!(bare.dynamic_symbols, whole.dynamic_symbols);
    assert_eq!(bare.relocations, whole.relocations);
    assert_eq!(bare.unwind, whole.unwind);
}
