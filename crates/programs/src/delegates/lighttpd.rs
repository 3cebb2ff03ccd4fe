//! lighttpd's configuration: commands that write parts of it, FastCGI programs, interpreters of CGI scripts, logs that go
//! to a command (its documentation: mod_fastcgi, mod_cgi, mod_accesslog, mod_rrdtool).
//!
//! Misses: CGI programs that a request names, which stay open where the server executes them.

use super::words::{self, Token, hole};
use super::{Call, Reader, from_workdir, option, with_included};

/// lighttpd: every command that its configuration names.
pub fn daemon(call: &Call<'_>, reader: &mut Reader<'_>) {
    let Some(main) = option(call.arguments, "-f", "") else {
        return;
    };
    with_included(from_workdir(call, main), reader, |path, text, reader| {
        let patterns = configuration(path, text, reader).into_iter();
        patterns
            .flat_map(|pattern| reader.included(path, &pattern))
            .collect()
    });
}

/// Finds commands; what the file includes.
fn configuration(path: &str, text: &str, reader: &mut Reader<'_>) -> Vec<String> {
    let tokens = words::tokens(text);
    let mut included = Vec::new();
    for (index, (line, word, quoted)) in tokens.iter().enumerate() {
        let rest = tokens.get(index + 1..).unwrap_or_default();
        reader.at(path, *line);
        match (word.as_str(), quoted) {
            ("include", false) => included.extend(value(rest)),
            ("include_shell", false) => {
                let Some(text) = value(rest) else { continue };
                // What is added by the value of a setting is not known.
                let added = match rest.get(1) {
                    Some((_, plus, false)) if plus.starts_with('+') => hole(),
                    _ => "".into(),
                };
                reader.shell_text(&(text + &added));
            }
            ("bin-path", true) => {
                if let Some(command) = value(rest) {
                    reader.command(words::split(&command));
                }
            }
            ("rrdtool.binary", false) => {
                if let Some(command) = value(rest) {
                    reader.command(vec![command, hole().into_owned()]);
                }
            }
            ("cgi.assign", false) => {
                for interpreter in interpreters(rest) {
                    reader.command(vec![interpreter, hole().into_owned()]);
                }
            }
            ("accesslog.filename" | "server.errorlog" | "server.breakagelog", false) => {
                if let Some(command) = value(rest).and_then(|value| Some(value.strip_prefix('|')?.to_owned()))
                {
                    reader.shell_text(&command);
                }
            }
            _ => {}
        }
    }
    included
}

/// The text that follows, behind an equals sign, an arrow or nothing.
fn value(rest: &[Token]) -> Option<String> {
    let (_, word, _) = words::next(rest, &["=", ">", "+", ":"]).filter(|(.., quoted)| *quoted)?;
    Some(word.clone())
}

/// What a list has behind its arrows: `( ".pl" => "/usr/bin/perl", … )`.
fn interpreters(rest: &[Token]) -> Vec<String> {
    let list: Vec<&Token> = rest
        .iter()
        .take_while(|(_, word, quoted)| *quoted || !word.contains(')'))
        .collect();
    let arrows = list.windows(2).filter_map(|pair| match pair {
        [(_, arrow, false), (_, value, true)] if arrow == ">" && !value.is_empty() => Some(value.clone()),
        _ => None,
    });
    arrows.collect()
}
