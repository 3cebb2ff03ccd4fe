//! `confine why`: the reasons for one call.

use crate::arguments::WhyArguments;
use crate::{Outcome, analysis, remembered, terminal};

/// Shows who can make the call and how, or that nobody can: both are answers, so that both end well.
pub fn why(arguments: &WhyArguments) -> anyhow::Result<Outcome> {
    let report = analysis::run(&remembered::recall(&arguments.analysis)?)?;
    terminal::print(&confine_report::why(
        &report,
        arguments.call.name,
        &arguments.call.values,
    ))?;
    Ok(Outcome::Done)
}
