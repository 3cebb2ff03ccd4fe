//! Tables of jobs: cron's, cronie's, busybox's and anacron's.
//!
//! Formats as crontab(5) and anacrontab(5) of Debian tell them. A job's text is given to the shell that the table
//! sets, in the daemon's own short environment.

use super::words::fields;
use super::{Call, Reader, from_workdir, numbered, option};
use crate::pattern;
use confine_image::paths::base_name;

/// Tables that name the user of each job.
const SYSTEM_TABLES: &[&str] = &["/etc/crontab"];
const SYSTEM_FOLDERS: &[&str] = &["/etc/cron.d"];
/// Folders of tables by user: Debian's, cronie's and Alpine's.
const USER_FOLDERS: &[&str] = &["/var/spool/cron/crontabs", "/var/spool/cron", "/etc/crontabs"];
/// What jobs find where their table sets no `PATH`.
const JOB_PATH: &str = "/usr/bin:/bin";
/// What mails a job's output (`MAILTO`).
const MAILER: &str = "/usr/sbin/sendmail";

/// Whose table it is: that of the system names a user before the command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    System,
    User,
}

/// cron and crond: every table that there is.
pub fn daemon(call: &Call<'_>, reader: &mut Reader<'_>) {
    let busybox = base_name(call.path).starts_with("busybox");
    let mut user_folders: Vec<String> = USER_FOLDERS.iter().map(|&folder| folder.to_owned()).collect();
    if let Some(folder) = option(call.arguments, "-c", "").filter(|_| busybox) {
        user_folders = vec![from_workdir(call, folder)];
    }
    if !busybox {
        for &path in SYSTEM_TABLES {
            table_file(path, Owner::System, reader);
        }
        for folder in SYSTEM_FOLDERS {
            for path in reader.list(folder) {
                table_file(&path, Owner::System, reader);
            }
        }
        if reader.is_file(MAILER) {
            reader.at_file(MAILER);
            reader.command(vec![MAILER.to_owned(), "-i".to_owned(), "-t".to_owned()]);
        }
    }
    for folder in user_folders {
        for path in reader.named_list(&folder) {
            table_file(&path, Owner::User, reader);
        }
    }
}

/// crontab and supercronic: the table that is given to them.
pub fn table(call: &Call<'_>, reader: &mut Reader<'_>) {
    let asks = call
        .arguments
        .iter()
        .any(|argument| matches!(argument.as_str(), "-l" | "-r" | "-e" | "-T" | "-test"));
    if asks {
        return;
    }
    let mut arguments = call.arguments;
    let mut operand = None;
    while let Some((first, rest)) = arguments.split_first() {
        arguments = rest;
        if first == "-u" || first == "-c" {
            arguments = rest.get(1..).unwrap_or_default();
        } else if first == "-" || !first.starts_with('-') {
            operand = Some(first.as_str());
        }
    }
    match operand {
        Some(path) if path != "-" && !pattern::is_open(path) => {
            let path = from_workdir(call, path);
            if let Some(text) = reader.named_text(&path) {
                jobs(&path, &text, Owner::User, reader);
            }
        }
        _ => match call.input {
            Some(text) => jobs("standard input", text, Owner::User, reader),
            None => reader.open("a table of jobs is taken in that is not in the image".to_owned()),
        },
    }
}

/// anacron: `/etc/anacrontab`, or the table that `-t` names.
pub fn anacron(call: &Call<'_>, reader: &mut Reader<'_>) {
    let path = option(call.arguments, "-t", "").unwrap_or("/etc/anacrontab");
    let path = from_workdir(call, path);
    let Some(text) = reader.text(&path) else { return };
    let mut variables = Vec::new();
    for (line, text) in logical_lines(&text) {
        if let Some(variable) = assignment(&text) {
            variables.push(variable);
        } else if let Some((_, command)) = fields(&text, 3) {
            reader.at(&path, line);
            job(command, &variables, reader);
        }
    }
}

fn table_file(path: &str, owner: Owner, reader: &mut Reader<'_>) {
    if let Some(text) = reader.text(path) {
        jobs(path, &text, owner, reader);
    }
}

fn jobs(path: &str, text: &str, owner: Owner, reader: &mut Reader<'_>) {
    let mut variables = Vec::new();
    for (line, text) in numbered(text) {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        if let Some(variable) = assignment(text) {
            variables.push(variable);
            continue;
        }
        let times = if text.starts_with('@') { 1 } else { 5 };
        let Some((_, rest)) = fields(text, times) else {
            continue;
        };
        let command = match owner {
            Owner::User => rest,
            Owner::System => match fields(rest, 1) {
                Some((_, command)) => command,
                None => continue,
            },
        };
        reader.at(path, line);
        job(command, &variables, reader);
    }
}

fn job(command: &str, variables: &[(String, String)], reader: &mut Reader<'_>) {
    let mut environment = vec![("PATH".to_owned(), JOB_PATH.to_owned())];
    environment.extend(variables.iter().cloned());
    let shell = variables.iter().rev().find(|(name, _)| name == "SHELL");
    let shell = shell.map_or("/bin/sh", |(_, shell)| shell.as_str()).to_owned();
    reader.with_variables(environment);
    let text = before_input(command);
    if !text.trim().is_empty() {
        reader.command(vec![shell, "-c".to_owned(), text]);
    }
    reader.with_variables(Vec::new());
}

/// What comes before the first `%`, which begins the job's input; `\%` is a plain one.
fn before_input(command: &str) -> String {
    let mut text = String::with_capacity(command.len());
    let mut characters = command.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '%' => break,
            '\\' if characters.peek() == Some(&'%') => text.extend(characters.next()),
            other => text.push(other),
        }
    }
    text
}

/// `NAME = value`, either perhaps quoted.
fn assignment(text: &str) -> Option<(String, String)> {
    let unquoted = |text: &str| {
        let text = text.trim();
        let quoted = ['"', '\'']
            .iter()
            .find_map(|&quote| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)));
        quoted.unwrap_or(text).to_owned()
    };
    let (name, value) = text.split_once('=')?;
    let name = unquoted(name);
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    (!name.is_empty() && name.chars().all(is_name)).then(|| (name, unquoted(value)))
}

/// Lines that a backslash joins, without comments.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (line, text) in numbered(text) {
        let (text, more) = match text.strip_suffix('\\') {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        match lines.last_mut() {
            Some((_, last)) if goes_on => last.push_str(text),
            _ if text.trim().is_empty() || text.trim_start().starts_with('#') => {
                goes_on = false;
                continue;
            }
            _ => lines.push((line, text.trim().to_owned())),
        }
        goes_on = more;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{assignment, before_input};

    #[test]
    fn a_line_is_an_assignment_or_a_job() {
        let check = |text: &str, expected: Option<(&str, &str)>| {
            let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(assignment(text), expected, "{text}");
        };
        check("PATH=/bin", Some(("PATH", "/bin")));
        check("\"A\" = ' b '", Some(("A", " b ")));
        check("* * * * * x=1 y", None);
        check("@daily env A=b c", None);
    }

    #[test]
    fn a_percent_sign_begins_the_input() {
        assert_eq!(before_input("date +\\%H x%in%put"), "date +%H x");
    }
}
