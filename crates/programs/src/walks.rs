//! Texts for a shell that wait to be walked, and what walking may cost.
//!
//! A text is walked once for each way to call it. Where that becomes too much, because there are many ways or each takes
//! long, it is walked once more as if it was called with anything, which stands for all further ways. Past the bounds of the
//! whole search texts are only scanned. So a search ends in seconds whatever the scripts are, and nothing is left out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::discovery::Unit;
use crate::pattern::{ANY, REST};

/// How many ways to call one text are walked, each for itself.
const MAX_CALLS_OF_ONE: usize = 16;
/// How many commands those ways may have together: the largest entry points of images have a tenth of it.
const MAX_STEPS_OF_ONE: usize = 100_000;
/// How many ways to call all texts are walked.
const MAX_UNITS: usize = 1024;
/// How many commands all texts may have: some ten seconds.
const MAX_STEPS: usize = 1_000_000;

/// What tells one walk from another: place, text, arguments, environment and who walks; how it was come by does not.
type Way = (
    String,
    String,
    Vec<String>,
    BTreeMap<String, String>,
    Option<String>,
);

/// What tells one text from another: place, text and who walks.
type Text = (String, String, Option<String>);

/// What was walked of one text.
#[derive(Debug, Default)]
struct Spent {
    ways: usize,
    steps: usize,
    /// Called with anything: there is nothing new in another way.
    widened: bool,
}

/// What is to be done about a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Walk it.
    Walk,
    /// Walk it as [`called_with_anything`]; the way that led here stands for all further ones.
    Widen,
    /// It was walked as if it was called with anything: only what it is called with is new.
    Known,
    /// There is no time to walk it.
    Scan,
}

/// The texts.
#[derive(Debug, Default)]
pub struct Walks {
    queue: VecDeque<Unit>,
    seen: BTreeSet<Way>,
    spent: BTreeMap<Text, Spent>,
    ways: usize,
    steps: usize,
}

impl Walks {
    /// Adds a text, unless it was added before with the same arguments and environment.
    pub fn add(&mut self, unit: Unit) {
        let way = (
            unit.context.place.clone(),
            unit.text.clone(),
            unit.argv.clone(),
            unit.context.variables.clone(),
            unit.context.by.clone(),
        );
        if self.seen.insert(way) {
            self.queue.push_back(unit);
        }
    }

    /// The next text.
    pub fn next(&mut self) -> Option<(Turn, Unit)> {
        let unit = self.queue.pop_front()?;
        let spent = self.spent.entry(text(&unit)).or_default();
        if spent.widened {
            return Some((Turn::Known, unit));
        }
        if self.ways >= MAX_UNITS || self.steps >= MAX_STEPS {
            return Some((Turn::Scan, unit));
        }
        self.ways += 1;
        spent.ways += 1;
        spent.widened = spent.ways > MAX_CALLS_OF_ONE || spent.steps > MAX_STEPS_OF_ONE;
        let turn = if spent.widened { Turn::Widen } else { Turn::Walk };
        Some((turn, unit))
    }

    /// Takes note of how many commands of a text were walked.
    pub fn spend(&mut self, unit: &Unit, steps: usize) {
        self.steps = self.steps.saturating_add(steps);
        let spent = self.spent.entry(text(unit)).or_default();
        spent.steps = spent.steps.saturating_add(steps);
    }

    /// How many commands may still be walked.
    pub fn left(&self) -> usize {
        MAX_STEPS.saturating_sub(self.steps)
    }

    /// How many commands were walked.
    pub fn steps(&self) -> usize {
        self.steps
    }
}

fn text(unit: &Unit) -> Text {
    (
        unit.context.place.clone(),
        unit.text.clone(),
        unit.context.by.clone(),
    )
}

/// The same text with arguments of which nothing is known, and variables of which nothing is known but where every command
/// has them, as `environment` says.
pub fn called_with_anything(unit: &Unit, environment: &[(String, String)]) -> Unit {
    let mut unit = unit.clone();
    unit.argv.truncate(1);
    unit.argv.push(REST.to_owned());
    for (name, value) in &mut unit.context.variables {
        if !environment.iter().any(|(own, text)| own == name && text == value) {
            *value = ANY.to_string();
        }
    }
    unit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins::Dialect;
    use crate::discovery::Context;

    fn unit(text: &str, argument: &str) -> Unit {
        Unit {
            text: text.to_owned(),
            dialect: Dialect::Posix,
            argv: vec!["/run".to_owned(), argument.to_owned()],
            context: Context {
                place: "/run".to_owned(),
                line: Some(1),
                parent: None,
                by: Some("/run".to_owned()),
                interprets: None,
                depth: 0,
                variables: BTreeMap::from([
                    ("PATH".to_owned(), "/bin".to_owned()),
                    ("OWN".to_owned(), argument.to_owned()),
                ]),
                input: None,
            },
        }
    }

    fn turn(walks: &mut Walks) -> Option<Turn> {
        walks.next().map(|(turn, _)| turn)
    }

    #[test]
    fn the_same_way_is_walked_once() {
        let mut walks = Walks::default();
        walks.add(unit("true", "a"));
        assert_eq!(walks.next(), Some((Turn::Walk, unit("true", "a"))));
        walks.add(unit("true", "a"));
        assert_eq!(walks.next(), None);
    }

    #[test]
    fn many_ways_become_one_with_anything() {
        let mut walks = Walks::default();
        for way in 0..MAX_CALLS_OF_ONE {
            walks.add(unit("true", &way.to_string()));
            assert_eq!(turn(&mut walks), Some(Turn::Walk));
        }
        walks.add(unit("true", "more"));
        assert_eq!(turn(&mut walks), Some(Turn::Widen));
        walks.add(unit("true", "still more"));
        assert_eq!(turn(&mut walks), Some(Turn::Known));
    }

    #[test]
    fn anything_leaves_what_every_command_has() {
        let environment = [("PATH".to_owned(), "/bin".to_owned())];
        let widened = called_with_anything(&unit("true", "a"), &environment);
        assert_eq!(widened.argv, ["/run", REST]);
        assert_eq!(widened.context.variables["PATH"], "/bin");
        assert_eq!(widened.context.variables["OWN"], ANY.to_string());
    }

    #[test]
    fn a_text_that_takes_long_is_widened_earlier_and_too_much_is_scanned() {
        let mut walks = Walks::default();
        walks.add(unit("long", "a"));
        walks.add(unit("long", "b"));
        walks.add(unit("other", "a"));
        assert_eq!(turn(&mut walks), Some(Turn::Walk));
        walks.spend(&unit("long", "a"), MAX_STEPS_OF_ONE + 1);
        assert_eq!(turn(&mut walks), Some(Turn::Widen));
        walks.spend(&unit("long", "b"), MAX_STEPS);
        assert_eq!(walks.left(), 0);
        assert_eq!(turn(&mut walks), Some(Turn::Scan));
    }
}
