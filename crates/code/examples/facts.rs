//! Prints what the facts of a file hold and how long they took.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]
use std::time::Instant;
fn main() {
    for path in std::env::args().skip(1) {
        let bytes = std::fs::read(&path).unwrap();
        let t0 = Instant::now();
        let object = confine_elf::Object::parse(bytes.into()).unwrap();
        let t1 = Instant::now();
        let facts = confine_code::Facts::of(&object);
        let t2 = Instant::now();
        // decode once
        let mut n = 0u64;
        for s in object.segments.iter().filter(|s| s.executable) {
            let mut d = confine_isa::Decoder::new(&object.bytes[s.file.clone()], s.addresses.start);
            while let Some(i) = d.next_instruction() {
                n += i.is_valid() as u64;
            }
        }
        let t3 = Instant::now();
        let sys: usize = facts.functions.iter().map(|f| f.system_calls.len()).sum();
        let ind: usize = facts.functions.iter().map(|f| f.indirect_jumps.len()).sum();
        let mut open = 0;
        let mut consts = 0;
        let mut entry = 0;
        let mut lost = 0;
        for (i, f) in facts.functions.iter().enumerate() {
            if f.system_calls.is_empty() {
                continue;
            }
            let Some(e) = confine_code::evaluate(&object, &facts, i) else {
                println!("gave up {:x}", f.code.start);
                continue;
            };
            for s in &f.system_calls {
                match e.system_calls.get(s).map(|e| &e.number) {
                    Some(confine_code::Value::Constants(_)) => consts += 1,
                    Some(confine_code::Value::Entry(_)) => entry += 1,
                    None => lost += 1,
                    Some(other) => {
                        open += 1;
                        println!("open {s:#x} {other:?}")
                    }
                }
            }
        }
        let t4 = Instant::now();
        println!(
            "{path}: functions {} refs {} pointers {} code {} bytes; syscalls {sys} (const {consts} entry {entry} open {open} lost {lost}) indirect {ind}; parse {:?} facts {:?} decode {:?} ({n}) eval {:?}",
            facts.functions.len(),
            facts.functions.iter().map(|f| f.references.len()).sum::<usize>(),
            facts.pointers.len(),
            facts.code_bytes,
            t1 - t0,
            t2 - t1,
            t3 - t2,
            t4 - t3
        );
    }
}
