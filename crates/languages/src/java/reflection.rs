//! Objects and methods that are come by without instructions that name them: by names, by constants for classes, by services,
//! by other processes.

use super::names::{CONSTRUCTOR, Name};
use super::search::{Id, Search, Selector, Task};
use super::world::Origin;

/// Types whose methods other processes call, by how their names end: what the management extensions take for managed by
/// their specification (4.1), and what is remote (java.rmi.Remote).
const CALLED_FROM_OUTSIDE: &[&[u8]] = &[b"MBean", b"MXBean", b"java/rmi/Remote"];

impl Search {
    /// Whether what comes from other processes calls the methods of an object: it is managed or remote.
    pub fn is_called_from_outside(&mut self, id: Id) -> bool {
        let line = self.line(id);
        line.iter().filter_map(|id| self.body(*id)).any(|body| {
            let name = self.names.text(body.name);
            CALLED_FROM_OUTSIDE.iter().any(|ending| name.ends_with(ending))
        })
    }

    /// Takes what an application finds the classes of a name by: its own whole, for they may be made for all that their methods
    /// do. Of the virtual machine's, objects are made, whatever they are taken for, and methods are called by their names, which
    /// count by themselves.
    pub fn want_found(&mut self, name: Name) {
        self.want(match self.world.is_of_an_application(name) {
            true => Task::Whole(name),
            false => Task::Made(name),
        });
    }

    /// Takes what finds the classes of a name by it: makes objects of them and calls these as what they are known to be, or calls
    /// methods by their names, which count by themselves.
    pub fn find_by_name(&mut self, name: Name) {
        for id in self.classes(name).iter().copied() {
            self.initialise(id);
            self.open(id);
        }
        if !self.make_mentioned(name) {
            self.unmade.insert(name);
        }
    }

    /// Makes objects of a class that is found by its name, if code that runs mentions a type to take them for: one above it,
    /// or itself. Where it is of no type but its own, whoever makes one may call it by names alone.
    fn make_mentioned(&mut self, name: Name) -> bool {
        let object = self.names.intern(b"java/lang/Object");
        let ids = self.classes(name);
        let mut types: Vec<Name> = Vec::new();
        for id in ids.iter().copied() {
            let line = self.line(id);
            let names = line.iter().filter_map(|id| Some(self.body(*id)?.name));
            types.extend(names.filter(|name| *name != object));
        }
        let is_alone = types.iter().all(|of| *of == name);
        if is_alone || types.iter().any(|name| self.mentioned.contains(name)) {
            // What is named to generate classes below it has objects of those.
            for id in ids.iter().copied() {
                self.make(id);
            }
            self.take_made(name);
            return true;
        }
        false
    }

    /// Looks again at the classes of which no object could be taken for anything.
    pub fn make_again(&mut self) {
        for name in self.unmade.clone() {
            if self.make_mentioned(name) {
                self.unmade.remove(&name);
            }
        }
    }

    /// Takes the classes within one of an application whole: their names begin with its own, so that it may put them together.
    pub fn want_nested(&mut self, name: Name) {
        let prefix = [&self.names.text(name)[..], b"$"].concat();
        let nested: Vec<Name> = self
            .world
            .beginning_with(&prefix)
            .iter()
            .map(|(_, name)| *name)
            .collect();
        for name in nested {
            self.want(Task::Whole(name));
        }
    }

    /// Something has a class in hand, by an object or by its name: its methods may be called by their names.
    pub fn open(&mut self, id: Id) {
        for id in self.line(id).iter().copied() {
            let Some(body) = self.body_mut(id).filter(|body| !body.open) else {
                continue;
            };
            body.open = true;
            let methods: Vec<(Selector, usize)> = body
                .methods
                .iter()
                .map(|(selector, method)| (*selector, *method))
                .collect();
            for (selector, method) in methods {
                self.offer(id, selector, method);
            }
        }
    }

    /// A class by a constant: objects of it may be made by any of its constructors, or by a provider that is looked for.
    pub fn literal(&mut self, name: Option<&[u8]>) {
        let ids = self.named(name);
        self.take_literals(&ids);
    }

    /// The same of the classes of a name.
    pub fn take_made(&mut self, name: Name) {
        let ids = self.classes(name);
        self.take_literals(&ids);
    }

    fn take_literals(&mut self, ids: &[Id]) {
        for id in ids.iter().copied() {
            if self
                .body(id)
                .is_some_and(|body| body.class.has_objects() || body.origin != Origin::Machine)
            {
                self.make(id);
            } else {
                self.initialise(id);
                self.open(id);
            }
            let constructor = self.names.intern(CONSTRUCTOR);
            let Some(body) = self.body_mut(id) else { continue };
            body.found = true;
            let name = body.name;
            let methods = body.methods.iter();
            let constructors = methods.filter(|((name, _), _)| *name == constructor);
            let constructors: Vec<usize> = constructors.map(|(_, method)| *method).collect();
            for method in constructors {
                self.reach(id, method);
            }
            for provider in self.world.providers(name).to_vec() {
                self.want(Task::Named(provider));
            }
        }
    }

    /// All of a class may run.
    pub fn take_whole(&mut self, id: Id) {
        let Some(body) = self.body_mut(id).filter(|body| !body.whole) else {
            return;
        };
        body.whole = true;
        let name = body.name;
        let methods = body.class.methods.len();
        self.make(id);
        self.take_made(name);
        for method in 0..methods {
            self.reach(id, method);
        }
    }
}
