//! A comparison for people.

use confine_report::text::{count, strong};
use confine_report::values_in_words;

use crate::findings::{Comparison, Finding, Kind};
use crate::model::pairs;

/// How many of the assumptions that may be why something was not foreseen are shown; all are in the JSON.
const SHOWN_ASSUMPTIONS: usize = 5;

/// The comparison as text with ANSI styles; with `all`, also everything that was foreseen and not observed.
#[must_use]
pub fn text(comparison: &Comparison, all: bool) -> String {
    let mut text = String::new();
    for warning in &comparison.warnings {
        text += &format!("note: {warning}\n");
    }
    let observed = comparison.observed;
    let observed = format!(
        "{}, {}, {} with {}",
        count(observed.programs, "program", "programs"),
        count(observed.objects, "object", "objects"),
        count(observed.calls, "call", "calls"),
        count(observed.values, "combination of values", "combinations of values"),
    );
    text += &match comparison.unforeseen.len() {
        0 => format!("{}: {observed}\n", strong("all that was observed was foreseen")),
        1 => format!("{}, of {observed}:\n\n", strong("1 thing was not foreseen")),
        more => format!(
            "{}, of {observed}:\n\n",
            strong(&format!("{more} things were not foreseen"))
        ),
    };
    for finding in &comparison.unforeseen {
        text += &self::finding(finding);
    }
    if !comparison.holds() {
        text.push('\n');
    }
    let unseen = &comparison.unseen;
    let parts = [
        ("programs", &unseen.programs, unseen.of.programs),
        ("objects", &unseen.objects, unseen.of.objects),
        ("calls", &unseen.calls, unseen.of.calls),
    ];
    let counts = parts.map(|(what, list, of)| format!("{} of {of} {what}", list.len()));
    text += &format!("foreseen and not observed: {}\n", counts.join(", "));
    if all {
        for (what, list, _) in parts {
            text += &format!("\n{}\n", strong(&format!("{what} that were not observed")));
            text.extend(list.iter().map(|one| format!("  {one}\n")));
        }
    }
    text
}

fn finding(finding: &Finding) -> String {
    let program = strong(&finding.program);
    let name = finding.call.as_deref().unwrap_or_default();
    let what = match finding.kind {
        Kind::Program => format!(
            "{program} was executed {}, by {}",
            times(finding.times),
            finding.executed_by.join(", ")
        ),
        Kind::Changed => format!("{program} is not the file that was analysed"),
        Kind::Object => format!("{program} maps {}", finding.object.as_deref().unwrap_or_default()),
        Kind::Call => format!("{program} calls {name}, {}", times(finding.times)),
        Kind::Value => {
            let values = values_in_words(name, &pairs(&finding.values));
            format!("{program} calls {name} with {values}, {}", times(finding.times))
        }
    };
    let policy = match finding.denied {
        Some(true) => "  the container's policy denies it\n",
        Some(false) => "  the container's policy allows it for another's sake\n",
        None => "",
    };
    let shown = finding.open.iter().take(SHOWN_ASSUMPTIONS);
    let mut open: String = shown
        .map(|open| format!("  open: {}: {}\n", open.place, open.detail))
        .collect();
    if finding.open.len() > SHOWN_ASSUMPTIONS {
        open += &format!("  open: {} more\n", finding.open.len() - SHOWN_ASSUMPTIONS);
    }
    format!("{what}\n{policy}  {}\n{open}", finding.remedy)
}

fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        more => format!("{more} times"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare;
    use crate::sample::{call, record, report};

    fn shown(comparison: &Comparison, all: bool) -> String {
        anstream::adapter::strip_str(&text(comparison, all)).to_string()
    }

    #[test]
    fn that_all_was_foreseen_is_said_with_how_much_it_was() {
        let comparison = compare(&report(), &record());
        assert_eq!(
            shown(&comparison, false),
            "all that was observed was foreseen: 2 programs, 2 objects, 4 calls with 1 combination of values\n\
             foreseen and not observed: 0 of 2 programs, 1 of 5 objects, 1 of 5 calls\n"
        );
        assert!(shown(&comparison, true).ends_with(
            "objects that were not observed\n  /usr/lib/late.so\n\ncalls that were not observed\n  execve\n"
        ));
    }

    #[test]
    fn what_was_not_foreseen_is_said_with_what_it_takes() {
        let mut record = record();
        record.programs[1].calls[1] = call("socket", 3, &[&[(0, 16), (1, 3)]]);
        record.programs[0].calls.push(call("reboot", 1, &[]));
        let text = shown(&compare(&report(), &record), false);
        for expected in [
            "2 things were not foreseen, of 2 programs, ",
            "\n/bin/sh calls reboot, once\n  the container's policy denies it\n  `confine profile --observed` allows it; ",
            "\n/usr/sbin/server calls socket with family=AF_NETLINK (0x10), type=SOCK_RAW (0x3), 3 times\n",
        ] {
            assert!(text.contains(expected), "{text}");
        }
    }
}
