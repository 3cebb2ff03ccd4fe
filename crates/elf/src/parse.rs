//! From bytes to an object: every part by its own module, in the order that they need each other.

use bytes::Bytes;

use crate::dynamic::Table;
use crate::header::Header;
use crate::problems::Problems;
use crate::sections::Sections;
use crate::strings::Budget;
use crate::{Dynamic, Error, Machine, Object, go, relocations, symbols, unwind};

impl Object {
    /// Reads an object.
    ///
    /// # Errors
    /// When no loader would map the file: no ELF header, another class or byte order, neither executable nor
    /// shared object, no loadable segment. Whatever else is broken is named in `problems`.
    pub fn parse(bytes: Bytes) -> Result<Self, Error> {
        let mut problems = Problems::default();
        let header = Header::read(&bytes, &mut problems)?;
        let mut object = mapped(bytes.clone(), &header);
        let names = Budget::for_file(bytes.len());
        let sections = Sections::read(&bytes, &header, &mut problems);
        object.sections = sections.in_memory(&names, &mut problems);

        let table = Table::read(&object, header.dynamic, &mut problems);
        object.dynamic = table.values(&object, &names, &mut problems);
        let x86_64 = object.machine == Machine::X86_64;
        if x86_64 {
            object.relocations = relocations::read(&object, &table, &sections, &mut problems);
        } else {
            problems.add("relocations and unwind tables are read for x86-64 only");
        }
        object.dynamic_symbols = symbols::dynamic(&object, &table, &sections, &names, &mut problems);
        object.symbols = symbols::of_sections(&sections, &names, &mut problems);
        if x86_64 {
            object.unwind = unwind::read(&object, header.unwind_header, &mut problems);
        }
        object.go_functions = go::read(&object, &names, &mut problems);
        if names.is_exceeded() {
            problems.add("names: more than four times the file's own size, the rest left empty");
        }
        object.problems = problems.into_list();
        Ok(object)
    }
}

/// The object as it is mapped, before any table is read.
fn mapped(bytes: Bytes, header: &Header) -> Object {
    Object {
        bytes,
        machine: header.machine,
        placement: header.placement,
        entry: header.entry,
        interpreter: header.interpreter.clone(),
        segments: header.segments.clone(),
        sections: Vec::new(),
        thread_local: header.thread_local.clone(),
        read_only_after_relocation: header.read_only_after_relocation.clone(),
        dynamic: Dynamic::default(),
        dynamic_symbols: Vec::new(),
        symbols: Vec::new(),
        relocations: Vec::new(),
        unwind: Vec::new(),
        go_functions: Vec::new(),
        problems: Vec::new(),
    }
}
