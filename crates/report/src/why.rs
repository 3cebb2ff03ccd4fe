//! Why a call is allowed, or that it is denied: the read-out of `confine why`.

use crate::text::{count, strong};
use crate::{Call, Program, Report};

/// Everything that the report knows about the call of that name, which the caller has found to be a call.
#[must_use]
pub fn why(report: &Report, name: &str) -> String {
    if !report.allowed.iter().any(|allowed| allowed.name == name) {
        return format!(
            "{} is denied: no program of the image can reach it, and neither the kernel nor the runtime \"{}\" needs it\n",
            strong(name),
            report.runtime,
        );
    }
    let mut sections = vec![format!("{} is allowed\n", strong(name))];
    for program in &report.programs {
        let calls = program.calls.iter().filter(|call| call.name == name);
        sections.extend(calls.map(|call| chain(report, program, call)));
    }
    for needed in report.runtime_calls.iter().filter(|needed| needed.name == name) {
        sections.push(format!(
            "{} needs it: {}\n",
            strong(&needed.requester),
            needed.reason
        ));
    }
    for widened in report.widened.iter().filter(|widened| widened.name == name) {
        sections.push(format!(
            "{} may need it: {}\n",
            strong("something unresolved"),
            widened.because
        ));
    }
    sections.join("\n")
}

fn chain(report: &Report, program: &Program, call: &Call) -> String {
    let places = count(
        usize::try_from(call.sites).unwrap_or(usize::MAX),
        "place",
        "places",
    );
    let mut text = format!(
        "{} makes it in {places}; a shortest way there:\n",
        strong(&program.path)
    );
    for (index, step) in call.chain.iter().enumerate() {
        let object = report
            .objects
            .get(step.object)
            .map_or("?", |object| object.path.as_str());
        let leads = if index + 1 == call.chain.len() {
            "makes the call"
        } else {
            "goes on"
        };
        text += &format!(
            "  {}. {object}:{}, {}, {leads} at {}\n",
            index + 1,
            step.function,
            step.how,
            step.address
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn every_reason_is_given() {
        let report = sample::report();
        for (name, expected) in [
            (
                "write",
                "write is allowed\n\n/usr/bin/tool makes it in 1 place; a shortest way there:\n  1. /usr/bin/tool:+0x10, \
                 entry point, makes the call at 0x401000\n\n/usr/sbin/server makes it in 12 places; a shortest way \
                 there:\n  1. /usr/sbin/server:main, entry point, goes on at 0x1100\n  2. /usr/lib/libc.so.6:write, \
                 called, makes the call at 0x2004\n\nrunc needs it: reports that it is ready\n",
            ),
            (
                "exit_group",
                "exit_group is allowed\n\nkernel needs it: ends the process\n",
            ),
            (
                "chown",
                "chown is allowed\n\nsomething unresolved may need it: an open call number\n",
            ),
            (
                "reboot",
                "reboot is denied: no program of the image can reach it, and neither the kernel nor the runtime \"any\" \
                 needs it\n",
            ),
        ] {
            assert_eq!(
                anstream::adapter::strip_str(&why(&report, name)).to_string(),
                expected
            );
        }
    }
}
