//! Any bytes: a bundle or an error, never a panic; every filter inside of it, of a length that the kernel takes. And any
//! program headers, over any memory: a fingerprint or none; as a file, one with a bundle of some pages added, or an error.
#![no_main]

use confine_bundle::{Bundle, INSTRUCTION_BYTES, MAXIMUM_INSTRUCTIONS, Memory, fingerprint};
use libfuzzer_sys::fuzz_target;

struct Bytes<'a>(&'a [u8]);

impl Memory for Bytes<'_> {
    fn read(&mut self, address: u64, buffer: &mut [u8]) -> bool {
        let start = usize::try_from(address).unwrap_or(usize::MAX);
        let source = self.0.get(start..).and_then(|rest| rest.get(..buffer.len()));
        source.is_some_and(|source| {
            buffer.copy_from_slice(source);
            true
        })
    }
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(bundle) = Bundle::read(bytes) {
        for entry in bundle.entries() {
            let _ = bundle.find(&entry.fingerprint);
            for filter in bundle.filters(&entry).into_iter().flatten() {
                assert!((1..=MAXIMUM_INSTRUCTIONS).contains(&(filter.len() / INSTRUCTION_BYTES)));
            }
        }
    }
    let _ = fingerprint(&mut Bytes(bytes), bytes, 0);
    for kind in [confine_harden::Kind::Interpreter, confine_harden::Kind::Program] {
        for bundle in [&[][..], &[0; 10 << 10]] {
            if let Ok(grafted) = confine_harden::graft(bytes, kind, bundle) {
                assert!(confine_harden::graft(&grafted, kind, bundle).is_err());
            }
        }
    }
});
