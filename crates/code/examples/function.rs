//! Decodes an object and prints what is known of the function at an address, and what its system calls are given:
//! `cargo run --release -p confine-code --example function -- FILE ADDRESS`, the address in hexadecimal.
#![allow(clippy::print_stdout, reason = "an example prints its result")]

use confine_code::{Facts, evaluate};
use confine_elf::Object;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(path), Some(address)) = (arguments.next(), arguments.next()) else {
        println!("usage: function FILE ADDRESS");
        return;
    };
    let Ok(address) = u64::from_str_radix(address.trim_start_matches("0x"), 16) else {
        println!("{address} is no number in hexadecimal");
        return;
    };
    let object = match std::fs::read(&path) {
        Ok(bytes) => Object::parse(bytes.into()),
        Err(error) => return println!("cannot read {path}: {error}"),
    };
    let object = match object {
        Ok(object) => object,
        Err(error) => return println!("{path}: {error}"),
    };
    let facts = Facts::of(&object);
    let Some(index) = facts.function_at(address) else {
        println!("no function of {path} has {address:#x}");
        return;
    };
    println!("{:#x?}", facts.functions.get(index));
    for (at, call) in evaluate(&object, &facts, index)
        .iter()
        .flat_map(|found| &found.system_calls)
    {
        println!("{at:#x}: {:?} given {:?}", call.number, call.arguments);
    }
}
