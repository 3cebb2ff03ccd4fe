//! The classes of the search: read when first asked for, with what is above them.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::names::Name;
use super::search::{Body, Id, Search};

impl Search {
    /// The classes that a constant names: of an array, those of its elements; of `Lname;`, the name's.
    pub fn named(&mut self, name: Option<&[u8]>) -> Vec<Id> {
        let Some(name) = name else { return Vec::new() };
        let element = name.iter().position(|byte| *byte != b'[').unwrap_or(0);
        let plain = name.get(element..).unwrap_or_default();
        let typed = plain.strip_prefix(b"L").and_then(|rest| rest.strip_suffix(b";"));
        let name = match (typed, element) {
            (Some(class), _) => class,
            (None, 0) => plain,
            // An array of numbers is an object.
            (None, _) => b"java/lang/Object",
        };
        match self.names.known(name) {
            Some(name) => self.classes(name).to_vec(),
            None => Vec::new(),
        }
    }

    /// Every class of a name, read when first asked for.
    pub fn classes(&mut self, name: Name) -> Rc<[Id]> {
        // Ends: every name is read once. What lies above is read before, by a list and not by recursion, as a chain of
        // classes may be long.
        let mut pending = vec![name];
        while let Some(name) = pending.last().copied() {
            if self.by_name.contains_key(&name) {
                pending.pop();
                continue;
            }
            let ids = self.read(name);
            self.by_name.insert(name, ids.clone().into());
            for id in ids {
                let above: Vec<Name> = self
                    .body(id)
                    .map(|body| Rc::clone(&body.class))
                    .iter()
                    .flat_map(|class| class.above().map(<[u8]>::to_vec).collect::<Vec<_>>())
                    .map(|name| self.names.intern(&name))
                    .collect();
                pending.extend(above);
            }
        }
        self.by_name.get(&name).cloned().unwrap_or_default()
    }

    fn read(&mut self, name: Name) -> Vec<Id> {
        if !self.world.has(name) {
            return Vec::new();
        }
        let (found, whole) = self.world.read(&self.names, name);
        if !whole {
            self.unread.push(name);
        }
        let mut ids = Vec::new();
        for found in found {
            let Ok(number) = u32::try_from(self.bodies.len()) else {
                break;
            };
            let class = Rc::new(found.class);
            let mut methods = FxHashMap::default();
            for (index, method) in class.methods.iter().enumerate() {
                if let Some((name, descriptor)) = class.signature(method) {
                    methods.insert((self.names.intern(name), self.names.intern(descriptor)), index);
                }
            }
            self.bodies.push(Body {
                reached: vec![false; class.methods.len()],
                class,
                name,
                origin: found.origin,
                above: Vec::new(),
                line: None,
                methods,
                entered: false,
                finds_classes: false,
                loads_libraries: false,
                initialised: false,
                live: false,
                open: false,
                found: false,
                whole: false,
                used: FxHashSet::default(),
                called: Vec::new(),
                below: Vec::new(),
            });
            ids.push(Id(number));
        }
        ids
    }

    /// A class and all above it, itself first.
    pub fn line(&mut self, id: Id) -> Rc<[Id]> {
        if let Some(line) = self.body(id).and_then(|body| body.line.clone()) {
            return line;
        }
        let mut line = vec![id];
        let mut seen: FxHashSet<Id> = [id].into_iter().collect();
        let mut at = 0;
        // Ends: every class is added once.
        while let Some(here) = line.get(at).copied() {
            at += 1;
            for id in self.above(here) {
                if seen.insert(id) {
                    line.push(id);
                }
            }
        }
        let line: Rc<[Id]> = line.into();
        if let Some(body) = self.body_mut(id) {
            body.line = Some(Rc::clone(&line));
        }
        line
    }

    pub fn above(&mut self, id: Id) -> Vec<Id> {
        let Some(class) = self.body(id).map(|body| Rc::clone(&body.class)) else {
            return Vec::new();
        };
        let known = self.body(id).map(|body| body.above.clone()).unwrap_or_default();
        if !known.is_empty() {
            return known;
        }
        let names: Vec<&[u8]> = class.above().collect();
        let above: Vec<Id> = names
            .into_iter()
            .flat_map(|name| self.named(Some(name)))
            .collect();
        if let Some(body) = self.body_mut(id) {
            body.above.clone_from(&above);
        }
        above
    }
}
