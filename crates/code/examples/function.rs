//! Prints the facts and the evaluation of the function around an address.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]
fn main() {
    let mut arguments = std::env::args().skip(1);
    let object =
        confine_elf::Object::parse(std::fs::read(arguments.next().unwrap()).unwrap().into()).unwrap();
    let facts = confine_code::Facts::of(&object);
    for address in arguments {
        let address = u64::from_str_radix(address.trim_start_matches("0x"), 16).unwrap();
        let index = facts.function_at(address).unwrap();
        let f = &facts.functions[index];
        println!(
            "function {index} {:#x?}\n indirect {:#x?} targets {:#x?} unknown {:#x?}",
            f.code, f.indirect_jumps, f.jump_targets, f.unknown_entries
        );
        for r in &f.references {
            println!("  {:#x} {:?} {:#x}", r.at, r.kind, r.target);
        }
        println!(
            "{:#x?}",
            confine_code::evaluate(&object, &facts, index).map(|e| e.system_calls)
        );
        for caller in &facts.functions {
            for r in caller
                .references
                .iter()
                .filter(|r| f.code.contains(&r.target) && !f.code.contains(&r.at))
            {
                println!(
                    " from {:#x}: {:#x} {:?} {:#x}",
                    caller.code.start, r.at, r.kind, r.target
                );
            }
        }
        for p in &facts.pointers {
            if let confine_elf::RelocationValue::Address(t) | confine_elf::RelocationValue::Resolved(t) =
                p.value
            {
                if f.code.contains(&t) {
                    println!(" pointer at {:#x} to {t:#x}", p.at);
                }
            }
        }
    }
}
