//! What is said to the user, and how wide the terminal is. Styles vanish where they don't belong: no terminal, or
//! `NO_COLOR` is set.

use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};

/// Shows an error with its causes.
pub fn error(error: &anyhow::Error) {
    say(AnsiColor::Red, "error: ", &format!("{error:#}"));
}

/// Shows something that the user should know and that stops nothing.
pub fn warning(text: &str) {
    say(AnsiColor::Yellow, "warning: ", text);
}

/// Shows how things went.
pub fn note(text: &str) {
    say(AnsiColor::Green, "", text);
}

/// Writes styled text to the standard output.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut plain_or_styled = Vec::new();
    let choice = anstream::AutoStream::choice(&io::stdout());
    // Writing to memory cannot fail.
    let _ = anstream::AutoStream::new(&mut plain_or_styled, choice).write_all(text.as_bytes());
    crate::output::print(&String::from_utf8_lossy(&plain_or_styled))
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
