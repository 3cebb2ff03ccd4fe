//! Which methods can run: rapid type analysis over class files.
//!
//! A method that runs brings what its instructions refer to: methods by their names, looked up as the virtual machine does;
//! classes of which it makes objects, which are *live*; classes whose variables or methods it uses, which are initialised.
//! A virtual call comes to the method of every live class below the one that it names. What the native code calls, and
//! what reflection may, is [`super::texts`]'. Instructions are looked at wherever they stand in a method, values not at all.
//!
//! Over-reports: what stands behind conditions; calls on objects that never meet the live class; of a class that lies in
//! several places, each. Misses: classes that are made while the program runs, and what only they call; classes that come
//! from elsewhere than the image.

use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::class::{Class, Constant, Member, Method};
use super::code::{self, Use};
use super::names::{Name, Names};
use super::resources;
use super::texts::Texts;
use super::world::{Origin, World};

/// What a method is called that loads a library.
const LOADS: &[u8] = b"loadLibrary";

/// Methods of java.lang.Class that only tell something of a class.
const ANSWERS: &[&[u8]] = &[
    b"desiredAssertionStatus",
    b"getClassLoader",
    b"getModule",
    b"getName",
    b"getPackage",
    b"getPackageName",
    b"getSimpleName",
    b"getTypeName",
    b"hashCode",
    b"isAssignableFrom",
    b"isInstance",
    b"toString",
];

/// Methods that compare a text with the names of an object's class and of those above it, to do without loading a class that is
/// not there (OpenJDK's java.awt.Component).
const COMPARES: &[(&[u8], &[u8])] = &[(b"java/awt/Component", b"isInstanceOf")];

/// What generated classes call that stand for interfaces (java.lang.reflect.Proxy).
const INVOKED: &[u8] = b"java/lang/reflect/InvocationHandler";

/// A class of the search: one of perhaps several with the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub u32);

/// The name and the type of a method.
pub type Selector = (Name, Name);

/// A class and what is known of it so far.
pub struct Body {
    pub class: Rc<Class>,
    pub name: Name,
    pub origin: Origin,
    /// The classes directly above.
    pub above: Vec<Id>,
    /// It and all above it.
    pub line: Option<Rc<[Id]>>,
    pub methods: FxHashMap<Selector, usize>,
    pub reached: Vec<bool>,
    pub entered: bool,
    /// Whether it finds classes by their names, and whether it loads libraries.
    pub finds_classes: bool,
    pub loads_libraries: bool,
    pub initialised: bool,
    pub live: bool,
    pub open: bool,
    /// Whether objects of it may be made by any of its constructors.
    pub found: bool,
    pub whole: bool,
    /// Constants whose use was followed.
    pub used: FxHashSet<(Use, u16)>,
    /// What is called on it as a type.
    pub called: Vec<Selector>,
    /// Live classes that are of its type.
    pub below: Vec<Id>,
}

/// What waits to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Task {
    /// A method's instructions.
    Method(Id, usize),
    /// The texts of a class whose code runs.
    Texts(Id),
    /// Everything of the classes of a name.
    Whole(Name),
    /// Objects of the classes of a name, as what they are known to be.
    Named(Name),
    /// Objects of the classes of a name.
    Made(Name),
}

/// The search, as far as it has come.
#[derive(Default)]
pub struct Search {
    pub names: Names,
    pub world: World,
    pub texts: Texts,
    pub bodies: Vec<Body>,
    pub by_name: FxHashMap<Name, Rc<[Id]>>,
    looked_up: FxHashSet<(Id, Selector)>,
    called: FxHashSet<(Id, Selector)>,
    pub waiting: VecDeque<Task>,
    /// What is wanted of classes by their names, or was.
    wanted: FxHashSet<Task>,
    /// Classes that code which runs mentions.
    pub mentioned: FxHashSet<Name>,
    /// Classes that are found by their names and of which no object was made.
    pub unmade: BTreeSet<Name>,
    /// Dynamic constants that were followed.
    linked: FxHashSet<(Name, u16)>,
    /// Archives of which a class is used.
    pub archives: BTreeSet<usize>,
    /// Native methods that run, with their classes.
    pub natives: Vec<(Id, usize)>,
    /// Classes that could not be read.
    pub unread: Vec<Name>,
}

impl Search {
    pub fn body(&self, id: Id) -> Option<&Body> {
        self.bodies.get(usize::try_from(id.0).ok()?)
    }

    pub fn body_mut(&mut self, id: Id) -> Option<&mut Body> {
        self.bodies.get_mut(usize::try_from(id.0).ok()?)
    }

    /// Follows everything that waits.
    pub fn run(&mut self) {
        // Ends: every method waits once, and every class twice at most.
        while let Some(task) = self.waiting.pop_front() {
            match task {
                Task::Method(id, method) => self.follow(id, method),
                Task::Texts(id) => self.take_texts(id),
                Task::Named(name) => self.find_by_name(name),
                Task::Made(name) => self.take_made(name),
                Task::Whole(name) => {
                    for id in self.classes(name).iter().copied() {
                        self.take_whole(id);
                    }
                }
            }
        }
    }

    /// Does something with the classes of a name in time, and once.
    pub fn want(&mut self, task: Task) {
        if self.wanted.insert(task) {
            self.waiting.push_back(task);
        }
    }

    /// What classes call that are made while the program runs: those that stand for interfaces.
    pub fn call_generated(&mut self) {
        let descriptor =
            b"(Ljava/lang/Object;Ljava/lang/reflect/Method;[Ljava/lang/Object;)Ljava/lang/Object;";
        let selector = (self.names.intern(b"invoke"), self.names.intern(descriptor));
        for id in self.named(Some(INVOKED)) {
            self.call(id, selector);
        }
    }

    /// Takes every class of the applications, with all its methods; whether there are any.
    pub fn take_applications(&mut self) -> bool {
        let names = self.world.all().map(|(_, name)| *name);
        let names: Vec<Name> = names
            .filter(|name| self.world.is_of_an_application(*name))
            .collect();
        for name in &names {
            self.want(Task::Whole(*name));
        }
        !names.is_empty()
    }

    /// Whether anything waits to be followed.
    pub fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether a class of this name can be started.
    pub fn starts(&mut self, name: &[u8]) -> bool {
        let main = (
            self.names.intern(b"main"),
            self.names.intern(b"([Ljava/lang/String;)V"),
        );
        let ids = self.named(Some(name));
        ids.into_iter()
            .any(|id| self.body(id).is_some_and(|body| body.methods.contains_key(&main)))
    }

    fn follow(&mut self, id: Id, index: usize) {
        let Some(class) = self.body(id).map(|body| Rc::clone(&body.class)) else {
            return;
        };
        let Some(method) = class.methods.get(index) else {
            return;
        };
        if method.is_native() {
            self.natives.push((id, index));
        }
        let mut found = Vec::new();
        let whole = code::uses(class.code(method), |how, constant| found.push((how, constant)));
        if whole.is_none()
            && let Some(name) = self.body(id).map(|body| body.name)
        {
            self.unread.push(name);
        }
        for (how, constant) in found {
            // What a constant leads to does not depend on where in the class it is used.
            if self
                .body_mut(id)
                .is_some_and(|body| body.used.insert((how, constant)))
            {
                self.use_constant(id, &class, how, constant);
            }
        }
    }

    fn use_constant(&mut self, id: Id, class: &Class, how: Use, index: u16) {
        match how {
            Use::New => {
                for id in self.named(class.class_name(index)) {
                    self.make(id);
                }
            }
            Use::Load => self.load(id, class, index),
            Use::Ask(method) if compares_names(class, method) => {}
            Use::Ask(method) if !is_answer(class, method) => self.load(id, class, index),
            Use::Ask(_) | Use::Compare => self.load_text(id, class, index),
            Use::Dynamic => self.link(id, class, index),
            Use::Variable | Use::Exact | Use::Virtual => {
                if let Some(member) = class.member(index) {
                    self.use_member(how, member);
                }
            }
        }
    }

    fn use_member(&mut self, how: Use, member: Member<'_>) {
        let selector = (
            self.names.intern(member.name),
            self.names.intern(member.descriptor),
        );
        for id in self.named(Some(member.class)) {
            match how {
                Use::Virtual => self.call(id, selector),
                Use::Exact => {
                    self.initialise(id);
                    self.look_up(id, selector);
                }
                _ => self.initialise(id),
            }
        }
    }

    /// A text, whatever is done with it.
    fn load_text(&mut self, id: Id, class: &Class, index: u16) {
        if let Some(text) = class.string(index) {
            self.take_text_of(id, text);
        }
    }

    fn load(&mut self, id: Id, class: &Class, index: u16) {
        self.load_text(id, class, index);
        match class.constant(index) {
            Some(Constant::Class(_)) => self.literal(class.class_name(index)),
            Some(Constant::Handle { kind, member }) => self.handle(class, kind, member),
            Some(Constant::Dynamic { .. }) => self.link(id, class, index),
            _ => {}
        }
    }

    /// A method handle (4.4.8).
    fn handle(&mut self, class: &Class, kind: u8, member: u16) {
        let Some(member) = class.member(member) else {
            return;
        };
        match kind {
            1..=4 => self.use_member(Use::Variable, member),
            5 | 9 => self.use_member(Use::Virtual, member),
            _ => {
                self.use_member(Use::Exact, member);
                if kind == 8 {
                    for id in self.named(Some(member.class)) {
                        self.make(id);
                    }
                }
            }
        }
    }

    /// A call or constant that a bootstrap method links: what it is given may be called, and an object of the type that
    /// comes out may be made.
    fn link(&mut self, id: Id, class: &Class, index: u16) {
        let Some(Constant::Dynamic { bootstrap, signature }) = class.constant(index) else {
            return;
        };
        if let Some((_, descriptor)) = class.name_and_type(signature) {
            let result = descriptor.rsplit(|byte| *byte == b')').next();
            for id in self.named(result) {
                self.make(id);
            }
        }
        let Some(bootstrap) = class.bootstrap(bootstrap).cloned() else {
            return;
        };
        for index in std::iter::once(bootstrap.handle).chain(bootstrap.arguments) {
            // A dynamic constant among the arguments may lead back: it is followed once.
            let is_new = !matches!(class.constant(index), Some(Constant::Dynamic { .. }))
                || class.name().is_some_and(|name| {
                    let name = self.names.intern(name);
                    self.linked.insert((name, index))
                });
            if is_new {
                self.load(id, class, index);
            }
        }
    }

    /// A method of a class, or where it has none, those of the classes directly above.
    pub fn look_up(&mut self, id: Id, selector: Selector) {
        let mut pending = vec![id];
        // Ends: every class is asked for each method once.
        while let Some(id) = pending.pop() {
            if !self.looked_up.insert((id, selector)) {
                continue;
            }
            match self
                .body(id)
                .and_then(|body| body.methods.get(&selector).copied())
            {
                Some(method) => self.reach(id, method),
                None => pending.extend(self.above(id)),
            }
        }
    }

    /// A call on objects of a type.
    pub fn call(&mut self, id: Id, selector: Selector) {
        if !self.called.insert((id, selector)) {
            return;
        }
        let Some(body) = self.body_mut(id) else { return };
        body.called.push(selector);
        let below = body.below.clone();
        // Of an interface there may be objects of classes that are made while the program runs.
        if body.class.is_interface() {
            self.look_up(id, selector);
        }
        for live in below {
            self.look_up(live, selector);
        }
    }

    /// A method that runs.
    pub fn reach(&mut self, id: Id, method: usize) {
        let reached = self.body_mut(id).and_then(|body| body.reached.get_mut(method));
        let Some(reached) = reached.filter(|reached| !**reached) else {
            return;
        };
        *reached = true;
        self.waiting.push_back(Task::Method(id, method));
        self.enter(id);
    }

    /// Code of a class runs.
    fn enter(&mut self, id: Id) {
        let Some(body) = self.body_mut(id).filter(|body| !body.entered) else {
            return;
        };
        body.entered = true;
        body.finds_classes = body.class.finds_classes();
        body.loads_libraries = body.class.names_member(LOADS);
        if let Origin::Application(Some(archive)) = body.origin {
            self.archives.insert(archive);
        }
        self.waiting.push_back(Task::Texts(id));
    }

    /// A class is initialised, and those above it.
    pub fn initialise(&mut self, id: Id) {
        if self.body(id).is_none_or(|body| body.initialised) {
            return;
        }
        let selector = (self.names.intern(b"<clinit>"), self.names.intern(b"()V"));
        for id in self.line(id).iter().copied() {
            let Some(body) = self.body_mut(id).filter(|body| !body.initialised) else {
                continue;
            };
            body.initialised = true;
            if let Some(method) = body.methods.get(&selector).copied() {
                self.reach(id, method);
            }
        }
    }

    /// An object of a class is made.
    pub fn make(&mut self, id: Id) {
        let Some(body) = self.body_mut(id).filter(|body| !body.live) else {
            return;
        };
        body.live = true;
        let application = body.origin != Origin::Machine;
        let name = body.name;
        self.initialise(id);
        for above in self.line(id).iter().copied() {
            let Some(body) = self.body_mut(above) else {
                continue;
            };
            body.below.push(id);
            for selector in body.called.clone() {
                self.look_up(id, selector);
            }
        }
        self.open(id);
        if application {
            self.want_nested(name);
        }
        if application || self.is_called_from_outside(id) {
            self.want(Task::Whole(name));
        }
    }

    /// The name and type of a method.
    pub fn method(&self, id: Id, method: usize) -> Option<(&Body, &Method, &[u8], &[u8])> {
        let body = self.body(id)?;
        let method = body.class.methods.get(method)?;
        let (name, descriptor) = body.class.signature(method)?;
        Some((body, method, name, descriptor))
    }

    /// The packages of the applications' classes that are in use, and all around them.
    pub fn packages_in_use(&self) -> FxHashSet<Vec<u8>> {
        let bodies = self.ids().filter_map(|id| self.body(id));
        let used = bodies.filter(|body| body.is_used() && body.origin != Origin::Machine);
        let names: Vec<Rc<[u8]>> = used.map(|body| self.names.text(body.name)).collect();
        resources::packages(names.iter().map(|name| &**name))
    }

    /// Every class that was read.
    pub fn ids(&self) -> impl Iterator<Item = Id> + use<> {
        (0..u32::try_from(self.bodies.len()).unwrap_or(u32::MAX)).map(Id)
    }
}

/// Whether a method only tells something of a class that it is called on or with, and gives nothing out by which an object of it
/// could be made.
fn is_answer(class: &Class, method: u16) -> bool {
    let answers = |member: Member<'_>| {
        member.class == b"java/lang/Class" && ANSWERS.contains(&member.name)
            || member.name == b"equals" && member.descriptor == b"(Ljava/lang/Object;)Z"
    };
    class.member(method).is_some_and(answers)
}

/// Whether a method only compares a text that it is called with with the names of classes.
fn compares_names(class: &Class, method: u16) -> bool {
    let compares = |member: Member<'_>| COMPARES.contains(&(member.class, member.name));
    class.member(method).is_some_and(compares)
}

impl Body {
    /// Whether any of its code runs, or an object of it is made.
    pub fn is_used(&self) -> bool {
        self.entered || self.live || self.initialised
    }
}
