//! incron's tables: a path, events and a command for each line (incrontab(5)).

use super::words::fields;
use super::{Call, Reader, numbered};

const FOLDERS: &[&str] = &["/etc/incron.d", "/var/spool/incron"];

/// A word of a shell of which nothing is known.
const UNKNOWN: &str = "\"$INCRON_EVENT\"";

/// incrond: the commands of every table.
pub fn daemon(_: &Call<'_>, reader: &mut Reader<'_>) {
    for path in FOLDERS
        .iter()
        .flat_map(|folder| reader.list(folder))
        .collect::<Vec<_>>()
    {
        let Some(text) = reader.text(&path) else { continue };
        for (line, text) in numbered(&text) {
            if text.trim_start().starts_with('#') {
                continue;
            }
            if let Some((_, command)) = fields(text, 2) {
                reader.at(&path, line);
                reader.shell_text(&expanded(command));
            }
        }
    }
}

/// The watched path, the file's name and the events are known when something happens.
fn expanded(command: &str) -> String {
    let mut text = String::with_capacity(command.len());
    let mut characters = command.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, characters.peek()) {
            ('$', Some('@' | '#' | '%' | '&')) => {
                characters.next();
                text.push_str(UNKNOWN);
            }
            ('$', Some('$')) => text.extend(characters.next()),
            _ => text.push(character),
        }
    }
    text
}
