//! What is known of a shell at one point of its script.
//!
//! Joining two states takes the union of everything. Sets that grow past a bound become "anything", and texts
//! past a length lose what follows, so chains of joins end.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::pattern::{self, ANY, REST};

const MAX_VALUES: usize = 48;
const MAX_LISTS: usize = 24;
const MAX_WORDS: usize = 256;
const MAX_LENGTH: usize = 4096;
/// After how many rounds of a loop what changes becomes unknown: a loop that shifts takes as many as it has words.
const WIDEN_VARIABLES: usize = 2;
const WIDEN_POSITIONAL: usize = 12;

/// The texts that a variable may hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Values {
    /// Each with holes where unknown.
    pub texts: BTreeSet<String>,
    /// From outside: whoever starts the container may have set another, so no test on it is plain.
    pub outside: bool,
}

impl Values {
    /// Anything at all, given from outside.
    pub fn unknown() -> Self {
        Self {
            texts: BTreeSet::from([ANY.to_string()]),
            outside: true,
        }
    }

    /// These texts.
    pub fn of(texts: impl IntoIterator<Item = String>) -> Self {
        let mut values = Self::default();
        for text in texts {
            values.add(text);
        }
        values
    }

    /// These texts, which a command prints: where one is not known, that is given from outside.
    pub fn printed(texts: impl IntoIterator<Item = String>) -> Self {
        let mut values = Self::of(texts);
        values.outside = values.texts.iter().any(|text| pattern::is_open(text));
        values
    }

    fn add(&mut self, mut text: String) {
        if text.len() > MAX_LENGTH {
            text = ANY.to_string();
        }
        self.texts.insert(text);
        if self.texts.len() > MAX_VALUES {
            self.texts = BTreeSet::from([ANY.to_string()]);
        }
    }

    fn includes(&self, other: &Self) -> bool {
        std::ptr::eq(self, other) || (self.outside || !other.outside) && other.texts.is_subset(&self.texts)
    }

    fn join(&mut self, other: &Self) {
        for text in &other.texts {
            self.add(text.clone());
        }
        self.outside |= other.outside;
    }
}

/// Lists of words: what the positional parameters, or an array, may be.
pub type Lists = BTreeSet<Vec<String>>;

/// A list of which nothing is known.
pub fn unknown_list() -> Vec<String> {
    vec![REST.to_owned()]
}

/// What is known of a shell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// Shared until written to: a state is copied at every branch.
    pub(super) variables: Rc<BTreeMap<Rc<str>, Rc<Values>>>,
    pub arrays: BTreeMap<String, Lists>,
    /// Empty: this point cannot be reached.
    pub positional: Lists,
    /// What a line of standard input may be, where that is known.
    pub lines: Option<BTreeSet<String>>,
    /// What a line of the last command's output may be, where that is known.
    pub output: Option<BTreeSet<String>>,
    /// A here-document on standard input.
    pub input: Option<String>,
}

impl State {
    /// What a variable may hold; nobody set it: whatever is given from outside.
    pub fn variable(&self, name: &str) -> Values {
        self.known(name).cloned().unwrap_or_else(Values::unknown)
    }

    /// What a variable may hold, if the script or its environment sets it.
    pub fn known(&self, name: &str) -> Option<&Values> {
        self.variables.get(name).map(Rc::as_ref)
    }

    /// Puts a variable back to what it was in `earlier`.
    pub fn restore(&mut self, name: &str, earlier: &Self) {
        match earlier.variables.get(name) {
            Some(values) => Rc::make_mut(&mut self.variables).insert(name.into(), Rc::clone(values)),
            None => Rc::make_mut(&mut self.variables).remove(name),
        };
        match earlier.arrays.get(name) {
            Some(lists) => self.arrays.insert(name.to_owned(), lists.clone()),
            None => self.arrays.remove(name),
        };
    }

    /// Sets a variable and forgets an array of that name.
    pub fn set(&mut self, name: &str, values: Values) {
        self.arrays.remove(name);
        Rc::make_mut(&mut self.variables).insert(name.into(), Rc::new(values));
    }

    /// Sets an array.
    pub fn set_array(&mut self, name: &str, lists: Lists) {
        let first = lists.iter().map(|list| list.first().cloned().unwrap_or_default());
        let first = first.map(|word| if word == REST { ANY.to_string() } else { word });
        Rc::make_mut(&mut self.variables).insert(name.into(), Rc::new(Values::of(first)));
        self.arrays.insert(name.to_owned(), bounded(lists));
    }

    /// Sets the positional parameters.
    pub fn set_positional(&mut self, lists: Lists) {
        self.positional = bounded(lists);
    }

    /// Takes in what another way to the same point knows.
    pub fn join(&mut self, other: &Self) {
        if other.positional.is_empty() {
            return;
        }
        if self.positional.is_empty() {
            self.clone_from(other);
            return;
        }
        self.join_variables(other);
        for (name, lists) in &other.arrays {
            let own = self.arrays.entry(name.clone()).or_default();
            own.extend(lists.iter().cloned());
            *own = bounded(std::mem::take(own));
        }
        self.positional.extend(other.positional.iter().cloned());
        self.positional = bounded(std::mem::take(&mut self.positional));
        if self.lines != other.lines {
            self.lines = None;
        }
        self.output = None;
    }

    fn join_variables(&mut self, other: &Self) {
        if Rc::ptr_eq(&self.variables, &other.variables) {
            return;
        }
        let mut changed: Vec<(Rc<str>, Values)> = Vec::new();
        let unset = Values::unknown();
        for (name, values) in other.variables.iter() {
            let own = self.variables.get(name).map_or(&unset, Rc::as_ref);
            if !own.includes(values) || !self.variables.contains_key(name) {
                let mut joined = own.clone();
                joined.join(values);
                changed.push((Rc::clone(name), joined));
            }
        }
        for (name, own) in self.variables.iter() {
            if !other.variables.contains_key(name) && !own.includes(&unset) {
                let mut joined = own.as_ref().clone();
                joined.join(&unset);
                changed.push((Rc::clone(name), joined));
            }
        }
        if !changed.is_empty() {
            let variables = Rc::make_mut(&mut self.variables);
            variables.extend(changed.into_iter().map(|(name, values)| (name, Rc::new(values))));
        }
    }

    /// Lets every variable, array and the positional parameters be anything besides what they may be already.
    pub fn loosen(&mut self) {
        if !self.is_reachable() {
            return;
        }
        let unknown = Values::unknown();
        for values in Rc::make_mut(&mut self.variables).values_mut() {
            Rc::make_mut(values).join(&unknown);
        }
        for lists in self.arrays.values_mut() {
            lists.insert(unknown_list());
        }
        self.positional.insert(unknown_list());
    }

    /// Whether the walk can get here.
    pub fn is_reachable(&self) -> bool {
        !self.positional.is_empty()
    }

    /// A point that the walk cannot get to.
    pub fn unreachable() -> Self {
        Self::default()
    }

    /// The same with other positional parameters.
    pub fn with_positional(&self, positional: Lists) -> Self {
        Self {
            positional,
            ..self.clone()
        }
    }

    /// Takes in what a loop's body changed so that loops end: after a few rounds what still changes becomes
    /// unknown. Each variable, array and the positional parameters then change at most once more.
    pub fn widen(&mut self, after: &Self, round: usize) {
        if round < WIDEN_VARIABLES || !after.is_reachable() {
            self.join(after);
            return;
        }
        let mut joined = self.clone();
        joined.join(after);
        let grown: Vec<(Rc<str>, Values)> = self
            .variables
            .iter()
            .filter(|(name, own)| joined.known(name).is_some_and(|values| values != own.as_ref()))
            .map(|(name, own)| {
                let mut values = own.as_ref().clone();
                values.texts.insert(ANY.to_string());
                values.outside |= joined.known(name).is_some_and(|values| values.outside);
                (Rc::clone(name), values)
            })
            .collect();
        for (name, values) in grown {
            Rc::make_mut(&mut joined.variables).insert(name, Rc::new(values));
        }
        for (name, own) in &self.arrays {
            if let Some(lists) = joined.arrays.get_mut(name).filter(|lists| *lists != own) {
                lists.clone_from(own);
                lists.insert(unknown_list());
            }
        }
        if round >= WIDEN_POSITIONAL && joined.positional != self.positional {
            joined.positional.clone_from(&self.positional);
            joined.positional.insert(unknown_list());
        }
        *self = joined;
    }
}

fn bounded(lists: Lists) -> Lists {
    let too_long = lists.iter().any(|list| list.len() > MAX_WORDS);
    let count = lists.len();
    let mut kept: Lists = lists
        .into_iter()
        .filter(|list| list.len() <= MAX_WORDS)
        .take(MAX_LISTS)
        .collect();
    if too_long || count > MAX_LISTS {
        kept.insert(unknown_list());
    }
    kept
}
