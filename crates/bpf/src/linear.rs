//! A policy as a list that is gone through from its beginning: what the tree is measured against, and a second way to say the
//! same.

use confine_policy::{Architecture, Conjunction, Policy};

use crate::compile::{Error, Options};
use crate::data::{ARCHITECTURE, AUDIT_ARCH_X86_64, NUMBER, X32};
use crate::graph::{Content, Graph, NodeId};
use crate::rule::halves;
use crate::{Action, Filter, emit};

/// The policy as one filter that compares the number with each call's, in their order, and then the arguments with each
/// alternative; weights do not matter.
///
/// # Errors
/// When the policy names what is no call of x86-64, or is too large for one filter.
pub fn linear(policy: &Policy, options: &Options) -> Result<Filter, Error> {
    let mut graph = Graph::default();
    let denied = graph.answer(options.denied.word());
    let allowed = graph.answer(Action::Allow.word());
    let calls: Vec<_> = policy.calls(Architecture::X86_64).collect();
    let mut next = denied;
    for (number, rule) in calls.into_iter().rev() {
        if number >= X32 {
            return Err(Error::Number(number));
        }
        let alternatives: Vec<&Conjunction> = rule.alternatives().collect();
        let otherwise = denied;
        let yes = alternatives
            .into_iter()
            .rev()
            .fold(otherwise, |otherwise, alternative| {
                all(&mut graph, alternative, allowed, otherwise)
            });
        next = graph.equal(Content::word(NUMBER), number, yes, next);
    }
    let root = graph.equal(Content::word(ARCHITECTURE), AUDIT_ARCH_X86_64, next, denied);
    Ok(Filter::new(emit::emit(&graph, root))?)
}

/// Whether every half is as an alternative asks for.
fn all(graph: &mut Graph, alternative: &Conjunction, allowed: NodeId, otherwise: NodeId) -> NodeId {
    let halves = halves(alternative);
    halves.into_iter().rev().fold(allowed, |next, half| {
        graph.equal(half.content, half.value, next, otherwise)
    })
}
