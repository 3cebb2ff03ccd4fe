//! Lines of several processes that write to one log: where one has not ended its line, another's goes on in it.
//!
//! `pg_ctl` prints that it waits and ends the line when it has; whichever line the server logs meanwhile comes behind that,
//! and which one that is follows the clock.

use crate::lines::Lines;

/// The most lines of which this is asked: a log that differs in more differs.
const LINES: usize = 64;

/// The shortest line that says enough to be the end of another one and not a word of it.
const SHORTEST: usize = 8;

/// Those of the lines that are not there in other logs, nor made of what is there by writing it one behind the other.
pub(crate) fn others(lines: Vec<String>, logs: &[Lines]) -> Vec<String> {
    if lines.len() > LINES {
        return lines;
    }
    let is_other = |line: &String| !is_interleaved(line, logs);
    lines.into_iter().filter(is_other).collect()
}

/// Whether the logs have a line behind the beginning of another one, or this line is one behind such a beginning.
fn is_interleaved(line: &str, logs: &[Lines]) -> bool {
    let any = |holds: &dyn Fn(&String) -> bool| logs.iter().flat_map(|lines| &lines.list).any(holds);
    let says_enough = line.len() >= SHORTEST;
    if says_enough && any(&|other| other.len() > line.len() && other.ends_with(line)) {
        return true;
    }
    let mut ends = line.char_indices().map(|(end, _)| line.split_at(end)).skip(1);
    ends.any(|(beginning, rest)| {
        logs.iter().any(|lines| lines.contains(rest)) && any(&|other| other.starts_with(beginning))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: bool) {
        let log = "waiting....received a request\nserver stopped\naborting\n done";
        let logs = [Lines::logged(log)];
        assert_eq!(is_interleaved(line, &logs), expected, "{line}");
    }

    #[test]
    fn lines_are_told_apart_that_another_began() {
        // Another line came first.
        check("waiting....aborting", true);
        // It came behind no other one.
        check("received a request", true);
        check("stopped", false);
        check("waiting....refused", false);
        check("failed: aborting", false);
        check("received another request", false);
    }

    #[test]
    fn logs_that_differ_in_much_differ() {
        let lines: Vec<String> = (0..=LINES).map(|index| format!("line {index}")).collect();
        assert_eq!(others(lines.clone(), &[]), lines);
    }
}
