//! Why a call is allowed, or that it is denied: the read-out of `confine why`.

use crate::text::{count, strong};
use crate::{Allowed, Call, Program, Report, RuntimeCall, Step, values};

/// Everything that the report knows about the call of that name, which the caller has found to be a call; with
/// `values` about these values of some of its arguments, by index.
#[must_use]
pub fn why(report: &Report, name: &str, values: &[(u32, u64)]) -> String {
    if !values.is_empty()
        && let Some(allowed) = report.allowed.iter().find(|allowed| allowed.name == name)
    {
        return why_values(report, allowed, values);
    }
    if !report.allowed.iter().any(|allowed| allowed.name == name) {
        if let Some(denied) = replaced(report, name) {
            return denied;
        }
        return format!(
            "{} is denied: no program of the image can reach it, and neither the kernel nor the runtime \"{}\" needs it\n",
            strong(name),
            report.runtime,
        );
    }
    let mut sections = vec![format!("{} is allowed\n", strong(name))];
    sections.extend(makers(report, name).map(|(program, call)| chain(report, program, call)));
    for needed in report.runtime_calls.iter().filter(|needed| needed.name == name) {
        sections.push(needs(needed));
    }
    for widened in report.widened.iter().filter(|widened| widened.name == name) {
        sections.push(format!(
            "{} may need it: {}\n",
            strong("something unresolved"),
            widened.because
        ));
    }
    sections.extend(observed(report, name, &[]));
    sections.join("\n")
}

/// Who makes a call that is denied, since all of them make another one in its place.
fn replaced(report: &Report, name: &str) -> Option<String> {
    let (_, first) = makers(report, name).next()?;
    let other = first.falls_back_to.as_deref()?;
    let denied = format!(
        "{} is denied: whoever makes it goes on with {other} when it fails with ENOSYS\n",
        strong(name)
    );
    let mut sections = vec![denied];
    sections.extend(makers(report, name).map(|(program, call)| chain(report, program, call)));
    Some(sections.join("\n"))
}

/// The programs that make a call, with what is known of it.
fn makers<'r>(report: &'r Report, name: &'r str) -> impl Iterator<Item = (&'r Program, &'r Call)> {
    report.programs.iter().flat_map(move |program| {
        let calls = program.calls.iter().filter(move |call| call.name == name);
        calls.map(move |call| (program, call))
    })
}

fn needs(needed: &RuntimeCall) -> String {
    format!("{} needs it: {}\n", strong(&needed.requester), needed.reason)
}

/// Who was seen to make a call with these values.
fn observed(report: &Report, name: &str, values: &[(u32, u64)]) -> Vec<String> {
    let made = report.observed.iter().filter(|observed| observed.name == name);
    let made = made.filter(|observed| {
        let mut arguments = observed.arguments.iter();
        arguments.all(|restriction| restriction.admits(values))
    });
    made.map(|observed| {
        let arguments = observed.arguments.iter();
        let pairs: Vec<(u32, u64)> = arguments
            .filter_map(|restriction| Some((restriction.index, restriction.values.first()?.0)))
            .collect();
        let with = match pairs.is_empty() {
            true => String::new(),
            false => format!(" with {}", values::asked(name, &pairs)),
        };
        let by = strong(&observed.by);
        format!("{by} was observed to make it{with}; the analysis has not foreseen that\n")
    })
    .collect()
}

fn why_values(report: &Report, allowed: &Allowed, values: &[(u32, u64)]) -> String {
    let Allowed { name, arguments, .. } = allowed;
    let shown = format!("{name} with {}", values::asked(name, values));
    if arguments.is_empty() {
        let any = format!(
            "{} is allowed, as {name} is with any arguments\n\n",
            strong(&shown)
        );
        return any + &why(report, name, &[]);
    }
    let combinations =
        makers(report, name).flat_map(|(program, call)| call.arguments.iter().map(move |one| (program, one)));
    let mut sections: Vec<String> = combinations
        .filter(|(_, combination)| combination.admits(values))
        .map(|(program, combination)| {
            let makes = format!("{} makes it; a shortest way there:\n", strong(&program.path));
            makes + &steps(report, &combination.chain)
        })
        .collect();
    for needed in report.runtime_calls.iter().filter(|needed| needed.name == *name) {
        let mut arguments = needed.arguments.iter();
        if arguments.any(|one| one.iter().all(|restriction| restriction.admits(values))) {
            sections.push(needs(needed));
        }
    }
    sections.extend(observed(report, name, values));
    if sections.is_empty() {
        return format!(
            "{} is denied: no program of the image can pass it\n",
            strong(&shown)
        );
    }
    sections.insert(0, format!("{} is allowed\n", strong(&shown)));
    sections.join("\n")
}

fn chain(report: &Report, program: &Program, call: &Call) -> String {
    let places = count(
        usize::try_from(call.sites).unwrap_or(usize::MAX),
        "place",
        "places",
    );
    let makes = format!(
        "{} makes it in {places}; a shortest way there:\n",
        strong(&program.path)
    );
    makes + &steps(report, &call.chain)
}

fn steps(report: &Report, chain: &[Step]) -> String {
    let mut text = String::new();
    for (index, step) in chain.iter().enumerate() {
        let object = report
            .objects
            .get(step.object)
            .map_or("?", |object| object.path.as_str());
        let leads = if index + 1 == chain.len() {
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
    use crate::{Combination, Restriction, Word, sample};

    #[test]
    fn values_have_reasons_of_their_own() {
        let mut report = sample::report();
        let restriction = Restriction {
            index: 0,
            name: "uid".to_owned(),
            mask: Word(0xffff_ffff),
            values: vec![Word(0), Word(33)],
        };
        let chain = report.programs[0].calls[0].chain.clone();
        let setuid = report.allowed.iter_mut().find(|allowed| allowed.name == "setuid");
        setuid.unwrap().arguments = vec![vec![restriction.clone()]];
        let calls = report.programs.iter_mut().flat_map(|program| &mut program.calls);
        let call = calls.into_iter().find(|call| call.name == "setuid");
        call.unwrap().arguments = vec![Combination {
            restrictions: vec![restriction],
            chain,
        }];
        for (name, value, expected) in [
            ("setuid", 33, "setuid with uid=0x21 is allowed\n\n"),
            ("setuid", 34, "setuid with uid=0x22 is denied: no program"),
            (
                "write",
                1,
                "write with fd=0x1 is allowed, as write is with any arguments\n\nwrite is allowed",
            ),
            ("reboot", 1, "reboot is denied: no program"),
        ] {
            let text = anstream::adapter::strip_str(&why(&report, name, &[(0, value)])).to_string();
            assert!(text.starts_with(expected), "{text}");
        }
    }

    #[test]
    fn what_was_observed_is_a_reason() {
        let mut report = sample::report();
        let restriction = Restriction {
            index: 0,
            name: "uid".to_owned(),
            mask: Word(0xffff_ffff),
            values: vec![Word(33)],
        };
        let setuid = report.allowed.iter_mut().find(|allowed| allowed.name == "setuid");
        setuid.unwrap().arguments = vec![vec![restriction.clone()]];
        report.observed = vec![crate::Observed {
            name: "setuid".to_owned(),
            by: "/bin/seen".to_owned(),
            arguments: vec![restriction],
        }];
        let seen = "/bin/seen was observed to make it with uid=0x21; the analysis has not foreseen that\n";
        for (values, expected) in [(vec![], true), (vec![(0, 33)], true), (vec![(0, 34)], false)] {
            let text = anstream::adapter::strip_str(&why(&report, "setuid", &values)).to_string();
            assert_eq!(text.contains(seen), expected, "{text}");
        }
    }

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
                anstream::adapter::strip_str(&why(&report, name, &[])).to_string(),
                expected
            );
        }
    }

    #[test]
    fn a_call_that_another_one_is_made_in_place_of_is_denied_with_its_ways() {
        let mut report = sample::report();
        let mut clone3 = report.programs[0].calls[0].clone();
        clone3.name = "clone3".to_owned();
        clone3.falls_back_to = Some("clone".to_owned());
        report.programs[0].calls.push(clone3);
        let path = &report.programs[0].path;
        let text = anstream::adapter::strip_str(&why(&report, "clone3", &[])).to_string();
        assert!(
            text.starts_with(
                "clone3 is denied: whoever makes it goes on with clone when it fails with ENOSYS\n"
            ),
            "{text}"
        );
        assert!(text.contains(&format!("{path} makes it in ")), "{text}");
    }
}
