//! Which function of which object a call was made in.

use std::collections::BTreeMap;

use confine_check::Site;
use confine_elf::{Address, Object, SymbolKind};
use confine_engine::Mapped;
use confine_image::Files;

/// The length of the instruction before the place where a process goes on after a call.
const SYSTEM_CALL: u64 = 2;

/// How the image's files are had, if they can be read.
pub type Opener<'a> = &'a dyn Fn() -> Option<&'a dyn Files>;

/// Functions of the image's objects by their places in files; each object is read once, each place looked up once.
pub struct Sites<'a> {
    files: Opener<'a>,
    objects: BTreeMap<String, Option<Object>>,
    known: BTreeMap<Mapped, Option<Site>>,
}

impl<'a> Sites<'a> {
    /// Those of the files that are had so.
    pub fn new(files: Opener<'a>) -> Self {
        Self {
            files,
            objects: BTreeMap::new(),
            known: BTreeMap::new(),
        }
    }

    /// The function at a place, if the file can be read.
    pub fn find(&mut self, mapped: &Mapped) -> Option<Site> {
        if let Some(known) = self.known.get(mapped) {
            return known.clone();
        }
        let site = self.look_up(mapped);
        self.known.insert(mapped.clone(), site.clone());
        site
    }

    fn look_up(&mut self, mapped: &Mapped) -> Option<Site> {
        let files = (self.files)()?;
        let object = self.objects.entry(mapped.file.clone()).or_insert_with(|| {
            let bytes = files.read(&mapped.file).ok()?;
            Object::parse(bytes).ok()
        });
        let object = object.as_ref()?;
        let address = address_of(object, mapped.offset)?.checked_sub(SYSTEM_CALL)?;
        Some(Site {
            object: mapped.file.clone(),
            function: function_at(object, address),
            address,
        })
    }
}

/// The address of a byte of the file.
fn address_of(object: &Object, offset: u64) -> Option<Address> {
    let offset = usize::try_from(offset).ok()?;
    let segment = object
        .segments
        .iter()
        .find(|segment| segment.executable && segment.file.contains(&offset))?;
    let inside = u64::try_from(offset - segment.file.start).ok()?;
    segment.addresses.start.checked_add(inside)
}

/// The function's name, or where it starts if it has none, as reports write it.
fn function_at(object: &Object, address: Address) -> String {
    let symbols = object.symbols.iter().chain(&object.dynamic_symbols);
    let covering = symbols.filter(|symbol| {
        symbol.defined
            && matches!(symbol.kind, SymbolKind::Function | SymbolKind::Indirect)
            && symbol
                .address
                .checked_add(symbol.size.max(1))
                .is_some_and(|end| (symbol.address..end).contains(&address))
    });
    // The innermost; of several names for one place one that is not the library's own, then the first in the alphabet.
    let named = covering.max_by_key(|symbol| {
        let own = symbol.name.starts_with('_');
        (symbol.address, std::cmp::Reverse((own, &symbol.name)))
    });
    if let Some(symbol) = named {
        return symbol.name.clone();
    }
    let of_go = object.go_functions.iter().find(|one| one.code.contains(&address));
    if let Some(function) = of_go {
        return function.name.clone();
    }
    let start = object
        .unwind
        .iter()
        .find(|function| function.code.contains(&address))
        .map_or(address, |function| function.code.start);
    format!("+{start:#x}")
}
