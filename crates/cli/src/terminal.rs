//! What is said to the user, and how wide the terminal is. Styles vanish where they don't belong: no terminal, or
//! `NO_COLOR` is set.

use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};

/// Shows an error with its causes.
pub fn error(error: &anyhow::Error) {
    say(AnsiColor::Red, "error: ", &chain(error));
}

/// Shows something that the user should know and that stops nothing.
pub fn warning(text: &str) {
    say(AnsiColor::Yellow, "warning: ", text);
}

/// Shows how things went.
pub fn note(text: &str) {
    say(AnsiColor::Green, "", text);
}

/// Writes a line for machines to standard error.
pub fn plain(text: &str) {
    // As in `say`.
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Writes styled text to the standard output.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut plain_or_styled = Vec::new();
    let choice = anstream::AutoStream::choice(&io::stdout());
    // Writing to memory cannot fail.
    let _ = anstream::AutoStream::new(&mut plain_or_styled, choice).write_all(text.as_bytes());
    crate::output::print(plain_or_styled)
}

/// How many columns the standard output has, if it is a terminal.
pub fn width() -> Option<u16> {
    io::stdout()
        .is_terminal()
        .then(terminal_size::terminal_size)
        .flatten()
        .map(|(width, _)| width.0)
}

/// There is nobody left to tell when standard error cannot be written.
fn say(color: AnsiColor, kind: &str, text: &str) {
    let style = Style::new().bold().fg_color(Some(color.into()));
    let _ = writeln!(anstream::stderr(), "{style}confine: {kind}{style:#}{text}");
}

/// An error and its causes, without those that the message before already quotes.
fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    let mut last = String::new();
    for message in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text.clone_from(&message);
        } else if !last.contains(&message) {
            text = format!("{text}: {message}");
        }
        last = message;
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn causes_are_said_once() {
        for (error, expected) in [
            (anyhow!("a"), "a"),
            (anyhow!("cause").context("what"), "what: cause"),
            (anyhow!("cause").context("what: cause"), "what: cause"),
            (
                anyhow!("root").context("cause").context("what: cause"),
                "what: cause: root",
            ),
        ] {
            assert_eq!(chain(&error), expected);
        }
    }
}
