//! A seccomp profile as a policy: what the OCI runtime specification defines, with what Docker adds.
//!
//! Read as runc and crun hand it to libseccomp:
//! - an entry's conditions must all hold, but if two of them are on one argument, each is an alternative of its own;
//! - several entries of one call are alternatives, and one without conditions voids those with;
//! - a name that is no call of the architecture is ignored;
//! - Docker leaves out entries whose `includes` the container does not satisfy or whose `excludes` it does; other
//!   engines do not know these and take the entry, which [`Note::Conditional`] tells.
//!
//! Over-approximates, and says so in a [`Note`]: where a profile both allows and denies a call beyond its default, where a
//! supervisor or tracer decides, and where conditions are too many to be worked out, the policy allows. So that what the
//! policy denies the profile denies; where there is no such note, what it allows the profile allows, too.

mod entry;
mod schema;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use confine_policy::{Architecture, Conjunction, Policy, Rule};

use entry::Decision;
use schema::Profile;

/// A profile that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// What it allows on x86-64.
    pub policy: Policy,
    /// Other architectures whose calls an x86-64 kernel takes and the profile lets in: of `SCMP_ARCH_X86` and
    /// `SCMP_ARCH_X32`. They are not in the policy.
    pub others: BTreeSet<String>,
    /// Names that are no calls of x86-64 and that the profile allows under some condition, which is usual: profiles are
    /// written for several architectures. They may be calls of the others.
    pub foreign: BTreeSet<String>,
    /// Whether it allows what it does not name.
    pub permissive: bool,
    /// What is done about that, as libseccomp calls it.
    pub default_action: String,
    /// The error number that goes with it, if it says one.
    pub default_errno: Option<u32>,
    /// Where the policy allows more than the profile may, or what it depends on.
    pub notes: BTreeSet<Note>,
}

/// What a reader of the policy has to know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
    /// A supervisor or a tracer decides about this call; the policy allows it.
    DecidedElsewhere(&'static str),
    /// Entries of this call contradict each other; the policy allows what one of them does.
    Contradicting(&'static str),
    /// The conditions on this call are too many; the policy allows it with any arguments.
    TooManyConditions(&'static str),
    /// An entry for this call depends on the engine's conditions: capabilities, architecture or kernel version.
    Conditional {
        /// The call.
        call: &'static str,
        /// Whether the entry was taken.
        taken: bool,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DecidedElsewhere(call) => {
                write!(
                    formatter,
                    "{call}: a supervisor or tracer decides; taken as allowed"
                )
            }
            Self::Contradicting(call) => write!(
                formatter,
                "{call}: entries allow and deny it; taken as allowed where one allows it"
            ),
            Self::TooManyConditions(call) => write!(
                formatter,
                "{call}: more conditions than can be worked out; taken as allowed with any arguments"
            ),
            Self::Conditional { call, taken } => write!(
                formatter,
                "{call}: an entry depends on capabilities, architecture or kernel version, and {}",
                if *taken { "was taken" } else { "was left out" }
            ),
        }
    }
}

/// Why a text is no profile.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is not JSON, or not of a profile's shape.
    #[error("not a seccomp profile: {0}")]
    Malformed(#[from] serde_json::Error),
    /// An action has an unknown name.
    #[error("expected an action like \"SCMP_ACT_ALLOW\", found {0:?}")]
    Action(String),
    /// A comparison has an unknown name.
    #[error("{call}: expected a comparison like \"SCMP_CMP_EQ\", found {found:?}")]
    Comparison {
        /// The first call of the entry.
        call: String,
        /// What was found.
        found: String,
    },
    /// A condition is on an argument that no call has.
    #[error("{call}: expected the index of an argument, 0 to 5, found {index}")]
    Index {
        /// The first call of the entry.
        call: String,
        /// What was found.
        index: u64,
    },
    /// An entry has no name.
    #[error("entry {0} of the profile's syscalls names no call")]
    Nameless(usize),
    /// A minimal kernel version is none.
    #[error("expected a kernel version like \"4.8\", found {0:?}")]
    KernelVersion(String),
}

/// Reads a profile as it works for a container with these capabilities on x86-64 and the newest kernel.
///
/// # Errors
/// When the text is no profile, or has a word in it that engines do not know either.
pub fn read_oci(text: &str, capabilities: &[&str]) -> Result<Reading, ReadError> {
    let profile: Profile = serde_json::from_str(text)?;
    let default = Decision::parse(&profile.default_action)?;
    let mut calls: BTreeMap<u32, Entries> = BTreeMap::new();
    let mut foreign = BTreeSet::new();
    let mut notes = BTreeSet::new();
    for (at, entry) in profile.syscalls.iter().flatten().enumerate() {
        let names = entry.names(at)?;
        let first = names.first().map_or("", String::as_str);
        let decision = Decision::parse(&entry.action)?;
        let conditions = entry.conditions(first)?;
        let taken = entry.applies(capabilities)?;
        // A name that is there again says nothing more.
        for name in names.iter().collect::<BTreeSet<_>>() {
            let Some(call) = confine_kernel::call_named(name) else {
                if taken && decision != Decision::Deny {
                    foreign.insert(name.clone());
                }
                continue;
            };
            if entry.depends() {
                let call = call.name;
                notes.insert(Note::Conditional { call, taken });
            }
            if taken && entry.action != profile.default_action {
                let entries = calls.entry(call.number).or_default();
                entries.add(decision, conditions.as_ref());
            }
        }
    }
    let mut policy = Policy::new();
    for call in confine_kernel::calls() {
        let entries = calls.remove(&call.number).unwrap_or_default();
        let rule = entries.resolve(default, call.name, &mut notes);
        policy.allow(Architecture::X86_64, call.number, &rule);
    }
    Ok(Reading {
        policy,
        others: profile.others(),
        foreign,
        permissive: default != Decision::Deny,
        default_action: profile.default_action,
        default_errno: profile.default_errno_ret,
        notes,
    })
}

/// What the entries of one call say, without those that decide as the profile does by default: runtimes skip them.
///
/// Alternatives are only collected, and brought into a rule once all of them are there: to do so for each entry would take
/// time by the third power of their number. One without conditions voids the others, however many there are.
#[derive(Debug, Clone, Default)]
struct Entries {
    permitted: BTreeSet<Conjunction>,
    denied: BTreeSet<Conjunction>,
    elsewhere: bool,
    too_many: bool,
}

/// How many alternatives a rule may have on its way. A condition that excludes a value brings 64, two such on different
/// arguments their product; real profiles have two at most.
const MAXIMUM_ALTERNATIVES: usize = 4096;

impl Entries {
    /// `conditions` are `None` if they are too many.
    fn add(&mut self, decision: Decision, conditions: Option<&Rule>) {
        let Some(conditions) = conditions else {
            self.too_many = true;
            return;
        };
        self.elsewhere |= decision == Decision::Elsewhere;
        let alternatives = match decision {
            Decision::Deny => &mut self.denied,
            Decision::Permit | Decision::Elsewhere => &mut self.permitted,
        };
        if alternatives.contains(&Conjunction::default()) {
            return;
        }
        self.too_many |= alternatives.len() > MAXIMUM_ALTERNATIVES;
        if !self.too_many {
            alternatives.extend(conditions.alternatives());
        }
    }

    fn resolve(self, default: Decision, call: &'static str, notes: &mut BTreeSet<Note>) -> Rule {
        let is_denied = self.denied.contains(&Conjunction::default());
        if self.elsewhere || default == Decision::Elsewhere && !is_denied {
            notes.insert(Note::DecidedElsewhere(call));
        }
        if self.too_many {
            notes.insert(Note::TooManyConditions(call));
            return Rule::any();
        }
        if !self.denied.is_empty() && !self.permitted.is_empty() {
            notes.insert(Note::Contradicting(call));
        }
        let permitted: Rule = self.permitted.into_iter().collect();
        if default == Decision::Deny {
            return permitted;
        }
        let denied = self.denied.into_iter().collect();
        let Some(others) = Rule::any().difference_within(&denied, MAXIMUM_ALTERNATIVES) else {
            notes.insert(Note::TooManyConditions(call));
            return Rule::any();
        };
        others.union(&permitted)
    }
}

#[cfg(test)]
mod tests;
