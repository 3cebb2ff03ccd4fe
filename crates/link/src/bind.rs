//! Which definition a reference binds to.
//!
//! As the loaders decide it: the global scope in load order, for late objects also what was opened with them;
//! versions as glibc compares them, or musl, which only skips hidden ones. Over-approximates nothing for
//! start-up objects; a late object's reference that its own scope does not define is looked for in the other
//! late objects, which may have been opened for all to see. Misses RTLD_DEEPBIND and separate namespaces.

use confine_elf::{Address, Binding as SymbolBinding, Symbol};

use crate::exports::hash;
use crate::linked::{Linked, LinkedObject, LoadReason};
use crate::search::Flavour;

/// What a reference binds to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Binding {
    /// This definition.
    Defined {
        /// The object that defines it, as an index into [`Linked::objects`].
        object: usize,
        /// Index into that object's dynamic symbols.
        symbol: u32,
        /// The symbol's address in that object.
        address: Address,
    },
    /// Nothing, and the reference is weak: its address is 0.
    WeakUndefined,
    /// Nothing, and the program fails when it needs it.
    Missing,
}

/// Where a look-up by name begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The start-up objects in load order (RTLD_DEFAULT).
    Global,
    /// An object and what it needs, breadth-first (the handle of `dlopen`).
    Object(usize),
    /// This object alone.
    Only(usize),
    /// What comes behind this object in load order (RTLD_NEXT).
    After(usize),
}

/// The version that a reference asks for.
#[derive(Debug, Clone, Copy)]
enum Wanted<'a> {
    /// This one.
    Named(&'a str),
    /// A reference without a version: the object's oldest, else its default.
    Oldest,
    /// A look-up by name at run time: the default.
    Newest,
}

impl Linked {
    /// What the symbol `symbol` of object `from` binds to.
    #[must_use]
    pub fn resolve(&self, from: usize, symbol: u32) -> Binding {
        let Some((object, reference)) = self.reference(from, symbol) else {
            return Binding::Missing;
        };
        let own = reference.binding == SymbolBinding::Local || reference.hidden || reference.protected;
        if reference.defined && own {
            return Binding::Defined {
                object: from,
                symbol,
                address: reference.address,
            };
        }
        let found = if reference.binding == SymbolBinding::Local || reference.hidden {
            None
        } else {
            self.search_scopes(from, object, reference, None)
        };
        self.binding(found, reference)
    }

    /// What a copy relocation of the program copies: the definition of any object but `from`.
    #[must_use]
    pub fn resolve_copy(&self, from: usize, symbol: u32) -> Binding {
        let Some((object, reference)) = self.reference(from, symbol) else {
            return Binding::Missing;
        };
        self.binding(self.search_scopes(from, object, reference, Some(from)), reference)
    }

    /// The definitions that take the place of this one where the processor has more features.
    #[must_use]
    pub fn variants(&self, object: usize, symbol: u32) -> Vec<(usize, u32)> {
        let Some((_, definition)) = self.reference(object, symbol) else {
            return Vec::new();
        };
        let wanted = definition
            .version
            .as_ref()
            .map_or(Wanted::Oldest, |version| Wanted::Named(&version.name));
        let of_this = |other: &LinkedObject| other.reason == LoadReason::Variant { of: object };
        let variants = self
            .objects
            .iter()
            .enumerate()
            .filter(|(_, other)| of_this(other));
        variants
            .filter_map(|(index, _)| Some((index, self.in_object(index, &definition.name, wanted)?)))
            .collect()
    }

    /// What a look-up by name finds, as `dlsym` or with a version `dlvsym` does.
    #[must_use]
    pub fn lookup(&self, name: &str, version: Option<&str>, scope: Scope) -> Option<(usize, &Symbol)> {
        let (object, index) = self.lookup_index(name, version, scope)?;
        self.reference(object, index).map(|(_, symbol)| (object, symbol))
    }

    /// The same, with the symbol as an index into the object's dynamic symbols.
    #[must_use]
    pub fn lookup_index(&self, name: &str, version: Option<&str>, scope: Scope) -> Option<(usize, u32)> {
        let wanted = version.map_or(Wanted::Newest, Wanted::Named);
        let among = |objects: &[usize]| self.among(objects, name, wanted, None);
        match scope {
            Scope::Global => self.in_global(name, wanted, None),
            Scope::Object(object) => among(&self.closure(object)),
            Scope::Only(object) => among(&[object]),
            Scope::After(object) => {
                let behind: Vec<usize> = (object.saturating_add(1)..self.start_up_count()).collect();
                among(&behind)
            }
        }
    }

    fn reference(&self, object: usize, symbol: u32) -> Option<(&LinkedObject, &Symbol)> {
        let object = self.objects.get(object)?;
        Some((
            object,
            object.elf.dynamic_symbols.get(usize::try_from(symbol).ok()?)?,
        ))
    }

    fn search_scopes(
        &self,
        from: usize,
        object: &LinkedObject,
        reference: &Symbol,
        except: Option<usize>,
    ) -> Option<(usize, u32)> {
        let name = reference.name.as_str();
        let wanted = reference
            .version
            .as_ref()
            .map_or(Wanted::Oldest, |version| Wanted::Named(&version.name));
        let among = |objects: &[usize]| self.among(objects, name, wanted, except);
        let own = if object.elf.dynamic.symbolic {
            among(&[from])
        } else {
            None
        };
        let late = || {
            if !object.late {
                return None;
            }
            let others = self.objects.iter().enumerate().filter(|(_, other)| other.late);
            let others: Vec<usize> = others.map(|(index, _)| index).collect();
            among(&object.scope).or_else(|| among(&others))
        };
        own.or_else(|| self.in_global(name, wanted, except)).or_else(late)
    }

    fn binding(&self, found: Option<(usize, u32)>, reference: &Symbol) -> Binding {
        let found =
            found.and_then(|(object, symbol)| Some((object, symbol, self.reference(object, symbol)?.1)));
        match found {
            Some((object, symbol, definition)) => Binding::Defined {
                object,
                symbol,
                address: definition.address,
            },
            None if reference.binding == SymbolBinding::Weak => Binding::WeakUndefined,
            None => Binding::Missing,
        }
    }

    fn in_global(&self, name: &str, wanted: Wanted<'_>, except: Option<usize>) -> Option<(usize, u32)> {
        let entries = self.global.with_hash(hash(name)).iter();
        let mut objects: Vec<usize> = entries
            .filter_map(|entry| usize::try_from(entry.1).ok())
            .collect();
        objects.dedup();
        self.among(&objects, name, wanted, except)
    }

    fn among(
        &self,
        objects: &[usize],
        name: &str,
        wanted: Wanted<'_>,
        except: Option<usize>,
    ) -> Option<(usize, u32)> {
        let objects = objects.iter().copied().filter(|object| Some(*object) != except);
        objects
            .into_iter()
            .find_map(|object| Some((object, self.in_object(object, name, wanted)?)))
    }

    /// The definition in one object: one that fits at once, else the default version's.
    fn in_object(&self, object: usize, name: &str, wanted: Wanted<'_>) -> Option<u32> {
        let exports = &self.objects.get(object)?.exports;
        let mut default = None;
        for index in exports.with_hash(hash(name)) {
            let Some((_, symbol)) = self
                .reference(object, index)
                .filter(|(_, symbol)| symbol.name == name)
            else {
                continue;
            };
            match self.fits(symbol, wanted) {
                Fit::Yes => return Some(index),
                Fit::Default => default = default.or(Some(index)),
                Fit::No => {}
            }
        }
        default
    }

    fn fits(&self, definition: &Symbol, wanted: Wanted<'_>) -> Fit {
        let Some(version) = &definition.version else {
            return Fit::Yes;
        };
        match (self.search.flavour, wanted) {
            (Flavour::Musl, _) if version.hidden => Fit::No,
            (Flavour::Musl, _) => Fit::Yes,
            (Flavour::Glibc, Wanted::Named(name)) if version.name == name => Fit::Yes,
            (Flavour::Glibc, Wanted::Named(_)) => Fit::No,
            (Flavour::Glibc, Wanted::Oldest) if version.oldest => Fit::Yes,
            (Flavour::Glibc, _) if version.hidden => Fit::No,
            (Flavour::Glibc, _) => Fit::Default,
        }
    }
}

/// How well a definition fits a reference.
enum Fit {
    Yes,
    /// If nothing else in the object does.
    Default,
    No,
}
