//! What an image runs, loads and calls, and what could not be resolved: the tables of `confine inspect`.

use crate::text::{count, heading, size, strong, table};
use crate::{Call, Found, Object, ObjectKind, Program, Report, values, ways};

/// How much of a content hash the table shows; the whole one is in the JSON.
const SHORT_HASH: usize = 12;

/// The report as tables, folded to `width` columns where one is given.
#[must_use]
pub fn inspect(report: &Report, width: Option<u16>) -> String {
    let sections = [
        image(report),
        programs(&report.programs, width),
        scripts(report, width),
        section(
            "ways to what is executed",
            &["path", "from the container's start"],
            ways::rows(report),
            width,
        ),
        match report.program {
            Some(_) => places(report, width),
            None => calls(&report.programs, width),
        },
        objects(&report.objects, width),
        assumptions(report, width),
    ];
    let sections: Vec<String> = sections.into_iter().flatten().collect();
    sections.join("\n")
}

fn image(report: &Report) -> Option<String> {
    let image = &report.image;
    let digest = image
        .digest
        .as_ref()
        .map(|digest| format!(" ({digest})"))
        .unwrap_or_default();
    let runtime = report
        .allowed
        .iter()
        .filter(|allowed| allowed.runtime && allowed.by.is_empty())
        .count();
    let widened = report
        .allowed
        .iter()
        .filter(|allowed| allowed.widened && allowed.by.is_empty())
        .count();
    Some(format!(
        "{} {}{digest}\n{} {}\n{} {} ({runtime} only for the kernel and the runtime \"{}\", {widened} only because \
         something is unresolved)\n",
        strong("image  "),
        image.reference,
        strong("command"),
        image
            .command_line
            .iter()
            .map(|word| quoted(word))
            .collect::<Vec<_>>()
            .join(" "),
        strong("allowed"),
        count(report.allowed.len(), "system call", "system calls"),
        report.runtime,
    ))
}

fn programs(programs: &[Program], width: Option<u16>) -> Option<String> {
    let rows = programs.iter().map(|program| {
        vec![
            program.path.clone(),
            program.found.first().map(found).unwrap_or_default(),
            program.objects.len().to_string(),
            program.calls.len().to_string(),
            program.assumptions.len().to_string(),
        ]
    });
    section(
        "programs",
        &["path", "found", "objects", "calls", "assumptions"],
        rows.collect(),
        width,
    )
}

fn scripts(report: &Report, width: Option<u16>) -> Option<String> {
    let rows = report.scripts.iter().map(|script| {
        vec![
            script.path.clone(),
            script.interpreter.clone(),
            script.found.first().map(found).unwrap_or_default(),
        ]
    });
    section(
        "scripts",
        &["path", "interpreter", "found"],
        rows.collect(),
        width,
    )
}

fn calls(programs: &[Program], width: Option<u16>) -> Option<String> {
    let rows = programs.iter().map(|program| {
        let mut names: Vec<&str> = program.calls.iter().map(|call| call.name.as_str()).collect();
        names.sort_unstable();
        vec![program.path.clone(), names.join(" ")]
    });
    section(
        "calls that each program can reach",
        &["path", "calls"],
        rows.collect(),
        width,
    )
}

/// Each call of one program and what it executes: in how many places, and a shortest way to one of them.
fn places(report: &Report, width: Option<u16>) -> Option<String> {
    let rows = report.programs.iter().flat_map(|program| {
        program.calls.iter().map(|call| {
            let way = call.chain.iter().map(|step| step.function.as_str());
            vec![
                program.path.clone(),
                call.name.clone(),
                call.sites.to_string(),
                match &call.falls_back_to {
                    Some(other) => format!("denied, {other} follows"),
                    None => known_values(call),
                },
                way.collect::<Vec<_>>().join(" → "),
            ]
        })
    });
    section(
        "system calls",
        &["program", "call", "places", "arguments", "a shortest way"],
        rows.collect(),
        width,
    )
}

/// How many combinations of arguments the table shows; the others are in the JSON.
const SHOWN_COMBINATIONS: usize = 8;

/// What is known of a call's arguments, in words; nothing if they may be anything.
fn known_values(call: &Call) -> String {
    let combinations = call.arguments.iter();
    let shown = combinations
        .filter(|one| !one.restrictions.is_empty())
        .map(|one| values::combination(&call.name, one));
    let mut lines: Vec<String> = shown.collect();
    if lines.len() > SHOWN_COMBINATIONS {
        let more = lines.len() - SHOWN_COMBINATIONS;
        lines.truncate(SHOWN_COMBINATIONS);
        lines.push(format!("and {more} more"));
    }
    lines.join(", ")
}

fn objects(objects: &[Object], width: Option<u16>) -> Option<String> {
    let rows = objects.iter().map(|object| {
        vec![
            object.path.clone(),
            kind(object.kind).to_owned(),
            size(object.bytes),
            size(object.code_bytes),
            object.sha256.chars().take(SHORT_HASH).collect(),
        ]
    });
    section(
        "objects",
        &["path", "kind", "size", "code", "sha256"],
        rows.collect(),
        width,
    )
}

fn assumptions(report: &Report, width: Option<u16>) -> Option<String> {
    let rows = report.assumptions.iter().map(|assumption| {
        vec![
            assumption.kind.to_string(),
            assumption.place.clone(),
            assumption.detail.clone(),
            assumption.effect.to_string(),
        ]
    });
    section(
        "assumptions",
        &["kind", "place", "detail", "effect"],
        rows.collect(),
        width,
    )
}

/// A heading and a table, or nothing where there are no rows.
fn section(title: &str, headers: &[&str], rows: Vec<Vec<String>>, width: Option<u16>) -> Option<String> {
    if rows.is_empty() {
        return None;
    }
    let title = heading(&format!("{title} ({})", rows.len()));
    Some(format!("{title}\n{}", table(headers, rows, width)))
}

fn found(found: &Found) -> String {
    format!("{}: {}", found.place, found.how)
}

fn kind(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::StaticProgram => "static program",
        ObjectKind::DynamicProgram => "program",
        ObjectKind::SharedObject => "shared object",
    }
}

/// A word as a shell would need it written.
fn quoted(word: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "%+,-./:=@_".contains(character);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        for (word, expected) in [
            ("nginx", "nginx"),
            ("", "''"),
            ("daemon off;", "'daemon off;'"),
            ("it's", r"'it'\''s'"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }

    #[test]
    fn tables_hold_what_the_report_holds() {
        let expected = include_str!("../tests/inspect.txt");
        assert_eq!(
            anstream::adapter::strip_str(&inspect(&sample::report(), None)).to_string(),
            expected
        );
    }

    #[test]
    fn one_program_s_calls_are_shown_with_their_places() {
        let report = Report {
            program: Some("server".to_owned()),
            ..sample::report()
        };
        let text = anstream::adapter::strip_str(&inspect(&report, None)).to_string();
        let line = text.lines().find(|line| line.contains("main → write")).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words, ["/usr/sbin/server", "write", "12", "main", "→", "write"]);
    }

    #[test]
    fn tables_keep_to_the_width() {
        let text = anstream::adapter::strip_str(&inspect(&sample::report(), Some(80))).to_string();
        let (_, tables) = text.split_once("PROGRAMS").unwrap();
        assert!(tables.lines().all(|line| line.chars().count() <= 80), "{tables}");
    }
}
