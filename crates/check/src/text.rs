//! A check as people read it.

use std::fmt::Write;

use confine_report::text::count;

use crate::compare::{Difference, Kind};
use crate::denied::Denied;
use crate::verdict::{Checked, Observation, Verdict};

/// How many of the lines that vary are shown.
const VARYING: usize = 5;

/// The check in words, for a terminal or a file.
#[must_use]
pub fn text(checked: &Checked) -> String {
    let mut text = format!(
        "{}\n{}, {} without a policy, {} with each\n\n",
        checked.image,
        checked.engine,
        lives(checked.lives),
        lives(checked.lives)
    );
    // Writing to a String cannot fail, here and below.
    for (step, outcome) in &checked.steps {
        let _ = writeln!(text, "  {step}: {outcome}");
    }
    if !checked.varying.is_empty() {
        let _ = writeln!(
            text,
            "  {} of output and log vary by themselves",
            count(checked.varying.len(), "line", "lines")
        );
        for line in checked.varying.iter().take(VARYING) {
            let _ = writeln!(text, "    {line}");
        }
    }
    for verdict in &checked.verdicts {
        let _ = write!(text, "\n{}", one(verdict));
    }
    text
}

fn one(verdict: &Verdict) -> String {
    let mut text = match (verdict.differences.len(), verdict.denied.len()) {
        (0, 0) => format!("{}: no difference, no denied call\n", verdict.policy),
        (differences, denied) => format!(
            "{}: {}, {}\n",
            verdict.policy,
            count(differences, "difference", "differences"),
            count(denied, "denied call", "denied calls")
        ),
    };
    for difference in &verdict.differences {
        let _ = writeln!(text, "  {}", difference_line(difference));
    }
    text.push_str(&denied_calls(&verdict.denied));
    match &verdict.observation {
        Observation::Complete => {}
        Observation::Without(what) => {
            let _ = writeln!(text, "  denied calls were seen without {what}");
        }
        Observation::Impossible(reason) => {
            let _ = writeln!(text, "  denied calls could not be seen: {reason}");
        }
    }
    text
}

/// Denied calls in words, each with its arguments, its places and the way to it as far as they are known.
#[must_use]
pub fn denied_calls(calls: &[Denied]) -> String {
    let mut text = String::new();
    for denied in calls {
        let _ = writeln!(text, "  {}", denied_line(denied));
        for arguments in &denied.arguments {
            let _ = writeln!(text, "    {}({arguments})", denied.call);
        }
        for site in &denied.sites {
            let _ = writeln!(
                text,
                "    at {} in {} ({:#x})",
                site.function, site.object, site.address
            );
        }
        if !denied.chain.is_empty() {
            let _ = writeln!(text, "    by {}", denied.chain.join(" > "));
        }
    }
    text
}

/// A difference in one line.
pub(crate) fn difference_line(difference: &Difference) -> String {
    let Difference {
        step,
        kind,
        expected,
        found,
        lives: seen,
    } = difference;
    let what = match kind {
        Kind::Outcome => "",
        Kind::Output => "prints ",
        Kind::Log => "has ",
    };
    let body = match (expected, found) {
        (Some(expected), Some(found)) => format!("{what}`{found}` in place of `{expected}`"),
        (None, Some(found)) => format!("{what}`{found}`"),
        (Some(expected), None) => format!("{what}no `{expected}`"),
        (None, None) => "differs".to_owned(),
    };
    format!("{step}: {body} ({})", lives(*seen))
}

/// A denied call in one line.
pub(crate) fn denied_line(denied: &Denied) -> String {
    let uncertain = match denied.uncertain {
        0 => String::new(),
        number => format!(
            " ({} by a process that had ended before it was seen whether it is this container's)",
            count(number, "time", "times")
        ),
    };
    format!(
        "{} by {} denied, {}{uncertain}: {}",
        denied.call,
        denied.program,
        count(denied.times, "time", "times"),
        denied.foreseen.words()
    )
}

fn lives(number: usize) -> String {
    count(number, "life", "lives")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::checked;

    #[test]
    fn everything_that_was_found_is_told() {
        let expected = "\
server:1
docker 20.10, 2 lives without a policy, 2 lives with each

  ready: healthy
  stop: exit code 0
  1 line of output and log vary by themselves
    node amber joined

server.json: no difference, no denied call

old.json: 2 differences, 1 denied call
  workload: `exit code 1` in place of `exit code 0` (2 lives)
  log: has `bind: <Function> not \"implemented\"` (1 life)
  bind by /usr/bin/server denied, 3 times: foreseen: the analysis finds it, the policy leaves it out
    bind(fd=3, umyaddr=<pointer>, addrlen=16)
    at listen_on in /usr/bin/server (0x1234)
    by main (/usr/bin/server) > bind (/lib/libc.so.6)
  denied calls were seen without arguments
";
        assert_eq!(text(&checked()), expected);
    }

    #[test]
    fn what_may_be_another_containers_is_told() {
        let mut checked = checked();
        checked.verdicts[1].denied[0].uncertain = 1;
        let expected = "bind by /usr/bin/server denied, 3 times (1 time by a process that had ended before it was seen \
                        whether it is this container's): foreseen";
        assert!(text(&checked).contains(expected), "{}", text(&checked));
    }
}
