//! Names for functions, for people.

use std::collections::BTreeSet;

use confine_elf::{Address, Object, SymbolKind};

use crate::program::{Node, Program};

/// The function's symbol if it has one, or its offset from the object's start.
pub(crate) fn function_name(program: &Program<'_>, node: Node) -> String {
    let (object, _) = program.locate(node);
    name_at(program.elf(object), program.function(node).code.start)
}

/// The names by which other objects can call a function, sorted.
pub(crate) fn exported(program: &Program<'_>, node: Node) -> Vec<String> {
    let (object, _) = program.locate(node);
    let start = program.function(node).code.start;
    let symbols = program.elf(object).dynamic_symbols.iter();
    let names: BTreeSet<&str> = symbols
        .filter(|symbol| symbol.defined && symbol.address == start)
        .map(|symbol| symbol.name.as_str())
        .collect();
    names.into_iter().map(str::to_owned).collect()
}

/// `object:function+0x…`: the place of an instruction.
pub(crate) fn place(program: &Program<'_>, node: Node, address: Address) -> String {
    let (object, _) = program.locate(node);
    let start = program.function(node).code.start;
    let path = &program.linked.objects[object].path;
    let name = name_at(program.elf(object), start);
    if name.starts_with('+') {
        format!("{path}:+{address:#x}")
    } else {
        format!("{path}:{name}+{:#x}", address.saturating_sub(start))
    }
}

/// The name that Go's own table has for the function that begins there.
pub(crate) fn go_name(object: &Object, address: Address) -> Option<&str> {
    let found = object
        .go_functions
        .binary_search_by_key(&address, |function| function.code.start);
    let function = object.go_functions.get(found.ok()?)?;
    Some(&function.name)
}

fn name_at(object: &Object, address: Address) -> String {
    if let Some(name) = go_name(object, address) {
        return name.to_owned();
    }
    object
        .dynamic_symbols
        .iter()
        .chain(&object.symbols)
        .filter(|symbol| symbol.defined && symbol.address == address)
        .filter(|symbol| {
            matches!(
                symbol.kind,
                SymbolKind::Function | SymbolKind::Indirect | SymbolKind::Untyped
            )
        })
        .map(|symbol| symbol.name.as_str())
        .filter(|name| !name.is_empty())
        // Public names before internal ones, then the shortest.
        .min_by_key(|name| (name.starts_with('_'), name.len(), *name))
        .map_or_else(|| format!("+{address:#x}"), str::to_owned)
}

/// The NUL-terminated string at an address of an object's data that never changes.
pub(crate) fn string_at(object: &Object, address: Address) -> Option<String> {
    const LONGEST: usize = 4096;
    let segment = object.segment_at(address)?;
    if segment.writable {
        return None;
    }
    let bytes = object.bytes_at(address);
    let bytes = bytes.get(..LONGEST).unwrap_or(bytes);
    let end = bytes.iter().position(|byte| *byte == 0)?;
    String::from_utf8(bytes.get(..end)?.to_vec()).ok()
}

/// Whether other objects can name the function.
pub(crate) fn is_exported(program: &Program<'_>, node: Node) -> bool {
    let (object, _) = program.locate(node);
    let start = program.function(node).code.start;
    let symbols = program.elf(object).dynamic_symbols.iter();
    symbols
        .filter(|symbol| symbol.defined && !symbol.hidden)
        .any(|symbol| symbol.address == start)
}
