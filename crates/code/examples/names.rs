//! Prints where Go functions lie.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]
fn main() {
    let mut a = std::env::args().skip(1);
    let object = confine_elf::Object::parse(std::fs::read(a.next().unwrap()).unwrap().into()).unwrap();
    let names: Vec<String> = a.collect();
    for f in &object.go_functions {
        if names.contains(&f.name) {
            println!("{} {:#x} {:#x}", f.name, f.code.start, f.code.end);
        }
    }
}
