//! Where functions begin by what the file says of itself, before anything is decoded.

use std::ops::Range;

use confine_elf::{Address, Object, SymbolKind, UnwindFunction};

/// Where functions begin by what the file says of itself.
pub(crate) fn known(object: &Object) -> Vec<Address> {
    let mut starts: Vec<Address> = object
        .unwind
        .iter()
        .map(|function| unwind_code(function).start)
        .collect();
    starts.extend(object.go_functions.iter().map(|function| function.code.start));
    starts.extend(
        object
            .dynamic_symbols
            .iter()
            .chain(&object.symbols)
            .filter(|symbol| {
                symbol.defined && matches!(symbol.kind, SymbolKind::Function | SymbolKind::Indirect)
            })
            .map(|symbol| symbol.address),
    );
    starts.extend(linkage_stubs(object));
    starts.push(object.entry);
    starts.extend(object.dynamic.init.into_iter().chain(object.dynamic.fini));
    starts.sort_unstable();
    starts.dedup();
    starts
}

/// The stubs of the procedure linkage table: unwind data describes the whole table as one function, and a stub
/// that is only ever jumped to would pass for a part of its neighbour (x86-64 psABI, procedure linkage table).
fn linkage_stubs(object: &Object) -> Vec<Address> {
    let tables = object
        .sections
        .iter()
        .filter(|section| section.executable && section.name.starts_with(".plt"));
    tables
        .flat_map(|section| {
            // Stubs that only jump take 8 bytes; those with a landing mark or for lazy binding take 16.
            let only_jumps = section.name == ".plt.got"
                && object
                    .bytes_at(section.addresses.start)
                    .starts_with(&[0xff, 0x25]);
            // A section's header may claim more than the file holds.
            let start = section.addresses.start;
            let held = start.saturating_add(object.bytes_at(start).len() as u64);
            (start..section.addresses.end.min(held)).step_by(if only_jumps { 8 } else { 16 })
        })
        .collect()
}

/// The code that unwind data describes. Unwinding looks up the byte before a return address, so the entry of a
/// signal trampoline, to which handlers return without a call, is made to begin one byte early.
fn unwind_code(function: &UnwindFunction) -> Range<Address> {
    function.code.start.saturating_add(function.signal_frame.into())..function.code.end
}
