//! PT_INTERP: which loader a program has, and its place among the objects.

use confine_assumption::Kind;
use confine_elf::Object;
use confine_image::Files;

use crate::linked::{Linked, LoadReason, Loader, canonical};
use crate::search::Flavour;
use crate::store::{ObjectStore, Parsed};

/// The program's interpreter.
#[derive(Debug, Clone)]
pub(crate) struct Interpreter {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) parsed: Parsed,
}

impl Linked {
    pub(crate) fn find_interpreter(
        &mut self,
        files: &dyn Files,
        store: &ObjectStore,
        program: &Object,
    ) -> Option<Interpreter> {
        let name = program.interpreter.clone()?;
        match store.parsed(files, &name) {
            Ok(parsed) => Some(Interpreter {
                path: canonical(files, &name),
                name,
                parsed,
            }),
            Err(error) => {
                self.unusable(&name, &error, Kind::MissingObject);
                None
            }
        }
    }

    /// musl's loader is its C library, glibc's is not. A missing one is told by its name.
    pub(crate) fn whose_loader(&self, program: &Object) -> Loader {
        let is_musl = match &self.interpreter {
            Some(interpreter) => {
                let symbols = &interpreter.parsed.elf.dynamic_symbols;
                symbols
                    .iter()
                    .any(|symbol| symbol.defined && symbol.name == "__libc_start_main")
            }
            None => program
                .interpreter
                .as_ref()
                .is_some_and(|name| name.contains("ld-musl")),
        };
        match &program.interpreter {
            None if program.dynamic.needed.is_empty() => Loader::None,
            _ if is_musl => Loader::Musl,
            _ => Loader::Glibc,
        }
    }

    pub(crate) fn is_interpreter_name(&self, name: &str) -> bool {
        let Some(interpreter) = &self.interpreter else {
            return false;
        };
        let file_name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let same = name == interpreter.name || name == file_name(&interpreter.name);
        match self.search.flavour {
            Flavour::Glibc => same || interpreter.parsed.elf.dynamic.soname.as_deref() == Some(name),
            Flavour::Musl => same || is_musl_part(name),
        }
    }

    /// Adds the interpreter unless it is there.
    pub(crate) fn add_interpreter(&mut self) -> Option<usize> {
        let Interpreter { name, path, parsed } = self.interpreter.clone()?;
        if let Some(known) = self.objects.iter().position(|object| object.path == path) {
            return Some(known);
        }
        let index = self.push(
            name.clone(),
            path,
            parsed,
            LoadReason::Interpreter,
            Some(0),
            false,
        );
        if let Some(object) = self.objects.get_mut(index) {
            object.names.insert(name);
        }
        Some(index)
    }
}

/// musl has one file for what other systems split: these names stand for the loader itself.
fn is_musl_part(name: &str) -> bool {
    const PARTS: [&str; 7] = ["c.", "pthread.", "rt.", "m.", "dl.", "util.", "xnet."];
    name.strip_prefix("lib")
        .is_some_and(|rest| PARTS.iter().any(|part| rest.starts_with(part)))
}
