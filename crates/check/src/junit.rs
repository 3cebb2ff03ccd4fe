//! A check as JUnit's XML, which most systems for continuous integration read: a suite for each policy, in it a case for
//! each step and one for denied calls.

use std::fmt::Write;

use crate::compare::Difference;
use crate::text::{denied_line, difference_line};
use crate::verdict::{Checked, Observation, Verdict};

/// The check as JUnit's XML; `tolerate_denied` as for [`Checked::passed`].
#[must_use]
pub fn junit(checked: &Checked, tolerate_denied: bool) -> String {
    let suites: String = checked
        .verdicts
        .iter()
        .map(|verdict| suite(checked, verdict, tolerate_denied))
        .collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"confine check {}\">\n{suites}</testsuites>\n",
        escaped(&checked.image)
    )
}

fn suite(checked: &Checked, verdict: &Verdict, tolerate_denied: bool) -> String {
    let mut names: Vec<&str> = checked.steps.iter().map(|(name, _)| name.as_str()).collect();
    names.push("log");
    // A step that there is only under the policy.
    for difference in &verdict.differences {
        if !names.contains(&difference.step.as_str()) {
            names.push(&difference.step);
        }
    }
    let mut cases = String::new();
    let mut failures = 0;
    for name in &names {
        let of_step = |difference: &&Difference| difference.step == *name;
        let lines: Vec<String> = verdict
            .differences
            .iter()
            .filter(of_step)
            .map(difference_line)
            .collect();
        failures += usize::from(!lines.is_empty());
        cases.push_str(&case(&checked.image, name, &lines));
    }
    let mut lines: Vec<String> = Vec::new();
    if !tolerate_denied {
        lines.extend(verdict.denied.iter().map(denied_line));
    }
    failures += usize::from(!lines.is_empty());
    let mut skipped = 0;
    match &verdict.observation {
        Observation::Impossible(reason) if lines.is_empty() => {
            skipped = 1;
            let _ = writeln!(
                cases,
                "    <testcase classname=\"{}\" name=\"denied calls\">\n      <skipped message=\"{}\"/>\n    </testcase>",
                escaped(&checked.image),
                escaped(reason)
            );
        }
        _ => cases.push_str(&case(&checked.image, "denied calls", &lines)),
    }
    format!(
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\">\n{cases}  </testsuite>\n",
        escaped(&verdict.policy),
        names.len() + 1
    )
}

fn case(class: &str, name: &str, lines: &[String]) -> String {
    let head = format!(
        "    <testcase classname=\"{}\" name=\"{}\"",
        escaped(class),
        escaped(name)
    );
    match lines.first() {
        None => format!("{head}/>\n"),
        Some(first) => format!(
            "{head}>\n      <failure message=\"{}\">{}</failure>\n    </testcase>\n",
            escaped(first),
            escaped(&lines.join("\n"))
        ),
    }
}

/// The text with what has a meaning in XML written otherwise, and without what XML cannot hold.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(character),
            character if character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}') => {
                out.push('\u{fffd}');
            }
            character => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::checked;

    #[test]
    fn a_suite_for_each_policy_and_a_case_for_each_step() {
        let xml = junit(&checked(), false);
        for expected in [
            "<testsuite name=\"server.json\" tests=\"4\" failures=\"0\" errors=\"0\" skipped=\"0\">",
            "<testsuite name=\"old.json\" tests=\"5\" failures=\"3\" errors=\"0\" skipped=\"0\">",
            "<testcase classname=\"server:1\" name=\"ready\"/>",
            "<failure message=\"log: has `bind: &lt;Function&gt; not &quot;implemented&quot;` (1 life)\">",
            "<failure message=\"bind by /usr/bin/server denied, 3 times",
        ] {
            assert!(xml.contains(expected), "{expected} is not in\n{xml}");
        }
        assert!(junit(&checked(), true).contains("failures=\"2\""));
    }

    #[test]
    fn what_xml_cannot_hold_is_not_in_it() {
        assert_eq!(escaped("a\u{0}b\u{1b}&'"), "a\u{fffd}b\u{fffd}&amp;'");
    }
}
