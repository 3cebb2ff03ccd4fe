//! What is known of a shell at one point of its script.
//!
//! Joining two states takes the union of everything. Sets that grow past a bound become "anything", and texts
//! past a length lose what follows, so chains of joins end.

use std::collections::{BTreeMap, BTreeSet};

use crate::pattern::{ANY, REST};

const MAX_VALUES: usize = 48;
const MAX_LISTS: usize = 24;
const MAX_WORDS: usize = 256;
const MAX_LENGTH: usize = 4096;

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

    fn add(&mut self, mut text: String) {
        if text.len() > MAX_LENGTH {
            text = ANY.to_string();
        }
        self.texts.insert(text);
        if self.texts.len() > MAX_VALUES {
            self.texts = BTreeSet::from([ANY.to_string()]);
        }
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
    pub variables: BTreeMap<String, Values>,
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
        self.variables.get(name).cloned().unwrap_or_else(Values::unknown)
    }

    /// Sets a variable and forgets an array of that name.
    pub fn set(&mut self, name: &str, values: Values) {
        self.arrays.remove(name);
        self.variables.insert(name.to_owned(), values);
    }

    /// Sets an array.
    pub fn set_array(&mut self, name: &str, lists: Lists) {
        let first = lists.iter().map(|list| list.first().cloned().unwrap_or_default());
        self.variables.insert(
            name.to_owned(),
            Values::of(first.map(|word| if word == REST { ANY.to_string() } else { word })),
        );
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
        for (name, values) in &other.variables {
            match self.variables.get_mut(name) {
                Some(own) => own.join(values),
                None => {
                    let mut joined = Values::unknown();
                    joined.join(values);
                    self.variables.insert(name.clone(), joined);
                }
            }
        }
        for (name, own) in &mut self.variables {
            if !other.variables.contains_key(name) {
                own.join(&Values::unknown());
            }
        }
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

    /// Makes everything unknown that differs from an earlier state, so that a loop ends.
    pub fn widen(&mut self, before: &Self) {
        for (name, values) in &mut self.variables {
            if before.variables.get(name) != Some(values) {
                values.texts.retain(|text| !text.contains(ANY));
                if values.texts.len() > MAX_VALUES / 2 {
                    values.texts.clear();
                }
                values.texts.insert(ANY.to_string());
            }
        }
        for (name, lists) in &mut self.arrays {
            if before.arrays.get(name) != Some(lists) {
                *lists = Lists::from([unknown_list()]);
            }
        }
        if self.positional != before.positional {
            self.positional.insert(unknown_list());
        }
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
