//! Postfix: the table of its services, and the programs that its commands find by its main configuration.
//!
//! Formats as master(5) and postconf(5). Folders that the main configuration does not set are where the programs
//! lie that were found.

use std::collections::BTreeMap;

use super::words;
use super::{Call, MAX_TEXT, Reader, numbered, option};
use crate::pattern::ANY;
use confine_image::paths::{base_name, parent};

const FOLDER: &str = "/etc/postfix";
/// Where packages put the daemons, the first that has them counts.
const DAEMONS: &[&str] = &[
    "/usr/lib/postfix/sbin",
    "/usr/libexec/postfix",
    "/usr/lib/postfix",
];
const COMMANDS: &str = "/usr/sbin";
/// What sendmail and its other names execute of Postfix's commands.
const OF_SENDMAIL: &[&str] = &["postdrop", "postqueue", "postalias", "postsuper", "postcat"];
/// Parameters whose value is a command that delivers mail or is run by a daemon.
const COMMAND_PARAMETERS: &[&str] = &[
    "mailbox_command",
    "debugger_command",
    "fallback_transport_command",
];

/// How often parameters are put into the values of others.
const MOST_TURNS: usize = 4;

struct Configuration {
    folder: String,
    parameters: BTreeMap<String, String>,
}

impl Configuration {
    /// From the text that is at its path.
    fn read(call: &Call<'_>, text: impl FnOnce(&str) -> Option<String>) -> Option<Self> {
        let folder = option(call.arguments, "-c", "")
            .or_else(|| call.variables.get("MAIL_CONFIG").map(String::as_str))
            .unwrap_or(FOLDER)
            .to_owned();
        let text = text(&format!("{folder}/main.cf"))?;
        Some(Self {
            folder,
            parameters: parameters(&text),
        })
    }

    fn daemons(&self, reader: &Reader<'_>) -> String {
        let set = self.parameters.get("daemon_directory").cloned();
        let found = DAEMONS
            .iter()
            .find(|folder| reader.is_file(&format!("{folder}/master")));
        set.or_else(|| found.map(|&folder| folder.to_owned()))
            .unwrap_or_else(|| ANY.to_string())
    }

    fn commands(&self) -> String {
        let set = self.parameters.get("command_directory");
        set.cloned().unwrap_or_else(|| COMMANDS.to_owned())
    }

    /// What Postfix's scripts find in their environment (postfix-script's own head lists it).
    fn environment(&self, reader: &Reader<'_>) -> Vec<(String, String)> {
        let mut variables: Vec<(String, String)> = self
            .parameters
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        for (name, value) in [
            ("daemon_directory", self.daemons(reader)),
            ("command_directory", self.commands()),
            ("config_directory", self.folder.clone()),
            ("meta_directory", self.folder.clone()),
            ("queue_directory", "/var/spool/postfix".to_owned()),
            ("PATH", "/bin:/usr/bin:/sbin:/usr/sbin".to_owned()),
        ] {
            if !self.parameters.contains_key(name) {
                variables.push((name.to_owned(), value));
            }
        }
        variables
    }
}

/// postfix: the script that does what it is asked for.
pub fn control(call: &Call<'_>, reader: &mut Reader<'_>) {
    let Some(configuration) = Configuration::read(call, |path| reader.named_text(path)) else {
        return;
    };
    let script = format!("{}/postfix-script", configuration.daemons(reader));
    let variables = configuration.environment(reader);
    let arguments = crate::wrappers::skip_options(call.arguments, &["-c", "-D"]);
    reader.with_variables(variables);
    reader.command([vec![script], arguments.to_vec()].concat());
    reader.with_variables(Vec::new());
}

/// master: every service of its table, and what local delivery is told to run.
pub fn master(call: &Call<'_>, reader: &mut Reader<'_>) {
    let Some(configuration) = Configuration::read(call, |path| reader.text(path)) else {
        // Another program of that name.
        return;
    };
    let daemons = match base_name(call.path) {
        "master" => parent(call.path).to_owned(),
        _ => configuration.daemons(reader),
    };
    let table = format!("{}/master.cf", configuration.folder);
    let Some(text) = reader.named_text(&table) else {
        return;
    };
    reader.with_variables(configuration.environment(reader));
    for (line, text) in joined_lines(&text) {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        let Some((program, arguments)) = words.get(7..).and_then(<[String]>::split_first) else {
            continue;
        };
        reader.at(&table, line);
        reader.command([vec![format!("{daemons}/{program}")], arguments.to_vec()].concat());
        // pipe(8) and spawn(8) run what follows `argv=`.
        if let Some(at) = arguments.iter().position(|word| word.starts_with("argv=")) {
            let argv = arguments.iter().skip(at).map(|word| {
                let word = word.strip_prefix("argv=").unwrap_or(word);
                if word.contains('$') {
                    ANY.to_string()
                } else {
                    word.to_owned()
                }
            });
            reader.command(argv.collect());
        }
    }
    local_delivery(&configuration, reader);
    // Mail may be handed in by the services themselves.
    commands(&configuration, reader);
    reader.with_variables(Vec::new());
}

/// sendmail and its other names, where they are Postfix's.
pub fn sendmail(call: &Call<'_>, reader: &mut Reader<'_>) {
    if let Some(configuration) = Configuration::read(call, |path| reader.text(path)) {
        commands(&configuration, reader);
    }
}

fn commands(configuration: &Configuration, reader: &mut Reader<'_>) {
    for name in OF_SENDMAIL {
        let path = format!("{}/{name}", configuration.commands());
        if reader.is_file(&path) {
            reader.at_file(&format!("{}/main.cf", configuration.folder));
            reader.command(vec![path]);
        }
    }
}

fn local_delivery(configuration: &Configuration, reader: &mut Reader<'_>) {
    let main = format!("{}/main.cf", configuration.folder);
    for name in COMMAND_PARAMETERS {
        if let Some(command) = configuration.parameters.get(*name) {
            reader.at_file(&main);
            reader.shell_text(command);
        }
    }
    let maps = ["alias_maps", "alias_database"]
        .iter()
        .filter_map(|name| configuration.parameters.get(*name));
    let mut files: Vec<String> = maps
        .flat_map(|maps| maps.split([',', ' ']))
        .filter_map(|map| Some(map.split_once(':')?.1.to_owned()))
        .chain(["/etc/aliases".to_owned()])
        .collect();
    files.sort();
    files.dedup();
    for path in files {
        let Some(text) = reader.text(&path) else { continue };
        for (line, text) in numbered(&text) {
            aliases(&path, line, text, reader);
        }
    }
}

/// `name: "|command"`, one or several.
fn aliases(path: &str, line: usize, text: &str, reader: &mut Reader<'_>) {
    let Some((before, after)) = text
        .split_once('|')
        .filter(|_| !text.trim_start().starts_with('#'))
    else {
        return;
    };
    let command = match before.trim_end().ends_with('"') {
        true => after.split('"').next().unwrap_or(after),
        false => after.split(',').next().unwrap_or(after),
    };
    reader.at(path, line);
    reader.shell_text(command);
    // A command without any meaning for a shell is executed as it is.
    reader.command(words::split(command));
}

/// `name = value` lines, with `$name` of earlier ones put in; where they come to more than may be read, a value is a hole.
fn parameters(text: &str) -> BTreeMap<String, String> {
    let mut parameters: BTreeMap<String, String> = BTreeMap::new();
    let mut length = 0;
    for (_, text) in joined_lines(text) {
        if let Some((name, value)) = text.split_once('=') {
            let mut value = value.trim().to_owned();
            // What is put in may hold names that were not known there.
            for _ in 0..MOST_TURNS {
                let more = put_in(&value, &parameters);
                if more == value {
                    break;
                }
                value = more;
            }
            length += value.len();
            if length > MAX_TEXT {
                value = ANY.to_string();
            }
            parameters.insert(name.trim().to_owned(), value);
        }
    }
    parameters
}

/// Replaces `${name}` and `$(name)` inside a value and `$name` as a whole one.
fn put_in(value: &str, parameters: &BTreeMap<String, String>) -> String {
    if let Some(whole) = value.strip_prefix('$').and_then(|name| parameters.get(name)) {
        return whole.clone();
    }
    words::filled(value, '$', |after| {
        let braced = words::bracketed(after, b'{', b'}');
        let (name, more) = braced.or_else(|| words::bracketed(after, b'(', b')'))?;
        Some((parameters.get(name)?.into(), more))
    })
}

/// Lines with those that begin with a blank joined to the one before.
fn joined_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (line, text) in numbered(text) {
        if text.trim().is_empty() || text.trim_start().starts_with('#') {
            continue;
        }
        match lines.last_mut() {
            Some((_, last)) if text.starts_with([' ', '\t']) => {
                last.push(' ');
                last.push_str(text.trim());
            }
            _ => lines.push((line, text.trim().to_owned())),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_parameters_are_put_in() {
        let found = parameters("a = x\nb = $a\nc = ${a}/$(b)/$a/${d}\nd = ${c}\n");
        let expected = [("a", "x"), ("b", "x"), ("c", "x/x/$a/${d}"), ("d", "x/x/$a/${d}")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(found, BTreeMap::from(expected));
    }

    #[test]
    fn parameters_of_parameters_do_not_grow_without_a_bound() {
        let lines = (1..20).map(|line| format!("a{line} = ${{a{0}}}${{a{0}}}\n", line - 1));
        let text = format!("a0 = x\n{}", lines.collect::<String>());
        let values = parameters(&text);
        assert_eq!(values["a3"], "xxxxxxxx");
        assert!(values.values().all(|value| value.len() < 2 * words::MOST_ADDED));
        assert!(values.values().any(|value| value.contains(ANY)));
    }
}
