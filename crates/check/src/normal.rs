//! What is different in every life of a container, taken out of a line.
//!
//! Only what is recognised for what it is goes: numbers as such stay, since a count that changes is a difference. The
//! rules are tried in their order, so that the parts of a date are gone before a clock is looked for.

use std::sync::LazyLock;

use regex::Regex;

/// What is recognised, and what takes its place.
const RULES: [(&str, &str); 24] = [
    // Colours of a terminal say nothing.
    (r"\x1b\[[0-9;]*[A-Za-z]", ""),
    (
        r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b",
        "<id>",
    ),
    // Ids that begin with a time and are written in 32 signs.
    (r"\b0[0-9A-HJKMNP-TV-Z]{25}\b", "<id>"),
    // 2026-11-24T23:30:11.123456Z, 2026/11/24 23:30:11, 2026-11-24 23:30:11,123 +0100
    (
        r"\b\d{4}[-/.]\d{2}[-/.]\d{2}(?:[Tt ]|  )\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d+)?(?: ?(?:Z|UTC|GMT|CET|[+-]\d{2}:?\d{2})\b|Z)?",
        "<time>",
    ),
    // Tue Nov 24 23:30:11.123456 2026, Nov 24 2026, Nov 24, 2026 11:30:11 PM
    (
        r"\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? +)?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]* +\d{1,2}(?:,? \d{4})?(?:,? +\d{1,2}:\d{2}:\d{2}(?:[.,]\d+)?(?: [AP]M)?)?(?: (?:UTC|GMT))?(?: \d{4})?\b",
        "<time>",
    ),
    // Tue, 24 Nov 2026 23:30:11 GMT, 24-Nov-2026 23:30:11, 24/Nov/2026:23:30:11 +0000
    (
        r"\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? +)?\d{1,2}[-/ ](?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*[-/ ]\d{4}(?:[: ]\d{1,2}:\d{2}:\d{2}(?:[.,]\d+)?)?(?: ?(?:UTC|GMT|[+-]\d{4}))?\b",
        "<time>",
    ),
    (r"\b\d{4}-\d{2}-\d{2}\b", "<time>"),
    (r"\b\d{1,2}:\d{2}:\d{2}(?:[.,]\d+)?\b", "<time>"),
    // Seconds since 1970, and parts of them, until 2036.
    (
        r"\b(?:1[5-9]|20)\d{8}(?:\d{3}|\d{6}|\d{9})?(?:\.\d+)?\b",
        "<time>",
    ),
    (
        r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?::\d{1,5}|/\d{1,2})?\b",
        "<address>",
    ),
    (r"\[[0-9a-fA-F:]*::[0-9a-fA-F:]*\](?::\d{1,5})?", "<address>"),
    // Hardware addresses, and those of the sixth version that are written in full.
    (
        r"\b(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}\b|\b(?:[0-9a-fA-F]{1,4}:){4,7}[0-9a-fA-F]{1,4}\b",
        "<address>",
    ),
    (r"\b(localhost|<container>|<address>):\d{2,5}\b", "$1:<port>"),
    (
        r"(?i)\b(port|pid|tid|process|thread|worker|child)([ =:#]+|-)\d+\b",
        "$1$2<number>",
    ),
    (r"(?i)\bsource port \d+\b", "source port <number>"),
    // Thread dumps of Java have the threads' numbers in hexadecimal.
    (r"\b(nid|pid|tid)=0x[0-9a-f]+\b", "$1=<number>"),
    (r"\[\d+(?:[:#.]\d+)*\]", "[<number>]"),
    // The process and thread that stand in front of nginx's lines: 12#34
    (r"\b\d+#\d+\b", "<number>"),
    // Lists of them, too, of which a line has as many as there are threads.
    (
        r"\b0x[0-9a-fA-F]{5,16}\b(?:,? *\b0x[0-9a-fA-F]{5,16}\b)*",
        "<pointer>",
    ),
    (
        r"\b[0-9a-f]{12}(?:[0-9a-f]{4})*\b|\b[0-9a-f]{40}\b|\b[0-9a-f]{64}\b",
        "<id>",
    ),
    (
        r"\b\d+(?:[.,]\d+)? ?(?:ns|us|µs|ms|s|secs?|seconds?|msec|milliseconds?|microseconds?|mins?|minutes?)\b",
        "<duration>",
    ),
    // Java's objects by their hashes (java.lang.Object.toString): Connector@64b73e7a
    (r"(\w)@[0-9a-f]{4,8}\b", "$1@<id>"),
    // Names of temporary files: what mktemp and its like make of tmp.XXXXXX
    (r"\b(tmp[._-]?)[A-Za-z0-9]{6,12}\b", "$1<id>"),
    (r"[ \t]+$", ""),
];

static COMPILED: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    // All of them compile, which a test holds.
    let rules = RULES
        .iter()
        .filter_map(|(rule, instead)| Some((Regex::new(rule).ok()?, *instead)));
    rules.collect()
});

/// The line without times, ids, addresses, ports, process numbers and durations.
pub(crate) fn normalised(line: &str) -> String {
    let mut line = line.trim_end_matches('\r').to_owned();
    for (rule, instead) in COMPILED.iter() {
        if let std::borrow::Cow::Owned(changed) = rule.replace_all(&line, *instead) {
            line = changed;
        }
    }
    line
}

/// The line with every number as one sign: for logs, whose counts follow the clock.
pub(crate) fn without_numbers(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for character in line.chars() {
        match character {
            '0'..='9' if out.ends_with('#') => {}
            '0'..='9' => out.push('#'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_compiles() {
        assert_eq!(COMPILED.len(), RULES.len());
    }

    #[test]
    fn what_changes_in_every_life_goes() {
        for (line, expected) in [
            (
                "1:M 24 Nov 2026 23:30:11.123 * Background saving started by pid 34",
                "1:M <time> * Background saving started by pid <number>",
            ),
            (
                "2026/11/24 23:30:11 [notice] 1#1: start worker process 29",
                "<time> [notice] <number>: start worker process <number>",
            ),
            (
                "[Tue Nov 24 23:30:11.123456 2026] [mpm_event:notice] [pid 1:tid 140] AH00489: Apache/2.4.62 configured",
                "[<time>] [mpm_event:notice] [pid <number>:tid <number>] AH00489: Apache/2.4.62 configured",
            ),
            (
                "2026-11-24 23:30:11.123 UTC [1] LOG:  listening on IPv4 address \"0.0.0.0\", port 5432",
                "<time> [<number>] LOG:  listening on IPv4 address \"<address>\", port <number>",
            ),
            (
                "172.17.0.1 - - [24/Nov/2026:23:30:11 +0000] \"GET / HTTP/1.1\" 200 615",
                "<address> - - [<time>] \"GET / HTTP/1.1\" 200 615",
            ),
            ("Date: Tue, 24 Nov 2026 23:30:11 GMT", "Date: <time>"),
            (
                "ready in 12.5 ms, took 3s, 2 minutes",
                "ready in <duration>, took <duration>, <duration>",
            ),
            ("id 4f1c2d3e4b5a, 0x7ffc12345678", "id <id>, <pointer>"),
            (
                "tid=0x00007f12a8012345 nid=0x1e waiting",
                "tid=<number> nid=<number> waiting",
            ),
            (
                "Started ServerConnector@64b73e7a{HTTP/1.1}",
                "Started ServerConnector@<id>{HTTP/1.1}",
            ),
            ("req 6f9619ff-8b86-d011-b42d-00cf4fc964ff", "req <id>"),
            (
                "listening on [::]:8080 and localhost:41234",
                "listening on <address> and localhost:<port>",
            ),
            ("ulid=01KAT3ZWQ9D8M5VQMQKWMSKMDF", "ulid=<id>"),
            ("ts=1795473706.991 level=info", "ts=<time> level=info"),
            ("\u{1b}[32mgreen\u{1b}[0m\r", "green"),
            ("/tmp/tmp.AbCdEf1234/x", "/tmp/tmp.<id>/x"),
        ] {
            assert_eq!(normalised(line), expected);
        }
    }

    #[test]
    fn what_tells_something_stays() {
        for line in [
            "200",
            "exit 7",
            "Complete requests:      2000",
            "60 of 61",
            "MariaDB 10.11.6",
            "abc defabe",
            "role: master, 3 keys",
        ] {
            assert_eq!(normalised(line), line);
        }
        assert_eq!(without_numbers("12 of 345 in a1"), "# of # in a#");
    }
}
