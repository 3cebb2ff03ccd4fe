//! `confine run --audit`: what a policy would deny a program of this host, which runs as if there were none.
//!
//! The filter asks about what it does not allow; whether the policy denies that is decided here, by the policy itself, so that
//! a policy that needs several filters can be audited by one.

use std::cell::LazyCell;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

use anyhow::Context;
use confine_bpf::{AUDIT_ARCH_X86_64, Action, Options};
use confine_check::{Attempt, denied, denied_calls};
use confine_engine::{Asked, HandedOver, supervise};
use confine_image::Image;
use confine_policy::{Architecture, Policy};
use confine_report::Report;
use confine_report::text::count;

use crate::sites::Sites;
use crate::{Outcome, terminal};

/// What shells add to the number of the signal that ended a program.
const SIGNALLED: i32 = 128;

/// Runs the command to its end, says what the policy would have denied, and ends as the command did. What the analysis knows
/// is only asked when there is something to tell.
pub fn audit(
    command: Command,
    policy: &Policy,
    analysed: impl FnOnce() -> Option<(Image, Report)>,
    quiet: bool,
) -> anyhow::Result<Outcome> {
    let is_denied = |asked: &Asked| {
        asked.architecture != AUDIT_ARCH_X86_64
            || !policy.allows(Architecture::X86_64, asked.number, &asked.arguments)
    };
    let (ended, calls) = supervise(command, &asking(policy)?, is_denied).map_err(anyhow::Error::from)?;
    if calls.is_empty() {
        if !quiet {
            terminal::note("the policy denies nothing of what was called");
        }
        return Ok(Outcome::Ended(code(ended)));
    }
    let analysed = analysed();
    let files = LazyCell::new(|| analysed.as_ref().map(|(image, _)| image.files.as_ref()));
    let opener = || *files;
    let mut sites = Sites::new(&opener);
    let attempts: Vec<Attempt> = calls.into_iter().map(|call| attempt(call, &mut sites)).collect();
    let told = denied(&attempts, analysed.as_ref().map(|(_, report)| report));
    terminal::note(&format!(
        "the policy denies {}, let through for now:",
        count(told.len(), "call", "calls")
    ));
    terminal::plain(denied_calls(&told).trim_end());
    Ok(Outcome::Ended(code(ended)))
}

/// A filter that asks about what the policy denies, and about all that has conditions where those take more than one.
fn asking(policy: &Policy) -> anyhow::Result<Vec<u8>> {
    let options = Options {
        denied: Action::Notify,
        ..Options::default()
    };
    if let Ok([filter]) = confine_bpf::compile(policy, &options).as_deref() {
        return Ok(filter.to_bytes());
    }
    let mut unconditional = Policy::new();
    for (number, rule) in policy
        .calls(Architecture::X86_64)
        .filter(|(_, rule)| rule.is_any())
    {
        unconditional.allow(Architecture::X86_64, number, rule);
    }
    let filters = confine_bpf::compile(&unconditional, &options)?;
    let filter = filters.first().context("the policy came to no filter")?;
    Ok(filter.to_bytes())
}

fn attempt(call: HandedOver, sites: &mut Sites<'_>) -> Attempt {
    Attempt {
        number: (call.architecture == AUDIT_ARCH_X86_64).then_some(call.number),
        foreign: format!("call {} of {:#x}", call.number, call.architecture),
        program: call.program,
        arguments: Some(call.arguments),
        site: call.mapped.as_ref().and_then(|mapped| sites.find(mapped)),
        certain: true,
        times: call.times,
    }
}

fn code(ended: ExitStatus) -> u8 {
    let code = ended
        .code()
        .or_else(|| ended.signal().map(|signal| SIGNALLED + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use confine_bpf::{CallData, Filter, evaluate};
    use confine_policy::{Conjunction, Masked, Rule};

    use super::*;

    #[test]
    fn a_policy_of_any_size_is_asked_about_by_one_filter() {
        let one = |value| Conjunction::one(0, Masked::new(u64::MAX, value));
        for count in [3, 5000] {
            let mut policy = Policy::new();
            policy.allow(Architecture::X86_64, 0, &Rule::any());
            policy.allow(
                Architecture::X86_64,
                16,
                &(0..count).filter_map(|index| one(index * 7)).collect(),
            );
            let filter = Filter::from_bytes(&asking(&policy).unwrap()).unwrap();
            let answer = |number, first| {
                let call = CallData::new(number, [first, 0, 0, 0, 0, 0]);
                evaluate(std::slice::from_ref(&filter), &call).unwrap().action
            };
            assert_eq!(answer(0, 5), Action::Allow);
            assert_eq!(answer(1, 5), Action::Notify);
            assert_eq!(answer(16, 5), Action::Notify);
        }
    }

    #[test]
    fn it_ends_as_the_program_did() {
        assert_eq!(code(ExitStatus::from_raw(7 << 8)), 7);
        assert_eq!(code(ExitStatus::from_raw(9)), 137);
    }
}
