//! Statistics as lines to read and as one line of JSON.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::{ObjectCost, Statistics};

/// How many objects the lines name.
const SLOWEST: usize = 10;

/// Lines to read.
pub fn lines(statistics: &Statistics) -> Vec<String> {
    let time = |time: Duration, what: &str| format!("{:>9.1} ms  {what}", milliseconds(time));
    let count = |count: u64, what: &str| format!("{count:>12}  {what}");
    let mut lines: Vec<String> = statistics
        .parts
        .iter()
        .map(|(part, spent)| time(*spent, part))
        .collect();
    lines.push(time(statistics.total, "total"));
    if let Some(comparison) = &statistics.comparison {
        let mut what = "decoding all of that code once, for comparison".to_owned();
        if let Some(ratio) = ratio(statistics) {
            what = format!("{what}: the total is {ratio:.1} times that");
        }
        lines.push(time(comparison.elapsed, &what));
    }
    lines.extend(
        statistics
            .counts
            .iter()
            .map(|(what, number)| count(*number, what)),
    );
    lines.push(count(statistics.threads as u64, "threads"));
    if let Some(peak) = statistics.peak_memory {
        lines.push(format!("{:>8} MiB  peak memory", peak >> 10));
    }
    if let Some(comparison) = &statistics.comparison {
        lines.push(format!(
            "{:>12}  {:>9}  {:>9}  slowest objects",
            "code bytes", "once ms", "facts ms"
        ));
        lines.extend(slowest(&comparison.objects).into_iter().map(object));
    }
    lines
}

/// One line for machines.
pub fn json(statistics: &Statistics) -> serde_json::Result<String> {
    let parts = statistics.parts.iter();
    let text = Text {
        parts: parts
            .map(|(name, spent)| Part {
                name,
                milliseconds: rounded(*spent),
            })
            .collect(),
        total_milliseconds: rounded(statistics.total),
        counts: statistics.counts.iter().copied().collect(),
        threads: statistics.threads,
        peak_memory_kib: statistics.peak_memory,
        decode_once: statistics.comparison.as_ref().map(|comparison| DecodeOnce {
            milliseconds: rounded(comparison.elapsed),
            instructions: comparison.instructions,
            ratio: ratio(statistics),
        }),
        objects: statistics
            .comparison
            .as_ref()
            .map_or_else(Vec::new, |comparison| {
                let objects = comparison.objects.iter();
                objects
                    .map(|object| ObjectText {
                        path: &object.path,
                        code_bytes: object.code_bytes,
                        decode_once_milliseconds: rounded(object.decode),
                        facts_milliseconds: object.facts.map(rounded),
                    })
                    .collect()
            }),
    };
    serde_json::to_string(&text)
}

#[derive(Serialize)]
struct Text<'a> {
    parts: Vec<Part<'a>>,
    total_milliseconds: f64,
    counts: BTreeMap<&'a str, u64>,
    threads: usize,
    peak_memory_kib: Option<u64>,
    decode_once: Option<DecodeOnce>,
    objects: Vec<ObjectText<'a>>,
}

#[derive(Serialize)]
struct Part<'a> {
    name: &'a str,
    milliseconds: f64,
}

#[derive(Serialize)]
struct DecodeOnce {
    milliseconds: f64,
    instructions: u64,
    ratio: Option<f64>,
}

#[derive(Serialize)]
struct ObjectText<'a> {
    path: &'a str,
    code_bytes: u64,
    decode_once_milliseconds: f64,
    facts_milliseconds: Option<f64>,
}

/// The total in terms of decoding once; nothing where there was no code.
fn ratio(statistics: &Statistics) -> Option<f64> {
    let once = statistics.comparison.as_ref()?.elapsed.as_secs_f64();
    (once > 0.0).then(|| statistics.total.as_secs_f64() / once)
}

/// The objects that took longest, the slowest first.
fn slowest(objects: &[ObjectCost]) -> Vec<&ObjectCost> {
    let mut objects: Vec<&ObjectCost> = objects.iter().collect();
    objects.sort_by_key(|object| {
        (
            Reverse(object.facts.unwrap_or_default() + object.decode),
            &object.path,
        )
    });
    objects.truncate(SLOWEST);
    objects
}

fn object(object: &ObjectCost) -> String {
    let facts = object
        .facts
        .map_or_else(|| "-".to_owned(), |facts| format!("{:.1}", milliseconds(facts)));
    format!(
        "{:>12}  {:>9.1}  {facts:>9}  {}",
        object.code_bytes,
        milliseconds(object.decode),
        object.path
    )
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Milliseconds to the microsecond: more digits are noise.
fn rounded(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::super::Comparison;
    use super::*;

    fn sample() -> Statistics {
        let object = |path: &str, facts| ObjectCost {
            path: path.to_owned(),
            code_bytes: 1000,
            decode: Duration::from_micros(1500),
            facts,
        };
        let mut statistics = Statistics::begin();
        statistics.threads = 2;
        statistics.parts = vec![
            ("read", Duration::from_millis(3)),
            ("solve", Duration::from_micros(5250)),
        ];
        statistics.count("objects", 2);
        statistics.total = Duration::from_millis(9);
        statistics.peak_memory = Some(3 << 10);
        statistics.compare(Comparison {
            elapsed: Duration::from_millis(2),
            instructions: 300,
            objects: vec![
                object("/lib/kept", None),
                object("/lib/slow", Some(Duration::from_millis(4))),
            ],
        });
        statistics
    }

    #[test]
    fn lines_are_to_read() {
        let expected = "      3.0 ms  read
      5.2 ms  solve
      9.0 ms  total
      2.0 ms  decoding all of that code once, for comparison: the total is 4.5 times that
           2  objects
           2  threads
       3 MiB  peak memory
  code bytes    once ms   facts ms  slowest objects
        1000        1.5        4.0  /lib/slow
        1000        1.5          -  /lib/kept";
        assert_eq!(lines(&sample()).join("\n"), expected);
    }

    #[test]
    fn only_the_slowest_objects_have_a_line() {
        let mut statistics = sample();
        let object = |number: u64| ObjectCost {
            path: format!("/lib/{number:02}"),
            code_bytes: 1,
            decode: Duration::from_millis(number),
            facts: None,
        };
        statistics.compare(Comparison {
            objects: (0..30).map(object).collect(),
            ..Comparison::default()
        });
        let lines = lines(&statistics);
        assert!(lines.iter().any(|line| line.ends_with("/lib/20")), "{lines:?}");
        assert!(!lines.iter().any(|line| line.ends_with("/lib/19")), "{lines:?}");
        assert!(
            lines.iter().all(|line| !line.contains(" times that")),
            "{lines:?}"
        );
    }

    #[test]
    fn json_is_one_line_with_everything() {
        let expected = concat!(
            r#"{"parts":[{"name":"read","milliseconds":3.0},{"name":"solve","milliseconds":5.25}],"#,
            r#""total_milliseconds":9.0,"counts":{"objects":2},"threads":2,"peak_memory_kib":3072,"#,
            r#""decode_once":{"milliseconds":2.0,"instructions":300,"ratio":4.5},"objects":["#,
            r#"{"path":"/lib/kept","code_bytes":1000,"decode_once_milliseconds":1.5,"facts_milliseconds":null},"#,
            r#"{"path":"/lib/slow","code_bytes":1000,"decode_once_milliseconds":1.5,"facts_milliseconds":4.0}]}"#,
        );
        assert_eq!(json(&sample()).unwrap(), expected);
    }
}
