//! supervisord's configuration: sections of programs, listeners and FastCGI servers.
//!
//! As supervisor's manual, "Configuration File": files that `[include]` names, `%(…)s` expansions, `environment`.

use std::collections::BTreeMap;

use super::ini::{self, Continued, Section};
use super::words;
use super::{Call, MAX_FILES, Reader, from_workdir, option};
use crate::pattern::ANY;
use confine_image::paths::{base_name, parent};

/// Where the configuration is looked for, in that order, when no option names it.
const PLACES: &[&str] = &[
    "/usr/etc/supervisord.conf",
    "/usr/supervisord.conf",
    "supervisord.conf",
    "etc/supervisord.conf",
    "/etc/supervisord.conf",
    "/etc/supervisor/supervisord.conf",
];

/// supervisord: every program of its configuration.
pub fn daemon(call: &Call<'_>, reader: &mut Reader<'_>) {
    let named = option(call.arguments, "-c", "--configuration").map(|path| from_workdir(call, path));
    let found = named.or_else(|| {
        let places = PLACES.iter().map(|path| from_workdir(call, path));
        places.into_iter().find(|path| reader.is_file(path))
    });
    let Some(main) = found else {
        reader.open("its configuration is not in the image".to_owned());
        return;
    };
    let Some(text) = reader.named_text(&main) else {
        return;
    };
    let mut files = vec![(main.clone(), ini::parse(&text, Continued::ByIndent))];
    let included: Vec<String> = sections(&files, "include")
        .filter_map(|(file, section)| Some((file, section.value("files")?.1.to_owned())))
        .flat_map(|(file, patterns)| included(file, &patterns, call, reader))
        .collect();
    for path in reader.at_most(MAX_FILES, included) {
        if let Some(text) = reader.text(&path) {
            files.push((path, ini::parse(&text, Continued::ByIndent)));
        }
    }
    let own: Vec<(String, String)> = sections(&files, "supervisord")
        .flat_map(|(file, section)| environment(section, &values(file, section, call)))
        .collect();
    for (file, parsed) in &files {
        for section in parsed {
            program(file, section, &own, call, reader);
        }
    }
}

fn sections<'f>(
    files: &'f [(String, Vec<Section>)],
    name: &'f str,
) -> impl Iterator<Item = (&'f str, &'f Section)> {
    files.iter().flat_map(move |(file, sections)| {
        let sections = sections.iter().filter(move |section| section.name == name);
        sections.map(move |section| (file.as_str(), section))
    })
}

fn included(file: &str, patterns: &str, call: &Call<'_>, reader: &Reader<'_>) -> Vec<String> {
    let patterns = expand(patterns, &values(file, &Section::default(), call));
    let patterns = patterns.split_whitespace();
    patterns
        .flat_map(|pattern| reader.included(file, &pattern.replace(ANY, "*")))
        .collect()
}

fn program(
    file: &str,
    section: &Section,
    own: &[(String, String)],
    call: &Call<'_>,
    reader: &mut Reader<'_>,
) {
    let kinds = ["program:", "eventlistener:", "fcgi-program:"];
    if !kinds.iter().any(|kind| section.name.starts_with(kind)) {
        return;
    }
    let Some((line, command)) = section.value("command") else {
        return;
    };
    let values = values(file, section, call);
    let mut variables = own.to_vec();
    variables.extend(environment(section, &values));
    reader.at(file, line);
    reader.with_variables(variables);
    // A comment may follow on the line.
    let command = command
        .lines()
        .map(|line| line.split(" ;").next().unwrap_or(line));
    let command = expand(&command.collect::<Vec<_>>().join(" "), &values);
    reader.command(words::split(&command));
    reader.with_variables(Vec::new());
}

/// `KEY="value",KEY=value`, over lines.
fn environment(section: &Section, values: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let Some((_, text)) = section.value("environment") else {
        return Vec::new();
    };
    let mut variables = Vec::new();
    let mut rest = text;
    // Each turn takes a name and a value.
    while let Some((name, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let quoted = after.chars().next().filter(|quote| ['"', '\''].contains(quote));
        let (value, more) = match quoted {
            Some(quote) => {
                let inner = after.get(1..).unwrap_or_default();
                inner.split_once(quote).unwrap_or((inner, ""))
            }
            None => after.split_once(',').unwrap_or((after, "")),
        };
        let name = name.trim_matches(|character: char| character == ',' || character.is_whitespace());
        variables.push((name.to_owned(), expand(value.trim(), values)));
        rest = more;
    }
    variables
}

/// What `%(NAME)s` stands for in a section.
fn values(file: &str, section: &Section, call: &Call<'_>) -> BTreeMap<String, String> {
    let name = section
        .name
        .split_once(':')
        .map_or("", |(_, name)| base_name(name));
    let mut values: BTreeMap<String, String> = call
        .variables
        .iter()
        .map(|(name, value)| (format!("ENV_{name}"), value.clone()))
        .collect();
    values.insert("here".to_owned(), parent(file).to_owned());
    values.insert("program_name".to_owned(), name.to_owned());
    values
}

/// Expands `%(NAME)s`, `%(NAME)02d` and `%%`; what is not known is a hole.
fn expand(text: &str, values: &BTreeMap<String, String>) -> String {
    words::filled(text, '%', |after| {
        if let Some(more) = after.strip_prefix('%') {
            return Some(("%".into(), more));
        }
        let (name, more) = words::bracketed(after, b'(', b')')?;
        let value = values.get(name).map_or_else(words::hole, Into::into);
        let kind = more.find(|character: char| character.is_ascii_alphabetic());
        let more = kind.and_then(|at| more.get(at + 1..)).unwrap_or_default();
        Some((value, more))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expansions_are_known_or_holes() {
        let values = BTreeMap::from([("here".to_owned(), "/etc".to_owned())]);
        for (text, expected) in [
            ("%(here)s/x", "/etc/x".to_owned()),
            ("100%% %(process_num)02d.", format!("100% {ANY}.")),
            ("%(open", "%(open".to_owned()),
            ("%", "%".to_owned()),
        ] {
            assert_eq!(expand(text, &values), expected, "{text}");
        }
    }

    #[test]
    fn environments_are_lists_of_values_that_may_be_quoted() {
        let section = Section {
            name: "program:x".to_owned(),
            entries: vec![(1, "environment".to_owned(), "A=\"b,c\",\nD='e', F=g".to_owned())],
        };
        let expected = [("A", "b,c"), ("D", "e"), ("F", "g")];
        let expected: Vec<(String, String)> = expected
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        assert_eq!(environment(&section, &BTreeMap::new()), expected);
    }
}
