//! What is taken from a text that the parser rejects: every word of it that names an executable.
//!
//! Over-approximates by far: words of comments and messages count. Misses names that are put together.

use std::collections::BTreeSet;

use confine_assumption::{Effect, Kind};

use crate::builtins::{self, Dialect};
use crate::discovery::{Context, Discovery, Request, Unit};
use crate::pattern;

/// How many different words of one text are looked up.
const MAX_WORDS: usize = 20_000;

/// Takes every word of `unit` that names an executable of the image for a command.
pub fn scan(discovery: &mut Discovery<'_>, unit: &Unit, reason: &str) {
    let context = unit.context.clone();
    let detail = format!("{reason}: every word of it that names an executable is taken for a command");
    discovery.assume_with(Kind::OpenCommand, &context, detail, Effect::WidenedToCandidates);
    try_words(discovery, unit.dialect, &unit.text, &context);
    try_arguments(discovery, unit);
}

/// Follows what a text is called with, from each word that names an executable: somewhere in it may be `exec "$@"`.
pub fn try_arguments(discovery: &mut Discovery<'_>, unit: &Unit) {
    let context = &unit.context;
    for at in 1..unit.argv.len() {
        let rest = unit.argv.get(at..).unwrap_or_default();
        let named = rest.first().filter(|word| !pattern::is_open(word));
        if named.is_some_and(|word| discovery.look_up(word, &context.variables).is_some()) {
            let how = "argument of a script that cannot be followed".to_owned();
            discovery.run(Request {
                argv: rest.to_vec(),
                how,
                context: deeper(context.clone()),
            });
        }
    }
}

/// Takes every word of a text that names an executable for a command.
pub fn try_words(discovery: &mut Discovery<'_>, dialect: Dialect, text: &str, context: &Context) {
    let mut seen = BTreeSet::new();
    for (index, line) in text.lines().enumerate() {
        for word in words(line) {
            if seen.len() >= MAX_WORDS {
                return;
            }
            if seen.insert(word.to_owned()) && !builtins::is_builtin(dialect, word) {
                let line = context.line.map(|first| first.saturating_add(index));
                try_word(
                    discovery,
                    word,
                    Context {
                        line,
                        ..context.clone()
                    },
                );
            }
        }
    }
}

fn try_word(discovery: &mut Discovery<'_>, word: &str, context: Context) {
    if discovery.look_up(word, &context.variables).is_none() {
        return;
    }
    let how = format!("word `{word}` of a text that cannot be followed");
    let argv = vec![word.to_owned()];
    // A shell among the words is no reason to ask what its standard input brings.
    let mut context = deeper(context);
    context.input = Some(String::new());
    discovery.run(Request { argv, how, context });
}

fn deeper(mut context: Context) -> Context {
    context.depth += 1;
    context
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|character: char| !(character.is_alphanumeric() || "_./+-[".contains(character)))
        .map(|word| word.trim_end_matches(['.', '-']))
        .filter(|word| !word.is_empty() && !word.ends_with('/'))
}
