//! The excess as text: of one program call by call, of many by what causes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::Excess;

/// How many causes each table of the summary lists.
const MOST_CAUSES: usize = 40;

/// Every call with its class and chain, program by program.
pub fn calls(all: &[Excess]) -> String {
    let mut text = String::new();
    let mut program = "";
    for excess in all {
        if excess.program != program {
            program = &excess.program;
            let count = all.iter().filter(|other| other.program == program).count();
            let _ = writeln!(text, "{program}: {count} calls said and never seen");
        }
        let cause = &excess.cause;
        let _ = write!(text, "\n{}: {}", excess.call, cause.class);
        if !cause.detail.is_empty() {
            let _ = write!(text, ", {}", cause.detail);
        }
        text.push('\n');
        for step in &excess.chain {
            let _ = writeln!(text, "    {step}");
        }
    }
    text
}

/// How many pairs of a program and a call each class, each call and each cause makes.
pub fn summary(all: &[Excess], programs: usize) -> String {
    let mut text = format!(
        "{} pairs of a program and a call are said and were never seen, in {programs} programs\n\n",
        all.len()
    );
    let classes = counted(all, |excess| excess.cause.class.to_string());
    section(&mut text, "class", &classes, usize::MAX, all.len());

    let _ = writeln!(text, "\n## By cause\n");
    let causes = counted(all, |excess| {
        format!("{} | {}", excess.cause.class, excess.cause.detail)
    });
    causes_of(&mut text, "class | by", &causes, all.len());

    let _ = writeln!(text, "\n## By cause and function\n");
    let causes = counted(all, |excess| {
        let cause = &excess.cause;
        format!("{} | {} | {}", cause.class, cause.detail, cause.shared)
    });
    causes_of(
        &mut text,
        "class | by | first in the C library",
        &causes,
        all.len(),
    );

    let _ = writeln!(text, "\n## By call\n");
    let calls = counted(all, |excess| excess.call.clone());
    section(&mut text, "call", &calls, usize::MAX, all.len());
    text
}

/// The pairs of one class, call or cause.
#[derive(Default)]
struct Group<'a> {
    pairs: usize,
    programs: BTreeSet<&'a str>,
    calls: BTreeSet<&'a str>,
}

/// Groups, the largest first.
fn counted<'a>(all: &'a [Excess], key: impl Fn(&Excess) -> String) -> Vec<(String, Group<'a>)> {
    let mut groups: BTreeMap<String, Group<'_>> = BTreeMap::new();
    for excess in all {
        let group = groups.entry(key(excess)).or_default();
        group.pairs += 1;
        group.programs.insert(&excess.program);
        group.calls.insert(&excess.call);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, group)| std::cmp::Reverse(group.pairs));
    groups
}

/// The largest causes, with what they let in.
fn causes_of(text: &mut String, head: &str, groups: &[(String, Group<'_>)], total: usize) {
    let _ = writeln!(
        text,
        "| {head} | pairs | share | programs | calls |\n|{}--:|--:|--:|---|",
        "---|".repeat(head.split('|').count())
    );
    for (cause, group) in groups.iter().take(MOST_CAUSES) {
        let _ = writeln!(
            text,
            "| {cause} | {} | {} | {} | {} |",
            group.pairs,
            percent(group.pairs, total),
            group.programs.len(),
            some(&group.calls)
        );
    }
}

fn section(text: &mut String, head: &str, groups: &[(String, Group<'_>)], most: usize, total: usize) {
    let _ = writeln!(text, "| {head} | pairs | share | programs |\n|---|--:|--:|--:|");
    for (name, group) in groups.iter().take(most) {
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} |",
            group.pairs,
            percent(group.pairs, total),
            group.programs.len()
        );
    }
}

fn percent(part: usize, whole: usize) -> String {
    #[allow(clippy::cast_precision_loss, reason = "some ten thousand")]
    let share = part as f64 * 100.0 / whole.max(1) as f64;
    format!("{share:.1} %")
}

/// The first few of them.
fn some(calls: &BTreeSet<&str>) -> String {
    const MOST: usize = 8;
    let mut words: Vec<&str> = calls.iter().copied().take(MOST).collect();
    if calls.len() > MOST {
        words.push("…");
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::{Cause, Class};

    fn excess(program: &str, call: &str, class: Class, detail: &str) -> Excess {
        Excess {
            program: program.to_owned(),
            call: call.to_owned(),
            cause: Cause {
                class,
                detail: detail.to_owned(),
                shared: "popen".to_owned(),
            },
            chain: vec!["p main (entry point)".to_owned()],
        }
    }

    #[test]
    fn the_largest_group_comes_first() {
        let all = [
            excess("/a", "fork", Class::OwnCode, ""),
            excess("/a", "vfork", Class::LateObject, "libx"),
            excess("/b", "vfork", Class::LateObject, "libx"),
        ];
        let text = summary(&all, 2);
        for expected in [
            "3 pairs of a program and a call are said and were never seen, in 2 programs\n",
            "|---|--:|--:|--:|\n| late object | 2 | 66.7 % | 2 |\n| own code | 1 | 33.3 % | 1 |\n",
            "| late object | libx | 2 | 66.7 % | 2 | vfork |\n",
            "| late object | libx | popen | 2 | 66.7 % | 2 | vfork |\n",
            "| vfork | 2 | 66.7 % | 2 |\n| fork | 1 | 33.3 % | 1 |\n",
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
    }

    #[test]
    fn one_program_is_told_call_by_call() {
        let text = calls(&[excess("/a", "vfork", Class::LateObject, "libx")]);
        let expected =
            "/a: 1 calls said and never seen\n\nvfork: late object, libx\n    p main (entry point)\n";
        assert_eq!(text, expected);
    }
}
