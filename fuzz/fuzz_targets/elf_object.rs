//! Any bytes: an object or an error, never a panic, with tables no larger than the file can hold.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(object) = confine_elf::Object::parse(bytes.to_vec().into()) {
        assert!(object.relocations.len() <= bytes.len());
        assert!(object.unwind.len() <= bytes.len());
        assert!(object.go_functions.len() <= bytes.len());
        assert!(object.segments.iter().all(|segment| bytes.get(segment.file.clone()).is_some()));
    }
});
