//! From a report to the policy that it stands for.

use confine_policy::{Architecture, Policy, Rule};
use confine_report::Report;

/// The policy for the whole container.
pub fn container(report: &Report) -> Policy {
    let mut policy = Policy::new();
    for allowed in &report.allowed {
        policy.allow(Architecture::X86_64, allowed.number, &Rule::any());
    }
    policy
}
