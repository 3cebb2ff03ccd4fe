//! systemd's units: what a target brings up, and the command lines of what is brought up.
//!
//! As systemd.unit(5), systemd.service(5) and systemd.exec(5): the search path of units, drop-ins, templates,
//! folders of wants, quoting and prefixes of command lines, specifiers, `Environment` and `EnvironmentFile`. Every
//! unit that may be started on behalf of another counts, whether conditions hold or not; stopping counts as well.

use std::collections::{BTreeMap, BTreeSet};

use super::ini::{self, Continued};
use super::words;
use super::{Call, Reader};
use crate::pattern::{ANY, REST, is_open};
use crate::wrappers::Inner;
use confine_image::paths::base_name;

/// Where units are looked for, the first that has one counts.
const FOLDERS: &[&str] = &[
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/lib/systemd/system",
    "/usr/lib/systemd/system",
];
/// What is brought up and down beside the default target.
const ALWAYS: &[&str] = &[
    "default.target",
    "sysinit.target",
    "basic.target",
    "rescue.target",
    "shutdown.target",
    "poweroff.target",
    "reboot.target",
    "halt.target",
    "exit.target",
];
/// Settings that name units which are started with one or because of it.
const STARTS: &[&str] = &[
    "Wants",
    "Requires",
    "Requisite",
    "BindsTo",
    "Upholds",
    "OnFailure",
    "OnSuccess",
    "Unit",
    "Service",
    "Sockets",
    "PropagatesReloadTo",
];
/// Settings that are command lines.
const COMMANDS: &[&str] = &[
    "ExecStart",
    "ExecStartPre",
    "ExecStartPost",
    "ExecCondition",
    "ExecReload",
    "ExecStop",
    "ExecStopPre",
    "ExecStopPost",
];
/// Folders of executables that systemd runs by itself.
const EXECUTABLES: &[&str] = &[
    "/etc/systemd/system-generators",
    "/lib/systemd/system-generators",
    "/usr/lib/systemd/system-generators",
    "/lib/systemd/system-environment-generators",
    "/usr/lib/systemd/system-environment-generators",
    "/lib/systemd/system-shutdown",
    "/usr/lib/systemd/system-shutdown",
];
const BUS_SERVICES: &str = "/usr/share/dbus-1/system-services";
const MAX_UNITS: usize = 2048;
/// No unit has a longer name (systemd.unit(5)), in bytes.
const LONGEST_NAME: usize = 255;

/// systemd: what the default target, or the one that the call names, brings up.
pub fn manager(call: &Call<'_>, reader: &mut Reader<'_>) {
    let mut units: Vec<String> = ALWAYS.iter().map(|&unit| unit.to_owned()).collect();
    units.extend(call.arguments.iter().filter_map(|argument| {
        let named = argument.strip_prefix("--unit=");
        named
            .or_else(|| argument.strip_prefix("systemd.unit="))
            .map(str::to_owned)
    }));
    for folder in EXECUTABLES {
        if reader.is_folder(folder) {
            reader.at_file(folder);
            reader.add(Ok(Inner::Folder((*folder).to_owned(), vec![ANY.to_string()])));
        }
    }
    follow(units, reader);
    run_level_scripts(reader);
}

/// systemctl: the units that it is to start.
pub fn control(call: &Call<'_>, reader: &mut Reader<'_>) {
    let operands: Vec<&String> = call
        .arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let Some((verb, units)) = operands.split_first() else {
        return;
    };
    let now = call.arguments.iter().any(|argument| argument == "--now");
    let starts = ["start", "restart", "isolate", "condrestart"].contains(&verb.as_str())
        || verb.contains("reload")
        || verb.contains("try-")
        || (verb.as_str() == "enable" && now);
    if starts {
        let units = units.iter().map(|unit| match unit.contains('.') {
            true => (*unit).clone(),
            false => format!("{unit}.service"),
        });
        follow(units.collect(), reader);
    }
}

/// Scripts of System V's run levels that no unit of the same name takes the place of.
fn run_level_scripts(reader: &mut Reader<'_>) {
    let mut scripts = BTreeSet::new();
    for level in ["S", "2", "3", "4", "5"] {
        let links = reader.list(&format!("/etc/rc{level}.d")).into_iter();
        scripts.extend(links.filter_map(|link| {
            let name = base_name(&link).strip_prefix('S')?;
            Some(
                name.trim_start_matches(|digit: char| digit.is_ascii_digit())
                    .to_owned(),
            )
        }));
    }
    for name in scripts {
        let script = format!("/etc/init.d/{name}");
        if unit_file(&format!("{name}.service"), reader).is_none() && reader.is_file(&script) {
            reader.at_file(&script);
            for action in ["start", "stop"] {
                reader.command(vec![script.clone(), action.to_owned()]);
            }
        }
    }
}

fn follow(mut pending: Vec<String>, reader: &mut Reader<'_>) {
    let mut seen: BTreeSet<String> = pending.iter().cloned().collect();
    while let Some(name) = pending.pop() {
        let mut next = unit(&name, reader);
        if name == "dbus.service" || name == "dbus-broker.service" {
            next.extend(bus_services(reader));
        }
        for unit in next {
            if seen.len() >= MAX_UNITS {
                reader.open("more units than are followed".to_owned());
                return;
            }
            if seen.insert(unit.clone()) {
                pending.push(unit);
            }
        }
    }
}

/// The file of a unit, or of the template that it is an instance of.
fn unit_file(name: &str, reader: &Reader<'_>) -> Option<String> {
    let mut names = vec![name.to_owned()];
    names.extend(template(name));
    names.iter().find_map(|name| {
        let mut paths = FOLDERS.iter().map(|folder| format!("{folder}/{name}"));
        paths.find(|path| reader.is_file(path))
    })
}

/// `name@.kind` of `name@instance.kind`.
fn template(name: &str) -> Option<String> {
    let (prefix, rest) = name.split_once('@')?;
    let (_, kind) = rest.rsplit_once('.')?;
    Some(format!("{prefix}@.{kind}"))
}

/// Reads a unit with its drop-ins; the units that it has started.
fn unit(name: &str, reader: &mut Reader<'_>) -> Vec<String> {
    let mut next = BTreeSet::new();
    let mut names = vec![name.to_owned()];
    names.extend(template(name));
    let kind = name
        .rsplit_once('.')
        .map_or("service", |(_, kind)| kind)
        .to_owned();
    let mut files: Vec<String> = unit_file(name, reader).into_iter().collect();
    // A link to another unit's file is that unit by another name.
    if let Some(target) = files.first().and_then(|path| reader.files.resolve(path))
        && base_name(&target.path).ends_with(&format!(".{kind}"))
        && !names.iter().any(|name| name == base_name(&target.path))
    {
        next.insert(base_name(&target.path).to_owned());
    }
    names.push(kind.clone());
    for folder in FOLDERS {
        for name in &names {
            let drop_ins = reader.list(&format!("{folder}/{name}.d")).into_iter();
            files.extend(drop_ins.filter(|path| path.ends_with(".conf")));
            for relation in ["wants", "requires", "upholds"] {
                let wanted = reader.list(&format!("{folder}/{name}.{relation}"));
                next.extend(wanted.iter().map(|path| base_name(path).to_owned()));
            }
        }
    }
    let mut settings: Vec<(String, usize, String, String)> = Vec::new();
    for path in files {
        let Some(text) = reader.text(&path) else { continue };
        for section in ini::parse(&text, Continued::ByBackslash) {
            let entries = section.entries.into_iter();
            settings.extend(entries.map(|(line, key, value)| (path.clone(), line, key, value)));
        }
    }
    let variables = environment(name, &settings, reader);
    let mut activates = false;
    for (path, line, key, value) in &settings {
        if STARTS.contains(&key.as_str()) {
            activates |= key == "Unit" || key == "Service";
            let units = value.split_whitespace().map(|unit| specified(unit, name));
            next.extend(units.filter(|unit| unit.len() <= LONGEST_NAME));
        } else if COMMANDS.contains(&key.as_str()) {
            reader.at(path, *line);
            reader.with_variables(variables.clone());
            commands(value, name, &variables, reader);
            reader.with_variables(Vec::new());
        }
    }
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    if ["socket", "timer", "path"].contains(&kind.as_str()) && !settings.is_empty() && !activates {
        next.insert(format!("{stem}.service"));
        next.insert(format!("{stem}@{ANY}.service"));
    }
    if let Some((path, ..)) = settings.first().filter(|_| kind == "mount") {
        reader.at_file(path);
        reader.command(vec!["mount".to_owned(), REST.to_owned()]);
        reader.command(vec!["umount".to_owned(), REST.to_owned()]);
    }
    next.into_iter().collect()
}

/// One setting's command lines, which a lone semicolon separates.
fn commands(value: &str, unit: &str, variables: &[(String, String)], reader: &mut Reader<'_>) {
    let all = words::split(value);
    for words in all.split(|word| word == ";") {
        let Some((first, arguments)) = words.split_first() else {
            continue;
        };
        let path = first.trim_start_matches(['@', '-', ':', '+', '!', '|']);
        let prefixes = first.get(..first.len() - path.len()).unwrap_or_default();
        // With `@`, the second word is what the program is told as its name.
        let arguments = match prefixes.contains('@') {
            true => arguments.get(1..).unwrap_or_default(),
            false => arguments,
        };
        let mut argv = vec![specified(path, unit)];
        let mut length = 0;
        for word in arguments {
            let word = specified(word, unit);
            let words = match prefixes.contains(':') {
                true => vec![word],
                false => with_variables(&word, variables),
            };
            length += words.iter().map(|word| word.len() + 1).sum::<usize>();
            if length > value.len() + words::MOST_ADDED {
                argv.push(REST.to_owned());
                break;
            }
            argv.extend(words);
        }
        match prefixes.contains('|') {
            true => reader.shell_text(&argv.join(" ")),
            false => reader.command(argv),
        }
    }
}

/// Replaces `${NAME}` inside a word and `$NAME` as a whole one, which is split.
fn with_variables(word: &str, variables: &[(String, String)]) -> Vec<String> {
    let value = |name: &str| {
        let mut set = variables.iter().rev().filter(|(known, _)| known == name);
        set.next().map(|(_, value)| value.as_str())
    };
    let is_name =
        |name: &str| !name.is_empty() && name.chars().all(|one| one.is_ascii_alphanumeric() || one == '_');
    if let Some(name) = word.strip_prefix('$').filter(|name| is_name(name)) {
        return match value(name) {
            Some(value) => words::split(value),
            None => vec![REST.to_owned()],
        };
    }
    let text = words::filled(word, '$', |after| {
        if let Some((name, more)) = words::bracketed(after, b'{', b'}') {
            return Some((value(name).map_or_else(words::hole, Into::into), more));
        }
        Some(("$".into(), after.strip_prefix('$')?))
    });
    vec![text]
}

/// Replaces specifiers: those of the unit's own name; the others are known when the system runs.
fn specified(word: &str, unit: &str) -> String {
    let stem = unit.rsplit_once('.').map_or(unit, |(stem, _)| stem);
    let (prefix, instance) = stem.split_once('@').unwrap_or((stem, ""));
    words::filled(word, '%', |after| {
        words::letter(after, |letter| match letter {
            Some('%') => "%".into(),
            Some('i' | 'I') => instance.into(),
            Some('p' | 'P') => prefix.into(),
            Some('n') => unit.into(),
            Some('N') => stem.into(),
            Some('t') => "/run".into(),
            _ => words::hole(),
        })
    })
}

/// What a unit's settings put into the environment of its commands.
fn environment(
    unit: &str,
    settings: &[(String, usize, String, String)],
    reader: &mut Reader<'_>,
) -> Vec<(String, String)> {
    let mut variables: BTreeMap<String, String> = BTreeMap::new();
    for (_, _, key, value) in settings {
        match key.as_str() {
            "Environment" => {
                let words = words::split(value).into_iter().map(|word| specified(&word, unit));
                variables.extend(words.filter_map(|word| {
                    let (name, value) = word.split_once('=')?;
                    Some((name.to_owned(), value.to_owned()))
                }));
            }
            "EnvironmentFile" => {
                let pattern = specified(value.trim_start_matches('-'), unit);
                // What a file that is not known sets are variables that are not known.
                let paths = reader.glob(&pattern).into_iter();
                for path in paths.filter(|path| !is_open(path)) {
                    let text = reader.text(&path).unwrap_or_default();
                    let lines = text
                        .lines()
                        .filter(|line| !line.trim_start().starts_with(['#', ';']));
                    variables.extend(lines.filter_map(|line| {
                        let (name, value) = line.split_once('=')?;
                        Some((name.trim().to_owned(), words::split(value).join(" ")))
                    }));
                }
            }
            _ => {}
        }
    }
    variables.into_iter().collect()
}

/// What is started when somebody speaks to a name on the bus.
fn bus_services(reader: &mut Reader<'_>) -> Vec<String> {
    let mut units = Vec::new();
    for path in reader.list(BUS_SERVICES) {
        let Some(text) = reader.text(&path) else { continue };
        for section in ini::parse(&text, Continued::ByBackslash) {
            if let Some((_, unit)) = section.value("SystemdService") {
                units.push(unit.to_owned());
            } else if let Some((line, command)) = section.value("Exec") {
                reader.at(&path, line);
                reader.command(words::split(command));
            }
        }
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifiers_are_the_unit_s_own_or_holes() {
        let check =
            |word: &str, expected: &str| assert_eq!(specified(word, "a@b.service"), expected, "{word}");
        check("%i/%p/%n/%N/%%", "b/a/a@b.service/a@b/%");
        check("%t/x", "/run/x");
        check("%H", &ANY.to_string());
        assert_eq!(template("a@b.service"), Some("a@.service".to_owned()));
        assert_eq!(template("a.service"), None);
    }

    #[test]
    fn variables_are_put_in_and_whole_ones_are_split() {
        let variables = [("A".to_owned(), "b c".to_owned())];
        let check = |word: &str, expected: &[&str]| {
            assert_eq!(with_variables(word, &variables), expected, "{word}");
        };
        check("$A", &["b", "c"]);
        check("x${A}", &["xb c"]);
        check("$B", &[REST]);
        check("$$A", &["$A"]);
    }
    #[test]
    fn values_of_values_do_not_grow_without_a_bound() {
        let mut unit = "a@b.service".to_owned();
        let mut word = "x".to_owned();
        for _ in 0..20 {
            unit = specified("a@%i%i.service", &unit);
            word = with_variables("${A}${A}", &[("A".to_owned(), word)]).concat();
        }
        assert!(unit.len() < 2 * words::MOST_ADDED && word.len() < 2 * words::MOST_ADDED);
    }

    /// One line, and an environment that makes a gigabyte of it.
    #[test]
    fn what_variables_bring_is_bounded() {
        let files = confine_image::MemoryFiles::new();
        let mut reader = Reader::new(&files);
        let line = format!("/x {}", "$A ${B} ".repeat(1024));
        let large = ["A", "B"].map(|name| (name.to_owned(), "x".repeat(1 << 10)));
        commands(&line, "a.service", &large, &mut reader);
        let found = reader.findings.iter().map(|finding| &finding.command);
        let argv: Vec<&str> = found
            .flat_map(|command| match command {
                Ok(Inner::Command(argv)) => argv.as_slice(),
                _ => &[],
            })
            .map(String::as_str)
            .collect();
        assert!(argv.iter().map(|word| word.len()).sum::<usize>() < 1 << 16);
        assert_eq!(argv.last(), Some(&REST));
    }
}
