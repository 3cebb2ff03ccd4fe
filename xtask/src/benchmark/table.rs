//! What was measured, as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::measure::{ObjectStats, Row};

/// At most so many times the time of decoding once may an analysis take without a cache.
const COLD_AIM: f64 = 4.0;

/// At most this part of that may it take with a filled cache.
const WARM_AIM: f64 = 0.1;

/// At most so many KiB of memory may it have at any time.
const MEMORY_AIM: u64 = 400 << 10;

/// How many objects are shown.
const OBJECTS: usize = 10;

/// The tables, and what they show not to be as it should.
pub fn render(rows: &[Row], runs: u8, load: Option<&str>) -> String {
    let mut text = format!("Each was run {runs} times without a cache and {runs} times with a filled one");
    if let Some(load) = load {
        // Writing to a String cannot fail, here and below.
        let _ = write!(text, "; the machine's load was {load} when that began");
    }
    text.push_str(
        ".\n\n| image | code MB | decode once ms | cold ms | ratio | filling ms | warm ms | warm/cold | changed ms | peak MiB cold \
         | peak MiB warm | threads |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for row in rows {
        let once = row.cold.decode_once.as_ref();
        let code: u64 = row.cold.objects.iter().map(|object| object.code_bytes).sum();
        let cells = [
            row.name.clone(),
            format!("{:.1}", megabytes(code)),
            once.map(|once| format!("{:.1}", once.milliseconds))
                .unwrap_or_default(),
            format!("{:.0}", row.cold.total_milliseconds),
            ratio(row).map(|ratio| format!("{ratio:.1}")).unwrap_or_default(),
            format!("{:.0}", row.filling.total_milliseconds),
            format!("{:.0}", row.warm.total_milliseconds),
            warm_part(row)
                .map(|part| format!("{part:.2}"))
                .unwrap_or_default(),
            format!("{:.0}", row.changed.total_milliseconds),
            mebibytes(row.peak_cold),
            mebibytes(row.peak_warm),
            row.cold.threads.to_string(),
        ];
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text.push('\n');
    text.push_str(&shortfalls(rows));
    text.push_str(&objects(rows));
    text
}

/// Which aims are met, and how far the others are off.
fn shortfalls(rows: &[Row]) -> String {
    let missed = |aim: String, off: Vec<String>| match off.is_empty() {
        true => format!("- {aim}: all\n"),
        false => format!("- {aim}: all but {}\n", off.join(", ")),
    };
    let off = |value: fn(&Row) -> Option<f64>, aim: f64, digits: usize| -> Vec<String> {
        let values = rows.iter().filter_map(|row| Some((&row.name, value(row)?)));
        values
            .filter(|(_, value)| *value > aim)
            .map(|(name, value)| format!("{name} ({value:.digits$})"))
            .collect()
    };
    let memory: Vec<String> = rows
        .iter()
        .filter(|row| row.peak_cold.max(row.peak_warm) > Some(MEMORY_AIM))
        .map(|row| format!("{} ({})", row.name, mebibytes(row.peak_cold.max(row.peak_warm))))
        .collect();
    [
        "The aims, and what meets them:\n\n".to_owned(),
        missed(format!("a ratio of at most {COLD_AIM}"), off(ratio, COLD_AIM, 1)),
        missed(
            format!("warm at most {WARM_AIM} of cold"),
            off(warm_part, WARM_AIM, 2),
        ),
        missed(format!("a peak of at most {} MiB", MEMORY_AIM >> 10), memory),
    ]
    .concat()
}

/// The objects that cost most, each once: images share many.
fn objects(rows: &[Row]) -> String {
    let mut costs: BTreeMap<&str, (&ObjectStats, &Row)> = BTreeMap::new();
    for row in rows {
        for object in &row.cold.objects {
            let known = costs.entry(&object.path).or_insert((object, row));
            if cost(object) > cost(known.0) {
                *known = (object, row);
            }
        }
    }
    let mut costs: Vec<(&ObjectStats, &Row)> = costs.into_values().collect();
    costs.sort_by(|(one, _), (other, _)| cost(other).total_cmp(&cost(one)).then(one.path.cmp(&other.path)));
    costs.truncate(OBJECTS);
    let mut text = String::from(
        "\nThe objects whose facts took longest, each in the image where that was:\n\n\
         | object | image | code MB | decode once ms | facts ms | ratio |\n|---|---|--:|--:|--:|--:|\n",
    );
    for (object, row) in costs {
        let once = object.decode_once_milliseconds;
        let ratio = (once > 0.0).then(|| format!("{:.1}", cost(object) / once));
        let _ = writeln!(
            text,
            "| {} | {} | {:.1} | {once:.1} | {:.0} | {} |",
            object.path,
            row.name,
            megabytes(object.code_bytes),
            cost(object),
            ratio.unwrap_or_default()
        );
    }
    text
}

fn cost(object: &ObjectStats) -> f64 {
    object.facts_milliseconds.unwrap_or(0.0)
}

/// The time without a cache in terms of decoding once.
fn ratio(row: &Row) -> Option<f64> {
    let once = row.cold.decode_once.as_ref()?.milliseconds;
    (once > 0.0).then(|| row.cold.total_milliseconds / once)
}

/// The time with a filled cache in terms of the time without one.
fn warm_part(row: &Row) -> Option<f64> {
    let cold = row.cold.total_milliseconds;
    (cold > 0.0).then(|| row.warm.total_milliseconds / cold)
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn mebibytes(kib: Option<u64>) -> String {
    kib.map(|kib| (kib >> 10).to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::measure::{DecodeOnce, Stats};
    use super::*;

    fn row(name: &str, once: f64, cold: f64, warm: f64, peak: u64) -> Row {
        let stats = |total| Stats {
            total_milliseconds: total,
            threads: 2,
            ..Stats::default()
        };
        Row {
            name: name.to_owned(),
            cold: Stats {
                decode_once: Some(DecodeOnce { milliseconds: once }),
                objects: vec![ObjectStats {
                    path: "/lib/x".to_owned(),
                    code_bytes: 2_500_000,
                    decode_once_milliseconds: once,
                    facts_milliseconds: Some(cold / 2.0),
                }],
                ..stats(cold)
            },
            filling: stats(cold + 10.0),
            warm: stats(warm),
            changed: stats(warm * 2.0),
            peak_cold: Some(peak << 10),
            peak_warm: Some(50 << 10),
            ..Row::default()
        }
    }

    #[test]
    fn what_misses_an_aim_is_said() {
        let rows = [
            row("good", 20.0, 80.0, 8.0, 400),
            row("slow", 20.0, 90.0, 45.0, 401),
        ];
        let expected = "\
Each was run 3 times without a cache and 3 times with a filled one; the machine's load was 0.25 when that began.

| image | code MB | decode once ms | cold ms | ratio | filling ms | warm ms | warm/cold | changed ms | peak MiB cold | peak MiB warm | threads |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
| good | 2.5 | 20.0 | 80 | 4.0 | 90 | 8 | 0.10 | 16 | 400 | 50 | 2 |
| slow | 2.5 | 20.0 | 90 | 4.5 | 100 | 45 | 0.50 | 90 | 401 | 50 | 2 |

The aims, and what meets them:

- a ratio of at most 4: all but slow (4.5)
- warm at most 0.1 of cold: all but slow (0.50)
- a peak of at most 400 MiB: all but slow (401)

The objects whose facts took longest, each in the image where that was:

| object | image | code MB | decode once ms | facts ms | ratio |
|---|---|--:|--:|--:|--:|
| /lib/x | slow | 2.5 | 20.0 | 45 | 2.2 |
";
        assert_eq!(render(&rows, 3, Some("0.25")), expected);
    }

    #[test]
    fn nothing_measured_is_no_division() {
        let text = render(&[Row::default()], 1, None);
        assert!(
            text.contains("|  | 0.0 |  | 0 |  | 0 | 0 |  | 0 |  |  | 0 |"),
            "{text}"
        );
    }
}
