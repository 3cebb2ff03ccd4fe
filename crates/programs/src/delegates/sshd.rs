//! sshd's configuration: subsystems, forced commands, programs that are asked for keys (sshd_config(5)).
//!
//! What a client asks for is not in the image: it stays open, with the shells of all users taken in.

use confine_image::paths;

use super::words;
use super::{Call, Reader, accounts, from_workdir, numbered, option, with_included};

const CONFIGURATION: &str = "/etc/ssh/sshd_config";
/// What the configuration's own folder is, for names that are not absolute.
const FOLDER: &str = "/etc/ssh";
/// Scripts that sshd has a shell read when a user comes in.
const SYSTEM_SCRIPT: &str = "/etc/ssh/sshrc";
/// What sets up the display where it is forwarded, if the image has it.
const DISPLAY: &str = "/usr/bin/xauth";

/// sshd: what its configuration and the users' accounts have started.
pub fn daemon(call: &Call<'_>, reader: &mut Reader<'_>) {
    let main = option(call.arguments, "-f", "").unwrap_or(CONFIGURATION);
    with_included(from_workdir(call, main), reader, |path, text, reader| {
        let lines = numbered(text);
        lines
            .flat_map(|(line, text)| setting(path, line, text, reader))
            .collect()
    });
    for (index, argument) in call.arguments.iter().enumerate() {
        if argument == "-o"
            && let Some(text) = call.arguments.get(index + 1)
        {
            setting("-o", 1, &text.replacen('=', " ", 1), reader);
        }
    }
    reader.at_file(SYSTEM_SCRIPT);
    if reader.is_file(SYSTEM_SCRIPT) {
        reader.command(vec!["/bin/sh".to_owned(), SYSTEM_SCRIPT.to_owned()]);
    }
    if reader.is_file(DISPLAY) {
        reader.at_file(DISPLAY);
        reader.command(vec![DISPLAY.to_owned(), "-q".to_owned(), "-".to_owned()]);
    }
    accounts::shells(reader);
}

/// What one line has started; the files that it includes.
fn setting(path: &str, line: usize, text: &str, reader: &mut Reader<'_>) -> Vec<String> {
    let text = text.trim();
    let end = text.find(|character: char| character.is_whitespace() || character == '=');
    let Some((name, value)) = end.and_then(|end| text.split_at_checked(end)) else {
        return Vec::new();
    };
    let value = value.trim_start_matches(|character: char| character.is_whitespace() || character == '=');
    reader.at(path, line);
    match name.to_ascii_lowercase().as_str() {
        "include" => {
            let patterns = words::split(value).into_iter();
            return patterns
                .flat_map(|pattern| reader.glob(&paths::absolute(&pattern, FOLDER)))
                .collect();
        }
        "subsystem" => {
            let command = value
                .split_once(char::is_whitespace)
                .map_or("", |(_, command)| command.trim());
            if !command.is_empty() && !command.starts_with("internal-sftp") {
                reader.shell_text(command);
            }
        }
        "forcecommand" if value != "none" && !value.starts_with("internal-sftp") => {
            reader.shell_text(value.trim_matches('"'));
        }
        "authorizedkeyscommand" | "authorizedprincipalscommand" if value != "none" => {
            let words = words::split(value).into_iter();
            reader.command(words.map(|word| with_holes(&word)).collect());
        }
        "xauthlocation" => reader.command(vec![value.to_owned()]),
        _ => {}
    }
    Vec::new()
}

/// `%u` and its like are known when somebody logs in.
fn with_holes(word: &str) -> String {
    words::filled(word, '%', |after| {
        words::letter(after, |letter| match letter {
            Some('%') => "%".into(),
            _ => words::hole(),
        })
    })
}
