//! monit's control file: what starts, stops, checks and answers (monit(1)).

use super::words;
use super::{Call, Reader, from_workdir, option, with_included};

const PLACES: &[&str] = &["/etc/monit/monitrc", "/etc/monitrc"];

/// monit: every command that its control file names.
pub fn daemon(call: &Call<'_>, reader: &mut Reader<'_>) {
    let named = option(call.arguments, "-c", "").map(|path| from_workdir(call, path));
    let found = named.or_else(|| {
        let places = PLACES.iter().map(|&path| path.to_owned());
        places.into_iter().find(|path| reader.is_file(path))
    });
    let Some(main) = found else {
        reader.open("its control file is not in the image".to_owned());
        return;
    };
    with_included(main, reader, |path, text, reader| {
        let patterns = control_file(path, text, reader).into_iter();
        patterns
            .flat_map(|pattern| reader.included(path, &pattern))
            .collect()
    });
}

/// Finds commands; what the file includes.
fn control_file(path: &str, text: &str, reader: &mut Reader<'_>) -> Vec<String> {
    let tokens = words::tokens(text);
    let mut included = Vec::new();
    let mut checks_program = false;
    for (index, (line, word, quoted)) in tokens.iter().enumerate() {
        if *quoted {
            continue;
        }
        let rest = tokens.get(index + 1..).unwrap_or_default();
        let next = |skipped: &[&str]| words::next(rest, skipped).map(|(_, word, _)| word.clone());
        let word = word.to_ascii_lowercase();
        let checks = index
            .checked_sub(1)
            .and_then(|before| tokens.get(before))
            .is_some_and(|(_, word, quoted)| !quoted && word.eq_ignore_ascii_case("check"));
        let command = match word.as_str() {
            "include" => {
                included.extend(next(&[]));
                None
            }
            "check" => {
                checks_program = false;
                None
            }
            "program" if checks => {
                checks_program = true;
                None
            }
            "program" | "exec" => next(&["=", "is"]),
            "path" if checks_program => next(&["=", "is"]),
            _ => None,
        };
        if let Some(command) = command {
            reader.at(path, *line);
            reader.command(words::split(&command));
        }
    }
    included
}
