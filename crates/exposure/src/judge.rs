//! Vulnerability by vulnerability: what a guard leaves open.

use confine_kernel::{
    NeededCapability, Step, USER_NAME_SPACES_SINCE, Vulnerability, Way, user_name_space, vulnerabilities,
};

use crate::Guard;

/// What a guard does about a vulnerability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The vulnerability.
    pub vulnerability: &'static Vulnerability,
    /// Whether it can be reached.
    pub state: State,
}

/// Whether a vulnerability can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It cannot: of each way this step is denied.
    TakenAway(Vec<Step>),
    /// Not by a container that lacks the capability, and has no way to get it; the policy has no part in that.
    NeedsCapability(&'static str),
    /// Calls of x86-64 do not lead to it, but those of another architecture, which come in, do.
    OpenToOthers,
    /// It can.
    Open,
}

impl State {
    /// Whether the policy takes it away.
    #[must_use]
    pub fn is_taken_away(&self) -> bool {
        matches!(self, Self::TakenAway(_))
    }
}

/// Every vulnerability in the table's order.
#[must_use]
pub fn judge(guard: &Guard) -> Vec<Verdict> {
    let native = guard.native();
    let verdict = |vulnerability| {
        let state = match state(guard, vulnerability) {
            State::Open if state(&native, vulnerability) != State::Open => State::OpenToOthers,
            state => state,
        };
        Verdict { vulnerability, state }
    };
    vulnerabilities().iter().map(verdict).collect()
}

fn state(guard: &Guard, vulnerability: &Vulnerability) -> State {
    let lacking = vulnerability
        .capability
        .filter(|needed| !guard.capabilities.has(needed.name));
    let mut denied = Vec::new();
    let mut open = false;
    for way in &vulnerability.ways {
        match denied_step(guard, vulnerability, way, lacking) {
            Some(step) => denied.push(step),
            None => open = true,
        }
    }
    match lacking {
        _ if !open => State::TakenAway(denied),
        Some(needed) if !by_name_space(vulnerability, needed) => State::NeedsCapability(needed.name),
        _ => State::Open,
    }
}

/// The first step of a way that is denied; making a user name space is one where that is how a lacking capability is had.
fn denied_step(
    guard: &Guard,
    vulnerability: &Vulnerability,
    way: &Way,
    lacking: Option<NeededCapability>,
) -> Option<Step> {
    let needed = lacking.filter(|needed| by_name_space(vulnerability, *needed));
    let mut steps = way.steps.iter().cloned().chain(needed.map(|_| user_name_space()));
    steps.find(|step| {
        let mut accesses = step.accesses.iter();
        !accesses.any(|access| guard.admits(access, vulnerability.fixed))
    })
}

/// Whether a user name space of one's own gives the capability, on kernels that have the vulnerability.
fn by_name_space(vulnerability: &Vulnerability, needed: NeededCapability) -> bool {
    !needed.host && vulnerability.fixed > USER_NAME_SPACES_SINCE
}

#[cfg(test)]
mod tests;
