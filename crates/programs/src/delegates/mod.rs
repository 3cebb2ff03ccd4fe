//! Programs that execute what a configuration names, where the image holds that configuration.
//!
//! Each family has a file that reads its configuration as the program would, and a row in [`TABLE`]. In: how the
//! program is called, and the image's files. Out: [`Finding`]s: command lines with the file and line that name
//! them, and what stays open. Must not know: what becomes of a command line.
//!
//! Over-approximates: every table, service and unit that the program could read counts, whether it is due or not;
//! what a configuration leaves to the running system (a user, a process's number, a name of a host) is a hole.
//! Misses: configurations that are written while the container runs, unless what writes them gives their text.

mod accounts;
mod cron;
mod execline;
mod incron;
mod inet;
mod ini;
mod inittab;
mod lighttpd;
mod monit;
mod postfix;
mod sshd;
mod supervision;
mod supervisor;
mod systemd;
mod words;

pub use execline::substitute;

use std::collections::BTreeMap;

use confine_image::{FileKind, Files, paths};

use crate::pattern;
use crate::wrappers::Inner;

/// What a configuration may measure to be read, and how many findings one call may have.
const MAX_TEXT: usize = 1 << 20;
const MAX_FINDINGS: usize = 4096;

/// How a delegate is called.
pub struct Call<'a> {
    /// The name that it is called by, without folders.
    pub name: &'a str,
    /// Its file, every link followed.
    pub path: &'a str,
    /// Its arguments, its name left out.
    pub arguments: &'a [String],
    /// What is known of its environment.
    pub variables: &'a BTreeMap<String, String>,
    /// The folder that it starts in, as far as that is known.
    pub workdir: &'a str,
    /// What is known of its standard input.
    pub input: Option<&'a str>,
}

/// What a line of a configuration has executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The configuration's file; `None` if it is the call itself.
    pub file: Option<String>,
    /// The line in it.
    pub line: Option<usize>,
    /// The command, or why it is not known.
    pub command: Result<Inner, String>,
    /// What of the environment is set for it.
    pub variables: Vec<(String, String)>,
}

/// Reads configurations and collects what they have executed.
pub struct Reader<'a> {
    files: &'a dyn Files,
    findings: Vec<Finding>,
    file: Option<String>,
    line: Option<usize>,
    variables: Vec<(String, String)>,
}

impl<'a> Reader<'a> {
    fn new(files: &'a dyn Files) -> Self {
        Self {
            files,
            findings: Vec::new(),
            file: None,
            line: None,
            variables: Vec::new(),
        }
    }

    /// What is found from here on stands in this file and line.
    fn at(&mut self, file: &str, line: usize) {
        self.file = Some(file.to_owned());
        self.line = Some(line);
    }

    /// What is found from here on is the matter of this file as a whole.
    fn at_file(&mut self, file: &str) {
        self.file = Some(file.to_owned());
        self.line = None;
    }

    fn with_variables(&mut self, variables: Vec<(String, String)>) {
        self.variables = variables;
    }

    fn add(&mut self, command: Result<Inner, String>) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(Finding {
                file: self.file.clone(),
                line: self.line,
                command,
                variables: self.variables.clone(),
            });
        } else if self.findings.len() == MAX_FINDINGS {
            self.findings.push(Finding {
                file: self.file.clone(),
                line: self.line,
                command: Err("its configuration names more commands than are followed".to_owned()),
                variables: Vec::new(),
            });
        }
    }

    fn command(&mut self, argv: Vec<String>) {
        if argv.first().is_some_and(|name| !name.is_empty()) {
            self.add(Ok(Inner::Command(argv)));
        }
    }

    fn shell_text(&mut self, text: &str) {
        if !text.trim().is_empty() {
            self.add(Ok(Inner::ShellText(text.to_owned())));
        }
    }

    fn open(&mut self, detail: String) {
        self.add(Err(detail));
    }

    /// The text of a configuration; `None` if there is none. One that cannot be read or is not known stays open.
    fn text(&mut self, path: &str) -> Option<String> {
        if pattern::is_open(path) {
            self.open("its configuration is a file that is not known".to_owned());
            return None;
        }
        let file = self.files.resolve(path)?;
        if file.kind != FileKind::Regular {
            return None;
        }
        if file.size > MAX_TEXT as u64 {
            self.open(format!(
                "{path} is larger than the {MAX_TEXT} bytes that are read of a configuration"
            ));
            return None;
        }
        match self.files.read(path) {
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) => {
                self.open(error.to_string());
                None
            }
        }
    }

    /// The text of a configuration that a call names, which has to be there.
    fn named_text(&mut self, path: &str) -> Option<String> {
        let text = self.text(path);
        if text.is_none() && !pattern::is_open(path) {
            self.open(format!("its configuration {path} is not in the image"));
        }
        text
    }

    /// The paths of what lies in a folder that a call names, sorted. One that is not known stays open.
    fn named_list(&mut self, folder: &str) -> Vec<String> {
        if pattern::is_open(folder) {
            self.open("its configuration is a folder that is not known".to_owned());
        }
        self.list(folder)
    }

    fn is_file(&self, path: &str) -> bool {
        let file = self.files.resolve(path);
        file.is_some_and(|file| file.kind == FileKind::Regular)
    }

    fn is_folder(&self, path: &str) -> bool {
        let file = self.files.resolve(path);
        file.is_some_and(|file| file.kind == FileKind::Folder)
    }

    /// The paths of what lies in a folder, sorted.
    fn list(&self, folder: &str) -> Vec<String> {
        let names = self.files.list(folder).into_iter();
        names
            .map(|name| format!("{}/{name}", folder.trim_end_matches('/')))
            .collect()
    }

    /// As many paths as are looked at; where there are more, that is said.
    fn at_most(&mut self, most: usize, mut paths: Vec<String>) -> Vec<String> {
        if paths.len() > most {
            self.open(MORE_FILES.to_owned());
            paths.truncate(most);
        }
        paths
    }

    /// The files that a pattern in a file of the configuration stands for, seen from that file's folder.
    fn included(&self, file: &str, pattern: &str) -> Vec<String> {
        self.glob(&paths::absolute(pattern, paths::parent(file)))
    }

    /// The files that a name with `*`, `?` and brackets stands for, sorted.
    fn glob(&self, pattern: &str) -> Vec<String> {
        if !pattern.contains(['*', '?', '[']) {
            return vec![pattern.to_owned()];
        }
        let mut holes = String::with_capacity(pattern.len());
        let mut bracket = false;
        for character in pattern.chars() {
            match character {
                '*' | '?' => holes.push(pattern::STAR),
                '[' => bracket = true,
                ']' if bracket => {
                    bracket = false;
                    holes.push(pattern::STAR);
                }
                _ if bracket => {}
                other => holes.push(other),
            }
        }
        pattern::files(self.files, &holes).unwrap_or_default()
    }
}

struct Row {
    /// What the program is called.
    names: &'static [&'static str],
    /// Finds what it executes.
    follow: fn(&Call<'_>, &mut Reader<'_>),
    /// Why it is here.
    reason: &'static str,
}

const fn row(
    names: &'static [&'static str],
    follow: fn(&Call<'_>, &mut Reader<'_>),
    reason: &'static str,
) -> Row {
    Row {
        names,
        follow,
        reason,
    }
}

/// Every delegate whose configuration is read.
const TABLE: &[Row] = &[
    row(&["cron", "crond"], cron::daemon, "runs the jobs of its tables"),
    row(
        &["crontab", "supercronic"],
        cron::table,
        "takes in a table of jobs",
    ),
    row(&["anacron"], cron::anacron, "runs the jobs of its table"),
    row(
        &["supervisord"],
        supervisor::daemon,
        "runs the programs of its configuration",
    ),
    row(&["execlineb"], execline::script, "runs a script of execline"),
    row(
        &["s6-svscan", "runsvdir", "svscan"],
        supervision::scan,
        "supervises the services of a folder",
    ),
    row(
        &["s6-supervise", "runsv", "supervise"],
        supervision::one,
        "supervises a service",
    ),
    row(
        &["s6-rc", "s6-rc-init", "s6-rc-compile", "s6-overlay-suexec"],
        supervision::s6_rc,
        "brings up the services of a database",
    ),
    row(
        &["runit", "runit-init"],
        supervision::runit,
        "goes through the stages of runit",
    ),
    row(&["systemd"], systemd::manager, "starts the units of its target"),
    row(&["systemctl"], systemd::control, "has units started"),
    row(&["init"], inittab::init, "runs the processes of its table"),
    row(
        &["startpar"],
        inittab::run_levels,
        "runs the scripts of run levels",
    ),
    row(&["inetd"], inet::inetd, "runs the servers of its configuration"),
    row(&["xinetd"], inet::xinetd, "runs the servers of its configuration"),
    row(&["monit"], monit::daemon, "runs the programs of its control file"),
    row(
        &["lighttpd"],
        lighttpd::daemon,
        "executes what its configuration names",
    ),
    row(&["incrond"], incron::daemon, "runs commands when files change"),
    row(&["sshd"], sshd::daemon, "serves logins"),
    row(&["login"], accounts::login, "starts users' shells"),
    row(
        &["postfix", "postmulti"],
        postfix::control,
        "runs the script that controls the mail system",
    ),
    row(&["master"], postfix::master, "runs the services of its table"),
    row(
        &["sendmail", "newaliases", "mailq"],
        postfix::sendmail,
        "hands mail in",
    ),
];

/// Delegates whose configuration is not read, and what it is.
const UNREAD: &[(&str, &str)] = &[
    ("atd", "its queue"),
    ("openrc", "its run levels"),
    ("openrc-init", "its run levels"),
    ("openrc-run", "a service"),
    ("circusd", "its configuration"),
    ("pm2", "its process list"),
    ("god", "its configuration"),
    ("fcron", "its tables"),
];

/// Delegates that are scripts of other languages; the other names may be anybody's for a script of his own.
const SCRIPTS: &[&str] = &["supervisord", "circusd", "pm2", "god", "openrc-run"];

/// Whether a script of that name can be a delegate.
pub fn may_be_script(name: &str) -> bool {
    SCRIPTS.contains(&name)
}

/// Whether `name` is among the delegates that are known.
pub fn is_delegate(name: &str) -> bool {
    UNREAD.iter().any(|(known, _)| *known == name) || TABLE.iter().any(|row| row.names.contains(&name))
}

/// What a program executes by its configuration, and the row's reason; `None` if it is no delegate.
pub fn follow(files: &dyn Files, call: &Call<'_>) -> Option<(Vec<Finding>, &'static str)> {
    if let Some((_, what)) = UNREAD.iter().find(|(name, _)| *name == call.name) {
        let mut reader = Reader::new(files);
        reader.open(format!("what {} executes by {what} is not followed", call.name));
        return Some((reader.findings, "executes what it is configured to"));
    }
    let row = TABLE.iter().find(|row| row.names.contains(&call.name))?;
    let mut reader = Reader::new(files);
    (row.follow)(call, &mut reader);
    Some((reader.findings, row.reason))
}

/// How many files a configuration may consist of.
const MAX_FILES: usize = 256;
/// What is said of one that consists of more.
const MORE_FILES: &str = "its configuration consists of more files than are read";

/// Reads a configuration's first file and every file that those before include, each once. `read` is given a file's path and
/// text, and returns what that includes.
fn with_included(
    first: String,
    reader: &mut Reader<'_>,
    mut read: impl FnMut(&str, &str, &mut Reader<'_>) -> Vec<String>,
) {
    let mut files = vec![first];
    let mut index = 0;
    let mut left_out = false;
    while let Some(path) = files.get(index).cloned() {
        index += 1;
        let Some(text) = reader.named_text(&path) else {
            continue;
        };
        for included in read(&path, &text, reader) {
            if files.contains(&included) {
                continue;
            }
            match files.len() < MAX_FILES {
                true => files.push(included),
                false => left_out = true,
            }
        }
    }
    if let Some(first) = files.first().filter(|_| left_out) {
        reader.at_file(first);
        reader.open(MORE_FILES.to_owned());
    }
}

/// The value of an option: `-c FILE`, `-cFILE`, `--long FILE` or `--long=FILE`.
fn option<'a>(arguments: &'a [String], short: &str, long: &str) -> Option<&'a str> {
    for (index, argument) in arguments.iter().enumerate() {
        if argument == short || (!long.is_empty() && argument == long) {
            return arguments.get(index + 1).map(String::as_str);
        }
        let joined = argument
            .strip_prefix(long)
            .filter(|_| !long.is_empty())
            .and_then(|rest| rest.strip_prefix('='));
        let joined = joined.or_else(|| {
            argument
                .strip_prefix(short)
                .filter(|rest| !short.is_empty() && !rest.is_empty() && !argument.starts_with("--"))
        });
        if joined.is_some() {
            return joined;
        }
    }
    None
}

/// A path as seen from the folder that a call starts in.
fn from_workdir(call: &Call<'_>, path: &str) -> String {
    paths::absolute(path, call.workdir)
}

/// Lines with their numbers from 1.
fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines())
}
