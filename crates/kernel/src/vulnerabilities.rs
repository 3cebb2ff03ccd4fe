//! Vulnerabilities of the kernel and the system calls that reach them.
//!
//! Each has the ways to it that are known. A way is a list of steps, all of them needed; a step is a list of calls with
//! conditions on their arguments, any of which does. The table errs on one side: it may ask less of an attacker than is
//! needed, never more, so that what a policy denies of every way is out of reach.

mod parse;

use std::fmt;
use std::ops::Range;
use std::sync::LazyLock;

use crate::{KernelVersion, SystemCall, call, call_named, tsv};

use parse::{Parsed, Token};

/// A vulnerability and the ways to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vulnerability {
    /// The entry in the list of common vulnerabilities, e.g. `CVE-2022-0185`.
    pub id: &'static str,
    /// Whether it is one of the 42 that published figures count.
    pub published: bool,
    /// What an attacker gains at most.
    pub class: VulnerabilityClass,
    /// The first version of the mainline kernel that has it, where that is known.
    pub first: Option<KernelVersion>,
    /// The first version of the mainline kernel that has it no more.
    pub fixed: KernelVersion,
    /// What every way needs besides calls.
    pub capability: Option<NeededCapability>,
    /// The ways to it.
    pub ways: Vec<Way>,
    /// What goes wrong, in a few words.
    pub what: &'static str,
    /// Where the facts are from.
    pub source: &'static str,
}

/// What an attacker gains at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VulnerabilityClass {
    /// Rights, or code in the kernel.
    Privilege,
    /// As before, and was shown to lead out of a container.
    Escape,
    /// Memory of the kernel.
    Leak,
    /// The kernel stops, or runs out of something.
    Crash,
}

/// A capability that is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeededCapability {
    /// Its name, e.g. `CAP_NET_ADMIN`.
    pub name: &'static str,
    /// Whether it is needed outside user name spaces; otherwise a new one gives it to whoever may make one.
    pub host: bool,
}

/// Steps to a vulnerability, all of which are needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The steps.
    pub steps: Vec<Step>,
}

/// Accesses of which one is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The accesses.
    pub accesses: Vec<Access>,
}

/// A call with certain arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The call.
    pub call: &'static SystemCall,
    /// How it enters the kernel.
    pub entry: Entry,
    /// What its arguments must be, all of it.
    pub conditions: Vec<ArgumentCondition>,
    /// As the table has it.
    pub text: String,
}

/// As calls of which architecture a call enters the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Entry {
    /// Of x86-64.
    Native,
    /// Of 32-bit x86.
    X86,
    /// Of x32.
    X32,
}

/// What an argument must be: under the mask the value, or anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArgumentCondition {
    /// Which argument, from 0.
    pub index: u32,
    /// The bits that are compared.
    pub mask: u64,
    /// What they are compared with.
    pub value: u64,
    /// Whether they must be equal; otherwise they must not.
    pub equal: bool,
}

/// A call that does what another one does, out of sight of conditions on that one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Equivalent {
    /// The call that does it as well.
    pub by: &'static SystemCall,
    /// Since which version.
    pub since: KernelVersion,
    /// By what.
    pub how: &'static str,
}

/// The first kernel on which anyone may make a user name space (kernel/user_namespace.c).
pub const USER_NAME_SPACES_SINCE: KernelVersion = KernelVersion([3, 8, 0]);

/// Every known vulnerability, by year and number.
#[must_use]
pub fn vulnerabilities() -> &'static [Vulnerability] {
    static TABLE: LazyLock<Vec<Vulnerability>> = LazyLock::new(|| {
        let starts = std::iter::once(0).chain(PARSED.ends);
        let ranges = starts.zip(PARSED.ends).map(|(start, end)| start..end);
        CELLS
            .iter()
            .zip(ranges)
            .map(|(cells, tokens)| vulnerability(cells, tokens))
            .collect()
    });
    &TABLE
}

/// The step that makes a user name space of one's own.
#[must_use]
pub fn user_name_space() -> Step {
    let ways = ways(USER_NAME_SPACE, &USER_NAME_SPACE_TOKENS);
    let steps = ways.into_iter().flat_map(|way| way.steps);
    Step {
        accesses: steps.flat_map(|step| step.accesses).collect(),
    }
}

/// Calls that do what that one does.
pub fn equivalents(call: &SystemCall) -> impl Iterator<Item = Equivalent> {
    let rows = EQUIVALENTS.iter().filter(move |[name, ..]| *name == call.name);
    rows.filter_map(|[_, by, since, how]| {
        Some(Equivalent {
            by: call_named(by)?,
            since: KernelVersion::parse(since),
            how,
        })
    })
}

impl fmt::Display for VulnerabilityClass {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Privilege => "privilege",
            Self::Escape => "escape",
            Self::Leak => "leak",
            Self::Crash => "crash",
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, access) in self.accesses.iter().enumerate() {
            let before = if at == 0 { "" } else { " or " };
            write!(formatter, "{before}{}", access.text)?;
        }
        Ok(())
    }
}

const TEXT: &str = include_str!("../data/cves.tsv");
const COUNT: usize = tsv::count(TEXT);
static CELLS: [[&str; 9]; COUNT] = tsv::rows(TEXT);
#[allow(
    long_running_const_eval,
    reason = "two hundred rows with names to look up take a second"
)]
static PARSED: Parsed<COUNT> = parse::ways(&CELLS);

const USER_NAME_SPACE: &str = "unshare(unshare_flags&CLONE_NEWUSER) or clone(clone_flags&CLONE_NEWUSER)";
/// Two calls, each with its condition.
static USER_NAME_SPACE_TOKENS: [Token; 4] = parse::tokens(USER_NAME_SPACE);

const EQUIVALENT_TEXT: &str = include_str!("../data/x86_64-equivalents.tsv");
static EQUIVALENTS: [[&str; 4]; tsv::count(EQUIVALENT_TEXT)] = tsv::rows(EQUIVALENT_TEXT);

fn vulnerability(cells: &[&'static str; 9], tokens: Range<usize>) -> Vulnerability {
    let [id, list, class, first, fixed, capability, ways, what, source] = *cells;
    Vulnerability {
        id,
        published: list == "published",
        class: match class {
            "escape" => VulnerabilityClass::Escape,
            "leak" => VulnerabilityClass::Leak,
            "crash" => VulnerabilityClass::Crash,
            _ => VulnerabilityClass::Privilege,
        },
        first: (first != "-").then(|| KernelVersion::parse(first)),
        fixed: KernelVersion::parse(fixed),
        capability: (capability != "-").then(|| NeededCapability {
            name: capability.trim_start_matches("host:"),
            host: capability.starts_with("host:"),
        }),
        ways: self::ways(ways, PARSED.tokens.get(tokens).unwrap_or(&[])),
        what,
        source,
    }
}

/// The ways that tokens stand for; `text` has a word for each of their calls, in the same order.
fn ways(text: &str, tokens: &[Token]) -> Vec<Way> {
    let mut words = text
        .split([' ', ';'])
        .filter(|word| !["", "or", "+"].contains(word));
    let mut ways = vec![Way {
        steps: vec![Step { accesses: Vec::new() }],
    }];
    for token in tokens {
        let Some(way) = ways.last_mut() else { break };
        match *token {
            Token::Way => ways.push(Way {
                steps: vec![Step { accesses: Vec::new() }],
            }),
            Token::Step => way.steps.push(Step { accesses: Vec::new() }),
            Token::Call { number, entry } => {
                if let (Some(step), Some(call), Some(word)) =
                    (way.steps.last_mut(), call(number), words.next())
                {
                    step.accesses.push(Access {
                        call,
                        entry,
                        conditions: Vec::new(),
                        text: word.to_owned(),
                    });
                }
            }
            Token::Condition(condition) => {
                let access = way.steps.last_mut().and_then(|step| step.accesses.last_mut());
                if let Some(access) = access {
                    access.conditions.push(condition);
                }
            }
        }
    }
    ways
}

#[cfg(test)]
mod tests;
