//! The columns of the table of vulnerabilities that have a grammar of their own, read while compiling: a name that no
//! call, argument or constant has does not compile.

use crate::arguments::argument_named;
use crate::calls::known_call;
use crate::constants::value_named;
use crate::{KernelVersion, tsv};

use super::{ArgumentCondition, Entry};

/// A part of a way, in the order of the text. A call that follows another one is an alternative to it.
#[derive(Debug, Clone, Copy)]
pub enum Token {
    /// A call.
    Call {
        /// Its number.
        number: u32,
        /// How it enters the kernel.
        entry: Entry,
    },
    /// A condition on the call before.
    Condition(ArgumentCondition),
    /// The next step begins.
    Step,
    /// The next way begins.
    Way,
}

/// More than the table needs; reading it asserts that.
const MOST_TOKENS: usize = 2000;

/// What all rows consist of.
pub struct Parsed<const ROWS: usize> {
    /// Row by row.
    pub tokens: [Token; MOST_TOKENS],
    /// Where each row's tokens end.
    pub ends: [usize; ROWS],
}

struct Tokens {
    all: [Token; MOST_TOKENS],
    count: usize,
}

/// Reads the ways of every row, and checks its other columns and the order of rows.
pub const fn ways<const ROWS: usize>(cells: &[[&'static str; 9]; ROWS]) -> Parsed<ROWS> {
    let mut tokens = Tokens {
        all: [Token::Way; MOST_TOKENS],
        count: 0,
    };
    let mut ends = [0; ROWS];
    let mut row = 0;
    let mut before = [0, 0];
    while row < ROWS {
        let [id, list, class, first, fixed, capability, text, ..] = cells[row];
        let place = identity(id);
        assert!(
            before[0] < place[0] || (before[0] == place[0] && before[1] < place[1]),
            "vulnerabilities must be sorted by year and number"
        );
        before = place;
        assert!(one_of(list, &["published", "added"]), "a list is not known");
        assert!(
            one_of(class, &["privilege", "escape", "leak", "crash"]),
            "a class is not known"
        );
        let _ = KernelVersion::parse(fixed);
        let _ = tsv::same(first, "-") || KernelVersion::parse(first).0[0] > 0;
        assert!(
            tsv::same(capability, "-") || starts(capability, "CAP_") || starts(capability, "host:CAP_"),
            "a capability is not known"
        );
        sentence(&mut tokens, text);
        ends[row] = tokens.count;
        row += 1;
    }
    Parsed {
        tokens: tokens.all,
        ends,
    }
}

/// What a text of ways by itself consists of, which must be as many tokens.
pub const fn tokens<const COUNT: usize>(text: &'static str) -> [Token; COUNT] {
    let mut tokens = Tokens {
        all: [Token::Way; MOST_TOKENS],
        count: 0,
    };
    sentence(&mut tokens, text);
    assert!(tokens.count == COUNT, "a text has another number of tokens");
    let mut exact = [Token::Way; COUNT];
    exact.copy_from_slice(tokens.all.split_at(COUNT).0);
    exact
}

/// Year and number of `CVE-2022-0185`.
const fn identity(cell: &str) -> [u32; 2] {
    assert!(starts(cell, "CVE-"), "a vulnerability has no number of the list");
    let (_, rest) = cell.split_at(4);
    let (year, number) = tsv::cut(rest, b'-');
    [tsv::decimal(year), tsv::decimal(number)]
}

const fn sentence(tokens: &mut Tokens, text: &'static str) {
    let mut rest = text;
    let mut complete = false;
    while !rest.is_empty() {
        let (word, after) = tsv::cut(rest, b' ');
        rest = after;
        if tsv::same(word, "or") || tsv::same(word, "+") {
            assert!(
                complete && !rest.is_empty(),
                "a call is missing before or behind \"+\" or \"or\""
            );
            complete = false;
            if tsv::same(word, "+") {
                push(tokens, Token::Step);
            }
            continue;
        }
        assert!(!complete, "\"+\", \"or\" or \";\" is missing between calls");
        let (word, ends_way) = match word.as_bytes() {
            [.., b';'] => (word.split_at(word.len() - 1).0, true),
            _ => (word, false),
        };
        access(tokens, word);
        complete = !ends_way;
        if ends_way {
            push(tokens, Token::Way);
        }
    }
    assert!(complete, "a way has no call at its end");
}

/// A call and its conditions.
const fn access(tokens: &mut Tokens, word: &'static str) {
    let (entry, word) = if starts(word, "x86:") {
        (Entry::X86, word.split_at(4).1)
    } else if starts(word, "x32:") {
        (Entry::X32, word.split_at(4).1)
    } else {
        (Entry::Native, word)
    };
    let (name, conditions) = tsv::cut(word, b'(');
    let number = known_call(name).number;
    push(tokens, Token::Call { number, entry });
    if name.len() == word.len() {
        return;
    }
    assert!(
        conditions.len() > 1 && conditions.as_bytes()[conditions.len() - 1] == b')',
        "a bracket is not closed"
    );
    let mut rest = conditions.split_at(conditions.len() - 1).0;
    while !rest.is_empty() {
        let (one, after) = tsv::cut(rest, b',');
        rest = after;
        push(tokens, Token::Condition(condition(number, name, one)));
    }
}

/// `name=VALUE`, `name!=VALUE`, `name&BITS`, `name&MASK=VALUE` or `name&MASK!=VALUE`.
const fn condition(number: u32, call: &'static str, text: &'static str) -> ArgumentCondition {
    let (left, value) = tsv::cut(text, b'=');
    let compares = left.len() < text.len();
    let (left, equal) = match left.as_bytes() {
        [.., b'!'] => (left.split_at(left.len() - 1).0, false),
        _ => (left, true),
    };
    let (name, bits) = tsv::cut(left, b'&');
    let (index, width) = argument_named(number, name);
    let mask = match bits.is_empty() {
        true => width,
        false => combined(call, name, bits),
    };
    let value = match compares {
        true => combined(call, name, value),
        false => mask,
    };
    assert!(
        mask != 0 && mask & !width == 0 && value & !mask == 0,
        "a condition compares bits that its argument or mask does not have"
    );
    ArgumentCondition {
        index,
        mask,
        value,
        equal,
    }
}

/// Names of constants and hexadecimal numbers, or-ed together.
const fn combined(call: &'static str, argument: &'static str, text: &'static str) -> u64 {
    let mut value = 0;
    let mut rest = text;
    assert!(!rest.is_empty(), "a value is missing");
    while !rest.is_empty() {
        let (word, after) = tsv::cut(rest, b'|');
        rest = after;
        value |= match word.as_bytes() {
            [b'0', ..] => tsv::hexadecimal(word),
            _ => value_named(call, argument, word),
        };
    }
    value
}

const fn push(tokens: &mut Tokens, token: Token) {
    assert!(tokens.count < MOST_TOKENS, "MOST_TOKENS is too small");
    tokens.all[tokens.count] = token;
    tokens.count += 1;
}

const fn starts(text: &str, prefix: &str) -> bool {
    text.len() >= prefix.len() && tsv::same(text.split_at(prefix.len()).0, prefix)
}

const fn one_of(cell: &str, known: &[&str]) -> bool {
    let mut at = 0;
    while at < known.len() {
        if tsv::same(known[at], cell) {
            return true;
        }
        at += 1;
    }
    false
}
