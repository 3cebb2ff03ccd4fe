//! Facts that were kept are the facts that were found, and what is no such thing is refused.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::fs;
use std::path::PathBuf;

use confine_code::Facts;
use confine_elf::Object;
use proptest::prelude::*;

/// This program and the C library that it runs with, as far as they are where Linux has them.
fn objects() -> Vec<Object> {
    let paths = [
        std::env::current_exe().unwrap(),
        PathBuf::from("/lib/x86_64-linux-gnu/libc.so.6"),
    ];
    let read = paths.iter().filter_map(|path| fs::read(path).ok());
    read.map(|bytes| Object::parse(bytes.into()).unwrap()).collect()
}

#[test]
fn what_is_kept_comes_back_whole() {
    for object in objects() {
        let found = Facts::of(&object);
        let kept = found.to_kept();
        let restored = Facts::from_kept(&object, &kept).unwrap();
        assert!(restored.functions == found.functions, "functions differ");
        assert_eq!(restored.pointers, found.pointers);
        assert_eq!(restored.regions, found.regions);
        assert_eq!(restored.cuts, found.cuts);
        assert_eq!(restored.code_bytes, found.code_bytes);
        assert_eq!(restored.to_kept(), kept);
    }
}

#[test]
fn what_was_cut_off_is_no_facts() {
    let object = objects().remove(0);
    let kept = Facts::of(&object).to_kept();
    for part in 0..16 {
        assert!(Facts::from_kept(&object, &kept[..kept.len() * part / 16]).is_none());
    }
}

proptest! {
    // Parsing this program each time is what takes long.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let object = Object::parse(fs::read("/proc/self/exe").unwrap().into()).unwrap();
        let _ = Facts::from_kept(&object, &bytes);
    }
}
