//! A difference for people: on a terminal, and as Markdown for comments on a merge request.

use std::fmt::Write;

use confine_report::text::{heading, strong};

use super::compare::{Changes, Difference, Reason};

/// How many arguments a list shows; JSON has all.
const SHOWN: usize = 12;

/// How many reasons a call has, likewise.
const SHOWN_REASONS: usize = 3;

/// The difference with a mark before each line: `+` for what came, `-` for what went, `~` for what changed.
pub fn text(difference: &Difference) -> String {
    let Difference { old, new, calls, .. } = difference;
    let mut text = format!("{} → {}\n", strong(old), strong(new));
    if difference.is_empty() {
        return text + "no difference\n";
    }
    section(&mut text, "system calls", |text| {
        for call in &calls.added {
            let _ = writeln!(text, "+ {}", strong(&call.name));
            reasons(text, &call.reasons);
        }
        for name in &calls.removed {
            let _ = writeln!(text, "- {name}");
        }
        for call in &calls.changed {
            let _ = writeln!(text, "~ {}", strong(&call.name));
            for (mark, values) in [('+', &call.added), ('-', &call.removed)] {
                for value in limited(values, SHOWN) {
                    let _ = writeln!(text, "    {mark} {value}");
                }
                more(text, values.len(), SHOWN);
            }
            reasons(text, &call.reasons);
        }
    });
    for (title, changes) in others(difference) {
        section(&mut text, title, |text| {
            for (mark, names) in marked(changes) {
                for name in names {
                    let _ = writeln!(text, "{mark} {name}");
                }
            }
        });
    }
    text
}

/// The same as Markdown: what came is open, all else is folded.
pub fn markdown(difference: &Difference) -> String {
    let Difference { old, new, calls, .. } = difference;
    let mut text = format!("### {} → {}\n\n", code(old), code(new));
    if difference.is_empty() {
        return text + "No difference.\n";
    }
    if !calls.added.is_empty() {
        text += "| system call added | made by |\n| --- | --- |\n";
        for call in &calls.added {
            let reasons: Vec<String> = limited(&call.reasons, SHOWN_REASONS)
                .iter()
                .map(|reason| code(&self::reason(reason)))
                .collect();
            let _ = writeln!(text, "| {} | {} |", code(&call.name), reasons.join("<br>"));
        }
        text += "\n";
    }
    if !calls.changed.is_empty() {
        text += "| system call | arguments added | arguments removed |\n| --- | --- | --- |\n";
        for call in &calls.changed {
            let cell = |values: &[String]| {
                let values: Vec<String> = limited(values, SHOWN).iter().map(|value| code(value)).collect();
                values.join("<br>")
            };
            let (added, removed) = (cell(&call.added), cell(&call.removed));
            let _ = writeln!(text, "| {} | {added} | {removed} |", code(&call.name));
        }
        text += "\n";
    }
    let removed = Changes {
        removed: calls.removed.clone(),
        ..Changes::default()
    };
    let calls = std::iter::once(("system calls", &removed));
    for (title, changes) in calls
        .chain(others(difference))
        .filter(|(_, changes)| !changes.is_empty())
    {
        let Changes {
            added,
            removed,
            changed,
        } = changes;
        let _ = writeln!(
            text,
            "<details><summary>{title}: {} added, {} removed, {} changed</summary>\n",
            added.len(),
            removed.len(),
            changed.len()
        );
        for (mark, names) in marked(changes) {
            for name in names {
                let _ = writeln!(text, "- {mark} {}", code(name));
            }
        }
        text += "\n</details>\n\n";
    }
    text
}

/// A reason in one line: of each step the function, and its object where that is another one.
pub fn reason(reason: &Reason) -> String {
    let mut line = format!("{}: ", reason.who);
    let mut object = reason.who.as_str();
    for (at, step) in reason.how.iter().enumerate() {
        if at > 0 {
            line += " → ";
        }
        let (place, _) = step.split_once(" at 0x").unwrap_or((step, ""));
        match place.rsplit_once(':') {
            Some((path, function)) if path.starts_with('/') => {
                if path != object {
                    line += path.rsplit('/').next().unwrap_or(path);
                    line.push(':');
                }
                object = path;
                line += function;
            }
            _ => line += step,
        }
    }
    line
}

fn reasons(text: &mut String, reasons: &[Reason]) {
    for reason in limited(reasons, SHOWN_REASONS) {
        let _ = writeln!(text, "    {}", self::reason(reason));
    }
    more(text, reasons.len(), SHOWN_REASONS);
}

fn others(difference: &Difference) -> impl Iterator<Item = (&'static str, &Changes)> {
    [
        ("programs", &difference.programs),
        ("objects", &difference.objects),
        ("assumptions", &difference.assumptions),
    ]
    .into_iter()
}

fn marked(changes: &Changes) -> [(char, &[String]); 3] {
    [
        ('+', &changes.added),
        ('-', &changes.removed),
        ('~', &changes.changed),
    ]
}

/// A heading before what `write` writes, or nothing where it writes nothing.
fn section(text: &mut String, title: &str, write: impl FnOnce(&mut String)) {
    let mut body = String::new();
    write(&mut body);
    if !body.is_empty() {
        let _ = write!(text, "\n{}\n{body}", heading(title));
    }
}

fn limited<T>(list: &[T], most: usize) -> &[T] {
    list.get(..most).unwrap_or(list)
}

fn more(text: &mut String, count: usize, shown: usize) {
    if count > shown {
        let _ = writeln!(text, "    and {} more", count - shown);
    }
}

/// Text as code in a table: neither its bars nor its backticks end anything.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('`', "'").replace('|', "\\|"))
}
