//! What the search found, as the pipeline wants it: functions of methods, libraries, functions that are called by their names.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use super::super::flow;
use super::super::mangle;
use super::super::names::Name;
use super::super::numbers::{Numbers, Way};
use super::super::readings::{is_foreign, names_of_class};
use super::super::search::{Body, Id};
use super::super::world::Origin;
use super::Natives;
use crate::reached::{Native, Reached};
use crate::{Roots, folders};

/// What is looked up in a library that a class of the virtual machine names, beside constants of native code: lists of
/// functions of tokens (PKCS #11, "C_GetFunctionList" and "C_GetInterface"), by whichever name a class gives.
const OWN_ROOTS: Roots = Roots::Prefixes(&["C_Get", "NSC_Get", "FC_Get"]);

impl Natives<'_> {
    /// What was found, of what was known.
    pub(super) fn tell(mut self, known: &Reached) -> Reached {
        let numbers = Numbers::new(&self.search);
        for (id, method) in self.search.natives.iter().copied() {
            let Some((body, _, name, descriptor)) = self.search.method(id, method) else {
                continue;
            };
            let class = self.search.names.text(body.name);
            if !self.search.texts.requests.allow(&class, name) {
                continue;
            }
            let place = String::from_utf8_lossy(&class).replace('/', ".");
            let native = Native {
                class: place,
                ways: numbers
                    .ways((id, method))
                    .map(|ways| by_registers(descriptor, &ways)),
            };
            for symbol in mangle::symbols(&class, name, descriptor) {
                self.walk.reached.add_native(symbol, native.clone());
            }
        }
        self.named_libraries();
        self.foreign_functions();
        self.settle_functions(known);
        self.walk.reached
    }

    /// The libraries that classes which run, starts and configurations name by their files: a library of the virtual machine's
    /// opens them, by names that classes give it.
    fn named_libraries(&mut self) {
        for (file, named_by) in std::mem::take(&mut self.search.texts.files) {
            let is_loaded = self
                .walk
                .reached
                .modules
                .keys()
                .any(|path| folders::base_name(path) == file);
            let roots = match named_by.contains(&None) {
                true => Roots::All,
                false => OWN_ROOTS,
            };
            let may_load = |class: &Option<Name>| {
                let requests = &self.search.texts.requests;
                class.is_none_or(|class| requests.allow_file(&self.search.names.text(class)))
            };
            if !is_loaded && named_by.iter().any(may_load) {
                self.walk
                    .module(file, "a class or a configuration names it".to_owned(), roots);
            }
        }
    }

    /// The functions that classes of applications call by their names, as far as these run: an interface that stands for
    /// a library's functions has methods that nobody calls.
    fn settle_functions(&mut self, known: &Reached) {
        let mut used: FxHashMap<Vec<u8>, Vec<&Body>> = FxHashMap::default();
        let bodies = self.search.ids().filter_map(|id| self.search.body(id));
        for body in bodies.filter(|body| body.is_used() && body.origin != Origin::Machine) {
            let name = self.search.names.text(body.name).to_vec();
            used.entry(name).or_default().push(body);
        }
        for (place, functions) in &known.unsettled {
            for body in names_at(place).filter_map(|name| used.get(name)).flatten() {
                let runs = |method: usize| body.reached.get(method) == Some(&true);
                let named = names_of_class(&body.class, runs);
                let functions = functions.iter().filter(|(name, _)| named.contains(*name));
                let functions = functions.map(|(name, place)| (name.clone(), place.clone()));
                self.walk.reached.functions.extend(functions);
            }
        }
    }

    /// The functions that the virtual machine's own classes may call by their names.
    fn foreign_functions(&mut self) {
        let ids: Vec<Id> = self.search.ids().collect();
        for id in ids {
            let Some(body) = self
                .search
                .body(id)
                .filter(|body| body.is_used() && body.origin == Origin::Machine)
            else {
                continue;
            };
            let name = self.search.names.text(body.name);
            let classes = body.class.constants().map(|(index, _)| index);
            let foreign = classes
                .filter_map(|index| body.class.class_name(index))
                .any(is_foreign);
            if !foreign || is_foreign(&name) {
                continue;
            }
            let place = String::from_utf8_lossy(&name).replace('/', ".");
            for text in body.class.strings() {
                let is_part = |letter: &u8| letter.is_ascii_alphanumeric() || *letter == b'_';
                if let Ok(text) = std::str::from_utf8(text)
                    && text.len() > 1
                    && text.bytes().all(|letter| is_part(&letter))
                {
                    let functions = &mut self.walk.reached.functions;
                    functions.entry(text.to_owned()).or_insert_with(|| place.clone());
                }
            }
        }
    }
}

/// The ways in which a method is called, by the arguments of its function: those in general registers come after the
/// environment and the class or object (the JNI specification, chapter 2, "Native Method Arguments"; System V psABI, 3.2.3).
fn by_registers(descriptor: &[u8], ways: &BTreeSet<Way>) -> BTreeSet<Vec<(usize, u32)>> {
    const BEFORE: usize = 2;
    let Some(parameters) = flow::parameters(descriptor) else {
        return BTreeSet::from([Vec::new()]);
    };
    let in_registers = parameters.words().map(|(_, kind)| !matches!(kind, b'F' | b'D'));
    let in_registers: Vec<bool> = in_registers.collect();
    let by_register = |way: &Way| {
        let numbered = way
            .iter()
            .zip(&in_registers)
            .filter(|(_, is_in)| **is_in)
            .enumerate();
        let known = numbered
            .filter_map(|(index, (number, _))| Some((BEFORE + index, number.as_ref()?.cast_unsigned())));
        known.collect()
    };
    ways.iter().map(by_register).collect()
}

/// The names that a class may have by its place: of which folder they are relative is not known.
fn names_at(place: &str) -> impl Iterator<Item = &[u8]> {
    let name = place.strip_suffix(".class").unwrap_or(place);
    let begins = name.match_indices(['/', '!']).map(|(at, _)| at + 1);
    begins.filter_map(|at| name.as_bytes().get(at..))
}
