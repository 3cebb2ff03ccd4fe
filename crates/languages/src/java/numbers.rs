//! Which numbers native methods are given: what the search has come to, asked backwards from a call.
//!
//! A word of a call is a number of the method's own, what its callers give it, what another method returns, or what a variable
//! holds ([`super::flow`]). That is followed where all who may have to do with it are known: a private member is named by
//! classes that are nested with its own alone, another one that is not for others by those of its package, and what the virtual
//! machine keeps to itself by the classes that were found. Only the virtual machine's own classes are followed: an
//! application may make others while it runs. What two methods tell of one object belongs together where a constructor keeps
//! what it is given: the two numbers of a socket's option in OpenJDK's `Net.setIntOption0(…, key.level(), key.name(), …)`.
//!
//! Over-reports: everything that the search has come to runs; a variable may hold 0 before it is set. Misses: an object that
//! is asked before its constructor is through, or was read from a stream; a variable that native code sets which has neither
//! the name of its class nor methods of that.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHasher};

use super::class::{Access, Class, Constant, Method};
use super::flow::{self, Call, Flow, Object, Source, Store, Word, only};
use super::names::{CONSTRUCTOR, Name, outermost, package};
use super::search::{Body, Id, Search};
use super::world::Origin;

/// How far numbers are followed, and how many ways to give them are told apart.
const DEEPEST: usize = 8;
const MOST_WAYS: usize = 64;

/// The numbers that a method is given in one way: by its parameters, from 0; `None` for any.
pub type Way = Vec<Option<i32>>;

/// A method of a class.
type At = (Id, usize);

/// The search, asked.
pub struct Numbers<'s> {
    search: &'s Search,
    /// The classes that are used, by the names and types of members that they name, hashed.
    naming: FxHashMap<u64, Vec<Id>>,
    flows: RefCell<FxHashMap<At, Option<Rc<Flow>>>>,
    calls: RefCell<FxHashMap<At, Calls>>,
}

/// Every call of a method, with the method that makes it; `None` if there may be others.
type Calls = Option<Rc<[(At, Call)]>>;

/// A method that may use a member, what it does, and the constants that name the member there.
type Using = (At, Rc<Flow>, BTreeSet<u16>);

impl<'s> Numbers<'s> {
    /// Of this search, which has come to its end.
    pub fn new(search: &'s Search) -> Self {
        let mut naming: FxHashMap<u64, Vec<Id>> = FxHashMap::default();
        for id in search.ids() {
            let Some(body) = search.body(id).filter(|body| body.is_used()) else {
                continue;
            };
            for (name, descriptor) in body.class.names_and_types() {
                naming.entry(hash(name, descriptor)).or_default().push(id);
            }
        }
        Self {
            search,
            naming,
            flows: RefCell::default(),
            calls: RefCell::default(),
        }
    }

    /// The ways in which a method is called; `None` if nothing is known of them, or no number in one.
    pub fn ways(&self, at: At) -> Option<BTreeSet<Way>> {
        let (_, method, _, descriptor) = self.search.method(at.0, at.1)?;
        let first = usize::from(!method.is_static());
        let parameters: Vec<_> = flow::parameters(descriptor)?.words().collect();
        if parameters.iter().all(|(_, kind)| *kind != b'I') {
            return None;
        }
        let mut ways = BTreeSet::new();
        for (caller, call) in self.calls_of(at)?.iter() {
            let words = parameters.iter().map(|(word, kind)| match kind {
                b'I' => call.words.get(first + word).cloned().flatten(),
                _ => None,
            });
            ways.extend(self.ways_of(*caller, &words.collect::<Vec<_>>()));
            if ways.len() > MOST_WAYS {
                return None;
            }
        }
        let is_known = |way: &Way| way.iter().any(Option::is_some);
        ways.iter().any(is_known).then_some(ways)
    }

    /// The ways in which a method gives these words.
    fn ways_of(&self, at: At, words: &[Word]) -> BTreeSet<Way> {
        let mut ways = BTreeSet::from([vec![None; words.len()]]);
        let mut done = BTreeSet::new();
        for index in 0..words.len() {
            if done.contains(&index) {
                continue;
            }
            let together = of_one_object(words, index);
            let found = self.told_of_one(at, words, &together);
            let (indices, found) = match found {
                Some(found) => (together, found),
                None => {
                    let numbers = self.numbers(at, &words[index], DEEPEST);
                    let numbers = numbers.into_iter().flatten().map(|number| vec![number]);
                    (vec![index], numbers.collect())
                }
            };
            done.extend(indices.iter().copied());
            // What would be too many ways stays open.
            if found.is_empty() || ways.len().saturating_mul(found.len()) > MOST_WAYS {
                continue;
            }
            let each = ways.iter().flat_map(|way| {
                let indices = &indices;
                found.iter().map(move |numbers| {
                    let mut way = way.clone();
                    for (index, number) in indices.iter().zip(numbers) {
                        way[*index] = Some(*number);
                    }
                    way
                })
            });
            ways = each.collect();
        }
        ways
    }

    /// What methods of one object give that tell what it was made with, together.
    fn told_of_one(&self, at: At, words: &[Word], together: &[usize]) -> Option<BTreeSet<Vec<i32>>> {
        let class = &self.search.body(at.0)?.class;
        let mut fields = Vec::new();
        let mut owner = None;
        for index in together {
            let Source::Got { constant, .. } = only(words.get(*index)?)? else {
                return None;
            };
            let member = class.member(constant)?;
            let id = self.only_class(member.class)?;
            if *owner.get_or_insert(id) != id {
                return None;
            }
            fields.push(self.field_that_is_told(id, member.name, member.descriptor)?);
        }
        let owner = owner?;
        let mut told = BTreeSet::new();
        let body = self.search.body(owner)?;
        for ((name, _), index) in &body.methods {
            let constructor = (owner, *index);
            if &*self.search.names.text(*name) != CONSTRUCTOR || !self.runs(constructor) {
                continue;
            }
            let kept: Option<Vec<usize>> = fields.iter().map(|field| self.kept(constructor, field)).collect();
            let kept = kept?;
            for (caller, call) in self.calls_of(constructor)?.iter() {
                let mut each = BTreeSet::from([Vec::new()]);
                for word in &kept {
                    let numbers = self.numbers(*caller, call.words.get(*word)?, DEEPEST)?;
                    let longer = each.iter().flat_map(|before: &Vec<i32>| {
                        numbers.iter().map(|number| [&before[..], &[*number]].concat())
                    });
                    each = longer.collect();
                }
                told.extend(each);
            }
        }
        (told.len() <= MOST_WAYS).then_some(told)
    }

    /// The variable that a method of a class tells and does nothing else, by its name; nothing but constructors sets it.
    fn field_that_is_told(&self, id: Id, name: &[u8], descriptor: &[u8]) -> Option<Vec<u8>> {
        let at = self.own_method(id, name, descriptor)?;
        let class = &self.search.body(id)?.class;
        let flow = self.flow(at)?;
        let [returned] = &flow.returned[..] else {
            return None;
        };
        let Source::Got {
            constant,
            of: Some(Object::Parameter(0)),
            ..
        } = only(returned)?
        else {
            return None;
        };
        let field = class.member(constant)?;
        let stores = self.stores_of(id, field.name, field.descriptor)?;
        let by_constructors = stores.iter().all(|((setter, method), store)| {
            let method = self.search.method(*setter, *method);
            let is_constructor = method.is_some_and(|(_, _, name, _)| name == CONSTRUCTOR);
            *setter == id && is_constructor && store.of == Some(Object::Parameter(0))
        });
        (class.name() == Some(field.class) && by_constructors).then(|| field.name.to_vec())
    }

    /// The word of its parameters that a constructor keeps in a variable.
    fn kept(&self, at: At, field: &[u8]) -> Option<usize> {
        let class = &self.search.body(at.0)?.class;
        let flow = self.flow(at)?;
        let mut stores = flow.stores.iter().filter(|store| {
            let member = class.member(store.constant);
            member.is_some_and(|member| member.name == field && Some(member.class) == class.name())
        });
        match (stores.next(), stores.next()) {
            (Some(store), None) => match only(&store.word)? {
                Source::Parameter(word) => Some(word.into()),
                _ => None,
            },
            _ => None,
        }
    }

    /// The numbers that a word of a method can be.
    fn numbers(&self, at: At, word: &Word, deeper: usize) -> Option<BTreeSet<i32>> {
        let deeper = deeper.checked_sub(1)?;
        let mut numbers = BTreeSet::new();
        for source in word.as_ref()? {
            match *source {
                Source::Number(number) => {
                    numbers.insert(number);
                }
                Source::Parameter(word) => {
                    for (caller, call) in self.calls_of(at)?.iter() {
                        numbers.extend(self.numbers(*caller, call.words.get(usize::from(word))?, deeper)?);
                    }
                }
                Source::Got { constant, .. } => numbers.extend(self.got(at, constant, deeper)?),
            }
            if numbers.len() > MOST_WAYS {
                return None;
            }
        }
        Some(numbers)
    }

    /// The numbers that a call gives, or a variable holds.
    fn got(&self, at: At, constant: u16, deeper: usize) -> Option<BTreeSet<i32>> {
        let member = self.search.body(at.0)?.class.member(constant)?;
        let id = self.only_class(member.class)?;
        let mut numbers = BTreeSet::new();
        if member.descriptor == b"I" {
            numbers.insert(0);
            for (setter, store) in self.stores_of(id, member.name, member.descriptor)? {
                numbers.extend(self.numbers(setter, &store.word, deeper)?);
            }
        } else if member.descriptor.ends_with(b")I") {
            let at = self.own_method(id, member.name, member.descriptor)?;
            for word in &self.flow(at)?.returned {
                numbers.extend(self.numbers(at, word, deeper)?);
            }
        } else {
            return None;
        }
        Some(numbers)
    }

    /// The class of a name, if there is one that nothing lies below.
    fn only_class(&self, name: &[u8]) -> Option<Id> {
        let name = self.search.names.known(name)?;
        let [id] = **self.search.by_name.get(&name)? else {
            return None;
        };
        let body = self.search.body(id)?;
        body.below.iter().all(|below| *below == id).then_some(id)
    }

    /// A method of the class itself that has instructions.
    fn own_method(&self, id: Id, name: &[u8], descriptor: &[u8]) -> Option<At> {
        let selector = self.selector(name, descriptor)?;
        let body = self.search.body(id)?;
        let index = *body.methods.get(&selector)?;
        let method = body.class.methods.get(index)?;
        // A class that is made while the program runs may bring another one.
        let is_the_one = method.is_static() || method.access() != Access::Others || self.is_closed(body);
        (method.has_code() && is_the_one).then_some((id, index))
    }

    fn selector(&self, name: &[u8], descriptor: &[u8]) -> Option<(Name, Name)> {
        let names = &self.search.names;
        Some((names.known(name)?, names.known(descriptor)?))
    }

    fn runs(&self, (id, method): At) -> bool {
        let body = self.search.body(id);
        body.and_then(|body| body.reached.get(method)).copied() == Some(true)
    }

    fn calls_of(&self, at: At) -> Calls {
        if let Some(known) = self.calls.borrow().get(&at) {
            return known.clone();
        }
        let calls: Calls = self.find_calls_of(at).map(Rc::from);
        self.calls.borrow_mut().insert(at, calls.clone());
        calls
    }

    fn find_calls_of(&self, (id, index): At) -> Option<Vec<(At, Call)>> {
        let (body, method, name, descriptor) = self.search.method(id, index)?;
        let selector = self.selector(name, descriptor)?;
        if self.search.may_call_by_name(id, selector.0, selector.1) {
            return None;
        }
        let uses = self.uses_of(method.access(), body, name, descriptor)?;
        let calls = uses.iter().flat_map(|(at, flow, constants)| {
            let calls = flow
                .calls
                .iter()
                .filter(|call| constants.contains(&call.constant));
            calls.map(|call| (*at, call.clone()))
        });
        Some(calls.collect())
    }

    /// Everything that sets a variable, with the method that does; `None` if there may be more.
    fn stores_of(&self, id: Id, name: &[u8], descriptor: &[u8]) -> Option<Vec<(At, Store)>> {
        let body = self.search.body(id)?;
        if self.may_set_by_name(body, name, descriptor) {
            return None;
        }
        let access = body.class.field_access(name, descriptor)?;
        let uses = self.uses_of(access, body, name, descriptor)?;
        let stores = uses.iter().flat_map(|(at, flow, constants)| {
            let stores = flow
                .stores
                .iter()
                .filter(|store| constants.contains(&store.constant));
            stores.map(|store| (*at, store.clone()))
        });
        Some(stores.collect())
    }

    /// The methods that may use a member; `None` if others may, or may by a handle.
    fn uses_of(&self, access: Access, class: &Body, name: &[u8], descriptor: &[u8]) -> Option<Vec<Using>> {
        let mut found = Vec::new();
        for user in self.naming(access, class, name, descriptor)? {
            let class = &self.search.body(user)?.class;
            let constants = naming(class, name, descriptor);
            let is_handle = |(_, constant)| matches!(constant, Constant::Handle { member, .. } if constants.contains(&member));
            if class.constants().any(is_handle) {
                return None;
            }
            for (at, flow) in self.flows_with(user, &constants)? {
                found.push((at, flow, constants.clone()));
            }
        }
        Some(found)
    }

    /// The classes that name a member of a class, or another one that is called so; `None` if such may that are not known.
    fn naming(&self, access: Access, class: &Body, name: &[u8], descriptor: &[u8]) -> Option<Vec<Id>> {
        let own = self.search.names.text(class.name);
        if class.origin != Origin::Machine || access == Access::Others && !self.is_closed(class) {
            return None;
        }
        let ids = self
            .naming
            .get(&hash(name, descriptor))
            .into_iter()
            .flatten()
            .copied();
        let may_name = |id: &Id| {
            let Some(body) = self.search.body(*id) else {
                return false;
            };
            let other = self.search.names.text(body.name);
            match access {
                Access::Nest => outermost(&other) == outermost(&own),
                Access::Package => package(&other) == package(&own),
                Access::Others => true,
            }
        };
        Some(ids.filter(may_name).collect())
    }

    /// Whether only the virtual machine's own code may name a class: code that an application makes while it runs may not
    /// (JEP 403). Of these packages, `sun.misc` and `sun.reflect` are for others (the module jdk.unsupported).
    fn is_closed(&self, class: &Body) -> bool {
        let name = self.search.names.text(class.name);
        let open: [&[u8]; 2] = [b"sun/misc/", b"sun/reflect/"];
        let is_kept = name.starts_with(b"sun/") && !open.iter().any(|open| name.starts_with(open));
        class.origin == Origin::Machine && (is_kept || !class.class.is_public())
    }

    /// Whether something may set a variable by its name: its class, by a handle or an offset, or native code.
    fn may_set_by_name(&self, class: &Body, name: &[u8], descriptor: &[u8]) -> bool {
        let is_native = |text: Option<Name>| text.is_some_and(|text| self.search.texts.is_native(text));
        let known = |text: &[u8]| self.search.names.known(text);
        let mut methods = class.class.methods.iter();
        let by_native_code = is_native(known(name)) && is_native(known(descriptor));
        let knows_class = is_native(Some(class.name)) || methods.any(Method::is_native);
        let mut texts = class.class.constant_strings();
        by_native_code && knows_class || texts.any(|text| text == name)
    }

    /// What the methods of a class do that run and use one of these constants; `None` if that is not known of one.
    fn flows_with(&self, id: Id, constants: &BTreeSet<u16>) -> Option<Vec<(At, Rc<Flow>)>> {
        let mut found = Vec::new();
        if constants.is_empty() {
            return Some(found);
        }
        let class = &self.search.body(id)?.class;
        for (index, method) in class.methods.iter().enumerate() {
            let at = (id, index);
            if self.runs(at) && may_use(class.code(method), constants) {
                found.push((at, self.flow(at)?));
            }
        }
        Some(found)
    }

    fn flow(&self, at: At) -> Option<Rc<Flow>> {
        if let Some(known) = self.flows.borrow().get(&at) {
            return known.clone();
        }
        let (body, method, ..) = self.search.method(at.0, at.1)?;
        let found = flow::flow(&body.class, method).map(Rc::new);
        self.flows.borrow_mut().insert(at, found.clone());
        found
    }
}

/// The words that are told of the same object as the one of this number is, that among them.
fn of_one_object(words: &[Word], index: usize) -> Vec<usize> {
    let object = |word: &Word| match only(word) {
        Some(Source::Got { of, .. }) => of,
        _ => None,
    };
    let wanted = words.get(index).and_then(object);
    let same = words.iter().enumerate();
    let same = same.filter(|(_, word)| wanted.is_some() && object(word) == wanted);
    same.map(|(index, _)| index).collect()
}

fn hash(name: &[u8], descriptor: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    (name, descriptor).hash(&mut hasher);
    hasher.finish()
}

/// Whether instructions may read, set or call what one of these constants names (6.5, `getstatic` to `invokeinterface`).
fn may_use(code: &[u8], constants: &BTreeSet<u16>) -> bool {
    code.windows(3).any(|bytes| match *bytes {
        [0xb2..=0xb9, high, low] => constants.contains(&u16::from_be_bytes([high, low])),
        _ => false,
    })
}

/// The constants of a class that name a member so, of whichever class: one below may be named for it.
fn naming(class: &Class, name: &[u8], descriptor: &[u8]) -> BTreeSet<u16> {
    let members = class
        .constants()
        .filter(|(_, constant)| matches!(constant, Constant::Member { .. }));
    let named = members.filter(|(index, _)| {
        let member = class.member(*index);
        member.is_some_and(|member| member.name == name && member.descriptor == descriptor)
    });
    named.map(|(index, _)| index).collect()
}

#[cfg(test)]
mod tests;
